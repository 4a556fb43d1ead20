"""Complexity as entropy (Bhatt et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..engine import MapStatistic


@dataclass(frozen=True, eq=False, kw_only=True)
class Entropy(MapStatistic):
    """Over how many places does a map spread?

    The entropy in nats of `p_i = |a_i| / sum_k |a_k|`, the shares of the `d` places in the map: 0 where one place has
    all, `log d` where all are equal, and for a map of zeros, which says nothing of any place. Lower is better. Maps of
    different sizes are compared by `normalised=True`, which divides by `log d`.

    Parameters
    ----------
    normalised : divide by the largest entropy, so that the measure is in [0, 1].
    inputs, targets : needed where an explainer makes the maps.

    Returns
    -------
    score : a `Score` with one value a map.

    Cost
    ----
    No forward.

    Example
    -------
    >>> round(float(Entropy()(np.ones((1, 2, 2)))), 3), float(Entropy()(np.eye(2)[:1, None]))
    (1.386, 0.0)

    Source
    ------
    U. Bhatt, A. Weller, J. M. F. Moura, "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020,
    definition of complexity, https://arxiv.org/abs/2005.00631
    """

    normalised: bool = False

    better: ClassVar[str] = "lower"

    def measure(self, maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The entropy of each map."""
        sizes = np.abs(maps.reshape(len(maps), -1).astype(np.float64))
        places, totals = sizes.shape[1], sizes.sum(axis=1, keepdims=True)
        shares = np.divide(sizes, totals, out=np.full_like(sizes, 1 / places), where=totals > 0)
        logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
        entropy = np.abs((shares * logarithms).sum(axis=1))
        return entropy / np.log(places) if self.normalised else entropy
