"""Occlusion and RISE against theory on linear models, and against slow twins that cover one image at a time."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.attributions import RISE, HSICAttribution, Occlusion
from xsparks.core.layout import Layout
from xsparks.core.randomness import generator

ONES = np.ones((1, 8, 12, 3), np.float32)


class Spy:
    """A NumPy model that keeps the samples it is shown; its score is a weighted sum."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights
        self.seen: list[np.ndarray] = []

    def __call__(self, inputs):
        inputs = np.asarray(inputs)
        self.seen.extend(inputs)
        products = inputs.astype(np.float64) * self.weights
        return products.reshape(len(inputs), -1).sum(axis=1, keepdims=True).astype(np.float32)


def shown_by(method, image) -> np.ndarray:
    """The variants of an image that a method shows its spy."""
    method.explain(image, 0)
    # The first call tries the model; each asks for the score of the image before it begins.
    method.model.seen.clear()
    method.explain(image, 0)
    return np.array(method.model.seen[1:])


def begins(whole: int, size: int, stride: int) -> list[int]:
    """Where patches begin: every stride, and at the border."""
    return [*range(0, whole - size, stride), whole - size]


def occlusion_twin(score, image, baseline, sizes, strides) -> np.ndarray:
    """One patch after the other: the fall of the score, shared by the places of the patch."""
    total, number = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    sides = [begins(*along) for along in zip(image.shape[:2], sizes, strides, strict=True)]
    for row, column in itertools.product(*sides):
        covered = image.copy()
        patch = np.s_[row : row + sizes[0], column : column + sizes[1]]
        covered[patch] = baseline[patch]
        total[patch] += score(image) - score(covered)
        number[patch] += 1
    assert number.min() > 0
    return total / number


@pytest.mark.parametrize(
    "options, sizes, strides",
    [
        ({}, (1, 2), (1, 1)),
        ({"patch_size": 3}, (3, 3), (1, 1)),
        ({"patch_size": (4, 5)}, (4, 5), (2, 2)),
        ({"patch_size": (4, 5), "patch_stride": 3}, (4, 5), (3, 3)),
        ({"patch_size": 4, "patch_stride": (4, 1)}, (4, 4), (4, 1)),
        ({"patch_size": (8, 12)}, (8, 12), (4, 6)),
        ({"patch_size": 1}, (1, 1), (1, 1)),
    ],
    ids=str,
)
def test_occlusion_is_what_a_patch_at_a_time_gives(options, sizes, strides):
    weights = np.random.default_rng(2).normal(size=(8, 12, 3))
    image, spy = X[:1], Spy(weights)
    maps = Occlusion(spy, baseline=0.25, **options).explain(image, 0).values[0, :, :, 0]
    linear = occlusion_twin(lambda x: (weights * x).sum(), image[0], np.full_like(image[0], 0.25), sizes, strides)
    np.testing.assert_allclose(maps, linear, atol=1e-4)
    if options.get("patch_size") == 1:
        np.testing.assert_allclose(maps, (weights * (image[0] - 0.25)).sum(-1), atol=1e-4, err_msg="w * (x - b)")
    forwards = 1 + np.prod([len(begins(*along)) for along in zip((8, 12), sizes, strides, strict=True)])
    method = Occlusion(spy, **options)
    assert len(shown_by(method, image)) == forwards == method.cost((8, 12, 3)).forwards


@pytest.mark.parametrize("baseline", ["zero", "mean", 0.5], ids=str)
def test_occlusion_of_a_network(baseline):
    maps = Occlusion(network(), patch_size=(3, 4), baseline=baseline).explain(X[:2], TARGETS[:2]).values
    for position in range(2):
        image = X[position]
        origin = np.zeros_like(image) + {"zero": 0, "mean": image.mean((0, 1)), 0.5: 0.5}[baseline]
        wanted = occlusion_twin(
            lambda x, position=position: float(network()(x[None])[0, TARGETS[position]]), image, origin, (3, 4), (1, 2)
        )
        np.testing.assert_allclose(maps[position, :, :, 0], wanted, rtol=1e-3, atol=1e-4)


def test_the_default_patch_of_occlusion():
    sizes, corners = Occlusion(models.constant).patches(Layout((224, 224, 3)))
    assert sizes == (32, 32) and corners[0].tolist() == list(range(0, 193, 16))
    assert Occlusion(models.constant).cost((224, 224, 3)).forwards == 170
    assert Occlusion(models.constant).patches(Layout((3, 21, 70), channels_first=True))[0] == (3, 10)
    assert Occlusion(models.constant).patches(Layout((70, 14)))[0] == (10, 1)
    assert Occlusion(models.constant).patches(Layout((70,)))[0] == (1,)


