"""What all methods share that look at the derivative of the score by the input."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_choice
from ..core.layout import Layout
from . import reducers
from .explainer import Explainer
from .plan import Bound, Plan, Query

REDUCERS = ("max", "mean", "sum", "norm")


@dataclass(frozen=True, eq=False, kw_only=True)
class GradientExplainer(Explainer, abc.ABC):
    """A method whose values have the shape of the input; for images the channels of a pixel become one number.

    Parameters
    ----------
    reducer : how the channels of an image become one: `"max"`, `"mean"`, `"sum"`, `"norm"` (Euclidean), or None to keep
        them. Series and tables keep every value.
    absolute : take the size of each value before.
    """

    reducer: str | None = "sum"
    absolute: bool = False

    needs_gradients: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.reducer is not None:
            check_choice(type(self).__name__, "reducer", self.reducer, REDUCERS)
        super().__post_init__()

    def maps_of(self, values: Any, layout: Layout) -> Any:
        """Values of the shape of the inputs as maps: `(m, h, w, 1)`, `(m, h, w, c)` without a reducer."""
        if self.absolute:
            values = tf.abs(values)
        if not layout.is_image:
            return values
        if layout.channels_first:
            values = tf.transpose(values, (0, 2, 3, 1))
        if self.reducer is None:
            return values
        if self.reducer == "norm":
            return tf.norm(values, axis=-1, keepdims=True)
        reduce = {"max": tf.reduce_max, "mean": tf.reduce_mean, "sum": tf.reduce_sum}[self.reducer]
        return reduce(values, axis=-1, keepdims=True)

    def one_gradient(self, layout: Layout, ask: Query, times_input: bool = False) -> Plan:
        """The maps of the one gradient that `ask` answers, and its score."""
        channels = layout.shape[layout.channel_axis - 1] if self.reducer is None else 1
        shape = (*layout.spatial, channels) if layout.is_image else layout.shape
        maps_table, score_table = reducers.table(*shape), reducers.table()

        def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
            answered = ask(bound, operator, inputs, targets)
            gradient = answered["gradient"]
            # Here and not in the end, because maps are smaller than gradients.
            maps = self.maps_of(gradient * inputs if times_input else gradient, layout)
            return {"maps": maps, "score": answered["score"]}

        return Plan(
            count=1,
            backward=True,
            query=query,
            draw=lambda inputs, side, index: (inputs, ()),
            start=lambda inputs, side: {"maps": maps_table(inputs, side), "score": score_table(inputs, side)},
            fold=reducers.total,
            finish=reducers.as_is,
        )
