"""SmoothGrad (Smilkov, Thorat, Kim, Viégas, Wattenberg 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan, reducers
from .noisy_gradients import NoisyGradient


@dataclass(frozen=True, eq=False, kw_only=True)
class SmoothGrad(NoisyGradient):
    """Which pixels would change the score of this image and of noisy copies of it?

    `M = max_c |1/K sum_k df(x + e_k) / dx_c|`, `e_k` normal. The mean over copies removes the noise of Saliency. Use it
    for sensitivity; the map knows nothing of how much of the pixel there is.

    Parameters
    ----------
    samples : noisy copies of the input, `K`.
    noise : standard deviation, as a fraction of the input range (declared, else of each image), in (0, 1].
    reducer : `"max"` over channels, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : the size of the mean gradient, as published pictures show; False keeps its sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, score per unit of input; not negative unless `absolute=False`.
        `(n, t, f)` for series and `(n, f)` for tables.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    `samples` forwards and backwards a sample (50); memory of one batch, however many copies.

    Departs
    -------
    The noise of draw `k` is the same for all images, so that a map depends on its image alone.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> model = lambda x: x @ tf.constant([[2.0], [-3.0]])
    >>> method = SmoothGrad(model, samples=20, noise=0.1)
    >>> method.explain(np.array([[1.0, 2.0]], "float32"), 0).values.round(3).tolist()
    [[2.0, 3.0]]

    Source
    ------
    D. Smilkov, N. Thorat, B. Kim, F. Viégas, M. Wattenberg, "SmoothGrad: removing noise by adding noise", 2017,
    https://arxiv.org/abs/1706.03825
    """

    reducer: str | None = "max"
    absolute: bool = True

    estimand: ClassVar[str] = "size of the mean derivative of the score by the pixel under noise"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The mean gradient."""
        return self.noisy_plan(
            layout,
            start=lambda inputs, side: tf.zeros_like(inputs),
            fold=reducers.total,
            finish=lambda state, inputs, side: {"maps": self.maps_of(state / self.samples, layout)},
        )
