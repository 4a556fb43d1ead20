"""Sobol indices of a sum, without a model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def additive_total_order(contributions: Any) -> Any:
    """Which share of the variance of a sum is due to each of its terms?

    For `f(M) = b + sum_i M_i c_i` with independent masks `M_i` of one distribution, `Var f = Var(M) sum_i c_i^2`, and
    nothing acts together: the first-order and the total Sobol index of term `i` are both

        S_Ti = c_i^2 / sum_j c_j^2.

    Parameters
    ----------
    contributions : `c (..., d)`, of any sign.

    Returns
    -------
    indices : `(..., d)`, of the same type, sum 1; 0 where all contributions are 0.

    Example
    -------
    >>> additive_total_order([[3.0, -4.0], [0.0, 0.0]]).numpy().round(2).tolist()
    [[0.36, 0.64], [0.0, 0.0]]

    Source
    ------
    I. M. Sobol, "Sensitivity Estimates for Nonlinear Mathematical Models", Mathematical Modelling and Computational
    Experiments 1, 1993; for a sum the definition gives it in one line
    """
    contributions = tf.convert_to_tensor(contributions)
    # Scaled first: the squares of small numbers would vanish.
    largest: Any = tf.reduce_max(tf.abs(contributions), axis=-1, keepdims=True)
    squares = tf.math.divide_no_nan(contributions, largest) ** 2
    return tf.math.divide_no_nan(squares, tf.reduce_sum(squares, axis=-1, keepdims=True))
