"""Steps that choose among the entries of a group: maxima, minima and sorting (GroupSort)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from .boxes import Box, between
from .rule import Rule, Shapes

# Stands for an entry that a window at the border lacks: below all values, and finite, so that 0 times it is 0.
ABSENT = -1e30


class Group(Rule):
    """A function of the entries along the last axis, each of its values held between two linear functions of them.

    `relax` gives for each side the matrix `(n, *groups, values, entries)` and the offset `(n, *groups, values)`.
    """

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """`w+ upper + w- lower`."""
        upper, upper_offset, lower, lower_offset = (each[:, None] for each in relaxation)
        weights = tf.reshape(weights, (-1, weights.shape[1], *upper_offset.shape[2:]))
        positive, negative = tf.nn.relu(weights), -tf.nn.relu(-weights)
        parts = tf.expand_dims(positive, -1) * upper + tf.expand_dims(negative, -1) * lower
        through = tf.reduce_sum(parts, axis=-2)
        added = positive * upper_offset + negative * lower_offset
        return [through], tf.reshape(added, (-1, added.shape[1], *self.answer(shapes[0])))

    def answer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the outputs for inputs of a shape."""
        return shape


class Largest(Group):
    """The largest of the entries along the last axis, which it drops.

    With `i` the entry of the highest lower end and `m` the highest upper end of the others, the largest is at most
    `x_i + max(m - x_i, 0)`, which the line of that ReLU holds from above (that of `x_j - x_i` where there are two
    entries); from below it is held by the entry whose centre is highest. Where `x_i` cannot be exceeded both are exact.

    Parameters
    ----------
    present : which entries exist, of a shape that broadcasts; None for all.
    """

    def __init__(self, present: np.ndarray | None = None):
        self._present = present

    def _ends(self, box: Box) -> tuple[Any, Any]:
        if self._present is None:
            return box.lower, box.upper
        return tf.where(self._present, box.lower, ABSENT), tf.where(self._present, box.upper, ABSENT)

    def answer(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Without the last axis."""
        return shape[:-1]

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Every entry of a marked group."""
        return [tf.broadcast_to(support[..., None], (tf.shape(support)[0], *shapes[0]))]

    def stretch(self, shapes: Shapes) -> Any:
        """By nothing."""
        return 1.0

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The largest of both ends; the entry itself, with its radius as it is, where no other can exceed it."""
        (box,) = boxes
        lower, upper = self._ends(box)
        found = between(tf.reduce_max(lower, -1), tf.reduce_max(upper, -1))
        first, others = self._leader(lower, upper)
        alone = others <= tf.reduce_max(lower, -1)
        return Box(
            tf.where(alone, tf.reduce_sum(first * box.centre, -1), found.centre),
            tf.where(alone, tf.reduce_sum(first * box.radius, -1), found.radius),
        )

    def _leader(self, lower: Any, upper: Any) -> tuple[Any, Any]:
        """One-hot the entry of the highest lower end, and the highest upper end of the others."""
        first = tf.one_hot(tf.argmax(lower, -1), lower.shape[-1], dtype=lower.dtype)
        return first, tf.reduce_max(tf.where(first > 0, tf.constant(ABSENT, lower.dtype), upper), -1)

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """As the class says."""
        (box,) = boxes
        lower, upper = self._ends(box)
        first, others = self._leader(lower, upper)
        # The difference d = m - x_i lies in [low, high]; its ReLU lies under slope d + offset.
        of_first = tf.reduce_sum(first * tf.stack([lower, upper]), -1)
        pair = lower.shape[-1] == 2
        least = tf.reduce_sum((1 - first) * lower, -1) if pair else others
        low, high = least - of_first[1], others - of_first[0]
        slope, offset = line_of_relu(low, high)
        if pair:
            above = first * (1 - slope)[..., None] + (1 - first) * slope[..., None]
        else:
            above = first * (1 - slope)[..., None]
            # Where the slope is zero `m` may stand for no entry at all.
            offset += tf.where(slope > 0, slope * others, tf.zeros_like(slope))
        centre = box.centre if self._present is None else tf.where(self._present, box.centre, ABSENT)
        below = tf.one_hot(tf.argmax(centre, -1), lower.shape[-1], dtype=lower.dtype)
        below = tf.where((slope > 0)[..., None], below, first)
        upper_matrix, lower_matrix = (tf.expand_dims(each, -2) for each in (above, below))
        offset = tf.expand_dims(offset, -1)
        return upper_matrix, offset, lower_matrix, tf.zeros_like(offset)

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """Entries that may be the largest, of groups where that is open."""
        (box,) = boxes
        lower, upper = self._ends(box)
        highest = tf.reduce_max(lower, -1, keepdims=True)
        _, others = self._leader(lower, upper)
        return [(upper > highest) & (others[..., None] > highest)]


def line_of_relu(low: Any, high: Any) -> tuple[Any, Any]:
    """The lowest line over `max(d, 0)` on `[low, high]`: slope and offset."""
    crossing = (low < 0) & (high > 0)
    slope = tf.where(crossing, high / tf.where(crossing, high - low, 1.0), tf.where(high > 0, tf.ones_like(low), 0.0))
    return slope, tf.where(crossing, -low * slope, tf.zeros_like(low))


class Sorted(Group):
    """The entries along the last axis in rising order, as GroupSort has them.

    Of two entries the larger is `x + max(y - x, 0)` and the smaller what is left of the sum, each held by the lines of
    the ReLU. Of more, a place whose entry is certain is that entry; another lies between the sorted ends.
    """

    def stretch(self, shapes: Shapes) -> Any:
        """By nothing: entries that are sorted are no farther apart than before."""
        return 1.0

    def interval(self, boxes: Sequence[Box]) -> Box:
        """The sorted ends; the entry itself, with its radius as it is, where its place is certain."""
        (box,) = boxes
        found = between(tf.sort(box.lower, -1), tf.sort(box.upper, -1))
        place, certain = self._places(box)

        def placed(entries: Any) -> Any:
            return tf.linalg.matvec(place, entries)

        return Box(
            tf.where(certain, placed(box.centre), found.centre), tf.where(certain, placed(box.radius), found.radius)
        )

    def _places(self, box: Box) -> tuple[Any, Any]:
        """The matrix `(..., places, entries)` of what is certain, and which places are."""
        size = box.centre.shape[-1]
        # Entries of one value keep their order, as they do when sorted.
        earlier = np.tril(np.ones((size, size), bool), -1)
        lower, upper = box.lower, box.upper
        under = upper[..., None, :] < lower[..., :, None]
        over = lower[..., None, :] > upper[..., :, None]
        level = (upper[..., None, :] == lower[..., :, None]) & (lower[..., None, :] == upper[..., :, None])
        under, over = under | (level & earlier), over | (level & earlier.T)
        below, above = (tf.reduce_sum(tf.cast(each, tf.int32), -1) for each in (under, over))
        settled = below + above == size - 1
        place = tf.one_hot(below, size, dtype=lower.dtype) * tf.cast(settled, lower.dtype)[..., None]
        place = tf.linalg.matrix_transpose(place)
        return place, tf.reduce_sum(place, -1) > 0

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """As the class says."""
        (box,) = boxes
        if box.centre.shape[-1] == 2:
            return self._of_two(box)
        place, certain = self._places(box)
        open_place = tf.cast(~certain, place.dtype)
        return (
            place,
            open_place * tf.sort(box.upper, -1),
            place,
            open_place * tf.sort(box.lower, -1),
        )

    def _of_two(self, box: Box) -> tuple[Any, ...]:
        lower, upper = box.lower, box.upper
        low, high = lower[..., 1] - upper[..., 0], upper[..., 1] - lower[..., 0]
        slope, offset = line_of_relu(low, high)
        # Under the ReLU: the difference itself, or nothing, whichever is nearer in the middle.
        under = tf.where((low < 0) & (high > 0), tf.cast(low + high > 0, slope.dtype), slope)

        def both(share: Any, other: Any) -> Any:
            """The smaller `y - share (y - x)` of one side and the larger `x + other (y - x)`."""
            smaller = tf.stack([share, 1 - share], -1)
            larger = tf.stack([1 - other, other], -1)
            return tf.stack([smaller, larger], -2)

        none = tf.zeros_like(offset)
        upper_side = both(under, slope), tf.stack([none, offset], -1)
        lower_side = both(slope, under), tf.stack([-offset, none], -1)
        return *upper_side, *lower_side

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """Entries whose place is open."""
        place, _ = self._places(boxes[0])
        return [tf.reduce_sum(place, -2) == 0]

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Every entry of a marked group."""
        return [tf.zeros_like(support) + tf.reduce_max(support, -1, keepdims=True)]


def window_indices(
    size: int, window: int, stride: int, padding: str, dilation: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Along one axis, which entries each window holds, and which of them exist: `(windows, window)` each.

    An entry beyond the border is replaced by the nearest, which belongs to the same window.
    """
    reach = (window - 1) * dilation + 1
    if padding == "same":
        windows = -(-size // stride)
        first = -(max((windows - 1) * stride + reach - size, 0) // 2)
    else:
        windows, first = (size - reach) // stride + 1, 0
    places = first + stride * np.arange(windows)[:, None] + dilation * np.arange(window)
    return np.clip(places, 0, size - 1), (places >= 0) & (places < size)


def in_windows(inputs: Any, indices: Sequence[np.ndarray], first_axis: int) -> Any:
    """The entries of all windows, along a new last axis, of axes of places that begin at `first_axis`."""
    axes = len(indices)
    outputs = inputs
    for number, along in enumerate(indices):
        # Axes that were gathered before have their windows behind all others.
        outputs = tf.gather(outputs, along, axis=first_axis + number)
        rank = len(outputs.shape)
        order = [axis for axis in range(rank) if axis != first_axis + number + 1]
        outputs = tf.transpose(outputs, [*order, first_axis + number + 1])
    shape: Any = list(outputs.shape)
    return tf.reshape(outputs, [-1, *shape[1:-axes], int(np.prod(shape[-axes:]))])
