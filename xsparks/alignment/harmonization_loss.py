"""The harmonization loss of one batch, made while a training step calls its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..models.noted_logits import noted_logits
from ..models.operators import classification
from ..numerics.human_distances import at_most
from ..numerics.ranks import spearman
from .human_maps import _HumanTargets
from .saliencies import absolute_gradient

WHERE = "Harmonization"
# Spearman's correlation is logged at this many rows and columns, because it is taken in every step.
_LOGGED_SIDE = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class _Recipe:
    """What is added to a training step, as functions and numbers.

    Parameters
    ----------
    saliency : `(gradient, inputs) -> (n, h, w)`, both channels last.
    distance : `(saliency, human) -> (n,)`.
    score : a name of `SCORES`, or `(outputs, label) -> (n,)`.
    output : the name or the number of the explained output of several, or None.
    explain_input : the name or the number of the explained input of several, or None.
    by_maps : whether the loss is divided by the number of maps, not by that of samples.
    inference : whether the saliency is that of the model as it predicts, not as it trains.
    channels_first : whether images are `(n, c, h, w)`.
    """

    saliency: Callable[[Any, Any], Any]
    distance: Callable[[Any, Any], Any]
    score: str | Callable[[Any, Any], Any] = "logit"
    output: Any = None
    explain_input: Any = None
    by_maps: bool = False
    inference: bool = False
    channels_first: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class _Tracked:
    """The variables of one `fit`: the weight, and the means that are logged."""

    weight: Any
    loss: keras.metrics.Mean
    alignment: keras.metrics.Mean

    def result(self) -> dict[str, Any]:
        """What is logged."""
        return {"harmonization_loss": self.loss.result(), "alignment": self.alignment.result()}

    def reset(self) -> None:
        """Start the means of an epoch."""
        self.loss.reset_state()
        self.alignment.reset_state()


class _HarmonizedBatch:
    """What one trace of a training step passes from the call of the model to its loss."""

    def __init__(self, recipe: _Recipe, tracked: _Tracked, targets: _HumanTargets) -> None:
        self.recipe, self.tracked, self.targets = recipe, tracked, targets
        self.loss: Any = None
        self.added = False

    def explain(self, forward: Callable[[Any], Any], inputs: Any) -> Any:
        """The outputs of the model; keeps the harmonization loss of this batch."""
        key = self._key(inputs)
        explained = inputs if key is None else inputs[key]
        explained = tf.convert_to_tensor(explained)
        if not explained.dtype.is_floating:
            explained = tf.cast(explained, keras.config.floatx())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(explained)
            outputs = forward(_with(inputs, key, explained))
            score = self._score(outputs)
        gradient = tape.gradient(score, explained)
        if gradient is None:
            raise ModelError(
                wording(
                    WHERE,
                    expected="the score must depend on the inputs by operations that have gradients",
                    received="no gradient",
                    remedy="Look for rounding, argmax or tf.stop_gradient in the model; with several outputs or inputs "
                    "name the explained one by `output` and `explain_input`.",
                )
            )
        self._compare(_precise(gradient), _precise(explained))
        return outputs

    def _key(self, inputs: Any) -> Any:
        key = self.recipe.explain_input
        if isinstance(inputs, dict | list | tuple) and key is None and len(inputs) == 1:
            return next(iter(inputs)) if isinstance(inputs, dict) else 0
        return _chosen(inputs, key, "explain_input", "inputs")

    def _score(self, outputs: Any) -> Any:
        key = _chosen(outputs, self.recipe.output, "output", "outputs")
        label = self.targets.label
        if key is not None:
            outputs = outputs[key]
            label = label[key] if isinstance(label, dict | list | tuple) else label
        if callable(self.recipe.score):
            return self.recipe.score(outputs, label)
        if not isinstance(label, dict | list | tuple):
            return SCORES[self.recipe.score](*_logits_and_label(outputs, tf.convert_to_tensor(label)))
        raise ModelError(
            wording(
                WHERE,
                expected="`output` must name the output of several labels that is explained",
                received=f"labels {sorted(label) if isinstance(label, dict) else f'of {len(label)} outputs'}",
                remedy="Set output= to its name or number, or write score=.",
            )
        )

    def _compare(self, gradient: Any, inputs: Any) -> None:
        if self.recipe.channels_first:
            gradient, inputs = (tf.transpose(each, (0, 2, 3, 1)) for each in (gradient, inputs))
        saliency = self.recipe.saliency(gradient, inputs)
        human, share = (tf.cast(each, saliency.dtype) for each in (self.targets.heatmap, self.targets.share))
        if not saliency.shape[1:].is_compatible_with(human.shape[1:]):
            raise ValueError(
                wording(
                    WHERE,
                    expected=f"'heatmap' must have the size of the saliency, {tuple(saliency.shape[1:])}",
                    received=f"{tuple(human.shape[1:])}",
                    remedy="Resize the maps in the data set, with tf.image.resize.",
                )
            )
        distances = self.recipe.distance(saliency, human)
        count = tf.reduce_sum(share) if self.recipe.by_maps else tf.cast(tf.size(share), share.dtype)
        self.loss = tf.math.divide_no_nan(tf.reduce_sum(distances * share), count)
        seen, shown = (_ranked(maps) for maps in (absolute_gradient(gradient, inputs), human))
        self.tracked.loss.update_state(distances, sample_weight=share)
        self.tracked.alignment.update_state(spearman(seen, shown), sample_weight=share)

    def weighted(self) -> Any:
        """The part of the loss, for one of the replicas whose losses are added up."""
        self.added = True
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return tf.cast(self.tracked.weight, self.loss.dtype) * self.loss / replicas


def _logits_and_label(outputs: Any, label: Any) -> tuple[Any, Any]:
    """Logits `(n, classes)`, and class ids or weights over the classes; of two classes also the weight of class 1."""
    logits = noted_logits(outputs)
    if logits.shape[-1] == 1:
        logits = tf.concat([-logits, logits], axis=-1)
    if len(label.shape) == 2 and label.shape[-1] != 1:
        return logits, tf.cast(label, logits.dtype)
    if logits.shape[-1] == 2:
        second = tf.cast(tf.reshape(label, (-1, 1)), logits.dtype)
        return logits, tf.concat([1 - second, second], axis=-1)
    return logits, tf.cast(tf.reshape(label, (-1,)), tf.int32)


def log_odds(logits: Any, label: Any) -> Any:
    """The logarithm of the probability of the label over that of all other classes, `(n,)`.

    `<w, f> - log sum (1 - w) exp f`, with `w` the weights of the label: `f_c - log sum_j exp f_j` over all `j` but `c`
    for a class `c`. It does not move when all logits rise alike, and has slopes where a probability no longer has.
    """
    logits = _precise(logits)
    one_hot = not label.dtype.is_floating
    weights = tf.one_hot(label, logits.shape[-1], dtype=logits.dtype) if one_hot else tf.cast(label, logits.dtype)
    # Finite, so that gradients are numbers.
    others = tf.where(weights < 1, logits + tf.math.log(tf.maximum(1 - weights, 1e-30)), -1e30)
    return tf.reduce_sum(weights * logits, axis=-1) - tf.reduce_logsumexp(others, axis=-1)


SCORES: dict[str, Callable[[Any, Any], Any]] = {"logit": classification.of, "log_odds": log_odds}


def _chosen(values: Any, key: Any, option: str, kind: str) -> Any:
    """The key of one of several inputs or outputs, checked; None for a single one."""
    nested = isinstance(values, dict | list | tuple)
    if not nested and key is None:
        return None
    keys = list(values) if isinstance(values, dict) else list(range(len(values))) if nested else [None]
    if key in keys:
        return key
    raise ModelError(
        wording(
            f"{WHERE}({option}={key!r})",
            expected=f"`{option}` must name one of the model's {kind}, {keys}",
            received=repr(key),
            remedy=f"Use {option}={keys[0]!r}.",
        )
    )


def _with(inputs: Any, key: Any, value: Any) -> Any:
    if key is None:
        return value
    if isinstance(inputs, dict):
        return {**inputs, key: value}
    return type(inputs)(value if i == key else each for i, each in enumerate(inputs))


def _precise(values: Any) -> Any:
    # Squares of the small gradients of half precision would vanish.
    return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)


def _ranked(maps: Any) -> Any:
    if None in maps.shape[1:]:
        small = maps
    else:
        small = at_most(maps, _LOGGED_SIDE)
    shape = tf.shape(small)
    return tf.reshape(small, (shape[0], shape[1] * shape[2]))
