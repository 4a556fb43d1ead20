"""Smooth activations: sigmoid, tanh, softplus, GELU, swish, by one method for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from .boxes import ROUNDING, Box, between
from .elementwise import Elementwise, Lines, nearest_lines

HALVINGS = 20


class Curve(Elementwise):
    """A smooth function `f` of each entry.

    Four slopes are tried for each line: that of the chord, and those of the tangents at both ends and in the middle.
    For a slope `a` the offset is the extreme of `f(z) - a z` over the interval: at an end, or where `f'(z) = a`, which
    halving finds on each piece where `f'` is monotone. So any function will do whose inflections are known.

    Parameters
    ----------
    function, derivative : `f` and `f'`, of tensors.
    curvature : a number that `|f''|` nowhere exceeds.
    inflections : where `f''` changes its sign, rising.
    turns : where `f'` is zero.
    rounding : relative error of `f` in float32.
    name : of the function.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        derivative: Callable[[Any], Any],
        curvature: float,
        inflections: Sequence[float] = (),
        turns: Sequence[float] = (),
        rounding: float = 4 * ROUNDING,
        name: str = "",
    ):
        self.name = name
        self._function, self._derivative, self._curvature = function, derivative, curvature
        self._inflections, self._turns, self._rounding = tuple(inflections), tuple(turns), rounding

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The extremes at the ends and turns, or `f(c)` and `r (|f'(c)| + C r / 2)`, which keeps tiny radii."""
        (box,) = boxes
        ends = box.lower, box.upper
        places = [*ends, *(tf.clip_by_value(tf.zeros_like(box.centre) + turn, *ends) for turn in self._turns)]
        values = tf.stack([self._function(place) for place in places])
        wide = between(tf.reduce_min(values, 0), tf.reduce_max(values, 0))
        wide = wide._replace(radius=wide.radius + self._rounding * tf.reduce_max(tf.abs(values), 0))
        near = Box(
            self._function(box.centre),
            box.radius * (tf.abs(self._derivative(box.centre)) + self._curvature * box.radius / 2),
        )
        smaller = near.radius <= wide.radius
        return Box(tf.where(smaller, near.centre, wide.centre), tf.where(smaller, near.radius, wide.radius))

    def lines(self, box: Box) -> Lines:
        """For each side the best of four slopes."""
        lower, upper = box.lower, box.upper
        at_lower, at_upper = self._function(lower), self._function(upper)
        tangent = self._derivative(box.centre)
        # Below this width the difference is mostly rounding, and the tangent as good.
        wide = box.radius > 1e-3 * tf.maximum(1.0, tf.abs(box.centre))
        chord = tf.where(wide, (at_upper - at_lower) / (2 * tf.where(wide, box.radius, 1.0)), tangent)
        slopes = tf.stack([chord, tangent, self._derivative(lower), self._derivative(upper)])
        points = [(lower, at_lower), (upper, at_upper)]
        for touching in self._touching(slopes, lower, upper):
            points.append((touching, self._function(touching)))
        return nearest_lines(box.centre, slopes, points, self._rounding)

    def _touching(self, slopes: Any, lower: Any, upper: Any) -> list[Any]:
        """Where `f'(z)` is each slope, on each piece on which it is monotone; the nearer end where it is nowhere."""
        edges = [lower, *(tf.clip_by_value(tf.zeros_like(lower) + edge, lower, upper) for edge in self._inflections)]
        starts, ends = tf.stack(edges), tf.stack([*edges[1:], upper])
        # One stack of all pieces and slopes: as many operations as for one.
        direction = tf.sign(self._derivative(ends) - self._derivative(starts))[:, None]
        first, last = (tf.broadcast_to(each[:, None], (len(edges), *_shape(slopes))) for each in (starts, ends))

        def halved(step: Any, first: Any, last: Any) -> Any:
            middle = (first + last) / 2
            before = (self._derivative(middle) - slopes) * direction < 0
            return step + 1, tf.where(before, middle, first), tf.where(before, last, middle)

        found = tf.while_loop(lambda step, *_: step < HALVINGS, halved, (tf.constant(0), first, last))
        return tf.unstack((found[1] + found[2]) / 2, num=len(edges))


def _shape(tensor: Any) -> list[Any]:
    dynamic = tf.shape(tensor)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(tensor.shape)]


def _bell(z: Any) -> Any:
    return tf.exp(-tf.square(z) / 2) / math.sqrt(2 * math.pi)


def _normal(z: Any) -> Any:
    return 0.5 * tf.math.erfc(-z / math.sqrt(2.0))


def _sigmoid_slope(z: Any) -> Any:
    return tf.sigmoid(z) * tf.sigmoid(-z)


def _tanh_slope(z: Any) -> Any:
    return 1.0 / tf.square(tf.cosh(tf.clip_by_value(z, -30.0, 30.0)))


def _swish_slope(z: Any) -> Any:
    return tf.sigmoid(z) * (1.0 + z * tf.sigmoid(-z))


_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def _tanh_gelu(z: Any) -> Any:
    return 0.5 * z * (1.0 + tf.tanh(_GELU_SCALE * (z + _GELU_CUBE * z**3)))


def _tanh_gelu_slope(z: Any) -> Any:
    inner = _GELU_SCALE * (z + _GELU_CUBE * z**3)
    rise = _GELU_SCALE * (1.0 + 3 * _GELU_CUBE * z**2)
    return 0.5 * (1.0 + tf.tanh(inner)) + 0.5 * z * rise * _tanh_slope(inner)


def sigmoid() -> Curve:
    """`1 / (1 + exp(-z))`."""
    return Curve(tf.sigmoid, _sigmoid_slope, curvature=0.0963, inflections=(0.0,), name="sigmoid")


def tanh() -> Curve:
    """The hyperbolic tangent."""
    return Curve(tf.tanh, _tanh_slope, curvature=0.77, inflections=(0.0,))


def softplus() -> Curve:
    """`log(1 + exp(z))`."""
    return Curve(tf.nn.softplus, tf.sigmoid, curvature=0.25)


def swish() -> Curve:
    """`z / (1 + exp(-z))`, SiLU."""
    return Curve(
        lambda z: z * tf.sigmoid(z),
        _swish_slope,
        curvature=0.5,
        inflections=(-2.3993573, 2.3993573),
        turns=(-1.2784645,),
    )


def gelu() -> Curve:
    """`z Phi(z)`."""
    return Curve(
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * _bell(z),
        curvature=0.798,
        inflections=(-math.sqrt(2), math.sqrt(2)),
        turns=(-0.7517916,),
    )


def tanh_gelu() -> Curve:
    """GELU by its usual approximation with a hyperbolic tangent."""
    return Curve(_tanh_gelu, _tanh_gelu_slope, curvature=0.799, inflections=(-1.418504, 1.418504), turns=(-0.7524614,))


def square() -> Curve:
    """`z^2`."""
    return Curve(tf.square, lambda z: 2 * z, curvature=2.0, turns=(0.0,))
