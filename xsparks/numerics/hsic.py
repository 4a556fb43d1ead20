"""The Hilbert-Schmidt independence criterion between single bits and a number.

Symbols: `p` draws, `z` a column of bits less its mean `(p,)`, `y` the outputs `(p,)`, `L` their kernel `(p, p)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice

BANDWIDTHS = ("distances", "outputs")
# Outputs within so many units in the last place of the largest are the rounding of a constant.
_UNITS = 32
# Statistics that are equal in theory differ by their rounding; ties must count as ties.
_ROUNDING = 1e-5


def balanced_bits(count: int, dimension: int, random: np.random.Generator) -> np.ndarray:
    """Random bits, half of every column 1: a Latin hypercube rounded to 0 and 1.

    Parameters
    ----------
    count : rows; where it is odd, zeros are one more than ones.
    dimension : columns, drawn independently.

    Returns
    -------
    bits : `(count, dimension)` bool.

    Example
    -------
    >>> balanced_bits(6, 4, np.random.default_rng(0)).sum(axis=0).tolist()
    [3, 3, 3, 3]
    """
    column = np.arange(count)[:, None] % 2 == 1
    return random.permuted(np.broadcast_to(column, (count, dimension)), axis=0)


def hsic_of_bits(
    outputs: Any, bits: Any, bandwidth: str = "distances", permutations: Any = None
) -> tuple[Any, Any, Any]:
    """How much does the output depend on each of these bits, in any way?

    HSIC is `tr(K H L H) / p^2` with `K_ab = 1 + k0(M_a, M_b)`, `k0(u, v) = 1/2 - (u - v)^2`, the kernel
    `L_ab = exp(-(y_a - y_b)^2 / (2 sigma^2))` and `H = I - 1 1^T / p`. For bits `H K H = 2 z z^T`, so that

        HSIC = 2 z^T L z / p^2,

    `p` times cheaper than the definition and without its `(d, p, p)` kernels. It is 0 in the limit exactly where bit
    and output are independent, and knows no sign. A bit that acts only together with others can have 0.

    Parameters
    ----------
    outputs : `(m, p)`.
    bits : `(p, d)`, 0 and 1 or booleans, the same for all `m`.
    bandwidth : `sigma`: `"distances"`, the median of the positive distances between outputs; or `"outputs"`, the median
        of the outputs, which depends on where their zero is. Where that is 0 there is no kernel: distances are taken.
    permutations : `(k, p)` integers: orders in which outputs are dealt to the rows anew, for p-values; None for none.

    Returns
    -------
    hsic : `(m, d)`, not negative; exactly 0 where the outputs are equal up to rounding.
    p_value : `(m, d)`, `(1 + number of permutations with an HSIC at least as large) / (1 + k)`, the level at which
        independence of the bit is refused; 1 for None.
    sigma : `(m,)`, 0 where the outputs are equal up to rounding.

    Raises
    ------
    ValueError : an unknown bandwidth.

    Cost
    ----
    `p^2 d` multiplications, `k + 1` times, and a sort of `p^2` distances, for each of `m`; memory of a few `(p, p)`.

    Example
    -------
    >>> bits = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> found, _, sigma = hsic_of_bits(tf.constant([[0.0, 3.0, 0.0, 3.0]]), bits)
    >>> np.round(found.numpy().astype(float), 3).tolist(), sigma.numpy().tolist()
    ([[0.098, 0.0]], [3.0])

    Source
    ------
    A. Gretton, O. Bousquet, A. Smola, B. Schölkopf, "Measuring Statistical Dependence with Hilbert-Schmidt Norms", ALT
    2005. The kernel of bits: P. Novello, T. Fel, D. Vigouroux, NeurIPS 2022, https://arxiv.org/abs/2206.06219. p-values
    with the 1: B. Phipson, G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010.
    """
    check_choice("hsic_of_bits", "bandwidth", bandwidth, BANDWIDTHS)
    centred = tf.cast(tf.convert_to_tensor(bits), tf.float32)
    centred -= tf.reduce_mean(centred, axis=0)
    orders: Any = () if permutations is None else permutations

    def of_one(values: Any) -> tuple[Any, Any, Any]:
        distances = tf.abs(values[:, None] - values[None, :])
        rounding = _UNITS * float(np.finfo(np.float32).eps) * tf.reduce_max(tf.abs(values))
        spread = tf.reduce_max(distances) > rounding
        sigma = tf.where(spread, _median_of_positive(distances), 0.0)
        if bandwidth == "outputs":
            median = tf.abs(_median(values))
            sigma = tf.where(spread & (median > 0), median, sigma)
        kernel = tf.exp(-0.5 * tf.math.divide_no_nan(distances, sigma) ** 2)

        def statistic(columns: Any) -> Any:
            return tf.reduce_sum(columns * tf.matmul(kernel, columns), axis=0)

        found = tf.where(spread, tf.maximum(statistic(centred), 0), 0.0)
        at_least = tf.ones_like(found)
        if len(orders):
            at_least = tf.foldl(
                lambda number, order: (
                    number + tf.cast(statistic(tf.gather(centred, order)) >= found * (1 - _ROUNDING), tf.float32)
                ),
                tf.constant(orders, tf.int32),
                at_least,
                parallel_iterations=1,
            ) / (1 + len(orders))
        return 2 * found / tf.cast(tf.shape(values)[0], tf.float32) ** 2, tf.where(spread, at_least, 1.0), sigma

    # One after the other: each needs matrices of p x p.
    return tf.map_fn(of_one, outputs, fn_output_signature=(tf.float32,) * 3, parallel_iterations=1)


def _median(values: Any) -> Any:
    ordered = tf.sort(values)
    count = tf.shape(ordered)[0]
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def _median_of_positive(distances: Any) -> Any:
    """The median of the positive entries of a matrix, 0 where there is none."""
    ordered = tf.sort(tf.reshape(distances, (-1,)))
    count = tf.shape(ordered)[0]
    first = count - tf.math.count_nonzero(ordered, dtype=tf.int32)
    low, high = (tf.minimum(middle, count - 1) for middle in ((first + count - 1) // 2, (first + count) // 2))
    return (ordered[low] + ordered[high]) / 2
