"""Harmonized training: the loss and its gradient against slow twins, and every option."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.truths.harmonized_models import CLASSES, SIDE, compiled, network, pictures, weights_of
from xsparks.alignment import Harmonization
from xsparks.alignment.harmonization_loss import log_odds
from xsparks.numerics.pyramid import pyramid_distance
from xsparks.numerics.ranks import spearman

X, Y = pictures()
SOME = np.array([True, False, True, True, False, False, True, False])


def one_step(targets: Any = Y, model: Any = None, **options: Any) -> dict[str, float]:
    """What is logged for one step that changes nothing, eagerly."""
    model = compiled(network(), 0.0, run_eagerly=True) if model is None else model
    return {name: values[0] for name, values in fitted(model, targets, **options).items()}


def fitted(
    model: Any, targets: Any = Y, epochs: int = 1, batch_size: int = 8, **options: Any
) -> dict[str, list[float]]:
    """The history of a harmonized fit."""
    callback = Harmonization(**{"levels": 3, **options})
    return model.fit(
        X, targets, epochs=epochs, batch_size=batch_size, verbose=0, shuffle=False, callbacks=[callback]
    ).history


def slow_saliency(model: Any, images: np.ndarray, labels: np.ndarray) -> tf.Tensor:
    """The gradient of the label's logit, one image after the other."""
    maps = []
    logits = keras.Model(model.input, model.layers[-1].output)
    for image, label in zip(images, labels, strict=True):
        with tf.GradientTape() as tape:
            given: Any = tf.Variable(image[None])
            score = logits(given)[0, int(label)]
        gradient: Any = tape.gradient(score, given)
        maps.append(gradient[0])
    return tf.stack(maps)


def slow_loss(model: Any, weight: float, share: np.ndarray, **options: Any) -> float:
    """The whole loss of a network of logits."""
    images = X.astype(model.layers[-1].dtype)
    gradients = slow_saliency(model, images, Y["label"])
    human = Y["heatmap"].astype(gradients.dtype.name)
    distances = pyramid_distance(tf.reduce_mean(gradients, -1), human, **{"levels": 3, **options}).numpy()
    logits = np.asarray(model(images), np.float64)
    entropy = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(X)), Y["label"]]
    return float(entropy.mean() + weight * (distances * share).sum() / len(X))


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_the_logged_numbers_are_those_of_the_slow_twin(activation):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model, twin = compiled(network(activation), rate=0.0, loss=loss), network(None)
    found = fitted(model, {**Y, "has_heatmap": SOME}, weight=2.0)
    gradients = slow_saliency(twin, X, Y["label"])
    distances = pyramid_distance(tf.reduce_mean(gradients, -1), Y["heatmap"], 3).numpy()
    assert found["harmonization_loss"][0] == pytest.approx(distances[SOME].mean(), rel=1e-4)
    assert found["loss"][0] == pytest.approx(slow_loss(twin, 2.0, SOME), rel=1e-4)
    seen = tf.reshape(tf.reduce_max(tf.abs(gradients), -1), (8, -1))
    agreement = spearman(seen, Y["heatmap"].reshape(8, -1)).numpy()
    assert found["alignment"][0] == pytest.approx(agreement[SOME].mean(), abs=1e-5)


