"""Steps of an attack: a change of an input moves downhill, within a ball and the valid range."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def euclidean_length(values: Any) -> Any:
    """The Euclidean length of each row `(b, ...)`, `(b,)`."""
    return tf.norm(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)


def euclidean_step(
    inputs: Any, change: Any, gradient: Any, free: Any, length: Any, radius: Any, low: Any, high: Any
) -> Any:
    """The change after one step against the gradient, projected to what is allowed.

    The step has a given length and touches only values that are free and not yet at the end of their range; the new
    change is cut to the range, and then shortened to the radius.

    Parameters
    ----------
    inputs, change, gradient : `(b, ...)`.
    free : bool, of a shape that broadcasts to that of the inputs.
    length, radius : `(b,)`.
    low, high : the valid range, of shapes that broadcast; None for no range.

    Returns
    -------
    change : `(b, ...)`, zero where it is not free, of Euclidean length `radius` at most.

    Example
    -------
    >>> zero, gradient = tf.zeros((1, 2)), tf.constant([[3.0, 4.0]])
    >>> change = euclidean_step(zero, zero, gradient, True, length=[5.0], radius=[2.0], low=None, high=1.0)
    >>> change.numpy().round(3).tolist()
    [[-1.2, -1.6]]
    """
    rank = len(inputs.shape)

    def spread(each: Any) -> Any:
        return tf.reshape(tf.convert_to_tensor(each), (-1, *[1] * (rank - 1)))

    moved = inputs + change
    movable = tf.broadcast_to(free, tf.shape(inputs))
    if low is not None:
        movable &= (moved > low) | (gradient < 0)
    if high is not None:
        movable &= (moved < high) | (gradient > 0)
    slope = tf.where(movable, gradient, 0.0)
    moved -= spread(length) * tf.math.divide_no_nan(slope, spread(euclidean_length(slope)))
    moved = moved if low is None else tf.maximum(moved, low)
    moved = moved if high is None else tf.minimum(moved, high)
    # Where nothing is free nothing changes, also of an input that is out of its range.
    change = tf.where(free, moved - inputs, 0.0)
    return change * spread(tf.minimum(1.0, tf.math.divide_no_nan(radius, euclidean_length(change))))


def box_step(inputs: Any, change: Any, gradient: Any, share: Any, low: Any, high: Any) -> Any:
    """The change after one step along the signs of the gradient, by a share of the width of a box, and cut to it.

    Parameters
    ----------
    inputs, change, gradient : `(b, ...)`.
    share : of the width; 1 from the input itself ends at a vertex.
    low, high : the ends of the box, which the input lies in, of shapes that broadcast.

    Returns
    -------
    change : `(b, ...)`.

    Example
    -------
    >>> zero, gradient = tf.zeros((1, 2)), tf.constant([[3.0, -4.0]])
    >>> box_step(zero, zero, gradient, 1.0, low=-1.0, high=2.0).numpy().tolist()
    [[2.0, -1.0]]
    """
    moved = inputs + change + (high - low) * share * tf.sign(gradient)
    return tf.clip_by_value(moved, low, high) - inputs
