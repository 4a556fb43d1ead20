"""The layer at which a network is cut in two, where the user names none."""

from __future__ import annotations

from typing import Any

import keras

from ...core.errors import ModelError, wording
from .keras_graph import graph_of


def last_cut(model: Any, where: str) -> Any:
    """Which layer answers what the last layer with weights reads?

    Parameters
    ----------
    model : Sequential or functional, nested ones included.

    Returns
    -------
    layer : such as the pooling before the dense layer of the classes.

    Raises
    ------
    ModelError : the model is subclassed, or its last layer with weights reads an input or several layers.

    Example
    -------
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="hidden"), keras.layers.Dense(2)])
    >>> last_cut(model, "cut").name
    'hidden'
    """
    tensor = graph_of(model, getattr(model, "name", "the model"), where).outputs[0]
    while True:
        # Keras' public name for where a tensor comes from is not in its documentation.
        operation, call, _ = tensor._keras_history
        if isinstance(operation, keras.Model):
            tensor = graph_of(operation, operation.name, where).outputs[0]
            continue
        sources = operation._inbound_nodes[call].input_tensors
        if len(sources) != 1:
            break
        if getattr(operation, "weights", ()):
            before = sources[0]._keras_history.operation
            if isinstance(before, keras.layers.InputLayer):
                break
            return before
        tensor = sources[0]
    raise ModelError(
        wording(
            where,
            expected="a layer must stand before the last one with weights",
            received=f"{operation.name!r} on {len(sources)} inputs",
            remedy="Name a layer, split_layer=, through which every path to the outputs leads.",
        )
    )
