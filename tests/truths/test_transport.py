"""Networks of optimal transport: conversion, saliency, counterfactuals, and the length of gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.truths.test_certificates import images, network
from xsparks import lipschitz
from xsparks.lipschitz import TransportCounterfactuals, TransportSaliency, lipschitz_constants, to_lipschitz

WEIGHTS = np.array([[1.0, -2.0, 0.0], [0.5, 1.0, 3.0], [0.0, 2.0, -1.0]])
BIAS = np.array([0.3, -0.2, 0.1])


def linear() -> Any:
    """Three classes of rows of three numbers."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    model.set_weights([WEIGHTS, BIAS])
    return model


ROWS = np.random.default_rng(0).normal(size=(9, 3)).astype("float32")


def logits(model: Any, x: Any) -> np.ndarray:
    return np.asarray(model(x, training=False), np.float64)


def test_counterfactuals_of_a_linear_model_land_on_the_boundary() -> None:
    found = TransportCounterfactuals(linear(), strength=1.0).explain(ROWS)
    rows, values = np.arange(9), logits(linear(), ROWS)
    np.testing.assert_array_equal(found.predicted, values.argmax(1))
    np.testing.assert_array_equal(found.toward, values.argsort(1)[:, 1])
    at = logits(linear(), found.boundary)
    np.testing.assert_allclose(at[rows, found.predicted], at[rows, found.toward], atol=2e-5)
    np.testing.assert_allclose(found.images, found.boundary)
    # The shortest way there is: the margin over the length of its gradient.
    slopes = WEIGHTS.T[found.predicted] - WEIGHTS.T[found.toward]
    margins = values[rows, found.predicted] - values[rows, found.toward]
    np.testing.assert_allclose(found.distances, margins / np.linalg.norm(slopes, axis=1), rtol=1e-4)


def test_beyond_the_boundary_it_is_the_other_class() -> None:
    near = TransportCounterfactuals(linear(), strength=0.9).explain(ROWS, toward=2)
    far = TransportCounterfactuals(linear(), strength=3.0).explain(ROWS, toward=2)
    other = near.predicted != 2
    assert not near.valid[other].any() and far.valid.mean() > near.valid.mean()
    np.testing.assert_allclose(far.distances, near.distances * 3 / 0.9, rtol=1e-4)
    assert (far.distances[~other] == 0).all() and far.valid[~other].all()
    many, asked = np.random.default_rng(1).normal(size=(300, 3)).astype("float32"), np.arange(300) ** 2 % 3
    several = TransportCounterfactuals(linear()).explain(many, toward=asked)
    np.testing.assert_array_equal(several.toward, asked)
    one = TransportCounterfactuals(linear()).explain(many[280:281], toward=asked[280])
    np.testing.assert_allclose(several.images[280:281], one.images, atol=1e-6)


@pytest.fixture(scope="module")
def trained() -> Any:
    """A 1-Lipschitz network that tells images apart."""
    model, (x, y) = network(), images(96)
    model.compile(keras.optimizers.Adam(0.01), lipschitz.SoftHKR(0.9, 1.0, 5.0))
    model.fit(x, y, epochs=8, batch_size=32, verbose=0)
    return model


def test_counterfactuals_of_a_lipschitz_network_are_valid_near_and_real(trained: Any) -> None:
    x = images(96)[0][:24]
    found = TransportCounterfactuals(trained, strength=1.5).explain(x, reference=images(96)[0])
    assert found.valid.mean() > 0.9 and found.realism is not None
    np.testing.assert_array_equal(found.reached, logits(trained, found.images).argmax(1))
    rows, before, at = np.arange(24), logits(trained, x), logits(trained, found.boundary)
    margins, left = (each[rows, found.predicted] - each[rows, found.toward] for each in (before, at))
    assert (np.abs(left) <= 1e-3 * margins)[found.valid].all()
    radii = lipschitz.LipschitzCertificate(trained).certify(x).radii
    assert (found.distances / 1.5 >= 0.999 * radii).all()
    known = images(96)[0].reshape(96, -1)

    def away(points: np.ndarray, first: int) -> np.ndarray:
        lengths = np.linalg.norm(points.reshape(len(points), 1, -1) - known, axis=-1)
        return np.sort(lengths, axis=1)[:, first : first + 5].mean(axis=1)

    # The images are reference images themselves, of which each is the nearest to itself.
    np.testing.assert_allclose(found.realism, away(found.images, 0) / away(known[: len(x)], 1), rtol=1e-4)
    assert (found.realism > 1).all()
    single = TransportCounterfactuals(trained, strength=1.5, steps=1).explain(x)
    assert not np.allclose(single.images, found.images, atol=1e-4)
    few = TransportCounterfactuals(trained, strength=1.5, neighbours=1).explain(x, reference=images(96)[0])
    assert few.realism is not None and not np.allclose(few.realism, found.realism)


def test_the_saliency_leads_to_a_score_of_nothing() -> None:
    method = TransportSaliency(linear(), absolute=False)
    maps = np.asarray(method.explain(ROWS, 1))
    np.testing.assert_allclose(logits(linear(), ROWS - maps)[:, 1], 0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(TransportSaliency(linear()).explain(ROWS, 1)), np.abs(maps), atol=1e-6)


