"""Writes the table of all attribution methods into docs/methods.md, between its two marks."""

from __future__ import annotations

from pathlib import Path

from xsparks.attributions.catalogue import methods_table

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
START, END = "<!-- methods: scripts/write_methods.py -->", "<!-- end -->"


def main() -> None:
    """Replaces what stands between the marks."""
    before, rest = PAGE.read_text().split(START)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{START}\n{methods_table()}\n{END}{after}")


if __name__ == "__main__":
    main()
