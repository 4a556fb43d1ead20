"""The Lipschitz constant of a network, layer by layer: what is certain, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import activations, layers

from ..core.errors import ModelError, wording
from ..core.randomness import generator
from ..models.bounds.keras_graph import calls_of, graph_of
from .layer_constants import constant_of, kernel_of, merged_constant

# Steps of power iteration for a measured constant.
STEPS = 30
WHERE = "lipschitz_constants"
_PROBABILITIES = (activations.softmax, activations.sigmoid)


class LayerConstant(NamedTuple):
    """By how much one layer stretches.

    path : its name, dotted within nested models.
    kind : its class.
    upper : never below its true constant; computed from the stored weights.
    measured : the norm of its Jacobian at a random input, by power iteration: never above the true constant; None
        where a layer has several inputs, or images of no fixed size.
    """

    path: str
    kind: str
    upper: float
    measured: float | None


class _Head(NamedTuple):
    """The fully connected layer that a network ends with, and the constant of all that comes before."""

    kernel: np.ndarray
    before: float


@dataclass(frozen=True)
class LipschitzConstants:
    """By how much a network and its layers stretch at most.

    layers : a `LayerConstant` for each layer, in the order in which they compute.
    upper : an upper bound for the whole network up to its logits.
    """

    layers: tuple[LayerConstant, ...]
    upper: float
    _head: _Head | None = None

    def breaking(self, limit: float = 1 + 1e-3) -> list[LayerConstant]:
        """The layers that may stretch by more than the limit, the worst first.

        One whose `measured` is above the limit does stretch; of the others only the bound says that they may.
        """
        return sorted((each for each in self.layers if each.upper > limit), key=lambda each: -each.upper)

    def margin_constants(self) -> np.ndarray | None:
        """`(classes, classes)`, by how much differences of logits stretch; None where the last is not Dense."""
        if self._head is None:
            return None
        kernel = self._head.kernel
        return self._head.before * np.linalg.norm(kernel[:, :, None] - kernel[:, None, :], axis=0) * (1 + 1e-9)


def lipschitz_constants(model: Any, measure: bool = True) -> LipschitzConstants:
    """By how much can this network stretch a difference of its inputs, and which layer is to blame?

    With an upper bound `L_l` for each layer, from its stored weights, the whole network stretches by at most their
    product, sums where branches are added, all in Euclidean length. Nothing is assumed of a layer because of its name:
    a layer that was meant to be 1-Lipschitz and is not shows here. Networks that were not constrained have bounds too,
    but useless ones.

    Parameters
    ----------
    model : Sequential or functional, nested or not; a final softmax or sigmoid is left out.
    measure : also measure each layer.

    Returns
    -------
    constants : a `LipschitzConstants`.

    Raises
    ------
    ModelError : a subclassed model; a layer without a known constant, with its name.

    Cost
    ----
    A singular value decomposition for each kernel, at each frequency for convolutions: a second for 64 channels at
    28 x 28 places. Measuring takes some passes through each layer.

    Example
    -------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False, name="wide")])
    >>> model.set_weights([np.diag([3.0, 0.5])])
    >>> found = lipschitz_constants(model)
    >>> round(found.upper, 4), [layer.path for layer in found.breaking()]
    (3.0, ['wide'])

    Source
    ------
    Y. Tsuzuku, I. Sato, M. Sugiyama, "Lipschitz-Margin Training", NeurIPS 2018, https://arxiv.org/abs/1802.04034, for
    constants through a graph; `xsparks.numerics.operator_norms` for those of convolutions.
    """
    reader = _Reader(measure)
    graph = graph_of(model, getattr(model, "name", "the model"), WHERE)
    (upper, *_) = reader.read(graph, [1.0] * len(graph.inputs), "", final=True)
    return LipschitzConstants(tuple(reader.found), upper, reader.head)


class _Reader:
    """Walks graphs and collects the constants of layers."""

    def __init__(self, measure: bool):
        self.found: list[LayerConstant] = []
        self.head: _Head | None = None
        self._measure = measure

    def read(self, graph: Any, arguments: list[float], prefix: str, final: bool = False) -> list[float]:
        """The constants of a graph's outputs, from those of its inputs."""
        known = {id(tensor): constant for tensor, constant in zip(graph.inputs, arguments, strict=True)}
        nodes = calls_of(graph)
        maker = {id(tensor): node for node in nodes for tensor in node.outputs}
        outputs, skipped = list(graph.outputs), set()
        if final:
            # Logits are what is bounded: a final softmax or sigmoid is left out.
            for position, tensor in enumerate(outputs):
                node = maker.get(id(tensor))
                if node is not None and _is_probability(node.operation):
                    outputs[position] = node.input_tensors[0]
                    skipped.add(id(node))
        ends = {id(tensor) for tensor in outputs} if final else set()
        for node in nodes:
            if id(node) in skipped or any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            constants = [known[id(tensor)] for tensor in node.input_tensors]
            shapes = [tuple(tensor.shape[1:]) for tensor in node.input_tensors]
            last = any(id(tensor) in ends for tensor in node.outputs)
            found = self._operation(node.operation, constants, shapes, prefix, last)
            known.update((id(tensor), each) for tensor, each in zip(node.outputs, found, strict=True))
        return [known[id(tensor)] for tensor in outputs]

    def _operation(
        self, operation: Any, constants: list[float], shapes: list[Any], prefix: str, last: bool
    ) -> list[float]:
        path = prefix + operation.name
        if isinstance(operation, keras.Model):
            return self.read(graph_of(operation, path, WHERE), constants, path + ".", last)
        _check_precision(operation, path)
        if len(constants) > 1:
            merged = merged_constant(operation, constants)
            own = merged_constant(operation, [1.0] * len(constants))
            if merged is None or own is None:
                raise _unknown(operation, path)
            self.found.append(LayerConstant(path, type(operation).__name__, own, None))
            return [merged]
        bypassed = last and getattr(operation, "activation", None) in _PROBABILITIES
        own = constant_of(operation, shapes[0], activated=not bypassed)
        if own is None or not np.isfinite(own):
            raise _unknown(operation, path)
        linear = bypassed or getattr(operation, "activation", None) in (None, activations.linear)
        if last and linear and hasattr(operation, "kernel") and len(shapes[0]) == 1:
            self.head = _Head(kernel_of(operation), constants[0])
        measured = _measured(operation, shapes[0]) if self._measure and not bypassed else None
        self.found.append(LayerConstant(path, type(operation).__name__, own, measured))
        return [constants[0] * own]


