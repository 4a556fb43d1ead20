"""Frequencies of pictures, and how near sets of feature vectors are."""

from __future__ import annotations

import numpy as np
import pytest

from xsparks.features import natural_magnitude
from xsparks.features.colours import colour_matrix, coloured, decorrelated
from xsparks.features.spectrum import as_magnitude, magnitude_of
from xsparks.numerics.picture_sets import kernel_distance, mean_cosine_distance, nearest_distances, percentiles_among
from xsparks.numerics.spectra import frequencies, mean_magnitude, resized_magnitude, variance_of


def test_the_mean_magnitude_is_that_of_each_picture():
    pictures = np.random.default_rng(0).normal(size=(3, 6, 9, 2))
    each = [np.abs(np.fft.rfft2(picture, axes=(0, 1))) for picture in pictures]
    np.testing.assert_allclose(mean_magnitude(pictures), np.mean(each, axis=0) / 54)


@pytest.mark.parametrize("size", [(20, 30), (64, 64), (17, 51), (100, 40)])
def test_pictures_whose_magnitudes_fall_as_one_over_the_frequency_do_so_at_any_size(size):
    length = frequencies(32, 48)
    length[0, 0] = 1 / 48
    resized = resized_magnitude(1 / length[..., None], 48, size)[..., 0]
    wanted = frequencies(*size)
    np.testing.assert_allclose(resized.ravel()[1:], 1 / wanted.ravel()[1:], rtol=1e-6)
    resized = resized[..., None]
    ratio = resized[0, 0, 0] / np.sqrt(variance_of(resized, size[1]))
    assert np.isclose(ratio, 48 / np.sqrt(variance_of(1 / length[..., None], 48)))


def test_the_same_size_changes_nothing():
    magnitude = np.random.default_rng(0).random((8, 5, 3))
    assert resized_magnitude(magnitude, 9, (8, 9)) is not None
    np.testing.assert_array_equal(resized_magnitude(magnitude, 9, (8, 9)), magnitude)


def test_natural_magnitudes_fall_about_as_one_over_the_frequency_and_are_even():
    magnitude, length = natural_magnitude((256, 256)), frequencies(256, 256)
    for channel in range(3):
        ring = [magnitude[..., channel][np.abs(length - f) < 0.01].mean() for f in (0.05, 0.1, 0.2, 0.4)]
        falls = -np.diff(np.log(ring)) / np.log(2)
        assert ((falls > 1.0) & (falls < 1.5)).all(), falls
    np.testing.assert_allclose(magnitude[1:], magnitude[:0:-1])
    assert natural_magnitude((48, 64), 1).shape == (48, 33, 1)


def test_colours_come_back_and_the_brightest_direction_is_the_first():
    matrix = colour_matrix(3)
    assert matrix[0].min() > 0 and np.linalg.norm(matrix, axis=1).argmax() == 0
    np.testing.assert_allclose(matrix @ matrix.T, np.diag(np.diag(matrix @ matrix.T)), atol=1e-5)
    pictures = np.random.default_rng(0).random((2, 4, 5, 3)).astype(np.float32)
    planes = np.moveaxis(decorrelated(pictures), -1, 1).astype(np.float32)
    import tensorflow as tf

    np.testing.assert_allclose(coloured(tf.constant(planes)), pictures, atol=1e-5)


def test_a_magnitude_has_variance_1_and_pictures_give_their_own():
    pictures = np.random.default_rng(0).random((4, 8, 10, 1)) * 255
    found = as_magnitude(pictures, (8, 10), 1, (0, 255), "MACO")
    own = magnitude_of(pictures, (0, 255), (8, 10))
    np.testing.assert_allclose(found / found.ravel()[5], own / own.ravel()[5])
    # Any odd phases make a picture of this variance.
    spectrum = np.fft.rfft2(np.random.default_rng(1).normal(size=(8, 10)))
    picture = np.fft.irfft2(found[..., 0] * 80 * spectrum / np.abs(spectrum), s=(8, 10))
    assert np.isclose(picture.var(), 1)


def test_the_nearest_neighbour_is_the_one_of_the_smallest_angle():
    reference = np.array([[1.0, 0], [0, 1], [1, 1]])
    found = nearest_distances([[3.0, 0.0], [1.0, 0.9]], reference)
    angle = np.pi / 4 - np.arctan(0.9)
    np.testing.assert_allclose(found, [0, 2 * np.sin(angle / 2)], atol=1e-9)
    np.testing.assert_allclose(nearest_distances([[1.0, 0.0]], reference, 3), [np.sqrt(2)])
    assert (nearest_distances(reference, reference, same=True) > 0.7).all()


def test_percentiles_are_50_among_themselves():
    values = np.random.default_rng(0).normal(size=101)
    assert np.isclose(percentiles_among(values, values).mean(), 50)


def test_the_kernel_distance_has_no_bias_and_sees_a_shift():
    draws = np.random.default_rng(0)
    same = [kernel_distance(draws.normal(size=(20, 4)), draws.normal(size=(30, 4))) for _ in range(300)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(300)
    x, y = draws.normal(size=(5, 3)), draws.normal(size=(4, 3)) + 1

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    twin = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    twin += np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    twin -= 2 * np.mean([kernel(a, b) for a in x for b in y])
    assert np.isclose(kernel_distance(x, y), twin)


def test_the_mean_cosine_distance_is_over_pairs():
    draws = np.random.default_rng(0).normal(size=(4, 3))
    unit = draws / np.linalg.norm(draws, axis=1, keepdims=True)
    pairs = [1 - unit[i] @ unit[j] for i in range(4) for j in range(4) if i != j]
    assert np.isclose(mean_cosine_distance(draws), np.mean(pairs))
