"""Deletion and Insertion against a slow twin that follows their definition line by line, and the laws of both."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, sobol
from xsparks.core.layout import Layout
from xsparks.engine import Explanation
from xsparks.metrics import Deletion, Insertion
from xsparks.perturbations import as_baseline

BOTH = pytest.mark.parametrize("metric", [Deletion, Insertion])
MAPS = np.random.default_rng(5).normal(size=(5, 8, 12)).astype(np.float32)


def twin(metric, model, images, targets, maps, steps, max_fraction, baseline, probability) -> np.ndarray:
    """The curves: one image, one step, one forward at a time."""
    curves = []
    for image, target, weights, reference in zip(images, targets, maps, baseline, strict=True):
        # "Pixels in decreasing order of importance."
        order = np.argsort(-weights.ravel(), kind="stable")
        curve = []
        for step in range(steps + 1):
            taken = round(step / steps * max_fraction * order.size)
            start, goal = (image, reference) if metric is Deletion else (reference, image)
            shown = start.copy()
            for pixel in order[:taken]:
                shown[pixel // 12, pixel % 12] = goal[pixel // 12, pixel % 12]
            outputs = np.asarray(model(shown[None]))[0]
            if probability:
                outputs = np.exp(outputs - outputs.max())
                outputs /= outputs.sum()
            curve.append(outputs[target])
        curves.append(curve)
    return np.array(curves)


def area(curves: np.ndarray) -> np.ndarray:
    """The area under the curve by trapezia, over a path of length 1."""
    return ((curves[:, 1:] + curves[:, :-1]) / 2).mean(1)


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        {"steps": 20},
        {"steps": 7, "max_fraction": 0.4},
        {"steps": 13, "score": "logit"},
        {"steps": 5, "baseline": "mean"},
        {"steps": 5, "baseline": 0.7},
        {"steps": 200},
        {"steps": 1},
    ],
    ids=str,
)
def test_the_curve_is_that_of_the_definition(metric, options):
    images, maps = X[:2], MAPS[:2]
    score = metric(network(), images, TARGETS[:2], **options).evaluate(maps)
    steps, fraction = options["steps"], options.get("max_fraction", 1.0)
    reference = {"mean": images.mean((1, 2), keepdims=True), 0.7: 0.7}.get(
        options.get("baseline"), 0.0
    ) + np.zeros_like(images)
    probability = options.get("score") != "logit"
    curves = twin(metric, network(), images, TARGETS[:2], maps, steps, fraction, reference, probability)
    np.testing.assert_allclose(score.curve[1], curves, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(score.curve[0], np.arange(steps + 1) / steps * fraction)
    np.testing.assert_allclose(score.per_sample, area(curves), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(float(score), area(curves).mean(), rtol=1e-3, atol=1e-5)


@BOTH
def test_the_path_leads_from_the_image_to_the_baseline_or_back(metric):
    curve = metric(network(), X, TARGETS, baseline="blur", score="logit").evaluate(MAPS).curve[1]
    blurred = np.asarray(as_baseline("blur", Layout(models.SHAPE), 0, None, "")(tf.constant(X)))
    ends = [network()(images).numpy()[np.arange(5), TARGETS] for images in (X, blurred)]
    np.testing.assert_allclose(curve[:, [0, -1]].T, ends if metric is Deletion else ends[::-1], rtol=1e-3, atol=1e-5)


def additive():
    """A model that adds what pixels are worth, and the map that is right about each image."""
    weights = np.random.default_rng(2).random((8, 12)).astype(np.float32)
    return models.additive(weights), weights * X[..., 0]


@BOTH
def test_the_right_map_beats_chance_and_chance_the_reverse(metric):
    model, right = additive()
    chance = np.random.default_rng(0).permutation(right.reshape(5, -1), axis=1).reshape(right.shape)
    oracle, random, reverse = (metric(model, X, 0).evaluate(maps).per_sample for maps in (right, chance, -right))
    sign = 1 if metric.better == "higher" else -1
    assert (sign * oracle > sign * random + 0.05 * np.abs(random)).all()
    assert (sign * random > sign * reverse + 0.05 * np.abs(random)).all()


@BOTH
def test_the_area_of_the_right_map_is_that_of_sorted_worth(metric):
    """For an additive model the curve is a cumulative sum; one step a pixel makes it exact."""
    model, right = additive()
    worth = np.sort(right.reshape(5, -1), axis=1)[:, ::-1]
    shown = np.concatenate([np.zeros((5, 1)), np.cumsum(worth, axis=1)], axis=1)
    curves = shown if metric is Insertion else shown[:, -1:] - shown
    score = metric(model, X, 0, steps=96).evaluate(right)
    np.testing.assert_allclose(score.curve[1], curves, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(score.per_sample, area(curves), rtol=1e-4)


@BOTH
def test_ties_are_broken_by_the_seed_alone(metric):
    model, right = additive()
    flat = np.ones((5, 8, 12))
    of = {seed: metric(model, X, 0, seed=seed).evaluate(flat).per_sample for seed in (0, 1)}
    np.testing.assert_array_equal(of[0], metric(model, X, 0).evaluate(3 * flat).per_sample)
    assert not np.allclose(of[0], of[1], rtol=1e-3)
    clear = [metric(model, X, 0, seed=seed).evaluate(right).per_sample for seed in (0, 1)]
    np.testing.assert_array_equal(clear[0], clear[1], "without ties nothing is drawn")


def reference_score(metric, **options) -> float:
    return float(metric(network(), X, TARGETS, **{"steps": 9, **options}).evaluate(MAPS))


@BOTH
def test_each_option_changes_the_number(metric):
    values = {
        "default": reference_score(metric),
        "steps": reference_score(metric, steps=4),
        "max_fraction": reference_score(metric, max_fraction=0.5),
        "mean": reference_score(metric, baseline="mean"),
        "blur": reference_score(metric, baseline="blur"),
        "noise": reference_score(metric, baseline="noise"),
        "other noise": reference_score(metric, baseline="noise", seed=1),
        "number": reference_score(metric, baseline=0.9),
        "colour": reference_score(metric, baseline=[0.9, 0.1, 0.1]),
        "array": reference_score(metric, baseline=X[0, ::-1]),
        "function": reference_score(metric, baseline=lambda inputs: 1.0 - inputs),
        "logit": reference_score(metric, score="logit"),
        "output_layer": reference_score(metric, output_layer="flatten"),
        "preprocess": reference_score(metric, preprocess=lambda inputs: inputs * 2.0 - 1.0),
        "operator": reference_score(metric, operator=lambda forward, inputs, targets: forward(inputs)[:, 0]),
    }
    names = sorted(values, key=values.__getitem__)
    for one, next_one in pairwise(names):
        assert values[next_one] - values[one] > 1e-5, f"{one} and {next_one} give the same number"


def test_noise_of_a_declared_range_is_one_image_for_all():
    """With `preprocess="tf"` inputs are 0..255, and so is the noise; each image must get it whole."""
    pixels = np.round(255 * X)
    together = Deletion(network(), pixels, TARGETS, preprocess="tf", baseline="noise").evaluate(MAPS).per_sample
    alone = [
        float(
            Deletion(network(), pixels[i : i + 1], TARGETS[i], preprocess="tf", baseline="noise").evaluate(
                MAPS[i : i + 1]
            )
        )
        for i in range(2)
    ]
    np.testing.assert_allclose(together[:2], alone, rtol=1e-4)


@BOTH
def test_probabilities_are_the_softmax_of_the_logits(metric):
    options = {"model": network(), "inputs": X, "targets": TARGETS, "steps": 6}
    weights = {row: metric(**{**options, "targets": row}, score="logit").evaluate(MAPS).curve[1] for row in range(4)}
    logits = np.stack([weights[row] for row in range(4)], axis=-1)
    every = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    wanted = every[np.arange(5), :, TARGETS]
    np.testing.assert_allclose(metric(**options).evaluate(MAPS).curve[1], wanted, rtol=1e-3, atol=1e-6)


@BOTH
def test_an_explainer_gives_what_its_maps_give(metric):
    explainer = sobol()
    maps = explainer.explain(X, TARGETS)
    measured = metric(network(), X, TARGETS)
    wanted = measured.evaluate(maps)
    np.testing.assert_allclose(measured.evaluate(explainer).per_sample, wanted.per_sample, rtol=1e-4)
    np.testing.assert_allclose(measured.evaluate(maps.maps).per_sample, wanted.per_sample, rtol=1e-6)
    np.testing.assert_allclose(measured.evaluate(maps.maps[..., 0]).per_sample, wanted.per_sample, rtol=1e-6)
    assert wanted.method == "SobolAttribution" == measured.evaluate(explainer).method
    predicted = metric(network(), X).evaluate(explainer)
    np.testing.assert_allclose(
        predicted.per_sample, metric(network(), X).evaluate(explainer.explain(X)).per_sample, rtol=1e-4
    )


@BOTH
def test_maps_of_a_shuffled_dataset_are_put_in_order(metric):
    images, targets = models.images(19), np.arange(19) % 4
    pairs = tf.data.Dataset.from_tensor_slices((images, targets))
    explainer = sobol()
    wanted = metric(network(), images, targets).evaluate(explainer.explain(images, targets))
    shuffled = explainer.explain(pairs.shuffle(19, seed=1).batch(4))
    assert (shuffled.digests != explainer.explain(images, targets).digests).any()
    np.testing.assert_allclose(
        metric(network(), images, targets).evaluate(shuffled).per_sample, wanted.per_sample, rtol=1e-4
    )
    both = metric(network(), pairs.shuffle(19, seed=2).batch(5)).evaluate(shuffled)
    np.testing.assert_allclose(np.sort(both.per_sample), np.sort(wanted.per_sample), rtol=1e-4)


@BOTH
def test_many_samples_meet_the_maps_of_their_place(metric):
    """Samples are held in groups; maps without fingerprints are taken in the order of the inputs."""
    images, targets = models.images(19), np.arange(19) % 4
    maps = np.random.default_rng(1).normal(size=(19, 8, 12))
    together = metric(network(), images, targets, steps=40).evaluate(maps).per_sample
    last = metric(network(), images[11:], targets[11:], steps=40).evaluate(maps[11:]).per_sample
    np.testing.assert_allclose(together[11:], last, rtol=1e-4)


def test_maps_on_a_grid_and_maps_with_channels():
    coarse = np.random.default_rng(0).random((5, 2, 3)).astype(np.float32)
    metric = Deletion(network(), X, TARGETS)
    fine = Explanation(coarse[..., None], size=(8, 12)).maps
    np.testing.assert_allclose(metric.evaluate(coarse).per_sample, metric.evaluate(fine).per_sample, rtol=1e-5)
    colours = MAPS[..., None] * np.array([-1.0, 3.0, 1.0])
    np.testing.assert_allclose(metric.evaluate(colours).per_sample, metric.evaluate(MAPS).per_sample, rtol=1e-5)


def total(inputs):
    return tf.reduce_sum(tf.reshape(inputs, (tf.shape(inputs)[0], -1)), axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(9,), (9, 2)], ids=["table", "series"])
def test_tables_and_series(shape):
    samples = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    flat = samples.reshape(4, -1)
    curves = np.cumsum(np.sort(flat, axis=1)[:, ::-1], axis=1)
    score = Insertion(total, samples, 0, steps=flat.shape[1]).evaluate(samples)
    np.testing.assert_allclose(score.curve[1][:, 1:], curves, rtol=1e-5)


def test_maps_of_the_steps_of_a_series_count_for_all_features():
    samples = np.random.default_rng(0).random((4, 9, 2)).astype(np.float32)
    steps = samples.sum(-1)
    curves = np.cumsum(np.sort(steps, axis=1)[:, ::-1], axis=1)
    for maps in (steps, steps[..., None], np.repeat(steps[..., None], 2, axis=2)):
        score = Insertion(total, samples, 0, steps=9).evaluate(maps)
        np.testing.assert_allclose(score.curve[1][:, 1:], curves, rtol=1e-5)
