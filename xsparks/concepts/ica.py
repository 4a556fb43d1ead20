"""Concepts by independent components."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from ..core.randomness import generator
from .dictionary import Dictionary
from .extractor import by_use, check_starts, relative_error

# Names the draws of this file among all that use the same seed.
_DRAW = 341


@dataclass(frozen=True, eq=False, kw_only=True)
class ICAConcepts:
    """Of which independent sources are these activations mixtures?

    `A = o + U V`, `U = (A - o) W`, with coefficients as independent of each other as can be. It spans what principal
    components span, by other atoms. Coefficients have both signs.

    Parameters
    ----------
    iterations : of the search, at most.

    Returns
    -------
    dictionary : the mixing matrix, by falling mean size of its coefficients; linear encoding.

    Cost
    ----
    A singular value decomposition of `A`, then some `2 n r^2` operations an iteration; no forward.

    Example
    -------
    >>> sources = np.random.default_rng(0).random((200, 2)) ** 3
    >>> found = ICAConcepts().extract(sources @ np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), 2, seed=0)
    >>> found.relative_error < 1e-3
    True

    Source
    ------
    A. Hyvärinen, "Fast and Robust Fixed-Point Algorithms for Independent Component Analysis", IEEE Transactions on
    Neural Networks 10, 1999
    """

    iterations: int = 400

    needs_nonnegative = False

    def __post_init__(self) -> None:
        check_starts(type(self).__name__, 1, self.iterations)

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`."""
        drawn = int(generator(seed, _DRAW).integers(2**31 - 1))
        method = FastICA(number_of_concepts, whiten="unit-variance", max_iter=self.iterations, random_state=drawn)
        with warnings.catch_warnings():
            # The error says how good the answer is; a search that is cut off is no failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            codes = method.fit_transform(activations)
        offset = np.asarray(method.mean_)
        atoms, analysis = np.asarray(method.mixing_).T, np.asarray(method.components_).T
        # Atoms of length 1, their size in the coefficients.
        sizes = np.linalg.norm(atoms, axis=1)
        atoms, analysis, codes = atoms / sizes[:, None], analysis * sizes, codes * sizes
        order = by_use(codes)
        return Dictionary(
            atoms=atoms[order],
            encoding="linear",
            offset=offset,
            analysis=analysis[:, order],
            extractor=type(self).__name__,
            relative_error=relative_error(activations, codes @ atoms + offset),
        )
