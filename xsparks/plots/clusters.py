"""Points in the plane by group: the strategic cluster graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from . import layers, style

_WHERE = "plot_clusters"
# Grey is for the groups that have no colour of their own.
COLORS, REST = style.PALETTE[:7], style.PALETTE[7]
_THUMBNAIL = 0.42


def plot_clusters(
    points: Any,
    groups: Any,
    *,
    names: Sequence[str] | None = None,
    crossed: Any = None,
    images: Any = None,
    thumbnails: int = 24,
    title: str | None = None,
    size: float = 4.2,
    figure: Figure | None = None,
) -> style.Drawing:
    """Which samples lie together, and in which group is each?

    A dot a sample, a colour a group, the largest groups first; what is crossed is drawn as a cross. Pictures stand at
    some of the points, chosen so that they lie far apart.

    Parameters
    ----------
    points : `(n, 2)`, whose unit means nothing
    groups : `(n,)` integers from 0
    names : one for each group, by its number; None for "concept 3"
    crossed : `(n,)` bool, such as which samples are predicted wrongly, or None
    images : what `displayable` takes, n pictures, or None for dots alone
    thumbnails : int >= 0; pictures at most
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
        points of another shape or not finite, groups, crosses or pictures of another number, a group without a name

    Example
    -------
    >>> figure, axes = plot_clusters(np.eye(3, 2), [1, 0, 1], names=["stripes", "ears"])
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['ears', 'stripes']
    """
    check_integer(_WHERE, "thumbnails", thumbnails, 0, "Use 24.")
    check_number(_WHERE, "size", size, 1, 50, "Sizes are in inches.")
    points = layers.plane_points(points, _WHERE, "Lay the samples out in the plane first.")
    groups = np.asarray(groups)
    layers.check_count("groups", len(groups), len(points), _WHERE, "point")
    if groups.dtype.kind not in "iu" or groups.min() < 0:
        remedy = "Count groups from 0."
        raise ValueError(wording(_WHERE, expected="`groups` must be integers from 0", received=groups, remedy=remedy))
    crossed = np.zeros(len(points), bool) if crossed is None else np.asarray(crossed, bool)
    layers.check_count("crossed", len(crossed), len(points), _WHERE, "point")
    known = int(groups.max()) + 1
    names = [f"concept {number}" for number in range(known)] if names is None else [str(name) for name in names]
    if len(names) < known:
        remedy = "Name every group, or pass None."
        raise ValueError(wording(_WHERE, expected=f"`names` must hold {known}", received=len(names), remedy=remedy))
    pictures, _ = layers.pictures_for(images, len(points), _WHERE)

    counts = np.bincount(groups, minlength=known)
    order = [int(group) for group in np.argsort(-counts, kind="stable") if counts[group]]
    colors = {group: COLORS[rank] if rank < len(COLORS) else REST for rank, group in enumerate(order)}
    width = 0.4 + max(style.text_width(names[group], style.SMALL + 1) for group in order)
    heading = style.wrap(title, size, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.08 if heading else 0)
    figure = style.new_figure(2 * style.MARGIN + size + width, top + size + style.MARGIN, figure)
    style.write(figure, style.MARGIN, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    axes = style.place(figure, style.MARGIN, top, size, size, "clusters")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(color=style.RULE, linewidth=0.6)
    for group in order:
        for marks, marker in ((~crossed, "o"), (crossed, "x")):
            own = points[(groups == group) & marks]
            axes.plot(*own.T, marker, color=colors[group], markersize=5, alpha=0.8, markeredgewidth=1.3, linewidth=0)
    axes.margins(0.09)
    chosen = _far_apart(points, min(thumbnails, len(points)), 1.25 * _THUMBNAIL / size) if images is not None else []
    for number in chosen:
        _draw_thumbnail(axes, points[number], pictures[number], colors[int(groups[number])])
    handles = [_dot(colors[group], "o", names[group]) for group in order]
    if crossed.any():
        handles.append(_dot(style.INK, "x", "predicted wrongly"))
    style.legend(axes, handles, style.SMALL + 1)
    return style.Drawing(figure, axes)


def _dot(color: str, marker: str, label: str) -> Line2D:
    return Line2D([], [], color=color, marker=marker, linewidth=0, markersize=5, label=label.replace("$", r"\$"))


def _draw_thumbnail(axes: Any, point: np.ndarray, picture: Any, color: str) -> None:
    longest = max(picture.shape[:2])
    image = OffsetImage(picture, zoom=_THUMBNAIL * 72 / longest, interpolation="antialiased")
    frame = {"edgecolor": color, "linewidth": 1.4, "boxstyle": "square,pad=0"}
    axes.add_artist(AnnotationBbox(image, tuple(point), pad=0, bboxprops=frame, zorder=3))


def _far_apart(points: np.ndarray, count: int, room: float) -> list[int]:
    """Points each of which is the farthest from those before, the first one nearest to the middle.

    Parameters
    ----------
    room : of a picture, as a share of the side of the plane; where two would cover each other, the later is left out.
    """
    if not count:
        return []
    spread = np.ptp(points, axis=0)
    points = points / np.where(spread > 0, spread, 1)
    chosen = [int(np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    kept: list[int] = []
    for number in chosen:
        if all(np.abs(points[number] - points[other]).max() >= room for other in kept):
            kept.append(number)
    return kept
