"""Metrics that train models and explain each of them."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

from .metric import Metric
from .score import Score


class TrainingMetric(Metric, abc.ABC):
    """A measure of a method by its maps of models that were trained on different data.

    There is no one model here, so that `evaluate` takes a function from a model to an explainer of it.
    """

    @abc.abstractmethod
    def evaluate(self, make_explainer: Callable[[Any], Any], /) -> Score:
        """How good is this method?

        Parameters
        ----------
        make_explainer : from a model to an explainer of it, such as the class of a method, or any function of a model
            that returns an object with `explain(inputs, targets)`.
        """
