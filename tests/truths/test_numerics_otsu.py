"""Otsu's threshold against OpenCV and against every possible split."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import tensorflow as tf

from xsparks.numerics.otsu import otsu_threshold


def every_split(row: np.ndarray) -> float:
    """The threshold by trying all: the one that leaves the smallest variance within the two groups."""
    levels = np.unique(row.astype(np.float64))
    best, chosen = np.inf, levels[0]
    for low, high in pairwise(levels):
        groups = row[row <= low], row[row > low]
        within = sum(group.astype(np.float64).var() * len(group) for group in groups)
        if within < best * (1 - 1e-12):
            best, chosen = within, (low + high) / 2
    return float(chosen)


@pytest.mark.parametrize("seed", range(8))
def test_the_split_is_that_of_opencv_on_grey_levels(seed):
    draw = np.random.default_rng(seed)
    rows = np.round(255 * draw.beta(0.6, 0.2 + seed / 3, (3, 400))).astype(np.uint8)
    thresholds = otsu_threshold(tf.constant(rows, tf.float32)).numpy()
    for row, threshold in zip(rows, thresholds, strict=True):
        _, wanted = cv2.threshold(row, 0, 255, cv2.THRESH_OTSU)
        np.testing.assert_array_equal(row > threshold, wanted.ravel() > 0)


def test_the_split_is_the_best_of_all_and_rows_do_not_touch_each_other():
    draw = np.random.default_rng(3)
    rows = np.concatenate([draw.normal(size=(3, 40)), draw.gamma(0.5, size=(3, 40))]).astype(np.float32)
    together = otsu_threshold(tf.constant(rows)).numpy()
    np.testing.assert_allclose(together, [every_split(row) for row in rows], rtol=1e-6)
    np.testing.assert_array_equal(together[2:3], otsu_threshold(tf.constant(rows[2:3])).numpy())


def test_a_far_offset_and_a_tiny_scale_change_nothing():
    row = np.float32([0, 1, 1, 2, 30, 31, 33, 34])
    for scale, offset in ((1.0, 0.0), (1e-6, 0.0), (1.0, 1e4)):
        threshold = float(otsu_threshold(tf.constant([scale * row + np.float32(offset)]))[0])
        assert (threshold - offset) / scale == pytest.approx(16, rel=1e-3)


def test_equal_values_are_not_split():
    assert otsu_threshold(tf.fill((2, 5), 3.0)).numpy().tolist() == [3.0, 3.0]
    assert otsu_threshold(tf.constant([[7.0], [2.0]])).numpy().tolist() == [7.0, 2.0]
    assert otsu_threshold(tf.constant([[0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])).numpy().tolist() == [0.5, 0.5]


def test_it_runs_in_a_graph_with_an_unknown_number_of_rows():
    graph = tf.function(otsu_threshold, input_signature=[tf.TensorSpec((None, 4))])
    assert graph(tf.constant([[0.0, 0.0, 1.0, 1.0]])).numpy().tolist() == [0.5]
