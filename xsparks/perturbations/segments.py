"""The features of a sample: which place belongs to which of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from ..core.layout import Layout
from .masks import cells_to_pixels, grid_of


class Segments(Protocol):
    """Places in groups, each group one feature, numbered from 0."""

    @property
    def most(self) -> int:
        """Features of a sample, at most."""
        ...

    def prepare(self, inputs: Any) -> Any:
        """What is found once a sample, a tree `(m, ...)`; `()` where all samples have the same features."""
        ...

    def mask(self, values: Any, found: Any) -> Any:
        """The values of features `(b, most)` at their places, as a mask of samples, `(b, h, w, 1)`."""
        ...

    def maps(self, values: Any, found: Any) -> Any:
        """The values of features `(m, most)` as maps: `(m, h, w, 1)`, or on a grid."""
        ...


class HostSteps:
    """Python functions as steps of a graph, whose errors reach the user as they were raised."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self, function: Callable[..., Any], arguments: list[Any], kinds: Any) -> Any:
        """What the function of NumPy arrays answers, tensors of these kinds."""

        def kept(*arrays: np.ndarray) -> Any:
            try:
                return function(*arrays)
            except Exception as error:
                self.error = error
                raise

        return tf.numpy_function(kept, arguments, kinds)

    def taken(self) -> Exception | None:
        """The last error, once."""
        error, self.error = self.error, None
        return error


@dataclass(frozen=True)
class Grid:
    """The cells of a grid, the same for all samples."""

    grid: tuple[int, ...]
    layout: Layout

    @property
    def most(self) -> int:
        """Cells."""
        return math.prod(self.grid)

    def prepare(self, inputs: Any) -> Any:
        """Nothing."""
        return ()

    def mask(self, values: Any, found: Any) -> Any:
        """Every place with the value of its cell."""
        return cells_to_pixels(values, self.grid, self.layout)

    def maps(self, values: Any, found: Any) -> Any:
        """Images on the grid, series and tables at their places."""
        if not self.layout.is_image:
            return cells_to_pixels(values, self.grid, self.layout)
        return tf.reshape(values, (-1, *self.grid, 1))


@dataclass(frozen=True)
class Labels:
    """A label for every place, the same for all samples; `(h, w)` from 0 on without gaps."""

    labels: np.ndarray
    layout: Layout

    @property
    def most(self) -> int:
        """Different labels."""
        return int(self.labels.max()) + 1

    def prepare(self, inputs: Any) -> Any:
        """Nothing."""
        return ()

    def mask(self, values: Any, found: Any) -> Any:
        """Every place with the value of its label."""
        return self.layout.spread(self._at_places(values))

    def maps(self, values: Any, found: Any) -> Any:
        """Every place with the value of its label."""
        return self.layout.as_maps(self._at_places(values))

    def _at_places(self, values: Any) -> Any:
        return tf.reshape(tf.gather(values, self.labels.ravel(), axis=1), (-1, *self.labels.shape))


@dataclass(frozen=True)
class Found:
    """Labels that a function of NumPy arrays finds in each sample, on the host."""

    function: Callable[[np.ndarray], Any]
    most: int
    layout: Layout
    host: HostSteps
    where: str

    def prepare(self, inputs: Any) -> Any:
        """`labels (m, h, w)` and `number (m,)`, how many there are in each sample."""
        labels = self.host(self._all_labels, [inputs], tf.int32)
        labels = tf.ensure_shape(labels, (None, *self.layout.spatial))
        return {"labels": labels, "number": tf.reduce_max(labels, axis=list(range(1, len(labels.shape)))) + 1}

    def mask(self, values: Any, found: Any) -> Any:
        """Every place with the value of its label."""
        return self.layout.spread(tf.gather(values, found["labels"], batch_dims=1))

    def maps(self, values: Any, found: Any) -> Any:
        """Every place with the value of its label."""
        return self.layout.as_maps(tf.gather(values, found["labels"], batch_dims=1))

    def _all_labels(self, inputs: np.ndarray) -> np.ndarray:
        return np.stack([self._labels_of(sample) for sample in inputs])

    def _labels_of(self, sample: np.ndarray) -> np.ndarray:
        picture = np.moveaxis(sample, 0, -1) if self.layout.channels_first else sample
        labels = consecutive(self.function(picture), self.layout, self.where)
        number = int(labels.max()) + 1
        if number > self.most:
            raise ValueError(
                wording(
                    f"{self.where}(max_segments={self.most})",
                    expected="a sample must have at most `max_segments` segments",
                    received=f"{number}",
                    remedy=f"Pass max_segments={number} or more, or a function that finds fewer.",
                )
            )
        return labels


def as_segments(
    segments: Any, grid_size: Any, max_segments: int, layout: Layout, host: HostSteps, where: str
) -> Segments:
    """The features of samples of this layout.

    Parameters
    ----------
    segments : None for the cells of a grid; integers over the places `(h, w)`, shared by all samples; or a function
        from one sample, a NumPy array `(h, w, c)`, to integers `(h, w)`.
    grid_size : as for `grid_of`.
    max_segments : how many a function may find.
    host : runs the function.

    Raises
    ------
    TypeError : labels that are no integers.
    ValueError : labels that are negative, of another shape, or too many.

    Example
    -------
    >>> layout = Layout((2, 2, 3))
    >>> found = as_segments(np.array([[5, 5], [5, 9]]), 7, 256, layout, HostSteps(), "LIME")
    >>> found.most, found.maps(tf.constant([[1.0, 2.0]]), ())[0, :, :, 0].numpy().tolist()
    (2, [[1.0, 1.0], [1.0, 2.0]])
    """
    if segments is None:
        return Grid(grid_of(grid_size, layout, where), layout)
    if callable(segments):
        return Found(segments, max_segments, layout, host, where)
    return Labels(consecutive(segments, layout, where), layout)


def consecutive(labels: Any, layout: Layout, where: str) -> np.ndarray:
    """Checked labels over the places of a sample, renumbered from 0 without gaps, in their order, int32."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            wording(
                f"{where}(segments=...)",
                expected="the labels of segments must be integers",
                received=f"{labels.dtype}",
                remedy="Pass None for a grid, an array of integers, or a function that returns one.",
            )
        )
    if labels.shape != layout.spatial or labels.min() < 0:
        raise ValueError(
            wording(
                f"{where}(segments=...)",
                expected=f"the labels of segments must be 0 or more, one for each place {layout.spatial}",
                received=f"shape {labels.shape}" if labels.shape != layout.spatial else f"{labels.min()}",
                remedy="Give what is left out a label of its own.",
            )
        )
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
