"""What every metric has, whatever it measures."""

from __future__ import annotations

import abc
import inspect
from typing import Any, ClassVar, final

from .score import Score

_FOUND: list[type[Metric]] = []


class Metric(abc.ABC):
    """A measure of explanations.

    There are four kinds, each with a base class of its own, and one answer, a `Score`. A `MapMetric` asks the model
    about inputs that a map changes. A `MapStatistic` looks at maps alone. An `ExplainerMetric` explains again what was
    changed. A training metric trains models, and explains each.

    A class declares `better`, `"higher"` or `"lower"`; `axes`, the labels of its curve if it has one; and `exempt`,
    laws that it cannot obey, each with the reason.
    """

    better: ClassVar[str]
    axes: ClassVar[tuple[str, str]] = ("", "")
    exempt: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _FOUND.append(cls)

    @abc.abstractmethod
    def evaluate(self, subject: Any, /) -> Score:
        """The score of maps, of an explainer, or of a function from a model to an explainer."""

    @final
    def __call__(self, subject: Any, /) -> Score:
        """The same as `evaluate`."""
        return self.evaluate(subject)


def metric_classes() -> list[type[Metric]]:
    """Every concrete metric that is loaded."""
    return [cls for cls in _FOUND if not inspect.isabstract(cls) and cls.__module__.startswith("xsparks.")]
