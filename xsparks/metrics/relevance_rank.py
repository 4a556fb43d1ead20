"""Relevance rank accuracy (Arras, Osman, Samek 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .localisation import Localisation, share_of_highest


@dataclass(frozen=True, eq=False, kw_only=True)
class RelevanceRank(Localisation):
    """How many of the highest places of a map lie on the object?

    With a region of k places, the share of the k highest that lies within; of places with equal values, as many count
    as a random choice would hit, so that a constant map scores the share of the picture that the region fills. Higher
    is better. Unlike `RelevanceMass` it knows the order alone, and no scale.

    Parameters
    ----------
    regions, inputs, targets : see `Localisation`.

    Returns
    -------
    score : a `Score` with one value a sample, in [0, 1].

    Raises
    ------
    ValueError : regions that are empty, too few or of another size.

    Cost
    ----
    No forward.

    Example
    -------
    >>> regions = np.array([[[1, 1], [0, 0]]])
    >>> float(RelevanceRank(regions)(np.array([[[0.9, 0.1], [0.5, 0.0]]])))
    0.5

    Source
    ------
    L. Arras, A. Osman, W. Samek, "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network
    explanations", Information Fusion 81, 2022, https://arxiv.org/abs/2003.07258
    """

    def on_regions(self, maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The share of the k highest places within the region of k places."""
        return share_of_highest(maps, regions, regions.reshape(len(maps), -1).sum(axis=1))
