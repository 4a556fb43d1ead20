"""The options that EVA and its hybrid share: the box, the cells, and what a model must be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import Explainer
from ..models.operators import OPERATORS
from ..models.output_operator import outputs_in_words
from ..perturbations.masks import cell_of_place

VARIANTS = ("freeze", "release")
BOXES = ("clipped", "symmetric", "remove", "add")
REMEDY = "Use a method that needs no layer, such as SobolAttribution."


def check_box(explainer: Any) -> None:
    """Checks `epsilon`, `grid_size`, `variant`, `box`, `value_range` and `attack_steps`."""
    name = type(explainer).__name__
    if explainer.epsilon != "auto":
        if isinstance(explainer.epsilon, str):
            check_choice(name, "epsilon", explainer.epsilon, ("auto",))
        check_number(name, "epsilon", explainer.epsilon, 1e-30, remedy="Use 'auto', or .1 for pixels in [0, 1].")
    for cells in explainer.grid_size if isinstance(explainer.grid_size, tuple) else (explainer.grid_size,):
        check_integer(name, "grid_size", cells, 1, "Use 12.")
    check_choice(name, "variant", explainer.variant, VARIANTS)
    check_choice(name, "box", explainer.box, BOXES)
    check_integer(name, "attack_steps", explainer.attack_steps, 1, "Use 30.")
    valid = explainer.value_range
    if isinstance(valid, str):
        check_choice(name, "value_range", valid, ("input",))
        return
    ends = [check_number(name, "value_range", end, remedy="Use (0, 1).") for end in valid]
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError(
            wording(
                f"{name}(value_range={valid!r})",
                expected="`value_range` must be (low, high)",
                received=repr(valid),
                remedy="Use (0, 1) for pixels from 0 to 1.",
            )
        )


def check_classifier(explainer: Explainer, outputs: Any) -> None:
    """Whether there are margins between classes."""
    if not hasattr(outputs, "shape") or len(outputs.shape) != 2 or (outputs.shape[1] or 0) < 2:
        expected, received = "the model must decide between at least 2 classes", outputs_in_words(outputs)
    elif explainer.engine.operator is not OPERATORS["classification"]:
        expected = "the overlap is one of margins between classes, operator='classification'"
        received = f"operator={explainer.operator!r}"
    else:
        return
    raise ModelError(wording(type(explainer).__name__, expected=expected, received=received, remedy=REMEDY))


def valid_range(explainer: Any) -> Any:
    """The valid range `(low, high)`, `"input"` for that of the values of each input, None for any value."""
    if explainer.box == "symmetric":
        return None
    return explainer.value_range if explainer.value_range != "input" else explainer.access.input_range or "input"


def direction(explainer: Any) -> str:
    """In which direction values may change."""
    return explainer.box if explainer.box in ("remove", "add") else "both"


def cells_of_places(grid: tuple[int, ...], layout: Layout) -> np.ndarray:
    """The number of the cell of every place, of a shape that broadcasts to a sample."""
    numbers = np.arange(int(np.prod(grid)), dtype=np.int32).reshape(grid)
    for axis, size in enumerate(layout.spatial):
        numbers = numbers.take(cell_of_place(size, grid[axis]), axis=axis)
    return layout.spread(numbers[None])[0]
