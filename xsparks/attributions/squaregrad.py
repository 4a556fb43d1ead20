"""SquareGrad (Hooker, Erhan, Kindermans, Kim 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan
from .noisy_gradients import NoisyGradient


@dataclass(frozen=True, eq=False, kw_only=True)
class SquareGrad(NoisyGradient):
    """Where is the score sensitive, in whatever direction, at this image and its noisy copies?

    `M = max_c 1/K sum_k (df(x + e_k) / dx_c)^2`, `e_k` normal. Gradients that change their sign do not cancel, which
    ranks pixels better than SmoothGrad on photographs (Hooker et al.).

    Parameters
    ----------
    samples : noisy copies of the input, `K`.
    noise : standard deviation, as a fraction of the input range (declared, else of each image), in (0, 1].
    reducer : `"max"` over channels, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : changes nothing, as squares have no sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, squared score per squared unit of input; not negative.
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
    >>> method = SquareGrad(model, samples=20, noise=0.1)
    >>> method.explain(np.array([[1.0, 2.0]], "float32"), 0).values.round(3).tolist()
    [[4.0, 9.0]]

    Source
    ------
    S. Hooker, D. Erhan, P. Kindermans, B. Kim, "A Benchmark for Interpretability Methods in Deep Neural Networks",
    NeurIPS 2019, https://arxiv.org/abs/1806.10758
    """

    reducer: str | None = "max"
    absolute: bool = False

    estimand: ClassVar[str] = "mean squared derivative of the score by the pixel under noise"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The mean square of the gradient."""
        return self.noisy_plan(
            layout,
            start=lambda inputs, side: tf.zeros_like(inputs),
            fold=lambda state, items, extra, gradients: items.add(state, gradients**2),
            finish=lambda state, inputs, side: {"maps": self.maps_of(state / self.samples, layout)},
        )
