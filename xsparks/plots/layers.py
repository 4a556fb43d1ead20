"""The layers of one cell of a figure: the picture, the map over it, outlines, and the colour bar beneath."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from ..core.errors import wording
from .images import displayable, picture_list
from .shading import Range, bar_ticks
from .style import FAINT, LINE, RULE, SMALL, place, write

_OUTLINE = "#39ff14"
BAR_GAP = 0.06
BAR_HEIGHT = 0.07
_BAR_ROOM = 0.28  # a bar with its numbers in one line
_LEVELS_OF_CONTOUR = (0.5, 0.8)  # of the range from the lowest to the highest value shown


def map_list(maps: Any, where: str) -> list[np.ndarray]:
    """The maps as a list of float arrays `(h, w)`; one map becomes a list of one."""
    maps = maps if isinstance(maps, (list, tuple)) else np.asarray(maps)
    if isinstance(maps, np.ndarray):
        # A map one pixel wide is nobody's; a single map with its channel axis is common.
        single = maps.ndim == 2 or (maps.ndim == 3 and maps.shape[-1] == 1 and maps.shape[1] > 1)
        maps = [maps] if single or maps.ndim == 0 else list(maps)
    if not maps:
        raise ValueError(
            wording(where, expected="`maps` must hold at least one map", received="none", remedy="Check the source.")
        )
    return [_plane(np.asarray(values), where) for values in maps]


def _plane(values: np.ndarray, where: str) -> np.ndarray:
    shape = values.shape
    if values.ndim == 3 and shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2 or values.size == 0:
        expected = "`maps` must be (n, h, w) or (n, h, w, 1)"
        remedy = "Choose one channel, as in maps[..., 0], or add them up: maps.sum(-1)."
        raise ValueError(wording(where, expected=expected, received=f"one map of shape {shape}", remedy=remedy))
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        received = f"dtype {values.dtype}"
        raise TypeError(
            wording(where, expected="`maps` must hold numbers", received=received, remedy="Convert them to float32.")
        ) from error
    if not np.isfinite(values).all():
        remedy = "np.isfinite(maps) finds where; a division by zero in the map's own scaling is the usual cause."
        raise ValueError(wording(where, expected="`maps` must be finite", received="NaN or infinity", remedy=remedy))
    return values


def pictures_for(images: Any, count: int, where: str) -> tuple[Sequence[np.ndarray | None], str]:
    """The picture under each map (None without pictures), and the note on how the pictures are shown."""
    if images is None:
        return [None] * count, ""
    pixels, note = displayable(images, where=where)
    check_count("images", len(pixels), count, where)
    return pixels, note


def title_list(titles: Sequence[str] | None, count: int, where: str, noun: str) -> list[str] | None:
    """The titles as a list of their own; one string becomes a list of one."""
    if titles is None:
        return None
    titles = [titles] if isinstance(titles, str) else [str(title) for title in titles]
    check_count("titles", len(titles), count, where, noun)
    return titles


def mask_list(masks: Any, count: int, where: str) -> list[np.ndarray | None]:
    """The true regions as a list of boolean arrays `(h, w)`, or of None."""
    if masks is None:
        return [None] * count
    regions = [np.squeeze(np.asarray(mask)) for mask in picture_list(masks)]
    check_count("masks", len(regions), count, where)
    for region in regions:
        if region.ndim != 2:
            remedy = "Give True (or 1) inside the object and False (or 0) outside."
            received = f"one mask of shape {region.shape}"
            raise ValueError(wording(where, expected="`masks` must be (n, h, w)", received=received, remedy=remedy))
    return [region > 0.5 for region in regions]


def check_count(name: str, received: int, expected: int, where: str, noun: str = "map") -> None:
    """As many pictures, titles or masks as maps."""
    if received != expected:
        remedy = f"Give one for each {noun}, in the same order."
        sentence = f"`{name}` must have as many entries as there are {noun}s, {expected}"
        raise ValueError(wording(where, expected=sentence, received=received, remedy=remedy))


def plane_points(points: Any, where: str, remedy: str) -> np.ndarray:
    """Points of a plane as an array `(n, 2)`."""
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        received = f"shape {points.shape}" if points.ndim != 2 or points.shape[1] != 2 else "NaN or no point"
        raise ValueError(
            wording(where, expected="`points` must be finite numbers (n, 2)", received=received, remedy=remedy)
        )
    return points


def frame(axes: Axes, height: int, width: int) -> None:
    """Axes in the picture's pixels, without numbers."""
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(color=RULE, linewidth=0.6)


def _extent(axes: Axes) -> tuple[float, float, float, float]:
    return (*axes.get_xlim(), *axes.get_ylim())


def draw_picture(axes: Axes, pixels: np.ndarray) -> None:
    """The picture, filling axes in its own pixels."""
    frame(axes, pixels.shape[0], pixels.shape[1])
    axes.imshow(pixels, extent=_extent(axes), interpolation="antialiased", aspect="equal", origin="upper")


