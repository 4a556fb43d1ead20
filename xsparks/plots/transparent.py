"""Pictures that are transparent where they did not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from . import layers, style
from .images import displayable
from .sheet import Sheet

_WHERE = "plot_transparent"


def with_transparency(
    images: Any,
    transparency: Any,
    *,
    value_range: tuple[float, float] | None = None,
    image_percentile: float = 1.0,
    opaque_percentile: float = 80.0,
    where: str = "with_transparency",
) -> list[np.ndarray]:
    """Which parts of these pictures mattered, as pictures with an alpha channel?

    The brightest and the darkest hundredth of each picture's values are cut and the rest is stretched to black and
    white. A pixel is as opaque as its transparency value is high: one at `opaque_percentile` or above it wholly, one at
    the lowest value not at all.

    Parameters
    ----------
    images : what `displayable` takes, n pictures
    transparency : `(n, h, w)` or `(n, h, w, 1)`, not negative; high where a pixel mattered
    value_range : (black, white) of the images, or None for the rules of `displayable`
    image_percentile : percent in [0, 49] that is cut at either end; 0 shows values as they are
    opaque_percentile : percent in (0, 100]

    Returns
    -------
    pictures : n arrays `(h, w, 4)` float32 in 0..1

    Raises
    ------
    ValueError, TypeError
        numbers, shapes or options that do not fit

    Example
    -------
    >>> import numpy as np
    >>> shown = with_transparency(np.zeros((1, 8, 8, 3)), np.arange(64.0).reshape(1, 8, 8))
    >>> shown[0].shape, float(shown[0][0, 0, 3]), float(shown[0][-1, -1, 3])
    ((8, 8, 4), 0.0, 1.0)

    Source
    ------
    T. Fel et al., "Unlocking feature visualization for deeper networks with MAgnitude Constrained Optimization",
    NeurIPS 2023, https://arxiv.org/abs/2306.06805
    """
    check_number(where, "image_percentile", image_percentile, 0, 49, "Use 1.")
    check_number(where, "opaque_percentile", opaque_percentile, 1e-3, 100, "Use 80.")
    pixels = displayable(images, value_range=value_range, where=where).pixels
    planes = layers.map_list(transparency, where)
    layers.check_count("transparency", len(planes), len(pixels), where, "picture")
    return [
        _shown(picture, plane, image_percentile, opaque_percentile, where)
        for picture, plane in zip(pixels, planes, strict=True)
    ]


def _shown(picture: np.ndarray, plane: np.ndarray, cut: float, opaque: float, where: str) -> np.ndarray:
    if plane.shape != picture.shape[:2] or plane.min() < 0:
        raise ValueError(
            wording(
                where,
                expected=f"`transparency` must have the size of its picture, {picture.shape[:2]}, and not be negative",
                received=f"{plane.shape}, from {plane.min():.3g}",
                remedy="Take both from one Visualisation.",
            )
        )
    if cut:
        low, high = np.percentile(picture, (cut, 100 - cut))
        picture = np.clip((picture - low) / max(float(high - low), 1e-6), 0, 1)
    low, high = plane.min(), np.percentile(plane, opaque)
    alpha = np.clip((plane - low) / (high - low), 0, 1) if high > low else np.ones_like(plane)
    return np.concatenate([picture, alpha[..., None]], axis=-1).astype(np.float32)


def plot_transparent(
    images: Any,
    transparency: Any = None,
    *,
    titles: Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
    image_percentile: float = 1.0,
    opaque_percentile: float = 80.0,
    background: str = "white",
    columns: int = 4,
    size: float = 2.4,
    figure: Figure | None = None,
) -> style.Drawing:
    """What do these pictures show where they mattered?

    A gallery: one picture a target, faded where it had no influence on what was optimised.

    Parameters
    ----------
    images, transparency, value_range, image_percentile, opaque_percentile : as `with_transparency` takes them; without
        `transparency` the pictures are opaque
    titles : n strings
    background : a colour of matplotlib's; what shines through
    columns : int >= 1; pictures in a row
    size : inches; the longer side of a picture
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(n,)`

    Raises
    ------
    ValueError, TypeError
        numbers, shapes or options that do not fit

    Example
    -------
    >>> import numpy as np
    >>> figure, axes = plot_transparent(np.zeros((2, 8, 8, 3)), np.ones((2, 8, 8, 1)), titles=["cat", "dog"])
    >>> [one.get_label() for one in axes]
    ['picture 0', 'picture 1']
    """
    if transparency is None:
        transparency = [np.ones(picture.shape[:2]) for picture in displayable(images, where=_WHERE).pixels]
    pictures = with_transparency(
        images,
        transparency,
        value_range=value_range,
        image_percentile=image_percentile,
        opaque_percentile=opaque_percentile,
        where=_WHERE,
    )
    count = len(pictures)
    columns = min(count, check_integer(_WHERE, "columns", columns, 1, "Use 4 for a page."))
    check_number(_WHERE, "size", size, 0.3, 50, "Sizes are in inches.")
    titles = layers.title_list(titles, count, _WHERE, "picture")
    page = Sheet([picture.shape[:2] for picture in pictures], titles, size, columns, 0.0, False)
    figure = style.new_figure(page.width, page.height + 0.5 * style.MARGIN, figure)
    axes = np.empty(count, object)
    for index, picture in enumerate(pictures):
        page.write_title(figure, index)
        axes[index] = page.place(figure, index, f"picture {index}")
        axes[index].set_facecolor(background)
        layers.draw_picture(axes[index], picture)
    return style.Drawing(figure, axes)
