"""A constrained network as one of plain Keras."""

from __future__ import annotations

from typing import Any

import keras

from ..core.errors import ModelError, wording
from ..models.bounds.keras_graph import is_functional


def vanilla_model(model: Any) -> Any:
    """How do I serve a 1-Lipschitz network without the layers that constrained it?

    Every constrained layer becomes the layer of Keras that computes the same, as its `vanilla_export` makes it, and
    all others are copied: quicker, and free of deel-lip where no activation or pooling of it is left. The constraint
    is no longer kept in training.

    Parameters
    ----------
    model : a Sequential or functional network, nested or not; it stays as it is.

    Returns
    -------
    exported : a network of its own, with the same names of layers and the same answers.

    Raises
    ------
    ModelError : a subclassed model.

    Example
    -------
    >>> from xsparks.lipschitz import SpectralDense
    >>> model = keras.Sequential([keras.Input((4,)), SpectralDense(3), SpectralDense(2)])
    >>> [type(layer).__name__ for layer in vanilla_model(model).layers]
    ['Dense', 'Dense']
    """
    if not isinstance(model, keras.Sequential) and not is_functional(model):
        raise ModelError(
            wording(
                "vanilla_model",
                expected="the model must be a Sequential or functional Keras model, whose layers can be replaced",
                received=type(model).__name__,
                remedy="Call vanilla_export() of its layers, and put them into a model of your own.",
            )
        )
    copies: list[tuple[Any, Any]] = []

    def replaced(layer: Any) -> Any:
        if hasattr(layer, "vanilla_export"):
            return layer.vanilla_export()
        copy = type(layer).from_config(layer.get_config())
        copies.append((layer, copy))
        return copy

    exported = keras.models.clone_model(model, clone_function=replaced, recursive=True)
    for layer, copy in copies:
        copy.set_weights(layer.get_weights())
    return exported
