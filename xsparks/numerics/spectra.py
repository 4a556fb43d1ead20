"""How strong is each frequency of pictures, and what is that at another size?"""

from __future__ import annotations

from typing import Any

import numpy as np


def frequencies(height: int, width: int) -> np.ndarray:
    """The length of each frequency of `rfft2`, `(height, width // 2 + 1)`, in cycles per pixel.

    Example
    -------
    >>> frequencies(2, 4).round(3).tolist()
    [[0.0, 0.25, 0.5], [0.5, 0.559, 0.707]]
    """
    return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])


def mean_magnitude(planes: Any) -> np.ndarray:
    """The mean over pictures of the magnitude of each frequency.

    Parameters
    ----------
    planes : `(n, h, w, c)`.

    Returns
    -------
    magnitude : `(h, w // 2 + 1, c)` float64, divided by the number of pixels, so that frequency 0 holds the mean
        absolute level.

    Example
    -------
    >>> mean_magnitude(np.full((2, 4, 4, 1), 3.0))[..., 0].round(6).tolist()[0]
    [3.0, 0.0, 0.0]
    """
    planes = np.asarray(planes)
    total = np.zeros((planes.shape[1], planes.shape[2] // 2 + 1, planes.shape[3]))
    for picture in planes:
        total += np.abs(np.fft.rfft2(picture.astype(np.float64), axes=(0, 1)))
    return total / (len(planes) * planes.shape[1] * planes.shape[2])


def resized_magnitude(magnitude: Any, width: int, size: tuple[int, int]) -> np.ndarray:
    """The magnitudes of frequencies at another size, with the same magnitude at the same number of cycles per pixel.

    Magnitudes of pictures fall about as one over the frequency, so what is interpolated is the magnitude times the
    frequency, which is nearly flat; below the lowest frequency that is known it is taken as flat. Frequency 0, the
    level of the picture, keeps its ratio to the deviation of the picture, as the same scene at another size does.

    Parameters
    ----------
    magnitude : `(h, width // 2 + 1, c)`, as `rfft2` orders frequencies.
    width : of the pictures that it came from, which tells an odd width from an even one.
    size : `(height, width)` wanted.

    Returns
    -------
    magnitude : `(height, width // 2 + 1, c)` float64.

    Example
    -------
    >>> falling = 1 / np.maximum(frequencies(8, 8), 1 / 8)[..., None]
    >>> bool(np.allclose(resized_magnitude(falling, 8, (16, 32))[1:, 1:, 0], 1 / frequencies(16, 32)[1:, 1:]))
    True
    """
    magnitude = np.asarray(magnitude, np.float64)
    height = magnitude.shape[0]
    if (height, width) == tuple(size):
        return magnitude
    flat = magnitude * frequencies(height, width)[..., None]
    # Frequency 0 says nothing of its neighbours.
    flat[0, 0] = (flat[0, 1 % flat.shape[1]] + flat[1 % height, 0]) / 2
    down = _positions(np.fft.fftfreq(size[0]) * height, height, wraps=True)
    across = _positions(np.fft.rfftfreq(size[1]) * width, flat.shape[1], wraps=False)
    flat = _between(_between(flat, *down, axis=0), *across, axis=1)
    length = frequencies(*size)
    length[0, 0] = 1.0
    resized = flat / length[..., None]
    resized[0, 0] = magnitude[0, 0] * np.sqrt(variance_of(resized, size[1]) / variance_of(magnitude, width))
    return resized


def variance_of(magnitude: np.ndarray, width: int) -> float:
    """The variance of a picture with these magnitudes `(h, width // 2 + 1, c)`, over its pixels and channels, by
    Parseval's theorem; frequency 0 has no part in it.

    Example
    -------
    >>> picture = np.arange(6.0).reshape(1, 2, 3, 1)
    >>> bool(np.isclose(variance_of(mean_magnitude(picture), 3), picture.var()))
    True
    """
    twice = np.full(magnitude.shape[1], 2.0)
    # Frequencies that have no partner on the other side.
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    power = magnitude**2 * twice[None, :, None]
    return float((power.sum() - power[0, 0].sum()) / magnitude.shape[2])


def _positions(wanted: np.ndarray, known: int, wraps: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which two entries a frequency lies, and how far from the first."""
    low = np.floor(wanted).astype(int)
    part = wanted - low
    if wraps:
        return low % known, (low + 1) % known, part
    return np.minimum(low, known - 1), np.minimum(low + 1, known - 1), part


def _between(values: np.ndarray, low: np.ndarray, high: np.ndarray, part: np.ndarray, axis: int) -> np.ndarray:
    weight = np.expand_dims(part, tuple(other for other in range(values.ndim) if other != axis))
    return np.take(values, low, axis) * (1 - weight) + np.take(values, high, axis) * weight
