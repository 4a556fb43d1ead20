"""Every public thing says what question it answers; every method and metric says its cost and its source."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TypeGuard

import pytest

from tests.building.discovery import concrete
from tests.building.sources import Source, plant, read

WITH_GAPS = '''"""A module."""
def plain(): ...
def _private(): ...
class Whole:
    """One."""
    def __init__(self): ...
    def method(self): ...
    def _own(self): ...
    @property
    def side(self):
        """Two."""
    @side.setter
    def side(self, value): ...
    def shown(self):
        """Three."""
class Child(Whole):
    """Four."""
    def shown(self): ...
    def hidden(self): ...
'''

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def undocumented(sources: list[Source]) -> list[str]:
    """The modules and the public classes, functions and methods without a docstring.

    A method that fills in a documented one of its base class has that one's.
    """
    classes = {node.name: node for source in sources for node in source.tree.body if isinstance(node, ast.ClassDef)}
    found = []
    for source in sources:
        if not ast.get_docstring(source.tree):
            found.append(f"{source.name}: the module")
        for node in source.tree.body:
            if not _is_public(node):
                continue
            if not ast.get_docstring(node):
                found.append(f"{source.name}: {node.name}")
            if isinstance(node, ast.ClassDef):
                methods = [method for method in node.body if _is_public(method) and not ast.get_docstring(method)]
                names = [method.name for method in methods if method.name not in _documented_above(node, classes)]
                found += [f"{source.name}: {node.name}.{name}" for name in names]
    return found


def _is_public(node: ast.stmt) -> TypeGuard[Definition]:
    # `__init__` and its like are described by their class.
    return isinstance(node, Definition) and not node.name.startswith("_") and not _repeats_another(node)


def _documented_above(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    """The methods that the base classes within the package document."""
    found = set()
    for base in node.bases:
        above = classes.get(ast.unparse(base).split("[")[0].split(".")[-1])
        if above is not None and above is not node:
            found |= {each.name for each in above.body if isinstance(each, Definition) and ast.get_docstring(each)}
            found |= _documented_above(above, classes)
    return found


def _repeats_another(node: Definition) -> bool:
    """Overloads and the setters of a property, which another definition documents."""
    written = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name.split(".")[-1] in {"overload", "setter", "deleter"} for name in written)


def missing_sections(docstring: str | None) -> list[str]:
    """The sections that the docstring of an explainer or a metric lacks."""
    text = inspect.cleandoc(docstring or "")
    sections = set(re.findall(r"^(\w+)\n-{3,}$", text, flags=re.MULTILINE))
    lacking = [name for name in ("Parameters", "Cost", "Source") if name not in sections]
    return lacking if sections & {"Returns", "Example"} else [*lacking, "Returns or Example"]


def test_everything_public_has_a_docstring() -> None:
    assert undocumented(read()) == []


def test_a_planted_gap_is_found(tmp_path: Path) -> None:
    files = {
        "__init__.py": '"""Root."""',
        "core/__init__.py": '"""Core."""',
        "core/one.py": WITH_GAPS,
        "core/two.py": "",
    }
    assert undocumented(plant(tmp_path, files)) == [
        "xsparks.core.one: plain",
        "xsparks.core.one: Whole.method",
        "xsparks.core.one: Child.hidden",
        "xsparks.core.two: the module",
    ]


@pytest.mark.parametrize("kind", ["Explainer", "Metric"])
def test_methods_and_metrics_have_all_sections(kind: str) -> None:
    assert concrete(kind)
    lacking = {found.__name__: missing_sections(found.__doc__) for found in concrete(kind)}
    assert {name: sections for name, sections in lacking.items() if sections} == {}


def test_a_lacking_section_is_found() -> None:
    whole = "One.\n\nParameters\n----------\nx\n\nReturns\n-------\ny\n\nCost\n----\nz\n\nSource\n------\nw"
    assert missing_sections(whole) == []
    assert missing_sections(whole.replace("Cost\n----", "Cost: none")) == ["Cost"]
    assert missing_sections(None) == ["Parameters", "Cost", "Source", "Returns or Example"]
