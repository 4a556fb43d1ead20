"""The smallest change that meets one linear condition, within bounds."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Doublings of the multiplier, and halvings of its interval: to the last digits of float32.
_DOUBLINGS, _HALVINGS = 40, 50


def smallest_change(origin: Any, slope: Any, least: Any, lower: Any = None, upper: Any = None) -> Any:
    """Which point nearest to `x` has `g . (y - x) <= -m`, its entries within bounds?

    `min |y - x|^2` subject to it. Its solution is `y = min(max(x - l g, b), c)` with the smallest `l >= 0` that
    meets the condition, which is found by halving.

    Parameters
    ----------
    origin : `x (n, ...)`.
    slope : `g (n, ...)`.
    least : `m (n,)`; where it is 0 or less, nothing changes.
    lower, upper : `b` and `c`, of shapes that broadcast, `x` between them; None for no bound.

    Returns
    -------
    nearest : `y (n, ...)`, of the type of `x`; where no point meets the condition, as far as the bounds let it go.

    Example
    -------
    >>> smallest_change([[1.0, 1.0]], [[2.0, 1.0]], [2.5], 0.0).numpy().round(3).tolist()
    [[0.0, 0.5]]
    """
    origin = tf.convert_to_tensor(origin)
    slope, least = tf.convert_to_tensor(slope, origin.dtype), tf.convert_to_tensor(least, origin.dtype)
    axes = list(range(1, len(origin.shape)))
    bounds = [
        tf.convert_to_tensor(infinite if bound is None else bound, origin.dtype)
        for bound, infinite in ((lower, origin.dtype.min), (upper, origin.dtype.max))
    ]

    def moved(multiplier: Any) -> Any:
        factor = tf.reshape(multiplier, (-1, *[1] * len(axes)))
        return tf.minimum(tf.maximum(origin - factor * slope, bounds[0]), bounds[1])

    def meets(multiplier: Any) -> Any:
        return tf.reduce_sum(slope * (origin - moved(multiplier)), axis=axes) >= least

    # Without bounds the multiplier is m / |g|^2; bounds only make it larger.
    squared = tf.reduce_sum(slope**2, axis=axes)
    high = tf.math.divide_no_nan(tf.maximum(least, 0), squared)

    def search(step: Any, low: Any, high: Any) -> Any:
        grows = step < _DOUBLINGS
        enough = meets(tf.where(grows, high, (low + high) / 2))
        # Doubling until the condition is met, and then halving what lies between.
        wider = (tf.where(enough, low, high), tf.where(enough, high, 2 * high))
        narrower = (tf.where(enough, low, (low + high) / 2), tf.where(enough, (low + high) / 2, high))
        found = [tf.where(grows, one, other) for one, other in zip(wider, narrower, strict=True)]
        return (step + 1, *found)

    start = (tf.constant(0), tf.zeros_like(high), high)
    found = tf.while_loop(lambda step, low, high: step < _DOUBLINGS + _HALVINGS, search, start)
    return moved(found[2])
