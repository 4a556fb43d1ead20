"""Do pictures lie where photographs lie, in the eyes of a network?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core.checks import check_integer
from ..core.errors import wording
from ..engine import Score
from ..engine.record import settings_of, versions
from ..numerics.picture_sets import kernel_distance, nearest_distances, percentiles_among
from .picture_measure import PictureMeasure


@dataclass(frozen=True, eq=False, kw_only=True)
class Plausibility(PictureMeasure):
    """Could these pictures be photographs, as far as the features of a network tell?

    For each picture the distance of its features to those of the `neighbours`-th nearest photograph, as a percentile of
    the same distance among the photographs themselves: 50 is an ordinary photograph, 100 is farther off than any of
    them. With it the unbiased kernel distance between all pictures and all photographs. Compare methods by it, with the
    same photographs and network; a network that did not make the pictures is the fairer judge.

    Parameters
    ----------
    photographs : `(n, h, w, c)` in the range of the network, some hundreds
    neighbours : which nearest photograph

    Returns
    -------
    score : `Score`, the mean percentile, lower is better, `.per_sample` the percentiles, `.kernel_distance`

    Cost
    ----
    One forward pass a picture, and one a photograph the first time.

    Source
    ------
    Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022,
    https://arxiv.org/abs/2204.06507; M. Bińkowski, D. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR
    2018, https://arxiv.org/abs/1801.01401
    """

    photographs: Any
    neighbours: int = 1

    def check(self) -> None:
        """Checks the options."""
        number = check_integer("Plausibility", "neighbours", self.neighbours, 1, "Use 1.")
        if len(self.photographs) <= number:
            raise ValueError(
                wording(
                    "Plausibility(photographs=...)",
                    expected=f"there must be more than {number} photographs",
                    received=len(self.photographs),
                    remedy="Use some hundreds.",
                )
            )

    @cached_property
    def _reference(self) -> tuple[np.ndarray, np.ndarray]:
        """The features of the photographs, and their distances among themselves."""
        features = self.features(self.photographs)
        return features, nearest_distances(features, features, self.neighbours, same=True)

    def evaluate(self, pictures: Any, black_white: tuple[float, float] | None = None) -> Score:
        """The score of a `Visualisation`, or of pictures `(n, h, w, c)`.

        Parameters
        ----------
        black_white : the range of an array of pictures; None for that of the network.
        """
        features, among = self._reference
        own = self.features(pictures, black_white)
        percentiles = percentiles_among(nearest_distances(own, features, self.neighbours), among)
        extras = {"kernel_distance": np.float64(kernel_distance(own, features))} if len(own) > 1 else {}
        return Score.from_samples(
            percentiles,
            better="lower",
            metric="Plausibility",
            settings=settings_of(self),
            versions=versions(),
            extras=extras,
        )
