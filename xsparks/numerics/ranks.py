"""Ranks and the agreement of rankings, in a graph, batched over leading axes. On the host there is `scipy.stats`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import wording


def ranks(values: Any, axis: int = -1) -> Any:
    """Which place has each value, 1 for the smallest? Equal values share the mean of their places.

    Parameters
    ----------
    values : `(..., d)` real numbers.
    axis : along which they are ranked.

    Returns
    -------
    ranks : the shape of `values`; float64 for float64, else float32 (exact up to eight million values).

    Example
    -------
    >>> ranks([10, 30, 20, 20]).numpy().tolist()
    [1.0, 4.0, 2.5, 2.5]
    """
    values = tf.convert_to_tensor(values)
    last = len(values.shape) - 1
    axis = axis % (last + 1)
    if axis != last:
        swap = list(range(last + 1))
        swap[axis], swap[last] = last, axis  # its own inverse
        return tf.transpose(ranks(tf.transpose(values, swap)), swap)
    # `searchsorted` takes rows, and not every type.
    rows = tf.reshape(values, (-1, tf.shape(values)[-1]))
    rows = rows if rows.dtype in (tf.float32, tf.float64, tf.int32, tf.int64) else tf.cast(rows, tf.float32)
    ordered = tf.sort(rows, axis=-1)
    smaller = tf.searchsorted(ordered, rows, side="left")
    not_larger = tf.searchsorted(ordered, rows, side="right")
    # Equal values hold the places smaller + 1 to not_larger, with the mean (smaller + not_larger + 1) / 2.
    kept = tf.float64 if values.dtype == tf.float64 else tf.float32
    return tf.reshape((tf.cast(smaller + not_larger, kept) + 1) / 2, tf.shape(values))


def spearman(a: Any, b: Any) -> Any:
    """Do two vectors put things in the same order?

    The correlation of their ranks: 1 for the same order, -1 for the reverse. A constant vector has no order, and agrees
    with anything, itself included, to 0.

    Parameters
    ----------
    a, b : `(..., d)`, of shapes that broadcast.

    Returns
    -------
    agreement : `(...)` in [-1, 1].

    Example
    -------
    >>> spearman([1.0, 2.0, 3.0], [10.0, 30.0, 20.0]).numpy().round(3).item()
    0.5

    Source
    ------
    C. Spearman, "The proof and measurement of association between two things", American Journal of Psychology 15, 1904
    """
    a, b = _centred(ranks(a)), _centred(ranks(b))
    lengths = tf.reduce_sum(a * a, axis=-1) * tf.reduce_sum(b * b, axis=-1)
    return tf.clip_by_value(tf.math.divide_no_nan(tf.reduce_sum(a * b, axis=-1), tf.sqrt(lengths)), -1, 1)


def _centred(ranked: Any) -> Any:
    # The mean rank is (d + 1) / 2 with and without ties, so that a constant becomes exact zeros; and within
    # [-1/2, 1/2] the sums over a whole picture keep their precision in float32.
    count = tf.cast(tf.shape(ranked)[-1], ranked.dtype)
    return (ranked - (count + 1) / 2) / count


def top_overlap(a: Any, b: Any, k: int) -> Any:
    """Which share of their `k` largest places do two vectors have in common?

    Of equal values the earlier counts as larger. Two random orders share `k / d` on average.

    Parameters
    ----------
    a, b : `(..., d)`, of shapes that broadcast.
    k : places, 1 to `d`.

    Returns
    -------
    share : `(...)` in [0, 1]; float64 if `a` is, else float32.

    Raises
    ------
    ValueError : `k` below 1 or above `d`.

    Example
    -------
    >>> top_overlap([4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 3.0, 2.0], k=2).numpy().item()
    0.5
    """
    a, b = tf.convert_to_tensor(a), tf.convert_to_tensor(b)
    k = check_integer("top_overlap", "k", k, 1, "Use 10 for a grid of 7 x 7 cells.")
    places = a.shape[-1]
    if places is not None and k > places:
        raise ValueError(
            wording(
                f"top_overlap(k={k})",
                expected=f"`k` must be at most the number of places, {places}",
                received=k,
                remedy=f"Use {max(1, places // 5)}.",
            )
        )
    kept = tf.float64 if a.dtype == tf.float64 else tf.float32
    return tf.reduce_sum(tf.cast(_among_top(a, k) & _among_top(b, k), kept), axis=-1) / k


def _among_top(values: Any, k: int) -> Any:
    order = tf.argsort(values, axis=-1, direction="DESCENDING", stable=True)
    return tf.argsort(order, axis=-1) < k
