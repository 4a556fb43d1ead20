"""Intervals from replicates: the formula, and how often they cover."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from xsparks.numerics.intervals import replicate_interval
from xsparks.numerics.sobol_designs import make_design
from xsparks.numerics.sobol_estimators import mean_power


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("replicates", [2, 4, 9])
def test_it_is_the_interval_of_student(level, replicates):
    values = np.random.default_rng(0).normal(size=(3, replicates, 5))
    expected = stats.t.interval(level, replicates - 1, values.mean(1), stats.sem(values, axis=1))
    found = replicate_interval(values, level).numpy()
    assert found.shape == (3, 5, 2)
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), rtol=1e-9)


@pytest.mark.parametrize("replicates", [2, 7, 600])
def test_replicates_unknown_while_tracing(replicates):
    values = np.random.default_rng(0).normal(size=(3, replicates, 5)).astype("float32")
    function = tf.function(replicate_interval, autograph=False).get_concrete_function(
        tf.TensorSpec((None, None, 5), tf.float32)
    )
    # From 512 replicates on the quantile of 512 serves.
    np.testing.assert_allclose(function(tf.constant(values)), replicate_interval(values), rtol=1e-3, atol=1e-4)


def test_one_replicate_found_out_too_late_says_nothing():
    function = tf.function(replicate_interval, autograph=False).get_concrete_function(
        tf.TensorSpec((None, None, 2), tf.float32)
    )
    np.testing.assert_array_equal(function(tf.ones((1, 1, 2))).numpy(), [[[-np.inf, np.inf]] * 2])


def test_positive_estimates_have_positive_bounds():
    values = np.array([[1.0], [2.0], [6.0]])
    mean, half = 3.0, stats.t.ppf(0.975, 2) * stats.sem(values[:, 0])
    expected = [[mean * np.exp(-half / mean), mean * np.exp(half / mean)]]
    np.testing.assert_allclose(replicate_interval(values, positive=True), expected, rtol=1e-9)
    np.testing.assert_array_equal(replicate_interval(np.zeros((3, 1)), positive=True), [[0, 0]])


def coverage(values, truth, level=0.95, positive=False):
    interval = replicate_interval(values, level, positive).numpy()
    return np.mean((interval[..., 0] <= truth) & (truth <= interval[..., 1]))


def test_gaussian_replicates_are_covered_as_said():
    values = np.random.default_rng(0).normal(3, 2, (5000, 4, 3))
    for level in (0.8, 0.95):
        assert abs(coverage(values, 3, level) - level) < 0.01


def interacting(points):
    """A function with interactions of neighbours, and linear effects."""
    wave = np.sin(2 * np.pi * points)
    return points @ np.linspace(-1, 2, points.shape[-1]) + np.sum(wave[..., 1:] * wave[..., :-1], axis=-1)


def block_statistics(name, rows, replicates, seeds, dimension=6):
    """Mean squared differences `(seeds, replicates, d)` of each replicate."""
    cells = np.arange(dimension)
    found = []
    for seed in range(seeds):
        design = make_design(name, rows, dimension, seed, replicates)
        changed = np.repeat(design.base[:, None], dimension, axis=1)
        changed[:, cells, cells] = design.shifted
        differences = interacting(design.base)[:, None] - interacting(changed)
        found.append(mean_power(differences.reshape(replicates, -1, dimension)).numpy())
    return np.array(found)


# What the docstring of `replicate_interval` says.
@pytest.mark.parametrize(
    ("name", "rows", "plain", "positive"),
    [
        ("half_shift", 8, 0.90, 0.95),
        ("half_shift", 32, 0.95, 0.96),
        ("latin_hypercube", 8, 0.80, 0.89),
        ("latin_hypercube", 32, 0.93, 0.94),
    ],
)
def test_how_often_the_intervals_of_four_replicates_cover(name, rows, plain, positive):
    truth = block_statistics(name, 2**14, 1, 1)[0, 0]
    values = block_statistics(name, rows, 4, 300)
    assert abs(coverage(values, truth) - plain) < 0.025
    assert abs(coverage(values, truth, positive=True) - positive) < 0.025
