"""What RobustnessSr and RobustnessNotSr share: the shortest change of some pixels that changes the decision."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import MapMetric, Measurement
from ..models.output_operator import outputs_in_words
from .shortest_change import ShortestChange

_OF_THE_SEARCH = (
    *("levels", "attack_steps", "step_size", "bisections", "tolerance", "start_radius", "loss", "value_range", "seed"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Robustness(MapMetric, abc.ABC):
    """The length of the shortest change of some pixels, chosen by a map, that changes what the model decides.

    Parameters
    ----------
    levels : which fractions of the pixels, the most important first, are relevant; rising, in (0, 1).
    attack_steps : steps of projected gradient descent within each radius.
    step_size : the length of a step, in units of the radius divided by `attack_steps`.
    bisections : of the radius, at most, once it is bracketed.
    tolerance : the radius is known well enough when it is bracketed to this fraction of itself, in (0, 1].
    start_radius : the first radius, in the unit of the inputs; None takes what would do if the model were linear.
    loss : what descends: `"margin"`, the score of the class less that of the next, or `"score"`, that of the class.
    value_range : what a pixel may be: `(low, high)`, `"input"` for the input range (declared, else of each image), or
        None for any value.
    """

    levels: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
    attack_steps: int = 20
    step_size: float = 2.5
    bisections: int = 8
    tolerance: float = 0.01
    start_radius: float | None = None
    loss: str = "margin"
    value_range: tuple[float, float] | str | None = "input"

    axes: ClassVar[tuple[str, str]] = ("fraction of pixels that are relevant", "distance to another decision")
    needs_gradients: ClassVar[bool] = True

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        levels = [check_number(name, "levels", level, 1e-6, 1 - 1e-6, "Use (0.1, 0.2, 0.3).") for level in self.levels]
        if not levels or (np.diff(levels) <= 0).any():
            self._refuse("levels", "fractions that rise", self.levels, "Use (0.1, 0.2, 0.3).")
        check_integer(name, "attack_steps", self.attack_steps, 1, "Use 20.")
        check_number(name, "step_size", self.step_size, 1e-3, 1e3, "Use 2.5.")
        check_integer(name, "bisections", self.bisections, 1, "Use 8.")
        check_number(name, "tolerance", self.tolerance, 1e-6, 1.0, "Use .01.")
        if self.start_radius is not None:
            check_number(name, "start_radius", self.start_radius, 1e-12, remedy="Leave it out to have it estimated.")
        check_choice(name, "loss", self.loss, ("margin", "score"))
        if isinstance(self.value_range, str):
            check_choice(name, "value_range", self.value_range, ("input",))
        elif self.value_range is not None:
            ends = [check_number(name, "value_range", end, remedy="Use (0, 1).") for end in self.value_range]
            if len(ends) != 2 or ends[0] >= ends[1]:
                self._refuse("value_range", "(low, high)", self.value_range, "Use (0, 1) for pixels from 0 to 1.")

    def _refuse(self, option: str, expected: str, received: Any, remedy: str) -> None:
        where = f"{type(self).__name__}({option}={received!r})"
        raise ValueError(
            wording(where, expected=f"`{option}` must be {expected}", received=repr(received), remedy=remedy)
        )

    def shortest_change(self, layout: Layout, outputs: Any, relevant: bool) -> Measurement:
        """The length of the shortest change of the relevant pixels, or of the others, at each level."""
        if not hasattr(outputs, "shape") or len(outputs.shape) != 2 or (outputs.shape[1] or 0) < 2:
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="the model must decide between at least 2 classes",
                    received=outputs_in_words(outputs),
                    remedy="A sigmoid unit is two classes where it is the model's last layer.",
                )
            )
        options: dict[str, Any] = {name: getattr(self, name) for name in _OF_THE_SEARCH}
        options["levels"] = tuple(float(level) for level in self.levels)
        search = ShortestChange(layout=layout, relevant=relevant, input_range=self.access.input_range, **options)
        key = ("shortest change", relevant, *options.values())
        return Measurement(key, (search.opening(), search.loop()))

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        """The distances `(m, levels)`, and where none was found."""
        found = answers[0]
        if (found["length"] > 0).all():
            return {"distance": found["distance"], "failed": found["failed"]}
        raise ValueError(
            wording(
                type(self).__name__,
                expected="no image may be zero everywhere, as distances are limited by the length of the image",
                received="an image of zeros",
                remedy="Leave it out.",
            )
        )

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The mean over the levels, and the curve over them."""
        curve = np.asarray(values["distance"], dtype=np.float64)
        return curve.mean(axis=1), (np.asarray(self.levels, dtype=np.float64), curve)

    def extras(self, values: Any) -> dict[str, Any]:
        """At how many levels of each sample no change was found, `failures` `(n,)`."""
        return {"failures": values["failed"].sum(axis=1).astype(np.int64)}