def test_the_step_follows_the_gradient_of_finite_differences():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    options = {"standardisation": "level", "rescale_peak": False}
    model, twin = compiled(network(None, "float64"), 1.0, loss=loss), network(None, "float64")
    before = [np.array(each) for each in twin.get_weights()]
    fitted(model, weight=1.0, **options)
    random = np.random.default_rng(5)
    for position in range(len(before)):
        way = random.normal(size=before[position].shape)
        ends = []
        for step in (1e-5, -1e-5):
            twin.set_weights([each + step * way if i == position else each for i, each in enumerate(before)])
            ends.append(slow_loss(twin, 1.0, np.ones(8), **options))
        found = ((before[position] - model.get_weights()[position]) * way).sum()
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_a_weight_of_zero_trains_as_without():
    plain, harmonized = compiled(network()), compiled(network())
    history = plain.fit(X, Y["label"], epochs=10, batch_size=4, verbose=0, shuffle=False).history
    found = fitted(harmonized, epochs=10, batch_size=4, weight=0.0)
    np.testing.assert_allclose(weights_of(harmonized), weights_of(plain), atol=1e-6)
    np.testing.assert_allclose(found["loss"], history["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["accuracy"], history["accuracy"])
    assert max(found["harmonization_loss"]) > 0


@pytest.mark.parametrize("mean_over", ["batch", "maps"])
def test_no_maps_train_as_without(mean_over):
    """Twenty steps of the traced graph, which has the derivatives of the maps in it."""
    plain, harmonized = (compiled(network()) for _ in range(2))
    plain.fit(X, Y["label"], epochs=10, batch_size=4, verbose=0, shuffle=False)
    targets = {**Y, "has_heatmap": np.zeros(8, bool), "heatmap": np.full_like(Y["heatmap"], np.nan)}
    found = fitted(harmonized, targets, epochs=10, batch_size=4, mean_over=mean_over)
    np.testing.assert_allclose(weights_of(harmonized), weights_of(plain), atol=1e-6)
    assert found["harmonization_loss"] == [0] * 10 and np.isfinite(found["loss"]).all()


def test_without_has_heatmap_every_sample_has_one():
    targets = {"label": Y["label"], "heatmap": Y["heatmap"][..., None]}
    assert one_step(targets) == one_step()


def test_the_mean_over_maps_is_not_diluted():
    targets = {**Y, "has_heatmap": SOME}
    entropy = one_step(targets, weight=0.0)["loss"]
    added = [one_step(targets, mean_over=over)["loss"] - entropy for over in ("batch", "maps")]
    assert added[1] == pytest.approx(2 * added[0], rel=1e-4)


def test_the_weight_follows_a_function_of_the_epoch():
    entropy = one_step(weight=0.0)["loss"]
    found = fitted(compiled(network(), 0.0, run_eagerly=True), epochs=3, weight=lambda epoch: 2.0 * epoch)
    added = np.array(found["loss"]) - entropy
    np.testing.assert_allclose(added, 2 * np.arange(3) * found["harmonization_loss"][0], rtol=1e-3, atol=1e-6)


def test_the_weight_follows_a_schedule_of_the_iterations():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.0, 3.0])
    entropy = one_step(weight=0.0)["loss"]
    found = fitted(compiled(network(), 0.0, run_eagerly=True), epochs=3, weight=schedule)
    added = np.array(found["loss"]) - entropy
    np.testing.assert_allclose(added, np.array([0, 0, 3]) * found["harmonization_loss"][0], rtol=1e-3, atol=1e-6)


def test_the_weight_variable_acts_without_a_new_trace():
    class Raise(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                harmonization.weight_variable.assign(4.0)

    weights = []
    for raised in (False, True):
        model = compiled(network(), run_eagerly=not raised)
        harmonization = Harmonization(weight=0.0, levels=3)
        assert harmonization.weight_variable is None
        callbacks = [harmonization, Raise()] if raised else [harmonization]
        model.fit(X, Y, epochs=2, verbose=0, shuffle=False, callbacks=callbacks)
        weights.append(weights_of(model))
    assert np.abs(weights[0] - weights[1]).max() > 1e-4


def test_each_epoch_logs_its_own_means():
    models = [compiled(network(), 0.2, run_eagerly=True) for _ in range(2)]
    together = fitted(models[0], epochs=2, weight=5.0)
    alone = [fitted(models[1], weight=5.0) for _ in range(2)]
    for name in ("harmonization_loss", "alignment"):
        assert together[name] == pytest.approx([each[name][0] for each in alone], rel=1e-5)
    assert together["harmonization_loss"][0] != pytest.approx(together["harmonization_loss"][1], rel=1e-3)


def test_half_precision_is_compared_in_single():
    def stored(dtype: str) -> Any:
        model = network(dtype=dtype)
        model.set_weights([each.astype(dtype) for each in network().get_weights()])
        return compiled(model, 0.0, run_eagerly=True)

    single, half = (one_step(model=stored(dtype), epsilon=1e-9, score=small) for dtype in ("float32", "float16"))
    assert half["harmonization_loss"] == pytest.approx(single["harmonization_loss"], rel=0.05)


def small(outputs: Any, label: Any) -> Any:
    """A score whose gradients have squares that are 0 in float16."""
    return 1e-2 * tf.gather(outputs, tf.cast(label, tf.int32), batch_dims=1)


OPTIONS = [
    {"weight": 3.0},
    {"levels": 2},
    {"standardisation": "level"},
    {"standardisation": "none"},
    {"rescale_peak": False},
    {"epsilon": 1.0},
    {"distance": "cosine"},
    {"distance": "soft_rank"},
    {"distance": lambda seen, human: tf.reduce_mean((seen - human) ** 2, axis=(1, 2))},
    {"saliency": "absolute_gradient"},
    {"saliency": "gradient_input"},
    {"saliency": lambda gradient, inputs: gradient[..., 0]},
    {"score": "log_odds"},
    {"score": lambda outputs, label: tf.reduce_max(outputs, axis=-1)},
]


@pytest.fixture(scope="module")
def usual() -> float:
    """The loss with the options as they are."""
    return one_step()["loss"]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "_".join(options))
