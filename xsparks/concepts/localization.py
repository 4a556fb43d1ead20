"""A concept as what is explained: any attribution method then shows it in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..models.operators import classification
from ..models.output_operator import OutputOperator, finite, ids, numbers
from .dictionary import Dictionary

REDUCTIONS = ("mean", "max")


@dataclass(frozen=True, eq=False, kw_only=True)
class ConceptPresence(OutputOperator):
    """How much of a concept is in the input?

    The score of concept `i` is its coefficient `u_i(g(x))`, the mean over all places of the layer, for the first half
    `g` of the model. As `operator=` of any attribution method, with the layer as `output_layer=`, it makes a concept
    what is explained: maps then show the pixels that the concept is made of. Gradients pass through the encoding
    exactly, by implicit differentiation (`xsparks.numerics.nonnegative_encoding`).

    Targets are the numbers of concepts `(n,)` or weights over them `(n, r)`; None takes the strongest of each input.

    Parameters
    ----------
    dictionary : the concepts of the layer.
    reduction : over the places: "mean", or "max" for where the concept is strongest.

    Example
    -------
    >>> words = Dictionary(atoms=np.array([[1.0, 0.0], [1.0, 1.0]], "float32"))
    >>> presence = ConceptPresence(dictionary=words)
    >>> presence(lambda x: x, tf.constant([[[2.0, 1.0], [0.0, 0.0]]]), tf.constant([0])).numpy().tolist()
    [0.5]

    Source
    ------
    T. Fel et al., "CRAFT: Concept Recursive Activation FacTorization for Explainability", CVPR 2023, section 3.3,
    https://arxiv.org/abs/2211.10154
    """

    dictionary: Dictionary
    reduction: str = "mean"

    def __post_init__(self) -> None:
        check_choice(type(self).__name__, "reduction", self.reduction, REDUCTIONS)

    def of(self, outputs: Any, targets: Any) -> Any:
        """The presence of each target, `(n,)`."""
        return classification.of(self.strengths(outputs), targets)

    def strengths(self, outputs: Any) -> Any:
        """The presence of every concept, `(n, r)`, in what the layer answers."""
        codes = self.dictionary.encode(tf.convert_to_tensor(outputs))
        places = list(range(1, len(codes.shape) - 1))
        return tf.reduce_mean(codes, axis=places) if self.reduction == "mean" else tf.reduce_max(codes, axis=places)

    def resolve(self, targets: Any, outputs: Any, where: str, start: int = 0) -> np.ndarray:
        """Concepts `(m,)` int32 or weights `(m, r)` float32; for None the strongest concept."""
        if targets is None:
            return np.argmax(np.asarray(self.strengths(outputs)), axis=-1).astype(np.int32)
        targets = numbers(targets, where)
        if targets.ndim == 2 and targets.shape[1] == len(self.dictionary):
            return finite(targets, where)
        otherwise = "weights over the concepts have shape (n, r)"
        return ids(targets.ravel(), len(self.dictionary), where, start, "concept", "concepts", otherwise)

    def symbolic(self, targets: Any, outputs: Any, where: str) -> Any:
        """The same of tensors."""
        if targets is None:
            return tf.argmax(self.strengths(outputs), axis=-1, output_type=tf.int32)
        return classification.symbolic(targets, self.strengths(outputs), where)
