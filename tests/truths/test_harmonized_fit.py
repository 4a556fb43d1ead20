"""Harmonized training beside everything else that `fit` does: it works, and it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.building.sources import ROOT, environment
from tests.truths.harmonized_models import CLASSES, SIDE, compiled, network, pictures, weights_of
from xsparks.alignment import Harmonization

X, Y = pictures()
PLAIN = Y["label"]


def harmonize(model: Any, targets: Any = Y, images: Any = X, epochs: int = 2, **options: Any) -> dict[str, list[float]]:
    """The history of a harmonized fit."""
    harmonization = options.pop("harmonization", None) or Harmonization(levels=3)
    callbacks = [harmonization, *options.pop("callbacks", [])]
    options = {"batch_size": 4, "verbose": 0, "shuffle": False, **options}
    return model.fit(images, targets, epochs=epochs, callbacks=callbacks, **options).history


def is_clean(model: Any) -> bool:
    """Whether nothing on the model is of the callback."""
    own = {"train_step", "test_step", "compute_loss", "compute_metrics", "__call__", "call"}
    return not own & set(vars(model)) and model.train_function is None and model.test_function is None


def trains_plainly(model: Any) -> bool:
    """Whether a fit without the callback gives what it gives to a new model of the same weights."""
    twin = compiled(network(), run_eagerly=model.run_eagerly)
    twin.set_weights(model.get_weights())
    histories = [
        each.fit(X, PLAIN, batch_size=4, verbose=0, shuffle=False, validation_data=(X, PLAIN)).history
        for each in (model, twin)
    ]
    return histories[0].keys() == histories[1].keys() and np.allclose(weights_of(model), weights_of(twin), atol=1e-6)


def test_a_second_fit_is_plain_again_and_the_first_changes_a_model_that_was_fitted():
    model, twin = compiled(network()), compiled(network())
    for each in (model, twin):
        each.fit(X, PLAIN, batch_size=4, verbose=0, shuffle=False)
    assert "harmonization_loss" in harmonize(model)
    assert is_clean(model)
    twin.fit(X, PLAIN, batch_size=4, epochs=2, verbose=0, shuffle=False)
    assert not np.allclose(weights_of(model), weights_of(twin), atol=1e-4)
    assert trains_plainly(model)


def test_a_callback_serves_several_fits_and_models():
    harmonization = Harmonization(levels=3)
    model, other = compiled(network()), compiled(network(), run_eagerly=True)
    first = harmonize(model, harmonization=harmonization)
    assert harmonize(other, harmonization=harmonization)["loss"] == pytest.approx(first["loss"], rel=1e-5)
    assert harmonize(model, harmonization=harmonization)["loss"][0] < first["loss"][0]
    assert is_clean(model) and is_clean(other)


class Failing(keras.callbacks.Callback):
    """Raises once, in one hook."""

    def __init__(self, hook: str, error: BaseException) -> None:
        super().__init__()

        def fail(*arguments: Any, **options: Any) -> None:
            raise error

        setattr(self, hook, fail)


@pytest.mark.parametrize("hook", ["set_model", "on_train_begin", "on_train_batch_end", "on_epoch_end"])
@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()], ids=["error", "interruption"])
def test_a_fit_that_another_callback_ends_leaves_nothing(hook, error):
    model = compiled(network(), run_eagerly=True)
    with pytest.raises(type(error)):
        harmonize(model, callbacks=[Failing(hook, error)])
    assert not {"train_step", "test_step"} & set(vars(model))
    assert np.isfinite(model.train_on_batch(X, PLAIN)).all()
    assert trains_plainly(model)


def test_a_step_that_fails_leaves_nothing():
    def distance(seen: Any, human: Any) -> Any:
        raise RuntimeError("no distance")

    model = compiled(network())
    with pytest.raises(RuntimeError, match="no distance"):
        harmonize(model, harmonization=Harmonization(distance=distance))
    assert is_clean(model)


def test_data_that_fail_leave_nothing():
    def batches() -> Any:
        yield X[:4], {name: values[:4] for name, values in Y.items()}
        raise RuntimeError("no more")

    shapes = {name: tf.TensorSpec((None, *each.shape[1:]), each.dtype) for name, each in Y.items()}
    data = tf.data.Dataset.from_generator(
        batches, output_signature=(tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32), shapes)
    )
    model = compiled(network())
    with pytest.raises(Exception, match="no more"):
        model.fit(data, verbose=0, callbacks=[Harmonization(levels=3)])
    assert is_clean(model)


def test_plain_targets_after_a_failed_fit_evaluate_plainly():
    model = compiled(network(), run_eagerly=True)
    with pytest.raises(RuntimeError):
        harmonize(model, callbacks=[Failing("on_epoch_end", RuntimeError("stop"))])
    assert np.isfinite(model.evaluate(X, PLAIN, verbose=0)).all()


@pytest.mark.parametrize("targets", [Y, PLAIN], ids=["maps", "labels"])
def test_validation_knows_nothing_of_it(targets):
    model = compiled(network(), run_eagerly=targets is PLAIN)
    found = harmonize(model, validation_data=(X, targets))
    assert set(found) == {"loss", "accuracy", "harmonization_loss", "alignment", "val_loss", "val_accuracy"}
    loss, accuracy = model.evaluate(X, PLAIN, verbose=0)
    assert found["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert found["val_accuracy"][-1] == pytest.approx(accuracy)
    assert not {"train_step", "test_step"} & set(vars(model))


def test_evaluate_and_predict_with_the_callback_leave_the_model_as_it_was():
    model, harmonization = compiled(network()), Harmonization(levels=3)
    with_maps = model.evaluate(X, Y, verbose=0, callbacks=[harmonization])
    assert is_clean(model)
    assert with_maps == pytest.approx(model.evaluate(X, PLAIN, verbose=0))
    model.predict(X, verbose=0, callbacks=[harmonization])
    assert model.train_function is None and not {"train_step", "test_step"} & set(vars(model))


def test_steps_per_execution_change_nothing():
    one, two = compiled(network(), run_eagerly=True), compiled(network(), steps_per_execution=2)
    found = [harmonize(model) for model in (one, two)]
    np.testing.assert_allclose(weights_of(one), weights_of(two), atol=1e-5)
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-4)


def test_gradients_accumulate():
    models = [network(), network()]
    for model, steps in zip(models, (None, 2), strict=True):
        optimizer = keras.optimizers.SGD(0.05, gradient_accumulation_steps=steps)
        model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    harmonize(models[0], batch_size=8, epochs=1)
    harmonize(models[1], batch_size=4, epochs=1)
    np.testing.assert_allclose(weights_of(models[0]), weights_of(models[1]), atol=1e-5)


def test_mixed_precision_gives_nearly_the_same():
    before = keras.config.dtype_policy()
    found = []
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = compiled(network(), 0.0, run_eagerly=True)
        finally:
            keras.config.set_dtype_policy(before)
        found.append(harmonize(model, epochs=1))
        assert np.isfinite(weights_of(model)).all()
    assert found[1]["harmonization_loss"][0] == pytest.approx(found[0]["harmonization_loss"][0], rel=0.02)
    assert found[2]["harmonization_loss"][0] == pytest.approx(found[0]["harmonization_loss"][0], rel=0.1)


def test_float16_trains():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(network(), run_eagerly=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    start = weights_of(model)
    found = harmonize(model, harmonization=Harmonization(levels=3, weight=3.0), epochs=8)
    assert not np.allclose(weights_of(model), start) and found["loss"][-1] < found["loss"][0]


def test_a_nested_backbone_is_trained_as_the_flat_model():
    flat, inner = compiled(network(), run_eagerly=True), network()
    inputs = keras.Input((SIDE, SIDE, 3))
    outer = compiled(keras.Model(inputs, inner(inputs)))
    np.testing.assert_allclose(harmonize(flat)["loss"], harmonize(outer)["loss"], rtol=1e-5)
    np.testing.assert_allclose(weights_of(flat), weights_of(outer), atol=1e-6)


class Own(keras.Model):
    """A model with a training step of its own, in Keras' words, that calls its parent."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = network()
        self.steps = 0

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.backbone(inputs, training=training)

    def train_step(self, data: Any) -> Any:
        self.steps += 1
        return {**super().train_step(data), "own": tf.constant(3.0)}

    def compute_loss(self, *arguments: Any, **options: Any) -> Any:
        return super().compute_loss(*arguments, **options) * 1.0


