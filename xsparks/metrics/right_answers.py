"""About which samples is a model right?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import wording
from ..core.inputs import Samples, map_leaves
from ..engine import Engine
from ..models.access import ModelAccess, Notice
from ..models.operators import classification, resolve_targets

_WHERE = "CrossTraining"
# Samples predicted at a time: only what is right is held.
_GROUP = 1024


def right_answers(
    model: Any,
    data: Samples,
    classes: np.ndarray | None,
    correct: Callable[[Any, Any], Any] | None = None,
    preprocess: Any = None,
    batch_size: int | str = "auto",
) -> np.ndarray:
    """About which samples is the model right, `(n,)` bool?

    Parameters
    ----------
    data : all samples with their targets.
    classes : the class of each sample `(n,)`, or None where targets are no classes.
    correct : decides instead, from outputs (without a final softmax or sigmoid) and targets.
    preprocess, batch_size : of the forwards.

    Raises
    ------
    ValueError : neither classes nor `correct`, or an answer of `correct` of another kind.
    """
    access = ModelAccess(model, None, preprocess, _WHERE)
    engine = Engine(access, classification, batch_size)
    found = []
    with warnings.catch_warnings():
        # Which class is the largest does not depend on a softmax that is bypassed.
        warnings.simplefilter("ignore", Notice)
        access.ensure_ready(map_leaves(lambda leaf: np.asarray(leaf[:1], dtype=np.float32), data.inputs))
        for start in range(0, len(data), _GROUP):
            rows = slice(start, start + _GROUP)
            inputs = map_leaves(lambda leaf, rows=rows: np.asarray(leaf[rows], dtype=np.float32), data.inputs)
            outputs = np.asarray(engine.predict(inputs))
            if correct is not None:
                found.append(_asked(correct, outputs, data.targets[rows]))
            else:
                found.append(_is_class(outputs, None if classes is None else classes[rows], data.targets))
    return np.concatenate(found)


def _asked(correct: Callable[[Any, Any], Any], outputs: np.ndarray, targets: Any) -> np.ndarray:
    right = np.asarray(correct(outputs, targets))
    if right.shape != (len(outputs),) or right.dtype != bool:
        raise ValueError(
            wording(
                f"{_WHERE}(correct=...)",
                expected=f"the function must answer with truth values of shape ({len(outputs)},)",
                received=f"{right.dtype} of shape {right.shape}",
                remedy="For example: lambda outputs, targets: abs(outputs[:, 0] - targets) < 0.1.",
            )
        )
    return right


def _is_class(outputs: np.ndarray, classes: np.ndarray | None, targets: Any) -> np.ndarray:
    if classes is None or outputs.ndim != 2 or outputs.shape[1] < 2:
        raise ValueError(
            wording(
                _WHERE,
                expected="targets must be classes, and the model must answer with one number for each class",
                received=f"targets {targets.dtype} of shape {targets.shape}, outputs of shape {outputs.shape}",
                remedy="Pass correct=, a function that says which answers are right.",
            )
        )
    return resolve_targets(None, outputs, classification, _WHERE) == classes
