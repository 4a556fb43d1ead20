"""Controls know the image or nothing, never the model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import stats

from tests import models
from xsparks.metrics import CentreBlob, EdgeMap, RandomMap

X = models.images(6)


def blind(inputs):
    """A model that a control must not be asked about."""
    return np.asarray(inputs)[:, 0, 0]


def test_random_maps_are_uniform_and_belong_to_image_and_seed():
    maps = RandomMap(blind).explain(models.images(40), 0).values
    assert stats.kstest(maps.ravel(), "uniform").pvalue > 1e-3 and maps.min() >= 0 and maps.max() < 1
    between = np.corrcoef(maps.reshape(40, -1))
    assert np.abs(between - np.eye(40)).max() < 0.5
    some = RandomMap(blind, batch_size=2).explain(X[[4, 0, 4]], 0).values
    np.testing.assert_array_equal(some, RandomMap(blind).explain(X, 0).values[[4, 0, 4]])
    other = RandomMap(blind, seed=3).explain(X, 0).values
    assert np.abs(np.corrcoef(other.ravel(), RandomMap(blind).explain(X, 0).values.ravel())[0, 1]) < 0.1


def test_one_changed_pixel_gives_another_map():
    changed = X[:1].copy()
    changed[0, 7, 11, 2] += 1e-3
    first, second = (RandomMap(blind).explain(images, 0).values for images in (X[:1], changed))
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4


def test_random_cells_are_enlarged():
    maps = RandomMap(blind, grid_size=3).explain(X, 0)
    assert maps.values.shape == (6, 3, 3, 1) and maps.shape == (6, 8, 12, 1)
    series = RandomMap(lambda x: np.asarray(x)[:, 0]).explain(models.images(2, (6, 2)), 0)
    assert series.shape == (2, 6, 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_edges_are_those_of_opencv(axis):
    found = EdgeMap(blind).explain(X, 0).values[..., 0]
    grey = X.mean(axis=-1)
    for image, values in zip(grey, found, strict=True):
        both = [cv2.Sobel(image, cv2.CV_32F, *way, borderType=cv2.BORDER_REFLECT_101) for way in ((1, 0), (0, 1))]
        np.testing.assert_allclose(values, np.hypot(*both), rtol=1e-4, atol=1e-5)
    step = np.zeros((1, 6, 6, 3), np.float32)
    step[:, 3:] = 1
    edges = EdgeMap(blind).explain(step if axis == 0 else step.transpose(0, 2, 1, 3), 0).values[0, ..., 0]
    np.testing.assert_array_equal(edges.sum(axis=1 - axis) > 0, [False, False, True, True, False, False])


def test_the_blob_is_a_gaussian_at_the_centre():
    width = 0.25
    found = CentreBlob(blind, width=width).explain(X, 0).values
    for row in range(8):
        for column in range(12):
            distance = ((row - 3.5) / 8) ** 2 + ((column - 5.5) / 12) ** 2
            assert found[3, row, column, 0] == pytest.approx(np.exp(-distance / 2 / width**2), rel=1e-5)
    assert (CentreBlob(blind, width=0.5).explain(X, 0).values >= found).all()
    assert (found == found[:1]).all()
