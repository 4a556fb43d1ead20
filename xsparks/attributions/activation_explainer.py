"""What all methods share that look at the answer of a layer laid out in space."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import tensorflow as tf

from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import Explainer, Plan, queries, reducers
from ..models.places import Place, own_places, place_of
from ..numerics.resize import enlarge


@dataclass(frozen=True, eq=False, kw_only=True)
class ActivationExplainer(Explainer, abc.ABC):
    """A method that adds up the channels of one layer, on the grid of the layer.

    Parameters
    ----------
    layer : whose answer is read: a name, a dotted path, a position, the layer itself, each name with `":1"` for the
        second call of a shared layer. None for the last one laid out in space that the outputs depend on, before
        pooling; `.settings["layer"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.
    """

    layer: Any = None
    reshape: Callable[[Any], Any] | None = None

    needs_layers: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("image", "series")

    def __post_init__(self) -> None:
        check_reshape(type(self).__name__, self.reshape)
        super().__post_init__()

    @cached_property
    def place(self) -> Place:
        """The layer that is read."""
        return chosen_place(self, self.layer, self.reshape)

    def decided(self) -> dict[str, Any]:
        """The layer that was found."""
        return {"layer": self.place.name}

    def one_pass(self, layout: Layout, combine: Callable[..., Any]) -> Plan:
        """One forward, and one backward for a method that needs gradients. `combine` makes cells `(b, rows, columns)`
        of the activations and, where they are needed, the gradients of the score by them, `(b, rows, columns, c)`.
        """
        place = self.place
        cells = reducers.table(*place.cells)
        names = ("activations", "gradients") if self.needs_gradients else ("activations",)
        ask = queries.activations_and_gradients if self.needs_gradients else queries.activations_and_score

        def query(*asked: Any) -> Any:
            answered = ask(place.name)(*asked)
            return {"cells": combine(*(place.on_grid(answered[name]) for name in names)), "score": answered["score"]}

        return Plan(
            count=1,
            backward=self.needs_gradients,
            query=query,
            draw=lambda inputs, side, index: (inputs, ()),
            start=lambda inputs, side: {"cells": cells(inputs, side), "score": reducers.table()(inputs, side)},
            fold=reducers.total,
            finish=lambda state, inputs, side: {"maps": maps_of(state["cells"], layout), "score": state["score"]},
        )


def check_reshape(where: str, reshape: Any) -> None:
    """A function, or None."""
    if reshape is not None and not callable(reshape):
        raise TypeError(
            wording(
                f"{where}(reshape={reshape!r})",
                expected="`reshape` must be a function from tokens (b, n, c) to (b, rows, columns, c)",
                received=type(reshape).__name__,
                remedy="Use lambda tokens: tf.reshape(tokens[:, 1:], (-1, rows, columns, channels)).",
            )
        )


def chosen_place(explainer: Explainer, layer: Any, reshape: Any) -> Place:
    """The layer that a user means, None for the last that counts; one that matters, if gradients are needed."""
    places = explainer.engine.places
    place = place_of(places, explainer.access, layer, reshape)
    others = [other.name for other in own_places(places) if other.reached]
    # Where no layer matters the model is constant, and a map of zeros is right.
    if explainer.needs_gradients and others and not place.reached:
        raise ModelError(
            wording(
                f"{type(explainer).__name__}(layer={layer!r})",
                expected="the outputs must depend on the places of the layer",
                received=f"{place.name}, on which they do not",
                remedy=f"The last layer that matters is {others[-1]}.",
            )
        )
    return place


def maps_of(cells: Any, layout: Layout) -> Any:
    """Cells `(m, rows, columns)` as maps on their grid, `(m, rows, columns, 1)`; those of a series, which know steps
    only, the same for all features, `(m, t, f)`.
    """
    if layout.is_image:
        return cells[..., None]
    return spread_maps(at_places(cells, layout), layout)


def spread_maps(places: Any, layout: Layout) -> Any:
    """Values over the places as maps: `(m, h, w, 1)`, and `(m, t, f)` for series, the same for all features."""
    return places[..., None] if layout.is_image else tf.repeat(places[..., None], layout.shape[1], axis=2)


def at_places(cells: Any, layout: Layout) -> Any:
    """Cells `(b, rows, columns)` by bilinear interpolation, `(b, h, w)`, or `(b, t)` for a series."""
    size = (layout.spatial[0], layout.spatial[1] if layout.is_image else 1)
    places = enlarge(cells[..., None], size, "bilinear")[..., 0]
    return places if layout.is_image else places[..., 0]


def scaled(places: Any) -> tuple[Any, Any, Any]:
    """Values over the places scaled to [0, 1], 0 everywhere if they are all equal; their lowest value and their range,
    `(b,)` each.
    """
    axes = list(range(1, len(places.shape)))
    low = tf.reduce_min(places, axis=axes, keepdims=True)
    width = tf.reduce_max(places, axis=axes, keepdims=True) - low
    return tf.math.divide_no_nan(places - low, width), tf.reshape(low, [-1]), tf.reshape(width, [-1])


def as_mask(places: Any, layout: Layout) -> Any:
    """Values over the places, as they multiply samples; those of a series count for all features."""
    return layout.spread(places) if layout.is_image else places[..., None]
