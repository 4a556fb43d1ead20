"""Whatever a user hands over as data, read once, as NumPy samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .errors import wording

ACCEPTED = (
    "a NumPy array, a tensor, a list of samples, a tf.data.Dataset, or a dict or tuple of arrays for several inputs"
)


class Samples(NamedTuple):
    """Samples read together: a tree of arrays `(m, ...)`, their targets, `(m, ...)` or None, and the first's number."""

    inputs: Any
    targets: Any
    start: int = 0

    def __len__(self) -> int:
        return len(leaves(self.inputs)[0])


def leaves(tree: Any) -> list[Any]:
    """The arrays of an input: one, or those of a dict (sorted by name) or tuple."""
    if isinstance(tree, Mapping):
        return [tree[key] for key in sorted(tree)]
    if isinstance(tree, tuple):
        return list(tree)
    return [tree]


def map_leaves(function: Any, tree: Any) -> Any:
    """The same tree with `function` applied to every array."""
    if isinstance(tree, Mapping):
        return {key: function(tree[key]) for key in tree}
    if isinstance(tree, tuple):
        return tuple(function(leaf) for leaf in tree)
    return function(tree)


class Reader:
    """Reads samples in groups, each sample once.

    Parameters
    ----------
    inputs : a NumPy array, a tensor, a list of samples, a `tf.data.Dataset` (batched or not, with or without
        targets), or a dict or tuple of arrays for a model of several inputs.
    targets : None, one integer for all samples, or an array with one entry a sample.
    sample_rank : the rank of one sample, where the model tells it; it decides whether a dataset is batched.
    where : the name of the caller in error messages.

    Raises
    ------
    TypeError : `inputs` is of no accepted kind.
    ValueError : no sample, targets of another length, an infinite dataset, or targets given twice.
    """

    def __init__(self, inputs: Any, targets: Any = None, sample_rank: int | None = None, where: str = "explain"):
        self._where = where
        self._targets = _as_targets(targets)
        self._position = 0
        self._buffer: list[Samples] = []
        self._buffered = 0
        self.count: int | None = None
        self.has_targets = self._targets is not None
        if _is_dataset(inputs):
            self._chunks = self._read_dataset(inputs, sample_rank)
        else:
            self._chunks = self._read_arrays(inputs)

    def peek(self) -> Any:
        """The inputs of the next sample, left where it is; an error if there is none at all."""
        self._fill(1)
        if not self._buffered:
            self._check_end()
        return map_leaves(lambda leaf: leaf[:1], self._buffer[0].inputs)

    def read(self, size: int) -> Samples | None:
        """The next `size` samples, fewer at the end, None after it."""
        self._fill(size)
        if not self._buffered:
            self._check_end()
            return None
        joined = self._buffer[0] if len(self._buffer) == 1 else _join(self._buffer, self._where)
        taken, rest = _slice(joined, 0, size), _slice(joined, size, None)
        self._buffer, self._buffered = ([rest], len(rest)) if len(rest) else ([], 0)
        return self._with_targets(taken)

    def _fill(self, size: int) -> None:
        while self._buffered < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            if len(chunk):
                self._buffer.append(chunk)
                self._buffered += len(chunk)

    def _with_targets(self, samples: Samples) -> Samples:
        start = self._position
        self._position += len(samples)
        if self._targets is None:
            return Samples(samples.inputs, samples.targets, start)
        if self._targets.ndim == 0:
            return Samples(samples.inputs, np.repeat(self._targets, len(samples)), start)
        if self._position > len(self._targets):
            self._refuse_length(f"at least {self._position} samples")
        return Samples(samples.inputs, self._targets[start : self._position], start)

    def _check_end(self) -> None:
        if not self._position:
            raise ValueError(
                wording(
                    self._where,
                    expected="`inputs` must hold at least one sample",
                    received="none",
                    remedy="Look at the path or the filter that made them.",
                )
            )
        if self._targets is not None and self._targets.ndim and self._position != len(self._targets):
            self._refuse_length(f"{self._position} samples")

    def _refuse_length(self, samples: str) -> None:
        raise ValueError(
            wording(
                self._where,
                expected=f"`targets` must have one entry for each of the {samples}",
                received=f"{len(self._targets)} entries",  # pyright: ignore[reportArgumentType]
                remedy="Pass as many targets as inputs, one integer for all, or None for the predicted class.",
            )
        )

    def _read_arrays(self, inputs: Any) -> Iterator[Samples]:
        inputs = _as_arrays(inputs, self._where)
        counts = {len(leaf) for leaf in leaves(inputs)} or {0}
        if len(counts) > 1:
            raise ValueError(
                wording(
                    self._where,
                    expected="all inputs must have the same number of samples",
                    received=f"{sorted(counts)}",
                    remedy="Slice them to the same length.",
                )
            )
        self.count = counts.pop()
        if self._targets is not None and self._targets.ndim and len(self._targets) != self.count:
            self._refuse_length(f"{self.count} samples")
        return iter([Samples(inputs, None)] if self.count else [])

    def _read_dataset(self, dataset: Any, sample_rank: int | None) -> Iterator[Samples]:
        cardinality = int(dataset.cardinality())
        if cardinality == -1:
            raise ValueError(
                wording(
                    self._where,
                    expected="`inputs` must be a dataset that ends",
                    received="an infinite dataset",
                    remedy="Call .take(count) after .repeat().",
                )
            )
        specification = dataset.element_spec
        parts = list(specification) if isinstance(specification, tuple) else [specification]
        if len(parts) > 2:
            raise ValueError(
                wording(
                    self._where,
                    expected="an element of a dataset must be the inputs or (inputs, targets)",
                    received=f"a tuple of {len(parts)}",
                    remedy="Drop sample weights: dataset.map(lambda x, y, w: (x, y)). Several inputs are a dict or a "
                    "tuple of their own: ((a, b, c), y).",
                )
            )
        paired = len(parts) == 2
        if paired and self._targets is not None:
            raise ValueError(
                wording(
                    self._where,
                    expected="targets must come from the dataset or from `targets`",
                    received="both",
                    remedy="Pass targets=None, or dataset.map(lambda x, y: x).",
                )
            )
        self.has_targets |= paired
        first = leaves(parts[0])[0].shape
        if cardinality >= 0 and first.rank is not None and not _is_batched(first, sample_rank):
            self.count = cardinality

        def chunks() -> Iterator[Samples]:
            for element in dataset:
                inputs = map_leaves(np.asarray, element[0] if isinstance(element, tuple) else element)
                targets = np.asarray(element[1]) if paired else None
                # A dataset that cannot tell its rank (images decoded from files) is known by its elements alone.
                if not _is_batched(leaves(inputs)[0].shape if first.rank is None else first, sample_rank):
                    inputs = map_leaves(lambda leaf: leaf[None], inputs)
                    targets = None if targets is None else targets[None]
                yield Samples(inputs, targets)

        return chunks()


