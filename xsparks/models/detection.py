"""What to explain of a detector: how well something is still detected (Petsiuk et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.errors import ModelError, wording
from .likeness import cosine, intersection_over_union
from .output_operator import OutputOperator, finite, ids, numbers, outputs_in_words

PARTS = ("box", "objectness", "class")


@dataclass(frozen=True)
class Detection(OutputOperator):
    """How well does the model still detect an object: there, as sure, and as the same class?

    `s(d, x) = max_j IoU(L, L_j) * cos(P, P_j) * O_j` for an object `d` with box `L` and class probabilities `P`, over
    the boxes `L_j`, class probabilities `P_j` and objectness `O_j` that the model answers to `x`. Of several objects
    the mean. The IoU with an empty box and the cosine with class probabilities that are all 0 are 0.

    At one of the model's own detections IoU and cosine have their largest value, so a gradient there sees the
    objectness alone; a method that perturbs the input sees all three.

    Parameters
    ----------
    parts : the factors that enter, of `"box"`, `"objectness"` and `"class"`.
    read : how the model's answer is read: a function of it to `(boxes (n, b, 4), objectness (n, b), classes
        (n, b, k))`, of operations that have gradients; objectness may be None where the model has none, and counts as
        1. Without it the answer is one tensor `(n, b, 4 + 1 + k)` in this order, or a dict with the keys `"boxes"`,
        `"objectness"` (may be missing) and `"classes"`. Boxes are corners `x1, y1, x2, y2`, in any unit;
        objectness and classes are probabilities.

    Targets
    -------
    - None: the detection with the highest objectness in the input as it is (without objectness: the highest class
      probability);
    - numbers of boxes `(n,)`: that detection of the input as it is;
    - an object `(n, 5 + k)`: its box, 1, and its class probabilities, such as a one-hot row;
    - several objects `(n, objects, 5 + k)`; those with an objectness of 0 fill up the rows and are ignored.

    Raises
    ------
    ValueError, TypeError : parts that do not exist, `read` that is no function.

    Departs
    -------
    The published score explains one detection; the mean over several, and leaving out factors, are additions.

    Example
    -------
    >>> boxes = tf.constant([[[0.0, 0.0, 2.0, 2.0, 0.5, 1.0, 0.0], [5.0, 5.0, 6.0, 6.0, 0.9, 0.0, 1.0]]])
    >>> person = tf.constant([[0.0, 0.0, 1.0, 2.0, 1.0, 1.0, 0.0]])
    >>> Detection()(lambda x: x, boxes, person).numpy().tolist()  # 1/2 of the box, 1/2 sure, the same class
    [0.25]

    Source
    ------
    V. Petsiuk, R. Jain, V. Manjunatha, V. I. Morariu, A. Mehra, V. Ordonez, K. Saenko, "Black-box Explanation of Object
    Detectors via Saliency Maps", CVPR 2021, https://arxiv.org/abs/2006.03204
    """

    parts: tuple[str, ...] = PARTS
    read: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        parts = (self.parts,) if isinstance(self.parts, str) else tuple(self.parts)
        for part in parts:
            check_choice("Detection", "parts", part, PARTS)
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(
                wording(
                    f"Detection(parts={self.parts!r})",
                    expected="`parts` must be one or more of " + ", ".join(map(repr, PARTS)) + ", each once",
                    received=repr(self.parts),
                    remedy="Leave it out for all three.",
                )
            )
        if self.read is not None and not callable(self.read):
            raise TypeError(
                wording(
                    f"Detection(read={self.read!r})",
                    expected="`read` must be a function from outputs to (boxes, objectness, classes)",
                    received=type(self.read).__name__,
                    remedy="Leave it out for outputs of shape (n, boxes, 4 + 1 + classes).",
                )
            )
        object.__setattr__(self, "parts", parts)

    def of(self, outputs: Any, targets: Any) -> Any:
        """How well each object is detected, in [0, 1], `(n,)`; 0 where there is no object."""
        boxes, objectness, classes = self._detections(outputs)
        objects = tf.cast(targets, tf.float32)
        objects = objects if len(objects.shape) == 3 else objects[:, None]
        likeness = tf.ones_like(boxes[:, None, :, 0])
        if "box" in self.parts:
            likeness *= intersection_over_union(objects[..., :4], boxes)
        if "class" in self.parts:
            likeness *= cosine(objects[..., 5:], classes)
        if "objectness" in self.parts and objectness is not None:
            likeness *= objectness[:, None]
        # The largest of no boxes at all would be minus infinity.
        best = tf.maximum(tf.reduce_max(likeness, axis=-1), 0.0)
        present = tf.cast(objects[..., 4] > 0, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(best * present, axis=-1), tf.reduce_sum(present, axis=-1))

    def resolve(self, targets: Any, outputs: Any, where: str, start: int = 0) -> np.ndarray:
        """Objects `(m, 5 + k)` or `(m, objects, 5 + k)` float32.

        Raises
        ------
        ValueError : a box that the model does not have, another shape, an object that nothing can match.
        ModelError : outputs that cannot be read, or that are no probabilities.
        TypeError : targets that are no numbers.
        """
        read = self._detections(tf.nest.map_structure(tf.convert_to_tensor, outputs))
        boxes, objectness, classes = (None if part is None else np.asarray(part) for part in read)
        _check_probabilities(objectness, classes)
        known = np.asarray(_joined(boxes, objectness, classes))
        count, width = known.shape[1:]
        targets = None if targets is None else numbers(targets, where)
        if targets is not None and targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if targets is None or targets.ndim == 1:
            if not count:
                _refuse_nothing(where, start, own=True)
            picked = np.asarray(_surest(objectness, classes)) if targets is None else targets
            picked = ids(picked, count, where, start, "box", "boxes", f"an object has {width} numbers")
            return self._checked(known[np.arange(len(known)), picked], where, start, own=True)
        _check_shape(targets, width, where)
        return self._checked(finite(targets, where, "objects"), where, start)

    def symbolic(self, targets: Any, outputs: Any, where: str) -> Any:
        """The same of tensors; where nothing is detected the score is 0."""
        boxes, objectness, classes = self._detections(outputs)
        known = _joined(boxes, objectness, classes)
        if targets is None:
            picked = _surest(objectness, classes)
        else:
            targets = tf.convert_to_tensor(targets)
            if len(targets.shape) == 2 and targets.shape[1] == 1:
                targets = targets[:, 0]
            if len(targets.shape) > 1:
                _check_shape(targets, known.shape[-1], where)
                return tf.cast(targets, tf.float32)
            picked = tf.broadcast_to(tf.cast(targets, tf.int32), tf.shape(known)[:1])
        return tf.gather(known, picked, batch_dims=1)

    def _detections(self, outputs: Any) -> tuple[Any, Any, Any]:
        """Boxes `(n, b, 4)`, objectness `(n, b)` or None, classes `(n, b, k)`."""
        parts: Any = ()
        if self.read is not None:
            parts = self.read(outputs)
        elif isinstance(outputs, dict):
            parts = tuple(outputs.get(name) for name in ("boxes", "objectness", "classes"))
        elif hasattr(outputs, "shape") and len(outputs.shape) == 3 and (outputs.shape[-1] or 0) >= 5:
            parts = outputs[..., :4], outputs[..., 4], outputs[..., 5:]
        if isinstance(parts, list | tuple) and len(parts) == 3 and parts[0] is not None:
            if parts[2] is None:
                parts = (*parts[:2], parts[0][..., :0])
            parts = tuple(None if part is None else tf.cast(part, tf.float32) for part in parts)
            if self._fit(*parts):
                return parts
        raise ModelError(
            wording(
                "detection",
                expected="the model must answer with boxes (n, b, 4), objectness (n, b) and classes (n, b, k): a dict "
                "of these, or one output (n, b, 4 + 1 + k)",
                received=_parts_in_words(parts) if self.read is not None else outputs_in_words(outputs),
                remedy="Pass operator=Detection(read=a function from the model's outputs to these three).",
            )
        )

    def _fit(self, boxes: Any, objectness: Any, classes: Any) -> bool:
        ranks = len(boxes.shape), 2 if objectness is None else len(objectness.shape), len(classes.shape)
        if ranks != (3, 2, 3) or boxes.shape[-1] != 4 or classes.shape[-1] is None:
            return False
        return classes.shape[-1] > 0 or "class" not in self.parts

    def _checked(self, objects: np.ndarray, where: str, start: int, own: bool = False) -> np.ndarray:
        rows = objects.reshape(len(objects), -1, objects.shape[-1])
        present = rows[..., 4] > 0
        if not present.any(axis=1).all():
            _refuse_nothing(where, start + int(np.argmin(present.any(axis=1))), own)
        flat = ~((rows[..., 2:4] > rows[..., :2]).all(axis=-1) | ("box" not in self.parts))
        empty = flat | (~rows[..., 5:].any(axis=-1) & ("class" in self.parts))
        if not (empty & present).any():
            return objects
        bad = int(np.argmax((empty & present).any(axis=1)))
        raise ValueError(
            wording(
                where,
                expected="an object must have a box with x1 < x2 and y1 < y2, and a class",
                received=f"{rows[bad][(empty & present)[bad]][0].tolist()} in sample {start + bad}",
                remedy="Boxes are corners, not a centre and a size; after them come 1 and the class probabilities.",
            )
        )


detection = Detection()


def _joined(boxes: Any, objectness: Any, classes: Any) -> Any:
    sure = tf.ones_like(boxes[..., 0]) if objectness is None else objectness
    return tf.concat([boxes, sure[..., None], classes], axis=-1)


def _surest(objectness: Any, classes: Any) -> Any:
    sure = tf.reduce_max(classes, axis=-1) if objectness is None else objectness
    return tf.argmax(sure, axis=1, output_type=tf.int32)


def _check_probabilities(*parts: Any) -> None:
    for part in parts:
        if part is None or not part.size or (part.min() >= -1e-3 and part.max() <= 1 + 1e-3):
            continue
        raise ModelError(
            wording(
                "detection",
                expected="objectness and classes must be probabilities in [0, 1]",
                received=part.flat[np.argmax(np.abs(part - 0.5))],
                remedy="Pass output_layer= the last layer, to keep its own activation, or operator=Detection(read=a "
                "function that applies one).",
            )
        )


def _check_shape(targets: Any, width: int, where: str) -> None:
    if len(targets.shape) in (2, 3) and targets.shape[-1] == width:
        return
    raise ValueError(
        wording(
            where,
            expected=f"`targets` must be numbers of boxes (n,), an object (n, {width}) or several (n, objects, "
            f"{width})",
            received=f"shape {tuple(targets.shape)}",
            remedy=f"An object is x1, y1, x2, y2, an objectness of 1, and {width - 5} class probabilities.",
        )
    )


def _refuse_nothing(where: str, sample: int, own: bool) -> NoReturn:
    raise ValueError(
        wording(
            where,
            expected="there must be a detection to explain" if own else "`targets` must hold an object to explain",
            received=f"none with an objectness above 0 in sample {sample}",
            remedy="Leave the sample out, or pass an object (n, 5 + k) as targets."
            if own
            else "Set the objectness of each object to 1; rows of zeros only fill up.",
        )
    )


def _parts_in_words(parts: Any) -> str:
    if not isinstance(parts, list | tuple):
        return f"a {type(parts).__name__} from `read`"
    return "shapes " + ", ".join(str(None if part is None else tuple(part.shape)) for part in parts) + " from `read`"
