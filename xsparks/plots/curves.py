"""Curves with their intervals: how a score falls while pixels are taken away, or rises while they come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..core.checks import check_choice, check_number
from ..core.errors import wording
from . import style

_WHERE = "plot_curves"
_NORMAL_95 = 1.959964  # the 97.5 % point of the standard normal distribution
_BODY = (4.0, 2.8)
_LEFT, _BOTTOM = 0.62, 0.52
_LABEL = style.SMALL + 0.5
_LONGEST_NAME = 2.0


class _Curve(NamedTuple):
    name: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    area: float


def plot_curves(
    curves: Mapping[str, Sequence[Any]],
    *,
    xlabel: str = "fraction of the picture removed",
    ylabel: str = "score",
    title: str | None = None,
    area: bool = True,
    labels: str = "direct",
    limits: tuple[float, float] | None = None,
    size: float = 1.0,
    figure: Figure | None = None,
) -> style.Drawing:
    """How does the score change along the way, and how sure is it?

    A line for each method, the mean over the samples; a band, its 95 % interval. Each line is named at its end, so
    that nobody has to match colours, with the area under it (the mean height of the curve, by trapezoids).

    Parameters
    ----------
    curves : mapping from a name to `(x, y)` or `(x, y, interval)`: x `(k,)` increasing; y the mean `(k,)` or a row for
        each sample `(n, k)`; interval `(low, high)`, each `(k,)`, or None. For rows without interval the band is
        mean ± 1.96 standard errors
    xlabel, ylabel : str
    title : str or None
    area : bool; the area under each mean in its label
    labels : "direct" (at the ends of the lines) or "legend"; more than eight curves get a legend in any case
    limits : (low, high) or None; of the vertical axis
    size : float; 1 makes axes of 4 x 2.8 inches
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`, one Axes

    Raises
    ------
    ValueError, TypeError
        no curve, NaN or infinity, x not increasing, lengths that differ

    Example
    -------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 11)
    >>> figure, axes = plot_curves({"Sobol": (x, np.exp(-5 * x)), "random": (x, 1 - x)}, ylabel="probability")
    >>> axes.get_ylabel()
    'probability'
    """
    check_choice(_WHERE, "labels", labels, ("direct", "legend"))
    check_number(_WHERE, "size", size, 0.2, 20, "1 makes axes of 4 x 2.8 inches.")
    if not curves:
        remedy = "Give a name and (x, y) for each."
        raise ValueError(
            wording(_WHERE, expected="`curves` must hold at least one curve", received="none", remedy=remedy)
        )
    lines = [_curve(str(name), value) for name, value in curves.items()]
    names = [style.wrap(line.name, _LONGEST_NAME, _LABEL, lines=1)[0] for line in lines]
    names = [f"{name}  {line.area:.3f}" if area else name for name, line in zip(names, lines, strict=True)]
    direct = labels == "direct" and len(lines) <= len(style.PALETTE)

    width, height = _BODY[0] * size, _BODY[1] * size
    room = max(style.text_width(name, _LABEL) for name in names) + (0.1 if direct else 0.4) + 0.045 * width
    heading = style.wrap(title, width + room, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.08 if heading else 0)
    figure = style.new_figure(_LEFT + width + room + style.MARGIN, top + height + _BOTTOM, figure)
    axes = style.place(figure, _LEFT, top, width, height, "curves")
    style.write(figure, _LEFT, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    style.rule(axes, xlabel, ylabel)
    handles = []
    for index, (line, name) in enumerate(zip(lines, names, strict=True)):
        color = style.PALETTE[index % len(style.PALETTE)]
        dash = style.DASHES[index // len(style.PALETTE) % len(style.DASHES)]
        handles += axes.plot(line.x, line.mean, color=color, linestyle=dash, linewidth=1.6, label=name, zorder=3)
        if line.low is not None and line.high is not None:
            axes.fill_between(line.x, line.low, line.high, color=color, alpha=0.16, linewidth=0, zorder=2)
    axes.set_xlim(min(line.x[0] for line in lines), max(line.x[-1] for line in lines))
    if limits is not None:
        axes.set_ylim(*limits)
    if direct:
        _name_ends(axes, lines, names, height)
    else:
        style.legend(axes, handles, _LABEL)
    return style.Drawing(figure, axes)


def spread(wanted: np.ndarray, distance: float, low: float, high: float) -> np.ndarray:
    """Positions nearest to the wanted ones, in their order, at least `distance` apart and within [low, high].

    Example
    -------
    >>> spread(np.array([0.5, 0.5, 0.9]), 0.1, 0.0, 1.0)
    array([0.45, 0.55, 0.9 ])
    """
    order = np.argsort(wanted, kind="stable")
    # Less index x distance, "at least that far apart" becomes "not decreasing": the pool-adjacent-violators algorithm.
    pools: list[list[float]] = []
    for index, position in enumerate(wanted[order]):
        pools.append([float(position) - index * distance, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, weight = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * weight) / (pools[-1][1] + weight), pools[-1][1] + weight]
    level = np.concatenate([np.full(int(weight), mean) for mean, weight in pools])
    level = np.clip(level, low, max(low, high - (len(wanted) - 1) * distance))
    positions = np.empty(len(wanted))
    positions[order] = level + np.arange(len(wanted)) * distance
    return positions


def _curve(name: str, value: Any) -> _Curve:
    where = f"{_WHERE}(curves={{{name!r}: ...}})"
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        expected, remedy = "each curve must be a tuple (x, y) or (x, y, interval)", "Put x and y in one tuple."
        raise TypeError(wording(where, expected=expected, received=type(value).__name__, remedy=remedy))
    x, y = np.asarray(value[0], float), np.asarray(value[1], float)
    if x.ndim != 1 or y.ndim not in (1, 2) or y.shape[-1:] != x.shape or 0 in y.shape or len(x) < 2:
        expected = "x must be (k,) and y (k,) or (n, k), with k of at least 2"
        received, remedy = f"x {x.shape} and y {y.shape}", "Give a height for each x; samples are rows."
        raise ValueError(wording(where, expected=expected, received=received, remedy=remedy))
    low = high = None
    interval = value[2] if len(value) == 3 else None
    if interval is not None:
        band = np.asarray(interval, float)
        if band.shape != (2, len(x)):
            received, remedy = (
                f"shape {band.shape} for x {x.shape}",
                "An interval of the area alone belongs into the name.",
            )
            expected = "interval must be (low, high), each (k,)"
            raise ValueError(wording(where, expected=expected, received=received, remedy=remedy))
        low, high = band
    elif y.ndim == 2 and len(y) > 1:
        spread_of_mean = _NORMAL_95 * y.std(axis=0, ddof=1) / np.sqrt(len(y))
        low, high = y.mean(axis=0) - spread_of_mean, y.mean(axis=0) + spread_of_mean
    mean = y.mean(axis=0) if y.ndim == 2 else y
    finite = all(np.isfinite(part).all() for part in (x, mean, low, high) if part is not None)
    if not finite or not (np.diff(x) > 0).all():
        expected = "values must be finite and x increasing"
        received = "x that does not increase" if finite else "NaN or infinity"
        raise ValueError(
            wording(where, expected=expected, received=received, remedy="np.isfinite finds them; sort by x.")
        )
    under = np.trapezoid(mean, x) / (x[-1] - x[0])
    return _Curve(name, x, mean, low, high, float(under))


def _name_ends(axes: Axes, lines: list[_Curve], labels: list[str], height: float) -> None:
    """Each line's label at its right end, pushed apart where ends meet, with a thin leader to its line."""
    bottom, top = axes.get_ylim()
    left, right = axes.get_xlim()
    ends = np.array([(line.mean[-1] - bottom) / (top - bottom) for line in lines])
    positions = spread(ends, 1.4 * style.LINE * _LABEL / height, 0.02, 0.98)
    for line, label, end, position, color in zip(lines, labels, ends, positions, style.PALETTE, strict=False):
        start = (line.x[-1] - left) / (right - left)
        leader = [start, 1.035], [end, position]
        axes.plot(
            *leader, color=color, linewidth=0.6, transform=axes.transAxes, clip_on=False, scalex=False, scaley=False
        )
        style.write_in(axes, 1.045, position, label, size=_LABEL, color=color)
