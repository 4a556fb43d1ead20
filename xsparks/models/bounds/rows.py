"""The rows of a backward pass: one for each entry of a node, or for many entries that never meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from .network import Network, Pool, total

# Entries of the marks that are sent through a network to find its receptive fields, at most.
MOST_MARKS = 2**25


class Rows(ABC):
    """Which linear functions of a node are bounded, and how many in one?

    count : rows for all entries.
    parts : entries that a row holds, at most.
    """

    count: int
    parts: int

    @abstractmethod
    def needed(self, marks: Any) -> Any:
        """Which rows hold a marked entry: `(n, *shape)` of 0 and 1 -> `(n, count)` bool."""

    @abstractmethod
    def weights(self, ids: Any) -> Any:
        """The rows of these numbers `(n, s)`, with one at each of their entries: `(n, s, *shape)` float32."""

    @abstractmethod
    def places(self, ids: Any) -> tuple[Any, Any]:
        """The entries of rows, counted through the node: `(n, s, parts)` int32, and which of them exist, bool."""

    def pool(self, ids: Any) -> Pool:
        """Sums for each entry of each row over what belongs to it, from values `(n, s, *shape of a node)`."""
        return total


@dataclass(frozen=True, eq=False)
class SingleRows(Rows):
    """One row for each entry of a node of a shape."""

    shape: tuple[int, ...]
    parts: int = 1

    @property
    def count(self) -> int:
        """Entries."""
        return int(np.prod(self.shape))

    def needed(self, marks: Any) -> Any:
        """The marked entries."""
        return tf.reshape(marks > 0, (-1, self.count))

    def weights(self, ids: Any) -> Any:
        """One-hot rows."""
        return tf.reshape(tf.one_hot(ids, self.count), (-1, ids.shape[1], *self.shape))

    def places(self, ids: Any) -> tuple[Any, Any]:
        """The row itself."""
        return ids[..., None], tf.ones_like(ids[..., None], tf.bool)


@dataclass(frozen=True, eq=False)
class ColouredRows(Rows):
    """Rows of entries whose receptive fields are disjoint, at every node back to the input.

    Entries whose places agree modulo the strides, along the first two axes, share a row for each channel. What they add
    to the constant is told apart by the part of each node that each can reach, a rectangle.

    Parameters
    ----------
    shape : of the node.
    strides : along the first two axes.
    reach : for each earlier node, which of its places along each axis each place of this node can reach: matrices
        `(size, size of the other node)` of 0 and 1.

    Source
    ------
    The idea is that of graph colouring for sparse Jacobians: A. H. Gebremedhin, F. Manne, A. Pothen, "What Color Is
    Your Jacobian? Graph Coloring for Computing Derivatives", SIAM Review 47, 2005,
    https://doi.org/10.1137/S0036144504444711
    """

    shape: tuple[int, ...]
    strides: tuple[int, int]
    reach: dict[int, tuple[np.ndarray, np.ndarray]]

    @property
    def _steps(self) -> tuple[int, int]:
        """Entries of a row along both axes."""
        return -(-self.shape[0] // self.strides[0]), -(-self.shape[1] // self.strides[1])

    @property
    def _channels(self) -> int:
        return int(np.prod(self.shape[2:]))

    @property
    def parts(self) -> int:
        """Entries of a row."""
        return self._steps[0] * self._steps[1]

    @property
    def count(self) -> int:
        """Colours times channels."""
        return self.strides[0] * self.strides[1] * self._channels

    def needed(self, marks: Any) -> Any:
        """The rows with a marked entry."""
        (steps, more), (stride, other) = self._steps, self.strides
        rest = [[0, steps * stride - self.shape[0]], [0, more * other - self.shape[1]]]
        marks = tf.reshape(marks, (-1, self.shape[0], self.shape[1], self._channels))
        marks = tf.pad(marks, [[0, 0], *rest, [0, 0]])
        marks = tf.reshape(marks, (-1, steps, stride, more, other, self._channels))
        return tf.reshape(tf.reduce_max(marks, axis=(1, 3)) > 0, (-1, self.count))

    def _along(self, ids: Any) -> tuple[tuple[Any, Any], tuple[Any, Any], Any]:
        """Places along both axes `(n, s, steps)`, clipped, with whether they exist; and channels `(n, s)`."""
        channel, colour = ids % self._channels, ids // self._channels
        found = []
        for axis, start in enumerate((colour // self.strides[1], colour % self.strides[1])):
            places = start[..., None] + self.strides[axis] * tf.range(self._steps[axis])
            found.append((tf.minimum(places, self.shape[axis] - 1), places < self.shape[axis]))
        return found[0], found[1], channel

    def weights(self, ids: Any) -> Any:
        """One at every entry of the colour and the channel."""
        channel, colour = ids % self._channels, ids // self._channels
        first = tf.range(self.shape[0]) % self.strides[0] == (colour // self.strides[1])[..., None]
        second = tf.range(self.shape[1]) % self.strides[1] == (colour % self.strides[1])[..., None]
        own = tf.cast(first[..., :, None] & second[..., None, :], tf.float32)
        spread = own[..., None] * tf.one_hot(channel, self._channels)[:, :, None, None]
        return tf.reshape(spread, (-1, ids.shape[1], *self.shape))

    def places(self, ids: Any) -> tuple[Any, Any]:
        """All entries of the colour and the channel."""
        (first, exists), (second, also), channel = self._along(ids)
        place = first[..., :, None] * self.shape[1] + second[..., None, :]
        place = place * self._channels + channel[..., None, None]
        both = exists[..., :, None] & also[..., None, :]
        shape = (-1, ids.shape[1], self.parts)
        return tf.reshape(place, shape), tf.reshape(both, shape)

    def pool(self, ids: Any) -> Pool:
        """Sums over the rectangle of each entry, of both signs of the rows where twice as many come."""
        (first, _), (second, _), _ = self._along(ids)

        def pool(node: int, values: Any) -> Any:
            rows, columns = self.reach[node]
            size = values.shape[2:]
            signs = values.shape[1] // ids.shape[1]
            flat = tf.reshape(values, (-1, values.shape[1], size[0], size[1], int(np.prod(size[2:]))))
            flat = tf.reduce_sum(flat, axis=-1)
            of_rows, of_columns = (
                tf.tile(tf.gather(tf.constant(matrix, values.dtype), place), (1, signs, 1, 1))
                for matrix, place in ((rows, first), (columns, second))
            )
            # (n, s, steps, rows) (n, s, rows, columns) (n, s, columns, more steps)
            found = tf.matmul(tf.matmul(of_rows, flat), of_columns, transpose_b=True)
            return tf.reshape(found, (-1, values.shape[1], self.parts))

        return pool


def rows_of(network: Network, anchor: int, colour: bool = True) -> Rows:
    """The fewest rows that hold all entries of a node.

    Parameters
    ----------
    colour : whether entries may share a row.
    """
    single = SingleRows(network.nodes[anchor].shape)
    found = _coloured(network, anchor) if colour else None
    # A coloured row costs more, for its constants are sorted by place.
    return single if found is None or found.count > single.count / 2 else found


def _coloured(network: Network, anchor: int) -> ColouredRows | None:
    shape = network.nodes[anchor].shape
    if len(shape) < 2:
        return None
    along = [_eagerly(lambda axis=axis: _reached(network, anchor, axis)) for axis in (0, 1)]
    if any(each is None for each in along):
        return None
    first, second = (each for each in along if each is not None)
    strides = [_stride(list(each.values())) for each in (first, second)]
    return ColouredRows(shape, (strides[0], strides[1]), {node: (first[node], second[node]) for node in first})


def _eagerly(function: Callable[[], Any]) -> Any:
    """What a function answers outside of any graph that is being built."""
    if tf.executing_eagerly():
        return function()
    # No tape records within `tf.init_scope`; a thread of its own has no graph.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(function).result()


def _reached(network: Network, anchor: int, axis: int) -> dict[int, np.ndarray] | None:
    """For each node up to the anchor, which of its places along an axis each place of the anchor reaches; None where
    a node has no two axes.

    Marks run backwards from all entries of one place along the axis. Rectangles of what is reached along both axes hold
    all that an entry reaches, whatever the steps do.
    """
    shape = network.nodes[anchor].shape
    size = shape[axis]
    marks = np.zeros((size, *shape), "float32")
    for place in range(size):
        marks[(place, *[slice(None)] * axis, place)] = 1.0
    pending, found = {anchor: tf.constant(marks)}, {}
    for number in range(anchor, -1, -1):
        if number not in pending:
            continue
        node, own = network.nodes[number], pending.pop(number)
        if len(node.shape) < 2 or size * node.size > MOST_MARKS:
            return None
        others = [each for each in range(1, len(node.shape) + 1) if each != axis + 1]
        found[number] = (tf.reduce_max(own, axis=others).numpy() > 0).astype("float32")
        if node.rule is None:
            continue
        parts = node.rule.reach(own, [network.nodes[source].shape for source in node.inputs])
        for source, part in zip(node.inputs, parts, strict=True):
            pending[source] = tf.maximum(pending[source], part) if source in pending else part
    return found


def _stride(reached: list[np.ndarray]) -> int:
    """The smallest stride at which no two places reach the same place of any node."""
    size = len(reached[0])
    for stride in range(1, size):
        classes = (matrix[start::stride].sum(axis=0).max() for matrix in reached for start in range(stride))
        if all(most <= 1 for most in classes):
            return stride
    return size
