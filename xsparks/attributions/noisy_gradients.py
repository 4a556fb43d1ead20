"""What SmoothGrad, SquareGrad and VarGrad share: gradients at noisy copies of the input."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.checks import check_integer, check_number
from ..core.layout import Layout
from ..engine import GradientExplainer, Plan, queries
from ..perturbations.noise import input_width, normal_noise


@dataclass(frozen=True, eq=False, kw_only=True)
class NoisyGradient(GradientExplainer, abc.ABC):
    """A statistic of the gradients at `x + e`, `e` normal.

    Parameters
    ----------
    samples : noisy copies.
    noise : standard deviation, as a fraction of the input range, in (0, 1].
    """

    samples: int = 50
    noise: float = 0.2

    deterministic: ClassVar[bool] = False

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "samples", self.samples, 1, "Use 50.")
        check_number(name, "noise", self.noise, 1e-6, 1.0, "Use .1 to .2, a fraction of the input range.")

    @abc.abstractmethod
    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The gradients and their statistic."""

    def noisy_plan(self, layout: Layout, start: Any, fold: Any, finish: Any) -> Plan:
        """Gradients at noisy copies, and the statistic of them."""

        def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            deviation = self.noise * input_width(inputs, self.access.input_range)
            return inputs + deviation * normal_noise(layout, self.seed, index), ()

        return Plan(
            count=self.samples,
            backward=True,
            query=queries.gradient,
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
        )
