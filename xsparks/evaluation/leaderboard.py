"""The table of a benchmark, for pages and for terminals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .ranking import FEW

if TYPE_CHECKING:
    from .result import BenchmarkResult

ARROWS = {"higher": "↑", "lower": "↓"}


def leaderboard(result: BenchmarkResult, format: str) -> str:
    """The leaderboard in Markdown or as text."""
    markdown = format == "markdown"
    header = ["Method", *(f"{metric} {ARROWS[result.better[metric]]}" for metric in result.metrics)]
    header += ["Mean rank", "Passes", "Seconds"]
    mean_ranks = result.mean_ranks()
    columns = [_column(result, metric, markdown) for metric in result.metrics]
    rows, below = [], []
    for name in [*result.names, *(name for name in result.controls if result.scores.get(name))]:
        control = name in result.controls
        shown = f"*{name}*" if control and markdown else name
        rank = "{:.1f} [{:.1f}, {:.1f}]".format(*mean_ranks[name]) if name in mean_ranks else ""
        cells = [shown, *(column.get(name, "–") for column in columns), rank, *_cost(result, name)]
        (below if control else rows).append(cells)
    blank = [""] * (len(header) - 1)
    if below and markdown:
        # Markdown knows no line within a table.
        below.insert(0, ["*controls*", *blank])
    failed = [[name, "not applicable", *blank[1:]] for name in result.failures if name in result.methods]
    parts = [_markdown(header, rows + below + failed) if markdown else _text(header, [rows, below, failed])]
    return "\n\n".join([*parts, *_notes(result, markdown)])


def _column(result: BenchmarkResult, metric: str, markdown: bool) -> dict[str, str]:
    """The cells of a metric by method."""
    everyone = result.measured(metric, controls=True)
    own = result.measured(metric)
    if not everyone:
        return {}
    decimals = decimals_of(max(abs(float(result.scores[name][metric])) for name in everyone))
    ranks = result.ranks(metric) if own else {}
    tied = result.tied_with_best(metric) if own else []
    controls = [name for name in result.controls if name in everyone]
    cells = {}
    for name in everyone:
        score = result.scores[name][metric]
        low, high = score.interval
        text = f"{score.value:.{decimals}f}"
        if name in tied:
            text = f"**{text}**" if markdown else f"{text}*"
        if name in own and controls and len(result.beaten_controls(metric, name)) < len(controls):
            text += "†"
        text += f" [{low:.{decimals}f}, {high:.{decimals}f}]"
        cells[name] = f"{text} #{ranks[name]:.0f}" if name in ranks else text
    return cells


def _cost(result: BenchmarkResult, name: str) -> list[str]:
    if name not in result.costs:
        return ["", ""]
    cost = result.costs[name]
    return [f"{cost.forwards:,}" + (f" + {cost.backwards:,} back" if cost.backwards else ""), f"{cost.seconds:.2g}"]


def decimals_of(largest: float) -> int:
    """How many decimals show three figures of the largest value; three also where it is between 1 and 10.

    Example
    -------
    >>> decimals_of(0.61), decimals_of(12.0), decimals_of(5300.0)
    (3, 1, 0)
    """
    if largest <= 0:
        return 3
    size = math.floor(math.log10(largest))
    return 3 if size == 0 else max(0, min(6, 2 - size))


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def _text(header: list[str], parts: list[list[list[str]]]) -> str:
    every = [header, *(row for rows in parts for row in rows)]
    widths = [max(len(row[i]) for row in every) for i in range(len(header))]
    line = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def shown(row: list[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    found = [shown(header)]
    for rows in parts:
        found += [line, *map(shown, rows)] if rows else []
    return "\n".join(found)


def _notes(result: BenchmarkResult, markdown: bool) -> list[str]:
    """What the marks mean, and what is not in the table."""
    best = "Bold" if markdown else "*"
    count = len(result.samples)
    about = (
        f"{count} sample{'' if count == 1 else 's'}; 95 % bootstrap intervals over samples, each for itself; # is the "
        f"rank. {best}: the best method, or not distinguishable from it (paired). Passes and seconds are of one map."
    )
    notes = [about]
    if result.controls:
        notes.append("†: not shown to be better than every control (" + ", ".join(result.controls) + "), paired.")
    if count < FEW:
        notes.append(f"Intervals of fewer than {FEW} samples are too narrow.")
    notes += [f"{name}: not applicable: {reason}" for name, reason in result.failures.items()]
    return notes
