"""Lipschitz constants and certificates: sound for every layer, and never broken by an attack."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.truths.test_lipschitz_layers import jacobian
from xsparks import lipschitz
from xsparks.lipschitz import LipschitzCertificate, lipschitz_constants, register_constant

RNG = np.random.default_rng(0)


def randomised(layer: Any) -> Any:
    """The layer with other weights than those of its start."""
    for variable in layer.variables:
        if "moving_variance" in variable.path:
            variable.assign(np.random.default_rng(1).uniform(0.2, 2, variable.shape))
        elif "wbar" not in variable.path and "seed" not in variable.path:
            variable.assign(np.random.default_rng(2).normal(size=variable.shape))
    return layer


def normalisation(**options: Any) -> Any:
    return layers.Normalization(mean=[1.0, 2.0], variance=[0.5, 4.0], **options)


IMAGE, ROW = (6, 7, 2), (5,)
KINDS: dict[str, tuple[Any, tuple[int, ...], float]] = {
    # A layer, the shape of its input, and how much the bound may be above what is measured.
    "dense": (layers.Dense(4), ROW, 1.001),
    "dense on places": (layers.Dense(4), IMAGE, 1.001),
    "tanh": (layers.Dense(4, activation="tanh"), ROW, 4),
    "conv": (layers.Conv2D(3, 3), IMAGE, 1.6),
    "conv same": (layers.Conv2D(3, 3, padding="same"), IMAGE, 1.6),
    "conv strided": (layers.Conv2D(3, 3, strides=2), IMAGE, 1.6),
    "conv dilated": (layers.Conv2D(3, 2, dilation_rate=2), IMAGE, 4),
    "conv 1": (layers.Conv1D(3, 3), (9, 2), 1.6),
    "conv causal": (layers.Conv1D(3, 3, padding="causal"), (9, 2), 2),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), IMAGE, 1.6),
    "max": (layers.MaxPooling2D(), IMAGE, 1.001),
    "max overlapping": (layers.MaxPooling2D(3, 2), IMAGE, 4),
    "average": (layers.AveragePooling2D(2), IMAGE, 1.001),
    "average overlapping": (layers.AveragePooling2D(3, 2, padding="same"), IMAGE, 2.5),
    "global average": (layers.GlobalAveragePooling2D(), IMAGE, 1.001),
    "global max": (layers.GlobalMaxPooling2D(), IMAGE, 1.001),
    "batch": (layers.BatchNormalization(), IMAGE, 1.001),
    "rescaling": (layers.Rescaling(-1 / 2), IMAGE, 1.001),
    "normalization": (normalisation(), IMAGE, 1.001),
    "inverted": (normalisation(invert=True), IMAGE, 1.001),
    "relu": (layers.ReLU(), ROW, 1.001),
    "leaky": (layers.LeakyReLU(negative_slope=2.0), ROW, 1.001),
    "learned slopes": (layers.PReLU(), ROW, 4),
    "elu": (layers.ELU(alpha=2.0), ROW, 4),
    "gelu": (layers.Activation("gelu"), (50,), 1.2),
    "silu": (layers.Activation("silu"), (50,), 1.2),
    "flatten": (layers.Flatten(), IMAGE, 1.001),
    "centring": (lipschitz.BatchCentering(), IMAGE, 1.001),
    "down": (lipschitz.InvertibleDownSampling((2, 1)), IMAGE, 1.001),
    "l2": (lipschitz.ScaledL2NormPooling2D(), IMAGE, 1.001),
    "scaled": (lipschitz.ScaledAveragePooling2D(), IMAGE, 1.001),
    "sort": (lipschitz.GroupSort2(), IMAGE, 1.001),
    "spectral": (lipschitz.SpectralConv2D(3, 3), IMAGE, 1.6),
    "disjoint": (lipschitz.FrobeniusDense(3), ROW, 1.001),
    "disjoint conv": (lipschitz.FrobeniusConv2D(3, 3), IMAGE, 3),
    "max and min": (lipschitz.MaxMin(), IMAGE, 1.5),
    "sort of all": (lipschitz.FullSort(), IMAGE, 1.001),
    "up": (lipschitz.InvertibleUpSampling((1, 2)), IMAGE, 1.001),
    "global scaled": (lipschitz.ScaledGlobalAveragePooling2D(k_coef_lip=2.0), IMAGE, 1.001),
    "global l2": (lipschitz.ScaledGlobalL2NormPooling2D(k_coef_lip=2.0), IMAGE, 1.001),
    "sort, twice": (lipschitz.GroupSort2(k_coef_lip=2.0), IMAGE, 1.001),
    "with a sort": (lipschitz.SpectralDense(4, activation=lipschitz.GroupSort2()), ROW, 1.001),
}


@pytest.mark.parametrize("name", KINDS)
def test_no_layer_stretches_more_than_its_bound(name: str) -> None:
    layer, shape, loose = KINDS[name]
    model = keras.Sequential([keras.Input(shape), layer])
    randomised(layer)
    (found,) = lipschitz_constants(model).layers
    true = np.linalg.norm(jacobian(model, np.random.default_rng(4).normal(size=(1, *shape)).astype("float32")), 2)
    assert true <= found.upper * (1 + 1e-5)
    assert found.measured is not None and found.measured <= found.upper * (1 + 1e-4)
    assert found.upper <= loose * max(true, found.measured)


def test_images_of_unknown_size_have_a_bound_for_every_size() -> None:
    kernel = RNG.normal(size=(3, 3, 2, 3))
    model = keras.Sequential([keras.Input((None, None, 2)), layers.Conv2D(3, 3, padding="same", use_bias=False)])
    model.set_weights([kernel])
    (found,) = lipschitz_constants(model).layers
    assert found.measured is None
    fixed = keras.Sequential([keras.Input((12, 12, 2)), layers.Conv2D(3, 3, padding="same", use_bias=False)])
    fixed.set_weights([kernel])
    assert lipschitz_constants(fixed).upper <= found.upper


def test_a_convolution_in_groups_is_as_the_group_that_stretches_most() -> None:
    kernel = RNG.normal(size=(3, 3, 2, 6))
    grouped = keras.Sequential([keras.Input((5, 5, 4)), layers.Conv2D(6, 3, groups=2, use_bias=False)])
    grouped.set_weights([kernel])
    parts = []
    for part in np.split(kernel, 2, axis=-1):
        single = keras.Sequential([keras.Input((5, 5, 2)), layers.Conv2D(3, 3, use_bias=False)])
        single.set_weights([part])
        parts.append(lipschitz_constants(single).upper)
    assert lipschitz_constants(grouped, measure=False).upper == pytest.approx(max(parts)) and parts[0] != parts[1]


def test_constants_go_through_branches_and_nested_networks() -> None:
    def linear(factor: float, name: str) -> Any:
        return layers.Dense(3, use_bias=False, kernel_initializer=keras.initializers.Identity(factor), name=name)

    inner_in: Any = keras.Input((3,))
    inner = keras.Model(inner_in, linear(2.0, "two")(inner_in), name="inner")
    inputs: Any = keras.Input((3,))
    hidden: Any = inner(inputs)
    added: Any = layers.Add()([hidden, inputs])
    beside: Any = layers.Concatenate()([added, hidden])
    averaged: Any = layers.Average()([added, hidden])
    found = {
        name: lipschitz_constants(keras.Model(inputs, outputs)).upper
        for name, outputs in {
            "added": added,
            "beside": beside,
            "averaged": averaged,
            "mixed": lipschitz.LipschitzResidual()([inputs, hidden]),
            "softmax": layers.Softmax()(added),
        }.items()
    }
    expected = {"added": 3, "beside": np.sqrt(13), "averaged": 2.5, "mixed": 1.5, "softmax": 3}
    assert found == pytest.approx(expected, rel=1e-5)
    paths = [layer.path for layer in lipschitz_constants(keras.Model(inputs, added)).layers]
    assert paths[0] == "inner.two"


def test_the_layer_that_breaks_the_constant_is_named() -> None:
    model = network()
    assert lipschitz_constants(model).breaking() == []
    assert lipschitz_constants(model).upper <= 1 + 1e-3
    model.get_layer("second").wbar.assign(1.5 * model.get_layer("second").wbar)
    (broken,) = lipschitz_constants(model).breaking()
    assert broken.path == "second" and broken.measured is not None and 1.4 < broken.measured < broken.upper < 1.51


def network(strict: bool = True, **head: Any) -> Any:
    """A small network of one half and another of the plane of images."""
    keras.utils.set_random_seed(0)
    options: Any = {"strict": strict}
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            lipschitz.SpectralConv2D(4, 3, activation=lipschitz.GroupSort2(), name="first", **options),
            lipschitz.ScaledL2NormPooling2D(),
            layers.Flatten(),
            lipschitz.SpectralDense(16, activation=lipschitz.GroupSort2(), name="second", **options),
            lipschitz.FrobeniusDense(3, name="head", **{**options, **head}),
        ]
    )


def images(number: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Three kinds of images: bright on top, below, or at the left."""
    rng = np.random.default_rng(7)
    x, y = rng.normal(0, 0.1, (number, 8, 8, 1)), np.arange(number) % 3
    x[y == 0, :4] += 1
    x[y == 1, 4:] += 1
    x[y == 2, :, :4] += 1
    return x.astype("float32"), y


