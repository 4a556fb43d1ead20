"""The graph of a Keras model: its calls of layers and operations, as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ...core.errors import ModelError, wording


def graph_of(model: Any, path: str, where: str) -> Any:
    """The functional graph of a model, or of a Sequential that knows its shape."""
    # A class with a `call` of its own may compute something else than its graph.
    call = getattr(type(model), "call", None)
    known_call = str(getattr(call, "__module__", "")).startswith("keras.")
    if isinstance(model, keras.Sequential) and known_call:
        graph = getattr(model, "_functional", None)
        if graph is None:
            raise ModelError(
                wording(
                    f"{where}: {path}",
                    expected="a Sequential must know the shape of its inputs",
                    received="one that was not built",
                    remedy="Begin it with keras.Input(shape), or call it once.",
                )
            )
        return graph
    if is_functional(model) and known_call:
        return model
    raise ModelError(
        wording(
            f"{where}: {path}",
            expected="the model must be a Sequential or functional Keras model, whose steps can be read",
            received=f"{type(model).__name__}, which computes in Python code",
            remedy="Write it as a functional model, or use a method that needs no layer, such as SobolAttribution.",
        )
    )


def is_functional(model: Any) -> bool:
    """Whether a model is a graph of calls, nested in others or not."""
    return isinstance(model, keras.Model) and hasattr(model, "_nodes_by_depth")


def calls_of(graph: Any) -> list[Any]:
    """The calls of a functional graph, each after those that it needs."""
    # Keras has no public way to walk a graph in the order in which it is computed.
    depths = sorted(graph._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in graph._nodes_by_depth[depth] if not node.is_input]


def as_function(node: Any) -> tuple[Callable[..., Any], tuple[tuple[Any, ...], dict[str, Any]]]:
    """A call of an operation as a function of its tensors, and its arguments with tensors as None."""
    operation, arguments = node.operation, (node.arguments.args, node.arguments.kwargs)

    def call(*tensors: Any) -> Any:
        # Each occurrence is an argument of its own: `x + x` has two.
        following = iter(tensors)

        def filled(leaf: Any) -> Any:
            return next(following) if isinstance(leaf, keras.KerasTensor) else leaf

        filled_in: Any = keras.tree.map_structure(filled, arguments)
        positional, named = filled_in
        return operation(*positional, **named)

    def emptied(leaf: Any) -> Any:
        return None if isinstance(leaf, keras.KerasTensor) else leaf

    without: Any = keras.tree.map_structure(emptied, arguments)
    return call, without
