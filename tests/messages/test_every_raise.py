"""Every error that is worded in these packages was raised by a test of this folder that looked at its words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import xsparks
from tests.messages.saying import RAISED

PACKAGE = Path(xsparks.__file__).parent
HELD = (
    "core",
    "models",
    "engine",
    "perturbations",
    "metrics",
    "attributions",
    "utility",
    "evaluation",
    "concepts",
    "features",
    "alignment",
    "lipschitz",
)


def worded_raises(file: Path) -> list[range]:
    """The lines of every `raise` of a new error in a file."""
    found = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Raise)]
    return [range(node.lineno, (node.end_lineno or node.lineno) + 1) for node in found if node.cause or _is_new(node)]


def _is_new(node: ast.Raise) -> bool:
    """Whether the statement makes an error with words, which `raise` and `raise NotImplementedError` do not."""
    return isinstance(node.exc, ast.Call) and bool(node.exc.args)


def test_every_raise_is_held_to_its_words(request):
    here = {file.name for file in Path(__file__).parent.glob("test_*.py")}
    ran = {item.path.name for item in request.session.items if item.path.parent == Path(__file__).parent}
    option = request.config.option
    if here - ran or option.keyword or option.markexpr or any("::" in argument for argument in request.config.args):
        pytest.skip("says something only after all tests of this folder")
    missing = [
        f"{file.relative_to(PACKAGE)}:{lines.start}"
        for package in HELD
        for file in sorted((PACKAGE / package).rglob("*.py"))
        for lines in worded_raises(file)
        if not any(raised == file and line in lines for raised, line in RAISED)
    ]
    assert missing == [], "no test in tests/messages provokes these with `says`"
