"""Boxes, as centre and radius: what an interval bound says about the entries of one layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

# Rounding of one operation in float32, doubled.
ROUNDING = 1.2e-7


class Box(NamedTuple):
    """All values within `radius` of `centre`, entry by entry; the radius is never negative.

    centre, radius : `(n, *shape)`.
    """

    centre: Any
    radius: Any

    @property
    def lower(self) -> Any:
        """The smallest values."""
        return self.centre - self.radius

    @property
    def upper(self) -> Any:
        """The largest values."""
        return self.centre + self.radius


def between(lower: Any, upper: Any) -> Box:
    """The box between two ends, wide enough for the rounding of its centre.

    Ends in the wrong order, which rounding alone can bring about, make the box that holds both.
    """
    slack = ROUNDING * tf.maximum(tf.abs(lower), tf.abs(upper))
    return Box((lower + upper) / 2, tf.abs(upper - lower) / 2 + slack)


def intersection(first: Box, second: Box) -> Box:
    """The box that holds what is in both.

    Where one is inside the other it is returned as it is: a difference of ends would lose radii that are tiny beside
    the centre.
    """
    apart = tf.abs(first.centre - second.centre)
    inside = apart + second.radius <= first.radius
    outside = apart + first.radius <= second.radius
    cut = between(tf.maximum(first.lower, second.lower), tf.minimum(first.upper, second.upper))

    def chosen(one: Any, other: Any, both: Any) -> Any:
        return tf.where(inside, other, tf.where(outside, one, both))

    return Box(
        chosen(first.centre, second.centre, cut.centre),
        tf.minimum(chosen(first.radius, second.radius, cut.radius), tf.maximum(first.radius, second.radius)),
    )


def certain(upper: Any, magnitude: Any = 0.0) -> Any:
    """An upper bound that was computed in float32, raised by what its rounding may have taken away.

    `u + 1e-5 max(1, |u|) + 1e-6 m`, with `m` the sum of the absolute values of its terms. The measured error of whole
    networks is three to ten times less.
    """
    return upper + 1e-5 * tf.maximum(1.0, tf.abs(upper)) + 1e-6 * magnitude