def test_a_training_step_of_ones_own_is_kept():
    flat, own = compiled(network(), run_eagerly=True), compiled(Own(), run_eagerly=True)
    found = harmonize(own)
    assert own.steps == 4 and found["own"] == [3.0, 3.0]
    assert isinstance(own, Own) and type(own) is Own
    np.testing.assert_allclose(found["loss"], harmonize(flat)["loss"], rtol=1e-5)


def two_headed() -> Any:
    model = network(None)
    features = model.layers[-2].output
    outputs = {
        "kind": model.output,
        "size": keras.layers.Dense(1, kernel_initializer="zeros", name="size")(features),
    }
    both = keras.Model(model.input, outputs)
    both.compile(
        keras.optimizers.SGD(0.05),
        {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"]},
        run_eagerly=True,
    )
    return both


def test_several_outputs_and_weights_of_losses():
    label = {"kind": PLAIN, "size": np.ones(8, "float32")}
    chosen = harmonize(two_headed(), {**Y, "label": label}, harmonization=Harmonization(levels=3, output="kind"))
    assert {"kind_loss", "size_loss", "kind_accuracy", "harmonization_loss"} <= set(chosen)
    entropy = chosen["kind_loss"][0] + 0.5 * chosen["size_loss"][0]
    assert chosen["loss"][0] == pytest.approx(entropy + chosen["harmonization_loss"][0], rel=1e-4)
    entropy_of_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    single = compiled(network(None), loss=entropy_of_logits, run_eagerly=True)
    assert harmonize(single, epochs=1, batch_size=8)["harmonization_loss"][0] == pytest.approx(
        harmonize(
            two_headed(),
            {**Y, "label": label},
            epochs=1,
            batch_size=8,
            harmonization=Harmonization(levels=3, output="kind"),
        )["harmonization_loss"][0],
        rel=1e-5,
    )


def test_several_inputs():
    picture, table = keras.Input((SIDE, SIDE, 3), name="picture"), keras.Input((2,), name="table")
    scale = keras.layers.Dense(1, kernel_initializer="ones", name="scale")(table)
    model = compiled(
        keras.Model({"picture": picture, "table": table}, network(None)(picture) * scale),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    images = {"picture": X, "table": np.full((8, 2), 0.5, "float32")}
    found = harmonize(model, images=images, epochs=1, harmonization=Harmonization(levels=3, explain_input="picture"))
    single = compiled(network(), 0.05, run_eagerly=True)
    assert found["harmonization_loss"][0] == pytest.approx(
        harmonize(single, epochs=1)["harmonization_loss"][0], rel=0.2
    )


@pytest.mark.parametrize("shape", ["ids", "one_hot", "column"])
def test_labels_of_every_form_mean_the_same(shape):
    label = {"ids": PLAIN, "one_hot": np.eye(CLASSES, dtype="int32")[PLAIN], "column": PLAIN[:, None]}[shape]
    loss = "categorical_crossentropy" if shape == "one_hot" else "sparse_categorical_crossentropy"
    model = compiled(network(), 0.0, loss=loss, run_eagerly=True)
    expected = harmonize(compiled(network(), 0.0, run_eagerly=True), epochs=1)
    found = harmonize(model, {**Y, "label": label}, epochs=1)
    assert found["harmonization_loss"][0] == pytest.approx(expected["harmonization_loss"][0], rel=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_unit_explains_the_class_that_is_there(activation):
    def one_unit(sign: float) -> Any:
        inner = network(None)
        constant: Any = keras.initializers.Constant(sign * 0.1)
        head = keras.layers.Dense(1, activation=activation, kernel_initializer=constant)
        model = keras.Model(inner.input, head(inner.layers[-2].output))
        return compiled(model, 0.0, loss=keras.losses.BinaryCrossentropy(from_logits=not activation), run_eagerly=True)

    label = PLAIN % 2
    found = [
        harmonize(one_unit(sign), {**Y, "label": given}, epochs=1)["harmonization_loss"][0]
        for sign, given in ((1.0, label), (-1.0, 1 - label), (1.0, label[:, None].astype("float32")), (1.0, 1 - label))
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5) == pytest.approx(found[2], rel=1e-5)
    assert abs(found[0] - found[3]) > 1e-3


def test_images_with_the_channel_first():
    inner = network()
    inputs = keras.Input((3, SIDE, SIDE))
    turned = keras.layers.Permute((2, 3, 1))(inputs)
    # What tells that this model reads channels first.
    pooled = keras.layers.GlobalMaxPooling2D(data_format="channels_first")(inputs)
    model = keras.Model(inputs, inner(turned) + 0.0 * pooled)
    model = compiled(model, 0.0, run_eagerly=True, loss=lambda y, p: tf.reduce_mean(p))

    def score(outputs: Any, label: Any) -> Any:
        return tf.gather(outputs, tf.cast(label, tf.int32), batch_dims=1)

    found = harmonize(
        model,
        images=X.transpose(0, 3, 1, 2),
        epochs=1,
        harmonization=Harmonization(levels=3, score=score),
    )
    last = compiled(network(), 0.0, run_eagerly=True)
    expected = harmonize(last, epochs=1, harmonization=Harmonization(levels=3, score=score))
    assert found["harmonization_loss"][0] == pytest.approx(expected["harmonization_loss"][0], rel=1e-5)


def test_integer_images():
    images = (255 * X).astype("uint8")
    inner = network()
    outer = keras.Sequential([keras.layers.Rescaling(1 / 255), inner])
    model = compiled(outer, 0.0, run_eagerly=True)
    found = harmonize(model, images=images, epochs=1, harmonization=Harmonization(levels=3, epsilon=0.0))
    expected = harmonize(
        compiled(network(), 0.0, run_eagerly=True), epochs=1, harmonization=Harmonization(levels=3, epsilon=0.0)
    )
    assert found["harmonization_loss"][0] == pytest.approx(expected["harmonization_loss"][0], rel=1e-2)


def test_weights_of_samples_act_on_the_compiled_loss_alone():
    found = [
        harmonize(compiled(network(), 0.0, run_eagerly=True), epochs=1, sample_weight=weights)
        for weights in (np.ones(8), np.zeros(8))
    ]
    assert found[0]["harmonization_loss"] == pytest.approx(found[1]["harmonization_loss"], rel=1e-6)
    assert found[1]["loss"][0] == pytest.approx(found[1]["harmonization_loss"][0], rel=1e-5)


def test_losses_of_layers_are_kept():
    def regularised(plain: bool) -> float:
        model = network()
        model.layers[1].kernel_regularizer = keras.regularizers.L2(0.1)
        compiled(model, 0.0, run_eagerly=True)
        if plain:
            return model.fit(X, PLAIN, batch_size=4, verbose=0, shuffle=False).history["loss"][0]
        return harmonize(model, epochs=1, harmonization=Harmonization(weight=0.0))["loss"][0]

    assert regularised(False) == pytest.approx(regularised(True), rel=1e-6)


REPLICAS = """
import numpy as np, keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.truths.harmonized_models import network, pictures, compiled, weights_of
from xsparks.alignment import Harmonization

X, Y = pictures()
Y["has_heatmap"] = np.array([0, 0, 1, 1, 1, 0, 1, 1], "float32")
data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    several = compiled(network())
assert several.distribute_strategy.num_replicas_in_sync == 2
single = compiled(network())
found = []
for model in (several, single):
    harmonization = Harmonization(levels=3, weight=2.0)
    callbacks = [harmonization.attach(model, data)]
    found.append(model.fit(data, epochs=2, verbose=0, callbacks=callbacks, validation_data=data).history)
np.testing.assert_allclose(weights_of(several), weights_of(single), atol=1e-5)
for name in found[0]:
    np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-4, err_msg=name)
assert set(found[0]) >= {"harmonization_loss", "val_loss"}
print("replicas agree")
"""


@pytest.mark.slow
def test_replicas_train_as_one_device():
    """Slow: a process of its own, because the number of devices is fixed when TensorFlow starts."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(REPLICAS)],
        check=False,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "replicas agree" in ran.stdout, ran.stdout + ran.stderr
