"""What to explain: from a model's outputs to one number a sample.

An operator is any function `(forward, inputs, targets) -> scores (n,)`. `forward` maps inputs to outputs (logits for
maps, probabilities for metrics), so an operator may call it more than once or on inputs of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.errors import ModelError, wording

Operator = Callable[[Callable[[Any], Any], Any, Any], Any]


def classification(forward: Callable[[Any], Any], inputs: Any, targets: Any) -> Any:
    """The output of a class: `targets` are class ids `(n,)` or weights over the classes `(n, classes)`.

    Example
    -------
    >>> scores = classification(lambda x: 2 * x, tf.constant([[1.0, 3.0]]), tf.constant([1]))
    >>> float(scores[0])
    6.0
    """
    outputs = forward(inputs)
    _check_one_output(outputs, (2,))
    if targets.dtype.is_integer:
        # Slicing with a tensor of ids keeps one trace for all classes.
        return tf.gather(outputs, targets, batch_dims=1)
    return tf.reduce_sum(outputs * tf.cast(targets, outputs.dtype), axis=-1)


def regression(forward: Callable[[Any], Any], inputs: Any, targets: Any) -> Any:
    """The predicted value: `targets` are output numbers `(n,)` or weights over the outputs `(n, outputs)`."""
    outputs = forward(inputs)
    if len(outputs.shape) == 1:
        outputs = outputs[:, None]
    return classification(lambda _: outputs, inputs, targets)


OPERATORS: dict[str, Operator] = {"classification": classification, "regression": regression}


def as_operator(operator: Any, where: str) -> Operator:
    """The function behind `operator=`: None, a name, or a function `(forward, inputs, targets) -> (n,)`."""
    if operator is None:
        return classification
    if callable(operator):
        return operator
    return OPERATORS[check_choice(where, "operator", operator, OPERATORS)]


def resolve_targets(targets: Any, outputs: Any, operator: Operator, where: str, start: int = 0) -> np.ndarray:
    """The targets of some samples, checked: class ids `(m,)` int32 or weights `(m, classes)` float32.

    Parameters
    ----------
    targets : None for the predicted class (the first output of a regression), or what the user gave.
    outputs : what the model answers for these samples, `(m, classes)`.
    start : position of the first of these samples in the data, for messages.
    """
    if operator not in OPERATORS.values():
        return np.zeros(len(tf.nest.flatten(outputs)[0]), np.int32) if targets is None else np.asarray(targets)
    _check_one_output(outputs, (1, 2))
    outputs = np.asarray(outputs).reshape(len(outputs), -1)
    count = outputs.shape[1]
    if targets is None:
        _check_predictable(operator, count, where)
        return np.argmax(outputs, axis=-1).astype(np.int32)
    targets = np.asarray(targets)
    if _is_column_of_ids(targets, count, targets.dtype.kind in "iub"):
        targets = targets[:, 0]
    if targets.ndim == 1:
        return _checked_ids(targets, count, where, start)
    if targets.ndim != 2 or targets.shape[1] != count:
        raise ValueError(
            wording(
                where,
                expected=f"`targets` must be class ids (n,) or weights (n, {count})",
                received=f"shape {targets.shape}",
                remedy="Use integers, or one-hot rows of the model's classes.",
            )
        )
    if not np.isfinite(targets.astype(np.float32)).all():
        raise ValueError(
            wording(
                where,
                expected="`targets` must be finite weights",
                received="NaN or infinity",
                remedy="Look at how they were made.",
            )
        )
    return targets.astype(np.float32)


def symbolic_targets(targets: Any, outputs: Any, operator: Operator, where: str) -> Any:
    """The targets of samples within a graph, read as `resolve_targets` reads them; values cannot be checked there."""
    if operator not in OPERATORS.values():
        samples = tf.shape(tf.nest.flatten(outputs)[0])[0]
        return tf.zeros([samples], tf.int32) if targets is None else tf.convert_to_tensor(targets)
    _check_one_output(outputs, (1, 2))
    outputs = tf.reshape(outputs, (tf.shape(outputs)[0], outputs.shape[1] if len(outputs.shape) == 2 else 1))
    count = outputs.shape[1]
    if targets is None:
        _check_predictable(operator, count, where)
        return tf.argmax(outputs, axis=-1, output_type=tf.int32)
    targets = tf.convert_to_tensor(targets)
    if len(targets.shape) == 0:
        targets = tf.repeat(targets, tf.shape(outputs)[0])
    if _is_column_of_ids(targets, count, targets.dtype.is_integer):
        targets = targets[:, 0]
    return tf.cast(targets, tf.int32 if len(targets.shape) == 1 else tf.float32)


def _check_one_output(outputs: Any, ranks: tuple[int, ...]) -> None:
    if hasattr(outputs, "shape") and len(outputs.shape) in ranks:
        return
    raise ModelError(
        wording(
            "classification",
            expected="the model must have one output of shape (n, classes)",
            received=_described(outputs),
            remedy="Pass output_layer='name' of the output to explain, or operator= a function of your own.",
        )
    )


def _check_predictable(operator: Operator, count: int, where: str) -> None:
    if operator is regression and count > 1:
        raise ValueError(
            wording(
                where,
                expected="`targets` must say which output of the regression to explain",
                received=f"None for {count} outputs",
                remedy="Pass the number of an output, such as 0.",
            )
        )


def _is_column_of_ids(targets: Any, count: int, integer: bool) -> bool:
    """Whether targets `(n, 1)` are ids; for a model of one output, numbers with a fraction are its weights."""
    return len(targets.shape) == 2 and targets.shape[1] == 1 and (integer or count != 1)


def _checked_ids(targets: np.ndarray, count: int, where: str, start: int) -> np.ndarray:
    if targets.dtype.kind == "f" and not np.array_equal(targets, np.round(targets)):
        raise ValueError(
            wording(
                where,
                expected="`targets` of shape (n,) must be class ids",
                received=targets[targets != np.round(targets)][0],
                remedy="Use integers; weights over the classes have shape (n, classes).",
            )
        )
    if targets.dtype.kind not in "fiub":
        raise TypeError(
            wording(
                where,
                expected="`targets` must be numbers",
                received=f"an array of {targets.dtype}",
                remedy="Turn class names into ids first.",
            )
        )
    outside = (targets < 0) | (targets >= count)
    if outside.any():
        raise ValueError(
            wording(
                where,
                expected=f"`targets` must lie in [0, {count - 1}], the classes of the model",
                received=f"{targets[outside][0]} at position {start + int(np.argmax(outside))}",
                remedy="Look at the order of the classes; ids count from 0.",
            )
        )
    return targets.astype(np.int32)


def _described(outputs: Any) -> str:
    if isinstance(outputs, dict):
        return "outputs named " + ", ".join(str(name) for name in outputs)
    if isinstance(outputs, list | tuple):
        return f"{len(outputs)} outputs"
    return f"an output of shape {tuple(outputs.shape)}"
