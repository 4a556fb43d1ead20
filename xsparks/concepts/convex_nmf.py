"""Concepts by convex matrix factorization (Ding, Li, Jordan 2010)."""

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
_DRAW = 321
_TINY = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvexNMFConcepts:
    """Of which mixtures of themselves are these activations non-negative sums?

    `min |A - U W A|^2` with `U >= 0` and `W >= 0`: each atom is a weighted sum of activations, so that no concept lies
    outside of what the layer answers. Activations may have any sign. The error is larger than that of other
    factorizations; choose it where concepts must look like data.

    Parameters
    ----------
    iterations : at most.
    tolerance : ends where the relative error falls by less than this in ten iterations.

    Returns
    -------
    dictionary : atoms of length 1, by falling mean coefficient; non-negative encoding.

    Cost
    ----
    The Gram matrix, `n^2 p` operations and `n^2` numbers in memory; then some `4 n^2 r` an iteration; no forward.

    Example
    -------
    >>> activations = np.random.default_rng(0).random((60, 2)) @ np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
    >>> ConvexNMFConcepts().extract(activations, 2, seed=0).relative_error < 0.1
    True

    Source
    ------
    C. Ding, T. Li, M. I. Jordan, "Convex and Semi-Nonnegative Matrix Factorizations", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 32, 2010, equations 26 and 27
    """

    iterations: int = 500
    tolerance: float = 1e-5

    needs_nonnegative = False

    def __post_init__(self) -> None:
        check_starts(type(self).__name__, 1, self.iterations)

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`."""
        drawn = int(generator(seed, _DRAW).integers(2**31 - 1))
        labels = k_means(activations, number_of_concepts, drawn).labels_
        members = np.eye(number_of_concepts)[labels]
        # The source starts so: members of a cluster, softened by .2, and their means.
        codes = members + 0.2
        weights = codes / np.maximum(members.sum(axis=0), 1)
        gram = activations.astype(np.float64) @ activations.astype(np.float64).T
        above, below = np.maximum(gram, 0), np.maximum(-gram, 0)
        error = np.inf
        for iteration in range(self.iterations):
            up, down = above @ weights, below @ weights
            across = codes @ (weights.T @ down), codes @ (weights.T @ up)
            codes = codes * np.sqrt((up + across[0]) / (down + across[1] + _TINY))
            square = codes.T @ codes
            weights = weights * np.sqrt((above @ codes + down @ square) / (below @ codes + up @ square + _TINY))
            if iteration % 10 == 9:
                before, error = error, relative_error(activations, codes @ (weights.T @ activations))
                if before - error < self.tolerance:
                    break
        atoms = unit_rows(weights.T @ activations)
        codes = np.asarray(nonnegative_codes(activations, atoms))
        error = relative_error(activations, codes @ atoms)
        atoms = atoms[by_use(codes)].astype(activations.dtype)
        return Dictionary(atoms=atoms, extractor=type(self).__name__, relative_error=error)