@pytest.fixture(scope="module")
def trained() -> Any:
    """A network that tells the images apart."""
    model, (x, y) = network(), images(96)
    model.compile(keras.optimizers.Adam(0.01), lipschitz.SoftHKR(0.9, 1.0, 5.0))
    model.fit(x, y, epochs=8, batch_size=32, verbose=0)
    return model


def attacked(model: Any, x: np.ndarray, radii: np.ndarray, label: np.ndarray, steps: int = 40) -> np.ndarray:
    """The decisions after projected gradient descent on the margin, in balls of these radii."""
    start, moved = tf.constant(x), tf.constant(x + 1e-3 * RNG.normal(size=x.shape).astype("float32"))
    size = radii.reshape(-1, 1, 1, 1).astype("float32")
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(moved)
            logits = model(moved, training=False)
            own = tf.gather(logits, label, batch_dims=1)
            rival = tf.reduce_max(logits - 1e9 * tf.one_hot(label, 3), axis=1)
            margin = own - rival
        slope = tape.gradient(margin, moved)
        slope /= tf.norm(tf.reshape(slope, (len(x), -1)), axis=1)[:, None, None, None] + 1e-12
        moved = moved - 0.2 * size * slope
        shift = moved - start
        length = tf.norm(tf.reshape(shift, (len(x), -1)), axis=1)[:, None, None, None]
        moved = start + shift * tf.minimum(1.0, size / (length + 1e-12))
    return np.argmax(model(moved, training=False), axis=1)


