"""Which segments are kept in which variant: one table for all samples, or one for each number of segments."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from .segments import HostSteps


class SegmentMasks(NamedTuple):
    """Which segments are kept in each variant, `masks (count, d)` bool, and what it counts, `weights (count,)`."""

    masks: np.ndarray
    weights: np.ndarray


class Variants(Protocol):
    """The masks of a group of samples; `side` is what the plan knows of each."""

    count: Any

    def prepare(self, side: Any) -> Any:
        """`side`, with what the masks need beside it."""
        ...

    def rows(self, side: Any, index: Any) -> tuple[Any, Any]:
        """The masks `(b, most)` float32 and weights `(b,)` float64 of the variants `index`."""
        ...

    def present(self, side: Any) -> Any:
        """1 for the segments that a sample has, 0 for others up to the most of any, `(m, most)`."""
        ...


class SharedVariants:
    """All samples have the same segments, and so the same masks, drawn when the plan is made."""

    def __init__(self, design: Callable[[int], SegmentMasks], segments: int):
        drawn = design(segments)
        self._masks, self._weights = drawn.masks.astype(np.uint8), drawn.weights
        self._segments = segments
        self.count = len(drawn.weights)

    def prepare(self, side: Any) -> Any:
        """Nothing more is needed."""
        return side

    def rows(self, side: Any, index: Any) -> tuple[Any, Any]:
        """Rows of the table."""
        return tf.cast(tf.gather(self._masks, index), tf.float32), tf.gather(self._weights, index)

    def present(self, side: Any) -> Any:
        """All of them."""
        return tf.ones((tf.shape(side["scores"])[0], self._segments))


class VariantsOfEach:
    """Samples differ in the number of their segments: masks of each number are drawn on the host when it is met."""

    def __init__(self, design: Callable[[int], SegmentMasks], segments: int, host: HostSteps):
        self._design = lru_cache(maxsize=32)(design)
        self._segments = segments
        self._host = host
        self.count = lambda inputs, side: side["count"]

    def prepare(self, side: Any) -> Any:
        """How many variants each sample has."""
        counts = self._host(self._counts, [side["found"]["number"]], tf.int32)
        return {**side, "count": tf.ensure_shape(counts, (None,))}

    def rows(self, side: Any, index: Any) -> tuple[Any, Any]:
        """Rows of the table for the number of segments of each item's sample."""
        masks, weights = self._host(self._rows, [index, side["found"]["number"]], (tf.float32, tf.float64))
        return tf.ensure_shape(masks, (None, self._segments)), tf.ensure_shape(weights, (None,))

    def present(self, side: Any) -> Any:
        """As many as a sample has."""
        return tf.sequence_mask(side["found"]["number"], self._segments, tf.float32)

    def _counts(self, numbers: np.ndarray) -> np.ndarray:
        return np.array([len(self._design(int(number)).weights) for number in numbers], np.int32)

    def _rows(self, index: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        masks, weights = np.zeros((len(index), self._segments), np.float32), np.zeros(len(index))
        for item, (row, number) in enumerate(zip(index, numbers, strict=True)):
            drawn = self._design(int(number))
            masks[item, :number], weights[item] = drawn.masks[row], drawn.weights[row]
        return masks, weights
