"""Families of boxes around each sample: where inputs may lie, and how high a linear function can be there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ...core.checks import check_choice
from ...core.errors import wording
from .boxes import Box
from .network import Pool, total

NORMS = ("inf", "2")
DIRECTIONS = ("both", "remove", "add")
# The rounding of a sum of products in float32, relative to the sum of their absolute values.
SLACK = 1e-6


class Region(NamedTuple):
    """Where the inputs of each sample may lie: in a box, and in a ball where there is one.

    box : `(n, *shape)`.
    ball : the inputs `centre + radius z` with `|z|_2 <= 1`, as a `Box`; or `()`.
    """

    box: Box
    ball: Any = ()

    @property
    def around(self) -> Box | None:
        """The ball, or None."""
        return self.ball if len(self.ball) else None


def highest(region: Region, weights: Any, pool: Pool = total) -> Any:
    """An upper bound of `<w, x>` over a region, parts as the pool has them: `(n, s, *shape)` -> `(n, s, p)`.

    In the box `<w, c> + <|w|, r>`, in the ball `<w, c> + |w r|_2`, the lesser of which holds; raised by what rounding
    may take away.
    """
    centre, radius = (each[:, None] for each in region.box)
    found = pool(0, weights * centre + tf.abs(weights) * (radius * (1 + SLACK) + SLACK * tf.abs(centre)))
    if region.around is None:
        return found
    centre, radius = (each[:, None] for each in region.around)
    along = pool(0, weights * centre + SLACK * tf.abs(weights * centre))
    return tf.minimum(found, along + (1 + SLACK) * tf.sqrt(pool(0, tf.square(weights * radius))))


class Family(ABC):
    """Which boxes does each sample have?

    The first one must hold all the others: relaxations are made on it. `given` is a tree of tensors `(n, ...)`, so that
    other radii need no new trace.
    """

    count: int

    @abstractmethod
    def region(self, inputs: Any, given: Any, index: Any) -> Region:
        """Box number `index (n,)` of the inputs `(n, *shape)`."""

    def first(self, inputs: Any, given: Any) -> Region:
        """The box that holds all others."""
        return self.region(inputs, given, tf.zeros([tf.shape(inputs)[0]], tf.int32))

    def highest(self, weights: Any, inputs: Any, given: Any, pool: Pool = total) -> Any:
        """An upper bound of `<w, x>` over every box: `(n, s, *shape)` -> `(n, s, p, count)`."""
        if self.count == 1:
            return highest(self.first(inputs, given), weights, pool)[..., None]
        number = tf.shape(inputs)[0]

        def over(index: Any) -> Any:
            return highest(self.region(inputs, given, tf.fill([number], index)), weights, pool)

        # One box after the other: side by side they would need the memory of all.
        found = tf.map_fn(over, tf.range(self.count), fn_output_signature=weights.dtype, parallel_iterations=1)
        return tf.transpose(found, (1, 2, 3, 0))


@dataclass(frozen=True, eq=False)
class Listed(Family):
    """Boxes that are handed over: `given` is a `Box` of `(n, count, *shape)`.

    Parameters
    ----------
    count : boxes of a sample.
    """

    count: int = 1

    def region(self, inputs: Any, given: Any, index: Any) -> Region:
        """The box of that number."""
        centre, radius = (tf.gather(each, index, axis=1, batch_dims=1) for each in given)
        return Region(Box(centre, radius))


@dataclass(frozen=True, eq=False, kw_only=True)
class Around(Family):
    """One box, or ball, about each sample, cut off at the range of valid inputs.

    `given["epsilon"]` is its radius, `(n,)` or of a shape that broadcasts to the inputs: per sample, per pixel. A pair
    `given["valid_range"]` of `(n,)` each takes the place of `valid_range`, for samples with ranges of their own.

    Parameters
    ----------
    norm : `"inf"` for `|x' - x| <= epsilon` in every entry; `"2"` for `|(x' - x) / epsilon|_2 <= 1`.
    valid_range : the lowest and highest valid value, numbers or arrays that broadcast to a sample; None for no bounds.
    direction : `"both"`; `"remove"` for inputs below the sample only, `"add"` for inputs above it.
    """

    norm: str = "inf"
    valid_range: tuple[Any, Any] | None = None
    direction: str = "both"
    count: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_choice(where, "norm", self.norm, NORMS)
        check_choice(where, "direction", self.direction, DIRECTIONS)
        if self.valid_range is not None and not np.all(np.less(*self.valid_range)):
            raise ValueError(
                wording(
                    f"{where}(valid_range={self.valid_range!r})",
                    expected="the lowest valid value must be below the highest",
                    received=self.valid_range,
                    remedy="Use (0.0, 1.0) or (0.0, 255.0).",
                )
            )

    def region(self, inputs: Any, given: Mapping[str, Any], index: Any) -> Region:
        """The box, whatever the number."""
        return self._within(inputs, *self._steps(inputs, given), self._radius(inputs, given))

    def _radius(self, inputs: Any, given: Mapping[str, Any]) -> Any:
        epsilon = given["epsilon"]
        if len(epsilon.shape) == 1:
            epsilon = tf.reshape(epsilon, (-1, *[1] * (len(inputs.shape) - 1)))
        return epsilon + tf.zeros_like(inputs)

    def _steps(self, inputs: Any, given: Mapping[str, Any]) -> tuple[Any, Any]:
        """How far every entry may go down and up; never a difference of ends, which loses tiny radii."""
        epsilon = self._radius(inputs, given)
        down = tf.zeros_like(epsilon) if self.direction == "add" else epsilon
        up = tf.zeros_like(epsilon) if self.direction == "remove" else epsilon
        valid = self._valid(inputs, given)
        if valid is not None:
            low, high = valid
            down, up = tf.minimum(down, tf.nn.relu(inputs - low)), tf.minimum(up, tf.nn.relu(high - inputs))
        return down, up

    def _valid(self, inputs: Any, given: Mapping[str, Any]) -> tuple[Any, Any] | None:
        """The ends of the valid range, of shapes that broadcast to the inputs."""
        if "valid_range" in given:
            low, high = (tf.reshape(each, (-1, *[1] * (len(inputs.shape) - 1))) for each in given["valid_range"])
            return low, high
        if self.valid_range is None:
            return None
        low, high = (np.asarray(each, "float32") for each in self.valid_range)
        return low, high

    def _within(self, inputs: Any, down: Any, up: Any, scale: Any) -> Region:
        box = Box(inputs + (up - down) / 2, (up + down) / 2)
        return Region(box) if self.norm == "inf" else Region(box, Box(inputs, scale))


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells(Around):
    """The box about each sample, and one more for every cell: with the cell frozen, or with nothing but it set free.

    The first is the whole box. Of a linear function all boxes cost as much as one: what a cell adds is summed once.

    Parameters
    ----------
    cell_of : integers from 0 to `cells - 1`, of a shape that broadcasts to a sample: the cell of every entry.
    release : set one cell free instead of freezing one.
    """

    cell_of: np.ndarray
    release: bool = False

    def __post_init__(self) -> None:
        Around.__post_init__(self)
        object.__setattr__(self, "count", 1 + self.cells)

    @property
    def cells(self) -> int:
        """How many cells."""
        return int(np.max(self.cell_of)) + 1

    def region(self, inputs: Any, given: Mapping[str, Any], index: Any) -> Region:
        """The whole box for 0, that of cell `u` for `u + 1`."""
        index = tf.reshape(index, (-1, *[1] * (len(inputs.shape) - 1)))
        own = tf.constant(self.cell_of[None], tf.int32) == index - 1
        free = (own if self.release else ~own) | (index == 0)
        down, up = (tf.where(free, each, tf.zeros_like(each)) for each in self._steps(inputs, given))
        scale = tf.where(free, self._radius(inputs, given), tf.zeros_like(inputs))
        return self._within(inputs, down, up, scale)

    def highest(self, weights: Any, inputs: Any, given: Any, pool: Pool = total) -> Any:
        """As for every family, by what each cell adds."""
        if pool is not total:
            return Family.highest(self, weights, inputs, given, pool)
        box: list[Any] = []
        ball: list[Any] = []
        still: list[Any] = []
        region = self.first(inputs, given)
        whole = highest(Region(region.box), weights, _noting(box))
        highest(Region(Box(inputs, tf.zeros_like(inputs))), weights, _noting(still))
        found = self._chosen(box[0], still[0])
        if region.around is not None:
            whole = tf.minimum(whole, highest(region, weights, _noting(ball)))
            squared = self._chosen(ball[2], tf.zeros_like(ball[2]))
            found = tf.minimum(found, total(0, ball[1]) + (1 + SLACK) * tf.sqrt(squared))
        return tf.concat([whole, tf.minimum(found, whole)], axis=-1)[:, :, None]

    def _of_cells(self, values: Any) -> Any:
        """`(n, s, *shape)` -> `(n, s, cells)`."""
        shape = values.shape[2:]
        entries = int(np.prod(shape))
        cells = np.broadcast_to(self.cell_of, shape).reshape(-1)
        flat = tf.transpose(tf.reshape(values, (-1, entries)))
        summed = tf.math.unsorted_segment_sum(flat, cells, self.cells)
        return tf.reshape(tf.transpose(summed), (-1, values.shape[1], self.cells))

    def _chosen(self, free: Any, still: Any) -> Any:
        """For each cell the sum of what is free and what is still, of its own entries and those of all others."""
        free, still = self._of_cells(free), self._of_cells(still)
        # The sum of the others, not the whole less its own, which would lose what is small.
        others = 1.0 - tf.eye(self.cells, dtype=free.dtype)
        return free + tf.matmul(still, others) if self.release else still + tf.matmul(free, others)


@dataclass(frozen=True, eq=False, kw_only=True)
class OneOfCells(Cells):
    """One box of those of `Cells`, and a relaxation of its own: number `given["box"]` `(n,)`, 0 for the whole."""

    def __post_init__(self) -> None:
        Cells.__post_init__(self)
        object.__setattr__(self, "count", 1)

    def region(self, inputs: Any, given: Mapping[str, Any], index: Any) -> Region:
        """The box that was given, whatever the number."""
        return Cells.region(self, inputs, given, given["box"])

    def highest(self, weights: Any, inputs: Any, given: Any, pool: Pool = total) -> Any:
        """As for every family of one box."""
        return Family.highest(self, weights, inputs, given, pool)


def _noting(kept: list[Any]) -> Pool:
    """The sum over all entries, which keeps what it sums."""

    def pool(node: int, values: Any) -> Any:
        kept.append(values)
        return total(node, values)

    return pool
