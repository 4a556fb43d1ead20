"""How the answers to the variants of a sample become one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from .plan import Items


def table(*shape: int, like: Any = tf.float32) -> Callable[[Any, Any], Any]:
    """A start: an empty table `(m, *shape)`, such as `(m, count)` or `(m, count, width)`, one row a sample."""

    def start(inputs: Any, side: Any) -> Any:
        samples = tf.shape(tf.nest.flatten(inputs)[0])[0]
        return tf.ensure_shape(tf.zeros([samples, *shape], like), [None, *shape])

    return start


def collect(state: Any, items: Items, extra: Any, values: Any) -> Any:
    """A fold that keeps every answer: `state (m, count, ...)`."""
    return tf.nest.map_structure(items.put, state, values)


def total(state: Any, items: Items, extra: Any, values: Any) -> Any:
    """A fold that adds the answers of a sample: `state (m, ...)`."""
    return tf.nest.map_structure(items.add, state, values)


def as_is(state: Any, inputs: Any, side: Any) -> Any:
    """A finish that returns the state."""
    return state
