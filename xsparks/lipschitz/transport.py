"""The saliency of optimal transport networks: the change that leads to the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_choice
from ..core.layout import Layout
from ..engine import Bound, Explainer, Plan, queries, reducers

REDUCERS = ("max", "mean", "sum", "norm")


@dataclass(frozen=True, eq=False, kw_only=True)
class TransportSaliency(Explainer):
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

    needs_gradients: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "change of the pixel on the way to a score of 0, in the unit of the inputs"

    def check(self) -> None:
        """Checks the options."""
        if self.reducer is not None:
            check_choice(type(self).__name__, "reducer", self.reducer, REDUCERS)

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """One gradient, and its length."""
        channels = layout.shape[layout.channel_axis - 1] if self.reducer is None else 1
        shape = (*layout.spatial, channels) if layout.is_image else layout.shape
        maps_table, score_table = reducers.table(*shape), reducers.table()

        def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
            answered = queries.score_and_gradient(bound, operator, inputs, targets)
            change = to_zero(answered["score"], answered["gradient"])
            return {"maps": self._reduced(change, layout), "score": answered["score"]}

        return Plan(
            count=1,
            backward=True,
            query=query,
            draw=lambda inputs, side, index: (inputs, ()),
            start=lambda inputs, side: {"maps": maps_table(inputs, side), "score": score_table(inputs, side)},
            fold=reducers.total,
            finish=reducers.as_is,
        )

    def _reduced(self, change: Any, layout: Layout) -> Any:
        change = tf.abs(change) if self.absolute else change
        if not layout.is_image:
            return change
        if layout.channels_first:
            change = tf.transpose(change, (0, 2, 3, 1))
        if self.reducer is None:
            return change
        if self.reducer == "norm":
            return tf.norm(change, axis=-1, keepdims=True)
        reduce = {"max": tf.reduce_max, "mean": tf.reduce_mean, "sum": tf.reduce_sum}[self.reducer]
        return reduce(change, axis=-1, keepdims=True)


def to_zero(score: Any, gradient: Any) -> Any:
    """`f g / |g|^2`, of the shape of the gradient; 0 where the gradient is 0."""
    flat = tf.reshape(gradient, (tf.shape(gradient)[0], -1))
    share = tf.math.divide_no_nan(tf.cast(score, flat.dtype), tf.reduce_sum(flat**2, axis=1))
    return gradient * tf.reshape(share, (-1, *[1] * (len(gradient.shape) - 1)))
