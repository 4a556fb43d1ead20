"""Relevance mass accuracy (Arras, Osman, Samek 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .localisation import Localisation


@dataclass(frozen=True, eq=False, kw_only=True)
class RelevanceMass(Localisation):
    """Which share of a map lies on the object?

    The sum of the positive values within the region over the sum of all positive values; 0 for a map without any. A
    constant map scores the share of the picture that the region fills. Higher is better.

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

    Departs
    -------
    The paper pools the channels of a map first; here they are averaged.

    Example
    -------
    >>> regions = np.array([[[0, 1], [0, 0]]])
    >>> float(RelevanceMass(regions)(np.array([[[1.0, 3.0], [0.0, -2.0]]])))
    0.75

    Source
    ------
    L. Arras, A. Osman, W. Samek, "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network
    explanations", Information Fusion 81, 2022, https://arxiv.org/abs/2003.07258
    """

    def on_regions(self, maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The positive share within the region."""
        positive = np.maximum(maps, 0).reshape(len(maps), -1)
        inside = (positive * regions.reshape(len(maps), -1)).sum(axis=1)
        total = positive.sum(axis=1)
        return np.divide(inside, total, out=np.zeros(len(maps)), where=total > 0)
