"""Non-negative matrix factorization by scikit-learn, from several starts."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.randomness import generator
from .dictionary_matching import match_atoms, unit_rows

# Names the draws of this file among all that use the same seed.
_DRAW = 301
# Starts whose error is so near the best may be kept.
_SLACK = 1.01
# Iterations of each start, after which errors and atoms hardly change; the one that is kept goes on.
_RACE = 60
# Iterations from one look at its error to the next.
_BURST = 40


class Factorization(NamedTuple):
    """`A ~ U V`.

    codes : `U (n, r)`.
    atoms : `V (r, p)`, rows of length 1, by falling mean code.
    relative_error : `|A - U V| / |A|`, Frobenius.
    stability : mean cosine of the atoms with the matched ones of the other starts; NaN for a single start.
    """

    codes: np.ndarray
    atoms: np.ndarray
    relative_error: float
    stability: float


def nonnegative_factorization(
    activations: np.ndarray,
    rank: int,
    seed: int = 0,
    starts: int = 4,
    iterations: int = 400,
    tolerance: float = 2e-5,
) -> Factorization:
    """Of which non-negative parts are these vectors sums?

    `min_{U >= 0, V >= 0} |A - U V|^2`. The answer depends on where the search starts, so there are several: one from
    the singular vectors (`nndsvda`), the others at random. After 60 iterations of each, of those whose error is within
    1 % of the best, the one whose atoms are most like those of all others is kept, and goes on.

    Parameters
    ----------
    activations : `A (n, p)`, not negative, float32 or float64.
    rank : `r`, at most the rank of `A`.
    seed : of the random starts.
    starts : at least 1.
    iterations : of the start that is kept.
    tolerance : the share of the error that 40 more iterations must take away, or the search ends; in the race, that of
        scikit-learn.

    Returns
    -------
    factorization : a `Factorization`, of the type of the activations.

    Raises
    ------
    ValueError : negative values, a rank above `n` or `p`, an option out of its range.

    Cost
    ----
    Some 4 `n p r` operations an iteration, on one core: products as small as these take longer on several.

    Example
    -------
    >>> atoms = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    >>> found = nonnegative_factorization(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, 1.0]]) @ atoms, rank=2)
    >>> found.relative_error < 0.01, found.atoms.round(1).tolist()
    (True, [[0.7, 0.0, 0.7], [0.0, 1.0, 0.0]])

    Source
    ------
    D. D. Lee, H. S. Seung, "Learning the Parts of Objects by Non-Negative Matrix Factorization", Nature 401, 1999.
    The start: C. Boutsidis, E. Gallopoulos, "SVD based initialization", Pattern Recognition 41, 2008
    """
    where = "nonnegative_factorization"
    activations = np.asarray(activations)
    count, width = activations.shape
    check_integer(where, "rank", rank, 1, f"{count} vectors of {width} channels are given.", min(count, width))
    check_integer(where, "starts", starts, 1, "Use 4.")
    check_integer(where, "iterations", iterations, 1, "Use 400.")
    check_number(where, "tolerance", tolerance, 1e-12, 1, "Use 2e-5.")
    if activations.min() < 0:
        raise ValueError(
            wording(
                where,
                expected="`activations` must not be negative",
                received=f"a smallest value of {activations.min():.3g}",
                remedy="Take them after a ReLU.",
            )
        )
    options: Any = {"n_components": rank, "max_iter": min(_RACE, iterations), "tol": tolerance}
    found = []
    for start in range(starts):
        drawn = int(generator(seed, _DRAW, start).integers(2**31 - 1))
        found.append(_searched(activations, init="random" if start else "nndsvda", random_state=drawn, **options))
    whole = float(np.linalg.norm(activations)) or 1.0
    errors = np.array([np.linalg.norm(activations - codes @ atoms) for codes, atoms in found]) / whole
    alike = np.full((starts, starts), np.nan)
    for one in range(starts):
        for other in range(one):
            alike[one, other] = alike[other, one] = match_atoms(found[one][1], found[other][1]).cosines.mean()
    stability = np.full(starts, np.nan) if starts == 1 else np.nanmean(alike, axis=1)
    near = errors <= errors.min() * _SLACK + 1e-6
    kept = int(np.argmax(np.where(near, np.nan_to_num(stability), -1)))
    codes, atoms = found[kept]
    error, left = float(errors[kept]), iterations - _RACE
    # Scikit-learn compares violations with the first one of a call, which is small by now: it would hardly ever end.
    while left > 0:
        before = error
        options |= {"init": "custom", "max_iter": min(_BURST, left)}
        codes, atoms = _searched(activations, codes.copy(), atoms.copy(), **options)
        error, left = float(np.linalg.norm(activations - codes @ atoms)) / whole, left - _BURST
        if before - error <= tolerance * before:
            break
    norms = np.linalg.norm(atoms, axis=1)
    codes, atoms = codes * norms, unit_rows(atoms)
    order = np.argsort(-codes.mean(axis=0), kind="stable")
    return Factorization(codes[:, order], atoms[order], error, float(stability[kept]))


def _searched(activations: np.ndarray, *start: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """`(U, V)`, from those that are given or as the options say."""
    method = NMF(**options)
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        # The error and the stability say how good the answer is; a search that is cut off is no failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes = method.fit_transform(activations, None, *start)
    return codes, method.components_
