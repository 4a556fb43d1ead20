"""Complexity as the size of a compressed file (Colin, Fel et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from ..core.checks import check_integer
from ..core.errors import wording
from ..engine import MapStatistic


@dataclass(frozen=True, eq=False, kw_only=True)
class JPEGSize(MapStatistic):
    """How many bytes does it take to write a map down?

    A stand-in for the complexity of Kolmogorov, which cannot be computed: the map in 256 shades of grey, from its
    smallest value to its largest, as a JPEG. Lower is better, for a reader. The size grows with that of the map, so
    compare maps of one size.

    Parameters
    ----------
    quality : of the compression, 1 to 100.
    inputs, targets : needed where an explainer makes the maps.

    Returns
    -------
    score : a `Score` with the bytes of each map.

    Raises
    ------
    ValueError : maps that are no pictures.

    Cost
    ----
    No forward.

    Departs
    -------
    The paper does not say which quality it used.

    Example
    -------
    >>> flat, noise = np.ones((1, 32, 32)), np.random.default_rng(0).random((1, 32, 32))
    >>> float(JPEGSize()(flat)) < float(JPEGSize()(noise))
    True

    Source
    ------
    J. Colin, T. Fel, R. Cadène, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, section on why methods fail,
    https://arxiv.org/abs/2112.04417
    """

    quality: int = 90

    better: ClassVar[str] = "lower"
    exempt: ClassVar[dict[str, str]] = {"reordering": "the bytes depend on how pixels lie beside each other"}

    def check(self) -> None:
        """Checks the options."""
        check_integer("JPEGSize", "quality", self.quality, 1, "Use 90.", maximum=100)

    def measure(self, maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The bytes of each map."""
        if maps.ndim != 3:
            raise ValueError(
                wording(
                    "JPEGSize",
                    expected="maps must be pictures (n, h, w)",
                    received=f"shape {maps.shape}",
                    remedy="Use Entropy or Sparseness for series and tables.",
                )
            )
        return np.array([self._bytes(one) for one in maps.astype(np.float64)], dtype=np.float64)

    def _bytes(self, values: np.ndarray) -> int:
        span = np.ptp(values)
        shades = np.zeros_like(values) if span == 0 else (values - values.min()) / span * 255
        _, written = cv2.imencode(".jpg", np.round(shades).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return len(written)
