"""What guided backpropagation and the deconvolutional network share: other gradients for ReLUs."""

from __future__ import annotations

import abc
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import GradientExplainer, Plan, queries
from ..models.access import Notice


@dataclass(frozen=True, eq=False, kw_only=True)
class ReLUGradient(GradientExplainer, abc.ABC):
    """The gradient of the score with a rule for ReLUs; the settings of an `Explanation` say how many it reached.

    Parameters
    ----------
    reducer : `"max"` over channels, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : the size of the value; False keeps its sign.
    """

    reducer: str | None = "max"
    absolute: bool = True

    needs_layers: ClassVar[bool] = True
    answers_score: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def rule(self) -> str:
        """The name of the rule in `models.relu_rules`."""

    def decided(self) -> dict[str, Any]:
        """How many ReLUs the rule reached."""
        reached, missed = self.access.relus
        return {"relus_reached": reached, "relus_missed": missed}

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The gradient at the input, ReLUs by the rule."""
        reached, missed = self.access.relus
        if not reached:
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="the model must have ReLUs as layers, activations or operations",
                    received=f"none that can be reached, {missed} written as functions inside `call`",
                    remedy="Its rule then changes nothing: use Saliency, or IntegratedGradients.",
                )
            )
        if missed:
            warnings.warn(
                f"`{type(self).__name__}`: the rule reached {reached} ReLUs of the model and missed {missed}, "
                "written as functions inside `call`, whose gradient is the usual one.",
                Notice,
                stacklevel=2,
            )
        return self.one_gradient(layout, queries.rectified_gradient(self.rule))
