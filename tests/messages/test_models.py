"""The words of `xsparks.models`, provoked as a user would: layers, kinds of models, targets, probabilities."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.core.errors import ModelError
from xsparks.metrics import Deletion
from xsparks.models.access import ModelAccess, Notice


def test_an_unknown_layer_lists_the_nearest():
    says(
        ModelError,
        "`SobolAttribution`: the layer must exist in the model, got 'secnd'. Nearest: second",
        lambda: sobol(output_layer="secnd").explain(X),
    )
    says(
        ModelError,
        "`Deletion`: the layer must exist in the model, got 'zzz'. Known: first, second, flatten",
        lambda: Deletion(network(), X, output_layer="zzz").evaluate(X),
    )


@pytest.mark.parametrize("position", [9, -6])
def test_an_unknown_position(position):
    says(
        ModelError,
        f"the layer's position must lie in [-5, 4], got {position}. Count the layers of model.summary().",
        lambda: sobol(output_layer=position).explain(X),
    )


def test_an_ambiguous_name():
    left, right = models.convolutional(), models.convolutional(seed=2)
    inputs = keras.Input(models.SHAPE)
    model = keras.Model(inputs, left(inputs) + right(inputs))
    says(
        ModelError,
        f"the layer's name must be unique, got 'head' in {left.name}.head, {right.name}.head. Use the whole path.",
        lambda: sobol(model, output_layer="head").explain(X),
    )
    assert ModelAccess(model, output_layer=f"{left.name}.head").forward(tf.constant(X)).shape == (5, 4)


def test_a_layer_of_another_model():
    says(
        ModelError,
        "the layer must belong to the model, got <Dense name=stranger, built=False>. Known: first",
        lambda: sobol(output_layer=keras.layers.Dense(3, name="stranger")).explain(X),
    )


def test_a_layer_that_is_never_called():
    says(
        ModelError,
        "the layer must be called when the model is, got 'head', unused. Choose another layer, or a lower number",
        lambda: sobol(output_layer="head:3").explain(X),
    )


def test_a_layer_of_a_callable():
    says(
        ModelError,
        "a layer can be reached in Keras models only, got function. Pass the Keras model itself, or leave the layer",
        lambda: sobol(models.constant, output_layer="head").explain(X),
    )


def test_a_split_before_the_shape_is_known():
    _, after = ModelAccess(models.Subclassed()).split("last")
    says(
        ModelError,
        "the shape of the inputs must be known before the second half runs, got a model that does not tell it. "
        "Explain an input first, or call ensure_ready(inputs) of a ModelAccess.",
        lambda: after(tf.zeros((2, 4))),
    )


def test_a_split_at_a_layer_with_a_path_around_it():
    inputs = keras.Input(models.SHAPE)
    inside = keras.layers.Conv2D(3, 3, padding="same", name="inside")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inside + inputs)))
    _, after = ModelAccess(model, where="CRAFT").split("inside")
    says(
        ModelError,
        "`CRAFT: split(inside)`: every path from the inputs to the outputs must pass through the layer, got a path "
        "around it. Choose a later layer, such as one after the block's addition.",
        lambda: after(tf.zeros((2, *models.SHAPE))),
    )


def test_another_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    says(
        ModelError,
        "`SobolAttribution`: Keras must run on the TensorFlow backend, got jax. "
        "Set KERAS_BACKEND=tensorflow before importing keras.",
        lambda: sobol().explain(X),
    )


def test_a_model_that_is_a_path():
    says(
        TypeError,
        "`model` must be a Keras model, a SavedModel or a callable, got str. Load it first, for example keras.models",
        lambda: sobol("model.keras").explain(X),
    )


def test_a_saved_model_without_an_endpoint(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    says(
        ModelError,
        "a SavedModel must have a `serve` endpoint or a `serving_default` signature, got no signature. "
        "Export it with model.export(path), or pass the signature's function.",
        lambda: sobol(tf.saved_model.load(str(tmp_path / "empty"))).explain(X),
    )


def test_preprocessing_of_another_kind():
    says(
        TypeError,
        "`preprocess` must be a callable, 'tf', 'torch', 'caffe' or None, got float. Pass the function that the model",
        lambda: sobol(preprocess=255.0).explain(X),
    )
    says(
        ValueError,
        "`SobolAttribution(preprocess='pytorch')`: `preprocess` must be one of 'tf', 'torch', 'caffe', got 'pytorch'. "
        "Nearest: torch",
        lambda: sobol(preprocess="pytorch").explain(X),
    )


def test_an_unknown_operator():
    says(
        ValueError,
        "`operator` must be one of 'classification', 'regression', 'segmentation', 'detection', got 'segment'. "
        "Nearest: segmentation",
        lambda: sobol(operator="segment"),
    )


def boxes(inputs):
    return tf.reshape(tf.tile(inputs[:, 0, 0, :1], (1, 12)), (-1, 3, 4))


@pytest.mark.parametrize(
    "model, received",
    [
        (models.two_outputs, "2 outputs"),
        (lambda: lambda x: {"boxes": boxes(x), "classes": boxes(x)[:, 0]}, "outputs named boxes, classes"),
        (lambda: boxes, "an output of shape (None, 3, 4)"),
        (lambda: lambda x: tf.reduce_sum(x, (1, 2, 3)), "an output of shape ("),
    ],
    ids=["list", "dict", "boxes", "numbers"],
)
@pytest.mark.parametrize("graph", [False, True], ids=["host", "graph"])
def test_outputs_that_are_no_classes(model, received, graph):
    text = (
        "`classification`: the model must have one output of shape (n, classes), got {}. "
        "Pass output_layer='name' of the output to explain, operator='segmentation' or 'detection' where it is one, or "
        "a function of your own."
    )
    explainer = sobol(model())
    call = (lambda: explainer.as_function()(tf.constant(X))) if graph else lambda: explainer.explain(X)
    start, end = text.split("{}")
    shape = received.replace("None", "5") if not graph else received
    error = says(ModelError, start + shape, call)
    assert str(error).endswith(end)


@pytest.mark.parametrize(
    "targets, kind, text",
    [
        (
            4,
            ValueError,
            "`targets` must lie in [0, 3], the classes of the model, got 4 at position 0. Look at the order",
        ),
        ([0, 1, -1, 2, 9], ValueError, "got -1 at position 2. Look at the order of the classes; ids count from 0."),
        ([0.5] * 5, ValueError, "`targets` of shape (n,) must be class ids, got 0.5. Use integers; weights over the"),
        (["cat"] * 5, TypeError, "`targets` must be numbers, got an array of <U3. Turn class names into ids first."),
        (
            np.eye(5),
            ValueError,
            "`targets` must be class ids (n,) or weights (n, 4), got shape (5, 5). Use integers, or",
        ),
        (
            np.full((5, 4), np.nan),
            ValueError,
            "`targets` must be finite weights, got NaN or infinity. Look at how they",
        ),
    ],
    ids=["one", "several", "fractions", "names", "one-hot", "nan"],
)
def test_targets_that_do_not_fit(targets, kind, text):
    says(kind, "`SobolAttribution`: " * (kind is TypeError) + text, lambda: sobol().explain(X, targets))
    says(kind, text, lambda: Deletion(network(), X, targets).evaluate(X))


def test_the_position_of_a_target_counts_over_the_whole_data_set():
    dataset = tf.data.Dataset.from_tensor_slices((models.images(20), np.r_[np.zeros(17, int), 7, 0, 0])).batch(3)
    says(ValueError, "got 7 at position 17.", lambda: sobol().explain(dataset))


@pytest.mark.parametrize("graph", [False, True], ids=["host", "graph"])
def test_a_regression_of_several_outputs_needs_a_target(graph):
    explainer = sobol(operator="regression")
    says(
        ValueError,
        "`targets` must say which output of the regression to explain, got None for 4 outputs. "
        "Pass the number of an output, such as 0.",
        (lambda: explainer.as_function()(tf.constant(X))) if graph else lambda: explainer.explain(X),
    )


def notices(call) -> list[str]:
    """What the call says to the user, each time that it says it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(warning.message) for warning in caught if issubclass(warning.category, Notice)]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_final_activation_is_bypassed_and_that_is_said_once(activation):
    model = models.convolutional(activation=activation)
    explainer = sobol(model)
    words = notices(lambda: [explainer.explain(X, TARGETS), explainer.explain(X[:2], TARGETS[:2])])
    assert len(words) == 1
    assert words[0] == (
        f"the final {activation} of {model.name} is bypassed: maps explain the logit. Pass output_layer= (or score= to "
        "a metric) to keep control."
    )


