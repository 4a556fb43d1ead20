"""Insertion (Petsiuk et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import Measurement
from .stepwise import Stepwise


@dataclass(frozen=True, eq=False, kw_only=True)
class Insertion(Stepwise):
    """How fast does the score rise when only the pixels that a map calls important are shown?

    The path leads from the baseline to the image, the most important pixels first; the measure is the area under the
    score over the fraction of pixels shown. Higher is better. Read it beside `Deletion`, whose caveats it shares.

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
    The published measure starts from a blurred image: that is `baseline="blur"`; the default is that of `Deletion`.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[1.0], [0.0]]]], dtype="float32")
    >>> metric = Insertion(lambda x: x[:, 0, :, 0], images, [0], steps=2)
    >>> float(metric(np.array([[[1.0, 0.0]]]))), float(metric(np.array([[[0.0, 1.0]]])))
    (0.75, 0.25)

    Source
    ------
    V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
    section 4.2, https://arxiv.org/abs/1806.07421
    """

    better: ClassVar[str] = "higher"
    axes: ClassVar[tuple[str, str]] = ("fraction of pixels inserted", "score")

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The score on the way from the baseline to the image."""
        return (self.path(layout, inserts=True),)
