"""What to explain of a segmentation: the logits of the pixels of a zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording
from .output_operator import OutputOperator, finite, ids, numbers, outputs_in_words


@dataclass(frozen=True)
class Segmentation(OutputOperator):
    """How sure is the model of the labels of a zone?

    For logits `f(x)` of shape `(n, H, W, K)`, a zone `Z` of pixels and the label `l_p` of each: the mean over `p` in
    `Z` of `f(x)[p, l_p]`. With one channel, a sigmoid, label 1 stands for the logit and label 0 for its negative. The
    zone and its labels are found once, on the input as it is, and stay what they are when the input is perturbed.

    A model that answers `(n, K, H, W)` ends with a `keras.layers.Permute((2, 3, 1))`, or has an operator of its own.

    Targets
    -------
    - None: every pixel, with the label that the model predicts;
    - class ids `(n,)`: the pixels that the model predicts as that class;
    - label maps `(n, H, W)` or `(n, H, W, 1)`, integers, -1 for pixels outside of the zone;
    - weights `w` `(n, H, W, K)`: the score is then `sum(f(x) * w) / sum(|w|)`.

    Example
    -------
    >>> logits = tf.constant([[[[1.0, 3.0], [4.0, 2.0]]]])  # 1 x 2 pixels, 2 classes
    >>> labels = segmentation.resolve(np.array([1]), logits, "Example")
    >>> labels.tolist(), segmentation(lambda x: x, logits, labels).numpy().tolist()
    ([[[1, -1]]], [3.0])
    """

    def of(self, outputs: Any, targets: Any) -> Any:
        """The mean logit of each zone, `(n,)`; 0 where a zone is empty."""
        logits = _logits(outputs)
        targets = tf.convert_to_tensor(targets)
        if len(targets.shape) == 4:
            weights = tf.cast(targets, logits.dtype)
            summed = tf.reduce_sum(logits * weights, axis=(1, 2, 3))
            return tf.math.divide_no_nan(summed, tf.reduce_sum(tf.abs(weights), axis=(1, 2, 3)))
        inside = tf.cast(targets >= 0, logits.dtype)
        if logits.shape[-1] == 1:
            values = tf.where(targets > 0, logits[..., 0], -logits[..., 0])
        else:
            values = tf.gather(logits, tf.maximum(targets, 0), batch_dims=3)
        summed = tf.reduce_sum(values * inside, axis=(1, 2))
        return tf.math.divide_no_nan(summed, tf.reduce_sum(inside, axis=(1, 2)))

    def resolve(self, targets: Any, outputs: Any, where: str, start: int = 0) -> np.ndarray:
        """Label maps `(m, H, W)` int32 with -1 outside of the zone, or weights `(m, H, W, K)` float32.

        Raises
        ------
        ValueError : a class that no pixel has, an empty zone, labels that the model does not have, another shape.
        TypeError : targets that are no numbers.
        """
        outputs = np.asarray(_logits(outputs))
        labels = _labels(outputs)
        if targets is None:
            return _predicted(outputs)
        targets = numbers(targets, where)
        _refuse_masks(targets.dtype.kind == "b", targets.ndim, labels, where)
        integer = targets.dtype.kind in "iub"
        if _has_spare_axis(targets, outputs, integer):
            targets = targets[..., 0]
        if targets.ndim == 1:
            return _zones(ids(targets, labels, where, start, otherwise=_OTHERWISE), _predicted(outputs), where, start)
        _check_shape(targets, outputs, where)
        if targets.ndim == 4:
            return _checked_weights(finite(targets, where), where, start)
        return _checked_labels(targets, labels, where, start)

    def symbolic(self, targets: Any, outputs: Any, where: str) -> Any:
        """The same of tensors; a class that no pixel has gives a score of 0."""
        outputs = _logits(outputs)
        predicted = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        if outputs.shape[-1] == 1:
            predicted = tf.cast(outputs[..., 0] > 0, tf.int32)
        if targets is None:
            return predicted
        targets = tf.convert_to_tensor(targets)
        _refuse_masks(targets.dtype == tf.bool, len(targets.shape), _labels(outputs), where)
        if _has_spare_axis(targets, outputs, targets.dtype.is_integer or targets.dtype == tf.bool):
            targets = targets[..., 0]
        if len(targets.shape) < 2:
            wanted = tf.reshape(tf.cast(targets, tf.int32), (-1, 1, 1))
            return tf.where(tf.equal(predicted, wanted), predicted, -1)
        _check_shape(targets, outputs, where)
        return tf.cast(targets, tf.float32 if len(targets.shape) == 4 else tf.int32)


segmentation = Segmentation()

_OTHERWISE = "label maps have shape (n, H, W), weights (n, H, W, K)"


def _logits(outputs: Any) -> Any:
    if hasattr(outputs, "shape") and len(outputs.shape) == 4 and outputs.shape[-1] is not None:
        return outputs
    raise ModelError(
        wording(
            "segmentation",
            expected="the model must have one output of shape (n, H, W, K), a logit for each pixel and class",
            received=outputs_in_words(outputs),
            remedy="Pass output_layer='name' of the output to explain, or operator= a function of your own.",
        )
    )


def _labels(outputs: Any) -> int:
    """How many labels there are; one channel tells two apart."""
    return max(2, outputs.shape[-1])


def _predicted(outputs: np.ndarray) -> np.ndarray:
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] > 0).astype(np.int32)
    return np.argmax(outputs, axis=-1).astype(np.int32)


def _has_spare_axis(targets: Any, outputs: Any, integer: bool) -> bool:
    """Whether targets are ids `(n, 1)` or label maps `(n, H, W, 1)`; fractions for one channel are its weights."""
    rank = len(targets.shape)
    if rank not in (2, 4) or targets.shape[-1] != 1:
        return False
    return rank == 2 or integer or outputs.shape[-1] != 1


def _refuse_masks(boolean: bool, rank: int, labels: int, where: str) -> None:
    """A mask of a zone tells no label; of two labels it may be a label map itself."""
    if not boolean or rank < 3 or labels == 2:
        return
    raise ValueError(
        wording(
            where,
            expected=f"`targets` must say which of the {labels} labels each pixel of the zone has",
            received="a mask of booleans",
            remedy="Use np.where(mask, class_id, -1).",
        )
    )


def _check_shape(targets: Any, outputs: Any, where: str) -> None:
    wanted = tuple(outputs.shape)[: len(targets.shape)] if len(targets.shape) in (3, 4) else None
    # Within a graph an axis may be unknown.
    if wanted is not None and all(
        expected is None or found is None or expected == found
        for expected, found in zip(wanted[1:], targets.shape[1:], strict=True)
    ):
        return
    shape = ", ".join(str(size) for size in tuple(outputs.shape)[1:3])
    raise ValueError(
        wording(
            where,
            expected=f"`targets` must be class ids (n,), label maps (n, {shape}) or weights (n, {shape}, "
            f"{outputs.shape[-1]})",
            received=f"shape {tuple(targets.shape)}",
            remedy="Bring label maps to the size of the model's output, without interpolation.",
        )
    )


def _zones(classes: np.ndarray, predicted: np.ndarray, where: str, start: int) -> np.ndarray:
    zones = np.where(predicted == classes[:, None, None], predicted, -1).astype(np.int32)
    empty = (zones < 0).all(axis=(1, 2))
    if not empty.any():
        return zones
    bad = int(np.argmax(empty))
    raise ValueError(
        wording(
            where,
            expected="`targets` must be classes that the model predicts somewhere in the image",
            received=f"{classes[bad]} for sample {start + bad}, where it predicts {_listed(predicted[bad])}",
            remedy="Pass one of these, or a label map (n, H, W) that says where the class is meant to be.",
        )
    )


def _listed(labels: np.ndarray, most: int = 8) -> str:
    found = [str(label) for label in np.unique(labels)]
    return ", ".join(found[:most]) + (", ..." if len(found) > most else "")


def _checked_labels(targets: np.ndarray, labels: int, where: str, start: int) -> np.ndarray:
    wrong = (targets < -1) | (targets >= labels) | (targets != np.round(targets))
    if wrong.any():
        raise ValueError(
            wording(
                where,
                expected=f"label maps must hold integers in [-1, {labels - 1}]",
                received=f"{targets[wrong][0]} in sample {start + int(np.argmax(wrong.any(axis=(1, 2))))}",
                remedy="Use -1 for pixels outside of the zone to explain, such as those that carry no label.",
            )
        )
    empty = (targets < 0).all(axis=(1, 2))
    if empty.any():
        raise ValueError(
            wording(
                where,
                expected="label maps must have a zone to explain",
                received=f"-1 everywhere in sample {start + int(np.argmax(empty))}",
                remedy="Give the pixels to explain their label, or leave the sample out.",
            )
        )
    return targets.astype(np.int32)


def _checked_weights(targets: np.ndarray, where: str, start: int) -> np.ndarray:
    empty = (targets == 0).all(axis=(1, 2, 3))
    if not empty.any():
        return targets
    raise ValueError(
        wording(
            where,
            expected="weights must not all be 0",
            received=f"0 everywhere in sample {start + int(np.argmax(empty))}",
            remedy="Look at how they were made, or leave the sample out.",
        )
    )
