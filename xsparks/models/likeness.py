"""How alike two boxes are, and two classes, with gradients that exist everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def intersection_over_union(objects: Any, boxes: Any) -> Any:
    """Of each object `(n, o, 4)` with each box `(n, b, 4)`, `(n, o, b)`; 0 with an empty box.

    Example
    -------
    >>> boxes = tf.constant([[[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [4.0, 4.0, 3.0, 5.0]]])
    >>> intersection_over_union(boxes[:, :1], boxes).numpy().round(3).tolist()
    [[[1.0, 0.333, 0.0]]]
    """
    objects, boxes = objects[:, :, None], boxes[:, None]
    low = _limit(tf.maximum, objects[..., :2], boxes[..., :2])
    high = _limit(tf.minimum, objects[..., 2:], boxes[..., 2:])
    shared = tf.reduce_prod(tf.nn.relu(high - low), axis=-1)
    return tf.math.divide_no_nan(shared, _area(objects) + _area(boxes) - shared)


def _limit(limit: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    # Where two edges fall together each gets half of the gradient: at a perfect match neither way is preferred.
    return tf.where(tf.equal(one, other), 0.5 * (one + other), limit(one, other))


def _area(boxes: Any) -> Any:
    return tf.reduce_prod(tf.nn.relu(boxes[..., 2:] - boxes[..., :2]), axis=-1)


def cosine(objects: Any, classes: Any) -> Any:
    """Of the class probabilities of each object `(n, o, k)` and each box `(n, b, k)`, `(n, o, b)`; 0 without any."""
    return tf.matmul(_unit(objects), _unit(classes), transpose_b=True)


def _unit(vectors: Any) -> Any:
    squares = tf.reduce_sum(vectors**2, axis=-1, keepdims=True)
    # The root of 0 has no gradient, not even behind a `where`.
    return tf.where(squares > 0, vectors * tf.math.rsqrt(tf.where(squares > 0, squares, 1.0)), 0.0)
