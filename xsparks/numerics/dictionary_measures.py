"""How good is a dictionary? Measures of atoms, coefficients and reconstructions, as pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..core.checks import check_integer
from ..core.errors import wording
from .dictionary_matching import unit_rows


def relative_distance(activations: Any, reconstruction: Any) -> float:
    """Which share of the activations does a reconstruction miss? `|A - A'| / |A|`, Frobenius norms; 0 for zeros.

    Parameters
    ----------
    activations, reconstruction : `A` and `A'`, `(n, p)`.

    Example
    -------
    >>> relative_distance([[3.0, 4.0]], [[3.0, 0.0]])
    0.8
    """
    activations, reconstruction = _pair("relative_distance", activations, reconstruction)
    whole = float(np.linalg.norm(activations))
    return float(np.linalg.norm(activations - reconstruction)) / whole if whole else 0.0


def zero_share(codes: Any) -> float:
    """Which share of the coefficients is exactly 0? 1 is the sparsest, `(r - 1) / r` one concept a row.

    Parameters
    ----------
    codes : `U (n, r)`.

    Example
    -------
    >>> zero_share([[0.0, 2.0], [0.0, 0.0]])
    0.75
    """
    return float(np.mean(np.asarray(codes) == 0))


def dead_share(codes: Any) -> float:
    """Which share of the concepts does nothing show? Those whose column of `U (n, r)` is 0.

    Example
    -------
    >>> dead_share([[0.0, 2.0], [0.0, 0.0]])
    0.5
    """
    return float(np.mean(~np.any(np.asarray(codes), axis=0)))


def mean_wasserstein(activations: Any, reconstruction: Any) -> float:
    """How far apart are two sets of vectors, channel by channel?

    The one-dimensional Wasserstein distance of each channel, `mean_i |sort(a)_i - sort(a')_i|`, averaged over channels:
    in units of the activations, 0 where each channel has the same values, in whatever order. It sees no dependence
    between channels.

    Parameters
    ----------
    activations, reconstruction : `(n, p)`.

    Example
    -------
    >>> mean_wasserstein([[0.0, 1.0], [2.0, 1.0]], [[2.0, 2.0], [0.0, 2.0]])
    0.5
    """
    activations, reconstruction = _pair("mean_wasserstein", activations, reconstruction)
    return float(np.abs(np.sort(activations, axis=0) - np.sort(reconstruction, axis=0)).mean())


def out_of_distribution(reference: Any, activations: Any, reconstruction: Any, neighbors: int = 10) -> float:
    """How much farther from known vectors are reconstructions than the vectors that they are made for?

    `sum_i d_k(a'_i) / sum_i d_k(a_i)` with the distance `d_k` to the `k`-th nearest of the reference, all rows scaled
    to length 1. About 1 where reconstructions look like activations, above where they are unlike any, and below where
    they are more typical than what they stand for, as cluster means are.

    Parameters
    ----------
    reference : `(m, p)`, known vectors; not those of `activations`, each of which would be its own nearest.
    activations, reconstruction : `(n, p)`.
    neighbors : `k`, at most `m`.

    Raises
    ------
    ValueError : too few of the reference; activations that all lie on it, whose distance is 0.

    Example
    -------
    >>> known = [[1.0, 0.0], [0.0, 1.0]]
    >>> out_of_distribution(known, [[0.96, 0.28]], [[0.6, 0.8]], neighbors=1).__round__(3)
    2.236

    Source
    ------
    Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022,
    https://arxiv.org/abs/2204.06507
    """
    where = "out_of_distribution"
    activations, reconstruction = _pair(where, activations, reconstruction)
    known = unit_rows(np.asarray(reference))
    check_integer(where, "neighbors", neighbors, 1, "Use 10.", len(known))
    search = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(known)
    whole, made = (
        float(np.asarray(search.kneighbors(unit_rows(rows))[0])[:, -1].sum()) for rows in (activations, reconstruction)
    )
    if not whole:
        raise ValueError(
            wording(
                where,
                expected="`activations` must lie apart from `reference`",
                received="distances of 0",
                remedy="Hold some rows out, or use more neighbors.",
            )
        )
    return made / whole


def coherence(atoms: Any) -> float:
    """How alike are the two most alike atoms? `max_{i != j} |cos(v_i, v_j)|`: 0 orthogonal, 1 twice the same.

    Parameters
    ----------
    atoms : `V (r, p)`; of one atom the coherence is 0.

    Example
    -------
    >>> coherence([[1.0, 0.0], [3.0, 4.0], [0.0, -2.0]])
    0.8
    """
    rows = unit_rows(np.asarray(atoms))
    cosines = np.abs(rows @ rows.T)
    np.fill_diagonal(cosines, 0)
    return float(cosines.max())


def _pair(where: str, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(
            wording(
                where,
                expected="activations and their reconstruction must have one shape (n, p)",
                received=f"{first.shape} and {second.shape}",
                remedy="Reconstruct the same rows.",
            )
        )
    return first, second
