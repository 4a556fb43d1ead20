"""What can be measured on a variant of an input."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ..core.errors import ModelError, wording
from ..models.operators import regression
from .plan import Bound, Query


def score(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The score that the operator explains, on logits, `(b,)`."""
    return operator(bound.forward, inputs, targets)


def probability(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The score on probabilities, `(b,)`; the outputs of a regression are none and are taken as they are."""
    return operator(bound.forward if operator is regression else bound.probabilities, inputs, targets)


def outputs(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """All outputs of the model, a tree `(b, ...)`."""
    return bound.forward(inputs)


def score_and_outputs(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The score and all outputs of the same forward pass."""
    kept: list[Any] = []

    def forward(given: Any) -> Any:
        kept.append(bound.forward(given))
        return kept[-1]

    scores = operator(forward, inputs, targets)
    return {"score": scores, "outputs": tf.reshape(kept[0], (tf.shape(kept[0])[0], kept[0].shape[-1]))}


def gradient(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The derivative of the score by the inputs, of the shape of the inputs."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        scores = operator(bound.forward, inputs, targets)
    return _gradient(tape, scores, inputs)


def gradient_of(build: Any) -> Query:
    """The derivative of the score by `drawn["variable"]`, with the inputs made from it by `build(drawn)`."""

    def query(bound: Bound, operator: Any, drawn: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(drawn["variable"])
            scores = operator(bound.forward, build(drawn), targets)
        return {"score": scores, "gradient": _gradient(tape, scores, drawn["variable"])}

    return query


def _gradient(tape: tf.GradientTape, scores: Any, variable: Any) -> Any:
    found = tape.gradient(scores, variable)
    if found is None:
        raise ModelError(
            wording(
                "gradient",
                expected="the score must depend on the inputs by operations that have gradients",
                received="no gradient",
                remedy="Look for rounding, argmax or tf.stop_gradient in the model, `preprocess` or the operator, or "
                "use a method without gradients.",
            )
        )
    return found
