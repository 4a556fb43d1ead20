"""Other gradients for ReLUs, swapped in while a model is traced; weights stay where they are.

The derivative of `relu(x)` passes a gradient `g` on where `x > 0`. Two rules change that:

- `"guided"`: where `x > 0` and `g > 0`;
- `"deconv"`: where `g > 0`, whatever `x` is.

A ReLU is reached in every layer that has it as its `activation`, is one (`ReLU`, `Activation("relu")`), or is the
operation `keras.ops.relu` of a functional graph. One that is written as a function inside a layer's `call` is not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from .layers import layers_of
from .taps import TRACING, replaced

RULES = ("guided", "deconv")
_RELUS = {"relu", "relu6"}
_RELU_OPERATIONS = {"Relu", "Relu6"}


@contextmanager
def ruled(model: Any, rule: str) -> Iterator[int]:
    """Within the block every reachable ReLU of the model has the gradient of the rule; yields how many layers do."""
    with TRACING, ExitStack() as stack:
        reached = _relu_places(model)
        for layer, place in reached:
            stack.enter_context(replaced(layer, place, _with_rule(getattr(layer, place), rule)))
        yield len(reached)


def count_relus(model: Any, call: Callable[[], Any]) -> tuple[int, int]:
    """How many calls of a ReLU a rule reaches when the model is called, and how many it does not."""
    reached = [0]

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*arguments: Any, **options: Any) -> Any:
            reached[0] += 1
            return function(*arguments, **options)

        return counted

    with TRACING, ExitStack() as stack:
        for layer, place in _relu_places(model):
            stack.enter_context(replaced(layer, place, counting(getattr(layer, place))))
        with tf.__internal__.FuncGraph("relus").as_default() as graph:
            call()
        total = sum(operation.type in _RELU_OPERATIONS for operation in graph.get_operations())
    return reached[0], max(0, total - reached[0])


def _relu_places(model: Any) -> list[tuple[Any, str]]:
    """The layers that apply a ReLU, and the attribute that does."""
    found = []
    for _, layer in layers_of(model):
        activation = getattr(layer, "activation", None)
        if callable(activation):
            if getattr(activation, "__name__", "") in _RELUS:
                found.append((layer, "activation"))
        elif isinstance(layer, keras.layers.ReLU):
            # A leaky one lets negative gradients of negative inputs through: the rules have no meaning for it.
            if not layer.negative_slope and not layer.threshold:
                found.append((layer, "call"))
        elif isinstance(layer, keras.Operation) and type(layer).__name__.lower() in _RELUS:
            found.append((layer, "call"))
    return found


def _with_rule(function: Callable[..., Any], rule: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def with_rule(inputs: Any, *arguments: Any, **options: Any) -> Any:
        @tf.custom_gradient
        def relu(x: Any) -> tuple[Any, Callable[[Any], Any]]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = function(x, *arguments, **options)

            def backward(upstream: Any) -> Any:
                positive: Any = tf.nn.relu(upstream)
                # The ReLU's own derivative knows its cap, too.
                return positive if rule == "deconv" else tape.gradient(outputs, x, positive)

            return outputs, backward

        return relu(inputs)

    return with_rule
