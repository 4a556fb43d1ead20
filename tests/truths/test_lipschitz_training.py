"""What deel-lip lacks: the soft loss, centring, the shortcut, the export of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.truths.bound_models import bounded
from tests.truths.test_lipschitz_layers import jacobian
from xsparks import lipschitz

LOGITS = np.array([[1.0, 0.5, -0.2], [0.1, 0.3, 0.9]], "float32")
LABELS = np.array([0, 2])
HOT = np.eye(3, dtype="float32")[LABELS]


@pytest.mark.parametrize(
    ("options", "kr", "hinge", "loss", "size"),
    [
        ({}, (-0.732269, -0.690033), (0.767731, 0.709967), (0.617731, 0.569967), 0.995),
        ({"temperature": 10.0}, (-0.500638, -0.623841), (0.999362, 0.776159), (0.849362, 0.636159), 0.995),
        ({"temperature": 10.0, "min_margin": 0.5, "alpha": 0.8}, None, None, (0.499362, 0.296159), 0.5),
    ],
)
def test_published_values_of_the_soft_loss(options, kr, hinge, loss, size) -> None:
    soft = lipschitz.SoftHKR(reduction=None, **options)
    if kr is not None:
        found = soft.parts(HOT, LOGITS)
        np.testing.assert_allclose(found[0], kr, atol=1e-5)
        np.testing.assert_allclose(found[1], hinge, atol=1e-5)
    for labels in (HOT, 2 * HOT - 1, LABELS, LABELS[:, None]):
        np.testing.assert_allclose(soft(labels, LOGITS), loss, atol=1e-5)
    with tf.GradientTape() as tape:
        logits = tf.Variable(LOGITS)
        total = soft(HOT, logits)
    tape.gradient(total, logits)
    np.testing.assert_allclose(soft.mean_size, size, atol=1e-6)


def test_validation_leaves_the_running_mean_alone() -> None:
    soft = lipschitz.SoftHKR(min_margin=1.0)
    model = keras.Sequential([keras.Input((3,)), lipschitz.SpectralDense(3)])
    model.compile("sgd", soft)
    model.evaluate(LOGITS, HOT, verbose=0)
    assert float(soft.mean_size) == 1.0
    model.fit(LOGITS, HOT, verbose=0, epochs=2)
    moved = float(soft.mean_size)
    assert 0.9 < moved < 1.0
    model.evaluate(LOGITS, HOT, verbose=0)
    assert float(soft.mean_size) == moved


def test_lambda_of_the_paper_and_the_gradient_through_the_weights() -> None:
    assert lipschitz.SoftHKR(alpha=5.0).alpha == pytest.approx(5 / 6)
    soft = lipschitz.SoftHKR(alpha=0.5, temperature=10.0, reduction="sum")
    logits = tf.Variable(LOGITS.astype("float32"))
    with tf.GradientTape() as tape:
        total = soft(HOT, logits)
    slope, step = tape.gradient(total, logits).numpy(), 1e-3
    soft.mean_size.assign(1.0)
    for place in np.ndindex(LOGITS.shape):
        shift = np.zeros_like(LOGITS)
        shift[place] = step
        with_more, with_less = float(soft(HOT, LOGITS + shift)), float(soft(HOT, LOGITS - shift))
        assert (with_more - with_less) / (2 * step) == pytest.approx(slope[place], abs=2e-3)


def test_the_soft_loss_is_made_again() -> None:
    loss = lipschitz.SoftHKR(0.8, 0.5, 10.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config() and again.alpha == 0.8


def test_centring_takes_the_mean_of_each_channel_away() -> None:
    layer, x = lipschitz.BatchCentering(momentum=0.5), np.random.default_rng(0).normal(3, 2, (4, 5, 6, 2))
    found = layer(x, training=True).numpy()
    np.testing.assert_allclose(found, x - x.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(layer(x), x - x.mean((0, 1, 2)), atol=1e-5)
    layer(x + 1, training=True)
    # The last batch counts one half, the one before one quarter, of three quarters.
    np.testing.assert_allclose(layer.moving_mean, x.mean((0, 1, 2)) + 2 / 3, atol=1e-5)
    layer.beta.assign([1.0, -1.0])
    np.testing.assert_allclose(layer(x) - layer(0 * x) - x, 0, atol=1e-5)
    first = lipschitz.BatchCentering(channel_axis=1)
    np.testing.assert_allclose(first(x.transpose(0, 3, 1, 2), training=True), found.transpose(0, 3, 1, 2), atol=1e-5)


def test_centring_leaves_out_what_is_masked() -> None:
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 3)).astype("float32")
    kept = np.array([[True, True, False, False], [True, False, True, False]])
    found = lipschitz.BatchCentering()(x, training=True, mask=tf.constant(kept))
    np.testing.assert_allclose(found, x - x[kept].mean(0), atol=1e-5)


def test_centring_before_training_changes_nothing() -> None:
    np.testing.assert_array_equal(lipschitz.BatchCentering()(LOGITS), LOGITS)


def test_a_batch_that_is_centred_is_not_stretched() -> None:
    layer, x = lipschitz.BatchCentering(), tf.constant(np.random.default_rng(0).normal(size=(5, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
    assert np.linalg.norm(tape.jacobian(outputs, x).numpy().reshape(15, 15), 2) <= 1 + 1e-5


def test_the_shortcut_is_a_weighted_mean() -> None:
    inputs = keras.Input((4,))
    residual = lipschitz.LipschitzResidual()
    outputs: Any = residual([inputs, lipschitz.SpectralDense(4)(inputs)])
    model: Any = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(1, 4)).astype("float32")
    assert np.linalg.norm(jacobian(model, x), 2) <= 1 + 1e-4
    residual.alpha.assign(2.0)
    share = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(model(x), share * x + (1 - share) * model.layers[1](x), rtol=1e-5)
    assert np.linalg.norm(jacobian(model, x), 2) <= 1 + 1e-4


def whole() -> Any:
    """A network with a nested block, a shortcut and layers of Keras, after a little training."""
    keras.utils.set_random_seed(0)
    block_in: Any = keras.Input((4, 4, 4))
    hidden: Any = lipschitz.SpectralConv2D(4, 3, activation="relu")(block_in)
    block = keras.Model(block_in, lipschitz.BatchCentering()(hidden))
    inputs: Any = keras.Input((8, 8, 1))
    hidden = lipschitz.InvertibleDownSampling((2, 2))(inputs)
    hidden = lipschitz.LipschitzResidual()([hidden, block(hidden)])
    hidden = keras.layers.Flatten()(hidden)
    model: Any = keras.Model(inputs, lipschitz.FrobeniusDense(3)(hidden))
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype("float32")
    for _ in range(2):
        model(x, training=True)
    (residual,) = (layer for layer in model.layers if isinstance(layer, lipschitz.LipschitzResidual))
    residual.alpha.assign(0.7)
    return model


def test_a_whole_network_is_exported(tmp_path: Path) -> None:
    model = whole()
    exported = lipschitz.vanilla_model(model)
    x = np.random.default_rng(1).normal(size=(3, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(exported(x), model(x, training=False), atol=1e-5)
    assert not any(hasattr(layer, "wbar") for layer in exported._flatten_layers())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(x, training=False), model(x, training=False), atol=1e-6)


def test_verified_bounds_hold_a_network_exported_or_not() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            lipschitz.SpectralConv2D(4, 3, activation="relu"),
            lipschitz.BatchCentering(),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            lipschitz.SpectralDense(3),
        ]
    )
    x = np.random.default_rng(0).uniform(size=(2, 6, 6, 1)).astype("float32")
    model(x, training=True)
    shifts = np.random.default_rng(1).uniform(-0.05, 0.05, (50, *x.shape)).astype("float32")
    values = np.stack([model(x + shift, training=False) for shift in shifts])
    found = {
        name: bounded(each, x, 0.05, outputs=True, method="crown")
        for name, each in {"exported": lipschitz.vanilla_model(model), "own": model}.items()
    }
    for upper, lower in ((each["upper"][..., 0], each["lower"][..., 0]) for each in found.values()):
        assert (values <= upper + 1e-5).all() and (values >= lower - 1e-5).all()
        assert (upper - lower).max() < 1
    np.testing.assert_allclose(found["own"]["upper"], found["exported"]["upper"], atol=1e-4)
