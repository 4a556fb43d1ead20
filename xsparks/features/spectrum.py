"""How strong each frequency of a picture shall be: as in natural photographs, or as in pictures of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.checks import check_choice
from ..core.errors import wording
from ..numerics.spectra import frequencies, mean_magnitude, resized_magnitude, variance_of
from .colours import decorrelated, natural_statistics


def natural_magnitude(size: tuple[int, int], channels: int = 3) -> np.ndarray:
    """How strong is each frequency in natural photographs?

    The mean magnitude over 1000 photographs of ImageNet, one of each class, in decorrelated colours (their brightness
    for one channel). At other sizes than theirs frequencies of the same cycles per pixel are equally strong.

    Parameters
    ----------
    size : (height, width)
    channels : 3 or 1

    Returns
    -------
    magnitude : `(height, width // 2 + 1, channels)` float64, as `rfft2` orders frequencies, divided by the number of
        pixels

    Example
    -------
    >>> natural_magnitude((48, 64), channels=1).shape
    (48, 33, 1)
    """
    stored = natural_statistics()
    flat = stored["magnitude"] * stored["scale"]
    half = len(flat) - 1
    rows = np.abs(np.fft.fftfreq(2 * half) * 2 * half).round().astype(int)
    length = frequencies(2 * half, 2 * half)
    length[0, 0] = 1.0
    magnitude = flat[rows] / length[..., None]
    magnitude[0, 0] = stored["level"]
    return resized_magnitude(magnitude[..., :channels], 2 * half, size)


def magnitude_of(pictures: Any, values_range: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """The mean magnitude of pictures `(n, h, w, c)`, as `natural_magnitude` has that of photographs."""
    low, high = values_range
    pictures = (np.asarray(pictures, np.float64) - low) / (high - low) - 0.5
    return resized_magnitude(mean_magnitude(decorrelated(pictures)), pictures.shape[2], size)


def as_magnitude(
    given: Any, size: tuple[int, int], channels: int, values_range: tuple[float, float], where: str
) -> np.ndarray:
    """The magnitudes that a user means: `"natural"`, pictures `(n, h, w, c)`, or magnitudes `(h, w // 2 + 1, c)`.

    Returns
    -------
    magnitude : `(h, w // 2 + 1, c)` float64, scaled so that a picture of these frequencies has the variance 1.

    Raises
    ------
    ValueError : another name, a shape that does not fit, values that are negative, not finite or all zero.
    """
    if isinstance(given, str):
        check_choice(where, "magnitude", given, ("natural",))
        if channels not in (1, 3):
            raise ValueError(
                wording(
                    f"{where}(magnitude='natural')",
                    expected="the model must read pictures of 1 or 3 channels",
                    received=f"{channels} channels",
                    remedy="Pass magnitude= pictures of your own, (n, h, w, c).",
                )
            )
        magnitude = natural_magnitude(size, channels)
    else:
        given = np.asarray(given, np.float64)
        if given.ndim == 4 and given.shape[-1] == channels:
            magnitude = magnitude_of(given, values_range, size)
        elif given.shape == (size[0], size[1] // 2 + 1, channels):
            magnitude = given
        else:
            raise ValueError(
                wording(
                    f"{where}(magnitude=...)",
                    expected=f"`magnitude` must be pictures (n, h, w, {channels}), or the magnitude of each frequency, "
                    f"{(size[0], size[1] // 2 + 1, channels)}",
                    received=f"shape {given.shape}",
                    remedy="Use 'natural' for that of photographs.",
                )
            )
    variance = variance_of(magnitude, size[1])
    if not np.isfinite(variance) or variance <= 0 or (magnitude < 0).any():
        raise ValueError(
            wording(
                f"{where}(magnitude=...)",
                expected="magnitudes must be finite, not negative, and not zero everywhere",
                received=f"values from {magnitude.min():.3g} to {magnitude.max():.3g}",
                remedy="Look at how they were made.",
            )
        )
    return magnitude / np.sqrt(variance)