def test_occlusion_of_series():
    """Windows of two steps, each feature by itself, by hand: `f = 3 x[2, 0] - x[4, 1]`."""
    maps = Occlusion(lambda x: 3 * x[:, 2, :1] - x[:, 4, 1:], patch_size=2, baseline="zero")
    found = maps.explain(np.ones((1, 6, 2), np.float32), 0)
    assert found.shape == (1, 6, 2)
    np.testing.assert_allclose(found.values[0].T, [[0, 1.5, 3, 1.5, 0, 0], [0, 0, 0, -0.5, -1, -1]])
    both = maps.replace(patch_size=(2, 2), patch_stride=(2, 1)).explain(np.ones((1, 6, 2), np.float32), 0)
    np.testing.assert_allclose(both.values[0].T, [[0, 0, 3, 3, -1, -1]] * 2)


def test_occlusion_of_tables():
    method = Occlusion(lambda x: 2 * x[:, :1] - x[:, 2:3] * x[:, 3:4], baseline="zero")
    row = np.array([[3.0, 9.0, 2.0, 5.0, 1.0]], np.float32)
    np.testing.assert_allclose(method.explain(row, 0).values, [[6, 0, -10, -10, 0]])
    pairs = method.replace(patch_size=2, patch_stride=2)
    # The last pair ends at the border and shares the fourth feature with the one before.
    np.testing.assert_allclose(pairs.explain(row, 0).values, [[6, 6, -10, -10, -10]])


def differ(first, second) -> bool:
    return not np.allclose(first.explain(X[:1], 1).values, second.explain(X[:1], 1).values, rtol=1e-2)


@pytest.mark.parametrize(
    "change", [{"patch_size": (2, 5)}, {"patch_stride": 3}, {"baseline": "mean"}, {"baseline": "noise"}], ids=str
)
def test_every_option_of_occlusion_changes_the_number(change):
    method = Occlusion(network(), patch_size=(3, 4))
    assert differ(method, method.replace(**change))


def test_only_noise_makes_occlusion_depend_on_the_seed():
    method = Occlusion(network(), patch_size=(3, 4))
    assert not differ(method, method.replace(seed=5))
    assert differ(method.replace(baseline="noise"), method.replace(baseline="noise", seed=5))


