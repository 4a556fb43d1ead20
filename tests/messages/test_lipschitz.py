"""The words of `xsparks.lipschitz`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tests.messages.saying import says
from xsparks import lipschitz
from xsparks.core.errors import ModelError
from xsparks.lipschitz import LipschitzCertificate, TransportCounterfactuals, lipschitz_constants, to_lipschitz


def stack(*parts: Any, shape: tuple[int, ...] = (8, 8, 2)) -> Any:
    """A Sequential of these layers, each named by its place."""
    return keras.Sequential([keras.Input(shape), *parts])


class Doubling(layers.Layer):
    """A layer that nobody knows."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


class Own(keras.Model):
    """A model that computes in Python code."""

    def call(self, inputs: Any) -> Any:
        return inputs


def two_branches() -> Any:
    """A product of two branches, which is not Lipschitz."""
    inputs: Any = keras.Input((3,))
    return keras.Model(inputs, layers.Multiply(name="product")([inputs, layers.Dense(3)(inputs)]))


ROWS = np.ones((8, 3), "float32")


@pytest.mark.parametrize(
    ("kind", "text", "call"),
    [
        (
            ModelError,
            "`lipschitz_constants: odd`: every layer must have a known Lipschitz constant, got Doubling. Tell it with",
            lambda: lipschitz_constants(stack(Doubling(name="odd"))),
        ),
        (
            ModelError,
            "`lipschitz_constants: product`: every layer must have a known Lipschitz constant, got Multiply.",
            lambda: lipschitz_constants(two_branches()),
        ),
        (
            ModelError,
            "must compute in float32, because half precision rounds by more than a bound allows, got float16",
            lambda: lipschitz_constants(stack(layers.Dense(2, dtype="mixed_float16"))),
        ),
        (
            ModelError,
            "`lipschitz_constants: jump`: every layer must have a known",
            lambda: lipschitz_constants(stack(layers.ReLU(threshold=1.0, name="jump"))),
        ),
        (
            ValueError,
            "certificates are of the classes of a model of one input, got 'regression'. Make a model of the part",
            lambda: LipschitzCertificate(stack(layers.Flatten()), operator="regression"),
        ),
        (
            ModelError,
            "`preprocess` must be one whose constant is known: 'tf', 'torch', 'caffe' or None, got a function.",
            lambda: LipschitzCertificate(stack(layers.Flatten()), preprocess=lambda x: x),
        ),
        (
            ModelError,
            "the model must answer with the scores of classes, (n, classes), finite ones, got shape (1, 8, 8, 2)",
            lambda: LipschitzCertificate(stack(layers.ReLU())).certify(np.ones((1, 8, 8, 2))),
        ),
        (
            ModelError,
            "`to_lipschitz: first`: convolutions must have padding='same', got 'valid'. Change the layer in the",
            lambda: to_lipschitz(stack(layers.Conv2D(4, 3, name="first"))),
        ),
        (
            ModelError,
            "`to_lipschitz: first`: convolutions must have no dilation and no groups, got one that has.",
            lambda: to_lipschitz(stack(layers.Conv2D(4, 3, padding="same", groups=2, name="first"))),
        ),
        (
            ModelError,
            "`to_lipschitz: pool`: windows must lie side by side, with padding='valid', got strides (1, 1).",
            lambda: to_lipschitz(stack(layers.MaxPooling2D(2, 1, name="pool"))),
        ),
        (
            ModelError,
            "`to_lipschitz: odd`: every layer must have a 1-Lipschitz counterpart, got Doubling.",
            lambda: to_lipschitz(stack(Doubling(name="odd"))),
        ),
        (
            ValueError,
            "`head` must be one of 'disjoint', 'orthogonal', got 'both'",
            lambda: to_lipschitz(stack(layers.Flatten()), head="both"),
        ),
        (
            ModelError,
            "the model must be a Sequential or functional Keras model, whose layers can be replaced, got Own.",
            lambda: lipschitz.vanilla_model(Own()),
        ),
        (
            ModelError,
            "the inputs must be [x, g(x)], of one shape, got shapes [(None, 4), (None, 5)]. Keep the size",
            lambda: lipschitz.LipschitzResidual().build([(None, 4), (None, 5)]),
        ),
        (
            RuntimeError,
            "2 has to be a divisor of the number of channels",
            lambda: lipschitz.Householder().build((None, 3)),
        ),
        (
            ModelError,
            "the model must answer with the scores of two classes or more, (n, classes), got shape (8, 1).",
            lambda: TransportCounterfactuals(stack(layers.Dense(1), shape=(3,))).explain(ROWS),
        ),
        (
            ValueError,
            "`reference` must be more than 5 images of the shape of the inputs, got shape (5, 3). Pass training images",
            lambda: TransportCounterfactuals(stack(layers.Dense(2), shape=(3,))).explain(ROWS, reference=ROWS[:5]),
        ),
        (
            ValueError,
            "`steps` must be an integer of at least 1, got 0",
            lambda: TransportCounterfactuals(stack(layers.Flatten()), steps=0),
        ),
        (ValueError, "`alpha` must be", lambda: lipschitz.SoftHKR(alpha=-1.0)),
        (ValueError, "`momentum` must be", lambda: lipschitz.BatchCentering(momentum=1.0)),
        (ValueError, "`threshold` must be", lambda: lipschitz.GradientNormMonitor(inputs=ROWS, threshold=-1.0)),
        (
            ValueError,
            "`reducer` must be one of 'max', 'mean', 'sum', 'norm', got 'min'",
            lambda: lipschitz.TransportSaliency(stack(layers.Flatten()), reducer="min"),
        ),
    ],
)
def test_words(kind: Any, text: str, call: Any) -> None:
    says(kind, text, call)
