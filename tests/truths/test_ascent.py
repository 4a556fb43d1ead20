"""The engine's ascent: optimizers as Keras has them, one for each sample, views in batches of any size."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from xsparks.engine import Ascent, Engine
from xsparks.engine.optimizer_steps import OptimizerSteps
from xsparks.models.access import ModelAccess

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.05),
    "nadam": lambda: keras.optimizers.Nadam(1.0),
    "clipped": lambda: keras.optimizers.Adam(0.05, global_clipnorm=0.1),
    "lamb": lambda: keras.optimizers.Lamb(0.1),
    "scheduled": lambda: keras.optimizers.RMSprop(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_sample_is_moved_as_keras_moves_it_alone(name):
    draws = np.random.default_rng(0)
    first = draws.normal(size=(3, 4, 2)).astype(np.float32)
    slopes = draws.normal(size=(5, 3, 4, 2)).astype(np.float32) * np.array([1, 10, 100.0], np.float32)[:, None, None]
    given = OPTIMIZERS[name]()
    steps = OptimizerSteps(given, [(4, 2)])

    @tf.function(reduce_retracing=True)
    def run(parameters, slopes):
        state = steps.start(tf.shape(parameters)[0])
        for each in range(5):
            (parameters,), state = steps.apply([parameters], [slopes[each]], state)
        return parameters

    found = run(first, slopes).numpy()
    for sample in range(3):
        variable, alone = keras.Variable(first[sample]), OPTIMIZERS[name]()
        for each in range(5):
            alone.apply([tf.constant(slopes[each, sample])], [variable])
        np.testing.assert_allclose(found[sample], variable.numpy(), rtol=2e-5, atol=1e-6)
    assert not given.built, "the optimizer of the user must stay as it is"


def _ascent(steps=4, views=6, **options):
    """Parameters are the picture; a view is the picture times its number; the value of a view is that of the model."""
    factors = tf.range(1.0, views + 1.0)

    def view(pictures, index, which):
        shown = pictures[:, None] * tf.gather(factors, which)[None, :, None, None, None]
        return tf.reshape(shown, (-1, *pictures.shape[1:]))

    def value(bound, operator, shown, targets, beside):
        return tf.gather(bound.forward(shown), targets, batch_dims=1)

    return Ascent(
        steps=steps,
        views=views,
        optimizer=keras.optimizers.SGD(0.5),
        start=lambda x, side: x,
        render=lambda parameters, side: parameters,
        view=view,
        value=value,
        **options,
    )


def _engine(batch_size):
    def model(x):
        return tf.stack([tf.reduce_sum(x, axis=[1, 2, 3]), -tf.reduce_sum(x**2, axis=[1, 2, 3])], axis=1)

    return Engine(ModelAccess(model), None, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 4, 6, 9, 64])
def test_a_step_goes_along_the_mean_gradient_of_all_views_whatever_the_batch_size(batch_size):
    first = np.random.default_rng(1).normal(size=(5, 2, 3, 1)).astype(np.float32)
    targets = np.array([0, 1, 0, 1, 1], np.int32)
    found = _engine(batch_size).run(_ascent(), first, targets)
    expected, values, steep = first.astype(np.float64), [], 0
    factors = np.arange(1, 7.0)
    for _ in range(4):
        linear = np.ones_like(expected) * factors.mean()
        square = -2 * expected * (factors**2).mean()
        total = expected.sum((1, 2, 3)) * factors.mean(), -(expected**2).sum((1, 2, 3)) * (factors**2).mean()
        chosen = (targets == 0)[:, None, None, None]
        values.append(np.where(targets == 0, *total))
        slope = np.where(chosen, linear, square)
        steep = steep + np.abs(slope)
        expected = expected + 0.5 * slope
    np.testing.assert_allclose(found["pictures"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["values"], np.stack(values, 1), rtol=1e-4)
    np.testing.assert_allclose(found["steepness"], steep, rtol=1e-4)


def test_a_penalty_pulls_down_and_does_not_count_as_steepness():
    first = np.ones((1, 2, 2, 1), np.float32)
    ascent = _ascent(steps=1, penalty=lambda pictures: 3 * tf.reduce_sum(pictures, axis=[1, 2, 3]))
    found = _engine(64).run(ascent, first, np.zeros(1, np.int32))
    np.testing.assert_allclose(found["pictures"], first + 0.5 * (3.5 - 3))
    np.testing.assert_allclose(found["steepness"], np.full((1, 2, 2, 1), 3.5))


def test_what_stands_beside_gets_the_same_views():
    ascent = _ascent(steps=1)
    seen = []

    def value(bound, operator, shown, targets, beside):
        seen.append(True)
        return tf.reduce_sum(shown * tf.stop_gradient(beside), axis=[1, 2, 3])

    both = Ascent(**{**vars(ascent), "value": value, "beside": lambda side: side})
    side = np.random.default_rng(0).normal(size=(2, 2, 2, 1)).astype(np.float32)
    found = _engine(4).run(both, np.zeros((2, 2, 2, 1), np.float32), np.zeros(2, np.int32), side)
    np.testing.assert_allclose(found["pictures"], 0.5 * side * (np.arange(1, 7.0) ** 2).mean(), rtol=1e-5)


def test_auto_batch_size_halves_when_memory_runs_out_and_loses_nothing():
    first = np.random.default_rng(2).normal(size=(3, 2, 2, 1)).astype(np.float32)
    whole = _engine(64).run(_ascent(), first, np.zeros(3, np.int32))
    engine = _engine("auto")
    engine.batch_size = 16
    ascent, refused = _ascent(), []
    steps = engine._steps(ascent, first, np.zeros(3, np.int32), ())
    step = steps["step"]

    def small(*given):
        if int(given[-1]) > 5:
            refused.append(int(given[-1]))
            raise tf.errors.ResourceExhaustedError(None, None, "memory")
        return step(*given)

    steps["step"] = small
    found = engine.run(ascent, first, np.zeros(3, np.int32))
    assert refused == [16, 8] and engine.batch_size == 4
    np.testing.assert_allclose(found["pictures"], whole["pictures"], rtol=1e-5)
