"""What to explain: from a model's outputs to one number a sample.

An operator is any function `(forward, inputs, targets) -> scores (n,)`. `forward` maps inputs to outputs (logits for
maps, probabilities for metrics), so an operator may call it more than once or on inputs of its own. An object that is
called in the same way may read its targets itself, by `resolve` and `symbolic` as `OutputOperator` has them; a function
gets them as the user gave them, zeros for None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.errors import ModelError, wording
from .detection import detection
from .output_operator import OutputOperator, finite, ids, numbers, outputs_in_words
from .segmentation import segmentation

Operator = Callable[[Callable[[Any], Any], Any, Any], Any]


@dataclass(frozen=True)
class Classification(OutputOperator):
    """The output of a class: `targets` are class ids `(n,)` or weights over the classes `(n, classes)`.

    Example
    -------
    >>> scores = classification(lambda x: 2 * x, tf.constant([[1.0, 3.0]]), tf.constant([1]))
    >>> float(scores[0])
    6.0
    """

    def of(self, outputs: Any, targets: Any) -> Any:
        """The output of each target, `(n,)`."""
        _check_one_output(outputs, (2,))
        if targets.dtype.is_integer:
            # Slicing with a tensor of ids keeps one trace for all classes.
            return tf.gather(outputs, targets, batch_dims=1)
        return tf.reduce_sum(outputs * tf.cast(targets, outputs.dtype), axis=-1)

    def resolve(self, targets: Any, outputs: Any, where: str, start: int = 0) -> np.ndarray:
        """Class ids `(m,)` int32 or weights `(m, classes)` float32; for None the predicted class."""
        _check_one_output(outputs, (1, 2))
        outputs = np.asarray(outputs).reshape(len(outputs), -1)
        count = outputs.shape[1]
        if targets is None:
            self._check_predictable(count, where)
            return np.argmax(outputs, axis=-1).astype(np.int32)
        targets = numbers(targets, where)
        if _is_column_of_ids(targets, count, targets.dtype.kind in "iub"):
            targets = targets[:, 0]
        if targets.ndim == 1:
            return ids(targets, count, where, start)
        if targets.ndim != 2 or targets.shape[1] != count:
            raise ValueError(
                wording(
                    where,
                    expected=f"`targets` must be class ids (n,) or weights (n, {count})",
                    received=f"shape {targets.shape}",
                    remedy="Use integers, or one-hot rows of the model's classes.",
                )
            )
        return finite(targets, where)

    def symbolic(self, targets: Any, outputs: Any, where: str) -> Any:
        """The same of tensors."""
        _check_one_output(outputs, (1, 2))
        outputs = tf.reshape(outputs, (tf.shape(outputs)[0], outputs.shape[1] if len(outputs.shape) == 2 else 1))
        count = outputs.shape[1]
        if targets is None:
            self._check_predictable(count, where)
            return tf.argmax(outputs, axis=-1, output_type=tf.int32)
        targets = tf.convert_to_tensor(targets)
        if len(targets.shape) == 0:
            targets = tf.repeat(targets, tf.shape(outputs)[0])
        if _is_column_of_ids(targets, count, targets.dtype.is_integer):
            targets = targets[:, 0]
        return tf.cast(targets, tf.int32 if len(targets.shape) == 1 else tf.float32)

    def _check_predictable(self, count: int, where: str) -> None:
        """Whether None means something, for this many outputs."""


@dataclass(frozen=True)
class Regression(Classification):
    """The predicted value: `targets` are output numbers `(n,)` or weights over the outputs `(n, outputs)`."""

    def of(self, outputs: Any, targets: Any) -> Any:
        """The output of each target, `(n,)`."""
        _check_one_output(outputs, (1, 2))
        return super().of(outputs[:, None] if len(outputs.shape) == 1 else outputs, targets)

    def _check_predictable(self, count: int, where: str) -> None:
        if count > 1:
            raise ValueError(
                wording(
                    where,
                    expected="`targets` must say which output of the regression to explain",
                    received=f"None for {count} outputs",
                    remedy="Pass the number of an output, such as 0.",
                )
            )


classification = Classification()
regression = Regression()
OPERATORS: dict[str, Operator] = {
    "classification": classification,
    "regression": regression,
    "segmentation": segmentation,
    "detection": detection,
}


def as_operator(operator: Any, where: str) -> Operator:
    """The function behind `operator=`: None, a name, or a function `(forward, inputs, targets) -> (n,)`."""
    if operator is None:
        return classification
    if isinstance(operator, type):
        raise TypeError(
            wording(
                where,
                expected="`operator` must be a name, a function or an object",
                received=f"the class {operator.__name__}",
                remedy=f"Call it: operator={operator.__name__}().",
            )
        )
    if callable(operator):
        return operator
    return OPERATORS[check_choice(where, "operator", operator, OPERATORS)]


def resolve_targets(targets: Any, outputs: Any, operator: Operator, where: str, start: int = 0) -> np.ndarray:
    """The targets of some samples as the operator reads them, checked: an array `(m, ...)`.

    Parameters
    ----------
    targets : None for what the operator then explains, such as the predicted class, or what the user gave.
    outputs : what the model answers for these samples, a tree `(m, ...)`.
    start : position of the first of these samples in the data, for messages.
    """
    resolve = getattr(operator, "resolve", None)
    if resolve is not None:
        return np.asarray(resolve(targets, outputs, where, start))
    return np.zeros(len(tf.nest.flatten(outputs)[0]), np.int32) if targets is None else np.asarray(targets)


def symbolic_targets(targets: Any, outputs: Any, operator: Operator, where: str) -> Any:
    """The targets of samples within a graph, read as `resolve_targets` reads them; values cannot be checked there."""
    symbolic = getattr(operator, "symbolic", None)
    if symbolic is not None:
        return symbolic(targets, outputs, where)
    samples = tf.shape(tf.nest.flatten(outputs)[0])[0]
    return tf.zeros([samples], tf.int32) if targets is None else tf.convert_to_tensor(targets)


def check_classes(outputs: Any, where: str) -> None:
    """Whether the answers are scores of two classes or more, `(n, classes)`.

    Raises
    ------
    ModelError : they are not.
    """
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise ModelError(
            wording(
                where,
                expected="the model must answer with the scores of two classes or more, (n, classes)",
                received=f"shape {outputs.shape}",
                remedy="Pass a model with an output for each class.",
            )
        )


def _check_one_output(outputs: Any, ranks: tuple[int, ...]) -> None:
    if hasattr(outputs, "shape") and len(outputs.shape) in ranks:
        return
    raise ModelError(
        wording(
            "classification",
            expected="the model must have one output of shape (n, classes)",
            received=outputs_in_words(outputs),
            remedy="Pass output_layer='name' of the output to explain, operator='segmentation' or 'detection' where it "
            "is one, or a function of your own.",
        )
    )


def _is_column_of_ids(targets: Any, count: int, integer: bool) -> bool:
    """Whether targets `(n, 1)` are ids; for a model of one output, numbers with a fraction are its weights."""
    return len(targets.shape) == 2 and targets.shape[1] == 1 and (integer or count != 1)
