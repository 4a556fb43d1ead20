"""Concepts by principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from .dictionary import Dictionary
from .extractor import relative_error


@dataclass(frozen=True, eq=False, kw_only=True)
class PCAConcepts:
    """Along which orthogonal directions do these activations vary most?

    `min |A - o - U V|^2` with `V V' = I` and the mean `o`. No dictionary of this size is more exact, and none is harder
    to read: concepts have two ends, cancel each other, and are in every place.

    Returns
    -------
    dictionary : orthogonal atoms, by falling variance; linear encoding, `W = V'`.

    Cost
    ----
    A singular value decomposition of `A`; no forward.

    Example
    -------
    >>> found = PCAConcepts().extract(np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.1], [2.0, -0.1]]), 1, seed=0)
    >>> np.abs(found.atoms).round(3).tolist(), found.offset.tolist()
    ([[1.0, 0.0]], [2.0, 0.0])

    Source
    ------
    I. T. Jolliffe, "Principal Component Analysis", Springer 2002; for concepts: M. Graziani et al., "Uncovering Unique
    Concept Vectors through Latent Space Decomposition", TMLR 2023, https://arxiv.org/abs/2307.06913
    """

    needs_nonnegative = False

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int = 0) -> Dictionary:
        """The concepts of activations `A (n, p)`."""
        method = PCA(number_of_concepts, svd_solver="full").fit(activations)
        atoms, offset = np.asarray(method.components_), np.asarray(method.mean_)
        codes = (activations - offset) @ atoms.T
        return Dictionary(
            atoms=atoms,
            encoding="linear",
            offset=offset,
            analysis=atoms.T.copy(),
            extractor=type(self).__name__,
            relative_error=relative_error(activations, codes @ atoms + offset),
        )
