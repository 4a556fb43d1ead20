"""What explanations are worth to people: Utility-K of each condition against the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..core.checks import check_integer
from ..core.errors import wording
from . import style

_WHERE = "plot_utility"
_NARROW, _WIDE, _HEIGHT = 1.35, 2.0, 1.3  # one or two panels are wide, for what stands around them
_GAP = 0.26
_HEADING = 0.52  # inches above each panel: its name, its number
_LEFT, _BOTTOM = 0.62, 0.5
_ABOVE, _BELOW, _UNSURE = style.PALETTE[0], style.PALETTE[1], "#57606a"


class _Curve(NamedTuple):
    name: str
    x: np.ndarray
    ratio: np.ndarray
    interval: np.ndarray | None
    total: float | None
    ends: tuple[float, float] | None

    @property
    def color(self) -> str:
        """Blue where the interval lies above 1, orange where it lies below, grey where it holds 1 or is unknown."""
        if self.ends is None or self.ends[0] <= 1 <= self.ends[1]:
            return _UNSURE
        return _ABOVE if self.ends[0] > 1 else _BELOW


def plot_utility(
    curves: Mapping[str, Sequence[Any]],
    totals: Mapping[str, Sequence[Any]] | None = None,
    *,
    columns: int = 4,
    title: str | None = None,
    note: str | None = None,
    xlabel: str = "training examples seen (K)",
    ylabel: str = "Utility-K",
    figure: Figure | None = None,
) -> style.Drawing:
    """Which explanations help people to predict the model, after how many examples, and how sure is that?

    A panel for each condition, all on one scale, the best first: Utility-K over the sessions with its intervals; the
    baseline, people without explanations, is the dashed line at 1, the other conditions are the pale lines. Above it
    its Utility. Blue: the interval of the Utility lies above 1; orange: below; grey: it holds 1, or is not known.

    Parameters
    ----------
    curves : mapping from a condition to `(x, utility_k)` or `(x, utility_k, interval)`: x `(k,)` increasing; interval
        `(low, high)`, each `(k,)`, or None
    totals : mapping from a condition to `(utility, (low, high))`, or None in the place of the pair; or None
    columns : int; panels side by side
    title : str or None
    note : str or None; a line below the panels, such as who took part
    xlabel, ylabel : str
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`, a list of Axes, one a condition, in the order drawn

    Raises
    ------
    ValueError, TypeError
        no curve, NaN or infinity, x not increasing, lengths that differ, totals of other conditions

    Example
    -------
    >>> figure, axes = plot_utility({"GradCAM": ([5, 10, 15], [1.39, 1.29, 1.34])}, {"GradCAM": (1.34, (1.2, 1.5))})
    >>> axes[0].get_xlabel()
    'training examples seen (K)'
    """
    columns = check_integer(_WHERE, "columns", columns, 1, "Use 4.")
    if not curves:
        expected, remedy = "`curves` must hold at least one condition", "Give a name and (x, utility_k) for each."
        raise ValueError(wording(_WHERE, expected=expected, received="none", remedy=remedy))
    unknown = set(totals or {}) ^ set(curves) if totals is not None else set()
    if unknown:
        expected, remedy = "`totals` must have the conditions of `curves`", "Give both for each condition."
        raise ValueError(wording(_WHERE, expected=expected, received=", ".join(sorted(unknown)), remedy=remedy))
    drawn = [_curve(str(name), value, (totals or {}).get(name)) for name, value in curves.items()]
    drawn.sort(key=lambda curve: -(curve.total if curve.total is not None else float(curve.ratio.mean())))

    columns = min(columns, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    across = _NARROW if columns > 2 else _WIDE
    width = _LEFT + columns * across + (columns - 1) * _GAP + 2 * style.MARGIN
    heading = style.wrap(title, width - 2 * style.MARGIN, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.1 if heading else 0)
    ending = style.wrap(note, 0.97 * (width - 2 * style.MARGIN), style.SMALL) if note else []
    below = _BOTTOM + (len(ending) * style.LINE * style.SMALL + 0.06 if ending else 0)
    step = _HEADING + _HEIGHT + _GAP
    height = top + rows * step - _GAP + below
    figure = style.new_figure(width, height, figure)
    style.write(figure, style.MARGIN, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    low, high = _limits(drawn)
    axes = []
    for index, curve in enumerate(drawn):
        row, column = divmod(index, columns)
        left = style.MARGIN + _LEFT + column * (across + _GAP)
        above = top + row * step
        _name(figure, left, above, across, curve)
        panel = style.place(figure, left, above + _HEADING, across, _HEIGHT, f"utility {index}")
        lowest = index + columns >= len(drawn)
        style.rule(panel, xlabel if lowest and column == 0 else "", ylabel if column == 0 else "")
        panel.xaxis.set_label_coords(0, -0.42 / _HEIGHT + 0.1)
        panel.xaxis.label.set_horizontalalignment("left")
        _draw(panel, curve, drawn)
        panel.set_ylim(low, high)
        panel.tick_params(labelleft=column == 0, labelbottom=lowest)
        axes.append(panel)
    last = height - style.MARGIN / 2 - len(ending) * style.LINE * style.SMALL
    style.write(figure, style.MARGIN, last, "\n".join(ending), size=style.SMALL, color=style.FAINT)
    return style.Drawing(figure, axes)


def _name(figure: Figure, left: float, top: float, width: float, curve: _Curve) -> None:
    """The condition's name, its Utility, and the interval."""
    name = style.wrap(curve.name, width + 0.1, style.TITLE - 0.5, lines=1)[0]
    style.write(figure, left, top + 0.13, name, size=style.TITLE - 0.5, vertical="baseline")
    if curve.total is None:
        return
    number = f"{curve.total:.2f}"
    size = style.TITLE + 4
    line = top + 0.36
    write = {"vertical": "baseline", "color": curve.color}
    style.write(figure, left, line, number, size=size, weight="bold", **write)
    if curve.ends is not None:
        shift = left + style.text_width(number, size, "bold") + 0.09
        text = f"{curve.ends[0]:.2f} to {curve.ends[1]:.2f}"
        style.write(figure, shift, line, text, size=style.SMALL, vertical="baseline", color=style.FAINT)


def _draw(panel: Axes, curve: _Curve, others: list[_Curve]) -> None:
    for other in others:
        if other is not curve:
            panel.plot(other.x, other.ratio, color=style.RULE, linewidth=0.8, zorder=1.5)
    panel.axhline(1, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=2)
    if curve.interval is not None:
        panel.vlines(curve.x, *curve.interval, color=curve.color, linewidth=1.4, alpha=0.55, zorder=3)
    panel.plot(curve.x, curve.ratio, "-o", color=curve.color, linewidth=1.6, markersize=4, zorder=4)
    every = np.unique(np.concatenate([each.x for each in others]))
    panel.set_xticks(every, [f"{tick:g}" for tick in every])
    margin = 0.12 * (np.ptp(every) or 1)
    panel.set_xlim(every[0] - margin, every[-1] + margin)


def _limits(curves: list[_Curve]) -> tuple[float, float]:
    values = np.concatenate([np.ravel(each.ratio if each.interval is None else each.interval) for each in curves])
    values = np.append(values, 1.0)
    margin = 0.06 * (np.ptp(values) or 1)
    return float(values.min() - margin), float(values.max() + margin)


def _curve(name: str, value: Any, total: Any) -> _Curve:
    where = f"{_WHERE}(curves={{{name!r}: ...}})"
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        expected, remedy = "each condition must have (x, utility_k) or (x, utility_k, interval)", "Use one tuple."
        raise TypeError(wording(where, expected=expected, received=type(value).__name__, remedy=remedy))
    x, ratio = np.asarray(value[0], float), np.asarray(value[1], float)
    interval = np.asarray(value[2], float) if len(value) == 3 and value[2] is not None else None
    if x.ndim != 1 or not len(x) or ratio.shape != x.shape or (interval is not None and interval.shape != (2, len(x))):
        shapes = f"x {x.shape}, utility_k {ratio.shape}" + ("" if interval is None else f", interval {interval.shape}")
        expected, remedy = "x and utility_k must be (k,), and interval (2, k)", "Give one number for each session."
        raise ValueError(wording(where, expected=expected, received=shapes, remedy=remedy))
    number, ends = (None, None) if total is None else (float(total[0]), total[1])
    known = [x, ratio, *([] if interval is None else [interval]), *([] if number is None else [np.array([number])])]
    if not all(np.isfinite(part).all() for part in known) or not (np.diff(x) > 0).all():
        expected, remedy = "values must be finite and x increasing", "Leave out sessions that were not measured."
        raise ValueError(wording(where, expected=expected, received="others", remedy=remedy))
    return _Curve(name, x, ratio, interval, number, None if ends is None else (float(ends[0]), float(ends[1])))
