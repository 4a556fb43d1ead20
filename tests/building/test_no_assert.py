"""Users' errors need a raise that `python -O` keeps, exceptions caught by name, and no surprise output."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.building.sources import Source, called, plant, read

POSTPONED = re.compile(r"\b(TODO|FIXME|XXX)\b|type:\s*ignore|\bnoqa\b")


def forbidden(sources: list[Source]) -> list[str]:
    """Asserts, bare excepts, prints outside the command line, comments that put work off or silence a checker."""
    found = []
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Assert):
                found.append(f"{source.place(node)}: assert")
            elif isinstance(node, ast.ExceptHandler) and node.type is None:
                found.append(f"{source.place(node)}: bare except")
            elif isinstance(node, ast.Call) and called(node) == "print" and source.area != "cli":
                found.append(f"{source.place(node)}: print")
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and POSTPONED.search(token.string):
                found.append(f"{source.name}:{token.start[0]}: {token.string}")
    return found


def test_the_package_has_none() -> None:
    assert forbidden(read()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\nassert x", "xsparks.core.one:2: assert"),
        ("try:\n    x = 1\nexcept:\n    pass", "xsparks.core.one:3: bare except"),
        ("print('here')", "xsparks.core.one:1: print"),
        ("x = 1  # TODO later", "xsparks.core.one:1: # TODO later"),
        ("x = 1  # type: ignore", "xsparks.core.one:1: # type: ignore"),
    ],
)
def test_a_planted_one_is_found(tmp_path: Path, text: str, expected: str) -> None:
    assert forbidden(plant(tmp_path, {"core/one.py": text})) == [expected]


def test_the_command_line_prints(tmp_path: Path) -> None:
    assert forbidden(plant(tmp_path, {"cli.py": "print('here')"})) == []
