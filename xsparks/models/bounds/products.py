"""Products of two tensors, and the softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from .boxes import ROUNDING, Box, between
from .linear import transposed
from .rule import Rule, Shapes


class Product(Rule):
    """The product of two tensors, entry by entry, between two planes (McCormick 1976).

    With `x = c_x + a`, `|a| <= r_x`, and `y = c_y + b`, `|b| <= r_y`, every `t` in [-1, 1] gives

        a b <= t (r_x b - r_y a) + r_x r_y,   a b >= t (r_x b + r_y a) - r_x r_y.

    For each entry the `t` of -1, 0, 1 is taken that is best if nothing came before.

    Parameters
    ----------
    shape : of the product, to which both inputs are broadcast.
    """

    pairwise: ClassVar[bool] = True

    def __init__(self, shape: tuple[int, ...]):
        self._shape = shape

    def _spread(self, inputs: Any) -> Any:
        return tf.broadcast_to(inputs, (tf.shape(inputs)[0], *self._shape))

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The extremes of the four corners; in centre and radius where that is tighter, as it is for tiny radii."""
        x, y = boxes
        corners = tf.stack([x.lower * y.lower, x.lower * y.upper, x.upper * y.lower, x.upper * y.upper])
        wide = between(tf.reduce_min(corners, 0), tf.reduce_max(corners, 0))
        radius = tf.abs(x.centre) * y.radius + tf.abs(y.centre) * x.radius + x.radius * y.radius
        near = Box(x.centre * y.centre, radius)
        smaller = near.radius <= wide.radius
        return Box(tf.where(smaller, near.centre, wide.centre), tf.where(smaller, near.radius, wide.radius))

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """Slopes in `x`, in `y`, and the offset, of the upper plane and of the lower."""
        (cx, rx), (cy, ry) = ((self._spread(box.centre), self._spread(box.radius)) for box in boxes)
        most = rx * ry
        return *self._plane(cx, cy, rx, -ry, rx, ry, most), *self._plane(cx, cy, rx, ry, rx, ry, -most)

    def _plane(self, cx: Any, cy: Any, tilt_y: Any, tilt_x: Any, rx: Any, ry: Any, most: Any) -> tuple[Any, Any, Any]:
        """`x y` against `(c_y + t tilt_x) x + (c_x + t tilt_y) y + offset`."""
        tries = tf.reshape(tf.constant([0.0, -1.0, 1.0], cx.dtype), (3, *[1] * len(cx.shape)))
        width = tf.abs(cy + tries * tilt_x) * rx + tf.abs(cx + tries * tilt_y) * ry
        chosen = tf.gather(tf.reshape(tries, (-1,)), tf.argmin(width, 0))
        offset = -cx * cy - chosen * (tilt_x * cx + tilt_y * cy) + most
        # The rounding of a sum whose terms are larger than it.
        slack = 4 * ROUNDING * (tf.abs(cx) + rx) * (tf.abs(cy) + ry) * tf.sign(most)
        return cy + chosen * tilt_x, cx + chosen * tilt_y, offset + slack

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """`w+ upper + w- lower`, summed where an input was broadcast."""
        x_up, y_up, up, x_low, y_low, low = (each[:, None] for each in relaxation)
        positive, negative = tf.nn.relu(weights), -tf.nn.relu(-weights)
        of_x, of_y = positive * x_up + negative * x_low, positive * y_up + negative * y_low
        parts = [transposed(self._spread, [shape], each)[0] for shape, each in zip(shapes, (of_x, of_y), strict=True)]
        return parts, positive * up + negative * low

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """The entries of both inputs."""
        return [transposed(self._spread, [shape], support[:, None])[0][:, 0] for shape in shapes]


