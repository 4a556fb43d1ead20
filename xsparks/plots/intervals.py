"""Values side by side, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.errors import wording
from . import style
from .layers import check_count

_WHERE = "plot_intervals"
_ROW = 0.27
_WIDTH = 3.6
_LONGEST_NAME = 2.4
_FIGURES = 0.6


def plot_intervals(
    names: Sequence[str],
    values: Any,
    intervals: Any = None,
    *,
    references: Mapping[str, float] | None = None,
    xlabel: str = "",
    title: str | None = None,
    figure: Figure | None = None,
) -> style.Drawing:
    """How do these values compare, given how sure each is?

    A horizontal bar from 0 for each value, its interval as a thin line, the number at the right; dashed lines for the
    references (chance, the centre of the picture, a published figure).

    Parameters
    ----------
    names : n strings, from the top downwards
    values : `(n,)`
    intervals : `(n, 2)`, the low and the high end of each, or None
    references : mapping from a name to a value, or None; drawn as dashed lines, named above
    xlabel : str; what the values are, with their unit
    title : str or None
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`, one Axes

    Raises
    ------
    ValueError
        no value, NaN or infinity, numbers of names or intervals other than that of the values

    Example
    -------
    >>> figure, axes = plot_intervals(["Sobol", "edges"], [0.71, 0.52], [(0.64, 0.77), (0.45, 0.6)], xlabel="hits")
    >>> [text.get_text() for text in axes.get_yticklabels()]
    ['Sobol', 'edges']
    """
    values = np.asarray(values, float)
    references = dict(references or {})
    if values.ndim != 1 or not len(values):
        remedy = "Give one number for each name."
        received = f"shape {values.shape}"
        raise ValueError(
            wording(_WHERE, expected="`values` must be (n,), n at least 1", received=received, remedy=remedy)
        )
    count = len(values)
    _check(names, values, intervals, references)
    ends = np.asarray(intervals, float) if intervals is not None else np.stack([values, values], axis=1)

    labels = [style.wrap(str(name), _LONGEST_NAME, style.TITLE - 1, lines=1)[0] for name in names]
    left = style.MARGIN + max(style.text_width(label, style.TITLE - 1) for label in labels) + 0.12
    heading = style.wrap(title, left + _WIDTH, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.08 if heading else 0)
    top += style.LINE * style.SMALL * len(references)
    height = _ROW * count + 0.1
    figure = style.new_figure(left + _WIDTH + _FIGURES, top + height + (0.46 if xlabel else 0.28), figure)
    style.write(figure, style.MARGIN, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    axes = style.place(figure, left, top, _WIDTH, height, "intervals")
    style.rule(axes, xlabel, "", grid="x")
    rows = np.arange(count)
    axes.barh(rows, values, height=0.62, color=style.PALETTE[0], alpha=0.35, linewidth=0)
    if intervals is not None:
        axes.hlines(rows, ends[:, 0], ends[:, 1], color=style.PALETTE[0], linewidth=1.6)
    axes.plot(values, rows, "o", color=style.PALETTE[0], markersize=4)
    axes.set_yticks(rows, labels, size=style.TITLE - 1, color=style.INK, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(count - 0.5, -0.5)
    decimals = max(0, 2 - math.floor(math.log10(np.abs(values).max() or 1)))
    for row, value in enumerate(values):
        place = (1.02, row)
        axes.annotate(
            f"{value:.{decimals}f}",
            place,
            xycoords=("axes fraction", "data"),
            va="center_baseline",
            size=style.SMALL + 0.5,
            color=style.INK,
        )
    for index, (name, value) in enumerate(references.items()):
        color = style.PALETTE[1 + index % (len(style.PALETTE) - 1)]
        axes.axvline(value, color=color, linewidth=1.1, linestyle="--", zorder=4)
        lift = 3 + index * style.LINE * 72 * style.SMALL
        axes.annotate(
            name,
            (value, 1),
            xytext=(0, lift),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            size=style.SMALL,
            color=color,
            parse_math=False,
        )
    if values.min() >= 0 and ends.min() >= 0:
        axes.set_xlim(left=0)
    return style.Drawing(figure, axes)


def _check(names: Sequence[str], values: np.ndarray, intervals: Any, references: Mapping[str, float]) -> None:
    ends = values if intervals is None else np.asarray(intervals, float)
    if intervals is not None and ends.shape != (len(values), 2):
        received, remedy = f"shape {ends.shape}", "Give the low and the high end of each value."
        raise ValueError(
            wording(_WHERE, expected=f"`intervals` must be ({len(values)}, 2)", received=received, remedy=remedy)
        )
    check_count("names", len(names), len(values), _WHERE, "value")
    if not (np.isfinite(values).all() and np.isfinite(ends).all() and np.isfinite(list(references.values())).all()):
        remedy = "Leave out what could not be measured, and say so."
        raise ValueError(wording(_WHERE, expected="values must be finite", received="NaN or infinity", remedy=remedy))
