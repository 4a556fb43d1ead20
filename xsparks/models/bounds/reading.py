"""From a Keras model to a network of steps whose bounds are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...core.errors import ModelError, wording
from ..layers import find_layer, layers_of
from . import activation_layers, linear_layers, pooling_layers
from .boxes import Box
from .curves import Curve
from .elementwise import Elementwise
from .keras_graph import as_function, calls_of, graph_of
from .linear import Kernel, Scaled
from .network import Network, Node
from .products import Softmax
from .recipes import RECIPES
from .rule import Rule, Site, Unsupported, maker_of

# Importing these fills the registry.
BUILT_IN = (activation_layers, linear_layers, pooling_layers)
UNKNOWN = (
    "Tell its bounds with xsparks.models.bounds.register_bound, or use HybridEVA(split_layer=...), a layer after it."
)
# Stands for what comes before the layer where reading begins.
UNREAD = -1


def read_network(
    model: Any,
    output_layer: Any = None,
    preprocess: Any = None,
    input_shape: Sequence[int] | None = None,
    where: str = "read_network",
    start_layer: Any = None,
) -> Network:
    """Through which steps does this model compute its logits, and are bounds known for all of them?

    Sequential and functional models, nested, with shared layers, residual connections and operations of `keras.ops`. A
    fused activation becomes a step of its own. A final softmax or sigmoid is left out, because the logits are bounded;
    one sigmoid unit becomes two outputs, `(-logit, logit)`.

    Parameters
    ----------
    model : of one input and one output of classes.
    output_layer : the layer whose output is bounded instead, as `find_layer` takes it; its activation is kept.
    preprocess : `"tf"`, `"torch"`, `"caffe"` or None, applied first.
    input_shape : of one sample, where the model leaves sizes open.
    start_layer : the layer whose answer is the input of the network; what comes before may be anything.

    Returns
    -------
    network : its first node is the input, its last the logits `(classes,)`.

    Raises
    ------
    ModelError : a subclassed model; a layer or operation without bounds, with its name and path; several inputs; other
        numbers than float32.

    Example
    -------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
    >>> [type(node.rule).__name__ for node in read_network(model).nodes[1:]]
    ['Kernel', 'Rectified', 'Kernel']
    """
    graph = graph_of(model, getattr(model, "name", "the model"), where)
    if len(graph.inputs) != 1 or (output_layer is None and len(graph.outputs) != 1):
        raise ModelError(
            wording(
                where,
                expected="verified bounds need a model of one input and one output",
                received=f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
                remedy="Make a model of the part that you want to bound.",
            )
        )
    cut = None if start_layer is None else find_layer(model, start_layer, where)
    shape = tuple(graph.inputs[0].shape[1:]) if input_shape is None else tuple(input_shape)
    reader = _Reader(where, shape, cut)
    start = reader.preprocessed(preprocess) if cut is None else UNREAD
    (last, *_) = reader.graph(graph, [start], "")
    if output_layer is not None:
        layer, call = find_layer(model, output_layer, where)
        last = reader.answer_of(layer, call)
    if last == UNREAD:
        raise reader.around(str(start_layer))
    return reader.network(last if output_layer is not None else reader.logits(last))


class _Reader:
    """Collects nodes while graphs are walked."""

    def __init__(self, where: str, shape: tuple[int, ...], cut: tuple[Any, int] | None = None):
        self._where = where
        self._cut = cut
        self._nodes = [] if cut else [self._first(shape)]
        self._answers: dict[int, list[int]] = {}

    def _first(self, shape: tuple[int, ...]) -> Node:
        if None not in shape:
            return Node("inputs", None, (), shape)
        raise ModelError(
            wording(
                self._where,
                expected="the size of the inputs must be fixed",
                received=f"{shape}",
                remedy="Pass input_shape=, such as (224, 224, 3).",
            )
        )

    def graph(self, graph: Any, arguments: list[int], prefix: str) -> list[int]:
        """The numbers of the outputs of a functional graph whose inputs are nodes already."""
        known = {id(tensor): number for tensor, number in zip(graph.inputs, arguments, strict=True)}
        for node in calls_of(graph):
            if any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            sources = [known[id(tensor)] for tensor in node.input_tensors]
            path = prefix + node.operation.name
            found = self._operation(node, sources, path)
            self._answers.setdefault(id(node.operation), []).append(found[0])
            known.update((id(tensor), number) for tensor, number in zip(node.outputs, found, strict=True))
        return [known[id(tensor)] for tensor in graph.outputs]

    def _operation(self, node: Any, sources: list[int], path: str) -> list[int]:
        operation = node.operation
        calls = len(self._answers.get(id(operation), []))
        if self._cut is not None and operation is self._cut[0] and calls == self._cut[1]:
            self._nodes = [self._first(tuple(node.outputs[0].shape[1:]))]
            return [0]
        if isinstance(operation, keras.Model) and (UNREAD not in sources or self._holds_cut(operation)):
            return self.graph(graph_of(operation, path, self._where), sources, path + ".")
        if UNREAD in sources:
            if any(source != UNREAD for source in sources):
                raise self.around(path)
            return [UNREAD] * len(node.outputs)
        self._check_numbers(operation, path)
        call, arguments = as_function(node)
        shapes = [self._nodes[source].shape for source in sources]
        shape = tuple(node.outputs[0].shape[1:])
        if None in shape:
            shape = tuple(call(*(tf.zeros((1, *each)) for each in shapes)).shape[1:])
        site = Site(path, call, shapes, shape, arguments)
        rules = self._rules(operation, operation, site)
        if len(node.outputs) != 1:
            raise self._unsupported(operation, path, "with one output")
        number = self._chain(rules, sources, path)
        activation = getattr(operation, "activation", None) if isinstance(operation, keras.layers.Layer) else None
        if activation is not None:
            shape = self._nodes[number].shape
            own = Site(path, activation, [shape], shape, ((None,), {}))
            number = self._chain(self._rules(activation, operation, own), [number], path)
        return [number]

    def _holds_cut(self, model: Any) -> bool:
        return self._cut is not None and any(layer is self._cut[0] for _, layer in layers_of(model))

    def around(self, path: str) -> ModelError:
        """The error of a layer that is no cut of the model."""
        return ModelError(
            wording(
                f"{self._where}: {path}",
                expected="every path from the inputs to the outputs must pass through the layer where bounds begin",
                received="a path around it",
                remedy="Choose a later layer, such as one after the block's addition, or an earlier one.",
            )
        )

    def _check_numbers(self, operation: Any, path: str) -> None:
        if not isinstance(operation, keras.layers.Layer):
            return
        if operation.compute_dtype in ("float32", "float64") and not getattr(operation, "quantization_mode", None):
            return
        raise ModelError(
            wording(
                f"{self._where}: {path}",
                expected="verified bounds need layers that compute in float32",
                received=getattr(operation, "quantization_mode", None) or operation.compute_dtype,
                remedy="Build the model again under keras.config.set_dtype_policy('float32') and copy its weights.",
            )
        )

    def _rules(self, wanted: Any, operation: Any, site: Site) -> Sequence[Rule]:
        maker = maker_of(wanted)
        if maker is None:
            raise self._unsupported(wanted, site.path, "", operation)
        try:
            return maker(wanted, site)
        except Unsupported as limit:
            raise self._unsupported(wanted, site.path, str(limit), operation) from limit

    def _unsupported(self, wanted: Any, path: str, limit: str, operation: Any = None) -> ModelError:
        name = getattr(wanted, "__name__", None) or type(wanted).__name__
        kind = f"{type(operation).__name__} with activation {name}" if operation is not wanted and operation else name
        return ModelError(
            wording(
                f"{self._where}: {path}",
                expected=f"bounds are known for {name} only {limit}" if limit else "every step must have known bounds",
                received=f"{kind} at {path!r}",
                remedy=UNKNOWN,
            )
        )

    def _chain(self, rules: Sequence[Rule], sources: list[int], path: str) -> int:
        if not rules:
            return sources[0]
        number = sources[0]
        for position, rule in enumerate(rules):
            inputs = sources if position == 0 else [number]
            if rule.pairwise:
                number = inputs[0]
                for other in inputs[1:]:
                    number = self._add(rule, (number, other), path)
            else:
                number = self._add(rule, tuple(inputs), path)
        return number

    def _add(self, rule: Rule, sources: tuple[int, ...], path: str) -> int:
        shapes = [self._nodes[source].shape for source in sources]
        shape = shapes[0]
        if not isinstance(rule, Elementwise | Scaled | Softmax):
            with tf.init_scope():
                zeros = [tf.zeros((1, *each)) for each in shapes]
                shape = tuple(rule.interval([Box(each, each) for each in zeros]).centre.shape[1:])
        self._nodes.append(Node(path, rule, sources, shape))
        return len(self._nodes) - 1

    def preprocessed(self, preprocess: Any) -> int:
        """The number of the preprocessed input."""
        if preprocess is None:
            return 0
        recipe = RECIPES.get(preprocess) if isinstance(preprocess, str) else None
        if recipe is None:
            raise ModelError(
                wording(
                    f"{self._where}(preprocess=...)",
                    expected="verified bounds need a preprocessing whose bounds are known: 'tf', 'torch' or 'caffe'",
                    received=repr(preprocess),
                    remedy="Put it into the model, as a Rescaling or Normalization layer.",
                )
            )
        return self._chain(recipe(), [0], "preprocess")

    def answer_of(self, layer: Any, call: int) -> int:
        """The number of what a layer answers in one of its calls."""
        answers = self._answers.get(id(layer), [])
        if call < len(answers):
            return answers[call]
        raise ModelError(
            wording(
                self._where,
                expected="the layer must be called when the model is",
                received=f"{layer.name!r}, unused",
                remedy="Choose another layer, or a lower number after the colon.",
            )
        )

    def logits(self, last: int) -> int:
        """What stands before a final softmax or sigmoid; for one sigmoid unit `(-logit, logit)`."""
        node = self._nodes[last]
        if isinstance(node.rule, Softmax):
            return node.inputs[0]
        if isinstance(node.rule, Curve) and node.rule.name == "sigmoid":
            last = node.inputs[0]
            if node.shape == (1,):
                both = Kernel(tf.matmul, lambda: np.array([[-1.0, 1.0]], "float32"))
                return self._add(both, (last,), node.path)
        return last

    def network(self, last: int) -> Network:
        """The nodes on which the last one depends."""
        shape = self._nodes[last].shape
        if len(shape) != 1:
            raise ModelError(
                wording(
                    f"{self._where}: {self._nodes[last].path}",
                    expected="the output must be one number a class",
                    received=f"shape {shape}",
                    remedy="Pass output_layer= a layer with an output (n, classes).",
                )
            )
        needed, pending = set(), [last]
        while pending:
            number = pending.pop()
            if number not in needed:
                needed.add(number)
                pending.extend(self._nodes[number].inputs)
        kept = sorted(needed | {0})
        place = {number: position for position, number in enumerate(kept)}
        nodes = (self._nodes[number] for number in kept)
        return Network(
            tuple(Node(node.path, node.rule, tuple(place[each] for each in node.inputs), node.shape) for node in nodes)
        )
