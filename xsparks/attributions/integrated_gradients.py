"""Integrated gradients (Sundararajan, Taly, Yan 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.layout import Layout
from ..engine import GradientExplainer, Items, Plan, queries, reducers
from ..numerics.quadrature import QUADRATURES, nodes_and_weights
from ..perturbations import as_baseline


@dataclass(frozen=True, eq=False, kw_only=True)
class IntegratedGradients(GradientExplainer):
    """What does each pixel add to the difference between the score of the image and that of a baseline?

    `M = sum_c (x_c - b_c) integral_0^1 df(b + a (x - b)) / dx_c da`. The map sums to `f(x) - f(b)` (completeness), as
    far as the integral is converged: `.convergence_gap` says how far. Use it for an account of a score against a
    reference that means "nothing"; not where no such reference exists, because the map depends on it.

    Parameters
    ----------
    baseline : `b`: `"zero"`, `"middle"` of the input range, `"mean"` colour, `"blur"`, `"noise"`, a number, an array of
        the shape of a sample or of its channels, or a function of inputs.
    steps : points along the path, both ends included.
    quadrature : `"lobatto"` (exact for polynomials of degree `2 steps - 3`) or `"trapezoid"`.
    reducer : `"sum"` over channels, which keeps completeness, `"mean"`, `"max"`, `"norm"` or None.
    absolute : drop the sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, in units of the score, with a sign. `(n, t, f)` for series and `(n, f)` for tables.
        Extras: `.convergence_gap (n,)`, the sum of all values less `f(x) - f(b)`; `.baseline_score (n,)`, `f(b)`.

    Raises
    ------
    ModelError : the model has no gradients.

    Cost
    ----
    `steps` forwards and backwards a sample (32); memory of one batch.

    Departs
    -------
    Published with a Riemann sum; Lobatto's points need fewer for the same gap and have both ends, so that the gap
    costs no pass.

    Example
    -------
    >>> import numpy as np
    >>> maps = IntegratedGradients(lambda x: x[:, :1] ** 2 * x[:, 1:]).explain(np.array([[3.0, 2.0]], "float32"), 0)
    >>> maps.values.round(3).tolist(), maps.scores.tolist(), abs(maps.convergence_gap[0].round(3)).item()
    ([[12.0, 6.0]], [18.0], 0.0)

    Source
    ------
    M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1,
    https://arxiv.org/abs/1703.01365
    """

    baseline: Any = "zero"
    steps: int = 32
    quadrature: str = "lobatto"

    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "share of the pixel in the difference between the scores of the image and the baseline"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "steps", self.steps, 2, "Use 32, or more until the convergence gap is small.")
        check_choice(name, "quadrature", self.quadrature, QUADRATURES)

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Gradients along the straight path from the baseline."""
        positions, weights = (values.astype(np.float32) for values in nodes_and_weights(self.quadrature, self.steps))
        name = type(self).__name__
        baseline = as_baseline(self.baseline, layout, self.seed, self.access.input_range, name)

        def over_items(values: np.ndarray, index: Any) -> Any:
            return tf.reshape(tf.gather(values, index), (-1, *[1] * len(layout.shape)))

        def draw(inputs: Any, origin: Any, index: Any) -> tuple[Any, Any]:
            return origin + over_items(positions, index) * (inputs - origin), over_items(weights, index)

        def start(inputs: Any, origin: Any) -> Any:
            return {"gradient": tf.zeros_like(inputs), "score": reducers.table(self.steps)(inputs, origin)}

        def fold(state: Any, items: Items, weight: Any, values: Any) -> Any:
            return {
                "gradient": items.add(state["gradient"], weight * values["gradient"]),
                "score": items.put(state["score"], values["score"]),
            }

        def finish(state: Any, inputs: Any, origin: Any) -> Any:
            shares = (inputs - origin) * state["gradient"]
            total = tf.reduce_sum(shares, axis=list(range(1, len(inputs.shape))))
            return {
                "maps": self.maps_of(shares, layout),
                "convergence_gap": total - (state["score"][:, -1] - state["score"][:, 0]),
                "baseline_score": state["score"][:, 0],
                "score": state["score"][:, -1],
            }

        return Plan(
            count=self.steps,
            backward=True,
            query=queries.score_and_gradient,
            prepare=lambda inputs, side: baseline(inputs),
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
        )