def _check_precision(operation: Any, path: str) -> None:
    dtype = getattr(operation, "compute_dtype", "float32")
    if dtype in ("float32", "float64"):
        return
    raise ModelError(
        wording(
            f"{WHERE}: {path}",
            expected="the network must compute in float32, because half precision rounds by more than a bound allows",
            received=str(dtype),
            remedy="Build it again under keras.config.set_dtype_policy('float32') and copy its weights.",
        )
    )


def _is_probability(operation: Any) -> bool:
    if isinstance(operation, layers.Activation):
        return operation.activation in _PROBABILITIES
    return isinstance(operation, layers.Softmax)


def _measured(layer: Any, shape: tuple[int | None, ...]) -> float | None:
    """The norm of the Jacobian at a random input, by power iteration on the layer alone."""
    sizes = [size for size in shape if size is not None]
    if len(sizes) < len(shape):
        return None
    draw = generator(0, 0)
    at = tf.constant(draw.normal(size=(1, *sizes)), tf.float32)
    direction = tf.constant(draw.normal(size=(1, *sizes)), tf.float32)
    training = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
    back, length = tf.zeros_like(layer(at, **training)), 0.0
    nothing: Any = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([back, at])
        with tf.GradientTape() as inner:
            inner.watch(at)
            outputs = layer(at, **training)
        pulled: Any = inner.gradient(outputs, at, output_gradients=back, **nothing)
    # Pulling back is linear, so its own derivative pushes forward: `J v`; and pulling that back is `J^T J v`.
    for _ in range(STEPS):
        direction /= tf.maximum(tf.norm(direction), 1e-30)
        pushed = outer.gradient(pulled, back, output_gradients=direction, **nothing)
        length = float(tf.norm(pushed))
        direction = outer.gradient(outputs, at, output_gradients=pushed, **nothing)
    return length


def _unknown(operation: Any, path: str) -> ModelError:
    return ModelError(
        wording(
            f"{WHERE}: {path}",
            expected="every layer must have a known Lipschitz constant",
            received=type(operation).__name__,
            remedy="Tell it with xsparks.lipschitz.register_constant, or use a layer of xsparks.lipschitz.",
        )
    )
