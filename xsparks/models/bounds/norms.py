"""The norm of a matrix as it is within a graph, from above."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Beyond so many columns (of the narrower side) the norm of a matrix takes longer than a backward pass.
MOST_COLUMNS = 512
SQUARINGS = 8


def matrix_norm(matrix: Any) -> Any:
    """An upper bound of the largest singular value of a matrix `(rows, columns)`, at most half a percent above it.

    With `G` the smaller of `A^T A` and `A A^T`, `|A|_2^2 <= |G^(2^k)|_F^(1 / 2^k)`, by squaring `k` times.

    Source
    ------
    B. Delattre, Q. Barthélemy, A. Araujo, A. Allauzen, "Efficient Bound of Lipschitz Constant for Convolutional Layers
    by Gram Iteration", ICML 2023, https://arxiv.org/abs/2305.16173
    """
    values = tf.cast(matrix, tf.float64)
    gram = tf.matmul(values, values, transpose_a=True)
    if matrix.shape[0] < matrix.shape[1]:
        gram = tf.matmul(values, values, transpose_b=True)
    logarithm, power = tf.zeros([], tf.float64), 1.0
    for _ in range(SQUARINGS):
        # Divided by its length at each step, so that nothing overflows.
        length = tf.maximum(tf.norm(gram), 1e-300)
        gram /= length
        logarithm += tf.math.log(length) / power
        gram, power = tf.matmul(gram, gram), 2 * power
    logarithm += tf.math.log(tf.maximum(tf.norm(gram), 1e-300)) / power
    return tf.cast(tf.exp(logarithm / 2), matrix.dtype) * (1 + 1e-6)