def test_no_attack_breaks_a_certificate_and_a_larger_one_does(trained: Any) -> None:
    x, y = images()
    found = LipschitzCertificate(trained).certify(x, y)
    assert found.correct is not None and found.correct.mean() > 0.9 and np.median(found.radii) > 0.2
    np.testing.assert_array_equal(attacked(trained, x, 0.999 * found.radii, found.predicted), found.predicted)
    assert (attacked(trained, x, 4 * found.radii, found.predicted) != found.predicted).mean() > 0.5


def test_certified_accuracy_falls_with_the_distance(trained: Any) -> None:
    x, y = images()
    found = LipschitzCertificate(trained).certify(tf.data.Dataset.from_tensor_slices((x, y)).batch(7))
    assert found.correct is not None
    curve = found.certified(np.linspace(0, 2 * found.radii.max(), 9)).mean(axis=0)
    assert curve[0] == found.correct.mean() and curve[-1] == 0 and (np.diff(curve) <= 0).all()
    alone = LipschitzCertificate(trained, batch_size=5).certify(x)
    np.testing.assert_allclose(alone.radii, found.radii, rtol=1e-5)
    assert alone.correct is None and alone.certified([0.0]).all()


def test_a_head_of_disjoint_outputs_and_an_orthogonal_one() -> None:
    x = np.array([[3.0, 1.0, 0.0]], "float32")
    for kernel, factor in ((np.eye(3), np.sqrt(2)), (np.array([[1, -1], [0, 0], [0, 0]]), 2.0)):
        model = keras.Sequential(
            [keras.Input((3,)), layers.Dense(kernel.shape[1], use_bias=False, activation="softmax")]
        )
        model.set_weights([kernel])
        logits = np.sort((x @ kernel)[0])
        found = LipschitzCertificate(model).certify(x)
        assert found.radii[0] == pytest.approx((logits[-1] - logits[-2]) / factor, rel=1e-6)
        assert found.margins[0] == pytest.approx(logits[-1] - logits[-2])


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_output_decides_by_its_sign(activation: str | None) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, activation=activation)])
    model.set_weights([np.array([[3.0], [4.0]])])
    found = LipschitzCertificate(model).certify(np.array([[1.0, 1.0], [-1.0, 0.0]]), [1, 1])
    np.testing.assert_allclose(found.radii, [7 / 5, 3 / 5], rtol=1e-6)
    assert found.correct is not None and found.correct.tolist() == [True, False]


def test_without_a_dense_head_the_bound_of_the_whole_counts() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Rescaling(2.0)])
    assert LipschitzCertificate(model).certify(np.array([[3.0, 1.0]])).radii[0] == pytest.approx(4 / np.sqrt(8))


def test_radii_are_those_before_preprocessing() -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, use_bias=False)])
    x = RNG.uniform(0, 255, (2, 4, 4, 3))
    inner = LipschitzCertificate(model).certify(x / 127.5 - 1).radii
    np.testing.assert_allclose(LipschitzCertificate(model, preprocess="tf").certify(x).radii, 127.5 * inner, rtol=1e-4)


def test_a_network_that_is_not_strict_is_certified_by_what_it_is() -> None:
    radii = {}
    for strict in (True, False):
        model = network(strict=strict)
        model.get_layer("first").kernel.assign(np.ones((3, 3, 1, 4)))
        model.get_layer("first").condense()
        found = LipschitzCertificate(model)
        stretch = {layer.path: layer.upper for layer in found.constants.layers}["first"]
        assumed = found.certify(images()[0]).margins / 2
        radii[strict] = found.certify(images()[0]).radii
        # What the name of the layer promises would be too much.
        assert (stretch <= 1 + 1e-3) == strict
        if not strict:
            honest = np.linalg.norm(np.diff(model.get_layer("head").wbar.numpy(), axis=1), axis=0).max()
            assert stretch > 1.03 and honest < 2 and (radii[False] < 2 / honest * assumed).all()


def test_own_layers_are_made_known() -> None:
    class Tripling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 3 * inputs

    @register_constant(Tripling)
    def tripling(layer: Any, shape: Any) -> float:
        return 3.0

    found = lipschitz_constants(keras.Sequential([keras.Input((2,)), Tripling()]))
    assert found.upper == 3 and found.layers[0].measured == pytest.approx(3)
