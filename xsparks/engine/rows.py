"""Rows of trees: the samples of a group, taken and put back together."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


class Answers:
    """The answers of samples that left at different rounds, in the order in which the samples came."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._parts: list[Any] = []

    def put(self, rows: np.ndarray, answer: Any) -> None:
        """Takes the answers of the samples `rows`."""
        self._rows.append(rows)
        self._parts.append(answer)

    def joined(self) -> Any:
        """All answers, a tree `(m, ...)`."""
        if len(self._parts) == 1:
            return self._parts[0]
        order = np.argsort(np.concatenate(self._rows))
        return tf.nest.map_structure(lambda *leaves: tf.gather(tf.concat(leaves, 0), order), *self._parts)


def as_tensors(tree: Any) -> Any:
    """The tree with every leaf a tensor."""
    return tf.nest.map_structure(tf.convert_to_tensor, tree)


def rows_of(tree: Any, rows: np.ndarray) -> Any:
    """The samples `rows`, in ascending order, of every leaf; all of them without a copy."""
    return tf.nest.map_structure(lambda leaf: leaf if len(rows) == leaf.shape[0] else tf.gather(leaf, rows), tree)


def concatenated(parts: list[Any]) -> Any:
    """Trees one after the other along the leading axis."""
    return parts[0] if len(parts) == 1 else tf.nest.map_structure(lambda *leaves: tf.concat(leaves, 0), *parts)


def length(tree: Any) -> int:
    """How many samples the leaves hold."""
    return int(tf.nest.flatten(tree)[0].shape[0])