def test_each_option_changes_the_loss(usual, options):
    assert abs(one_step(**options)["loss"] - usual) > 1e-3


def test_log_odds_are_those_of_the_probability_of_the_label():
    logits = np.random.default_rng(0).normal(size=(6, 5)) * 3
    labels = np.array([0, 1, 2, 3, 4, 0])
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    own = chances[np.arange(6), labels]
    found = log_odds(tf.constant(logits, tf.float32), tf.constant(labels, tf.int32))
    np.testing.assert_allclose(found, np.log(own / (1 - own)), rtol=1e-5)
    weights = tf.one_hot(labels, 5)
    np.testing.assert_allclose(log_odds(tf.constant(logits, tf.float32), weights), found, rtol=1e-5)
    # Of a class that is certain a probability has no slope left, and the odds have one.
    certain = tf.constant([[90.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(certain)
        score = log_odds(certain, tf.constant([0]))
    slopes: Any = tape.gradient(score, certain)
    np.testing.assert_allclose(slopes, [[1.0, -0.5, -0.5]], atol=1e-6)
    np.testing.assert_allclose(log_odds(tf.cast(certain, tf.float16), tf.constant([0])), [90 - np.log(2)], rtol=1e-3)


def test_what_all_logits_have_in_common_moves_the_map_of_a_logit_and_not_that_of_the_odds():
    """The way around harmonization that costs a model nothing."""
    plain = network(None)
    drawn: Any = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    shared = keras.layers.Dense(1, kernel_initializer=drawn)
    common = shared(keras.layers.Flatten()(plain.input))
    raised = keras.Model(plain.input, plain.output + common)
    for score, same in (("logit", False), ("log_odds", True)):
        first, second = (
            one_step(model=compiled(m, 0.0, run_eagerly=True), score=score)["harmonization_loss"]
            for m in (plain, raised)
        )
        assert (abs(first - second) < 1e-3 * first) == same, score


def test_the_pass_that_is_explained_is_that_of_training_or_of_inference():
    drawn: Any = keras.initializers.GlorotUniform

    def normalised() -> Any:
        first, last = (drawn(seed) for seed in (1, 2))
        model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(4, 3, kernel_initializer=first)])
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
        model.add(keras.layers.Flatten(activity_regularizer="l2"))
        model.add(keras.layers.Dense(CLASSES, kernel_initializer=last))
        return compiled(model, 0.0, run_eagerly=True, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    without = [fitted(normalised(), weight=0.0, pass_of=name) for name in ("training", "inference")]
    assert without[0]["loss"] == pytest.approx(without[1]["loss"], rel=1e-6)
    assert abs(without[0]["harmonization_loss"][0] - without[1]["harmonization_loss"][0]) > 1e-3


def test_slopes_of_second_order_reach_every_weight():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, activation="gelu")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="tanh")(keras.layers.BatchNormalization()(x))
    x = keras.layers.LayerNormalization()(keras.layers.Flatten()(keras.layers.MaxPooling2D()(x)))
    x = keras.layers.Activation("tanh")(x)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, use_bias=False)(x))
    zero: Any = keras.losses.MeanAbsoluteError()
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, p: 0.0 * zero(y[:, None], p))
    before = [each.numpy() for each in model.trainable_variables]
    fitted(model, weight=100.0)
    moved = [np.abs(a - b.numpy()).max() for a, b in zip(before, model.trainable_variables, strict=True)]
    assert min(moved) > 0, dict(zip([each.path for each in model.trainable_variables], moved, strict=True))


@pytest.mark.parametrize("distance", ["pyramid", "cosine", "soft_rank"])
def test_alignment_rises(distance):
    model = compiled(network(), 0.2, run_eagerly=True)
    found = fitted(model, weight=5.0, distance=distance, epochs=20, saliency="absolute_gradient")
    assert found["harmonization_loss"][-1] < 0.8 * found["harmonization_loss"][0]
    assert found["alignment"][-1] > found["alignment"][0] + 0.1
