"""Concepts by k-means, as ACE has them (Ghorbani, Wexler, Zou, Kim 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.randomness import generator
from .clustering import k_means
from .dictionary import Dictionary
from .extractor import by_use, check_starts, relative_error

# Names the draws of this file among all that use the same seed.
_DRAW = 331


@dataclass(frozen=True, eq=False, kw_only=True)
class KMeansConcepts:
    """Into which clusters do these activations fall?

    `min |A - U V|^2` where each row of `U` has one 1 and else 0: a place has exactly one concept. The sparsest
    dictionary, and the least exact one. Its encoding has no derivative: use it with methods that need none.

    Parameters
    ----------
    starts : of the search; the one with the smallest error is kept.
    iterations : of each start.

    Returns
    -------
    dictionary : the cluster means, by falling number of members; nearest encoding.

    Cost
    ----
    Some `2 n p r` operations for each iteration of each start; no forward.

    Example
    -------
    >>> activations = np.repeat([[1.0, 0.0], [0.0, 2.0]], [3, 2], axis=0)
    >>> KMeansConcepts().extract(activations, 2, seed=0).atoms.tolist()
    [[1.0, 0.0], [0.0, 2.0]]

    Source
    ------
    A. Ghorbani, J. Wexler, J. Zou, B. Kim, "Towards Automatic Concept-based Explanations", NeurIPS 2019,
    https://arxiv.org/abs/1902.03129
    """

    starts: int = 4
    iterations: int = 300

    needs_nonnegative = False

    def __post_init__(self) -> None:
        check_starts(type(self).__name__, self.starts, self.iterations)

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`."""
        drawn = int(generator(seed, _DRAW).integers(2**31 - 1))
        found = k_means(activations, number_of_concepts, drawn, self.starts, self.iterations)
        labels, atoms = found.labels_, found.cluster_centers_
        error = relative_error(activations, atoms[labels])
        order = by_use(np.eye(number_of_concepts)[labels])
        return Dictionary(atoms=atoms[order], encoding="nearest", extractor=type(self).__name__, relative_error=error)
