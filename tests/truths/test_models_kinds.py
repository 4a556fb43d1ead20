"""One network in every form that a user may have it in: the maps are those of the Keras model itself."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, sobol
from xsparks.metrics import Deletion
from xsparks.models.access import ModelAccess, Notice
from xsparks.models.callables import is_legacy_keras

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@cache
def wanted():
    """The maps of the Keras model itself."""
    return sobol().explain(X, TARGETS)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder to which Keras exports the network."""
    folder = tmp_path_factory.mktemp("exported") / "network"
    network().export(str(folder), verbose=False)
    return str(folder)


def legacy():
    """The same network made by `tf_keras`, with the same weights."""
    tf_keras = pytest.importorskip("tf_keras")
    inputs = tf_keras.Input(models.SHAPE)
    x = tf_keras.layers.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    x = tf_keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(4)(tf_keras.layers.Flatten()(x)))
    model.set_weights(network().get_weights())
    return model


def form(kind: str, folder: str):
    return {
        "function": lambda: lambda x: network()(x),
        "tf.function": lambda: tf.function(lambda x: network()(x)),
        "numpy": lambda: lambda x: network()(np.asarray(x)).numpy(),
        "numpy in float64": lambda: lambda x: network()(np.asarray(x)).numpy().astype(np.float64),
        "list": lambda: lambda x: network()(np.asarray(x)).numpy().tolist(),
        "predict": lambda: lambda x: network().predict(x, verbose=0),
        "method": lambda: network().__call__,
        "saved model": lambda: tf.saved_model.load(folder),
        "serve": lambda: loaded(folder).serve,
        "signature": lambda: Unserved(folder),
        "TFSMLayer": lambda: keras.layers.TFSMLayer(folder, call_endpoint="serve"),
        "legacy": legacy,
        "sequential": lambda: keras.Sequential(network().layers),
        "layer in a model": lambda: keras.Sequential([keras.layers.Activation("linear"), network()]),
        "clone": lambda: copied(network()),
        "half": lambda: lambda x: tf.cast(network()(x), tf.float16),
        "double": lambda: lambda x: tf.cast(network()(x), tf.float64),
    }[kind]()


class Unserved:
    """A loaded SavedModel that has signatures alone, as other tools write them."""

    def __init__(self, folder: str):
        self.signatures = loaded(folder).signatures


@cache
def loaded(folder: str):
    """A SavedModel, which must outlive the functions taken from it."""
    return tf.saved_model.load(folder)


def copied(model):
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