@pytest.mark.parametrize(
    ("reducer", "reduce"),
    [
        ("max", lambda m: np.abs(m).max(-1)),
        ("mean", lambda m: np.abs(m).mean(-1)),
        ("sum", lambda m: np.abs(m).sum(-1)),
        ("norm", lambda m: np.linalg.norm(m, axis=-1)),
        (None, np.abs),
    ],
)
def test_channels_of_a_pixel_become_one_number(reducer: str | None, reduce: Any) -> None:
    kernel = np.random.default_rng(1).normal(size=(2, 3, 2))
    x = np.random.default_rng(2).normal(size=(4, 2, 3, 2)).astype("float32")

    def score(inputs: Any) -> Any:
        return tf.reduce_sum(inputs * tf.constant(kernel, tf.float32), axis=(1, 2, 3))[:, None]

    maps = np.asarray(TransportSaliency(score, reducer=reducer).explain(x, 0))
    values = (x * kernel).sum((1, 2, 3)) / (kernel**2).sum()
    expected = reduce(values.reshape(-1, 1, 1, 1) * kernel)
    np.testing.assert_allclose(maps.reshape(expected.shape), expected, rtol=1e-4, atol=1e-6)


def plain() -> Any:
    """A conventional network with all that has a counterpart, and a nested block."""
    keras.utils.set_random_seed(0)
    block_in: Any = keras.Input((4, 4, 6))
    hidden: Any = layers.Conv2D(6, 3, padding="same", use_bias=False)(block_in)
    hidden = layers.BatchNormalization()(hidden)
    block = keras.Model(block_in, layers.ReLU()(hidden), name="block")
    inputs: Any = keras.Input((8, 8, 1))
    hidden = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(inputs)
    hidden = layers.MaxPooling2D()(hidden)
    hidden = layers.Add()([hidden, block(hidden)])
    hidden = layers.AveragePooling2D(2)(hidden)
    hidden = layers.Conv2D(5, 1, activation="relu")(hidden)
    hidden = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(hidden))
    hidden = layers.Dense(7, activation="tanh")(hidden)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(3, name="head")(hidden)))


@pytest.mark.parametrize("head", ["disjoint", "orthogonal"])
def test_a_conventional_network_becomes_a_lipschitz_one(head: str) -> None:
    model = plain()
    before = [np.array(each) for each in model.get_weights()]
    converted = to_lipschitz(model, head=head, pooling="max" if head == "disjoint" else "average", maxiter_bjorck=6)
    found = lipschitz_constants(converted)
    assert [each.path for each in found.breaking() if each.path != "head"] == []
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype("float32")
    assert converted(x).shape == (5, 3) and converted.get_layer("first").maxiter_bjorck == 6
    names = [layer.name for layer in model.layers]
    # The softmax is gone, and Keras names the copy of an input anew.
    assert [layer.name for layer in converted.layers][1:] == names[1:-1]
    head_of = converted.get_layer("head")
    assert type(head_of).__name__ == {"disjoint": "FrobeniusDense", "orthogonal": "SpectralDense"}[head]
    if head == "disjoint":
        assert isinstance(converted.layers[2], layers.MaxPooling2D)
        columns = model.get_layer("head").kernel.numpy()
        np.testing.assert_allclose(head_of.wbar, columns / np.linalg.norm(columns, axis=0), rtol=1e-4)
    else:
        assert found.upper <= 1 + 1e-3
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # It trains, and is what it was made for.
    converted.compile("adam", lipschitz.SoftHKR())
    converted.fit(x, np.array([0, 1, 2, 0, 1]), verbose=0)
    assert [each.path for each in lipschitz_constants(converted, measure=False).breaking() if each.path != "head"] == []


def test_a_sequential_network_stays_one_and_loses_its_softmax() -> None:
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, "relu"), layers.Dense(3), layers.Activation("softmax")]
    )
    converted = to_lipschitz(model)
    assert isinstance(converted, keras.Sequential) and isinstance(converted.layers[-1], lipschitz.FrobeniusDense)
    assert lipschitz.LipschitzCertificate(converted).certify(np.ones((1, 5))).radii.shape == (1,)


def test_layers_that_are_lipschitz_already_stay() -> None:
    converted = to_lipschitz(network())
    np.testing.assert_allclose(converted(images()[0]), network()(images()[0], training=False), atol=1e-5)


def test_the_monitor_logs_the_lengths_of_gradients() -> None:
    x, y = images(8)
    model = network()
    model.compile(keras.optimizers.SGD(0.0), lipschitz.SoftHKR())
    monitor = lipschitz.GradientNormMonitor(inputs=x, labels=y, every=2, threshold=0.5)
    history = model.fit(x, y, epochs=4, verbose=0, callbacks=[monitor]).history
    assert len(history["gradient_norm"]) == len(monitor.lengths) == 2
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        own = tf.gather(model(given, training=False), y, batch_dims=1)
    lengths = np.linalg.norm(tape.gradient(own, given).numpy().reshape(8, -1), axis=1)
    np.testing.assert_allclose(monitor.lengths[-1], lengths, rtol=1e-4)
    assert history["gradient_norm"][-1] == pytest.approx(lengths.mean(), rel=1e-4)
    assert history["gradient_norm_share"][-1] == (lengths >= 0.5).mean()
    assert history["gradient_norm_max"][-1] == pytest.approx(lengths.max(), rel=1e-4)
    assert lengths.max() <= 1 + 1e-3
