"""Intersection over union of a thresholded map and a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.checks import check_choice, check_number
from ..numerics.otsu import otsu_threshold
from .localisation import Localisation


@dataclass(frozen=True, eq=False, kw_only=True)
class IoU(Localisation):
    """Does the bright part of a map have the shape of the object?

    The places above a threshold and the region, their intersection over their union. Higher is better. The threshold
    decides much: read the measure beside those that have none, `RelevanceMass` and `RelevanceRank`.

    Parameters
    ----------
    regions, inputs, targets : see `Localisation`.
    threshold : `"otsu"`, which splits the values of each map into the two groups that differ most; `"area"`, which
        keeps as many places as the region has; or a fraction of the way from the smallest to the largest value, such
        as .2 for class activation maps.

    Returns
    -------
    score : a `Score` with one value a sample, in [0, 1]; a constant map has no bright part and scores 0.

    Raises
    ------
    ValueError : an unknown threshold; regions that are empty, too few or of another size.

    Cost
    ----
    No forward.

    Example
    -------
    >>> regions = np.array([[[1, 1], [0, 0]]])
    >>> float(IoU(regions, threshold=0.5)(np.array([[[0.9, 0.1], [0.0, 0.0]]])))
    0.5

    Source
    ------
    B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba, "Learning Deep Features for Discriminative Localization",
    CVPR 2016, which thresholds class activation maps at 20 % of their maximum, https://arxiv.org/abs/1512.04150
    """

    threshold: Any = "otsu"

    def check_options(self) -> None:
        """Checks the options."""
        if isinstance(self.threshold, str):
            check_choice("IoU", "threshold", self.threshold, ("otsu", "area"))
        else:
            check_number("IoU", "threshold", self.threshold, 0, 1, "Use 'otsu', 'area', or a fraction such as .2.")

    def on_regions(self, maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The overlap of each bright part and its region."""
        maps, regions = maps.reshape(len(maps), -1), regions.reshape(len(maps), -1)
        lowest, highest = maps.min(axis=1, keepdims=True), maps.max(axis=1, keepdims=True)
        if self.threshold == "otsu":
            bright = maps > np.asarray(otsu_threshold(maps))[:, None]
        elif self.threshold == "area":
            ordered = np.sort(maps, axis=1)
            bright = maps >= np.take_along_axis(ordered, maps.shape[1] - regions.sum(axis=1, keepdims=True), axis=1)
        else:
            bright = maps > lowest + self.threshold * (highest - lowest)
        bright &= highest > lowest
        return (bright & regions).sum(axis=1) / (bright | regions).sum(axis=1)
