"""Wrapping a layer's call for the length of one trace.

A tap works where cutting a graph does not: in nested, Sequential and subclassed models. The wrapped method is an
attribute of the instance that hides the class's own; it is removed in `finally`, whatever happens.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from .layers import layers_of

# Traces of one process share the layers they wrap.
TRACING = threading.RLock()


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """`owner.name` is `value` within the block and what it was before after it."""
    own = name in vars(owner)
    before = vars(owner).get(name)
    # Keras tracks what is set on a layer; this must stay unseen.
    object.__setattr__(owner, name, value)
    try:
        yield
    finally:
        if own:
            object.__setattr__(owner, name, before)
        else:
            object.__delattr__(owner, name)


@contextmanager
def tapped(layer: Any, call: int, change: Callable[[Any], Any], replace: bool = False) -> Iterator[list[Any]]:
    """The outputs of a layer go through `change`; the list holds what came out of the tapped call.

    Parameters
    ----------
    call : which call of a shared layer; the others are left as they are.
    replace : do not call the layer at all where its output is replaced.
    """
    original = layer.call
    outputs: list[Any] = []
    calls = [0]

    @functools.wraps(original)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        current = calls[0]
        calls[0] += 1
        if current != call:
            return original(*arguments, **options)
        outputs.append(change(None if replace else original(*arguments, **options)))
        return outputs[-1]

    with TRACING, replaced(layer, "call", wrapper):
        yield outputs


ACTIVATIONS = ("softmax", "sigmoid")


def final_activation_of(layer: Any) -> str | None:
    """The softmax or sigmoid that a layer applies last, or is; None for neither."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    if isinstance(layer, keras.Operation) and not hasattr(layer, "activation"):
        name = type(layer).__name__.lower()
    return name if name in ACTIVATIONS else None


class FinalActivation:
    """Finds the softmax or sigmoid that makes a model's output, in the same trace that calls the model.

    Every layer that applies one is wrapped so that it notes its input and output. If the model's output *is* one of
    the noted outputs, the logit is the noted input; the activation itself is then unused and pruned from the graph.
    """

    def __init__(self) -> None:
        self._noted: list[tuple[str, Any, Any]] = []

    @contextmanager
    def watching(self, model: Any) -> Iterator[FinalActivation]:
        """Notes the activations within the block."""
        with TRACING, ExitStack() as stack:
            for _, layer in layers_of(model):
                name = final_activation_of(layer)
                if name is not None:
                    place = "activation" if hasattr(layer, "activation") else "call"
                    stack.enter_context(replaced(layer, place, self._noting(name, getattr(layer, place))))
            yield self

    def _noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def noting(inputs: Any, *arguments: Any, **options: Any) -> Any:
            outputs = function(inputs, *arguments, **options)
            self._noted.append((name, inputs, outputs))
            return outputs

        return noting

    def logits_of(self, output: Any) -> tuple[str | None, Any]:
        """The name of the activation that made `output` (None if none did) and its input."""
        for name, before, after in self._noted:
            if after is output:
                return name, before
        return None, output


def gradient_is_cut(tape: tf.GradientTape, outputs: Any, inputs: Any) -> bool:
    """Whether no output depends on the inputs."""
    gradients = tape.gradient(outputs, tf.nest.flatten(inputs))
    return all(gradient is None for gradient in gradients)
