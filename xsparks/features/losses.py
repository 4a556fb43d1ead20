"""How much do activations look like a direction? Each a number for each sample, never a sum over the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Below this cosine the product of both no longer falls, so that a direction that is not there yet has a slope.
LEAST_COSINE = 0.1


def dot(activations: Any, direction: Any) -> Any:
    """The inner product over the last axis.

    Parameters
    ----------
    activations, direction : `(..., c)`, of shapes that broadcast.

    Example
    -------
    >>> dot(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([1.0, -1.0])).numpy().tolist()
    [-1.0, -1.0]
    """
    return tf.reduce_sum(activations * direction, axis=-1)


def cosine(activations: Any, direction: Any) -> Any:
    """The cosine of the angle over the last axis, 0 where one of both is zero.

    Example
    -------
    >>> cosine(tf.constant([[3.0, 4.0], [0.0, 0.0]]), tf.constant([1.0, 0.0])).numpy().round(3).tolist()
    [0.6, 0.0]
    """
    return dot(tf.math.l2_normalize(activations, axis=-1), tf.math.l2_normalize(direction, axis=-1))


def dot_cosine(activations: Any, direction: Any) -> Any:
    """The inner product times the square of the cosine, which counts as .1 at least: strong, and in this direction more
    than in others.

    Example
    -------
    >>> dot_cosine(tf.constant([[3.0, 4.0]]), tf.constant([1.0, 0.0])).numpy().round(3).tolist()
    [1.08]
    """
    return dot(activations, direction) * tf.maximum(cosine(activations, direction), LEAST_COSINE) ** 2


def distance(activations: Any, direction: Any) -> Any:
    """The squared distance over the last axis, in units of the squared length of the direction.

    Example
    -------
    >>> distance(tf.constant([[3.0, 4.0]]), tf.constant([0.0, 4.0])).numpy().round(4).tolist()
    [0.5625]
    """
    squared = tf.reduce_sum((activations - direction) ** 2, axis=-1)
    return squared / tf.maximum(tf.reduce_sum(direction**2, axis=-1), 1e-12)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "dot": dot,
    "cosine": cosine,
    "dot_cosine": dot_cosine,
    "distance": distance,
}
