"""Deletion (Petsiuk et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import Measurement
from .stepwise import Stepwise


@dataclass(frozen=True, eq=False, kw_only=True)
class Deletion(Stepwise):
    """How fast does the score fall when the pixels that a map calls important are taken away?

    The most important pixels are replaced by a baseline first; the measure is the area under the score over the
    fraction of pixels taken away. Lower is better. Images with holes are unlike what the network was trained on, and a
    method that uses the same baseline has an advantage: compare several baselines, and read Insertion beside it.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    steps, max_fraction, baseline : the path; see `Stepwise`.
    score : `"probability"` or `"logit"`.

    Returns
    -------
    score : a `Score` with one value a sample, the curve, and the bootstrap interval of the mean.

    Cost
    ----
    `steps + 1` forwards a sample, and one for its target.

    Departs
    -------
    Equal pixels are taken in a random order fixed by `seed`, not in that of the sorting routine.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[1.0], [0.0]]]], dtype="float32")
    >>> metric = Deletion(lambda x: x[:, 0, :, 0], images, [0], steps=2)
    >>> float(metric(np.array([[[1.0, 0.0]]]))), float(metric(np.array([[[0.0, 1.0]]])))
    (0.25, 0.75)

    Source
    ------
    V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
    section 4.2, https://arxiv.org/abs/1806.07421
    """

    better: ClassVar[str] = "lower"
    axes: ClassVar[tuple[str, str]] = ("fraction of pixels deleted", "score")

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The score on the way from the image to the baseline."""
        return (self.path(layout, inserts=False),)
