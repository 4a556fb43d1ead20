"""Activations of one entry: two lines that hold the function between them on the interval of its input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from .boxes import ROUNDING, Box, between
from .rule import Rule, Shapes


class Lines(NamedTuple):
    """`lower_slope z + lower_offset <= f(z) <= upper_slope z + upper_offset`, each `(n, *shape)`."""

    upper_slope: Any
    upper_offset: Any
    lower_slope: Any
    lower_offset: Any


class Elementwise(Rule):
    """A function of each entry by itself.

    An upper bound takes the upper line where its weight is positive and the lower line where it is negative.
    """

    diagonal: ClassVar[bool] = True

    @abstractmethod
    def lines(self, box: Box) -> Lines:
        """The two lines."""

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """The two lines."""
        return tuple(self.lines(boxes[0]))

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """`w+ upper + w- lower`."""
        lines = Lines(*(each[:, None] for each in relaxation))
        positive, negative = tf.nn.relu(weights), -tf.nn.relu(-weights)
        through = positive * lines.upper_slope + negative * lines.lower_slope
        return [through], positive * lines.upper_offset + negative * lines.lower_offset

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Every entry stays where it is."""
        return [support]


class Rectified(Elementwise):
    """`max(z, 0)`, in forms that keep radii which are tiny beside the centre.

    With `l = c - r < 0 < u = c + r` the upper line has slope `s = (c + r) / 2r` and offset `-l s`, the lower line the
    slope 1 where `u > -l` and 0 elsewhere, or whatever slope in [0, 1] it is given.
    """

    def interval(self, boxes: Sequence[Box]) -> Box:
        """Not `relu(c - r)` and `relu(c + r)`, whose difference loses a radius below 6e-8 of the centre."""
        (box,) = boxes
        half = (box.centre + box.radius) / 2
        active, dead = box.centre >= box.radius, box.centre <= -box.radius
        return Box(
            tf.where(active, box.centre, tf.where(dead, 0.0, half)),
            tf.where(active, box.radius, tf.where(dead, 0.0, half)),
        )

    def lines(self, box: Box) -> Lines:
        """As the class says; the lower slope is the last but one."""
        active, unstable = box.centre >= box.radius, self.unstable([box])[0]
        # Two divisors, because the gradient of `where` is not finite where either is not.
        slope = (box.centre + box.radius) / (2 * tf.where(unstable, box.radius, 1.0))
        one, zero = tf.ones_like(slope), tf.zeros_like(slope)
        fixed = tf.where(active, one, zero)
        return Lines(
            tf.where(unstable, slope, fixed),
            tf.where(unstable, (box.radius - box.centre) * slope, zero),
            tf.where(unstable, tf.where(box.centre > 0, one, zero), fixed),
            zero,
        )

    def stretch(self, shapes: Shapes) -> Any:
        """By nothing."""
        return 1.0

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """Entries that are positive for some inputs and negative for others."""
        return [tf.abs(boxes[0].centre) < boxes[0].radius]

    def with_slopes(self, relaxation: tuple[Any, ...], slopes: Any) -> tuple[Any, ...]:
        """The lines with other lower slopes, in [0, 1], where they are free."""
        lines = Lines(*relaxation)
        free = lines.upper_offset > 0
        return tuple(lines._replace(lower_slope=tf.where(free, slopes, lines.lower_slope)))

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """As for every activation; the lower line goes through zero."""
        upper, offset, lower = (each[:, None] for each in relaxation[:3])
        positive = tf.nn.relu(weights)
        return [weights * lower + positive * (upper - lower)], positive * offset


