"""What verified bounds say of models and options that they cannot take."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests import models
from tests.messages.saying import says
from xsparks.core.errors import ModelError
from xsparks.engine import VerifiedBounds
from xsparks.models.bounds import Around, Cells, Node, read_network, register_bound


def through(*steps: Any, shape: tuple[int, ...] = (4, 4, 2)) -> keras.Model:
    """A model of these steps."""
    x = inputs = keras.Input(shape)
    for step in steps:
        x = step(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def unsupported(step: Any, text: str, shape: tuple[int, ...] = (4, 4, 2)) -> None:
    """A model with this step cannot be bounded, and the message says so."""
    error = says(ModelError, text, lambda: read_network(through(step, shape=shape)))
    assert "HybridEVA(split_layer=...)" in str(error) and "register_bound" in str(error)


def test_a_layer_without_bounds_is_named_with_its_path() -> None:
    unsupported(
        layers.LayerNormalization(name="norm"), "every step must have known bounds, got LayerNormalization at 'norm'"
    )
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Activation("mish", name="odd")], name="inner")
    unsupported(inner, "got Activation with activation mish at 'inner.odd'")
    unsupported(lambda x: ops.exp(x), "got Exp at ")
    unsupported(layers.Dense(3, activation=lambda x: x, name="own"), "got Dense with activation <lambda> at 'own'")


def test_a_subclass_is_not_taken_for_its_base() -> None:
    class Squared(layers.Dense):
        """A dense layer with another call."""

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs) ** 2

    unsupported(Squared(3, name="squared"), "got Squared at 'squared'")


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (layers.ReLU(threshold=0.5), "ReLU only with threshold=0"),
        (layers.UpSampling2D(2, interpolation="bicubic"), "UpSampling2D only with interpolation 'nearest' or"),
        (lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=1.0), "Pad only with zeros"),
        (lambda x: layers.Dropout(0.5)(x, training=True), "Dropout only without training=True"),
        (lambda x: 1.0 / x, "TrueDivide only by a constant"),
        (lambda x: ops.max(x, axis=0, keepdims=True), "Max only along axes of a sample"),
        (lambda x: ops.max(x, axis=1, initial=0.0), "Max only without `initial`"),
        (lambda x: ops.softmax(x, axis=(1, 2)), "Softmax only along one axis of a sample"),
        (lambda x: ops.concatenate([x, np.ones((1, 4, 4, 2), "float32")], axis=0), "Concatenate only without constant"),
        (lambda x: ops.maximum(ops.sum(x, axis=1, keepdims=True), np.zeros((4, 4, 2), "float32")), "Maximum only of"),
    ],
)
def test_the_uses_of_a_layer_that_can_be_bounded_are_named(step: Any, text: str) -> None:
    unsupported(step, f"bounds are known for {text}")


def test_an_operation_of_two_outputs() -> None:
    class Twice(layers.Layer):
        """The inputs, two times."""

        def call(self, inputs: Any) -> Any:
            return inputs, inputs

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Twice()(inputs)[0])
    says(ModelError, "got Twice at ", lambda: read_network(model))
    register_bound(Twice)(lambda layer, site: [])
    says(ModelError, "bounds are known for Twice only with one output", lambda: read_network(model))


def test_models_that_cannot_be_read() -> None:
    says(ModelError, "got Subclassed, which computes in Python code", lambda: read_network(models.Subclassed()))
    says(ModelError, "got function, which computes", lambda: read_network(models.constant))
    says(ModelError, "one that was not built", lambda: read_network(models.sequential_unbuilt()))
    says(ModelError, "got 2 inputs and 1 outputs", lambda: read_network(models.two_inputs()))
    says(ModelError, "compute in float32, got float16", lambda: read_network(models.mixed_precision()))


def test_shapes_and_layers_that_do_not_fit() -> None:
    inputs = keras.Input((None, 3))
    open_model = keras.Model(inputs, layers.GlobalAveragePooling1D()(inputs))
    says(ModelError, "the size of the inputs must be fixed, got (None, 3)", lambda: read_network(open_model))
    inputs = keras.Input((4, 4, 1))
    flat = keras.Model(inputs, layers.Conv2D(1, 2)(inputs))
    says(ModelError, "the output must be one number a class, got shape (3, 3, 1)", lambda: read_network(flat))
    says(ModelError, "got 'own', unused", lambda: read_network(through(layers.Conv2D(1, 2, name="own")), "own:1"))
    says(ModelError, "bounds are known: 'tf', 'torch' or", lambda: read_network(through(), preprocess=np.abs))


def test_a_node_without_a_rule() -> None:
    says(LookupError, "inputs", lambda: Node("inputs", None, (), (2,)).how)


def test_families_check_their_options() -> None:
    says(ValueError, "`norm` must be one of 'inf', '2'", lambda: Around(norm="1"))
    says(ValueError, "`direction` must be one of", lambda: Around(direction="up"))
    says(ValueError, "the lowest valid value must be below", lambda: Around(valid_range=(1.0, 0.0)))
    says(ValueError, "`direction` must be one of", lambda: Cells(cell_of=np.zeros(2, int), direction="up"))


def test_bounds_check_their_options() -> None:
    network = read_network(through())

    def bounds(**options: Any) -> VerifiedBounds:
        return VerifiedBounds(network=network, family=Around(), **options)

    says(ValueError, "`method` must be one of", lambda: bounds(method="alpha"))
    says(ValueError, "`relaxation` must be one of", lambda: bounds(relaxation="full"))
    says(ValueError, "`steps` must be an integer of at least 0", lambda: bounds(steps=-1))
    says(ValueError, "`rows` must be an integer of at least 1", lambda: bounds(rows=0))
    says(ValueError, "`rivals` must be an integer of at least 1", lambda: bounds(rivals=0))
