"""Models are read as the steps that they compute: nested, shared, fused, cut."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.truths.bound_models import NETWORKS, bounded, logits, samples, weighted
from xsparks.models.access import ModelAccess
from xsparks.models.bounds import Box, Product, Rectified, read_network
from xsparks.models.bounds.network import Network


def answered(network: Network, x: Any) -> np.ndarray:
    """What the steps compute, as the centre of a box of no size."""
    return network.intervals(Box(tf.constant(x), tf.zeros_like(x)))[network.output].centre.numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_steps_compute_the_logits(name: str) -> None:
    model = NETWORKS[name]()
    x = samples(model)
    np.testing.assert_allclose(answered(read_network(model), x), logits(model, x), rtol=1e-4, atol=1e-5)


def test_activations_are_steps_of_their_own_and_paths_lead_through_nested_models() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="relu", name="hidden")], name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="head")(inner(inner(inputs))))
    network = read_network(model)
    paths = [(node.path, type(node.rule).__name__) for node in network.nodes[1:]]
    hidden = [("inner.hidden", "Kernel"), ("inner.hidden", "Rectified")]
    assert paths == [*hidden, *hidden, ("head", "Kernel")]
    assert len(network.bends) == 2 and network.tail == (4,)


def test_one_sigmoid_unit_is_two_outputs() -> None:
    model = weighted(keras.Sequential([keras.Input((5,)), layers.Dense(3, "relu"), layers.Dense(1, "sigmoid")]))
    x = samples(model)
    found = answered(read_network(model), x)
    np.testing.assert_allclose(found, logits(model, x), rtol=1e-5)
    assert found.shape == (3, 2)


def test_another_layer_can_be_the_output_and_its_activation_is_kept() -> None:
    shared = layers.Dense(4, activation="sigmoid", name="shared")
    inputs = keras.Input((4,))
    model = weighted(keras.Model(inputs, layers.Dense(2)(shared(shared(inputs)))))
    x = samples(model)
    for layer in ("shared", "shared:1", shared):
        truth = ModelAccess(model, layer).forward(tf.constant(x))
        np.testing.assert_allclose(answered(read_network(model, layer), x), truth, rtol=1e-5)
    assert len(read_network(model, "shared").nodes) < len(read_network(model).nodes)


@pytest.mark.parametrize("preprocess", ["tf", "torch", "caffe"])
def test_keras_recipes_are_applied_first(preprocess: str) -> None:
    inputs = keras.Input((4, 4, 3))
    model = weighted(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs))))
    x = 255 * samples(model)
    truth = ModelAccess(model, preprocess=preprocess).forward(tf.constant(x))
    np.testing.assert_allclose(answered(read_network(model, preprocess=preprocess), x), truth, rtol=1e-4, atol=1e-3)


def test_open_sizes_are_filled_in() -> None:
    inputs = keras.Input((None, None, 2))
    x = layers.MaxPooling2D(2)(layers.Conv2D(3, 3, activation="relu")(inputs))
    model = weighted(keras.Model(inputs, layers.GlobalAveragePooling2D()(x)))
    x = np.random.default_rng(0).random((2, 9, 8, 2)).astype("float32")
    np.testing.assert_allclose(answered(read_network(model, input_shape=(9, 8, 2)), x), logits(model, x), rtol=1e-5)


def test_a_tensor_beside_itself_is_two_inputs() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ops.maximum(inputs * inputs - inputs, inputs + inputs))
    x = samples(model)
    network = read_network(model)
    np.testing.assert_allclose(answered(network, x), logits(model, x), rtol=1e-5)
    product = next(node for node in network.nodes[1:] if isinstance(node.rule, Product))
    assert product.inputs == (0, 0)
    found = bounded(model, x, 0.2, outputs=True)
    for shift in (-0.2, 0.0, 0.2):
        values = logits(model, x + np.float32(shift))
        assert (values <= found["upper"][..., 0]).all() and (values >= found["lower"][..., 0]).all()


def test_a_sequential_that_was_called_is_read_and_its_last_relu_kept() -> None:
    model = keras.Sequential([layers.Dense(3), layers.ReLU()])
    model(np.zeros((1, 4), "float32"))
    network = read_network(model)
    assert isinstance(network.nodes[-1].rule, Rectified) and network.anchors == (1,)