class Bent(Elementwise):
    """`slope z` below zero, `z` above it, and no more than `cap`: leaky, capped and parametric ReLUs.

    Parameters
    ----------
    slope : gives a number or a tensor that broadcasts over the entries.
    cap : the largest value, or None.
    """

    def __init__(self, slope: Callable[[], Any], cap: float | None = None):
        self._slope, self._cap = slope, cap

    def _value(self, inputs: Any, slope: Any) -> Any:
        outputs = tf.nn.relu(inputs) - slope * tf.nn.relu(-inputs)
        return outputs if self._cap is None else tf.minimum(outputs, self._cap)

    def _corners(self, box: Box) -> list[Any]:
        kinks = [0.0] if self._cap is None else [0.0, self._cap]
        ends = [box.lower, box.upper]
        return [*ends, *(tf.clip_by_value(tf.zeros_like(box.centre) + kink, *ends) for kink in kinks)]

    def _pieces(self, box: Box, slope: Any) -> list[tuple[Any, Any, Any]]:
        """Where the box lies in one piece: `(mask, slope, offset)`."""
        ones, zeros = tf.ones_like(box.centre), tf.zeros_like(box.centre)
        below = (box.centre <= -box.radius, ones * slope, zeros)
        if self._cap is None:
            return [below, (box.centre >= box.radius, ones, zeros)]
        above = box.centre - self._cap
        return [
            below,
            ((box.centre >= box.radius) & (above <= -box.radius), ones, zeros),
            (above >= box.radius, zeros, zeros + self._cap),
        ]

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The extremes at the ends and the kinks; exact, without a difference, where the box lies in one piece."""
        (box,) = boxes
        slope = self._slope_of(box)
        values = tf.stack([self._value(corner, slope) for corner in self._corners(box)])
        found = between(tf.reduce_min(values, 0), tf.reduce_max(values, 0))
        for inside, own, offset in self._pieces(box, slope):
            found = Box(
                tf.where(inside, own * box.centre + offset, found.centre),
                tf.where(inside, tf.abs(own) * box.radius, found.radius),
            )
        return found

    def lines(self, box: Box) -> Lines:
        """Of the slopes of the chord and of the pieces those whose line is nearest at the centre."""
        slope = self._slope_of(box)
        corners = self._corners(box)
        rise = self._value(box.upper, slope) - self._value(box.lower, slope)
        chord = rise / (2 * tf.where(box.radius > 0, box.radius, 1.0))
        ones = tf.ones_like(box.centre)
        slopes = [chord, ones * slope, ones, *([] if self._cap is None else [tf.zeros_like(ones)])]
        found = nearest_lines(
            box.centre, tf.stack(slopes), [(each, self._value(each, slope)) for each in corners], rounding=ROUNDING
        )
        for inside, own, offset in self._pieces(box, slope):
            pieces = (own, offset, own, offset)
            found = Lines(*(tf.where(inside, piece, line) for piece, line in zip(pieces, found, strict=True)))
        return found

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """Entries whose box lies in more than one piece."""
        (box,) = boxes
        inside = [mask for mask, _, _ in self._pieces(box, self._slope_of(box))]
        return [~tf.reduce_any(tf.stack(inside), axis=0)]

    def stretch(self, shapes: Shapes) -> Any:
        """The steepest of its pieces."""
        return tf.maximum(1.0, tf.reduce_max(tf.abs(tf.cast(tf.convert_to_tensor(self._slope()), tf.float32))))

    def _slope_of(self, box: Box) -> Any:
        return tf.cast(tf.convert_to_tensor(self._slope()), box.centre.dtype)


def nearest_lines(centre: Any, slopes: Any, points: Sequence[tuple[Any, Any]], rounding: float) -> Lines:
    """For each side the line, of some slopes, that is nearest to the function at the centre of the interval.

    A line above the function on `[l, u]` encloses the area `(u - l)` times its height over the middle, so that the
    lowest there is the tightest on the whole.

    Parameters
    ----------
    slopes : `(k, n, *shape)`.
    points : where `f(z) - slope z` has its extremes for each slope: `(z, f(z))`, each `(n, *shape)` or
        `(k, n, *shape)`.
    rounding : relative error of the values.
    """
    heights = tf.stack([value - slopes * place for place, value in points])
    scale = tf.stack([tf.abs(value) + tf.abs(slopes * place) for place, value in points])
    slack = 2 * rounding * tf.reduce_max(scale, 0)
    upper, lower = tf.reduce_max(heights, 0) + slack, tf.reduce_min(heights, 0) - slack
    highest = tf.argmin(slopes * centre + upper, axis=0)
    lowest = tf.argmax(slopes * centre + lower, axis=0)

    def taken(table: Any, which: Any) -> Any:
        number = table.shape[0]
        return tf.reduce_sum(tf.where(tf.one_hot(which, number, axis=0) > 0, table, tf.zeros_like(table)), axis=0)

    return Lines(taken(slopes, highest), taken(upper, highest), taken(slopes, lowest), taken(lower, lowest))
