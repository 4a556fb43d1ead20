"""Frequencies of maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

NYQUIST = 0.5


def low_pass(maps: Any, cutoff: float) -> Any:
    """Which part of the maps changes slowly?

    Frequencies `(u, v)` in cycles per pixel with `sqrt(u^2 + v^2) <= cutoff / 2` are kept, the others removed; the mean
    always stays.

    Parameters
    ----------
    maps : `(m, h, w, c)`, of any proportions.
    cutoff : fraction of the Nyquist frequency, half a cycle per pixel; sqrt(2) keeps everything.

    Returns
    -------
    maps : `(m, h, w, c)` float32.

    Example
    -------
    >>> checks = tf.constant([[0.0, 2.0], [2.0, 0.0]])[None, :, :, None]
    >>> low_pass(tf.tile(checks, (1, 2, 2, 1)), 0.5)[0, :2, :2, 0].numpy().round(4).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    height, width = (int(size) for size in maps.shape[1:3])
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    kept = (radius <= cutoff * NYQUIST + 1e-9).astype(np.float32)
    planes = tf.transpose(tf.cast(maps, tf.float32), (0, 3, 1, 2))
    spectrum = tf.signal.rfft2d(planes) * tf.cast(kept, tf.complex64)
    return tf.transpose(tf.signal.irfft2d(spectrum, fft_length=(height, width)), (0, 2, 3, 1))
