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
    return operator(bound.forward if operator == regression else bound.probabilities, inputs, targets)


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


def score_and_gradient(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The score and its derivative by the inputs, of one pass."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        scores = operator(bound.forward, inputs, targets)
    return {"score": scores, "gradient": _gradient(tape, scores, inputs)}


def rectified_gradient(rule: str) -> Query:
    """The score and its derivative by the inputs, with the gradient of every ReLU by this rule."""

    def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape, bound.rectified(rule):
            tape.watch(inputs)
            scores = operator(bound.forward, inputs, targets)
        return {"score": scores, "gradient": _gradient(tape, scores, inputs)}

    return query


def activations(layers: Any) -> Query:
    """What layers answer, a tree of the structure of `layers`, `(b, ...)` float32."""

    def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
        return tf.nest.map_structure(lambda leaf: tf.cast(leaf, tf.float32), bound.tap(layers)(inputs)[0])

    return query


def activations_and_score(layer: Any) -> Query:
    """What a layer answers, and the score, of one forward: `{"activations", "score"}`, the first `(b, ...)` float32."""

    def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
        kept: list[Any] = []
        tapped = bound.tap(layer)

        def forward(given: Any) -> Any:
            found, answered = tapped(given)
            kept.append(found)
            return answered

        scores = operator(forward, inputs, targets)
        return {"score": scores, "activations": tf.cast(kept[0], tf.float32)}

    return query


def activations_and_gradients(layers: Any) -> Query:
    """What layers answer and the derivative of the score by it: `{"activations", "gradients", "score"}`, the first
    two trees of the structure of `layers`, `(b, ...)` float32.
    """

    def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
        kept: list[Any] = []
        tapped = bound.tap(layers)

        def forward(given: Any) -> Any:
            found, answered = tapped(given)
            kept.append(found)
            return answered

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            scores = operator(forward, inputs, targets)
        found = tf.nest.flatten(kept[0])
        gradients = _gradients(tape, scores, found, f"the layer {layers}")
        floats = [tf.cast(leaf, tf.float32) for leaf in found]
        # A layer beside the way to this score, such as one of another output, has no influence on it.
        gradients = [
            tf.zeros_like(leaf) if slope is None else tf.cast(slope, tf.float32)
            for leaf, slope in zip(floats, gradients, strict=True)
        ]
        return {
            "score": scores,
            "activations": tf.nest.pack_sequence_as(layers, floats),
            "gradients": tf.nest.pack_sequence_as(layers, gradients),
        }

    return query


def gradient_of(build: Any) -> Query:
    """The derivative of the score by `drawn["variable"]`, with the inputs made from it by `build(drawn)`."""

    def query(bound: Bound, operator: Any, drawn: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(drawn["variable"])
            scores = operator(bound.forward, build(drawn), targets)
        return {"score": scores, "gradient": _gradient(tape, scores, drawn["variable"])}

    return query


def _gradient(tape: tf.GradientTape, scores: Any, variable: Any) -> Any:
    return _gradients(tape, scores, [variable], "the inputs")[0]


def _gradients(tape: tf.GradientTape, scores: Any, variables: list[Any], of: str) -> list[Any]:
    """The derivatives by several variables; None for one that the score does not depend on, if it does on another."""
    found = tape.gradient(scores, variables)
    if all(slope is None for slope in found):
        raise ModelError(
            wording(
                "gradient",
                expected=f"the score must depend on {of} by operations that have gradients",
                received="no gradient",
                remedy="Look for rounding, argmax or tf.stop_gradient in the model, `preprocess` or the operator, or "
                "use a method without gradients.",
            )
        )
    return found
