"""Methods of gradients against models whose derivatives are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import (
    ExpectedGradients,
    GradientInput,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
    SquareGrad,
    VarGrad,
)
from xsparks.core.layout import Layout
from xsparks.numerics.quadrature import nodes_and_weights
from xsparks.perturbations.noise import normal_noise

X = models.images(3)
W = np.random.default_rng(5).normal(size=models.SHAPE).astype(np.float32)
NETWORK = models.convolutional()


def linear(inputs):
    return tf.reduce_sum(inputs * W, axis=(1, 2, 3))[:, None]


def cubic(inputs):
    return tf.reduce_sum(inputs**3 * W, axis=(1, 2, 3))[:, None]


def gradient(x, target, model=NETWORK):
    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        score = model(x)[:, target]
    return tape.gradient(score, x).numpy()


def test_saliency_is_the_size_of_the_weights_of_a_linear_model():
    maps = Saliency(linear).explain(X, 0).values
    np.testing.assert_allclose(maps, np.broadcast_to(np.abs(W).max(-1)[None, ..., None], maps.shape), rtol=1e-6)


@pytest.mark.parametrize(
    ("reducer", "absolute", "wanted"),
    [
        ("max", True, np.abs(W).max(-1, keepdims=True)),
        ("max", False, W.max(-1, keepdims=True)),
        ("mean", True, np.abs(W).mean(-1, keepdims=True)),
        ("sum", False, W.sum(-1, keepdims=True)),
        ("norm", False, np.sqrt((W**2).sum(-1, keepdims=True))),
        (None, False, W),
    ],
)
def test_reducers(reducer, absolute, wanted):
    maps = Saliency(linear, reducer=reducer, absolute=absolute).explain(X[:1], 0).values
    np.testing.assert_allclose(maps[0], wanted, rtol=1e-5, atol=1e-6)
    first = Saliency(models.ChannelsFirst(), reducer=reducer, absolute=absolute)
    last = Saliency(NETWORK, reducer=reducer, absolute=absolute)
    np.testing.assert_allclose(
        first.explain(np.transpose(X, (0, 3, 1, 2)), 1).values, last.explain(X, 1).values, rtol=1e-4, atol=1e-5
    )


def test_gradient_input_of_a_linear_model_sums_to_the_score():
    maps = GradientInput(linear).explain(X, 0)
    np.testing.assert_allclose(maps.values[..., 0], (W * X).sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps.values.sum(axis=(1, 2, 3)), maps.scores, rtol=1e-4)


def test_gradients_of_a_network_are_the_tapes():
    wanted = gradient(X, 2)
    np.testing.assert_allclose(Saliency(NETWORK).explain(X, 2).values[..., 0], np.abs(wanted).max(-1), rtol=1e-4)
    np.testing.assert_allclose(
        GradientInput(NETWORK, reducer=None).explain(X, 2).values, wanted * X, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("baseline", ["zero", "mean", 0.3, np.float32([0.1, 0.2, 0.3])])
def test_integrated_gradients_are_complete(baseline):
    maps = IntegratedGradients(NETWORK, baseline=baseline, steps=128).explain(X, [0, 1, 2])
    start = {"zero": np.zeros_like(X), "mean": X * 0 + X.mean((1, 2), keepdims=True)}.get(
        baseline if isinstance(baseline, str) else "", None
    )
    start = np.broadcast_to(np.asarray(baseline, np.float32), X.shape) if start is None else start
    at_start = NETWORK(start).numpy()[np.arange(3), [0, 1, 2]]
    np.testing.assert_allclose(maps.baseline_score, at_start, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps.values.sum((1, 2, 3)), maps.scores - at_start, atol=2e-2)
    np.testing.assert_allclose(maps.convergence_gap, maps.values.sum((1, 2, 3)) - (maps.scores - at_start), atol=1e-4)


def test_the_gap_shrinks_with_the_steps_and_tells_of_too_few():
    gaps = [np.abs(IntegratedGradients(NETWORK, steps=steps).explain(X, 1).convergence_gap).mean() for steps in (3, 64)]
    assert gaps[0] > 5 * gaps[1] > 0


def test_integrated_gradients_of_a_polynomial_are_exact():
    """d/dx of w x^3 along the path from 0: w x^3; three Lobatto points are exact to degree 3."""
    maps = IntegratedGradients(cubic, steps=3, reducer=None).explain(X, 0)
    np.testing.assert_allclose(maps.values, W * X**3, rtol=1e-4, atol=1e-5)
    rough = IntegratedGradients(cubic, steps=3, quadrature="trapezoid", reducer=None).explain(X, 0)
    # The trapezoid of 3 t^2 with three points is 1.125 instead of 1.
    np.testing.assert_allclose(rough.values, 1.125 * W * X**3, rtol=1e-4, atol=1e-5)


def test_integrated_gradients_follow_the_paper_line_by_line():
    steps, start = 7, np.float32(0.25)
    total = np.zeros_like(X)
    for position, weight in zip(*nodes_and_weights("trapezoid", steps), strict=True):
        total += weight * gradient((start + position * (X - start)).astype(np.float32), 1)
    maps = IntegratedGradients(NETWORK, steps=steps, baseline=0.25, quadrature="trapezoid", reducer=None)
    np.testing.assert_allclose(maps.explain(X, 1).values, (X - start) * total, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 8, 33])
def test_quadratures_integrate_what_they_must(count):
    nodes, weights = nodes_and_weights("lobatto", count)
    assert nodes[0] == 0 and nodes[-1] == 1 and (np.diff(nodes) > 0).all()
    for degree in range(2 * count - 2):
        assert np.sum(weights * nodes**degree) == pytest.approx(1 / (degree + 1), abs=1e-12)
    if count < 9:
        # Beyond, the error of the next degree is below the rounding.
        assert np.sum(weights * nodes ** (2 * count - 2)) != pytest.approx(1 / (2 * count - 1), abs=1e-9)
    nodes, weights = nodes_and_weights("trapezoid", count)
    assert np.sum(weights) == pytest.approx(1) and np.sum(weights * nodes) == pytest.approx(0.5)


def test_expected_gradients_are_complete_in_expectation():
    references = models.images(4, seed=8)
    maps = ExpectedGradients(NETWORK, references=references, samples=800).explain(X, 1)
    wanted = maps.scores - NETWORK(references).numpy()[:, 1].mean()
    np.testing.assert_allclose(maps.values.sum((1, 2, 3)), wanted, atol=0.05)


def test_expected_gradients_of_a_linear_model_are_exact_where_references_are_used_equally():
    references = models.images(4, seed=8)
    maps = ExpectedGradients(linear, references=references, samples=8, reducer=None).explain(X, 0)
    np.testing.assert_allclose(maps.values, W * (X - references.mean(0)), rtol=1e-4, atol=1e-5)
    other = ExpectedGradients(linear, references=references + 1, samples=8, reducer=None).explain(X, 0)
    np.testing.assert_allclose(other.values, maps.values - W, rtol=1e-4, atol=1e-5)


def test_more_samples_change_expected_gradients():
    few, many = (
        ExpectedGradients(NETWORK, references=X, samples=samples).explain(X[:1], 1).values for samples in (3, 30)
    )
    assert not np.allclose(few, many, rtol=1e-2)


def noisy_gradients(x, target, samples, noise, seed=0):
    layout = Layout(models.SHAPE)
    width = x.max() - x.min()
    draws = normal_noise(layout, seed, tf.range(samples)).numpy()
    return np.stack([gradient((x + noise * width * draw)[None].astype(np.float32), target)[0] for draw in draws])


@pytest.mark.parametrize(
    ("method", "statistic"),
    [
        (SmoothGrad, lambda g: np.abs(g.mean(0)).max(-1)),
        (SquareGrad, lambda g: (g**2).mean(0).max(-1)),
        (VarGrad, lambda g: g.var(0).max(-1)),
    ],
)
def test_noisy_gradients_follow_their_papers(method, statistic):
    maps = method(NETWORK, samples=6, noise=0.3, seed=2).explain(X, 1).values
    for x, found in zip(X, maps, strict=True):
        np.testing.assert_allclose(found[..., 0], statistic(noisy_gradients(x, 1, 6, 0.3, 2)), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", [SmoothGrad, SquareGrad, VarGrad])
@pytest.mark.parametrize("change", [{"samples": 9}, {"noise": 0.5}, {"reducer": "mean"}])
def test_each_option_of_the_noise_changes_the_number(method, change):
    options = {"samples": 4, "noise": 0.2}
    one, other = (method(NETWORK, **given).explain(X[:1], 1).values for given in (options, {**options, **change}))
    assert not np.allclose(one, other, rtol=1e-2)


def test_noise_is_a_fraction_of_the_declared_range():
    raw = keras.Input(models.SHAPE)
    scaled = keras.Model(raw, NETWORK(keras.layers.Rescaling(1 / 255)(raw)))
    small = SmoothGrad(scaled, samples=3, noise=0.1).explain(X * 255, 1).values
    wanted = np.abs(
        np.mean(
            [gradient(X + 0.1 * normal_noise(Layout(models.SHAPE), 0, tf.range(3))[k], 1) for k in range(3)], axis=0
        )
    )
    np.testing.assert_allclose(small[..., 0] * 255, wanted.max(-1), rtol=1e-3, atol=1e-4)


def test_vargrad_of_a_linear_model_is_zero_and_smoothgrad_its_weights():
    np.testing.assert_array_equal(VarGrad(linear, samples=5).explain(X, 0).values, 0)
    maps = SmoothGrad(linear, samples=5).explain(X, 0).values
    np.testing.assert_allclose(maps[0, ..., 0], np.abs(W).max(-1), rtol=1e-5)
    np.testing.assert_allclose(SquareGrad(linear, samples=5).explain(X, 0).values[0, ..., 0], (W**2).max(-1), rtol=1e-5)


def test_noise_of_draws_is_independent_and_standard():
    noise = normal_noise(Layout((20, 30, 3)), 4, tf.range(12)).numpy()
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    correlations = np.corrcoef(noise.reshape(12, -1)) - np.eye(12)
    assert np.abs(correlations).max() < 0.1
    np.testing.assert_array_equal(normal_noise(Layout((20, 30, 3)), 4, tf.constant([7])).numpy()[0], noise[7])
    first = normal_noise(Layout((3, 20, 30), channels_first=True), 4, tf.constant([7])).numpy()[0]
    np.testing.assert_array_equal(first, np.transpose(noise[7], (2, 0, 1)))


@pytest.mark.parametrize("method", [Saliency, GradientInput, IntegratedGradients, SmoothGrad, SquareGrad])
@pytest.mark.parametrize("shape", [(7, 3), (9,)], ids=["series", "table"])
def test_series_and_tables_keep_their_shape(method, shape):
    weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    axes = tuple(range(1, len(shape) + 1))
    x = np.random.default_rng(2).random((4, *shape)).astype(np.float32)
    maps = method(lambda inputs: tf.reduce_sum(inputs * weights, axes)[:, None]).explain(x, 0).values
    assert maps.shape == x.shape
    wanted = {Saliency: abs(weights), SmoothGrad: abs(weights), SquareGrad: weights**2}.get(method, weights * x)
    np.testing.assert_allclose(maps, np.broadcast_to(wanted, x.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("method", "passes"), [(Saliency, 1), (GradientInput, 1), (IntegratedGradients, 4)])
def test_the_score_comes_from_the_same_pass(method, passes):
    """Once the outputs have been looked at, targets that are given cost no forward for the score."""
    shown = tf.Variable(0)

    def counted(inputs):
        shown.assign_add(tf.shape(inputs)[0])
        return NETWORK(inputs)

    explainer = method(counted, **({"steps": 4} if passes == 4 else {}))
    first = explainer.explain(X, [0, 1, 2])
    shown.assign(0)
    again = explainer.explain(X, [0, 1, 2])
    assert int(shown) == 3 * passes
    np.testing.assert_allclose(again.scores, first.scores, rtol=1e-5)
    np.testing.assert_array_equal(again.targets, first.targets)
    np.testing.assert_allclose(explainer.explain(X).scores, NETWORK(X).numpy().max(1), rtol=1e-4)
    with pytest.raises(ValueError, match=r"must lie in \[0, 3\]"):
        explainer.explain(X, 4)
