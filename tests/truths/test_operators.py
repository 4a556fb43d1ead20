"""What is explained: the score of a target, by the definition of each operator, on the host and in a graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, sobol

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")

ROWS = np.arange(5)
ONE_HOT = np.eye(4)[TARGETS]


def logits() -> np.ndarray:
    return network()(X).numpy()


def in_graph(explainer, targets):
    """The maps and scores that a graph gives for targets that are tensors."""
    given = None if targets is None else tf.constant(targets)
    return explainer.as_function()(tf.constant(X), given)


IDS = {
    "ids": TARGETS,
    "int64": TARGETS.astype(np.int64),
    "uint8": TARGETS.astype(np.uint8),
    "floats": TARGETS.astype(np.float32),
    "column": TARGETS[:, None],
    "column of floats": TARGETS[:, None].astype(np.float64),
    "one-hot": ONE_HOT,
    "one-hot integers": ONE_HOT.astype(np.int32),
}


@pytest.fixture(scope="module")
def wanted():
    return sobol().explain(X, TARGETS)


@pytest.mark.parametrize("kind", IDS)
def test_ids_and_one_hot_rows_mean_the_same(kind, wanted):
    maps = sobol().explain(X, IDS[kind])
    np.testing.assert_allclose(maps.scores, logits()[ROWS, TARGETS], rtol=1e-5)
    np.testing.assert_allclose(maps.values, wanted.values, rtol=1e-4, atol=1e-5)
    stored = ONE_HOT if kind.startswith("one-hot") else TARGETS
    np.testing.assert_array_equal(maps.targets, stored)
    graph = in_graph(sobol(), IDS[kind])
    np.testing.assert_allclose(graph["scores"], maps.scores, rtol=1e-5)
    np.testing.assert_allclose(graph["attributions"], maps.maps, rtol=1e-3, atol=1e-4)


def test_weights_mix_the_classes():
    weights = np.random.default_rng(1).normal(size=(5, 4))
    scores = (logits() * weights).sum(1)
    np.testing.assert_allclose(sobol().explain(X, weights).scores, scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(in_graph(sobol(), weights)["scores"], scores, rtol=1e-4, atol=1e-5)


def test_no_target_is_the_predicted_class():
    predicted = logits().argmax(1)
    maps = sobol().explain(X)
    np.testing.assert_array_equal(maps.targets, predicted)
    np.testing.assert_allclose(maps.scores, logits().max(1), rtol=1e-5)
    np.testing.assert_allclose(in_graph(sobol(), None)["scores"], maps.scores, rtol=1e-5)


def test_one_number_is_the_class_of_all():
    np.testing.assert_allclose(sobol().explain(X, 2).scores, logits()[:, 2], rtol=1e-5)
    graph = tf.function(lambda x: sobol().explain(x, 2))(tf.constant(X))
    np.testing.assert_allclose(graph, sobol().explain(X, 2).maps, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("column", [False, True])
def test_target_0_of_one_sigmoid_unit_is_its_negative(column):
    model = models.binary()
    targets = np.array([0, 1, 1, 0, 1])
    p = model(X).numpy()[:, 0]
    logit = np.log(p / (1 - p))
    given = targets[:, None] if column else targets
    maps = sobol(model).explain(X, given)
    np.testing.assert_allclose(maps.scores, np.where(targets == 1, logit, -logit), rtol=1e-3, atol=1e-4)
    positive = sobol(model).explain(X, 1)
    np.testing.assert_allclose(maps.values, positive.values, rtol=1e-3, atol=1e-4, err_msg="a sign changes no variance")
    signed = [sobol(model, signed=True).explain(X, target).values for target in (0, 1)]
    np.testing.assert_allclose(signed[0], -signed[1], rtol=1e-3, atol=1e-4)


def heights(outputs: int, rank: int = 2):
    """A regression: how bright the rows of the image are, `(n, outputs)`, or `(n,)`."""

    def model(inputs):
        values = tf.reduce_sum(inputs, (2, 3))[:, :outputs]
        return values if rank == 2 else values[:, 0]

    return model


@pytest.mark.parametrize("rank", [1, 2])
def test_a_regression_of_one_output_needs_no_target(rank):
    explainer = sobol(heights(1, rank), operator="regression")
    scores = X.sum((2, 3))[:, 0]
    for targets in (None, 0, np.zeros(5, int), np.zeros((5, 1), int)):
        maps = explainer.explain(X, targets)
        np.testing.assert_allclose(maps.scores, scores, rtol=1e-5)
        assert (maps.values[:, 0] > 0).all() and np.abs(maps.values[:, 1]).max() < 1e-6
    np.testing.assert_allclose(in_graph(explainer, None)["scores"], scores, rtol=1e-5)
    scaled = explainer.explain(X, np.full((5, 1), 2.5))
    np.testing.assert_allclose(scaled.scores, 2.5 * scores, rtol=1e-5, err_msg="fractions (n, 1) are weights")


def test_a_regression_of_several_outputs():
    explainer = sobol(heights(6), operator="regression")
    maps = explainer.explain(X, [0, 5, 0, 5, 0])
    np.testing.assert_allclose(maps.scores, X.sum((2, 3))[ROWS, [0, 5, 0, 5, 0]], rtol=1e-5)
    upper = maps.values[:, 0].sum((1, 2)) / maps.values.sum((1, 2, 3))
    np.testing.assert_allclose(upper, [1, 0, 1, 0, 1], atol=1e-5)


def test_an_operator_of_the_users_own():
    """The distance between two crops, which needs two forwards of the model."""

    def contrast(forward, inputs, targets):
        halves = forward(inputs)[:, 0] - forward(inputs[:, :, ::-1])[:, 0]
        return halves * tf.cast(targets, tf.float32)

    turned = network()(X[:, :, ::-1]).numpy()
    factors = np.array([1.0, -2.0, 0.5, 3.0, 1.0], np.float32)
    maps = sobol(operator=contrast).explain(X, factors)
    np.testing.assert_allclose(maps.scores, (logits() - turned)[:, 0] * factors, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(maps.targets, factors)
    np.testing.assert_allclose(in_graph(sobol(operator=contrast), factors)["scores"], maps.scores, rtol=1e-3, atol=1e-5)


def test_an_operator_on_several_outputs():
    def second(forward, inputs, targets):
        return tf.reduce_max(forward(inputs)[1], axis=-1)

    model = models.two_outputs()
    maps = sobol(model, operator=second).explain(X)
    np.testing.assert_allclose(maps.scores, model(X)[1].numpy().max(1), rtol=1e-5)
    np.testing.assert_array_equal(maps.targets, 0)
    np.testing.assert_allclose(in_graph(sobol(model, operator=second), None)["scores"], maps.scores, rtol=1e-5)


def test_a_segmentation_by_an_operator():
    """The mean logit of a class over the pixels that are its own: the operator of a fully convolutional network."""
    inputs = keras.Input(models.SHAPE)
    kernel = keras.initializers.RandomUniform(-1, 1, seed=3)
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same", kernel_initializer=kernel)(inputs))

    def mean_logit(forward, inputs, targets):
        outputs = forward(inputs)
        return tf.gather(tf.reduce_mean(outputs, (1, 2)), targets, batch_dims=1)

    maps = sobol(model, operator=mean_logit).explain(X, TARGETS)
    np.testing.assert_allclose(maps.scores, model(X).numpy().mean((1, 2))[ROWS, TARGETS], rtol=1e-4, atol=1e-6)
