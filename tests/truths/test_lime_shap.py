"""LIME and Kernel SHAP against slow twins, exact Shapley values and known games; segments of every kind."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import Ridge

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.attributions import LIME, KernelSHAP
from xsparks.perturbations import Inpainting
from xsparks.perturbations.masks import cell_of_place

STRIPES = np.repeat([4, 4, 0, 0, 0, 9, 9, 9], 12).reshape(8, 12)
CONSECUTIVE = np.repeat([1, 1, 0, 0, 0, 2, 2, 2], 12).reshape(8, 12)


def by_brightness(image: np.ndarray) -> np.ndarray:
    """Two to five vertical bands, more for brighter images, their labels with gaps."""
    assert isinstance(image, np.ndarray) and image.shape == (8, 12, 3)
    bands = 2 + int(image.mean() * 997) % 4
    return np.tile(np.arange(12) * bands // 12, (8, 1)) * 5 + 2


def number_of_bands(image: np.ndarray) -> int:
    return len(np.unique(by_brightness(image)))


def masked_scores(labels: np.ndarray, masks: np.ndarray, image: np.ndarray, target: int, baseline=0.0) -> np.ndarray:
    """The scores of the image with segments replaced by the baseline, one forward at a time."""
    scores = []
    for mask in masks:
        kept = mask[labels][..., None]
        scores.append(float(network()((np.where(kept, image, baseline)).astype(np.float32)[None])[0, target]))
    return np.array(scores)


def grid_labels(grid: tuple[int, int]) -> np.ndarray:
    rows, columns = (cell_of_place(size, cells) for size, cells in zip((8, 12), grid, strict=True))
    return rows[:, None] * grid[1] + columns[None]


def slow_lime(method: LIME, labels: np.ndarray, image: np.ndarray, target: int, baseline=0.0) -> tuple[Ridge, float]:
    """The paper line by line: masks, scores, weights, ridge regression, and its R^2."""
    number = labels.max() + 1
    drawn = method.design(number)
    masks = np.concatenate([np.ones((1, number), bool), drawn.masks])
    whole = np.ones(number)
    weights = []
    for z in masks.astype(float):
        if method.kernel == "cosine":
            length = np.linalg.norm(z) * np.linalg.norm(whole)
            distance = 1 - (z @ whole / length if length else 0)
        else:
            distance = np.linalg.norm(z - whole) / np.sqrt(number)
        weights.append(np.exp(-(distance**2) / method.kernel_width**2))
    scores = masked_scores(labels, masks, image, target, baseline)
    fit = Ridge(alpha=method.alpha).fit(masks, scores, sample_weight=weights)
    return fit, fit.score(masks, scores, sample_weight=weights)


@pytest.mark.parametrize(
    "options, labels",
    [
        ({"grid_size": (2, 3)}, grid_labels((2, 3))),
        ({"grid_size": (3, 5), "kernel": "euclidean", "kernel_width": 0.7, "alpha": 0.1}, grid_labels((3, 5))),
        ({"segments": STRIPES, "probability": 0.8, "seed": 3}, CONSECUTIVE),
        ({"segments": STRIPES, "perturbation": Inpainting(0.5)}, CONSECUTIVE),
    ],
    ids=["grid", "euclidean", "stripes", "baseline"],
)
def test_lime_is_its_slow_twin(options, labels):
    method = LIME(network(), samples=30, **options)
    maps = method.explain(X[:2], TARGETS[:2])
    baseline = 0.5 if "perturbation" in options else 0.0
    for position in range(2):
        wanted, share = slow_lime(method, labels, X[position], TARGETS[position], baseline)
        np.testing.assert_allclose(maps.coefficients[position], wanted.coef_, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(maps.intercept[position], wanted.intercept_, rtol=1e-4)
        np.testing.assert_allclose(maps.fit[position], share, rtol=1e-3)
        if "segments" in options:
            np.testing.assert_allclose(maps.values[position, ..., 0], wanted.coef_[labels], rtol=1e-3, atol=1e-5)
        else:
            np.testing.assert_array_equal(maps.values[position].ravel(), maps.coefficients[position])


def test_nearer_masks_weigh_more():
    for kernel in ("cosine", "euclidean"):
        method = LIME(network(), samples=200, kernel=kernel)
        masks, weights = method.design(10)
        kept = masks.sum(1)
        order = np.argsort(kept)
        assert (np.diff(weights[order]) >= 0).all() and weights[kept.argmax()] > 10 * weights[kept.argmin()]
        distances = method.distances(np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], bool))
        np.testing.assert_allclose(distances, [0, 0.5 if kernel == "cosine" else math.sqrt(0.75), 1])


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 31},
        {"probability": 0.6},
        {"kernel": "euclidean"},
        {"kernel_width": 0.5},
        {"alpha": 0.5},
        {"perturbation": "mean"},
        {"seed": 1},
        {"segments": grid_labels((3, 2))},
    ],
    ids=str,
)
def test_every_option_of_lime_changes_the_number(changes):
    before = LIME(network(), samples=30, grid_size=(2, 3))
    after = before.replace(**changes)
    assert not np.allclose(before.explain(X, TARGETS).coefficients, after.explain(X, TARGETS).coefficients, rtol=1e-3)


@pytest.mark.parametrize("kernel", ["cosine", "euclidean"])
def test_lime_recovers_a_linear_model(kernel):
    weights = np.random.default_rng(1).normal(size=(8, 12))
    options = {"samples": 100, "kernel": kernel, "grid_size": (2, 3)}
    maps = LIME(models.additive(weights), alpha=1e-6, **options).explain(X)
    shares = (weights * X[..., 0]).reshape(5, 2, 4, 3, 4).sum((2, 4))
    np.testing.assert_allclose(maps.values[..., 0], shares, atol=1e-3)
    np.testing.assert_allclose(maps.fit, 1, atol=1e-5)
    np.testing.assert_allclose(maps.intercept, 0, atol=1e-3)
    shrunken = LIME(models.additive(weights), alpha=1.0, **options).explain(X)
    assert (np.abs(shrunken.values).sum((1, 2, 3)) < np.abs(maps.values).sum((1, 2, 3))).all()


def game(seed: int, players: int):
    """A random function of subsets, as a model of tables of zeros and ones, and its values `(2^players,)`."""
    values = np.random.default_rng(seed).normal(size=2**players).astype(np.float32)
    powers = 2 ** np.arange(players, dtype=np.int32)

    def model(inputs):
        return tf.gather(values, tf.reduce_sum(tf.cast(tf.round(inputs), tf.int32) * powers, axis=1))[:, None]

    return model, values


def shapley(values: np.ndarray, players: int) -> np.ndarray:
    """The definition: the mean over subsets of what a player adds, weighted by the orders that make them."""
    found = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            share = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for subset in itertools.combinations(others, size):
                number = sum(2**other for other in subset)
                found[player] += share * (float(values[number + 2**player]) - float(values[number]))
    return found


@pytest.mark.parametrize("players", [1, 2, 3, 5, 8, 10])
def test_kernel_shap_is_exact_where_all_subsets_are_seen(players):
    model, values = game(players, players)
    method = KernelSHAP(model)
    maps = method.explain(np.ones((2, players), np.float32), 0)
    np.testing.assert_allclose(maps.values[0], shapley(values, players), atol=1e-5)
    np.testing.assert_array_equal(maps.values, maps.coefficients)
    np.testing.assert_allclose(maps.baseline_score, values[0])
    assert len(method.design(players).weights) == max(1, 2**players - 2)
    assert method.cost((players,)).forwards == max(1, 2**players - 2) + 2


def test_sampled_kernel_shap_converges():
    model, values = game(7, 8)
    wanted = shapley(values, 8)
    errors = []
    for samples in (30, 120, 253):
        found = [
            KernelSHAP(model, samples=samples, seed=seed).explain(np.ones((1, 8), "float32"), 0) for seed in range(9)
        ]
        np.testing.assert_allclose([each.values.sum() for each in found], values[-1] - values[0], atol=1e-5)
        errors.append(np.mean([np.abs(each.values[0] - wanted).mean() for each in found]))
    assert errors[1] < 0.65 * errors[0] and errors[2] < 0.8 * errors[1]
    assert errors[2] < 0.2 * np.abs(wanted).mean() + 0.1


@pytest.mark.parametrize("samples", [24, 25, 62])
def test_shares_sum_to_the_difference(samples):
    maps = KernelSHAP(network(), samples=samples, grid_size=(2, 3)).explain(X, TARGETS)
    whole = network()(X).numpy()[np.arange(5), TARGETS]
    empty = network()(np.zeros_like(X)).numpy()[np.arange(5), TARGETS]
    np.testing.assert_allclose(maps.baseline_score, empty, rtol=1e-4)
    np.testing.assert_allclose(maps.coefficients.sum(1), whole - empty, rtol=1e-4, atol=1e-5)


def test_kernel_shap_is_symmetric_and_gives_nothing_to_who_adds_nothing():
    def model(inputs):
        return (inputs[:, :1] * inputs[:, 1:2] * 6 + inputs[:, 2:3]) * (1 + 0 * inputs[:, 3:4])

    exact = KernelSHAP(model).explain(np.ones((1, 4), np.float32), 0).values[0]
    np.testing.assert_allclose(exact, [3, 3, 1, 0], atol=1e-5)
    # An additive game is recovered by any subsets that determine it.
    weights = np.random.default_rng(1).normal(size=12).astype(np.float32)
    method = KernelSHAP(lambda x: tf.reduce_sum(x * weights, 1, keepdims=True), samples=40)
    np.testing.assert_allclose(method.explain(np.ones((1, 12), "float32"), 0).values[0], weights, atol=1e-5)


def test_sizes_have_their_share_of_the_weight_and_subsets_their_complement():
    masks, weights = KernelSHAP(network(), samples=20000).design(20)
    np.testing.assert_array_equal(masks[::2], ~masks[1::2])
    np.testing.assert_array_equal(weights, 1)
    shares = 1 / (np.arange(1, 20) * (20 - np.arange(1, 20)))
    found = np.bincount(masks.sum(1), minlength=20)[1:] / 20000
    np.testing.assert_allclose(found, shares / shares.sum(), atol=0.01)
    np.testing.assert_allclose(masks.mean(0), 0.5, atol=1e-9)
    together = (masks[:, 0] == masks[:, 1:].T).mean(1)
    np.testing.assert_allclose(together, together.mean(), atol=0.02)


def slow_kernel_shap(method: KernelSHAP, labels: np.ndarray, image: np.ndarray, target: int) -> np.ndarray:
    """The constraint put in by hand: the last share is what the others leave."""
    number = labels.max() + 1
    masks, weights = method.design(number)
    ends = masked_scores(labels, np.array([[False], [True]]).repeat(number, 1), image, target)
    scores = masked_scores(labels, masks, image, target) - ends[0]
    z, difference = masks.astype(float), ends[1] - ends[0]
    left, right = z[:, :-1] - z[:, -1:], scores - z[:, -1] * difference
    root = np.sqrt(weights)[:, None]
    free = np.linalg.lstsq(left * root, right * root[:, 0], rcond=None)[0]
    return np.append(free, difference - free.sum())


@pytest.mark.parametrize(
    "options, labels",
    [
        ({"grid_size": (2, 3), "samples": 24}, grid_labels((2, 3))),
        ({"grid_size": (2, 3), "samples": 62}, grid_labels((2, 3))),
        ({"segments": STRIPES}, CONSECUTIVE),
    ],
    ids=["sampled", "exact", "stripes"],
)
def test_kernel_shap_is_its_slow_twin(options, labels):
    method = KernelSHAP(network(), **options)
    maps = method.explain(X[:2], TARGETS[:2])
    for position in range(2):
        wanted = slow_kernel_shap(method, labels, X[position], TARGETS[position])
        np.testing.assert_allclose(maps.coefficients[position], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("changes", [{"samples": 26}, {"perturbation": "mean"}, {"seed": 1}, {"segments": STRIPES}])
def test_every_option_of_kernel_shap_changes_the_number(changes):
    before = KernelSHAP(network(), samples=24, grid_size=(2, 3)).explain(X, TARGETS)
    after = KernelSHAP(network(), **{"samples": 24, "grid_size": (2, 3), **changes}).explain(X, TARGETS)
    assert not np.allclose(before.maps, after.maps, rtol=1e-3)


METHODS = [(LIME, {"samples": 30}), (KernelSHAP, {"samples": 30})]


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_segments_found_in_each_image(cls, options):
    """Each image alone, with the array of what the function finds in it, is the slow twin of all together."""
    numbers = [number_of_bands(image) for image in X]
    assert len(set(numbers)) > 2
    for size in (1, 4, 64):
        maps = cls(network(), segments=by_brightness, max_segments=9, batch_size=size, **options).explain(X, TARGETS)
        assert maps.shape == (5, 8, 12, 1) and maps.coefficients.shape == (5, 9)
        for position, image in enumerate(X):
            alone = cls(network(), segments=by_brightness(image), **options)
            wanted = alone.explain(X[position : position + 1], TARGETS[position : position + 1])
            np.testing.assert_allclose(maps.values[position], wanted.values[0], rtol=1e-3, atol=1e-5)
            number = numbers[position]
            np.testing.assert_allclose(
                maps.coefficients[position, :number], wanted.coefficients[0], rtol=1e-3, atol=1e-5
            )
            np.testing.assert_array_equal(maps.coefficients[position, number:], 0)
            np.testing.assert_array_equal(maps.labels[position], by_brightness(image) // 5)
    one = cls(network(), segments=lambda image: np.zeros((8, 12), int), **options).explain(X[:1], TARGETS[:1])
    assert np.isfinite(one.values).all() and np.ptp(one.values) == 0


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_a_function_for_segments_is_called_once_a_sample_and_compiled_once(cls, options):
    seen = []

    def counted(image):
        seen.append(image.copy())
        return by_brightness(image)

    model, layer = models.recorded()
    explainer = cls(model, segments=counted, **options)
    first = explainer.explain(X, TARGETS)
    np.testing.assert_array_equal(seen, X)
    traced = layer.calls
    np.testing.assert_array_equal(explainer.explain(X[::-1].copy(), TARGETS[::-1]).values[::-1], first.values)
    assert layer.calls == traced
    on_numpy = explainer.replace(model=lambda x: network()(np.asarray(x)).numpy())
    np.testing.assert_allclose(on_numpy.explain(X, TARGETS).values, first.values, atol=1e-4)


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_a_constant_model_and_images_with_the_channel_first(cls, options):
    explainer = cls(models.constant, segments=by_brightness, **options)
    np.testing.assert_array_equal(explainer.explain(X, TARGETS).values, 0)
    turned = np.ascontiguousarray(np.transpose(X, (0, 3, 1, 2)))
    found = cls(models.ChannelsFirst(), segments=by_brightness, **options).explain(turned, TARGETS)
    wanted = cls(network(), segments=by_brightness, **options).explain(X, TARGETS)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_series_and_tables(cls, options):
    weights = np.random.default_rng(2).normal(size=(6, 2)).astype(np.float32)
    exact = {**options, **({"alpha": 1e-6} if cls is LIME else {})}

    def model(inputs):
        return tf.reduce_sum(inputs * weights, axis=(1, 2))[:, None]

    series = models.images(3, (6, 2))
    maps = cls(model, grid_size=3, **exact).explain(series, 0)
    assert maps.shape == (3, 6, 2) and maps.coefficients.shape == (3, 6)
    windows = (weights * series).reshape(3, 3, 2, 2).sum(2)
    np.testing.assert_allclose(maps.values, windows.repeat(2, 1), atol=1e-3)
    steps = np.arange(6)[:, None].repeat(2, 1) // 3
    halves = cls(model, segments=steps, **exact).explain(series, 0)
    np.testing.assert_allclose(halves.values[:, ::3, 0], (weights * series).reshape(3, 2, 6).sum(2), atol=1e-3)
    found = cls(model, segments=lambda sample: steps, **exact).explain(series, 0)
    np.testing.assert_allclose(found.values, halves.values, atol=1e-5)
    table = cls(lambda x: tf.reduce_sum(x * weights[:, 0], 1, keepdims=True), **exact).explain(series[:, :, 0], 0)
    np.testing.assert_allclose(table.values, weights[:, 0] * series[:, :, 0], atol=1e-3)


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_no_forward_is_wasted(cls, options):
    shown = []

    def model(inputs):
        shown.append(len(inputs))
        return network()(inputs).numpy()

    explainer = cls(model, segments=by_brightness, **options)
    explainer.explain(X, TARGETS)
    shown.clear()
    explainer.explain(X, TARGETS)
    numbers = [number_of_bands(image) for image in X]
    each = [30 if cls is LIME else 2 + min(30, 2**number - 2) for number in numbers]
    # One more an image for its own score.
    assert sum(shown) == sum(each) + 5
    assert explainer.cost((8, 12, 3)).forwards == (30 if cls is LIME else 32)


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_a_plan_made_within_a_graph_serves_outside_of_it_and_in_another(cls, options):
    explainer = cls(network(), grid_size=(2, 3), perturbation="mean", **options)
    explain = explainer.as_function()
    first = tf.function(explain)(tf.constant(X), tf.constant(TARGETS))["attributions"]
    second = tf.function(explain)(tf.constant(X[:3]), tf.constant(TARGETS[:3]))["attributions"]
    outside = explainer.explain(X, TARGETS)
    np.testing.assert_allclose(first, outside.maps, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(second, outside.maps[:3], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls, options", METHODS, ids=["LIME", "KernelSHAP"])
def test_only_the_sums_of_the_fit_are_kept(cls, options):
    explainer = cls(network(), **{**options, "samples": 5000, "grid_size": (4, 6)})
    first, fit = explainer.plan(explainer.access.layout((8, 12, 3)), None)
    side = {"scores": tf.zeros((7, first.count))}
    assert first.start(X[:1].repeat(7, 0), ()).shape == (7, len(explainer.anchors))
    state = fit.start(X[:1].repeat(7, 0), side)
    assert state.shape == (7, 26, 26) and state.dtype == tf.float64
