"""What stands out in a picture, whatever a model makes of it: the maps of the control condition."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from ..plots import displayable

# Centres of 1, 2 and 4 % of the shorter side, each against a surround four times as wide.
_CENTRES = (0.01, 0.02, 0.04)
_SURROUND = 4.0


def bottom_up_saliency(images: Any) -> np.ndarray:
    """Where does a picture catch the eye, with no model asked?

    The control of a study: maps that look like explanations and tell nothing about the model. Without them nobody knows
    whether an explanation helped, or the second look at the picture did. Contrast of centre and surround, `sum_s sum_c
    |G_s * I_c - G_4s * I_c|`, with `G_s` a Gaussian of width `s` (three scales) and `I_c` the colour channels.

    Parameters
    ----------
    images : `(n, h, w)` or `(n, h, w, c)`, as `xsparks.plots.displayable` takes them.

    Returns
    -------
    maps : `(n, h, w)` float32 in [0, 1], the highest value of each is 1; zero for a picture of one colour.

    Cost
    ----
    Six Gaussians a channel; no forward.

    Departs
    -------
    The model of Itti and others adds orientations and competing maps; contrast of brightness and colour is enough for
    maps that must only not know the model.

    Example
    -------
    >>> image = np.zeros((1, 32, 32, 3))
    >>> image[0, 20:24, 8:12] = 1
    >>> rows, columns = np.nonzero(bottom_up_saliency(image)[0] > 0.9)
    >>> bool(20 <= rows.mean() < 24), bool(8 <= columns.mean() < 12)
    (True, True)

    Source
    ------
    L. Itti, C. Koch, E. Niebur, "A Model of Saliency-Based Visual Attention for Rapid Scene Analysis", IEEE
    Transactions on Pattern Analysis and Machine Intelligence 20(11), 1998, https://doi.org/10.1109/34.730558
    """
    maps = [_contrast(pixels) for pixels in displayable(images, where="bottom_up_saliency").pixels]
    return np.stack(maps).astype(np.float32)


def _contrast(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape[:2])
    total = np.zeros(pixels.shape[:2])
    for share in _CENTRES:
        centre = max(0.5, share * side)
        near, far = (gaussian_filter(pixels, (sigma, sigma, 0)) for sigma in (centre, _SURROUND * centre))
        total += np.abs(near - far).sum(axis=-1)
    highest = total.max()
    # Of a picture of one colour only the rounding of the filters is left.
    return total / highest if highest > 1e-5 else np.zeros_like(total)
