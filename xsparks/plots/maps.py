"""Maps over the pictures that they explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from ..core.checks import check_choice, check_integer, check_number
from . import layers, shading, style
from .images import gray
from .sheet import Sheet

_WHERE = "plot_maps"


def plot_maps(
    maps: Any,
    images: Any = None,
    *,
    titles: Sequence[str] | None = None,
    signed: bool | None = None,
    scale: str | tuple[float, float] = "each",
    colormap: str | Colormap | None = None,
    opacity: float = 0.65,
    clip: float | str | None = "auto",
    columns: int = 4,
    colorbar: bool = True,
    contour: bool = False,
    masks: Any = None,
    size: float = 2.4,
    beside: bool = False,
    background: str = "gray",
    interpolation: str = "bilinear",
    figure: Figure | None = None,
) -> style.Drawing:
    """Where in each picture are the values of its map high?

    Colour is laid over the picture the more opaquely the higher the value (for signed maps: the further from 0), and
    the bar beneath says which values the colours stand for. Compare strengths between maps with `scale="shared"` only:
    with "each" every map has its own scale, and a weak map looks as strong as a strong one.

    Parameters
    ----------
    maps : array `(n, h, w)` or `(n, h, w, 1)`, a list of n maps `(h, w)`, or one map
    images : what `displayable` takes, n pictures, or None for maps alone; a map of any resolution covers its picture
        wholly
    titles : n strings; too long ones are wrapped to the width of the picture, in three lines at most
    signed : bool or None; True draws blue (negative) to orange (positive), symmetric about 0; None: as the values are
    scale : "each", "shared" (one scale and one bar for all maps) or (low, high); limits of signed maps are made
        symmetric
    colormap : a name of matplotlib's or a Colormap; None is most of "inferno", and blue to orange for signed maps
    opacity : float in [0, 1]; how much of the picture the highest value covers
    clip : "auto", None, or a percentile in [50, 100]; values above it share one colour, which the bar says by "≥".
        "auto" is 99.5, and only where the rest of the map would pale beside few far higher values
    columns : int >= 1; maps in a row
    colorbar : bool
    contour : bool; lines around the values above 50 % and above 80 % of the range
    masks : array or list of n masks `(h, w)`; the outlines of the true regions, in green
    size : inches; the longer side of a picture
    beside : bool; the picture itself above its map
    background : "gray" (colours keep their meaning) or "color"; the picture under the map
    interpolation : "bilinear" or "nearest" (the map's cells as they are)
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(n,)`, those of the maps. Those of pictures and bars are in `figure.axes`, labelled
        "picture 0", "colour bar 0" and so on

    Raises
    ------
    ValueError, TypeError
        NaN or infinity, wrong ranks, numbers of images, titles or masks other than that of the maps, unknown options

    Example
    -------
    >>> import numpy as np
    >>> figure, axes = plot_maps(np.stack([np.eye(7)] * 2), np.zeros((2, 32, 48, 3)), titles=["cat", "dog"])
    >>> [one.get_label() for one in axes]
    ['map 0', 'map 1']
    """
    limits_given = check_look(_WHERE, scale, ("each", "shared"), clip, opacity, size, background, interpolation)
    planes = layers.map_list(maps, _WHERE)
    count = len(planes)
    columns = min(count, check_integer(_WHERE, "columns", columns, 1, "Use 4 for a page."))
    pictures, note = layers.pictures_for(images, count, _WHERE)
    outlines = layers.mask_list(masks, count, _WHERE)
    titles = layers.title_list(titles, count, _WHERE, "map")

    everything = np.concatenate([plane.ravel() for plane in planes])
    signed = shading.is_signed(everything, signed)
    own = scale == "each"
    common = shading.value_range(everything, signed, clip, limits_given)
    limits = [shading.value_range(plane, signed, clip) if own else common for plane in planes]
    veil = shading.opaque(colormap, signed, _WHERE)
    if images is not None:
        veil = shading.colours(veil, signed, opacity, _WHERE)

    beside = beside and images is not None
    shapes = [
        (plane if picture is None else picture).shape[:2] for plane, picture in zip(planes, pictures, strict=True)
    ]
    bar = layers.bar_room(limits) if colorbar else 0.0
    page = Sheet(shapes, titles, size, columns, bar if own else 0.0, beside)
    notes = style.wrap(note, page.width - 2 * style.MARGIN, style.SMALL) if note else []
    bar = 0.0 if own else bar
    height = page.height + bar + len(notes) * style.LINE * style.SMALL + 0.5 * style.MARGIN
    figure = style.new_figure(page.width, height, figure)
    axes = np.empty(count, object)
    for index, (plane, picture, outline) in enumerate(zip(planes, pictures, outlines, strict=True)):
        page.write_title(figure, index)
        if beside and picture is not None:
            layers.draw_picture(page.place(figure, index, f"picture {index}", above=True), picture)
        axes[index] = page.place(figure, index, f"map {index}")
        layers.frame(axes[index], *shapes[index])
        if picture is not None:
            layers.draw_picture(axes[index], gray(picture) if background == "gray" else picture)
        layers.draw_map(axes[index], plane, veil, limits[index], interpolation)
        if contour:
            layers.draw_contour(axes[index], plane, limits[index], interpolation)
        if outline is not None:
            layers.draw_outline(axes[index], outline)
        if colorbar and own:
            layers.draw_bar(figure, *page.below(index), page.cell_width, veil, limits[index], f"colour bar {index}")
    if bar:
        width = page.width - 2 * style.MARGIN
        layers.draw_bar(figure, style.MARGIN, page.height, width, veil, common, "colour bar")
    layers.draw_note(figure, style.MARGIN, page.height + bar, notes)
    return style.Drawing(figure, axes)


def check_look(
    where: str,
    scale: Any,
    words: Sequence[str],
    clip: Any,
    opacity: Any,
    size: Any,
    background: Any,
    interpolation: Any,
) -> tuple[float, float] | None:
    """The options that all drawings of maps share; returns the limits of the colours when `scale` gives them."""
    shading.check_clip(clip, where)
    check_number(where, "opacity", opacity, 0, 1, "0 hides the map, 1 hides the picture.")
    check_number(where, "size", size, 0.3, 50, "Sizes are in inches.")
    check_choice(where, "background", background, ("gray", "color"))
    check_choice(where, "interpolation", interpolation, ("bilinear", "nearest"))
    return shading.check_scale(scale, words, where)
