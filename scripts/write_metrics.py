"""Writes the table of all metrics into docs/metrics.md, between its two marks."""

from __future__ import annotations

from pathlib import Path

from xsparks.metrics import metrics_table

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
START, END = "<!-- metrics: scripts/write_metrics.py -->", "<!-- end -->"


def main() -> None:
    """Replaces what stands between the marks."""
    before, rest = PAGE.read_text().split(START)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{START}\n{metrics_table()}\n{END}{after}")


if __name__ == "__main__":
    main()
