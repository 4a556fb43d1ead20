"""What would make a photograph excite a unit more (Hamblin et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .canvas import Canvas
from .maco_canvas import MACOCanvas
from .visualiser import Visualiser


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureAccentuation(Visualiser):
    """Which features of this photograph speak for a unit, drawn stronger in the photograph itself?

    The picture begins as the photograph, and the waves that it consists of shift until the objective is higher; their
    magnitudes stay. `near` names a layer in which each crop of the picture shall stay near the same crop of the
    photograph: the mean of `L(tau(x)) - nearness |g(tau(x)) - g(tau(x0))|^2 / |g(tau(x0))|^2` over crops `tau` climbs.
    Targets are those of `MACO`, and `inputs` the photographs, of any size, which the pictures then have.

    Parameters
    ----------
    near : a layer, or None for none; layers near the input keep the photograph's looks, deep ones its meaning
    nearness : the weight of the distance, in units of the objective; with logits of some tens 1 is little

    Returns
    -------
    seen : `Visualisation`

    Cost
    ----
    `steps * crops` forward and backward passes a target, and as many forward passes more where `near` is given.

    Departs
    -------
    Magnitudes are fixed wholly, where the published code lets them shrink a little; the weight of the distance is given
    and not derived from the norms of gradients. Pixels within a hundredth of black or white move to that distance.

    Example
    -------
    >>> from xsparks.datasets import shapes
    >>> import numpy as np
    >>> pictures = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    >>> method = FeatureAccentuation(shapes.load_model(), steps=2, crops=2, near="block2")
    >>> method.explain(pictures, targets=3).images.shape
    (1, 64, 64, 3)

    Source
    ------
    C. Hamblin, T. Fel, S. Saha, T. Konkle, G. Alvarez, "Feature accentuation: revealing 'what' features respond to in
    natural images", 2024, https://arxiv.org/abs/2402.10039
    """

    steps: int = 100
    crops: int = 16
    crop_size: Any = (0.5, 0.5)
    crop_spread: float = 0.15

    def canvas_of(self) -> Canvas:
        """That of pictures without a photograph."""
        return MACOCanvas()
