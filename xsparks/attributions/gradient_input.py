"""Gradient times input (Shrikumar, Greenside, Shcherbina, Kundaje 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import GradientExplainer, Plan, queries


@dataclass(frozen=True, eq=False, kw_only=True)
class GradientInput(GradientExplainer):
    """How much does each pixel add to the score, to first order?

    `M = sum_c x_c df(x) / dx_c`. For a network of ReLUs without biases the map sums to the score. Not for inputs whose
    zero means something: a black pixel gets nothing, whatever the model makes of it.

    Parameters
    ----------
    reducer : `"sum"` over channels, `"mean"`, `"max"`, `"norm"` or None.
    absolute : drop the sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, in units of the score, with a sign. `(n, t, f)` for series and `(n, f)` for tables.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    1 forward and 1 backward a sample.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> model = lambda x: x @ tf.constant([[2.0], [-3.0]])
    >>> GradientInput(model).explain(np.array([[5.0, 1.0]], "float32"), 0).values.tolist()
    [[10.0, -3.0]]

    Source
    ------
    A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, "Not Just a Black Box: Learning Important Features Through
    Propagating Activation Differences", 2016, https://arxiv.org/abs/1605.01713
    """

    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "input times the derivative of the score by it"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The gradient at the input, times the input."""
        return self.one_gradient(layout, queries.score_and_gradient, times_input=True)
