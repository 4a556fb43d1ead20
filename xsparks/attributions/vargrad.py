"""VarGrad (Adebayo, Gilmer, Goodfellow, Kim 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Items, Plan, reducers
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
    `samples` forwards and backwards a sample (50); memory of one batch, however many copies.

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

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """How far the gradients at the copies are from the one at the first, on average and squared."""
        known = reducers.table(like=tf.bool)

        def start(inputs: Any, side: Any) -> Any:
            empty = tf.zeros_like(inputs)
            return {"known": known(inputs, side), "first": empty, "sum": empty, "square": empty}

        def fold(state: Any, items: Items, extra: Any, gradients: Any) -> Any:
            samples, number = tf.shape(state["known"])[0], tf.shape(gradients)[0]
            # Where in the batch a sample begins; beyond its end for a sample that has no item in it.
            begins = tf.math.unsorted_segment_min(tf.range(number), items.sample, samples)
            here = begins < number
            fresh = tf.reshape(here & ~state["known"], (-1, *[1] * len(layout.shape)))
            first = tf.where(fresh, tf.gather(gradients, tf.minimum(begins, number - 1)), state["first"])
            # Differences from one gradient: squares of gradients themselves would lose their variance to rounding.
            difference = gradients - tf.gather(first, items.sample)
            return {
                "known": state["known"] | here,
                "first": first,
                "sum": items.add(state["sum"], difference),
                "square": items.add(state["square"], difference**2),
            }

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            mean, square = state["sum"] / self.samples, state["square"] / self.samples
            return {"maps": self.maps_of(tf.maximum(square - mean**2, 0.0), layout)}

        return self.noisy_plan(layout, start, fold, finish)