class WrittenInside(keras.Model):
    """A softmax that no layer applies."""

    def __init__(self):
        super().__init__()
        self.inner = models.convolutional()

    def call(self, inputs, training=False):
        """Probabilities."""
        return tf.nn.softmax(self.inner(inputs))


UNSEEN = (
    "the model's outputs look like probabilities (not negative, sum 1), but no final softmax was recognised. Maps of "
    "probabilities are weaker than maps of logits: pass output_layer= the layer of the logits."
)


def test_a_softmax_that_cannot_be_seen_is_said_once():
    explainer = sobol(WrittenInside())
    words = notices(lambda: [explainer.explain(X, TARGETS), explainer.explain(X, TARGETS)])
    assert words == [f"`SobolAttribution`: {UNSEEN}"]


def first_point(metric) -> np.ndarray:
    """The score of the whole images: the first point of the curve of Deletion."""
    return metric.evaluate(np.ones((5, 8, 12))).curve[1][:, 0]


@pytest.mark.parametrize("kind", ["inside", "callable", "output_layer", "final"])
def test_probabilities_do_not_go_through_a_softmax_twice(kind):
    plain = models.convolutional()
    wanted = tf.nn.softmax(plain(X)).numpy()[np.arange(5), TARGETS]
    model = {
        "inside": WrittenInside,
        "callable": lambda: lambda x: tf.nn.softmax(plain(x)),
        "output_layer": lambda: models.convolutional(activation="softmax"),
        "final": lambda: models.convolutional(activation="softmax"),
    }[kind]()
    metric = Deletion(model, X, TARGETS, steps=1, output_layer="head" if kind == "output_layer" else None)
    noticed = notices(lambda: np.testing.assert_allclose(first_point(metric), wanted, rtol=1e-4))
    unseen = kind in ("inside", "callable")
    assert (f"`Deletion`: {UNSEEN}" in noticed) == unseen and (noticed == []) == (kind == "output_layer")


def test_sigmoids_asked_for_by_name_stay_as_they_are():
    model = models.convolutional(activation="sigmoid")
    metric = Deletion(model, X, TARGETS, steps=1, output_layer="head")
    np.testing.assert_allclose(first_point(metric), model(X).numpy()[np.arange(5), TARGETS], rtol=1e-4)


def test_values_of_a_regression_are_no_logits():
    metric = Deletion(network(), X, TARGETS, steps=1, operator="regression")
    np.testing.assert_allclose(first_point(metric), network()(X).numpy()[np.arange(5), TARGETS], rtol=1e-4)
