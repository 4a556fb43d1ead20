"""Concepts by non-negative matrix factorization, as CRAFT has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics.nonnegative_factorization import nonnegative_factorization
from .dictionary import Dictionary
from .extractor import check_starts


@dataclass(frozen=True, eq=False, kw_only=True)
class NMFConcepts:
    """Of which non-negative parts are these activations sums?

    `min |A - U V|^2` with `U >= 0` and `V >= 0`. Parts add up and never cancel, so that each can be shown by itself.
    The choice after a ReLU; activations below 0 are refused.

    Parameters
    ----------
    starts : of the search, one from the singular vectors, the others at random; the most stable is kept.
    iterations : of the start that is kept.

    Returns
    -------
    dictionary : atoms of length 1, by falling mean coefficient; non-negative encoding.

    Cost
    ----
    Some `4 n p r` operations an iteration, 60 for each start and then those of the one that is kept; no forward.

    Example
    -------
    >>> activations = np.random.default_rng(0).random((50, 2)) @ np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    >>> found = NMFConcepts().extract(activations, 2, seed=0)
    >>> found.relative_error < 0.05, found.stability > 0.95
    (True, True)

    Source
    ------
    T. Fel, A. Picard, L. Béthune, T. Boissin, D. Vigouroux, J. Colin, R. Cadène, T. Serre, "CRAFT: Concept Recursive
    Activation FacTorization for Explainability", CVPR 2023, https://arxiv.org/abs/2211.10154
    """

    starts: int = 4
    iterations: int = 400

    needs_nonnegative = True

    def __post_init__(self) -> None:
        check_starts(type(self).__name__, self.starts, self.iterations)

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`, none negative."""
        found = nonnegative_factorization(activations, number_of_concepts, seed, self.starts, self.iterations)
        return Dictionary(
            atoms=found.atoms,
            extractor=type(self).__name__,
            relative_error=found.relative_error,
            stability=found.stability,
        )
