"""Sparseness (Chalasani et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..engine import MapStatistic


@dataclass(frozen=True, eq=False, kw_only=True)
class Sparseness(MapStatistic):
    """On how few places does a map concentrate?

    The Gini index of the sizes `a_1 <= ... <= a_d` of its values, `sum_k (2 k - d - 1) a_k / (d sum_k a_k)`: 0 where
    all are equal, and for a map of zeros; `1 - 1 / d` where all but one are zero. Higher is better, if a reader shall
    grasp the map at a glance; a map may well be sparse and wrong, so read it beside Deletion or a measure of place.
    Maps made on a coarse grid are less sparse by that alone.

    Parameters
    ----------
    inputs, targets : needed where an explainer makes the maps.

    Returns
    -------
    score : a `Score` with one value a map, in [0, 1).

    Cost
    ----
    No forward.

    Example
    -------
    >>> float(Sparseness()(np.array([[[0.0, 0.0], [0.0, 8.0]]])))
    0.75

    Source
    ------
    P. Chalasani, J. Chen, A. Roy Chowdhury, S. Jha, X. Wu, "Concise Explanations of Neural Networks using Adversarial
    Training", ICML 2020, https://arxiv.org/abs/1810.06583
    """

    better: ClassVar[str] = "higher"

    def measure(self, maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The Gini index of each map."""
        sizes = np.sort(np.abs(maps.reshape(len(maps), -1).astype(np.float64)), axis=1)
        places = sizes.shape[1]
        weights = 2 * np.arange(1, places + 1) - places - 1
        totals = sizes.sum(axis=1)
        return np.divide(sizes @ weights, places * totals, out=np.zeros(len(maps)), where=totals > 0)
