"""Plausibility, transferability and diversity of pictures, and how transparent pictures are shown."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests import models
from xsparks.features import Diversity, Plausibility, Transferability, Visualisation
from xsparks.numerics.picture_sets import kernel_distance, nearest_distances, percentiles_among
from xsparks.plots import plot_transparent, with_transparency

PHOTOGRAPHS = models.images(30)
OPTIONS = {"values_range": (0, 1), "layer": "second"}


def _features(model, pictures):
    tapped = keras.Model(model.input, model.get_layer("second").output)
    return tapped(pictures).numpy().mean(axis=(1, 2))


def test_photographs_are_plausible_and_others_are_not():
    model = models.convolutional()
    measure = Plausibility(model, photographs=PHOTOGRAPHS, **OPTIONS)
    alike, strange = models.images(20, seed=5), np.zeros((2, 8, 12, 3), np.float32)
    strange[1, :, 6:] = 1
    score = measure.evaluate(alike)
    features, reference = _features(model, alike), _features(model, PHOTOGRAPHS)
    among = nearest_distances(reference, reference, same=True)
    np.testing.assert_allclose(score.per_sample, percentiles_among(nearest_distances(features, reference), among))
    assert np.isclose(score.kernel_distance, kernel_distance(features, reference), rtol=1e-3)
    assert 25 < float(score) < 75 and float(measure.evaluate(strange)) > 95
    third = Plausibility(model, photographs=PHOTOGRAPHS, neighbours=3, **OPTIONS).evaluate(alike)
    assert (third.per_sample != score.per_sample).any()


def test_pictures_of_another_range_and_size_are_seen_alike():
    measure = Plausibility(models.convolutional(), photographs=PHOTOGRAPHS, **OPTIONS)
    wanted = measure.evaluate(models.images(4, seed=5))
    large = np.kron(models.images(4, seed=5), np.ones((1, 2, 2, 1))) * 255
    np.testing.assert_allclose(measure.evaluate(large, (0, 255)).per_sample, wanted.per_sample, atol=1)
    seen = Visualisation(large, large[..., :1], values_range=(0, 255))
    np.testing.assert_allclose(measure.evaluate(seen).per_sample, wanted.per_sample, atol=1)


@pytest.mark.parametrize("top", [1, 2])
def test_transferability_is_the_share_of_pictures_whose_class_is_seen(top):
    model, targets = models.convolutional(), np.arange(30) % 4
    outputs = model(PHOTOGRAPHS).numpy()
    score = Transferability(model, values_range=(0, 1), top=top).evaluate(PHOTOGRAPHS, targets)
    seen = [target in np.argsort(-row)[:top] for target, row in zip(targets, outputs, strict=True)]
    assert np.isclose(float(score), np.mean(seen)) and 0 < float(score) < 1
    odds = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    np.testing.assert_allclose(score.probability, odds[np.arange(30), targets], rtol=1e-5)


def test_diversity_is_that_within_each_target():
    pictures = models.images(4)
    pictures[1] = pictures[0]
    score = Diversity(models.convolutional(), **OPTIONS).evaluate(pictures, ["cat", "cat", "dog", "dog"])
    assert np.isclose(score.per_sample[0], 0, atol=1e-6) and score.per_sample[1] > 1e-4


def test_a_picture_is_opaque_where_it_mattered():
    images = np.random.default_rng(0).random((2, 10, 10, 3))
    weights = np.arange(100.0).reshape(10, 10)
    shown = with_transparency(images, [weights, np.ones((10, 10))], image_percentile=0, opaque_percentile=50)
    np.testing.assert_allclose(shown[0][..., :3], images[0], rtol=1e-5)
    np.testing.assert_allclose(shown[0][..., 3], np.clip(weights / 49.5, 0, 1), rtol=1e-5)
    assert (shown[1][..., 3] == 1).all()
    stretched = with_transparency(0.4 + 0.2 * images, np.ones((2, 10, 10)), value_range=(0, 1))
    assert stretched[0][..., :3].max() == 1 and stretched[0][..., :3].min() == 0


def test_the_background_shines_through():
    figure, axes = plot_transparent(np.zeros((1, 8, 8, 3)), np.eye(8)[None], background="red", titles=["a"])
    assert axes[0].get_facecolor() == (1.0, 0.0, 0.0, 1.0)
    assert axes[0].images[0].get_array().shape == (8, 8, 4)
    assert figure.texts[0].get_text() == "a"
