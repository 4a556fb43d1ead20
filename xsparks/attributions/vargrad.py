"""VarGrad (Adebayo, Gilmer, Goodfellow, Kim 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan, queries, reducers
from ..engine.session import Stages
from .noisy_gradients import NoisyGradient


@dataclass(frozen=True, eq=False, kw_only=True)
class VarGrad(NoisyGradient):
    """Where does the sensitivity of the score vary between noisy copies of the image?

    `M = max_c Var_k(df(x + e_k) / dx_c)`, `e_k` normal. Independent of the gradient at the image itself (Seo
    et al. 2018): it shows where the function is curved, and is zero for a linear model.

    Parameters
    ----------
    samples : noisy copies of the input, `K`.
    noise : standard deviation, as a fraction of the input range (declared, else of each image), in (0, 1].
    reducer : `"max"` over channels, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : changes nothing, as variances have no sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, squared score per squared unit of input; not negative.
        `(n, t, f)` for series and `(n, f)` for tables.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    `samples + 1` forwards and backwards a sample (51); memory of one batch, however many copies.

    Departs
    -------
    The noise of draw `k` is the same for all images, so that a map depends on its image alone.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> model = lambda x: x[:, :1] ** 2 + 5 * x[:, 1:]
    >>> method = VarGrad(model, samples=20, noise=0.1)
    >>> curved, straight = method.explain(np.array([[1.0, 2.0]], "float32"), 0).values[0]
    >>> bool(curved > 0), float(straight)
    (True, 0.0)

    Source
    ------
    J. Adebayo, J. Gilmer, I. Goodfellow, B. Kim, "Local Explanation Methods for Deep Neural Networks Lack Sensitivity
    to Parameter Values", 2018, https://arxiv.org/abs/1810.03307
    """

    reducer: str | None = "max"
    absolute: bool = False

    estimand: ClassVar[str] = "variance of the derivative of the score by the pixel under noise"

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The gradient at the input, and how far those at its copies are from it."""
        # Differences from one gradient: squares of gradients themselves would lose their variance to rounding.
        centre = Plan(
            count=1,
            backward=True,
            query=queries.gradient,
            draw=lambda inputs, side, index: (inputs, ()),
            start=lambda inputs, side: tf.zeros_like(inputs),
            fold=reducers.total,
            finish=reducers.as_is,
        )

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            mean, square = (total / self.samples for total in state)
            return {"maps": self.maps_of(tf.maximum(square - mean**2, 0.0), layout)}

        noisy = self.noisy_plan(
            layout,
            folded=lambda gradient, centre: (gradient - centre, (gradient - centre) ** 2),
            start=lambda inputs, side: (tf.zeros_like(inputs), tf.zeros_like(inputs)),
            finish=finish,
        )
        return centre, noisy
