"""Expected gradients (Erion, Janizek, Sturmfels, Lundberg, Lee 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import GradientExplainer, Items, Plan, queries


@dataclass(frozen=True, eq=False, kw_only=True)
class ExpectedGradients(GradientExplainer):
    """What does each pixel add to the score, compared with typical images instead of one baseline?

    `M = E[sum_c (x_c - x'_c) df(x' + a (x - x')) / dx_c]`, the mean over references `x'` and `a` uniform in [0, 1]. In
    expectation the map sums to `f(x) - E f(x')`. Use it where no single baseline means "nothing".

    Parameters
    ----------
    references : `(r, h, w, c)`, images such as the training data; held in memory.
    samples : draws of a reference and a position on the path; references are used equally often, each at positions
        spread over the path.
    reducer : `"sum"` over channels, `"mean"`, `"max"`, `"norm"` or None.
    absolute : drop the sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, in units of the score, with a sign. `(n, t, f)` for series and `(n, f)` for tables.

    Raises
    ------
    ValueError : no references, or of another shape than the inputs.
    ModelError : the model has no gradients.

    Cost
    ----
    `samples` forwards and backwards a sample (64).

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> references = np.array([[0.0, 0.0], [2.0, 4.0]], "float32")
    >>> method = ExpectedGradients(lambda x: x @ tf.constant([[1.0], [10.0]]), references=references)
    >>> method.explain(np.array([[3.0, 3.0]], "float32"), 0).values.round(4).tolist()
    [[2.0, 10.0]]

    Source
    ------
    G. Erion, J. Janizek, P. Sturmfels, S. Lundberg, S. Lee, "Improving performance of deep learning models with
    axiomatic attribution priors and expected gradients", Nature Machine Intelligence 2021, https://arxiv.org/abs/1906.10670
    """

    references: Any = None
    samples: int = 64

    estimand: ClassVar[str] = "share of the pixel in the difference between the score of the image and of references"
    deterministic: ClassVar[bool] = False

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "samples", self.samples, 1, "Use 64.")
        if self.references is None or np.ndim(self.references) < 2 or len(self.references) == 0:
            raise ValueError(
                wording(
                    f"{name}(references=...)",
                    expected="`references` must be an array (r, ...) of at least one sample",
                    received="None" if self.references is None else f"shape {np.shape(self.references)}",
                    remedy="Pass some images of the training data, such as references=images[:50].",
                )
            )

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Gradients between the input and the references."""
        references = np.asarray(self.references, np.float32)
        if references.shape[1:] != layout.shape or not np.isfinite(references).all():
            raise ValueError(
                wording(
                    f"{type(self).__name__}(references=...)",
                    expected=f"`references` must be finite samples of shape {layout.shape}",
                    received=f"shape {references.shape[1:]}"
                    if references.shape[1:] != layout.shape
                    else "NaN or infinity",
                    remedy="Prepare them as the inputs are.",
                )
            )
        chosen, positions = stratified_draws(len(references), self.samples, generator(self.seed, 21))

        def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            reference = tf.gather(references, tf.gather(chosen, index))
            position = tf.reshape(tf.gather(positions, index), (-1, *[1] * len(layout.shape)))
            return reference + position * (inputs - reference), inputs - reference

        def fold(state: Any, items: Items, difference: Any, values: Any) -> Any:
            return items.add(state, difference * values)

        return Plan(
            count=self.samples,
            backward=True,
            query=queries.gradient,
            draw=draw,
            start=lambda inputs, side: tf.zeros_like(inputs),
            fold=fold,
            finish=lambda state, inputs, side: {"maps": self.maps_of(state / self.samples, layout)},
        )


def stratified_draws(references: int, samples: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which reference and which position on the path each draw takes: every reference about equally often, and its
    positions spread evenly over [0, 1]; each position alone is uniform.
    """
    uses = -(-samples // references)
    chosen = np.concatenate([random.permutation(references) for _ in range(uses)])[:samples]
    strata = np.stack([random.permutation(uses) for _ in range(references)])
    positions = (strata[chosen, np.arange(samples) // references] + random.random(samples)) / uses
    return chosen.astype(np.int32), positions.astype(np.float32)
