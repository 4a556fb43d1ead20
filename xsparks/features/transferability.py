"""Does another network see in a picture what it was made for?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from ..engine import Score
from ..engine.record import settings_of, versions
from ..models.operators import classification
from .picture_measure import PictureMeasure


@dataclass(frozen=True, eq=False, kw_only=True)
class Transferability(PictureMeasure):
    """Does another network see in these pictures the classes that they were made for?

    `model` is the other network. A picture that fools only the network that it was made for shows that network's
    accidents; one that others recognise shows the class.

    Parameters
    ----------
    top : how many of the highest classes count as seen

    Returns
    -------
    score : `Score`, the share of pictures whose class is among the `top` highest, higher is better; `.probability`
        `(n,)`, what the network gives that class

    Cost
    ----
    One forward pass a picture.

    Source
    ------
    T. Fel, T. Boissin, V. Boutin, A. Picard, P. Novello, J. Colin, D. Linsley, T. Rousseau, R. Cadène, L. Gardes, T.
    Serre, "Unlocking feature visualization for deeper networks with MAgnitude Constrained Optimization", NeurIPS 2023,
    https://arxiv.org/abs/2306.06805
    """

    top: int = 1

    def evaluate(self, pictures: Any, targets: Any, black_white: tuple[float, float] | None = None) -> Score:
        """The score of a `Visualisation`, or of pictures `(n, h, w, c)`, for class ids `(n,)`."""
        outputs = self.outputs(pictures, black_white)
        targets = classification.resolve(np.asarray(targets), outputs, "Transferability.evaluate")
        own = np.take_along_axis(outputs, targets[:, None], axis=1)
        seen = (outputs > own).sum(axis=1) < self.top
        probability = np.take_along_axis(softmax(outputs, axis=1), targets[:, None], axis=1)[:, 0]
        return Score.from_samples(
            seen.astype(np.float64),
            better="higher",
            metric="Transferability",
            settings=settings_of(self),
            versions=versions(),
            extras={"probability": probability},
        )
