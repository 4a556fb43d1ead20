"""Complexity and localisation against their definitions, written out place by place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import stats

from xsparks.metrics import Entropy, IoU, JPEGSize, PointingGame, RelevanceMass, RelevanceRank, Sparseness
from xsparks.metrics.localisation import share_of_highest

DRAW = np.random.default_rng(3)
MAPS = DRAW.normal(size=(4, 6, 9))
REGIONS = DRAW.random((4, 6, 9)) < 0.3


def test_sparseness_is_the_mean_difference_of_all_pairs():
    """The Gini index is half the mean absolute difference of two values, over their mean."""
    sizes = np.abs(MAPS.reshape(4, -1))
    pairs = np.abs(sizes[:, :, None] - sizes[:, None, :]).mean(axis=(1, 2))
    np.testing.assert_allclose(Sparseness()(MAPS).per_sample, pairs / (2 * sizes.mean(axis=1)), rtol=1e-6)
    one = np.zeros((1, 6, 9))
    one[0, 2, 3] = -7
    assert float(Sparseness()(one)) == pytest.approx(1 - 1 / 54)
    assert float(Sparseness()(np.ones((1, 6, 9)))) == float(Sparseness()(np.zeros((1, 6, 9)))) == 0


def test_entropy_is_that_of_the_shares():
    wanted = [stats.entropy(np.abs(one).ravel()) for one in MAPS]
    np.testing.assert_allclose(Entropy()(MAPS).per_sample, wanted, rtol=1e-6)
    np.testing.assert_allclose(Entropy(normalised=True)(MAPS).per_sample, wanted / np.log(54), rtol=1e-6)
    assert float(Entropy()(np.zeros((1, 6, 9)))) == pytest.approx(np.log(54))


def test_jpeg_size_is_that_of_the_file_and_grows_with_quality_and_detail():
    grey = np.round((MAPS[0] - MAPS[0].min()) / np.ptp(MAPS[0]) * 255).astype(np.uint8)
    written = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    assert JPEGSize()(MAPS[:1]).per_sample.tolist() == [len(written)]
    np.testing.assert_array_equal(JPEGSize()(MAPS * 7 - 3).per_sample, JPEGSize()(MAPS).per_sample)
    large = DRAW.normal(size=(1, 64, 64)).astype(np.float32)
    sizes = [float(JPEGSize(quality=quality)(large)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]
    assert float(JPEGSize()(cv2.GaussianBlur(large[0], (0, 0), 5)[None])) < float(JPEGSize()(large))


def test_rank_and_mass_place_by_place():
    for one, region, rank, mass in zip(
        MAPS, REGIONS, RelevanceRank(REGIONS)(MAPS).per_sample, RelevanceMass(REGIONS)(MAPS).per_sample, strict=True
    ):
        order = np.argsort(-one.ravel())[: region.sum()]
        assert rank == pytest.approx(region.ravel()[order].mean())
        assert mass == pytest.approx(one[region & (one > 0)].sum() / one[one > 0].sum(), rel=1e-6)
    assert RelevanceMass(REGIONS)(-np.abs(MAPS)).per_sample.tolist() == [0, 0, 0, 0]


def test_equal_values_count_as_a_random_choice_would_on_average():
    values = np.array([5.0, 2, 2, 2, 1, 0])
    region = np.array([False, True, True, False, False, True])
    order = [np.argsort(-(values + DRAW.random(6) * 1e-6))[:3] for _ in range(4000)]
    expected = np.mean([region[chosen].mean() for chosen in order])
    found = share_of_highest(values[None], region[None], np.array([3]))
    assert found[0] == pytest.approx(4 / 9) and found[0] == pytest.approx(expected, abs=0.02)
    constant = np.ones((4, 6, 9))
    shares = REGIONS.mean(axis=(1, 2))
    for metric in (PointingGame, RelevanceMass, RelevanceRank):
        np.testing.assert_allclose(metric(REGIONS)(constant).per_sample, shares, rtol=1e-6)


def test_pointing_with_tolerance():
    region = np.zeros((1, 9, 9), bool)
    region[0, 2, 2] = True
    for row, column in [(2, 2), (2, 4), (4, 4), (2, 6)]:
        one = np.zeros((1, 9, 9))
        one[0, row, column] = 1
        distance = np.hypot(row - 2, column - 2)
        for tolerance in (0, 2, 2.9, 4):
            assert float(PointingGame(region, tolerance=tolerance)(one)) == float(distance <= tolerance)


def test_iou_of_each_threshold():
    one, region = MAPS[:1], REGIONS[:1]

    def overlap(bright: np.ndarray) -> float:
        return (bright & region).sum() / (bright | region).sum()

    lowest, span = one.min(), np.ptp(one)
    assert float(IoU(region, threshold=0.2)(one)) == pytest.approx(overlap(one > lowest + 0.2 * span))
    area = one >= np.sort(one.ravel())[-region.sum()]
    assert float(IoU(region, threshold="area")(one)) == pytest.approx(overlap(area))
    groups = np.where(DRAW.random((1, 6, 9)) < 0.5, 0.0, 9.0) + DRAW.random((1, 6, 9))
    assert float(IoU(region)(groups)) == pytest.approx(overlap(groups > 5))
    values = {name: float(IoU(REGIONS, threshold=name)(MAPS)) for name in ("otsu", "area", 0.2, 0.5)}
    assert len(set(values.values())) == 4
    for name in values:
        assert float(IoU(region, threshold=name)(np.ones((1, 6, 9)))) == 0


def test_boxes_are_the_pixels_whose_centres_they_hold():
    boxes = [np.array([[1, 2, 4, 5], [6.4, 0, 8.6, 1]]), np.array([0, 0, 9, 6])]
    mask = np.zeros((2, 6, 9), bool)
    mask[0, 2:5, 1:4] = True
    mask[0, 0, 6:8] = True
    mask[0, 0, 8] = True  # its centre, 8.5, lies within 6.4 and 8.6
    mask[1] = True
    for metric in (PointingGame, RelevanceMass, RelevanceRank, IoU):
        np.testing.assert_allclose(metric(boxes)(MAPS[:2]).per_sample, metric(mask)(MAPS[:2]).per_sample)
    stacked = RelevanceRank(np.stack([mask, mask], axis=0)[0][..., None])(MAPS[:2])
    np.testing.assert_allclose(stacked.per_sample, RelevanceRank(mask)(MAPS[:2]).per_sample)


def test_series_and_tables():
    """Maps of `(n, t, f)` and `(n, f)` have places, too."""
    for shape in [(4, 54), (4, 6, 9)]:
        maps, regions = MAPS.reshape(shape), REGIONS.reshape(shape)
        for metric in (Sparseness(), Entropy(), RelevanceRank(regions), RelevanceMass(regions), IoU(regions)):
            wanted = type(metric)(*([REGIONS] if hasattr(metric, "regions") else []))(MAPS).per_sample
            np.testing.assert_allclose(metric(maps).per_sample, wanted, rtol=1e-6)