KINDS = [
    "function", "tf.function", "numpy", "numpy in float64", "list", "predict", "method", "saved model", "serve",
    "signature", "TFSMLayer", "legacy", "sequential", "layer in a model", "clone", "half", "double",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_gives_the_same_maps(kind, exported):
    tolerance = 1e-2 if kind == "half" else 1e-4
    maps = sobol(form(kind, exported)).explain(X, TARGETS)
    np.testing.assert_allclose(maps.scores, wanted().scores, rtol=tolerance)
    np.testing.assert_allclose(maps.values, wanted().values, rtol=tolerance, atol=tolerance)
    assert maps.scores.dtype == np.float32


@pytest.mark.parametrize("kind", ["legacy", "tf.function", "saved model", "serve", "TFSMLayer", "function", "double"])
def test_gradients_flow_through_every_form_that_has_them(kind, exported):
    access = ModelAccess(form(kind, exported))
    access.ensure_ready(X[:1])
    assert access.differentiable
    x = tf.constant(X)
    found, own = [], []
    for forward, gradients in ((access.forward, found), (network(), own)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = forward(x)
        gradients.append(tape.gradient(outputs, x))
    np.testing.assert_allclose(found[0], own[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["numpy", "predict", "list"])
def test_forms_without_gradients_are_known(kind, exported):
    access = ModelAccess(form(kind, exported))
    access.ensure_ready(X[:1])
    assert not access.differentiable


def test_a_legacy_model_is_known_by_its_class(exported):
    assert is_legacy_keras(legacy()) and not is_legacy_keras(network()) and not is_legacy_keras(len)
    assert not is_legacy_keras(tf.saved_model.load(exported))


def test_a_legacy_model_is_called_for_inference():
    tf_keras = pytest.importorskip("tf_keras")
    inputs = tf_keras.Input(models.SHAPE)
    dropped = tf_keras.layers.Dropout(0.9)(tf_keras.layers.GlobalAveragePooling2D()(inputs))
    access = ModelAccess(tf_keras.Model(inputs, dropped))
    np.testing.assert_allclose(access.forward(tf.constant(X)), X.mean((1, 2)), rtol=1e-5)


def test_a_keras_model_is_called_for_inference():
    model = keras.Sequential(
        [keras.Input(models.SHAPE), keras.layers.Dropout(0.9), keras.layers.GlobalAveragePooling2D()]
    )
    np.testing.assert_allclose(sobol(model).explain(X, 1).scores, X.mean((1, 2))[:, 1], rtol=1e-5)


def test_an_unbuilt_sequential_is_built_by_its_first_input():
    model = models.sequential_unbuilt()
    assert not model.built
    maps = sobol(model).explain(X, TARGETS)
    assert model.built
    np.testing.assert_allclose(maps.scores, model(X).numpy()[np.arange(5), TARGETS], rtol=1e-4)
    np.testing.assert_allclose(sobol(model).explain(X, TARGETS).values, maps.values, rtol=1e-5)


def test_one_of_several_outputs():
    model = models.two_outputs()
    kept = sobol(model, output_layer="head").explain(X, TARGETS)
    np.testing.assert_allclose(kept.values, wanted().values, rtol=1e-4, atol=1e-5)
    other = sobol(model, output_layer="other").explain(X, 2)
    np.testing.assert_allclose(other.scores, X.sum((1, 2, 3)), rtol=1e-4)


def test_the_answer_of_a_hidden_layer():
    maps = sobol(output_layer="flatten", operator="regression").explain(X, 3)
    hidden = keras.Model(network().inputs, network().get_layer("flatten").output)
    np.testing.assert_allclose(maps.scores, hidden([X]).numpy()[:, 3], rtol=1e-4, atol=1e-6)


def named_inputs(order: str):
    """A model of two inputs whose names sort the other way round than they are listed."""
    picture, table = keras.Input(models.SHAPE, name="z_picture"), keras.Input((2,), name="a_table")
    outputs = network()(picture) * keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)(table)
    return keras.Model([picture, table] if order == "list" else {"z_picture": picture, "a_table": table}, outputs)


@pytest.mark.parametrize(
    "order, given", [("list", "tuple"), ("list", "dict"), ("list", "dataset"), ("dict", "dict"), ("dict", "dataset")]
)
def test_several_inputs_by_name_or_by_position(order, given):
    table = np.random.default_rng(0).random((5, 2)).astype(np.float32)
    named = {"z_picture": X, "a_table": table}
    dataset = tf.data.Dataset.from_tensor_slices((named, TARGETS)).batch(2)
    arguments = {"tuple": ((X, table), TARGETS), "dict": (named, TARGETS), "dataset": (dataset,)}[given]
    maps = sobol(named_inputs(order), explain_input=0 if given == "tuple" else "z_picture").explain(*arguments)
    np.testing.assert_allclose(maps.scores, wanted().scores * table.sum(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(maps.values, wanted().values, rtol=1e-3, atol=1e-4, err_msg="the table only scales")


@pytest.mark.parametrize("kind", ["tensors", "numpy"])
@pytest.mark.parametrize("given", ["tuple", "dict"])
def test_a_callable_of_several_inputs(kind, given):
    first, second = (0, 1) if given == "tuple" else ("picture", "table")

    def model(inputs):
        picture, table = inputs[first], inputs[second]
        if kind == "numpy":
            return network()(np.asarray(picture)).numpy() * np.asarray(table)[:, :1]
        return network()(picture) * table[:, :1]

    table = np.linspace(1, 2, 10, dtype=np.float32).reshape(5, 2)
    inputs = (X, table) if given == "tuple" else {"picture": X, "table": table}
    maps = sobol(model, explain_input=first).explain(inputs, TARGETS)
    np.testing.assert_allclose(maps.scores, wanted().scores * table[:, 0], rtol=1e-4)
    np.testing.assert_allclose(maps.values, wanted().values, rtol=1e-3, atol=1e-4)


def test_probabilities_of_a_legacy_classifier_are_taken_as_they_are():
    tf_keras = pytest.importorskip("tf_keras")
    plain = legacy()
    model = tf_keras.Model(plain.input, tf_keras.layers.Softmax()(plain.output))
    wholes = Deletion(model, X, TARGETS, steps=1)
    with pytest.warns(Notice, match="no final softmax was recognised"):
        score = wholes.evaluate(np.ones((5, 8, 12)))
    np.testing.assert_allclose(score.curve[1][:, 0], model(X).numpy()[np.arange(5), TARGETS], rtol=1e-4)