class Softmax(Rule):
    """Shares `p_i = exp(x_i - L)`, `L = log sum_j exp(x_j)`, along one axis.

    Forwards each share lies between that with itself lowest and the others highest, and the reverse. Backwards the
    exponential lies between a tangent and a chord, and `L`, which is convex, above its tangent plane; from above

        L <= log T - 1 + sum_j exp(x_j) / T,   exp(x_j) under its chord,

    for any `T > 0`: the sum of the chords in the middle is the best.

    Parameters
    ----------
    axis : of one sample, without the batch; negative.
    """

    def __init__(self, axis: int = -1):
        self._axis = axis

    def _logarithms(self, own: Any, others: Any) -> Any:
        """`log(own_i / (own_i + sum of the others))`, from logarithms."""
        size = own.shape[self._axis]
        own, others = (_last(each, self._axis) for each in (own, others))
        if size == 1:
            return _from_last(tf.zeros_like(own), self._axis)
        # A sum without each entry, because the difference from the whole loses small ones.
        apart = tf.where(tf.eye(size, dtype=tf.bool), tf.constant(-float("inf"), own.dtype), others[..., None, :])
        return _from_last(-tf.nn.softplus(tf.reduce_logsumexp(apart, -1) - own), self._axis)

    def interval(self, boxes: Sequence[Box]) -> Box:
        """As the class says."""
        (box,) = boxes
        ends = self._logarithms(box.lower, box.upper), self._logarithms(box.upper, box.lower)
        found = between(*(tf.exp(each) for each in ends))
        shares = tf.nn.softmax(box.centre, self._axis)
        # If no entry moves by more than m, no share moves by more than the factor exp(2 m).
        most = tf.reduce_max(box.radius, self._axis, keepdims=True)
        near = Box(shares, shares * tf.math.expm1(2 * most))
        smaller = near.radius <= found.radius
        return Box(tf.where(smaller, near.centre, found.centre), tf.where(smaller, near.radius, found.radius))

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """For each side the slopes and offsets of `exp`, and the plane of `L` that it needs."""
        (box,) = boxes
        low, high = self._logarithms(box.lower, box.upper), self._logarithms(box.upper, box.lower)
        slack = 1e-6 * (1.0 + tf.abs(low))
        low, high = low - slack, high + slack
        chord, above = _over_exponential(low, high)
        middle = (low + high) / 2
        tangent = tf.exp(middle)
        below = tangent * (1.0 - middle)
        plane_low = tf.nn.softmax(box.centre, self._axis)
        level = tf.reduce_logsumexp(box.centre, self._axis, keepdims=True)
        offset_low = level - tf.reduce_sum(plane_low * box.centre, self._axis, keepdims=True)
        plane_high, offset_high = self._over(box)
        return chord, above, plane_low, offset_low, tangent, below, plane_high, offset_high

    def _over(self, box: Box) -> tuple[Any, Any]:
        """The plane over `L`, taken relative to the highest entry so that no exponential is too large."""
        top = tf.reduce_max(box.upper, self._axis, keepdims=True)
        low, high = box.lower - top, box.upper - top
        chord, start = _over_exponential(low, high)
        centre = box.centre - top
        total = tf.reduce_sum(start + chord * centre, self._axis, keepdims=True)
        plane = chord / total
        offset = tf.math.log(total) - 1.0 + tf.reduce_sum(start - chord * top, self._axis, keepdims=True) / total
        return plane, offset + top + 1e-5 * (1.0 + tf.abs(top))

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """Through the exponential, and then through `x - L`."""
        up, up_offset, low_plane, low_level, down, down_offset, high_plane, high_level = (
            each[:, None] for each in relaxation
        )
        positive, negative = tf.nn.relu(weights), -tf.nn.relu(-weights)
        # Slopes of exp are positive: an upper bound of a share needs a lower bound of L, and the reverse.
        rising, falling = positive * up, negative * down
        of_rising, of_falling = (tf.reduce_sum(each, self._axis, keepdims=True) for each in (rising, falling))
        through = rising + falling - of_rising * low_plane - of_falling * high_plane
        added = positive * up_offset + negative * down_offset - rising * low_level - falling * high_level
        return [through], added

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Every entry beside a marked one."""
        return [tf.zeros_like(support) + tf.reduce_max(support, self._axis, keepdims=True)]


def _over_exponential(low: Any, high: Any) -> tuple[Any, Any]:
    """Slope and offset of a line over `exp` on an interval: the chord, or a steeper line where it is very narrow."""
    wide = high - low > 1e-3
    slope = tf.where(wide, (tf.exp(high) - tf.exp(low)) / tf.where(wide, high - low, 1.0), tf.exp(high))
    return slope, tf.maximum(tf.exp(high) - slope * high, tf.exp(low) - slope * low)


def _last(tensor: Any, axis: int) -> Any:
    """The axis moved to the end."""
    rank = len(tensor.shape)
    return tf.transpose(tensor, [each for each in range(rank) if each != rank + axis] + [rank + axis])


def _from_last(tensor: Any, axis: int) -> Any:
    """The last axis moved to where `axis` is."""
    rank = len(tensor.shape)
    order = list(range(rank - 1))
    order.insert(rank + axis, rank - 1)
    return tf.transpose(tensor, order)
