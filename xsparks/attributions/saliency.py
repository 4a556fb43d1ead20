"""Saliency maps (Simonyan, Vedaldi, Zisserman 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import GradientExplainer, Plan, queries


@dataclass(frozen=True, eq=False, kw_only=True)
class Saliency(GradientExplainer):
    """Which pixels would change the score most, if each were changed a little?

    `M = max_c |df(x) / dx_c|`. One pass, so use it for a first look; the maps of deep networks are noisy, and tell
    where the score is sensitive, not what it is made of.

    Parameters
    ----------
    reducer : `"max"` over channels as published, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : the size of the gradient; False keeps its sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, score per unit of input; not negative unless `absolute=False`. `(n, t, f)` for series and
        `(n, f)` for tables.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    1 forward and 1 backward a sample.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> Saliency(lambda x: x @ tf.constant([[2.0], [-3.0]])).explain(np.ones((1, 2), "float32"), 0).values.tolist()
    [[2.0, 3.0]]

    Source
    ------
    K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models
    and Saliency Maps", ICLR workshop 2014, https://arxiv.org/abs/1312.6034
    """

    reducer: str | None = "max"
    absolute: bool = True

    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "size of the derivative of the score by the pixel"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The gradient at the input."""
        return self.one_gradient(layout, queries.score_and_gradient)
