"""The Euclidean length of groups of entries: pooling that keeps the norm of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from .boxes import Box, between, intersection
from .groups import Group
from .rule import Shapes


class Length(Group):
    """The Euclidean length of the entries along the last axis, which it drops.

    In a box of centre `c` and radius `r` it is at least `<c, x> / |c|`, by the inequality of Cauchy and Schwarz. A root
    lies below its tangents and a square below its chords, so that with `q = |c|^2 + |r|^2` it is at most
    `(<c, x> + |r|^2) / sqrt(q)`, which is nearest in the middle of the box.
    """

    def answer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Without the last axis."""
        return shape[:-1]

    def stretch(self, shapes: Shapes) -> Any:
        """By nothing."""
        return 1.0

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The shortest and the longest; no farther from the length of the centre than the radius is long."""
        (box,) = boxes
        size = tf.abs(box.centre)
        ends = between(tf.norm(tf.nn.relu(size - box.radius), axis=-1), tf.norm(size + box.radius, axis=-1))
        return intersection(ends, Box(tf.norm(box.centre, axis=-1), tf.norm(box.radius, axis=-1)))

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """As the class says."""
        (box,) = boxes
        spread = tf.reduce_sum(tf.square(box.radius), axis=-1, keepdims=True)
        square = tf.reduce_sum(tf.square(box.centre), axis=-1, keepdims=True)
        middle = tf.sqrt(square + spread)
        above, below = (tf.math.divide_no_nan(box.centre, length) for length in (middle, tf.sqrt(square)))
        offset = tf.math.divide_no_nan(spread, middle)
        return tf.expand_dims(above, -2), offset, tf.expand_dims(below, -2), tf.zeros_like(offset)

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Every entry of a marked group."""
        return [tf.broadcast_to(support[..., None], (tf.shape(support)[0], *shapes[0]))]
