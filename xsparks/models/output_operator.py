"""What the operators share whose score follows from the model's answer to the input as it is."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import wording


class OutputOperator(abc.ABC):
    """What is the score, given what the model answers; and what does a user mean by the targets?

    An operator of your own may be a plain function `(forward, inputs, targets) -> scores (n,)`. One that reads its
    targets itself, as these do, has `resolve` and `symbolic` beside the call, whatever class it is of; where the score
    needs one answer of the model and nothing else, derive from this class and write `of`.
    """

    @abc.abstractmethod
    def of(self, outputs: Any, targets: Any) -> Any:
        """The scores `(n,)` of these outputs for targets that were read."""

    @abc.abstractmethod
    def resolve(self, targets: Any, outputs: Any, where: str, start: int = 0) -> np.ndarray:
        """The targets of some samples, checked and complete, `(m, ...)`; to read them again changes nothing.

        Parameters
        ----------
        targets : what the user gave for these samples, or None.
        outputs : what the model answers for these samples as they are, a tree of arrays `(m, ...)`.
        where : the name of the caller in error messages.
        start : the position of the first of these samples in the data, for messages.
        """

    @abc.abstractmethod
    def symbolic(self, targets: Any, outputs: Any, where: str) -> Any:
        """The same within a graph, of tensors with an unknown first axis; values cannot be checked there."""

    def __call__(self, forward: Callable[[Any], Any], inputs: Any, targets: Any) -> Any:
        """The scores `(n,)` of inputs for targets that were read."""
        return self.of(forward(inputs), targets)


def numbers(targets: Any, where: str) -> np.ndarray:
    """Targets as an array of numbers.

    Raises
    ------
    TypeError : names of classes, or other objects.
    """
    targets = np.asarray(targets)
    if targets.dtype.kind not in "fiub":
        raise TypeError(
            wording(
                where,
                expected="`targets` must be numbers",
                received=f"an array of {targets.dtype}",
                remedy="Turn class names into ids first.",
            )
        )
    return targets


def finite(targets: np.ndarray, where: str, name: str = "weights") -> np.ndarray:
    """Targets as float32 without NaN and infinity.

    Raises
    ------
    ValueError : NaN or infinity.
    """
    targets = targets.astype(np.float32)
    if np.isfinite(targets).all():
        return targets
    raise ValueError(
        wording(
            where,
            expected=f"`targets` must be finite {name}",
            received="NaN or infinity",
            remedy="Look at how they were made.",
        )
    )


def ids(
    targets: np.ndarray,
    count: int,
    where: str,
    start: int,
    name: str = "class",
    among: str = "classes",
    otherwise: str = "weights over the classes have shape (n, classes)",
) -> np.ndarray:
    """Targets `(m,)` as int32 in `[0, count - 1]`.

    Raises
    ------
    ValueError : fractions, or numbers out of range.
    """
    if targets.dtype.kind == "f" and not np.array_equal(targets, np.round(targets)):
        raise ValueError(
            wording(
                where,
                expected=f"`targets` of shape (n,) must be {name} ids",
                received=targets[targets != np.round(targets)][0],
                remedy=f"Use integers; {otherwise}.",
            )
        )
    outside = (targets < 0) | (targets >= count)
    if outside.any():
        raise ValueError(
            wording(
                where,
                expected=f"`targets` must lie in [0, {count - 1}], the {among} of the model",
                received=f"{targets[outside][0]} at position {start + int(np.argmax(outside))}",
                remedy=f"Look at the order of the {among}; ids count from 0.",
            )
        )
    return targets.astype(np.int32)


def outputs_in_words(outputs: Any) -> str:
    """What a model answers, for messages."""
    if isinstance(outputs, dict):
        return "outputs named " + ", ".join(str(name) for name in outputs)
    if isinstance(outputs, list | tuple):
        return f"{len(outputs)} outputs"
    return f"an output of shape {tuple(outputs.shape)}"