def _is_dataset(inputs: Any) -> bool:
    return hasattr(inputs, "element_spec") and hasattr(inputs, "cardinality")


def _is_batched(shape: Any, sample_rank: int | None) -> bool:
    """A dataset's element is a batch when it has one axis more than a sample of the model.

    Where the model does not tell its rank: an unknown first axis or a rank of 4 is a batch.
    """
    rank = len(shape)
    if sample_rank is not None:
        return rank == sample_rank + 1
    return rank >= 4 or (rank > 0 and shape[0] is None)


def _as_arrays(inputs: Any, where: str) -> Any:
    if isinstance(inputs, Mapping):
        return {key: _as_array(inputs[key], where) for key in inputs}
    if isinstance(inputs, tuple):
        return tuple(_as_array(leaf, where) for leaf in inputs)
    return _as_array(inputs, where)


def _as_array(leaf: Any, where: str) -> np.ndarray:
    if isinstance(leaf, list):
        shapes = {np.shape(sample) for sample in leaf}
        if len(shapes) > 1:
            raise ValueError(
                wording(
                    where,
                    expected="all samples of a list must have one shape",
                    received=", ".join(str(shape) for shape in sorted(shapes)[:4]),
                    remedy="Resize them, or explain each size in a call of its own.",
                )
            )
    if isinstance(leaf, str | bytes) or not (isinstance(leaf, list) or hasattr(leaf, "shape")):
        raise TypeError(
            wording(
                where,
                expected=f"`inputs` must be {ACCEPTED}",
                received=type(leaf).__name__,
                remedy="Load the data first; `xsparks explain` reads image files.",
            )
        )
    array = np.asarray(leaf)
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise TypeError(
            wording(
                where,
                expected=f"`inputs` must be {ACCEPTED}",
                received=f"an array of {array.dtype}",
                remedy="Convert it to numbers with a leading sample axis.",
            )
        )
    return array


def _as_targets(targets: Any) -> np.ndarray | None:
    return None if targets is None else np.asarray(targets)


def _slice(samples: Samples, start: int, stop: int | None) -> Samples:
    def cut(leaf: Any) -> Any:
        return leaf[start:stop]

    return Samples(map_leaves(cut, samples.inputs), None if samples.targets is None else samples.targets[start:stop])


def _join(chunks: list[Samples], where: str) -> Samples:
    first = chunks[0].inputs

    def stack(parts: list[Any]) -> np.ndarray:
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) > 1:
            raise ValueError(
                wording(
                    where,
                    expected="all samples of a dataset must have one shape",
                    received=", ".join(str(shape) for shape in sorted(shapes)[:4]),
                    remedy="Resize them in dataset.map.",
                )
            )
        return np.concatenate(parts)

    if isinstance(first, Mapping):
        inputs: Any = {key: stack([chunk.inputs[key] for chunk in chunks]) for key in first}
    elif isinstance(first, tuple):
        inputs = tuple(stack(list(parts)) for parts in zip(*(chunk.inputs for chunk in chunks), strict=True))
    else:
        inputs = stack([chunk.inputs for chunk in chunks])
    targets = None if chunks[0].targets is None else np.concatenate([chunk.targets for chunk in chunks])
    return Samples(inputs, targets)
