"""One way to call every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording


def as_traceable(model: Any, where: str) -> Callable[[Any], Any]:
    """A function of tensors that calls the model in inference mode.

    Keras models and layers, legacy `tf_keras` models, a loaded SavedModel (its `serve` endpoint or its
    `serving_default` signature), functions of TensorFlow, and any Python callable of NumPy arrays. The last kind
    runs on the host and has no gradient; it is recognised when it cannot take symbolic tensors.
    """
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            wording(
                where,
                expected="Keras must run on the TensorFlow backend",
                received=keras.backend.backend(),
                remedy="Set KERAS_BACKEND=tensorflow before importing keras.",
            )
        )
    if isinstance(model, keras.layers.Layer) or is_legacy_keras(model):
        return lambda inputs: model(inputs, training=False)
    if hasattr(model, "signatures"):
        return _saved_model(model, where)
    if not callable(model):
        raise TypeError(
            wording(
                where,
                expected="`model` must be a Keras model, a SavedModel or a callable",
                received=type(model).__name__,
                remedy="Load it first, for example keras.models.load_model(path).",
            )
        )
    return model


def is_legacy_keras(model: Any) -> bool:
    """Whether a model was made by the legacy `tf_keras`, told from its own class without importing it."""
    return any(base.__module__.split(".")[0] == "tf_keras" for base in type(model).__mro__)


def _saved_model(model: Any, where: str) -> Callable[[Any], Any]:
    if callable(getattr(model, "serve", None)):
        return model.serve
    if "serving_default" in model.signatures:
        signature = model.signatures["serving_default"]
        names = sorted(signature.structured_input_signature[1])

        def call(inputs: Any) -> Any:
            given = inputs if isinstance(inputs, dict) else dict(zip(names, tf.nest.flatten(inputs), strict=True))
            outputs = signature(**given)
            return next(iter(outputs.values())) if len(outputs) == 1 else outputs

        return call
    if callable(model):
        return model
    raise ModelError(
        wording(
            where,
            expected="a SavedModel must have a `serve` endpoint or a `serving_default` signature",
            received=", ".join(model.signatures) or "no signature",
            remedy="Export it with model.export(path), or pass the signature's function.",
        )
    )


def on_host(function: Callable[[Any], Any], trial: Any) -> Callable[[Any], Any]:
    """A Python function of NumPy arrays as a step of a graph; a `trial` input tells the shape of what it returns."""
    shape = np.asarray(function(trial)).shape[1:]
    structure = tf.nest.map_structure(lambda leaf: 0, trial)

    def answer(*leaves: np.ndarray) -> np.ndarray:
        return np.asarray(function(tf.nest.pack_sequence_as(structure, leaves)), dtype=np.float32)

    def call(inputs: Any) -> Any:
        outputs = tf.numpy_function(answer, tf.nest.flatten(inputs), tf.float32, stateful=False)
        outputs.set_shape((None, *shape))
        return outputs

    return call


def settled(function: Callable[[Any], Any], first: Any, prepared: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The callable as a step of a graph, once it is known whether it eats tensors or NumPy arrays.

    Parameters
    ----------
    first : a tree of tensors, one sample.
    prepared : the preprocessing before it.
    """
    if hasattr(function, "settled"):
        return function
    # The graph of a function: a plain tf.Graph cannot read the variables of a model inside the callable.
    with tf.__internal__.FuncGraph("settle").as_default():
        symbols = tf.nest.map_structure(
            lambda leaf: tf.compat.v1.placeholder(leaf.dtype, (None, *leaf.shape[1:])), first
        )
        try:
            symbolic = tf.is_symbolic_tensor(tf.nest.flatten(function(prepared(symbols)))[0])
        except (NotImplementedError, TypeError, AttributeError, ValueError, RuntimeError, tf.errors.OpError):
            symbolic = False
    if symbolic:
        return _Settled(function)
    found = _Settled(on_host(function, tf.nest.map_structure(np.asarray, prepared(first))))
    found.host_only = True  # pyright: ignore[reportAttributeAccessIssue]
    return found


class _Settled:
    """A callable known to take tensors."""

    settled = True

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def __call__(self, inputs: Any) -> Any:
        return self._function(inputs)
