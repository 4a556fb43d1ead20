"""The norm of a matrix as it is within a graph, from above."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Beyond so many columns (of the narrower side) the norm of a matrix takes longer than a backward pass.
MOST_COLUMNS = 512


def matrix_norm(matrix: Any) -> Any:
    """The largest singular value of a matrix `(rows, columns)`, rounded up: the root of an eigenvalue."""
    values = tf.cast(matrix, tf.float64)
    wide = matrix.shape[0] < matrix.shape[1]
    square = tf.matmul(values, values, transpose_a=not wide, transpose_b=wide)
    largest = tf.nn.relu(tf.linalg.eigvalsh(square)[-1])
    return tf.cast(tf.sqrt(largest), matrix.dtype) * (1 + 1e-6)
