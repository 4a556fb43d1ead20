"""A model with the weights of some layers as they were before training, for a while, and then as it was."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np

from ..core.errors import ModelError, wording
from ..core.randomness import generator
from .access import ModelAccess
from .layers import layers_of
from .taps import TRACING, replaced

# Their weights are statistics of the data, which no training learns.
_NOT_TRAINED = (keras.layers.Normalization,)
# What the draws are for, so that no other draw of the same seed is the same.
_DRAW = 23


class WeightedLayer(NamedTuple):
    """A layer with weights of its own.

    path : dotted, as `find_layer` takes it.
    layer : itself.
    weights : the floating-point weights that are its own and no inner layer's.
    position : its number from the output down, which its random draws depend on.
    """

    path: str
    layer: Any
    weights: tuple[Any, ...]
    position: int


def weighted_layers(access: ModelAccess) -> list[WeightedLayer]:
    """The layers that have weights, from the output down, nested ones and the model's own included.

    The order is that in which they answer when the model is called, reversed; layers that are not called come last.
    Statistics of the data (`keras.layers.Normalization`) and weights that are no floating-point numbers are left out.

    Raises
    ------
    ModelError : no Keras model, or one without such weights.
    """
    model = access.model
    if not isinstance(model, keras.layers.Layer):
        raise ModelError(
            wording(
                access.where,
                expected="the model must be a Keras model, whose weights can be reached",
                received=f"a {type(model).__name__}",
                remedy="Pass the Keras model itself.",
            )
        )
    answered = _in_order_of_answer(access)
    known = [(path, layer) for path, layer in layers_of(model) if isinstance(layer, keras.layers.Layer)]
    known.append((model.name, model))
    # Stable: layers that were not called keep their order of definition, before all others.
    known.sort(key=lambda entry: answered.get(id(entry[1]), -1))
    found, seen = [], set()
    for path, layer in reversed(known):
        inner = {id(weight) for _, child in layers_of(layer) for weight in getattr(child, "weights", ())}
        own = tuple(weight for weight in layer.weights if id(weight) not in inner | seen and _is_float(weight))
        seen |= {id(weight) for weight in own}
        if own and not isinstance(layer, _NOT_TRAINED):
            found.append(WeightedLayer(path, layer, own, len(found)))
    if not found:
        raise ModelError(
            wording(
                access.where,
                expected="the model must have weights that training learns",
                received=f"none in {model.name!r}",
                remedy="Use a measure that leaves the weights alone, such as AverageStability.",
            )
        )
    return found


def _is_float(weight: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(weight.dtype)


def _in_order_of_answer(access: ModelAccess) -> dict[int, int]:
    """When each layer answers for the last time in a call of the model, by identity."""
    order: dict[int, int] = {}
    numbers = itertools.count()

    def noting(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def noted(*arguments: Any, **options: Any) -> Any:
            answer = call(*arguments, **options)
            order[id(layer)] = next(numbers)
            return answer

        return noted

    with TRACING, ExitStack() as stack:
        for layer in [access.model, *(layer for _, layer in layers_of(access.model))]:
            if isinstance(layer, keras.layers.Layer):
                stack.enter_context(replaced(layer, "call", noting(layer, layer.call)))
        access.forward(access.trial_inputs())
    return order


@contextmanager
def randomised(layers: Sequence[WeightedLayer], seed: int) -> Iterator[None]:
    """Within, these layers have new weights; after it, whatever happens, those from before, bit for bit.

    A weight is drawn by the initialiser that its layer declares for it (`kernel_initializer` for `kernel`,
    `moving_variance_initializer` for `moving_variance`, ...), with a seed made of `seed`, the layer and the weight. A
    weight without one keeps its values in a random order. Weights are assigned in place, so that functions which were
    compiled before see them.
    """
    before = [(weight, _values(weight)) for each in layers for weight in each.weights]
    try:
        for each in layers:
            for number, weight in enumerate(each.weights):
                weight.assign(_drawn(each, weight, (seed, _DRAW, each.position, number)))
        yield
    finally:
        for weight, values in before:
            weight.assign(values)


def _drawn(each: WeightedLayer, weight: Any, index: tuple[int, ...]) -> Any:
    draw = generator(*index)
    initialiser = _seeded(_declared(each.layer, weight.name), int(draw.integers(2**31)))
    if initialiser is not None:
        return initialiser(tuple(weight.shape), dtype=weight.dtype)
    values = _values(weight)
    return draw.permutation(values.reshape(-1)).reshape(values.shape)


def _values(weight: Any) -> np.ndarray:
    return np.array(weight.value.numpy())


def _declared(layer: Any, weight: str) -> Any:
    """The initialiser that a layer declares for a weight of this name, or None."""
    names = [f"{weight}_initializer", f"{weight.removesuffix('_kernel')}_initializer"]
    if weight == "kernel":
        names.append("depthwise_initializer")
    return next((getattr(layer, name) for name in names if getattr(layer, name, None) is not None), None)


def _seeded(initialiser: Any, seed: int) -> Any:
    """The same initialiser with this seed, or as it is where it draws nothing; None where it cannot be told."""
    if not isinstance(initialiser, keras.initializers.Initializer):
        return None
    config = initialiser.get_config()
    if "seed" in config:
        return type(initialiser).from_config({**config, "seed": seed})
    return initialiser if type(initialiser).__module__.startswith("keras.") else None
