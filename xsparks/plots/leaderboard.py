"""Many methods by several measures: a panel for each measure, the best method on top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_choice, check_integer
from ..core.errors import wording
from . import style

_WHERE = "plot_leaderboard"
_ROW = 0.2
_PLOT = 2.0
_LONGEST_NAME = 1.7
_GAP = 0.3
_ARROWS = {"higher": "higher is better →", "lower": "← lower is better"}


def plot_leaderboard(
    values: Mapping[str, Mapping[str, tuple[float, float, float]]],
    better: Mapping[str, str],
    *,
    controls: Sequence[str] = (),
    columns: int = 3,
    title: str | None = None,
    figure: Figure | None = None,
) -> style.Drawing:
    """Which method is best by each measure, and how sure is that?

    A panel for each measure; in it a dot and an interval for each method, the best on top, controls in grey. A pale
    band is the interval of the best method: dots in it are hard to tell from it.

    Parameters
    ----------
    values : for each measure, for each method the value and the low and the high end of its interval
    better : for each measure `"higher"` or `"lower"`
    controls : the methods drawn in grey, which the others should beat
    columns : int; panels side by side
    title : str or None
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`, `axes` a list with one Axes for each measure

    Raises
    ------
    ValueError
        no value, NaN or infinity, a measure without direction

    Example
    -------
    >>> found = {"Deletion": {"Sobol": (0.12, 0.1, 0.15), "chance": (0.3, 0.25, 0.36)}}
    >>> figure, axes = plot_leaderboard(found, {"Deletion": "lower"}, controls=["chance"])
    >>> [text.get_text() for text in axes[0].get_yticklabels()]
    ['Sobol', 'chance']
    """
    values = {measure: own for measure, own in values.items() if own}
    _check(values, better, columns)
    columns = min(columns, len(values))
    panel_rows = math.ceil(len(values) / columns)
    names = {
        name: style.wrap(name, _LONGEST_NAME, style.SMALL + 0.5, lines=1)[0] for own in values.values() for name in own
    }
    label = max(style.text_width(name, style.SMALL + 0.5) for name in names.values()) + 0.14
    most = max(len(own) for own in values.values())
    head, foot = 0.42, 0.3
    width = 2 * style.MARGIN + columns * (label + _PLOT) + (columns - 1) * _GAP
    heading = style.wrap(title, width - 2 * style.MARGIN, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.06 if heading else 0)
    height = head + _ROW * most + foot
    figure = style.new_figure(width, top + panel_rows * height + style.MARGIN / 2, figure)
    if heading:
        style.write(figure, style.MARGIN, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    drawn = []
    for number, (measure, own) in enumerate(values.items()):
        left = style.MARGIN + (number % columns) * (label + _PLOT + _GAP) + label
        above = top + (number // columns) * height
        # On their baselines, so that titles of a row are level whatever their letters.
        arrow = {"size": style.SMALL, "color": style.FAINT, "vertical": "baseline"}
        style.write(figure, left, above + 0.18, measure, weight="bold", vertical="baseline")
        style.write(figure, left, above + 0.32, _ARROWS[better[measure]], **arrow)
        axes = style.place(figure, left, above + head, _PLOT, _ROW * len(own), f"leaderboard {measure}")
        _draw(axes, own, better[measure], set(controls), names)
        drawn.append(axes)
    return style.Drawing(figure, drawn)


def _draw(
    axes: Any,
    own: Mapping[str, tuple[float, float, float]],
    better: str,
    controls: set[str],
    names: Mapping[str, str],
) -> None:
    sign = -1 if better == "higher" else 1
    order = sorted(own, key=lambda name: sign * own[name][0])
    style.rule(axes, "", "", grid="x")
    best = next((name for name in order if name not in controls), order[0])
    axes.axvspan(own[best][1], own[best][2], color=style.PALETTE[0], alpha=0.1, linewidth=0, zorder=0)
    for row, name in enumerate(order):
        value, low, high = own[name]
        control = name in controls
        color = style.PALETTE[7] if control else style.PALETTE[0]
        axes.hlines(row, low, high, color=color, linewidth=1.6, alpha=0.75)
        axes.plot(value, row, "o", color=color, markersize=4.2, markerfacecolor="white" if control else color)
    axes.set_yticks(range(len(order)), [names[name] for name in order], size=style.SMALL + 0.5, parse_math=False)
    for text, name in zip(axes.get_yticklabels(), order, strict=True):
        text.set(
            color=style.FAINT if name in controls else style.INK,
            style="italic" if name in controls else "normal",
            weight="bold" if name == best else "normal",
        )
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.locator_params(axis="x", nbins=5)


def _check(values: Mapping[str, Mapping[str, Any]], better: Mapping[str, str], columns: int) -> None:
    check_integer(_WHERE, "columns", columns, 1, "Use 3.")
    if not values:
        expected, remedy = "`values` must hold at least one measure with a value", "Give what was measured."
        raise ValueError(wording(_WHERE, expected=expected, received="none", remedy=remedy))
    for measure, own in values.items():
        if measure not in better:
            expected, remedy = f"`better` must hold {measure!r}", "Say which direction of each measure is better."
            raise ValueError(wording(_WHERE, expected=expected, received=f"{sorted(better)}", remedy=remedy))
        check_choice(_WHERE, "better", better[measure], tuple(_ARROWS))
        found = np.asarray(list(own.values()), float)
        if found.shape != (len(own), 3) or not np.isfinite(found).all():
            expected = f"values[{measure!r}] must hold a finite value, low and high of each method"
            received = f"shape {found.shape}" if found.shape != (len(own), 3) else "NaN or infinity"
            remedy = "Leave out what could not be measured, and say so."
            raise ValueError(wording(_WHERE, expected=expected, received=received, remedy=remedy))
