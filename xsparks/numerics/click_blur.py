"""The blur of ClickMe's maps, bit for bit as published, and one that leaves them in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.errors import wording


def click_kernel(size: int = 10, sigma: float = 10.0, symmetric: bool = False) -> np.ndarray:
    """With which weights are clicks spread?

    A Gaussian, `exp(-(x^2 + y^2) / (2 sigma^2))` scaled to the sum 1. The published one has `size = 10` and
    `sigma = 10`, nearly a box, at x = -5 ... 4 from left to right and y = 4 ... -5 from top to bottom. An even kernel
    has no middle: it moves maps by .46 rows up and .54 columns left, at 64 x 64, which is 1.6 and 1.9 pixels at 224.

    Parameters
    ----------
    size : rows and columns.
    sigma : standard deviation in pixels, above 0.
    symmetric : a middle in the middle; an even size gets one more row and column.

    Returns
    -------
    kernel : `(size, size)` float32.

    Example
    -------
    >>> kernel = click_kernel()
    >>> kernel.shape, kernel.max().round(5).item(), kernel.min().round(5).item()
    ((10, 10), 0.01087, 0.00847)
    >>> click_kernel(symmetric=True).shape
    (11, 11)

    Source
    ------
    T. Fel, I. Felipe, D. Linsley, T. Serre, "Harmonizing the object recognition strategies of deep neural networks
    with humans", NeurIPS 2022, https://arxiv.org/abs/2211.04533, and its code,
    https://github.com/serre-lab/Harmonization
    """
    size = check_integer("click_kernel", "size", size, 1, "Use 10.")
    sigma = check_number("click_kernel", "sigma", sigma, 0, remedy="Use 10.")
    if sigma == 0:
        raise ValueError(
            wording(
                "click_kernel(sigma=0)",
                expected="`sigma` must be above 0",
                received=0,
                remedy="Leave out the blur instead.",
            )
        )
    first = -(size // 2)
    columns = np.arange(first, first + size)
    rows = np.arange((size - 1) // 2, (size - 1) // 2 - size, -1)
    if symmetric:
        columns = rows = np.arange(-(size // 2), size // 2 + 1)
    # In float64, as published, and rounded once.
    weights = np.exp(-(columns**2 + rows[:, None] ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    return (weights / weights.sum()).astype(np.float32)


def click_blur(maps: Any, size: int = 10, sigma: float = 10.0, symmetric: bool = False) -> Any:
    """Maps `(n, h, w)` spread by `click_kernel`, zeros beyond the border, in a graph.

    Parameters
    ----------
    maps : floating; the published blur acts on maps of 64 x 64.
    size, sigma, symmetric : of `click_kernel`.

    Returns
    -------
    maps : of the same shape and type.

    Example
    -------
    >>> impulse = np.zeros((1, 21, 21), "float32")
    >>> impulse[0, 10, 10] = 1
    >>> rows = np.arange(21.0)
    >>> [float((click_blur(impulse, symmetric=kind).numpy()[0].sum(axis=1) * rows).sum()) for kind in (False, True)]
    [9.54, 10.0]
    """
    maps = tf.convert_to_tensor(maps)
    kernel = tf.cast(click_kernel(size, sigma, symmetric)[:, :, None, None], maps.dtype)
    return tf.squeeze(tf.nn.conv2d(tf.expand_dims(maps, -1), kernel, 1, "SAME"), -1)
