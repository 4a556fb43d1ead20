"""The pointing game (Zhang et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..core.checks import check_number
from ..core.errors import wording
from .localisation import Localisation, share_of_highest


@dataclass(frozen=True, eq=False, kw_only=True)
class PointingGame(Localisation):
    """Does the highest point of a map lie on the object?

    1 for a hit, 0 for a miss; of several places that are highest, the share that lies on the object, so that a
    constant map scores what chance would. Higher is better. One point tells little of a map: read it beside
    `RelevanceMass` and `RelevanceRank`. Objects of photographs stand in the middle, so compare with a map that is
    highest there.

    Parameters
    ----------
    regions, inputs, targets : see `Localisation`.
    tolerance : a point at most so many pixels from the region counts as a hit; the paper's is 15, for large pictures.

    Returns
    -------
    score : a `Score` with one value a sample.

    Raises
    ------
    ValueError : regions that are empty, too few or of another size; a tolerance for samples that are no images.

    Cost
    ----
    No forward.

    Example
    -------
    >>> regions = np.array([[[0, 1], [0, 0]]])
    >>> float(PointingGame(regions)(np.array([[[0.1, 0.9], [0.2, 0.3]]])))
    1.0

    Source
    ------
    J. Zhang, S. A. Bargal, Z. Lin, J. Brandt, X. Shen, S. Sclaroff, "Top-down Neural Attention by Excitation Backprop",
    ECCV 2016, section 4.1, https://arxiv.org/abs/1608.00507
    """

    tolerance: float = 0.0

    def check_options(self) -> None:
        """Checks the options."""
        check_number("PointingGame", "tolerance", self.tolerance, 0, np.inf, "Use 15 pixels, or 0.")

    def on_regions(self, maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """Whether the maximum lies in the region."""
        if self.tolerance:
            if maps.ndim != 3:
                raise ValueError(
                    wording(
                        f"PointingGame(tolerance={self.tolerance})",
                        expected="a tolerance needs maps that are pictures (n, h, w)",
                        received=f"shape {maps.shape}",
                        remedy="Use tolerance=0 for series and tables.",
                    )
                )
            regions = np.stack([self._widened(region) for region in regions])
        return share_of_highest(maps, regions, np.ones(len(maps), dtype=np.int64))

    def _widened(self, region: np.ndarray) -> np.ndarray:
        outside = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return outside <= self.tolerance