def tables_of_rise(samples: int, grid: tuple[int, int], probability: float, size=(8, 12)) -> list[np.ndarray]:
    """The masks of seed 0 one at a time, enlarged by OpenCV and cropped."""
    bits = generator(0, 31).random((samples, *grid)) < probability
    uniform = generator(0, 32).random((samples, 2))
    cell = [-(-size[axis] // grid[axis]) for axis in (0, 1)]
    masks = []
    for number in range(samples):
        whole = ((grid[1] + 1) * cell[1], (grid[0] + 1) * cell[0])
        large = cv2.resize(bits[number].astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)
        row, column = (int(uniform[number, axis] * cell[axis]) for axis in (0, 1))
        masks.append(large[row : row + size[0], column : column + size[1]])
    return masks


@pytest.mark.parametrize(
    "grid, probability, baseline", [((2, 3), 0.5, "zero"), ((3, 5), 0.3, "mean"), ((8, 12), 0.5, 0.5)], ids=str
)
def test_rise_is_what_a_mask_at_a_time_gives(grid, probability, baseline):
    """Equation 6 of the publication, less what it gives for the mean score."""
    method = RISE(network(), samples=70, grid_size=grid, probability=probability, baseline=baseline)
    maps = method.explain(X[:2], TARGETS[:2]).values
    masks = tables_of_rise(70, grid, probability)
    for position in range(2):
        image = X[position]
        origin = np.zeros_like(image) + {"zero": 0, "mean": image.mean((0, 1)), 0.5: 0.5}[baseline]
        published, total, scores = np.zeros((8, 12)), np.zeros((8, 12)), []
        for mask in masks:
            seen = image * mask[:, :, None] + origin * (1 - mask[:, :, None])
            scores.append(float(network()(seen[None].astype(np.float32))[0, TARGETS[position]]))
            published += scores[-1] * mask / (70 * probability)
            total += mask / (70 * probability)
        wanted = published - np.mean(scores) * total
        assert np.ptp(wanted) > 0.01
        np.testing.assert_allclose(maps[position, :, :, 0], wanted, atol=1e-4)


def smoothing(size: int, cells: int) -> np.ndarray:
    """The mean over places of the crop of `R R^T`, `R` the weights of the cells in the pixels, `(size, size)`."""
    cell = -(-size // cells)
    weights = cv2.resize(np.eye(cells), (cells, (cells + 1) * cell), interpolation=cv2.INTER_LINEAR)
    return np.mean([weights[at : at + size] @ weights[at : at + size].T for at in range(cell)], axis=0)


@pytest.mark.parametrize("probability", [0.5, 0.2])
def test_rise_of_a_linear_model_is_the_weights_smoothed(probability):
    """In expectation `(1 - p) A W B`: a bit has the variance `p (1 - p)`, and pixels share the bits of a cell."""
    weights = np.random.default_rng(3).normal(size=(8, 12)) + 4 * (np.arange(12) > 7) * (np.arange(8) < 4)[:, None]
    method = RISE(models.additive(weights), samples=8000, grid_size=(4, 6), probability=probability)
    maps = method.explain(ONES, 0).values[0, :, :, 0]
    wanted = (1 - probability) * smoothing(8, 4) @ weights @ smoothing(12, 6)
    assert np.corrcoef(maps.ravel(), wanted.ravel())[0, 1] > 0.97
    assert np.polyfit(wanted.ravel(), maps.ravel(), 1)[0] == pytest.approx(1, abs=0.05)
    few = method.replace(samples=500).explain(ONES, 0).values[0, :, :, 0]
    # Noise falls as the root of the number of masks.
    assert 2.5 < np.std(few - wanted) / np.std(maps - wanted) < 6.5


def test_every_mask_of_rise_has_a_place_of_its_own():
    method = RISE(Spy(np.zeros((16, 3, 1))), samples=200, grid_size=(2, 1), batch_size=200)
    profiles = shown_by(method, np.ones((1, 16, 3, 1), np.float32))[:, :, 0, 0]
    falling = profiles[profiles[:, 0] > profiles[:, -1]]
    assert len(np.unique(falling, axis=0)) == 8, "one for each place of the crop, all in one batch"
    assert profiles.min() == 0 and profiles.max() == 1


def test_more_masks_of_rise_begin_with_the_same():
    method = RISE(Spy(np.zeros((8, 12, 3))), samples=8, grid_size=(2, 3))
    few, many = shown_by(method, ONES), shown_by(method.replace(samples=16), ONES)
    assert len(few) == 8 and len(many) == 16
    np.testing.assert_allclose(few, many[:8], atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"samples": 41}, {"grid_size": (3, 2)}, {"probability": 0.4}, {"baseline": "mean"}, {"seed": 3}],
    ids=str,
)
def test_every_option_of_rise_changes_the_number(change):
    method = RISE(network(), samples=40, grid_size=(2, 3))
    assert differ(method, method.replace(**change))


def test_rise_of_tables():
    """Bits without neighbours: `(1 - p) w x`."""
    method = RISE(lambda x: 2 * x[:, :1] - x[:, 1:2], samples=20000, batch_size=4096)
    found = method.explain(np.array([[1.0, 3.0, 1.0]], np.float32), 0)
    np.testing.assert_allclose(found.values, [[1, -1.5, 0]], atol=0.06)


def test_rise_of_series():
    """Neighbouring steps share a window, features do not."""
    method = RISE(lambda x: 4 * x[:, 3, :1], samples=8000, grid_size=3, batch_size=4096)
    found = method.explain(np.ones((1, 9, 2), np.float32), 0).values[0]
    np.testing.assert_allclose(found[:, 0], 4 * 0.5 * smoothing(9, 3)[:, 3], atol=0.06)
    np.testing.assert_allclose(found[:, 1], 0, atol=0.06)
    assert np.ptp(found[:, 0]) > 1


ALL = [
    (Occlusion, {"patch_size": 8}),
    (RISE, {"samples": 333, "grid_size": 4}),
    (HSICAttribution, {"samples": 40, "grid_size": 4, "permutations": 5}),
]


@pytest.mark.parametrize("cls, options", ALL, ids=lambda value: getattr(value, "__name__", ""))
def test_the_batch_size_changes_nothing_at_all(cls, options):
    """Scores are kept, and added up in the same order whatever came together."""
    weights = np.random.default_rng(0).normal(size=(16, 24, 2))
    images = models.images(3, (16, 24, 2))
    maps = [cls(Spy(weights), batch_size=size, **options).explain(images, 0).values for size in (1, 7, 64)]
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


@pytest.mark.parametrize("cls, options", ALL, ids=lambda value: getattr(value, "__name__", ""))
def test_constants_that_have_no_exact_mean_give_exactly_nothing(cls, options):
    for value in (0.1, 0.3, 1e5 / 3):
        maps = cls(lambda x, value=value: tf.zeros_like(x[:, 0, 0, :1]) + value, **options)
        np.testing.assert_array_equal(maps.explain(models.images(2, (16, 24, 2)), 0).values, 0)


@pytest.mark.parametrize("cls, options", ALL, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("driver", ["host", "graph"])
def test_masks_never_exist_at_the_size_of_the_image_beyond_a_batch(cls, options, driver):
    explainer = cls(lambda x: tf.reduce_sum(x, (1, 2)), **options)
    images = np.ones((2, 64, 64, 3), np.float32)
    if driver == "host":
        explainer.explain(images, 0)
    else:
        explainer.as_function()(tf.constant(images), tf.constant([0, 0]))
    compiled = [step for steps in explainer.engine._cache.values() for step in steps.values() if hasattr(step, "graph")]
    assert compiled
    for step in compiled:
        for operation in step.graph.get_operations():
            for tensor in operation.outputs:
                known = [size for size in tensor.shape.as_list() or [] if size] if tensor.shape.rank is not None else []
                assert np.prod(known, dtype=int) <= 64 * 64 * 3, f"{operation.name} has shape {tensor.shape}"
