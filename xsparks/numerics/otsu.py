"""Otsu's threshold of many rows at once."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def otsu_threshold(values: Any) -> Any:
    """Which threshold splits each row into the two groups that differ most?

    Of all splits of the `n` sorted values into `w n` low and `(1 - w) n` high ones, with means `a` and `b`, the one
    with the largest variance between the groups, `w (1 - w) (b - a)^2`, which leaves the smallest within them. Over
    the values themselves, where Otsu had a histogram: there are no bins to choose.

    Parameters
    ----------
    values : `(m, n)` float.

    Returns
    -------
    thresholds : `(m,)`, halfway between the two groups; the value itself where a row is equal everywhere.

    Cost
    ----
    One sort of each row.

    Example
    -------
    >>> otsu_threshold(tf.constant([[0.0, 1.0, 0.5, 7.0, 9.0]])).numpy().tolist()
    [4.0]

    Source
    ------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9, 1979, https://doi.org/10.1109/TSMC.1979.4310076
    """
    if values.shape[-1] == 1:
        return values[:, 0]
    ordered = tf.sort(values, axis=-1)
    # About the mean and in double precision: the sums of thousands of values then keep their small differences.
    exact = tf.cast(ordered, tf.float64)
    exact -= tf.reduce_mean(exact, axis=-1, keepdims=True)
    number = tf.shape(values)[-1]
    low = tf.cast(tf.range(1, number), tf.float64)
    high = tf.cast(number, tf.float64) - low
    total = tf.cumsum(exact, axis=-1)[:, :-1]
    # The values sum to 0: the means are total / low and -total / high, and w (1 - w) (b - a)^2 is what follows. No
    # split within equal values is ever the largest.
    split = tf.argmax(total**2 / (low * high), axis=-1, output_type=tf.int32)
    below, above = (tf.gather(ordered, split + step, batch_dims=1) for step in (0, 1))
    return (below + above) / 2
