"""A noisy map with positive cells, replaced by the mode of a latent Gaussian process over its logarithm."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

# Newton's method: at most so many steps, each change of a log at most so large, until all are so small.
_STEPS, _LARGEST_CHANGE, _CONVERGED = 30, 2.0, 1e-5
# Prior variance of the level of the log map: large enough to say nothing about it.
_FLAT = 25.0


class SmoothedMap(NamedTuple):
    """What a smoother answers.

    maps : `(..., d)`, in the units of the statistic, not negative.
    log_variance : `(..., d)`, variance of the logarithm of each cell, its error bar; 0 for a map of zeros.
    """

    maps: Any
    log_variance: Any


def latent_map(statistic: Any, degrees: Any, kernel: Any, log_prior: Any = None) -> SmoothedMap:
    """Which map is the most plausible, given a noisy statistic of each cell and how alike cells are beforehand?

    The statistic of cell `i` is modelled as `m_i ~ Gamma(shape h_i = nu_i / 2, mean exp(eta_i))`, as a mean of `nu_i`
    squared Gaussian numbers would be, and `eta ~ N(c + mu, K)` with a level `c` about which nothing is known. The map
    is `exp(eta)` at the mode of the posterior, found by Newton's method:

        e = m exp(-eta);  W = h max(e, 1e-6);  b = W (eta - mu) + h (e - 1);  s = sqrt(W)
        alpha = b - s (I + s K s)^-1 s K b;  eta <- mu + K alpha

    and its covariance is `K - K s (I + s K s)^-1 s K`. A map depends on its own statistic alone, whatever else is in
    the batch: a sample that has converged is left as it is.

    Parameters
    ----------
    statistic : `(..., d)`, not negative, any unit.
    degrees : `nu`, a number, or anything that broadcasts to `(..., d)`: the degrees of freedom of each cell. 0 for a
        cell that was never evaluated; its statistic is ignored and its value interpolated.
    kernel : `K`, `(d, d)` or `(..., d, d)`, positive semi-definite.
    log_prior : `mu`, `(..., d)`, the shape of the log map expected beforehand, its level apart. None for flat.

    Returns
    -------
    smoothed : a `SmoothedMap` in the type of `statistic`. A statistic of zeros gives zeros; one that is not finite
        gives NaN for its sample, and for no other.

    Cost
    ----
    At most 31 Cholesky factors of `(d, d)` a sample (about 6 are usual), in float64 whatever the type: `e` and `W` span
    too many orders of magnitude for float32.

    Source
    ------
    C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 3.1, with a Gamma
    likelihood
    """
    statistic = tf.convert_to_tensor(statistic)
    shape, kept, cells = tf.shape(statistic), statistic.dtype, statistic.shape[-1]
    m = tf.reshape(tf.cast(statistic, tf.float64), (-1, cells))
    h = _rows(degrees, shape, cells) / 2
    mu = tf.zeros_like(m) if log_prior is None else _rows(log_prior, shape, cells)
    mu -= tf.reduce_mean(mu, axis=-1, keepdims=True)
    kernel = tf.cast(tf.convert_to_tensor(kernel), tf.float64)
    if len(kernel.shape) > 2:
        kernel = tf.reshape(kernel, (-1, cells, cells))
    kernel += _FLAT

    known = h > 0
    m = tf.where(known, m, tf.zeros_like(m))
    scale = tf.math.divide_no_nan(tf.reduce_sum(m, -1), tf.reduce_sum(tf.cast(known, m.dtype), -1))
    finite = tf.math.is_finite(scale + tf.reduce_sum(mu, axis=-1) + tf.reduce_sum(kernel, axis=(-2, -1)))
    usable = finite & (scale > 0)
    # Samples that have no map are solved for a flat one, so that no NaN reaches the Cholesky factors of the batch.
    mu = tf.where(finite[:, None], mu, tf.zeros_like(mu))
    kernel = tf.where(finite[:, None, None], kernel, tf.eye(cells, dtype=kernel.dtype))
    m = tf.where(usable[:, None] & known, m / tf.where(usable, scale, tf.ones_like(scale))[:, None], tf.ones_like(m))
    eta = _mode(m, h, mu, kernel)
    s = _root_curvature(m, h, eta)
    whitened = tf.linalg.triangular_solve(_factor(s, kernel), s[:, :, None] * kernel)
    variance = tf.linalg.diag_part(kernel) - tf.reduce_sum(whitened**2, axis=-2)

    # What stands in the place of a map that there is not: zeros, or NaN.
    absent = tf.where(finite, tf.zeros_like(scale), tf.fill(tf.shape(scale), tf.constant(float("nan"), tf.float64)))
    maps = tf.where(usable[:, None], tf.exp(eta) * scale[:, None], absent[:, None])
    variance = tf.where(usable[:, None], variance, absent[:, None])
    return SmoothedMap(*(tf.cast(tf.reshape(value, shape), kept) for value in (maps, variance)))


def _mode(m: Any, h: Any, mu: Any, kernel: Any) -> Any:
    """The mode `(n, d)` of the log map, by Newton steps on the samples that still move."""

    def unfinished(eta: Any, moving: Any) -> Any:
        return tf.reduce_any(moving)

    def newton(eta: Any, moving: Any) -> tuple[Any, Any]:
        s = _root_curvature(m, h, eta)
        b = s**2 * (eta - mu) + h * (m * tf.exp(-eta) - 1)
        solved = tf.linalg.cholesky_solve(_factor(s, kernel), (s * tf.linalg.matvec(kernel, b))[:, :, None])
        target = mu + tf.linalg.matvec(kernel, b - s * solved[:, :, 0])
        change = tf.clip_by_value(target - eta, -_LARGEST_CHANGE, _LARGEST_CHANGE)
        # Without this a sample would take as many steps as the slowest of its batch.
        change = tf.where(moving[:, None], change, tf.zeros_like(change))
        return eta + change, tf.reduce_max(tf.abs(change), axis=-1) >= _CONVERGED

    return tf.while_loop(
        unfinished,
        newton,
        (tf.math.log(m / 2 + 0.5), tf.ones_like(m[:, 0], tf.bool)),
        shape_invariants=(tf.TensorShape((None, m.shape[1])), tf.TensorShape((None,))),
        maximum_iterations=_STEPS,
    )[0]


def _root_curvature(m: Any, h: Any, eta: Any) -> Any:
    # s = sqrt(W), W = h max(m exp(-eta), 1e-6), the second derivative of the negative log likelihood.
    return tf.sqrt(h * tf.maximum(m * tf.exp(-eta), 1e-6))


def _factor(s: Any, kernel: Any) -> Any:
    # The Cholesky factor of I + s K s, whose eigenvalues are 1 at least.
    return tf.linalg.cholesky(tf.eye(s.shape[1], dtype=s.dtype) + s[:, :, None] * kernel * s[:, None, :])


def _rows(values: Any, shape: Any, cells: int) -> Any:
    """`values` at the shape of the statistic, as float64 rows `(n, d)`."""
    return tf.reshape(tf.broadcast_to(tf.cast(tf.convert_to_tensor(values), tf.float64), shape), (-1, cells))
