"""Two aims against each other: every compromise, those that nothing beats, and the knee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_number
from . import layers, style

_WHERE = "plot_trade_off"


def plot_trade_off(
    points: Any,
    names: Sequence[str],
    *,
    front: Any = None,
    knee: int | None = None,
    repeats: Any = None,
    xlabel: str = "accuracy",
    ylabel: str = "alignment",
    title: str | None = None,
    size: float = 3.6,
    figure: Figure | None = None,
) -> style.Drawing:
    """What does one aim cost in the other?

    A dot a compromise, with its name. Those of the front are filled and joined, the knee has a ring.

    Parameters
    ----------
    points : `(k, 2)`, the horizontal and the vertical aim
    names : one for each point
    front : `(k,)` bool, those that no other beats, or None
    knee : the position of the knee, or None
    repeats : `(k, r, 2)`, single runs of which a point is the mean, drawn small, or None
    xlabel, ylabel : the names of the aims
    title : str or None
    size : inches; the side of the plane
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`, one Axes

    Raises
    ------
    ValueError
        points of another shape or not finite; names, marks or runs of another number

    Example
    -------
    >>> figure, axes = plot_trade_off([[0.9, 0.1], [0.8, 0.6]], ["0", "1"], front=[True, True], knee=1)
    >>> [text.get_text() for text in axes.texts]
    ['knee', '0', '1']
    """
    check_number(_WHERE, "size", size, 1, 50, "Sizes are in inches.")
    points = layers.plane_points(points, _WHERE, "Leave out what was not measured.")
    layers.check_count("names", len(names), len(points), _WHERE, "point")
    front = np.zeros(len(points), bool) if front is None else np.asarray(front, bool)
    layers.check_count("front", len(front), len(points), _WHERE, "point")
    above = 0.3 if title else 0.12
    figure = style.new_figure(size + 0.75, size + above + 0.6, figure)
    axes = style.place(figure, 0.6, above, size, size, "trade-off")
    color = style.PALETTE[0]
    if repeats is not None:
        layers.check_count("repeats", len(repeats), len(points), _WHERE, "point")
        runs = np.asarray(repeats, float).reshape(-1, 2)
        axes.scatter(runs[:, 0], runs[:, 1], s=7, color=style.PALETTE[5], linewidths=0, zorder=1)
    along = points[front][np.argsort(points[front][:, 0], kind="stable")]
    axes.plot(along[:, 0], along[:, 1], color=color, linewidth=1, zorder=2)
    for chosen, face in ((front, color), (~front, "white")):
        axes.scatter(points[chosen, 0], points[chosen, 1], s=34, color=face, edgecolors=color, linewidths=1, zorder=3)
    if knee is not None:
        ring, (across, up) = style.PALETTE[1], points[knee]
        axes.scatter(across, up, s=130, facecolors="none", edgecolors=ring, linewidths=1.4, zorder=4)
        # Names stand to the upper right of their points: below there is room.
        words = {"fontsize": style.SMALL, "color": ring, "ha": "center"}
        axes.annotate("knee", (across, up), (0, -19), textcoords="offset points", **words)
    for point, name in zip(points, names, strict=True):
        axes.annotate(
            str(name), tuple(point), (6, 4), textcoords="offset points", fontsize=style.SMALL, color=style.INK
        )
    axes.set_xlabel(xlabel, fontsize=style.SMALL, color=style.INK)
    axes.set_ylabel(ylabel, fontsize=style.SMALL, color=style.INK)
    axes.tick_params(labelsize=style.SMALL, colors=style.FAINT)
    axes.margins(0.14)
    if title:
        axes.set_title(title, fontsize=style.TITLE, color=style.INK)
    return style.Drawing(figure, axes)
