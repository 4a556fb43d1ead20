"""The words of the methods that read layers: models without layers, layers without places, options out of range."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, says
from tests.truths.token_models import Transformer, planted, tokens_of_unknown_grid
from xsparks.attributions import FEM, SISE, GradCAM, Saliency, ScoreCAM
from xsparks.core.errors import ModelError

FLAT = np.ones((5, 7), "float32")


def dense() -> keras.Model:
    """A network without any place."""
    inputs = keras.Input(models.SHAPE)
    return keras.Model(inputs, keras.layers.Dense(4, name="head")(keras.layers.Flatten(name="flat")(inputs)))


def on_numpy(x):
    """The network behind a step that no tape sees."""
    return network()(np.asarray(x)).numpy()


def test_samples_that_a_method_does_not_take():
    says(
        ModelError,
        "`GradCAM`: samples must be images (h, w, c) or series (t, f), got shape (7,). Other methods take them: "
        "see the table of methods.",
        lambda: GradCAM(lambda x: x[:, :4]).explain(FLAT, 0),
    )


@pytest.mark.parametrize("cls", [GradCAM, FEM, SISE])
def test_a_function_has_no_layers(cls):
    says(
        ModelError,
        f"`{cls.__name__}`: the model must be a Keras model, whose layers can be reached, got a function. Use a method "
        "that needs no layer, such as RISE or SobolAttribution.",
        lambda: cls(lambda x: network()(x)).explain(X, TARGETS),
    )


def test_a_function_of_arrays_has_no_gradients():
    says(
        ModelError,
        "`Saliency`: the model must have gradients, got a function of NumPy arrays. Use a method without gradients, "
        "such as RISE or SobolAttribution, or pass a Keras model.",
        lambda: Saliency(on_numpy).explain(X, TARGETS),
    )


@pytest.mark.parametrize("cls", [GradCAM, ScoreCAM, SISE])
def test_a_model_without_places(cls):
    says(
        ModelError,
        f"`{cls.__name__}`: a layer of the model must answer with something laid out in space, got no such layer. Use "
        "a method that needs no layer, such as IntegratedGradients or RISE.",
        lambda: cls(dense()).explain(X, TARGETS),
    )
    says(
        ModelError,
        f"`{cls.__name__}`: a layer of the model must answer with tokens (b, n, c), as `reshape` is given, got no such "
        "layer. Leave `reshape` out.",
        lambda: cls(network(), reshape=lambda tokens: tokens).explain(X, TARGETS),
    )


def test_a_layer_without_places():
    says(
        ModelError,
        "`GradCAM(layer='head')`: the layer must answer with something laid out in space, got head, which does not. "
        "Layers that do, the last ones: first, second.",
        lambda: GradCAM(network(), layer="head").explain(X, TARGETS),
    )
    says(
        ModelError,
        "got flat, which does not. Use a method that needs no layer.",
        lambda: GradCAM(dense(), layer=1).explain(X, TARGETS),
    )
    says(
        ModelError,
        "`GradCAM(layer='second:1')`: the layer must answer with something laid out in space, got second:1, which does "
        "not.",
        lambda: GradCAM(network(), layer="second:1").explain(X, TARGETS),
    )
    says(
        ModelError,
        "`SISE(layer='head')`: the layer must answer with something laid out in space, got head, which does not.",
        lambda: SISE(network(), layers=["first", "head"]).explain(X, TARGETS),
    )


def test_tokens_whose_rows_are_unknown():
    says(
        ModelError,
        "`GradCAM(layer='mixed')`: the layer must answer with something laid out in space, got mixed, which does not. "
        "Pass reshape=, a function from its tokens (b, n, c) to (b, rows, columns, c).",
        lambda: GradCAM(tokens_of_unknown_grid(), layer="mixed").explain(X, 0),
    )
    says(
        ModelError,
        "`GradCAM(layer='patches')`: the layer must answer with tokens (b, n, c), as `reshape` is given, got patches, "
        "which does not. Layers that do, the last ones: tokens, mixed.",
        lambda: GradCAM(tokens_of_unknown_grid(), layer="patches", reshape=lambda tokens: tokens).explain(X, 0),
    )


def test_a_reshape_that_gives_no_grid():
    says(
        ValueError,
        "`GradCAM(reshape=...)`: `reshape` must lay 20 tokens of mixed out as (b, rows, columns, c), got shape (1, 20, "
        "3). Drop the class token first: tokens[:, 1:].",
        lambda: GradCAM(tokens_of_unknown_grid(), reshape=lambda tokens: tokens).explain(X, 0),
    )
    says(
        ValueError,
        "got shape (4, 5, 3, 1).",
        lambda: GradCAM(tokens_of_unknown_grid(), reshape=lambda tokens: tf.reshape(tokens, (-1, 5, 3, 1))).explain(
            X, 0
        ),
    )


@pytest.mark.parametrize("cls", [GradCAM, SISE])
def test_a_reshape_that_is_no_function(cls):
    says(
        TypeError,
        f"`{cls.__name__}(reshape=(4, 6))`: `reshape` must be a function from tokens (b, n, c) to (b, rows, columns, "
        "c), got tuple. Use lambda tokens: tf.reshape(tokens[:, 1:], (-1, rows, columns, channels)).",
        lambda: cls(network(), reshape=(4, 6)),
    )


def test_places_that_the_outputs_do_not_depend_on():
    model, images = Transformer().model, planted([(1, 4)])
    says(
        ModelError,
        "`GradCAM(layer='mlp_1')`: the outputs must depend on the places of the layer, got mlp_1, on which they do "
        "not. The last layer that matters is before_attention_1.",
        lambda: GradCAM(model, layer="mlp_1").explain(images, 0),
    )
    # What needs no gradient reads any layer.
    assert FEM(model, layer="mlp_1").explain(images, 0).settings["layer"] == "mlp_1"


def test_an_operator_whose_score_does_not_depend_on_the_layer():
    says(
        ModelError,
        "`gradient`: the score must depend on the layer second by operations that have gradients, got no gradient. "
        "Look for rounding, argmax or tf.stop_gradient in the model, `preprocess` or the operator, or use a method "
        "without gradients.",
        lambda: GradCAM(
            network(), operator=lambda forward, inputs, targets: tf.reduce_max(tf.round(forward(inputs)), axis=-1)
        ).explain(X),
    )


@pytest.mark.parametrize(
    "kind, text, make",
    [
        (ValueError, "`FEM(deviations=-1)`: `deviations` must be a number in [0, inf], got -1. Use 2.", "deviations"),
        (
            ValueError,
            "`channels` must be an integer of at least 1, got 0. Use None for all channels, or 64",
            "channels",
        ),
        (
            ValueError,
            "`ScoreCAM(weights='raw')`: `weights` must be one of 'softmax', 'increase', got 'raw'.",
            "weights",
        ),
        (
            ValueError,
            "`SISE(threshold=1.0)`: `threshold` must be a number in [0, 0.99], got 1.0. Use 0, or .3",
            "threshold",
        ),
        (
            ValueError,
            "`channels` must be an integer of at least 1, got 0. Use None for no limit, or 32",
            "sise_channels",
        ),
        (TypeError, "`SISE(layers='first')`: `layers` must be a list of layers, got str. Put it into a list", "string"),
        (ValueError, "`SISE(layers=[])`: `layers` must hold a layer, got none. Use None for the last", "empty"),
    ],
)
def test_options_out_of_range(kind, text, make):
    made = {
        "deviations": lambda: FEM(network(), deviations=-1),
        "channels": lambda: ScoreCAM(network(), channels=0),
        "weights": lambda: ScoreCAM(network(), weights="raw"),
        "threshold": lambda: SISE(network(), threshold=1.0),
        "sise_channels": lambda: SISE(network(), channels=0),
        "string": lambda: SISE(network(), layers="first"),
        "empty": lambda: SISE(network(), layers=[]),
    }[make]
    says(kind, text, made)


@pytest.mark.parametrize("cls", [ScoreCAM, SISE])
def test_an_unknown_baseline(cls):
    says(
        ValueError,
        "`baseline` must be one of 'zero', 'middle', 'mean', 'blur', 'noise', got 'gray'.",
        lambda: cls(network(), baseline="gray").explain(X, TARGETS),
    )
