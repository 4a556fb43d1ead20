"""Numbers that change from the first step to the last."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import wording

Schedule = float | Sequence[float] | Callable[[float], float]


def as_steps(schedule: Any, steps: int, where: str, name: str, minimum: float, maximum: float) -> np.ndarray:
    """The value of each step, `(steps,)` float32: of a number, a pair (first, last), or a function of the progress.

    All values are computed here, so that a function that answers with Python numbers costs no new trace.

    Parameters
    ----------
    schedule : a number, (first, last) with equal steps between them, or a function from the progress, 0 at the first
        step and 1 at the last, to a number
    minimum, maximum : of the values

    Raises
    ------
    TypeError : something else.
    ValueError : a value that is out of range or not finite.

    Example
    -------
    >>> as_steps((0.5, 0.1), 3, "MACO", "crop_size", 0, 1).round(2).tolist()
    [0.5, 0.3, 0.1]
    """
    progress = np.linspace(0, 1, steps)
    if isinstance(schedule, numbers.Real) and not isinstance(schedule, bool):
        values = np.full(steps, float(schedule))
    elif callable(schedule):
        function: Callable[[float], Any] = schedule
        values = np.array([float(function(float(each))) for each in progress])
    elif isinstance(schedule, Sequence) and not isinstance(schedule, str) and len(schedule) == 2:
        values = np.linspace(float(schedule[0]), float(schedule[1]), steps)
    else:
        raise TypeError(
            wording(
                f"{where}({name}={schedule!r})",
                expected=f"`{name}` must be a number, a pair (first, last) or a function of the progress",
                received=repr(schedule),
                remedy="A function gets a number from 0 to 1 and answers with one.",
            )
        )
    outside = ~((values >= minimum) & (values <= maximum))
    if outside.any():
        raise ValueError(
            wording(
                f"{where}({name}=...)",
                expected=f"`{name}` must lie in [{minimum:g}, {maximum:g}] at every step",
                received=f"{values[outside][0]:g} at step {int(np.argmax(outside))}",
                remedy="Look at the first and the last step.",
            )
        )
    return values.astype(np.float32)
