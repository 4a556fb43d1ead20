"""Imputation of hidden pixels against the direct solution of its equations, and as a baseline of metrics."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.core.layout import Layout
from xsparks.metrics import Deletion, Insertion, MuFidelity
from xsparks.numerics.linear_imputation import impute
from xsparks.perturbations import NoisyLinear, as_filling

MAPS = np.random.default_rng(5).normal(size=(5, 8, 12)).astype(np.float32)
WEIGHTS = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12


def system(image: np.ndarray, hidden: np.ndarray):
    """The equations of the hidden pixels, `A x = b`, one pixel at a time."""
    number = np.full(hidden.shape, -1)
    number[hidden] = np.arange(hidden.sum())
    matrix, known = sparse.lil_matrix((hidden.sum(), hidden.sum())), np.zeros((hidden.sum(), image.shape[2]))
    height, width = hidden.shape
    for row, column in zip(*np.nonzero(hidden), strict=True):
        one = number[row, column]
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                other, weight = (row + down, column + right), WEIGHTS[1 + down, 1 + right]
                if weight == 0 or not (0 <= other[0] < height and 0 <= other[1] < width):
                    continue
                matrix[one, one] += weight
                if hidden[other]:
                    matrix[one, number[other]] = -weight
                else:
                    known[one] += weight * image[other]
    return sparse.csc_matrix(matrix), known


def holes(size: tuple[int, int]) -> np.ndarray:
    """Scattered pixels and connected holes, few and nearly all; one hole of a half."""
    draw = np.random.default_rng(1)
    found = []
    for scale in (0, 2, min(size) / 8):
        field = ndimage.gaussian_filter(draw.normal(size=size), scale)
        found += [field > np.quantile(field, 1 - share) for share in (0.1, 0.5, 0.9, 0.98)]
    half = np.zeros(size, bool)
    half[:, : size[1] // 2] = True
    return np.stack([*found, half])[..., None]


def photograph(size: tuple[int, int]) -> np.ndarray:
    """Structure on every scale, in [0, 1]."""
    draw = np.random.default_rng(3)
    layers = [ndimage.gaussian_filter(draw.normal(size=(*size, 3)), (s, s, 0)) * s for s in (0.5, 2, 6, 20)]
    field = np.sum(layers, axis=0)
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


@pytest.mark.parametrize("size", [(32, 32), (23, 41)], ids=str)
def test_the_answer_is_that_of_a_direct_solution(size):
    """To 0.002 of the range in five steps, to 0.00005 in nine."""
    image, hidden = photograph(size), holes(size)
    images = np.repeat(image[None], len(hidden), axis=0)
    wanted = images.copy()
    for position, mask in enumerate(hidden[..., 0]):
        wanted[position, mask] = spsolve(*system(image, mask)).reshape(-1, 3)
    for steps, tolerance in ((5, 2e-3), (9, 5e-5)):
        found = impute(tf.constant(images), tf.constant(hidden), steps).numpy()
        np.testing.assert_array_equal(found[~hidden[..., 0]], images[~hidden[..., 0]])
        assert np.abs(found - wanted).max() < tolerance
    assert np.abs(impute(tf.constant(images), tf.constant(hidden), 0).numpy() - wanted).max() > 0.05


def test_the_residual_on_an_image_of_224_pixels():
    """Each hidden pixel is the mean of its neighbours to 0.0005 of the range."""
    image, hidden = photograph((224, 224)), holes((224, 224))[[1, 6, 8, 10]]
    images = np.repeat(image[None], len(hidden), axis=0)
    found = impute(tf.constant(images), tf.constant(hidden)).numpy().astype(np.float64)
    ones = ndimage.correlate(np.ones((224, 224)), WEIGHTS, mode="constant")
    for filled, mask in zip(found, hidden[..., 0], strict=True):
        for channel in range(3):
            means = ndimage.correlate(filled[..., channel], WEIGHTS, mode="constant") / ones
            assert np.abs(means - filled[..., channel])[mask].max() < 5e-4


def test_a_slope_is_continued_and_an_image_without_pixels_is_its_mean_colour():
    """A plane solves the equations, wherever the edge of the image is not hidden."""
    rows, columns = np.mgrid[:20, :30].astype(np.float32)
    plane = (0.3 * rows - 0.2 * columns)[None, :, :, None]
    hidden = np.zeros((1, 20, 30, 1), bool)
    hidden[:, 1:-1, 1:-1] = True
    np.testing.assert_allclose(impute(tf.constant(plane), tf.constant(hidden), 8), plane, atol=1e-3)
    everything = impute(tf.constant(X), tf.ones((5, 8, 12, 1), tf.bool)).numpy()
    np.testing.assert_allclose(everything, X.mean((1, 2), keepdims=True) + np.zeros_like(X), rtol=1e-5)


def test_an_item_does_not_depend_on_the_batch():
    hidden = holes((8, 12))[:5]
    together = impute(tf.constant(X), tf.constant(hidden)).numpy()
    alone = impute(tf.constant(X[3:4]), tf.constant(hidden[3:4])).numpy()
    np.testing.assert_allclose(together[3:4], alone, atol=1e-6)


def filled(noise: float, seed: int = 0, index: int = 0, channels_first: bool = False, span=(0.0, 1.0)):
    images = np.transpose(X, (0, 3, 1, 2)) if channels_first else X
    layout = Layout(images.shape[1:], channels_first=channels_first)
    hidden = np.zeros((5, 8, 12), bool)
    hidden[:, 2:6, 3:9] = True
    filling = as_filling(NoisyLinear(noise=noise), layout, seed, span, "")
    found = filling.fill(images, layout.spread(hidden), filling.prepare(images), tf.constant([index] * 5)).numpy()
    return (np.transpose(found, (0, 2, 3, 1)) if channels_first else found), hidden


def test_noise_is_of_the_hidden_pixels_of_the_draw_and_the_same_for_all_samples():
    still, hidden = filled(0.0)
    noisy = filled(0.01)[0] - still
    assert (noisy[~hidden] == 0).all() and noisy[hidden].std() == pytest.approx(0.01, rel=0.25)
    np.testing.assert_allclose(noisy[0], noisy[4], atol=1e-6)
    for other in (filled(0.01, seed=1), filled(0.01, index=1)):
        assert np.abs(other[0] - still - noisy)[hidden].mean() > 0.005
    np.testing.assert_allclose(filled(0.01, span=(0.0, 255.0))[0] - still, 255 * noisy, atol=1e-4)


def test_the_channel_may_be_the_first_axis():
    np.testing.assert_allclose(filled(0.01)[0], filled(0.01, channels_first=True)[0], atol=1e-6)


@pytest.mark.parametrize("metric", [Deletion, Insertion])
def test_steps_of_a_path_are_imputed_each_by_itself(metric):
    """A model that keeps what it is shown: the hidden pixels of each step, from the others."""
    seen: list[np.ndarray] = []

    def model(inputs):
        seen.extend(np.asarray(inputs))
        return np.asarray(inputs).sum((1, 2, 3))[:, None]

    measured = metric(model, X[:1], 0, steps=4, baseline=NoisyLinear(noise=0.0))
    measured.evaluate(MAPS[:1])
    order = np.argsort(-MAPS[0].ravel(), kind="stable")
    for step, shown in enumerate(seen[-5:]):
        hidden = np.zeros(96, bool)
        hidden[order[: 24 * step]] = True
        hidden = (hidden if metric is Deletion else ~hidden).reshape(1, 8, 12, 1)
        wanted = impute(tf.constant(X[:1]), tf.constant(hidden)).numpy()[0]
        np.testing.assert_allclose(shown, wanted, atol=1e-5)


@pytest.mark.parametrize("metric", [Deletion, Insertion, MuFidelity])
def test_imputed_pixels_and_their_noise_change_the_number(metric):
    options = {"grid_size": (4, 6), "samples": 20} if metric is MuFidelity else {"steps": 5}
    values = [
        float(metric(network(), X, TARGETS, baseline=baseline, **options).evaluate(MAPS))
        for baseline in ("mean", "imputed", NoisyLinear(noise=0.0), NoisyLinear(noise=0.3))
    ]
    assert len({round(value, 6) for value in values}) == 4
    same = metric(network(), X, TARGETS, baseline=NoisyLinear(), **options).evaluate(MAPS)
    assert float(same) == pytest.approx(values[1], abs=1e-6)


def test_the_published_measure_is_an_accuracy():
    """The recipe of `NoisyLinear`."""

    def accuracy(forward, inputs, targets):
        return tf.cast(tf.argmax(forward(inputs), axis=1) == targets, tf.float32)

    classes = network()(X).numpy().argmax(1)
    score = Deletion(
        models.convolutional(), X, classes, operator=accuracy, baseline="imputed", steps=9, max_fraction=0.9
    ).evaluate(MAPS)
    assert (score.curve[1][:, 0] == 1).all() and set(np.unique(score.curve[1])) == {0.0, 1.0}
