"""Maps at the size of their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numerics.resize import enlarge


def at_size(maps: Any, size: tuple[int, ...]) -> Any:
    """Maps `(n, g, k, c)` on a grid, enlarged to `size` by bicubic interpolation within the range of their cells.

    Cubic interpolation overshoots: unlimited, it would give maps of shares a negative sign beside every steep cell and
    a maximum that no cell has. Arrays stay arrays and tensors tensors.

    Example
    -------
    >>> cells = np.zeros((1, 3, 3, 1), "float32")
    >>> cells[0, 1, 1] = 1.0
    >>> float(at_size(cells, (9, 9)).min()), float(at_size(cells, (9, 9)).max())
    (0.0, 1.0)
    """
    if tuple(maps.shape[1:3]) == tuple(size):
        return maps
    large = enlarge(maps, (size[0], size[1]), "bicubic")
    if isinstance(maps, np.ndarray):
        return np.clip(large, maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True))
    import tensorflow as tf

    low, high = (reduce(maps, axis=(1, 2), keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.minimum(tf.maximum(large, low), high)
