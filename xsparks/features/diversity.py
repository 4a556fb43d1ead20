"""How different are several pictures of one target?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import wording
from ..engine import Score
from ..engine.record import settings_of, versions
from ..numerics.picture_sets import mean_cosine_distance
from .picture_measure import PictureMeasure
from .visualisation import Visualisation


@dataclass(frozen=True, eq=False, kw_only=True)
class Diversity(PictureMeasure):
    """How different, to a network, are the pictures of one target from one another?

    The mean over pairs of one less the cosine of their features: 0 where all are alike. Of noise it is high as well, so
    read it beside `Plausibility`.

    Returns
    -------
    score : `Score`, one value a target, higher is more diverse

    Cost
    ----
    One forward pass a picture.

    Source
    ------
    C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill, 2017, https://doi.org/10.23915/distill.00007
    """

    def evaluate(
        self, pictures: Any, names: Sequence[str] | None = None, black_white: tuple[float, float] | None = None
    ) -> Score:
        """The score of a `Visualisation` with `variants`, or of pictures with the name of the target of each."""
        if names is None and isinstance(pictures, Visualisation):
            names = pictures.names
        features = self.features(pictures, black_white)
        given = np.array(names if names is not None else [""] * len(features))
        groups = [features[given == name] for name in dict.fromkeys(given)]
        if len(given) != len(features) or any(len(group) < 2 for group in groups):
            raise ValueError(
                wording(
                    "Diversity.evaluate",
                    expected="each target must have at least 2 pictures, each with a name",
                    received=f"{len(features)} pictures of {len(groups)} targets, {len(given)} names",
                    remedy="Make them with variants=4.",
                )
            )
        return Score.from_samples(
            np.array([mean_cosine_distance(group) for group in groups]),
            better="higher",
            metric="Diversity",
            settings=settings_of(self),
            versions=versions(),
        )
