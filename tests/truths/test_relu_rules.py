"""Rules for ReLUs: exact on a net worked out by hand, and reached wherever a ReLU stands."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import DeconvNet, GuidedBackprop, Saliency
from xsparks.models.access import ModelAccess, Notice
from xsparks.models.relu_rules import ruled


def worked_by_hand(activation="relu"):
    """`f = relu(z) . (1, -1, 1)` with `z = (x1 + x2, x1, -x1 + x2)`."""
    first = keras.layers.Dense(3, activation, use_bias=False)
    last = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((2,)), first, last])
    first.kernel.assign([[1.0, 1.0, -1.0], [1.0, 0.0, 1.0]])
    last.kernel.assign([[1.0], [-1.0], [1.0]])
    return model


X = np.array([[2.0, 1.0]], np.float32)  # z = (3, 2, -1): the third unit is off


def test_the_net_worked_out_by_hand():
    """Gradient: units 1 and 2 are on, their weights 1 and -1: (1 - 1, 1). Guided drops unit 2, whose gradient is
    negative: (1, 1). Deconv keeps unit 3 as well, which is off: (1 - 1, 1 + 1).
    """
    options = {"absolute": False}
    model = worked_by_hand()
    np.testing.assert_allclose(Saliency(model, **options).explain(X, 0).values, [[0.0, 1.0]])
    np.testing.assert_allclose(GuidedBackprop(model, **options).explain(X, 0).values, [[1.0, 1.0]])
    np.testing.assert_allclose(DeconvNet(model, **options).explain(X, 0).values, [[0.0, 2.0]])


def test_the_output_is_what_it_was_and_the_model_too():
    model = worked_by_hand()
    before = model(X).numpy()
    maps = GuidedBackprop(model).explain(X, 0)
    np.testing.assert_allclose(maps.scores, before[:, 0])
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        after = model(x)
    np.testing.assert_array_equal(after, before)
    np.testing.assert_allclose(tape.gradient(after, x), [[0.0, 1.0]])
    assert model.layers[0].activation is keras.activations.relu


def test_a_failing_trace_leaves_the_model_as_it_was():
    model = worked_by_hand()
    with pytest.raises(RuntimeError, match="on purpose"), ruled(model, "guided"):
        raise RuntimeError("on purpose")
    assert model.layers[0].activation is keras.activations.relu


def test_a_capped_relu_is_flat_above_its_cap():
    layer = keras.layers.ReLU(max_value=2.5)
    model = worked_by_hand(None)
    inputs = keras.Input((2,))
    capped = keras.Model(inputs, model.layers[1](layer(model.layers[0](inputs))))
    # Unit 1 has 3, above the cap: nothing passes in guided; deconv knows no caps.
    np.testing.assert_allclose(GuidedBackprop(capped, absolute=False).explain(X, 0).values, [[0.0, 0.0]])
    np.testing.assert_allclose(DeconvNet(capped, absolute=False).explain(X, 0).values, [[0.0, 2.0]])


class Inside(keras.layers.Layer):
    """A ReLU layer and a ReLU written as a function."""

    def __init__(self):
        super().__init__()
        self.reached = keras.layers.Dense(3, "relu")

    def call(self, inputs):
        """One ReLU can be reached, one cannot."""
        return tf.nn.relu(self.reached(inputs) - 0.1)


@pytest.mark.parametrize(
    ("build", "reached", "missed"),
    [
        (lambda: keras.layers.Dense(3, "relu"), 1, 0),
        (lambda: keras.layers.ReLU(), 1, 0),
        (lambda: keras.layers.ReLU(max_value=6), 1, 0),
        (lambda: keras.layers.Activation("relu"), 1, 0),
        (lambda: keras.layers.Activation("relu6"), 1, 0),
        (lambda: keras.ops.relu, 1, 0),
        (lambda: keras.Sequential([keras.layers.Dense(3, "relu"), keras.layers.ReLU()]), 2, 0),
        (Inside, 1, 1),
    ],
)
def test_every_way_to_write_a_relu(build, reached, missed):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(build()(inputs)))
    access = ModelAccess(model)
    assert access.relus == (reached, missed)


def test_other_activations_are_left_alone():
    inputs = keras.Input((2,))
    x = keras.layers.Dense(3, "gelu")(inputs)
    x = keras.layers.ReLU(negative_slope=0.1)(x)
    access = ModelAccess(keras.Model(inputs, keras.layers.Dense(1, "tanh")(x)))
    assert access.relus[0] == 0


@pytest.mark.parametrize("build", [models.nested, models.Subclassed])
def test_nested_and_subclassed_models_are_reached(build):
    x = models.images(2)
    model = build()
    maps = GuidedBackprop(model, absolute=False).explain(x, 1)
    assert maps.settings["relus_reached"] == 2 and maps.settings["relus_missed"] == 0
    assert not np.allclose(maps.values, Saliency(model, absolute=False).explain(x, 1).values, rtol=1e-2)


def test_a_relu_that_is_missed_is_told():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(Inside()(inputs)))
    with pytest.warns(Notice, match="reached 1 ReLUs of the model and missed 1"):
        GuidedBackprop(model).explain(X, 0)


def test_guided_drops_negative_gradients_at_every_relu_of_a_network():
    """A slow twin: back through each layer of the network by hand."""
    model = models.convolutional()
    x = tf.constant(models.images(2))
    first, second, head = (model.get_layer(name) for name in ("first", "second", "head"))
    linear = [keras.layers.Conv2D.from_config({**layer.get_config(), "activation": None}) for layer in (first, second)]
    for layer, source in zip(linear, (first, second), strict=True):
        layer.build((None, 8, 12, source.kernel.shape[2]))
        layer.set_weights(source.get_weights())
    z1 = linear[0](x)
    z2 = linear[1](tf.nn.relu(z1))
    upstream = tf.reshape(tf.tile(head.kernel[None, :, 2], (2, 1)), z2.shape)
    for rule, method in (("guided", GuidedBackprop), ("deconv", DeconvNet)):
        passed = tf.nn.relu(upstream) * (tf.cast(z2 > 0, tf.float32) if rule == "guided" else 1.0)
        with tf.GradientTape() as tape:
            hidden = tf.nn.relu(z1)
            tape.watch(hidden)
            answer = linear[1](hidden)
        back = tape.gradient(answer, hidden, passed)
        back = tf.nn.relu(back) * (tf.cast(z1 > 0, tf.float32) if rule == "guided" else 1.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            answer = linear[0](x)
        wanted = tape.gradient(answer, x, back)
        found = method(model, reducer=None, absolute=False).explain(x, 2).values
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
