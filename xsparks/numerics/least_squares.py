"""Weighted least squares from running sums, batched, in float64.

A row is `a = (1, z, y)`: a one, the features `z (d,)` and the response `y`. All that a fit needs of any number of rows
is the sum of `w a a^T`, `(d + 2, d + 2)`, which batches of rows add to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class Fit(NamedTuple):
    """A linear model: `coefficients (..., d)`, `intercept (...)`, and `share (...)`, the weighted R^2."""

    coefficients: Any
    intercept: Any
    share: Any


def rows_of(features: Any, responses: Any) -> Any:
    """The rows `(..., d + 2)` float64 of features `(..., d)` and responses `(...)`."""
    features, responses = tf.cast(features, tf.float64), tf.cast(responses, tf.float64)[..., None]
    return tf.concat([tf.ones_like(responses), features, responses], axis=-1)


def weighted_sums(rows: Any, weights: Any, owner: Any, owners: Any) -> Any:
    """The sums of `w a a^T` of the rows of each owner.

    Parameters
    ----------
    rows : `(b, k)` float64.
    weights : `(b,)`, one a row.
    owner : `(b,)` int32, to which of the `owners` each row belongs.

    Returns
    -------
    sums : `(owners, k, k)` float64.

    Example
    -------
    >>> weighted_sums(rows_of([[2.0]], [3.0]), [1.0], [0], 1).numpy().tolist()
    [[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]]]
    """
    weights = tf.cast(weights, tf.float64)
    # Weighted rows beside the owner's number, then one product: no (b, k, k) outer products on the way.
    spread = tf.one_hot(owner, owners, dtype=tf.float64) * weights[:, None]
    weighted = spread[:, :, None] * rows[:, None, :]
    return tf.einsum("bmi,bj->mij", weighted, rows)


def ridge(sums: Any, penalty: float) -> Fit:
    """Which linear model fits best, if large coefficients have a price and the intercept has none?

    `min sum_i w_i (y_i - c - z_i^T beta)^2 + penalty |beta|^2`, solved by centring `z` and `y` at their weighted means.

    Parameters
    ----------
    sums : `(..., d + 2, d + 2)`, those of `weighted_sums`.
    penalty : positive.

    Example
    -------
    >>> sums = weighted_sums(rows_of([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]), [1.0] * 3, [0] * 3, 1)
    >>> fit = ridge(sums, 1e-9)
    >>> fit.coefficients.numpy().round(6).tolist(), fit.intercept.numpy().round(6).tolist()
    ([[2.0]], [1.0])

    Source
    ------
    A. Hoerl, R. Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", Technometrics 12, 1970
    """
    total, means = sums[..., :1, :1], sums[..., :1, :] / sums[..., :1, :1]
    # Row and column 0 become zeros: what is left are the weighted covariances, times the total weight.
    centred = sums - total * tf.linalg.matrix_transpose(means) * means
    gram, moment, spread = centred[..., 1:-1, 1:-1], centred[..., 1:-1, -1:], centred[..., -1, -1]
    penalties = penalty * tf.eye(tf.shape(gram)[-1], dtype=gram.dtype)
    found = tf.linalg.cholesky_solve(tf.linalg.cholesky(gram + penalties), moment)
    explained = tf.reduce_sum(found * (2 * moment - tf.linalg.matmul(gram, found)), axis=(-2, -1))
    coefficients = found[..., 0]
    intercept = means[..., 0, -1] - tf.reduce_sum(means[..., 0, 1:-1] * coefficients, axis=-1)
    # Responses that are all alike are fitted without an error.
    share = tf.where(spread > 0, tf.math.divide_no_nan(explained, spread), tf.ones_like(spread))
    return Fit(coefficients, intercept, share)


def constrained(sums: Any, total: Any, present: Any) -> Any:
    """Which linear model without an intercept fits best, among those whose coefficients sum to `total`?

    `A = sum_i w_i z_i z_i^T`, `b = sum_i w_i z_i y_i`, and with a Lagrange multiplier for the constraint

        beta = A^-1 (b - 1 (1^T A^-1 b - total) / (1^T A^-1 1)).

    Parameters
    ----------
    sums : `(..., d + 2, d + 2)`, those of `weighted_sums`; `A` must be regular on the features that are present.
    total : `(...)`.
    present : `(..., d)`, 1, or 0 for a feature that does not exist: its `z` are all 0, and so is its coefficient.

    Returns
    -------
    coefficients : `(..., d)` float64.

    Source
    ------
    I. Covert, S. Lee, "Improving KernelSHAP: Practical Shapley Value Estimation via Linear Regression", AISTATS 2021,
    https://arxiv.org/abs/2012.01536
    """
    gram, moment = sums[..., 1:-1, 1:-1], sums[..., 1:-1, -1:]
    ones, total = tf.cast(present, gram.dtype)[..., None], tf.cast(total, gram.dtype)[..., None, None]
    factor = tf.linalg.cholesky(gram + tf.linalg.diag(1 - ones[..., 0]))
    free, unit = (tf.linalg.cholesky_solve(factor, right) for right in (moment, ones))
    surplus = tf.reduce_sum(ones * free, axis=-2, keepdims=True) - total
    return (free - unit * surplus / tf.reduce_sum(ones * unit, axis=-2, keepdims=True))[..., 0]
