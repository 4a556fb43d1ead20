"""Ranks and the agreement of rankings against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from xsparks.numerics.ranks import ranks, spearman, top_overlap

RANDOM = np.random.default_rng(2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "float16", "uint8"])
def test_ranks_with_and_without_ties(dtype):
    values = RANDOM.integers(0, 20, (2, 3, 30)).astype(dtype)
    np.testing.assert_array_equal(ranks(values).numpy(), stats.rankdata(values, axis=-1))
    distinct = np.stack([RANDOM.permutation(30) for _ in range(4)]).astype(dtype)
    np.testing.assert_array_equal(ranks(distinct).numpy(), distinct + 1.0)
    assert ranks(values).dtype == (tf.float64 if dtype == "float64" else tf.float32)


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_ranks_along_any_axis(axis):
    values = RANDOM.integers(0, 5, (4, 5, 6))
    np.testing.assert_array_equal(ranks(values, axis=axis).numpy(), stats.rankdata(values, axis=axis))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spearman_is_that_of_scipy(ties, dtype):
    a, b = RANDOM.normal(size=(2, 3, 4, 49)).astype(dtype)
    if ties:
        a, b = np.round(a), np.round(b)
    expected = [
        [stats.spearmanr(x, y).statistic for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)
    ]
    found = spearman(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_spearman_of_a_whole_picture_in_single_precision():
    a = RANDOM.normal(size=50176).astype(np.float32)
    b = (a + RANDOM.normal(size=50176)).astype(np.float32)
    assert abs(float(spearman(a, b)) - stats.spearmanr(a, b).statistic) < 1e-5
    assert float(spearman(a, a)) == pytest.approx(1, abs=1e-6) and float(spearman(a, -a)) == pytest.approx(-1, abs=1e-6)


def test_a_constant_agrees_with_nothing():
    a = RANDOM.normal(size=49)
    assert float(spearman(a, np.full(49, 3.3))) == 0
    assert float(spearman(np.zeros(49), np.zeros(49))) == 0
    assert float(spearman([1.0], [1.0])) == 0


def test_one_map_against_many_and_an_unknown_batch():
    a, b = RANDOM.normal(size=(5, 49)), RANDOM.normal(size=49)
    expected = [stats.spearmanr(row, b).statistic for row in a]
    np.testing.assert_allclose(spearman(a, b), expected, atol=1e-9)
    function = tf.function(spearman, autograph=False).get_concrete_function(
        tf.TensorSpec((None, 49), tf.float64), tf.TensorSpec((49,), tf.float64)
    )
    np.testing.assert_allclose(function(tf.constant(a), tf.constant(b)), expected, atol=1e-9)


def test_top_overlap_counts_shared_places():
    a, b = RANDOM.normal(size=(2, 6, 49)).astype(np.float32)
    for k in (1, 10, 49):
        expected = [len(set(np.argsort(-x)[:k]) & set(np.argsort(-y)[:k])) / k for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(top_overlap(a, b, k), expected, atol=1e-6)
    np.testing.assert_allclose(top_overlap(a, b[0], 10)[0], top_overlap(a[0], b[0], 10))


def test_top_overlap_of_ties_takes_the_earlier_place():
    assert float(top_overlap([1, 1, 1, 0], [1, 0, 0, 0], 1)) == 1
    assert float(top_overlap([1, 1, 1, 0], [0, 0, 1, 0], 1)) == 0
