"""Layers of `xsparks.lipschitz`: never above 1, from the start, whatever the kernel; saved, condensed and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from xsparks import lipschitz
from xsparks.numerics.operator_norms import convolution_norm, covered, depthwise_norm, matrix_norm

ALMOST = 1 + 1e-3


def jacobian(layer: Any, x: Any) -> np.ndarray:
    """The Jacobian of a layer at one input `(1, ...)`, as a matrix from the input to the output."""
    number = int(np.prod(layer(x).shape[1:]))
    # One copy of the input for each output.
    copies = tf.repeat(tf.convert_to_tensor(x), number, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        outputs = tf.reshape(layer(copies, training=False) if _trains(layer) else layer(copies), (number, number))
        picked = tf.linalg.trace(outputs)
    return tape.gradient(picked, copies).numpy().reshape(number, -1).T


def _trains(layer: Any) -> bool:
    return hasattr(layer, "wbar")


def norm(layer: Any, *shape: int) -> float:
    """The norm of a Jacobian at a random input."""
    return float(
        np.linalg.norm(jacobian(layer, np.random.default_rng(3).normal(size=(1, *shape)).astype("float32")), 2)
    )


def smooth(shape: tuple[int, ...]) -> np.ndarray:
    """A smooth kernel that is not negative: what lets a convolution stretch most."""
    axes = [np.exp(-(np.linspace(-0.5, 0.5, size) ** 2)) if size > 1 else np.ones(1) for size in shape[:2]]
    return (np.einsum("i,j->ij", *axes)[..., None, None] * np.ones(shape)).astype("float32")


LAYERS = {
    "dense": (lambda **o: lipschitz.SpectralDense(5, **o), (7,)),
    "wide dense": (lambda **o: lipschitz.SpectralDense(9, **o), (4,)),
    "at most": (lambda **o: lipschitz.SpectralDense(5, eps_bjorck=None, **o), (7,)),
    "frobenius": (lambda **o: lipschitz.FrobeniusDense(3, disjoint_neurons=False, **o), (7,)),
    "conv": (lambda **o: lipschitz.SpectralConv2D(4, 3, **o), (8, 8, 2)),
    "conv 5": (lambda **o: lipschitz.SpectralConv2D(2, 5, **o), (6, 7, 1)),
    "conv strided": (lambda **o: lipschitz.SpectralConv2D(4, 3, strides=2, **o), (7, 8, 2)),
    "conv larger than the image": (lambda **o: lipschitz.SpectralConv2D(2, 3, **o), (2, 2, 1)),
    "frobenius conv": (lambda **o: lipschitz.FrobeniusConv2D(1, 3, **o), (8, 8, 2)),
}
KERNELS = ("initial", "smooth", "random", "huge", "rank one")


def kernel_of(kind: str, layer: Any) -> np.ndarray | None:
    shape, rng = tuple(layer.kernel.shape), np.random.default_rng(0)
    found = {
        "initial": None,
        "smooth": smooth(shape) if len(shape) == 4 else np.ones(shape),
        "random": rng.normal(size=shape),
        "huge": 1e4 * rng.normal(size=shape),
        "rank one": np.outer(rng.normal(size=np.prod(shape[:-1])), rng.normal(size=shape[-1])).reshape(shape),
    }[kind]
    return None if found is None else found.astype("float32")


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_strict_layer_never_stretches(name: str, kind: str) -> None:
    make, shape = LAYERS[name]
    layer = make()
    layer.build((None, *shape))
    kernel = kernel_of(kind, layer)
    if kernel is not None:
        layer.kernel.assign(kernel)
        layer(np.zeros((1, *shape), "float32"), training=True)
    assert norm(layer, *shape) <= ALMOST
    if kind == "smooth" and name == "conv":
        # The bound is met where patches overlap wholly: there is nothing to gain by a smaller factor.
        assert norm(layer, *shape) > 0.9


def test_the_coefficient_of_deel_lip_is_too_large_on_a_smooth_kernel() -> None:
    found = {}
    for strict in (True, False):
        layer = lipschitz.SpectralConv2D(1, 3, strict=strict, eps_bjorck=None)
        layer.build((None, 16, 16, 1))
        layer.kernel.assign(np.ones((3, 3, 1, 1), "float32"))
        layer.condense()
        found[strict] = norm(layer, 16, 16, 1)
        assert found[strict] <= convolution_norm(layer.wbar.numpy(), (16, 16), (1, 1), "same")
    assert found[False] == pytest.approx(1.0199, abs=1e-3) and 0.95 < found[True] <= 1 + 1e-5


def test_each_output_of_a_disjoint_head_is_lipschitz() -> None:
    head = lipschitz.FrobeniusDense(4)
    head.build((None, 6))
    head.kernel.assign(np.random.default_rng(0).normal(size=(6, 4)))
    head.condense()
    columns = jacobian(head, np.ones((1, 6), "float32"))
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1, atol=1e-5)
    assert np.linalg.norm(columns, 2) > ALMOST


@pytest.mark.parametrize("name", ["dense", "conv", "frobenius", "frobenius conv"])
def test_training_takes_the_gradient_through_the_constraint(name: str) -> None:
    make, shape = LAYERS[name]
    layer, x = make(), np.random.default_rng(1).normal(size=(2, *LAYERS[name][1])).astype("float32")
    layer.build((None, *shape))
    layer.kernel.assign(np.random.default_rng(2).normal(size=layer.kernel.shape))
    with tf.GradientTape() as tape:
        trained = tf.reduce_sum(layer(x, training=True) ** 2)
    slope = tape.gradient(trained, layer.kernel.value)
    # The constraint does not see how long the kernel is, so the slope along it is none.
    along = float(tf.reduce_sum(slope * layer.kernel.value))
    assert float(tf.norm(slope)) > 1e-3 > abs(along) / float(tf.norm(slope) * tf.norm(layer.kernel.value))
    np.testing.assert_allclose(layer(x, training=False), layer(x, training=True), atol=1e-6)


@pytest.mark.parametrize("strict", [True, False])
def test_only_training_renews_the_constrained_kernel(strict: bool) -> None:
    layer = lipschitz.SpectralDense(3, strict=strict)
    layer.build((None, 4))
    before = layer.wbar.numpy()
    layer.kernel.assign(np.random.default_rng(0).normal(size=(4, 3)))
    layer(np.ones((1, 4), "float32"))
    np.testing.assert_array_equal(layer.wbar, before)
    layer(np.ones((1, 4), "float32"), training=True)
    assert np.abs(layer.wbar.numpy() - before).max() > 0.01


def network(**options: Any) -> keras.Model:
    """One of each kind of layer."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            lipschitz.SpectralConv2D(4, 3, activation=lipschitz.GroupSort2(), **options),
            lipschitz.ScaledL2NormPooling2D(eps_grad_sqrt=1e-5),
            lipschitz.SpectralConv2D(4, 3, strides=2, **options),
            lipschitz.GroupSort(n=4),
            lipschitz.FrobeniusConv2D(2, 3, **options),
            lipschitz.InvertibleDownSampling((2, 2)),
            keras.layers.Flatten(),
            lipschitz.SpectralDense(6, **options),
            lipschitz.MaxMin(),
            lipschitz.Householder(),
            lipschitz.FullSort(),
            lipschitz.FrobeniusDense(3, **options),
        ]
    )


