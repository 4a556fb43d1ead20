"""The words of the methods of gradients, of FORGrad and of the front."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import xsparks
from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.attributions import (
    DeconvNet,
    ExpectedGradients,
    FORGrad,
    GuidedBackprop,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from xsparks.core.errors import ModelError
from xsparks.metrics import Deletion
from xsparks.numerics.quadrature import nodes_and_weights


def test_options_of_gradients():
    says(ValueError, "`reducer` must be one of 'max', 'mean', 'sum', 'norm'", lambda: Saliency(network(), reducer="mx"))
    says(ValueError, "`steps` must be an integer of at least 2", lambda: IntegratedGradients(network(), steps=1))
    says(ValueError, "`quadrature` must be one of", lambda: IntegratedGradients(network(), quadrature="simpson"))
    says(ValueError, "`samples` must be an integer of at least 1", lambda: SmoothGrad(network(), samples=0))
    says(ValueError, "`noise` must be a number in [1e-06, 1]", lambda: SmoothGrad(network(), noise=20))
    says(ValueError, "`count` must be an integer of at least 2", lambda: nodes_and_weights("lobatto", 1))


@pytest.mark.parametrize("references", [None, [], 3.0])
def test_references_that_are_none(references):
    says(
        ValueError,
        "`references` must be an array (r, ...) of at least one sample",
        lambda: ExpectedGradients(network(), references=references),
    )


@pytest.mark.parametrize(
    ("references", "received"),
    [(np.ones((2, 8, 8, 3)), "got shape (8, 8, 3)."), (np.full((2, 8, 12, 3), np.nan), "got NaN or infinity.")],
)
def test_references_of_another_shape(references, received):
    says(
        ValueError,
        f"`references` must be finite samples of shape (8, 12, 3), {received}",
        lambda: ExpectedGradients(network(), references=references).explain(X, TARGETS),
    )


@pytest.mark.parametrize("method", [GuidedBackprop, DeconvNet])
def test_a_model_without_relus(method):
    inputs = keras.Input((8, 12, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(keras.ops.relu(inputs) * 2.0)))
    smooth = keras.Sequential(
        [keras.Input((8, 12, 3)), keras.layers.Conv2D(2, 3, activation="gelu"), keras.layers.Flatten()]
    )
    text = f"`{method.__name__}`: the model must have ReLUs as layers, activations or operations, got none that can be"
    says(ModelError, text, lambda: method(smooth).explain(X, 0))
    assert method(model).explain(X, 0).settings["relus_reached"] == 1


def test_gradients_that_do_not_exist():
    says(
        ModelError,
        "`Saliency`: the model must have gradients, got a function of NumPy arrays. Use a method without gradients",
        lambda: Saliency(lambda x: np.asarray(x).reshape(len(x), -1)).explain(X, 0),
    )
    says(
        ModelError,
        "`GuidedBackprop`: the model must be a Keras model, whose layers can be reached, got a function.",
        lambda: GuidedBackprop(lambda x: tf.reshape(x, (-1, 288))).explain(X, 0),
    )


def test_filters():
    says(
        TypeError,
        "`FORGrad(explainer=...)`: `explainer` must be an attribution method, got Functional.",
        lambda: FORGrad(network(), cutoff=0.2),  # pyright: ignore
    )
    explainer, metric = Saliency(network()), Deletion(network(), X, TARGETS)
    says(ValueError, "either `score` or `cutoff` must be given, got none of them.", lambda: FORGrad(explainer))
    says(
        ValueError,
        "either `score` or `cutoff` must be given, got both.",
        lambda: FORGrad(explainer, score=metric, cutoff=0.2),
    )
    says(ValueError, "`cutoff` must be a number in [1e-06, 1.41421]", lambda: FORGrad(explainer, cutoff=3.0))
    series = keras.Sequential([keras.Input((9, 2)), keras.layers.Flatten(), keras.layers.Dense(1)])
    says(
        ModelError,
        "`FORGrad`: samples must be images (h, w, c), got shape (9, 2). Other methods take them",
        lambda: FORGrad(Saliency(series), cutoff=0.2).explain(np.ones((1, 9, 2), "float32"), 0),
    )


def test_the_front():
    says(
        ValueError,
        "`explain(method='gradcm')`: the method must be the name of an attribution method, got 'gradcm'. Near",
        lambda: xsparks.explain(network(), X, method="gradcm"),
    )
    says(
        ValueError,
        "`explain(gridsize=...)`: an option must belong to the method, got 'gridsize'. Nearest: grid_size",
        lambda: xsparks.explain(network(), X, gridsize=3),
    )
    says(
        TypeError,
        "`explain`: a method must be a name or an attribution class, got SobolAttribution.",
        lambda: xsparks.explain(network(), X, method=sobol()),  # pyright: ignore
    )
    says(
        ValueError,
        "`compare`: `methods` must be a sequence of at least one method, got 'sobol'.",
        lambda: xsparks.compare(network(), X, methods="sobol"),
    )
    says(
        ValueError,
        "`compare(gridsize=...)`: an option must belong to at least one of the methods or metrics, got 'gridsize'.",
        lambda: xsparks.compare(network(), X, methods=["sobol", "saliency"], gridsize=3),
    )
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(2)
    says(
        TypeError,
        "`compare`: `images` must be an array, a tensor or a list, which several methods can read, got ",
        lambda: xsparks.compare(network(), dataset),
    )
