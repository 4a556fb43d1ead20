"""Several concepts over one picture, each in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from . import layers, style
from .images import gray
from .sheet import Sheet

_WHERE = "plot_concepts"
# Black and grey would be lost on a grey picture.
COLORS = style.PALETTE[:6]
_PALE = 0.3
_SWATCH = 0.11
_GAP = 0.22


def plot_concepts(
    maps: Any,
    images: Any = None,
    *,
    concepts: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    floor: float = 0.35,
    scale: str = "shared",
    opacity: float = 0.75,
    columns: int = 4,
    size: float = 2.4,
    background: str = "gray",
    interpolation: str = "bilinear",
    figure: Figure | None = None,
) -> style.Drawing:
    """Where in each picture is which concept?

    Each concept is a colour, the more opaque the more of it there is; where several meet, the one with the largest
    share of its highest value is seen, as mixed colours would be those of no concept. The legend names them.

    Parameters
    ----------
    maps : array `(n, h, w, r)` without negative values, a channel a concept; of any resolution, it covers its picture
    images : what `displayable` takes, n pictures, or None for the maps alone
    concepts : numbers of at most 6 channels, in the order of the legend; None for the first ones
    names : one name for each concept shown; None for "concept 3"
    titles : n strings
    floor : float in [0, 1); what is below this share of the highest value of its concept is not drawn
    scale : "shared" (the highest value of a concept in all pictures: strengths compare between pictures) or "each" (in
        each picture: a concept is drawn even where there is little of it)
    opacity : float in [0, 1]; how much of the picture the highest value covers
    columns : int >= 1; pictures in a row
    size : inches; the longer side of a picture
    background : "gray" or "color"; the picture under the maps
    interpolation : "bilinear" or "nearest"
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(n,)`

    Raises
    ------
    ValueError, TypeError
        maps of another rank, negative values, NaN, concepts that are not there or more than 6, wrong numbers of images,
        names or titles

    Example
    -------
    >>> maps = np.zeros((1, 4, 4, 3))
    >>> maps[0, :2, :, 0] = maps[0, 2:, :, 2] = 1
    >>> figure, axes = plot_concepts(maps, np.zeros((1, 32, 32, 3)), concepts=[0, 2], names=["ears", "snout"])
    >>> [text.get_text() for text in figure.texts if text.get_text()]
    ['ears', 'snout']
    """
    check_number(_WHERE, "floor", floor, 0, 0.99, "Use 0.35.")
    check_number(_WHERE, "opacity", opacity, 0, 1, "0 hides the maps, 1 hides the picture.")
    check_number(_WHERE, "size", size, 0.3, 50, "Sizes are in inches.")
    check_choice(_WHERE, "scale", scale, ("shared", "each"))
    check_choice(_WHERE, "background", background, ("gray", "color"))
    check_choice(_WHERE, "interpolation", interpolation, ("bilinear", "nearest"))
    maps = _checked_maps(maps)
    count = len(maps)
    chosen = _checked_concepts(concepts, maps.shape[-1])
    names = [f"concept {number}" for number in chosen] if names is None else [str(name) for name in names]
    layers.check_count("names", len(names), len(chosen), _WHERE, "concept")
    columns = min(count, check_integer(_WHERE, "columns", columns, 1, "Use 4 for a page."))
    pictures, note = layers.pictures_for(images, count, _WHERE)
    titles = layers.title_list(titles, count, _WHERE, "picture")

    shown = maps[..., chosen]
    highest = shown.max(axis=(0, 1, 2)) if scale == "shared" else shown.max(axis=(1, 2), keepdims=True)
    strengths = shown / np.where(highest > 0, highest, 1)
    strengths = np.clip((strengths - floor) / (1 - floor), 0, 1)
    shapes = [(maps[0] if picture is None else picture).shape[:2] for picture in pictures]
    page = Sheet(shapes, titles, size, columns, 0.0, False)
    legend = _legend_rows(names, page.width - 2 * style.MARGIN)
    notes = style.wrap(note, page.width - 2 * style.MARGIN, style.SMALL) if note else []
    line = style.LINE * style.TITLE * 1.25
    height = page.height + len(legend) * line + len(notes) * style.LINE * style.SMALL + 0.5 * style.MARGIN
    figure = style.new_figure(page.width, height, figure)
    axes = np.empty(count, object)
    for index, picture in enumerate(pictures):
        page.write_title(figure, index)
        axes[index] = page.place(figure, index, f"concepts {index}")
        rows, wide = shapes[index]
        under = np.ones((rows, wide, 3)) if picture is None else picture
        if picture is not None and background == "gray":
            # Paler, so that dark colours show on dark fur.
            under = _PALE + (1 - _PALE) * gray(picture)
        layers.draw_picture(axes[index], _blended(under, strengths[index], opacity, interpolation))
    for row, entries in enumerate(legend):
        for left, number in entries:
            _swatch(figure, left, page.height + row * line, COLORS[number], names[number])
    layers.draw_note(figure, style.MARGIN, page.height + len(legend) * line, notes)
    return style.Drawing(figure, axes)


def plot_concept_crops(
    crops: Sequence[Any],
    *,
    names: Sequence[str] | None = None,
    columns: int = 10,
    size: float = 0.75,
    figure: Figure | None = None,
) -> style.Drawing:
    """What do the crops with most of each concept have in common?

    A row a concept: its name, then its crops, the one with most of it first.

    Parameters
    ----------
    crops : for each concept what `displayable` takes, pictures of any number; a mapping is taken in its order, its keys
        as the names
    names : one name for each concept; None for "concept 0", or the keys
    columns : int >= 1; crops of a concept at most
    size : inches; the side of a crop
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(concepts, columns)`, None where a concept has fewer crops

    Raises
    ------
    ValueError, TypeError
        no concept, no crop of one, names of another number, what `displayable` refuses

    Example
    -------
    >>> figure, axes = plot_concept_crops([np.zeros((3, 8, 8, 3)), np.ones((2, 8, 8, 3))], names=["dark", "light"])
    >>> axes.shape, axes[1, 2] is None
    ((2, 3), True)
    """
    where = "plot_concept_crops"
    columns = check_integer(where, "columns", columns, 1, "Use 10.")
    check_number(where, "size", size, 0.1, 50, "Sizes are in inches.")
    if isinstance(crops, dict):
        names = [f"concept {key}" if isinstance(key, int) else str(key) for key in crops] if names is None else names
        crops = list(crops.values())
    if not len(crops) or not all(len(some) for some in crops):
        remedy = "Leave out concepts that no crop has."
        raise ValueError(
            wording(where, expected="each concept must have a crop at least", received="none", remedy=remedy)
        )
    names = [f"concept {number}" for number in range(len(crops))] if names is None else [str(name) for name in names]
    layers.check_count("names", len(names), len(crops), where, "concept")
    # All of them together, so that one scale of values is found.
    shown = [list(some)[:columns] for some in crops]
    pixels, note = layers.pictures_for([crop for some in shown for crop in some], sum(map(len, shown)), where)
    widest = max(map(len, shown))
    left = style.MARGIN + min(1.8, max(style.text_width(name, style.TITLE) for name in names)) + 0.14
    step, row_step = size + 0.04, size + 0.1
    width = left + widest * step + style.MARGIN
    notes = style.wrap(note, width - 2 * style.MARGIN, style.SMALL) if note else []
    height = 2 * style.MARGIN + len(shown) * row_step + len(notes) * style.LINE * style.SMALL
    figure = style.new_figure(width, height, figure)
    axes, waiting = np.full((len(shown), widest), None, object), iter(pixels)
    for row, some in enumerate(shown):
        top = style.MARGIN + row * row_step
        text = "\n".join(style.wrap(names[row], 1.8))
        style.write(figure, style.MARGIN, top + size / 2, text, vertical="center")
        for column in range(len(some)):
            axes[row, column] = style.place(figure, left + column * step, top, size, size, f"crop {row}.{column}")
            layers.draw_picture(axes[row, column], next(waiting))  # pyright: ignore[reportArgumentType]
    layers.draw_note(figure, style.MARGIN, style.MARGIN + len(shown) * row_step, notes)
    return style.Drawing(figure, axes)


def _checked_maps(maps: Any) -> np.ndarray:
    maps = np.asarray(maps)
    maps = maps[None] if maps.ndim == 3 else maps
    if maps.ndim != 4 or 0 in maps.shape or maps.dtype.kind not in "fiub":
        remedy = "Give one channel for each concept."
        received = f"{maps.dtype} of shape {maps.shape}"
        raise ValueError(
            wording(_WHERE, expected="`maps` must be numbers (n, h, w, r)", received=received, remedy=remedy)
        )
    maps = maps.astype(np.float64)
    if not np.isfinite(maps).all() or maps.min() < 0:
        received = f"values down to {maps.min():.3g}" if np.isfinite(maps).all() else "NaN or infinity"
        remedy = "Of concepts with two ends show one: np.maximum(maps, 0)."
        raise ValueError(
            wording(_WHERE, expected="`maps` must be finite and not negative", received=received, remedy=remedy)
        )
    return maps


def _checked_concepts(concepts: Sequence[int] | None, count: int) -> list[int]:
    chosen = list(range(min(count, len(COLORS)))) if concepts is None else [int(number) for number in concepts]
    if not 1 <= len(chosen) <= len(COLORS):
        remedy = "Show the most important ones, or draw twice."
        expected = f"`concepts` must be 1 to {len(COLORS)}, as more colours cannot be told apart"
        raise ValueError(wording(_WHERE, expected=expected, received=len(chosen), remedy=remedy))
    for number in chosen:
        check_integer(_WHERE, "concepts", number, 0, "Concepts count from 0.", count - 1)
    return chosen


def _blended(under: np.ndarray, strengths: np.ndarray, opacity: float, interpolation: str) -> np.ndarray:
    """The picture with the strongest concept of each place over it."""
    height, width = under.shape[:2]
    layered = np.stack(
        [layers.enlarged(plane, height, width, interpolation) for plane in np.moveaxis(strengths, -1, 0)], axis=-1
    )
    colours = np.array([to_rgb(color) for color in COLORS[: layered.shape[-1]]])[layered.argmax(axis=-1)]
    cover = opacity * np.clip(layered.max(axis=-1, keepdims=True), 0, 1)
    return np.clip((1 - cover) * under + cover * colours, 0, 1)


def _legend_rows(names: Sequence[str], width: float) -> list[list[tuple[float, int]]]:
    """Which name stands where: rows of (distance from the left, number)."""
    rows: list[list[tuple[float, int]]] = [[]]
    left = style.MARGIN
    for number, name in enumerate(names):
        room = _SWATCH + 0.06 + style.text_width(name, style.TITLE) + _GAP
        if rows[-1] and left + room - _GAP > style.MARGIN + width:
            rows.append([])
            left = style.MARGIN
        rows[-1].append((left, number))
        left += room
    return rows


def _swatch(figure: Figure, left: float, top: float, color: str, name: str) -> None:
    width, height = figure.get_size_inches()
    corner = (left / width, 1 - (top + _SWATCH + 0.02) / height)
    figure.add_artist(
        Rectangle(corner, _SWATCH / width, _SWATCH / height, transform=figure.transFigure, color=color, linewidth=0)
    )
    style.write(figure, left + _SWATCH + 0.06, top, name)