X = np.random.default_rng(5).normal(size=(12, 8, 8, 2)).astype("float32")
Y = np.eye(3, dtype="float32")[np.arange(12) % 3]


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """A network after a few steps."""
    keras.utils.set_random_seed(1)
    model = network()
    model.compile("adam", lipschitz.MulticlassHKR(alpha=10.0, min_margin=0.5))
    model.fit(X, Y, epochs=3, batch_size=6, verbose=0)
    return model


def test_a_network_trains_and_stays_lipschitz(trained: keras.Model) -> None:
    found = trained.predict(X, verbose=0)
    lengths = np.linalg.norm((X[:, None] - X[None]).reshape(12, 12, -1), axis=-1)
    apart = np.abs(found[:, None] - found[None]).max(axis=-1)
    assert (apart <= ALMOST * lengths + 1e-6).all() and apart.max() > 0.02


def test_a_network_is_saved_and_loaded(trained: keras.Model, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), trained.predict(X, verbose=0))
    assert again.layers[0].strict and again.layers[1].eps_grad_sqrt == 1e-5


@pytest.mark.parametrize("strict", [True, False])
def test_the_exported_network_is_plain_keras_and_answers_the_same(strict: bool) -> None:
    model = network(strict=strict)
    model(X, training=True)
    for layer in model.layers:
        if hasattr(layer, "vanilla_export"):
            plain = layer.vanilla_export()
            assert type(plain) in (keras.layers.Dense, keras.layers.Conv2D) and plain.name == layer.name
            given = np.random.default_rng(0).normal(size=(2, *layer.input.shape[1:])).astype("float32")
            np.testing.assert_allclose(plain(given), layer(given, training=False), atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_condensing_changes_no_answer(name: str) -> None:
    make, shape = LAYERS[name]
    layer, x = make(), np.random.default_rng(1).normal(size=(2, *LAYERS[name][1])).astype("float32")
    layer.build((None, *shape))
    layer.kernel.assign(np.random.default_rng(2).normal(size=layer.kernel.shape))
    before = layer(x, training=True)
    layer.condense()
    layer.condense()
    np.testing.assert_allclose(layer(x, training=False), before, atol=2e-3)


def test_layers_of_the_same_size_start_apart_and_by_the_seed() -> None:
    def start() -> list[np.ndarray]:
        keras.utils.set_random_seed(3)
        layers = [lipschitz.SpectralDense(4), lipschitz.SpectralDense(4)]
        for layer in layers:
            layer.build((None, 4))
        return [layer.wbar.numpy() for layer in layers]

    first, second = start()
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(start()[0], first)


def test_half_precision_constrains_in_full() -> None:
    layer = lipschitz.SpectralDense(5, dtype="mixed_float16")
    outputs = layer(np.ones((2, 7), "float16"), training=True)
    assert outputs.dtype == tf.float16 and layer.wbar.dtype == "float32"
    singular = np.linalg.svd(layer.wbar.numpy(), compute_uv=False)
    np.testing.assert_allclose(singular, 1, atol=1e-5)


def test_images_of_any_size() -> None:
    model = keras.Sequential(
        [keras.Input((None, None, 2)), lipschitz.SpectralConv2D(4, 3, activation=lipschitz.GroupSort2())]
    )
    assert model(X).shape == (12, 8, 8, 4) and model(X[:, :5, :7]).shape == (12, 5, 7, 4)
    assert norm(model.layers[0], 8, 8, 2) <= ALMOST


POOLS = {
    "average": (lipschitz.ScaledAveragePooling2D, {}),
    "l2": (lipschitz.ScaledL2NormPooling2D, {}),
    "global average": (lipschitz.ScaledGlobalAveragePooling2D, {}),
    "global l2": (lipschitz.ScaledGlobalL2NormPooling2D, {}),
    "down": (lipschitz.InvertibleDownSampling, {"pool_size": (2, 2)}),
    "up": (lipschitz.InvertibleUpSampling, {"pool_size": (2, 2)}),
    "sort": (lipschitz.GroupSort, {"n": 2}),
    "full sort": (lipschitz.FullSort, {}),
    "max min": (lipschitz.MaxMin, {}),
    "householder": (lipschitz.Householder, {}),
}


@pytest.mark.parametrize("name", POOLS)
def test_pools_and_activations_keep_the_length_of_gradients(name: str) -> None:
    make, options = POOLS[name]
    layer = make(**options)
    values = np.linalg.svd(jacobian(layer, np.random.default_rng(3).normal(size=(1, 4, 6, 4)).astype("float32")))[1]
    np.testing.assert_allclose(values, 1, atol=1e-4)
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_allclose(again(X[:, :4, :6][..., [0, 1, 0, 1]]), layer(X[:, :4, :6][..., [0, 1, 0, 1]]))


def test_sampling_up_undoes_sampling_down() -> None:
    down, up = lipschitz.InvertibleDownSampling((2, 2)), lipschitz.InvertibleUpSampling((2, 2))
    assert np.asarray(up(down(X))).shape == X.shape


def test_losses_of_deel_lip() -> None:
    logits = np.array([[2.0], [0.2], [-1.0]], "float32")
    sides = np.array([[1], [1], [0]], "float32")
    apart = (2 + 0.2) / 2 + 1
    hinge = (0 + 0.3 + 0) / 3
    np.testing.assert_allclose(lipschitz.KR()(sides, logits), apart, rtol=1e-5)
    np.testing.assert_allclose(lipschitz.HingeMargin(1.0)(sides, logits), hinge, rtol=1e-5)
    np.testing.assert_allclose(lipschitz.HKR(3.0, 1.0)(sides, logits), 3 * hinge - apart, rtol=1e-5)
    np.testing.assert_allclose(lipschitz.HKR(np.inf, 1.0)(sides, logits), hinge, rtol=1e-5)
    # Of three classes: apart and hinge are means over the classes, the own class counts twice in the hinge.
    three = np.array([[1.0, 0.5, -0.2], [0.1, 0.3, 0.9]], "float32")
    hot = np.eye(3, dtype="float32")[[0, 2]]
    found = ((1 - 0.1) + (-0.5 - 0.3) / 2 * 2 * 0 + (0.9 + 0.2)) / 3
    signed = np.where(hot > 0, three, -three)
    hinges = np.maximum(0.5 - signed, 0) * np.where(hot > 0, 2, 1)
    empty = -np.mean(three[:, 1]) / 3
    np.testing.assert_allclose(lipschitz.MulticlassKR()(hot, three), found + empty, rtol=1e-5)
    np.testing.assert_allclose(lipschitz.MulticlassHinge()(hot, three), hinges.mean(), rtol=1e-5)
    both = lipschitz.MulticlassHKR(10.0, 1.0)
    np.testing.assert_allclose(both(hot, three), 10 * hinges.mean() - found - empty, rtol=1e-5)
    margins = np.maximum(1 - (three * hot).sum(1, keepdims=True) + three, 0) * (1 - hot)
    np.testing.assert_allclose(lipschitz.MultiMargin(1.0)(hot, three), margins.mean(), rtol=1e-5)
    np.testing.assert_allclose(lipschitz.CategoricalHinge(1.0)(hot, three), np.mean([0.5, 0.4]), rtol=1e-5)
    crossed = keras.losses.CategoricalCrossentropy(from_logits=True)(hot, 2 * three) / 2
    np.testing.assert_allclose(lipschitz.TauCategoricalCrossentropy(2.0)(hot, three), crossed, rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lipschitz.KR(), lipschitz.HKR(2.0), lipschitz.HingeMargin(), lipschitz.MulticlassKR(),
        lipschitz.MulticlassHKR(3.0), lipschitz.MulticlassHinge(), lipschitz.MultiMargin(),
        lipschitz.CategoricalHinge(1.0), lipschitz.TauCategoricalCrossentropy(4.0),
    ],
    ids=lambda loss: loss.name,
)  # fmt: skip
def test_losses_are_made_again(loss: Any) -> None:
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("sizes", "side", "stride", "channels", "filters"),
    [((6, 5), 3, 1, 2, 3), ((7, 6), 3, 2, 2, 3), ((6, 6), 2, 2, 3, 4), ((8, 7), 5, 3, 2, 1), ((4, 5), 4, 1, 1, 2)],
)
@pytest.mark.parametrize("positive", [True, False])
def test_bounds_of_convolutions_hold(sizes, side, stride, channels, filters, positive, padding) -> None:
    kernel = np.random.default_rng(0).normal(size=(side, side, channels, filters))
    kernel = np.abs(kernel) if positive else kernel
    basis = np.eye(sizes[0] * sizes[1] * channels).reshape(-1, *sizes, channels)
    matrix = tf.nn.conv2d(basis, kernel, stride, padding.upper()).numpy().reshape(len(basis), -1)
    true, bound = np.linalg.norm(matrix, 2), convolution_norm(kernel, sizes, (stride, stride), padding)
    assert true <= bound * (1 + 1e-9) and bound <= 1.6 * true
    deep = np.random.default_rng(1).normal(size=(side, side, channels, 2))
    matrix = tf.nn.depthwise_conv2d(basis, deep, (1, stride, stride, 1), padding.upper()).numpy()
    found = depthwise_norm(deep, sizes, (stride, stride), padding)
    assert np.linalg.norm(matrix.reshape(len(basis), -1), 2) <= found * (1 + 1e-9)


def test_norms_and_windows() -> None:
    assert matrix_norm(np.diag([3.0, -4.0])) == pytest.approx(4) and matrix_norm(np.zeros((0, 2))) == 0
    assert covered(9, 3, 2, "valid") == (2, 3) and covered(5, 2, 2, "same") == (1, 1)
