"""What all methods share that look at the derivative of the score by the input."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_choice
from ..core.layout import Layout
from ..engine import Explainer, reducers

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


def score_and_values(inputs: Any, side: Any) -> dict[str, Any]:
    """A start for methods of one gradient: its score and its values."""
    return {"score": reducers.table()(inputs, side), "gradient": tf.zeros_like(inputs)}
