"""Trees of arrays as JSON, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Tree = Any


def as_json(tree: Tree) -> Any:
    """A tree of arrays as JSON; `from_json` gives the same numbers of the same type.

    Example
    -------
    >>> as_json({"curve": np.float32([0.1, 0.25])})
    {'curve': {'dtype': 'float32', 'shape': [2], 'values': [0.1, 0.25]}}
    """
    if isinstance(tree, dict):
        return {name: as_json(leaf) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return [as_json(leaf) for leaf in tree]
    array = np.asarray(tree)
    # The shortest decimals that read back as the same number of this type.
    flat = array.ravel()
    values = [float(str(value)) for value in flat] if array.dtype == np.float32 else flat.tolist()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def from_json(record: Any) -> Tree:
    """The tree that `as_json` wrote; lists become tuples."""
    if isinstance(record, list):
        return tuple(from_json(leaf) for leaf in record)
    if set(record) == {"dtype", "shape", "values"}:
        return np.array(record["values"], dtype=record["dtype"]).reshape(record["shape"])
    return {name: from_json(leaf) for name, leaf in record.items()}


def sample_of(tree: Tree, position: int) -> Tree:
    """The tree of one sample: each leaf `(m, ...)` at this position."""
    return _mapped(lambda leaf: np.asarray(leaf)[position], [tree])


def stacked(trees: Sequence[Tree]) -> Tree:
    """The tree of many samples, each leaf `(n, ...)`."""
    return _mapped(lambda *leaves: np.stack(leaves), trees)


def _mapped(function: Any, trees: Sequence[Tree]) -> Tree:
    first = trees[0]
    if isinstance(first, dict):
        return {name: _mapped(function, [tree[name] for tree in trees]) for name in first}
    if isinstance(first, list | tuple):
        return tuple(_mapped(function, list(leaves)) for leaves in zip(*trees, strict=True))
    return function(*trees)
