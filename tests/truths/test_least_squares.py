"""Least squares from running sums against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize
from sklearn.linear_model import Ridge

from xsparks.numerics.least_squares import constrained, ridge, rows_of, weighted_sums

RANDOM = np.random.default_rng(5)
FEATURES = RANDOM.integers(0, 2, (3, 40, 6)).astype(float)
RESPONSES = RANDOM.normal(size=(3, 40)) + FEATURES @ RANDOM.normal(size=6) + 7
WEIGHTS = RANDOM.random((3, 40))


def sums_of(features=FEATURES, responses=RESPONSES, weights=WEIGHTS, batch=17):
    """The sums of three owners, whose rows come mixed and in batches."""
    owner = np.repeat(np.arange(3), 40)
    order = RANDOM.permutation(120)
    total = tf.zeros((3, 8, 8), tf.float64)
    for start in range(0, 120, batch):
        chosen = order[start : start + batch]
        rows = rows_of(features.reshape(120, 6)[chosen], responses.ravel()[chosen])
        total += weighted_sums(rows, weights.ravel()[chosen], owner[chosen], 3)
    return total


def test_sums_are_those_of_outer_products():
    rows = np.concatenate([np.ones((3, 40, 1)), FEATURES, RESPONSES[..., None]], axis=-1)
    np.testing.assert_allclose(sums_of(), np.einsum("mn,mni,mnj->mij", WEIGHTS, rows, rows), rtol=1e-12)


@pytest.mark.parametrize("penalty", [1e-6, 0.3, 50.0])
def test_ridge_is_that_of_scikit_learn(penalty):
    fit = ridge(sums_of(), penalty)
    for owner in range(3):
        wanted = Ridge(alpha=penalty).fit(FEATURES[owner], RESPONSES[owner], sample_weight=WEIGHTS[owner])
        np.testing.assert_allclose(fit.coefficients[owner], wanted.coef_, rtol=1e-8)
        np.testing.assert_allclose(fit.intercept[owner], wanted.intercept_, rtol=1e-8)
        share = wanted.score(FEATURES[owner], RESPONSES[owner], sample_weight=WEIGHTS[owner])
        np.testing.assert_allclose(fit.share[owner], share, rtol=1e-8)


def test_ridge_of_responses_that_never_change():
    fit = ridge(sums_of(responses=np.zeros((3, 40))), 1.0)
    np.testing.assert_array_equal(fit.coefficients, 0)
    np.testing.assert_array_equal(fit.share, 1)


def test_ridge_of_fewer_rows_than_features():
    few = np.zeros_like(WEIGHTS)
    few[:, :3] = 1
    fit = ridge(sums_of(weights=few), 1e-6)
    wanted = Ridge(alpha=1e-6).fit(FEATURES[1, :3], RESPONSES[1, :3])
    np.testing.assert_allclose(fit.coefficients[1], wanted.coef_, rtol=1e-4, atol=1e-6)


def test_the_constrained_fit_is_the_least_of_all_that_keep_the_sum():
    totals = np.array([2.0, -1.0, 0.0])
    found = constrained(sums_of(), totals, np.ones((3, 6))).numpy()
    np.testing.assert_allclose(found.sum(1), totals, atol=1e-12)
    for owner in range(3):

        def loss(free, owner=owner):
            phi = np.append(free, totals[owner] - free.sum())
            return WEIGHTS[owner] @ (RESPONSES[owner] - FEATURES[owner] @ phi) ** 2

        least = optimize.minimize(loss, np.zeros(5))
        np.testing.assert_allclose(found[owner, :5], least.x, atol=1e-4)


def test_absent_features_have_no_part():
    present = np.ones((3, 6))
    present[0, 4:] = present[2, 1:] = 0
    found = constrained(sums_of(FEATURES * present[:, None]), [1.0, 2.0, 3.0], present).numpy()
    np.testing.assert_array_equal(found[present == 0], 0)
    np.testing.assert_allclose(found.sum(1), [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(found[2, 0], 3, atol=1e-12)
    # Columns beyond the present ones change nothing for the others.
    short = constrained(
        tf.gather(tf.gather(sums_of(), [0, 1, 2, 3, 4, 7], axis=1), [0, 1, 2, 3, 4, 7], axis=2),
        [1.0] * 3,
        np.ones((3, 4)),
    )
    np.testing.assert_allclose(found[0, :4], short[0], rtol=1e-9)
