"""Maps enlarged from their grid to pixels, as matrix products. Imports TensorFlow only when it is given a tensor."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..core.checks import check_choice, check_integer
from ..core.errors import wording

KINDS = ("nearest", "bilinear", "bicubic")


@lru_cache(maxsize=64)
def interpolation_matrix(size_in: int, size_out: int, kind: str = "bicubic") -> np.ndarray:
    """How much does each of `size_in` cells add to each of `size_out` pixels along one side?

    The centre of pixel `j` lies at `(j + 1/2) size_in / size_out - 1/2` in cells. `"nearest"` takes the cell that holds
    that point, `"bilinear"` weighs cells at a distance `t` by `1 - |t|` and `"bicubic"` by Keys' kernel with
    `a = -1/2`. Weights of cells beyond the edge are left out and the others scaled to the sum 1, as `tf.image.resize`
    does.

    Parameters
    ----------
    size_in, size_out : integers of at least 1. A smaller `size_out` takes samples, without a blur before.
    kind : `"nearest"`, `"bilinear"` or `"bicubic"`.

    Returns
    -------
    weights : `(size_out, size_in)` float64, read-only; rows sum to 1.

    Raises
    ------
    ValueError : a size below 1, an unknown kind.

    Example
    -------
    >>> interpolation_matrix(2, 4, "bilinear").tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]

    Source
    ------
    R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 29, 1981
    """
    where = "interpolation_matrix"
    size_in = check_integer(where, "size_in", size_in, 1, "Give the cells along a side.")
    size_out = check_integer(where, "size_out", size_out, 1, "Give the pixels along a side.")
    check_choice(where, "kind", kind, KINDS)
    if kind == "nearest":
        # In integers, because a centre may lie exactly on the border of two cells: it then belongs to the later one.
        weights = np.eye(size_in)[(2 * np.arange(size_out) + 1) * size_in // (2 * size_out)]
    else:
        centres = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
        distance = np.abs(centres[:, None] - np.arange(size_in)[None, :])
        weights = np.maximum(1 - distance, 0) if kind == "bilinear" else _keys(distance)
        weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights


def _keys(distance: np.ndarray) -> np.ndarray:
    a = -0.5
    # |t| <= 1: (a + 2) |t|^3 - (a + 3) |t|^2 + 1;   1 < |t| < 2: a |t|^3 - 5 a |t|^2 + 8 a |t| - 4 a.
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def enlarge(maps: Any, size: tuple[int, int], kind: str = "bicubic") -> Any:
    """The maps at another size: arrays stay arrays, tensors stay tensors.

    Bicubic maps may leave the range of their cells a little, as all cubic interpolation does.

    Parameters
    ----------
    maps : `(n, h, w, c)`; only `n` may be unknown.
    size : `(height, width)` in pixels.
    kind : `"nearest"`, `"bilinear"` or `"bicubic"`.

    Returns
    -------
    maps : `(n, height, width, c)`, of the same type; float32 for integers and booleans.

    Raises
    ------
    ValueError : maps of another rank, a size below 1, an unknown kind.

    Cost
    ----
    `n width c h (w + height)` multiplications; half precision is computed in float32.

    Example
    -------
    >>> enlarge(np.eye(2).reshape(1, 2, 2, 1), (2, 4), "nearest")[0, :, :, 0].tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    if len(maps.shape) != 4:
        raise ValueError(
            wording(
                "enlarge",
                expected="`maps` must have the shape (n, h, w, c)",
                received=f"shape {tuple(maps.shape)}",
                remedy="Add the axis that is missing, as in maps[..., None].",
            )
        )
    check_choice("enlarge", "kind", kind, KINDS)
    rows, columns, channels = (int(length) for length in maps.shape[1:])
    height, width = size
    down, across = interpolation_matrix(rows, height, kind), interpolation_matrix(columns, width, kind)
    if isinstance(maps, np.ndarray):
        kept = maps.dtype if np.issubdtype(maps.dtype, np.floating) else np.dtype(np.float32)
        work = np.promote_types(kept, np.float32)
        wide = np.matmul(across.astype(work), maps.astype(work))
        tall = np.matmul(down.astype(work), wide.reshape(len(maps), rows, width * channels))
        return tall.reshape(len(maps), height, width, channels).astype(kept, copy=False)

    import tensorflow as tf  # here, so that arrays are enlarged without it

    kept = maps.dtype if maps.dtype.is_floating else tf.float32
    work = tf.float64 if kept == tf.float64 else tf.float32
    wide = tf.matmul(tf.constant(across, work), tf.cast(maps, work))
    tall = tf.matmul(tf.constant(down, work), tf.reshape(wide, (tf.shape(maps)[0], rows, width * channels)))
    return tf.cast(tf.reshape(tall, (tf.shape(maps)[0], height, width, channels)), kept)