def draw_map(axes: Axes, values: np.ndarray, colormap: Colormap, limits: Range, interpolation: str) -> None:
    """The map over the whole of the axes, whatever its own resolution: its cells divide the picture evenly.

    A map finer than the dots of the page shows the strongest of the values that share a dot: their mean would let the
    signs of a map of gradients cancel.
    """
    dots = axes.bbox.height, axes.bbox.width
    axes.imshow(
        strongest(values, *(max(1, math.ceil(size / dot)) for size, dot in zip(values.shape, dots, strict=True))),
        cmap=colormap,
        norm=limits.norm,
        extent=_extent(axes),
        interpolation=interpolation,
        interpolation_stage="data",
        aspect="equal",
        origin="upper",
    )


def strongest(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Of each block of so many rows and columns the value furthest from 0, `(ceil(h / rows), ceil(w / columns))`.

    Example
    -------
    >>> strongest(np.array([[1.0, -3.0, 2.0], [0.0, 1.0, 0.5]]), 2, 2).tolist()
    [[-3.0, 2.0]]
    """
    if rows == columns == 1:
        return values
    height, width = values.shape
    # Blocks at the border are filled up with what they have.
    padded = np.pad(values, ((0, -height % rows), (0, -width % columns)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // rows, rows, padded.shape[1] // columns, columns)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(blocks.shape[0], blocks.shape[2], rows * columns)
    return np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]


def enlarged(values: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """The map at the picture's resolution; its cells divide the picture evenly."""
    rows, columns = values.shape
    if (rows, columns) == (height, width):
        return values
    if interpolation == "nearest":
        row = ((np.arange(height) + 0.5) * rows / height).astype(int)
        column = ((np.arange(width) + 0.5) * columns / width).astype(int)
        return values[row][:, column]
    shrinks = rows > height or columns > width
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def draw_contour(axes: Axes, values: np.ndarray, limits: Range, interpolation: str) -> None:
    """Lines around the values above one half and above four fifths of the range."""
    if limits.constant:
        return
    start = 0.0 if limits.signed else limits.low
    strengths = np.abs(values) if limits.signed else values
    levels = [start + share * (limits.high - start) for share in _LEVELS_OF_CONTOUR]
    # At the picture's resolution, the lines follow what is seen: curves of an interpolated map, borders of cells.
    height, width = round(abs(np.diff(axes.get_ylim())[0])), round(np.diff(axes.get_xlim())[0])
    _lines(axes, enlarged(strengths, height, width, interpolation), levels, "#ffffff", "edge")


def draw_outline(axes: Axes, mask: np.ndarray) -> None:
    """The border of a true region, closed where it meets the border of the picture."""
    _lines(axes, mask.astype(np.float64), [0.5], _OUTLINE, "constant")


def _lines(
    axes: Axes, values: np.ndarray, levels: list[float], color: str, padding: Literal["edge", "constant"]
) -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    height, width = values.shape
    # Centres of the cells, and one more on each side, lying on the picture's border.
    x = np.concatenate([[left], left + (np.arange(width) + 0.5) * (right - left) / width, [right]])
    y = np.concatenate([[top], top + (np.arange(height) + 0.5) * (bottom - top) / height, [bottom]])
    padded = np.pad(values, 1, mode=padding)
    inside = [level for level in levels if padded.min() < level < padded.max()]
    if inside:
        lines = axes.contour(x, y, padded, levels=inside, colors=color, linewidths=1.1)
        lines.set_path_effects([Stroke(linewidth=2.4, foreground="#000000", alpha=0.65), Normal()])
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def bar_room(limits: Iterable[Range]) -> float:
    """The height of a colour bar with its numbers, which take two lines where values are cut."""
    return BAR_GAP + _BAR_ROOM + (LINE * SMALL if any(one.cut for one in limits) else 0)


def draw_bar(
    figure: Figure,
    left: float,
    top: float,
    width: float,
    colormap: Colormap,
    limits: Range,
    label: str,
    ticks: tuple[Sequence[float], Sequence[str]] | None = None,
) -> Axes:
    """A horizontal colour bar with the values that its colours stand for; inches from the top left corner."""
    axes = place(figure, left, top, width, BAR_HEIGHT, label)
    positions, labels = ticks or bar_ticks(limits, width)
    if not limits.constant:
        ramp = np.linspace(limits.low, limits.high, 256)[None]
        axes.set_facecolor("#d9d9d9")
        extent = (limits.low, limits.high, 0, 1)
        axes.imshow(ramp, cmap=colormap, norm=limits.norm, extent=extent, aspect="auto", interpolation="nearest")
    axes.set_yticks([])
    axes.set_xticks(positions, labels)
    axes.tick_params(axis="x", labelsize=SMALL, labelcolor=FAINT, color=FAINT, length=2, width=0.5, pad=1.5)
    if len(positions) > 1:
        # The two ends are written inwards, so that nothing reaches into the neighbour.
        texts = axes.get_xticklabels()
        texts[0].set_horizontalalignment("left")
        texts[-1].set_horizontalalignment("right")
    for side in axes.spines.values():
        side.set(color=RULE, linewidth=0.5)
    return axes


def draw_note(figure: Figure, left: float, top: float, lines: list[str]) -> None:
    """Small print beneath a figure."""
    write(figure, left, top, "\n".join(lines), size=SMALL, color=FAINT)
