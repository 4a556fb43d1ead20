"""Concepts by semi-non-negative matrix factorization (Ding, Li, Jordan 2010)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.randomness import generator
from ..numerics.dictionary_matching import unit_rows
from ..numerics.nonnegative_encoding import nonnegative_codes
from .clustering import k_means
from .dictionary import Dictionary
from .extractor import by_use, check_starts, relative_error

# Names the draws of this file among all that use the same seed.
_DRAW = 311


@dataclass(frozen=True, eq=False, kw_only=True)
class SemiNMFConcepts:
    """Of which parts of any sign are these activations non-negative sums?

    `min |A - U V|^2` with `U >= 0` alone: for layers whose answers may be negative (GELU, SiLU, transformers). Each
    half is solved exactly in turn, `U` by non-negative and `V` by plain least squares, so that the error never grows.

    Parameters
    ----------
    iterations : pairs of solutions, at most.
    tolerance : ends where the relative error falls by less than this.

    Returns
    -------
    dictionary : atoms of length 1, by falling mean coefficient; non-negative encoding.

    Cost
    ----
    Some `2 n p r + n r^3` operations an iteration; no forward.

    Departs
    -------
    The source multiplies `U` by a factor in each step; exact alternation needs fewer and has no division by 0.

    Example
    -------
    >>> activations = np.random.default_rng(0).random((50, 2)) @ np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
    >>> SemiNMFConcepts().extract(activations, 2, seed=0).relative_error < 1e-2
    True

    Source
    ------
    C. Ding, T. Li, M. I. Jordan, "Convex and Semi-Nonnegative Matrix Factorizations", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 32, 2010
    """

    iterations: int = 200
    tolerance: float = 1e-5

    needs_nonnegative = False

    def __post_init__(self) -> None:
        check_starts(type(self).__name__, 1, self.iterations)

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`."""
        drawn = int(generator(seed, _DRAW).integers(2**31 - 1))
        atoms = k_means(activations, number_of_concepts, drawn).cluster_centers_
        atoms, error = unit_rows(atoms), np.inf
        codes = np.asarray(nonnegative_codes(activations, atoms))
        for _ in range(self.iterations):
            atoms = unit_rows(np.linalg.lstsq(codes, activations, rcond=None)[0])
            codes = np.asarray(nonnegative_codes(activations, atoms))
            before, error = error, relative_error(activations, codes @ atoms)
            if before - error < self.tolerance:
                break
        atoms = atoms[by_use(codes)].astype(activations.dtype)
        return Dictionary(atoms=atoms, extractor=type(self).__name__, relative_error=error)
