"""The saliency of optimal transport networks: the change that leads to the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Bound, GradientExplainer, Plan, queries


@dataclass(frozen=True, eq=False, kw_only=True)
class TransportSaliency(GradientExplainer):
    """By how much would each pixel change on the way to where the score is 0?

    `M = f(x) g / |g|^2` with the score f and its gradient g, the change `x - x'` that a linear function needs for
    `f(x') = 0`. In a 1-Lipschitz network trained with `HKR` or `SoftHKR` the gradient has norm 1 almost everywhere and
    is the direction in which optimal transport moves the image to the other class, so that this is `f(x) g`, the map of
    the paper, and `x - M` lies at the boundary. On other networks the map is that of `Saliency`, scaled, and leads
    nowhere.

    Parameters
    ----------
    reducer : how the channels of a pixel become one number: `"max"` as in the paper's figures, `"mean"`, `"sum"`,
        `"norm"`, or None to keep them.
    absolute : the size of the change; False keeps its sign, positive where a pixel would fall.

    Returns
    -------
    maps : `(n, h, w, 1)`, in the unit of the inputs.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    1 forward and 1 backward a sample.

    Example
    -------
    >>> import numpy as np
    >>> found = TransportSaliency(lambda x: x @ tf.constant([[3.0], [4.0]])).explain(np.ones((1, 2), "float32"), 0)
    >>> found.values.round(2).tolist()
    [[0.84, 1.12]]

    Source
    ------
    M. Serrurier, F. Mamalet, T. Fel, L. Béthune, T. Boissin, "On the explainable properties of 1-Lipschitz Neural
    Networks: An Optimal Transport Perspective", NeurIPS 2023, propositions 1 and 2, https://arxiv.org/abs/2206.06854
    """

    reducer: str | None = "max"
    absolute: bool = True

    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "change of the pixel on the way to a score of 0, in the unit of the inputs"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """One gradient, and its length."""
        return self.one_gradient(layout, _change)


def _change(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    """The change that leads to a score of 0, and the score."""
    answered = queries.score_and_gradient(bound, operator, inputs, targets)
    return {**answered, "gradient": to_zero(answered["score"], answered["gradient"])}


def to_zero(score: Any, gradient: Any) -> Any:
    """`f g / |g|^2`, of the shape of the gradient; 0 where the gradient is 0."""
    flat = tf.reshape(gradient, (tf.shape(gradient)[0], -1))
    share = tf.math.divide_no_nan(tf.cast(score, flat.dtype), tf.reduce_sum(flat**2, axis=1))
    return gradient * tf.reshape(share, (-1, *[1] * (len(gradient.shape) - 1)))
