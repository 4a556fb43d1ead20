"""The source files of the package, parsed, for the tests of how it is built."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "xsparks"


@dataclass(frozen=True)
class Source:
    """One file: `name` is dotted (`xsparks.core.errors`; a package's `__init__` carries the package's name)."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def area(self) -> str:
        """The part of xsparks that the file belongs to: `core`, `cli`, ...; empty for `xsparks/__init__.py`."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    def place(self, node: ast.AST) -> str:
        return f"{self.path.name if not self.area else self.name}:{getattr(node, 'lineno', 1)}"


def read(package: Path = PACKAGE) -> list[Source]:
    """All Python files under a package folder, in the order of their paths."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Source(path, name, text, ast.parse(text, filename=str(path))))
    return found


def plant(folder: Path, files: Mapping[str, str]) -> list[Source]:
    """A package `xsparks` made of the given files (path -> text), read: what a checker is tried on."""
    package = folder / "xsparks"
    for relative, text in {"__init__.py": "", **files}.items():
        path = package / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if not (path.parent / "__init__.py").exists():
            (path.parent / "__init__.py").write_text("", encoding="utf-8")
    return read(package)


def imported_names(source: Source) -> Iterator[tuple[ast.AST, str, str]]:
    """Every import of a file as (node, module, name): absolute, `name` empty for `import module`.

    Imports inside functions and under TYPE_CHECKING count, and so do `import_module("literal")` calls.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            module = absolute(source, "." * node.level + (node.module or ""))
            for alias in node.names:
                yield node, module, alias.name
        elif isinstance(node, ast.Call) and node.args and called(node) == "import_module":
            literal = node.args[0]
            if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                yield node, absolute(source, literal.value), ""


def absolute(source: Source, module: str) -> str:
    """The absolute name of a module that `source` imports by a relative one."""
    level = len(module) - len(module.lstrip("."))
    if level == 0:
        return module
    parts = source.name.split(".")
    kept = parts[: len(parts) - level + (1 if source.is_package else 0)]
    return ".".join([*kept, *filter(None, [module.lstrip(".")])])


def called(node: ast.Call) -> str:
    """The last name of what a call calls: `function` for `tf.function(...)`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def environment() -> dict[str, str]:
    """The environment of a child process that imports this checkout from wherever it runs."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}
