"""Class activation methods against closed forms, against slow twins, and by the layer that they read."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.truths.activation_models import LINEAR, TARGETS, X, answer_of, gradient_by, network
from tests.truths.token_models import Transformer, planted, tokens_of_unknown_grid
from xsparks.attributions import FEM, SISE, GradCAM, GradCAMPP, LayerCAM, ScoreCAM


def test_gradcam_of_an_averaged_layer_is_the_class_activation_map():
    model = network("average")
    activations, kernel = answer_of(model, "features"), model.get_layer("head").kernel.numpy()
    cells = activations.shape[1] * activations.shape[2]
    wanted = np.stack([a @ kernel[:, target] for a, target in zip(activations, TARGETS, strict=True)]) / cells
    signed = GradCAM(model, relu=False).explain(X, TARGETS)
    np.testing.assert_allclose(signed.values[..., 0], wanted, rtol=1e-4, atol=1e-6)
    assert (wanted < 0).any()
    np.testing.assert_allclose(
        GradCAM(model).explain(X, TARGETS).values[..., 0], np.maximum(wanted, 0), rtol=1e-4, atol=1e-6
    )
    # The map of the logit without its bias sums to the logit without its bias.
    bias_free = model(X).numpy()[np.arange(3), TARGETS] - model.get_layer("head").bias.numpy()[TARGETS]
    np.testing.assert_allclose(signed.values.sum((1, 2, 3)), bias_free, rtol=1e-4)


def test_gradcam_weighs_channels_by_their_mean_gradient():
    model = network("cells")
    activations, gradients = answer_of(model, "features"), gradient_by(model, "features")
    for sample, maps in enumerate(GradCAM(model).explain(X, TARGETS).values[..., 0]):
        total = np.zeros(maps.shape)
        for k in range(5):
            total += gradients[sample, :, :, k].mean() * activations[sample, :, :, k]
        np.testing.assert_allclose(maps, np.maximum(total, 0), rtol=1e-4, atol=1e-6)


def test_layercam_weighs_each_cell_by_its_own_positive_gradient():
    model = network("cells")
    activations, gradients = answer_of(model, "features"), gradient_by(model, "features")
    for sample, maps in enumerate(LayerCAM(model).explain(X, TARGETS).values[..., 0]):
        total = np.zeros(maps.shape)
        for row, column, k in np.ndindex(*activations.shape[1:]):
            weight = max(gradients[sample, row, column, k], 0)
            total[row, column] += weight * activations[sample, row, column, k]
        np.testing.assert_allclose(maps, np.maximum(total, 0), rtol=1e-4, atol=1e-6)


def gradcam_pp_twin(activations: np.ndarray, gradients: np.ndarray, score: float) -> np.ndarray:
    """Equations 10, 11 and 5 of the paper for one image, with the score `Y = exp(S)` and its three derivatives."""
    y = np.exp(score)
    total = np.zeros(activations.shape[:2])
    for k in range(activations.shape[2]):
        first, second, third = (y * gradients[:, :, k] ** order for order in (1, 2, 3))
        alpha = np.zeros_like(first)
        for i, j in np.ndindex(*alpha.shape):
            denominator = 2 * second[i, j] + activations[:, :, k].sum() * third[i, j]
            alpha[i, j] = second[i, j] / denominator if denominator != 0 else 0
        total += (alpha * np.maximum(first, 0)).sum() * activations[:, :, k]
    return np.maximum(total, 0)


@pytest.mark.parametrize("head", ["average", "cells"])
def test_gradcam_pp_follows_its_closed_form(head):
    model = network(head)
    activations, gradients = answer_of(model, "features"), gradient_by(model, "features")
    scores = model(X).numpy()[np.arange(3), TARGETS]
    maps = GradCAMPP(model).explain(X, TARGETS).values[..., 0]
    for sample in range(3):
        wanted = gradcam_pp_twin(activations[sample], gradients[sample], float(scores[sample]))
        np.testing.assert_allclose(maps[sample] * np.exp(scores[sample]), wanted, rtol=1e-3, atol=1e-6)


def test_gradcam_pp_survives_gradients_whose_squares_vanish():
    model = network("cells")
    head = model.get_layer("head")
    wanted = GradCAMPP(model).explain(X, TARGETS).values
    head.kernel.assign(head.kernel * 1e-25)
    tiny = GradCAMPP(model).explain(X, TARGETS).values
    assert tiny.max() > 0
    # Without `g sum A` in the denominator what remains is the sum of the positive gradients, halved.
    activations, gradients = answer_of(model, "features"), gradient_by(model, "features")
    weights = np.maximum(gradients, 0).sum((1, 2), keepdims=True) / 2
    np.testing.assert_allclose(tiny[..., 0] * 1e25, (weights * activations).sum(-1) * 1e25, rtol=1e-3)
    assert not np.allclose(tiny * 1e25, wanted, rtol=0.1)


@pytest.mark.parametrize("deviations", [0.5, 2.0])
def test_fem_adds_up_where_channels_stand_out(deviations):
    model = network("cells")
    maps = FEM(model, deviations=deviations).explain(X, TARGETS).values[..., 0]
    for sample, activations in enumerate(answer_of(model, "features")):
        total = np.zeros(maps.shape[1:])
        for k in range(5):
            channel = activations[:, :, k]
            total += channel.mean() * (channel > channel.mean() + deviations * channel.std())
        np.testing.assert_allclose(maps[sample], total, rtol=1e-4, atol=1e-6)
    assert np.ptp(maps) > 0


def test_fem_ignores_a_channel_that_is_the_same_everywhere():
    model = network("cells", channels=2)
    kernel, bias = model.get_layer("features").get_weights()
    kernel[..., 1], bias[1] = 0, 0.7
    model.get_layer("features").set_weights([kernel, bias])
    assert (FEM(model, deviations=1).explain(X).values == 0).any()


METHODS = [GradCAM, GradCAMPP, LayerCAM, ScoreCAM, FEM, SISE]


@pytest.mark.parametrize("cls", METHODS)
def test_the_first_explanation_may_be_asked_within_a_graph(cls):
    model = network("cells")
    wanted = cls(model).explain(X, TARGETS).maps
    explainer = cls(model)
    found = tf.function(explainer.explain)(tf.constant(X), tf.constant(TARGETS))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls", METHODS)
def test_series_have_one_value_for_each_step(cls):
    inputs = keras.Input((16, 3))
    x = keras.layers.Conv1D(4, 3, strides=2, activation="relu", kernel_initializer=LINEAR, name="steps")(inputs)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.MaxPooling1D()(x))
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=LINEAR)(x))
    series = np.zeros((2, 16, 3), np.float32)
    series[0, 3:5], series[1, 11:13] = 1, 1
    maps = cls(model).explain(series, model(series).numpy().argmax(1)).values
    assert maps.shape == (2, 16, 3)
    np.testing.assert_array_equal(maps[..., 0], maps[..., 2])
    assert maps[0, :, 0].argmax() <= 6 and 10 <= maps[1, :, 0].argmax()


def test_cells_of_a_series_are_joined_by_straight_lines():
    inputs = keras.Input((8, 2))
    x = keras.layers.AveragePooling1D(4)(inputs)
    x = keras.layers.Conv1D(1, 1, kernel_initializer="ones", use_bias=False, name="steps")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Flatten()(x)))
    series = np.repeat(np.float32([1, 3]), 4)[None, :, None].repeat(2, 2)
    maps = GradCAM(model, operator="regression").explain(series, 0).values
    np.testing.assert_allclose(maps[0, :, 1], np.interp(np.arange(8), [1.5, 5.5], [2, 6]), rtol=1e-5)


@pytest.mark.parametrize("cls", METHODS)
def test_a_planted_patch_lights_up_at_its_place_in_a_transformer_with_a_class_token(cls):
    model, images = Transformer().model, planted([(1, 4), (3, 0)])
    maps = cls(model).explain(images, 0)
    layer = maps.settings["layers"][0] if cls is SISE else maps.settings["layer"]
    # Of the last block only what its attention reads of the patches matters: the class token alone is read at the end.
    assert layer == "before_attention_1"
    # Normalised tokens have channels of negative mean, which FEM counts against the places where they stand out.
    found_maps = np.abs(maps.maps[..., 0]) if cls is FEM else maps.maps[..., 0]
    for found, (row, column) in zip(found_maps, [(1, 4), (3, 0)], strict=True):
        top, left = np.unravel_index(found.argmax(), found.shape)
        assert (top // 4, left // 4) == (row, column)


@pytest.mark.parametrize("cls", [GradCAM, ScoreCAM, SISE])
def test_reshape_lays_tokens_out(cls):
    name = {"layers": ["before_attention_1"]} if cls is SISE else {}
    model, images = Transformer().model, planted([(1, 4)])
    plain = cls(model, **name).explain(images, 0)
    across = cls(model, reshape=lambda tokens: tf.reshape(tokens[:, 1:], (-1, 6, 4, 4)), **name).explain(images, 0)
    if cls is SISE:
        assert not np.allclose(plain.values, across.values, rtol=0.1)
        return
    assert plain.values.shape == (1, 4, 6, 1) and across.values.shape == (1, 6, 4, 1)
    if cls is not ScoreCAM:
        np.testing.assert_allclose(plain.values.ravel(), across.values.ravel(), rtol=1e-5)


def test_tokens_of_unknown_rows_are_passed_over_unless_they_are_laid_out():
    model = tokens_of_unknown_grid()
    images = models.images(2)
    assert GradCAM(model).explain(images, 0).settings["layer"] == "patches"
    laid_out = GradCAM(model, reshape=lambda tokens: tf.reshape(tokens, (-1, 4, 5, 3))).explain(images, 0)
    assert laid_out.settings["layer"] == "mixed" and laid_out.values.shape == (2, 4, 5, 1)
    named = GradCAM(model, layer="tokens", reshape=lambda tokens: tf.reshape(tokens, (-1, 4, 5, 3)))
    assert named.explain(images, 0).settings["layer"] == "tokens"


def shared_twice() -> keras.Model:
    """The same convolution applied twice."""
    inputs = keras.Input(models.SHAPE)
    shared = keras.layers.Conv2D(3, 3, padding="same", activation="relu", kernel_initializer=LINEAR, name="shared")
    x = keras.layers.GlobalAveragePooling2D()(shared(shared(inputs)))
    return keras.Model(inputs, keras.layers.Dense(4, kernel_initializer=LINEAR)(x))


@pytest.mark.parametrize("cls", METHODS)
def test_a_layer_is_chosen_by_name_position_itself_and_call(cls):
    def explained(model, layer):
        options = {"layers": [layer]} if cls is SISE else {"layer": layer}
        return cls(model, **options).explain(X, TARGETS)

    model = models.convolutional()
    by_name = explained(model, "first")
    assert (by_name.settings["layers"][0] if cls is SISE else by_name.settings["layer"]) == "first"
    for layer in (1, -4, model.get_layer("first")):
        np.testing.assert_array_equal(explained(model, layer).values, by_name.values)
    assert not np.allclose(by_name.maps, explained(model, "second").maps, rtol=0.1)
    shared = shared_twice()
    first, second = explained(shared, "shared"), explained(shared, "shared:1")
    assert not np.allclose(first.values, second.values, rtol=0.1)
    if cls is not SISE:
        np.testing.assert_array_equal(cls(shared).explain(X, TARGETS).values, second.values)


def test_a_users_operator_sees_the_same_forward():
    """The gradient is that of the operator, also where it calls the model again."""
    model = network("cells")

    def difference(forward, inputs, targets):
        return forward(inputs)[:, 0] - forward(tf.zeros_like(inputs))[:, 1]

    maps = GradCAM(model, operator=difference).explain(X).values
    np.testing.assert_allclose(maps, GradCAM(model).explain(X, 0).values, rtol=1e-5)


def test_half_precision_is_summed_in_single_precision():
    """Sums over many cells of half precision would lose what single cells add."""
    plain, half = (keras.Sequential(), keras.Sequential())
    for model, policy in ((plain, "float32"), (half, "mixed_float16")):
        model.add(keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=LINEAR, dtype=policy))
        model.add(keras.layers.GlobalAveragePooling2D(dtype=policy))
        model.add(keras.layers.Dense(2, kernel_initializer=LINEAR))
    images = models.images(2, (40, 60, 3))
    for model in (plain, half):
        model.build(images.shape)
    half.set_weights(plain.get_weights())
    for cls in (GradCAM, GradCAMPP, LayerCAM, FEM):
        wanted, found = (cls(model).explain(images, 1) for model in (plain, half))
        assert found.values.dtype == np.float32
        np.testing.assert_allclose(found.values.sum(), wanted.values.sum(), rtol=0.02)
