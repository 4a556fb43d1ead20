"""What users import is listed by hand, and the lists agree with the files and with what discovery finds."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.building.discovery import concrete
from tests.building.sources import Source, plant, read

# In these packages each public class is for users; a class that is not carries an underscore or lives on a lower floor.
FOR_USERS = {"attributions", "metrics", "concepts", "features", "alignment", "lipschitz", "utility"}


def disagreements(sources: list[Source]) -> list[str]:
    """Where a sub-package's `__init__` and its files do not fit."""
    by_name = {source.name: source for source in sources}
    found = []
    for source in sources:
        if not source.is_package or not source.area:
            continue
        exported = set()
        for node in source.tree.body:
            if _is_docstring(node) or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
                continue
            if not isinstance(node, ast.ImportFrom) or node.level != 1:
                found.append(
                    f"{source.place(node)}: an `__init__` holds a docstring and `from .file import Name as Name`"
                )
                continue
            for alias in node.names:
                if alias.asname != alias.name or alias.name.startswith("_"):
                    found.append(f"{source.place(node)}: `{alias.name}` must be re-exported as itself, and be public")
                    continue
                exported.add(alias.name)
                if node.module is None:  # `from . import shapes as shapes`: a module of the package
                    known = f"{source.name}.{alias.name}" in by_name
                else:
                    home = by_name.get(f"{source.name}.{node.module}")
                    known = home is not None and alias.name in _defined(home) | _imported_again(home)
                    if f"{source.name}.{alias.name}" in by_name:
                        found.append(
                            f"{source.place(node)}: `{alias.name}` is the name of a file of {source.name}, too"
                        )
                if not known:
                    found.append(f"{source.place(node)}: `{alias.name}` is not defined in `.{node.module or ''}`")
        for home in sources:
            if home.name.startswith(source.name + ".") and home.area == source.area and not home.is_package:
                for name in sorted(_for_users(home) - exported):
                    found.append(f"{home.name}: `{name}` is public and not re-exported by {source.name}")
    return found


def _for_users(source: Source) -> set[str]:
    """The public classes of a floor that users type, and the `plot_` functions of the plots."""
    nodes = [node for node in source.tree.body if not getattr(node, "name", "_").startswith("_")]
    if source.area in FOR_USERS:
        return {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    if source.area == "plots":
        return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("plot_")}
    return set()


def _defined(source: Source) -> set[str]:
    names = {node.name for node in source.tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _imported_again(source: Source) -> set[str]:
    """Names that a nested package's own `__init__` re-exports."""
    if not source.is_package:
        return set()
    return {
        alias.asname or alias.name
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def lazy_and_typed(source: Source) -> tuple[dict[str, str], dict[str, str]]:
    """The top `__init__`'s table of lazy names, and its imports under TYPE_CHECKING: name -> sub-package."""
    lazy: dict[str, str] = {}
    typed: dict[str, str] = {}
    for node in source.tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "_PACKAGE_OF"
        ):
            lazy = ast.literal_eval(node.value)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    typed |= {
                        alias.asname or "": inner.module or "" for alias in inner.names if alias.asname == alias.name
                    }
    return lazy, typed


def test_every_init_agrees_with_its_files() -> None:
    assert disagreements(read()) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"metrics/one.py": "class Deletion: ..."}, "xsparks.metrics.one: `Deletion` is public and not re-exported"),
        ({"plots/one.py": "def plot_maps(): ..."}, "xsparks.plots.one: `plot_maps` is public and not re-exported"),
        (
            {"metrics/__init__.py": "from .one import Lost as Lost", "metrics/one.py": ""},
            "`Lost` is not defined in `.one`",
        ),
        (
            {"metrics/__init__.py": "from .one import A", "metrics/one.py": "class A: ..."},
            "`A` must be re-exported as itself",
        ),
        (
            {"metrics/__init__.py": "from .one import *", "metrics/one.py": "class A: ..."},
            "`*` must be re-exported as itself",
        ),
        ({"metrics/__init__.py": "import tensorflow"}, "an `__init__` holds a docstring and"),
        (
            {"metrics/__init__.py": "from ..core.errors import A as A", "core/errors.py": "class A: ..."},
            "an `__init__` holds",
        ),
        ({"datasets/__init__.py": "from . import shapes as shapes"}, "`shapes` is not defined in `.`"),
        (
            {"metrics/__init__.py": "from .score import score as score", "metrics/score.py": "def score(): ..."},
            "`score` is the name of a file of xsparks.metrics, too",
        ),
    ],
)
def test_a_planted_disagreement_is_found(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert any(expected in line for line in disagreements(plant(tmp_path, files)))


def test_lists_that_agree_pass(tmp_path: Path) -> None:
    files = {
        "metrics/__init__.py": '"""Metrics."""\nfrom .one import LIMIT as LIMIT\nfrom .one import Deletion as Deletion',
        "metrics/one.py": "LIMIT: int = 3\nclass Deletion: ...\nclass _Rows: ...\ndef step(): ...",
        "datasets/__init__.py": "from . import shapes as shapes",
        "datasets/shapes.py": "def load(): ...",
        "plots/style.py": "def place(): ...",
    }
    assert disagreements(plant(tmp_path, files)) == []


@pytest.mark.parametrize("kind", ["Explainer", "Metric"])
def test_what_discovery_finds_is_exported(kind: str) -> None:
    missing = []
    for found in concrete(kind):
        package = ".".join(found.__module__.split(".")[:2])
        if getattr(importlib.import_module(package), found.__name__, None) is not found:
            missing.append(f"{package} does not export {found.__name__} of {found.__module__}")
    assert missing == []


def test_the_registries_hold_what_discovery_finds() -> None:
    from xsparks.engine import explainer_classes, metric_classes

    assert set(explainer_classes()) == set(concrete("Explainer"))
    assert set(metric_classes()) == set(concrete("Metric"))


def test_the_lazy_names_are_the_typed_names() -> None:
    (root,) = [source for source in read() if source.name == "xsparks"]
    lazy, typed = lazy_and_typed(root)
    assert lazy and lazy == typed


def test_a_planted_difference_of_lazy_and_typed_is_found(tmp_path: Path) -> None:
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .metrics import Deletion as Deletion\n"
        "_PACKAGE_OF = {'Deletion': 'metrics', 'Insertion': 'metrics'}\n"
    )
    lazy, typed = lazy_and_typed(plant(tmp_path, {"__init__.py": text})[0])
    assert lazy != typed and typed == {"Deletion": "metrics"}


def test_every_lazy_name_is_what_its_package_exports() -> None:
    import xsparks

    for name, package in xsparks._PACKAGE_OF.items():
        assert getattr(xsparks, name) is getattr(importlib.import_module(f"xsparks.{package}"), name)
        assert name in dir(xsparks)
