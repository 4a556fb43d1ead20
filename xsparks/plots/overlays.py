"""A map over its picture as plain pixels, for files and pages."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Colormap

from ..core.errors import wording
from . import layers, shading
from .images import displayable, gray
from .maps import check_look

_WHERE = "overlay"


def overlay(
    attribution: Any,
    image: Any,
    *,
    signed: bool | None = None,
    scale: str | tuple[float, float] = "own",
    colormap: str | Colormap | None = None,
    opacity: float = 0.65,
    clip: float | str | None = "auto",
    background: str = "gray",
    interpolation: str = "bilinear",
) -> np.ndarray:
    """What is the picture with its map on it, pixel for pixel?

    The same colours as `plot_maps`, without axes, titles and bar. Use `plot_maps` where values are to be read.

    Parameters
    ----------
    attribution : array `(h', w')` or `(h', w', 1)`; of any resolution, it covers the picture wholly
    image : array `(h, w)`, `(h, w, 1)`, `(h, w, 3)` or `(3, h, w)`; as `displayable` takes it
    signed, colormap, opacity, clip, background, interpolation : as in `plot_maps`
    scale : "own" or (low, high), the values of the two ends of the colours

    Returns
    -------
    pixels : `(h, w, 3)` uint8

    Raises
    ------
    ValueError, TypeError
        NaN or infinity, wrong ranks, several maps or pictures, unknown options

    Example
    -------
    >>> import numpy as np
    >>> pixels = overlay(np.eye(7), np.zeros((32, 48, 3), np.uint8))
    >>> pixels.shape, pixels.dtype
    ((32, 48, 3), dtype('uint8'))
    """
    limits_given = check_look(_WHERE, scale, ("own",), clip, opacity, 1, background, interpolation)
    planes = layers.map_list(attribution, _WHERE)
    if len(planes) > 1:
        remedy = "Call it once for each map."
        raise ValueError(
            wording(_WHERE, expected="`attribution` must be one map", received=f"{len(planes)}", remedy=remedy)
        )
    values = planes[0]
    picture = displayable([image], where=_WHERE).pixels[0]
    signed = shading.is_signed(values, signed)
    limits = shading.value_range(values, signed, clip, limits_given)
    colours = shading.colours(colormap, signed, opacity, _WHERE)
    under = gray(picture) if background == "gray" else picture
    shades = colours(limits.norm(layers.enlarged(values, picture.shape[0], picture.shape[1], interpolation)))
    veil = shades[..., 3:]
    return np.round(255 * (veil * shades[..., :3] + (1 - veil) * under)).astype(np.uint8)
