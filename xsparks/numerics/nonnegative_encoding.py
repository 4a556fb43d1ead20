"""Activations as non-negative sums of fixed atoms, with the exact derivative of that answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import wording

# Full exchanges without progress before single ones, which always end, as the source has it.
_PATIENCE = 3
# A bound of the number of exchanges that only rounding can reach: random problems need fewer than 10.
_MOST_EXCHANGES = 500
# Violations below so many units in the last place of the largest correlation are rounding.
_UNITS = 64


def nonnegative_codes(activations: Any, atoms: Any) -> Any:
    """How much of each atom is in each activation vector, if atoms can only be added?

    `u*(a) = argmin_{u >= 0} |a - u V|^2` for every vector `a`, with the rows of `V` as atoms: exact up to rounding, by
    block principal pivoting, which guesses the set `S` of atoms in use, solves for them, and moves those whose sign is
    wrong. All vectors are solved at once. Differentiable by both arguments: with the right derivative `y` of a score by
    `u*`,

        z_S = (V_S V_S')^-1 y_S,  z = 0 elsewhere,     d score / da = z V,
        d score / dV = z' (a - u V) - u' (z V),

    the implicit derivative of the optimality conditions. `u*` is piecewise linear in `a`, and this is its slope where
    it has one. No step of the solver is stored for it.

    Parameters
    ----------
    activations : `(..., p)`, of any sign.
    atoms : `V (r, p)`, of any sign. Atoms should be linearly independent: of two equal ones each gets half, and an atom
        of zeros gets 0.

    Returns
    -------
    codes : `u* (..., r)`, not negative, of the type of the activations; half precision is computed in float32.

    Raises
    ------
    ValueError : atoms and activations of different widths.

    Cost
    ----
    `r p` operations a vector, and some `r^3 / 3` for each of about 5 exchanges (fewer than 10); `r^2` numbers a vector
    are in memory.

    Example
    -------
    >>> nonnegative_codes([[2.0, 1.0], [1.0, -3.0]], [[1.0, 0.0], [1.0, 1.0]]).numpy().tolist()
    [[1.0, 1.0], [1.0, 0.0]]

    Source
    ------
    J. Kim, H. Park, "Fast Nonnegative Matrix Factorization: An Active-Set-Like Method and Comparisons", SIAM Journal on
    Scientific Computing 33, 2011, algorithm 2. The derivative: the implicit function theorem on the optimality
    conditions, as T. Fel et al., "CRAFT: Concept Recursive Activation FacTorization for Explainability", CVPR 2023,
    https://arxiv.org/abs/2211.10154 propose; its closed form is derived here
    """
    activations = tf.convert_to_tensor(activations)
    kept = activations.dtype if activations.dtype.is_floating else tf.float32
    work = tf.float64 if kept == tf.float64 else tf.float32
    vectors, atoms = tf.cast(activations, work), tf.cast(tf.convert_to_tensor(atoms), work)
    number, width = (int(size) for size in atoms.shape)
    if vectors.shape[-1] != width:
        raise ValueError(
            wording(
                "nonnegative_codes",
                expected=f"activations must have {width} channels, as the atoms have",
                received=f"shape {tuple(vectors.shape)}",
                remedy="Take them from the layer that the atoms were found at.",
            )
        )
    lead = tf.shape(vectors)[:-1]
    codes = _codes(tf.reshape(vectors, (-1, width)), atoms)
    codes = tf.reshape(codes, tf.concat([lead, [number]], axis=0))
    return tf.cast(tf.ensure_shape(codes, (*vectors.shape[:-1], number)), kept)


@tf.custom_gradient
def _codes(vectors: Any, atoms: Any) -> Any:
    """Codes `(n, r)` of vectors `(n, p)`."""
    norms: Any = tf.sqrt(tf.reduce_sum(atoms**2, axis=-1))
    norms = tf.where(norms > 0, norms, tf.ones_like(norms))
    # Atoms of unit length: what counts as rounding is then the same for all.
    unit = atoms / norms[:, None]
    number = int(atoms.shape[0])
    gram = tf.matmul(unit, unit, transpose_b=True)
    # Equal atoms would make it singular.
    gram += 4 * number * _epsilon(unit) * tf.eye(number, dtype=unit.dtype)
    scaled = _pivoted(gram, tf.matmul(vectors, unit, transpose_b=True))

    def backward(upstream: Any) -> tuple[Any, Any]:
        solved = _solved(gram, scaled > 0, upstream / norms) / norms
        codes = scaled / norms
        along = tf.matmul(solved, atoms)
        rest = vectors - tf.matmul(codes, atoms)
        by_atoms = tf.matmul(solved, rest, transpose_a=True) - tf.matmul(codes, along, transpose_a=True)
        return along, by_atoms

    return scaled / norms, backward


def _pivoted(gram: Any, correlations: Any) -> Any:
    """The solution `u >= 0` of `u G - c >= 0`, `u (u G - c)' = 0`, for each row `c`."""
    number = int(gram.shape[0])
    tolerance: Any = _UNITS * _epsilon(gram) * tf.reduce_max(tf.abs(correlations), axis=-1, keepdims=True)
    rows = tf.shape(correlations)[0]

    def wrong(used: Any, codes: Any) -> Any:
        slopes = tf.matmul(codes, gram) - correlations
        return tf.where(used, codes, slopes) < -tolerance

    def exchange(used: Any, codes: Any, fewest: Any, patience: Any) -> Any:
        violated = wrong(used, codes)
        count = tf.math.count_nonzero(violated, axis=-1, dtype=tf.int32)
        better = count < fewest
        patience = tf.where(better, _PATIENCE, patience - 1)
        # One at a time, the last, where exchanging all of them made no progress for long.
        last = number - 1 - tf.argmax(tf.reverse(violated, [-1]), axis=-1, output_type=tf.int32)
        alone = violated & (tf.range(number)[None, :] == last[:, None])
        moved = tf.where((patience >= 0)[:, None], violated, alone)
        used = tf.math.logical_xor(used, moved)
        return used, _solved(gram, used, correlations), tf.minimum(count, fewest), tf.maximum(patience, -1)

    _, codes, _, _ = tf.while_loop(
        lambda used, codes, fewest, patience: tf.reduce_any(wrong(used, codes)),
        exchange,
        (
            tf.zeros_like(correlations, tf.bool),
            tf.zeros_like(correlations),
            tf.fill([rows], number + 1),
            tf.fill([rows], _PATIENCE),
        ),
        shape_invariants=(
            tf.TensorShape((None, number)),
            tf.TensorShape((None, number)),
            tf.TensorShape((None,)),
            tf.TensorShape((None,)),
        ),
        maximum_iterations=_MOST_EXCHANGES,
        parallel_iterations=1,
    )
    return tf.nn.relu(codes)


def _solved(gram: Any, used: Any, right: Any) -> Any:
    """`x_S = G_SS^-1 b_S` for the set `S` of each row, 0 elsewhere."""
    inside = tf.cast(used, gram.dtype)
    # Outside of the set the identity, so that all rows have one size.
    matrices = gram * inside[:, :, None] * inside[:, None, :] + tf.linalg.diag(1 - inside)
    solved = tf.linalg.cholesky_solve(tf.linalg.cholesky(matrices), (right * inside)[..., None])[..., 0]
    return solved * inside


def _epsilon(tensor: Any) -> float:
    return float(np.finfo(tensor.dtype.as_numpy_dtype).eps)
