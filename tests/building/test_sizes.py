"""A file has one responsibility: about 200 lines, 300 at most."""

from __future__ import annotations

from pathlib import Path

from tests.building.sources import Source, plant, read

LIMIT = 300


def too_long(sources: list[Source]) -> list[str]:
    """The files over the limit, with their lengths."""
    lengths = {source.name: len(source.text.splitlines()) for source in sources}
    return [f"{name}: {length} lines" for name, length in lengths.items() if length > LIMIT]


def test_no_file_is_too_long() -> None:
    assert too_long(read()) == []


def test_a_planted_long_file_is_found(tmp_path: Path) -> None:
    files = {"core/long.py": "x = 1\n" * (LIMIT + 1), "core/right.py": "x = 1\n" * LIMIT}
    assert too_long(plant(tmp_path, files)) == ["xsparks.core.long: 301 lines"]
