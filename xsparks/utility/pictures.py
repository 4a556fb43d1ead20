"""Pictures and maps as parts of a page: pixels within the address, nothing beside the file."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from matplotlib.colors import to_hex

from ..plots import overlay
from ..plots.shading import is_signed, opaque

SMALL = 96  # pixels a side up to which a picture is kept exactly and drawn with visible pixels
_QUALITY = 92


def picture(pixels: np.ndarray) -> str:
    """The `data:` address of `(h, w, 3)` uint8: PNG of a small picture, JPEG of a larger one.

    Example
    -------
    >>> picture(np.zeros((2, 2, 3), np.uint8))[:22]
    'data:image/png;base64,'
    """
    small = max(pixels.shape[:2]) <= SMALL
    kind, options = (".png", []) if small else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    _, coded = cv2.imencode(kind, np.ascontiguousarray(pixels[..., ::-1]), options)
    name = "png" if small else "jpeg"
    return f"data:image/{name};base64,{base64.b64encode(coded.tobytes()).decode()}"


def explained_pictures(maps: np.ndarray, pixels: list[np.ndarray]) -> tuple[list[str], bool]:
    """Each map over its picture, and whether their colours have a sign; one rule for all maps of a condition."""
    signed = any(is_signed(values, None) for values in maps)
    return [picture(overlay(values, each, signed=signed)) for values, each in zip(maps, pixels, strict=True)], signed


def legend_colours(signed: bool) -> str:
    """The colours of the maps from low to high, for a gradient of CSS."""
    stops = opaque(None, signed, "MetaPredictorStudy")(np.linspace(0, 1, 7))
    return ", ".join(to_hex(stop) for stop in stops)
