"""How bounds pass through one step of a network, and which steps are known: the registry that others extend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras

from .boxes import Box

Shapes = Sequence[tuple[int, ...]]


class Rule(ABC):
    """How do bounds pass through one step of a network: forwards as a box, backwards as a linear function?

    Shapes are those of one sample. `n` counts boxes, and `s` the rows of a backward pass, each of which asks for the
    upper bound of one linear function `<weights, outputs>`.
    """

    linear: ClassVar[bool] = False
    # Each output depends on one entry of the inputs alone, so that nothing is lost by an interval.
    diagonal: ClassVar[bool] = False
    # The same entry of the inputs may come more than once.
    repeats: bool = False
    # Takes two inputs; a call with more is a chain of such steps.
    pairwise: ClassVar[bool] = False

    @abstractmethod
    def interval(self, boxes: Sequence[Box]) -> Box:
        """A box that holds the outputs for all inputs in the boxes `(n, *shape)`."""

    def relax(self, boxes: Sequence[Box]) -> tuple[Any, ...]:
        """What `backward` needs to know of the inputs: tensors `(n, ...)`, none for a linear step."""
        return ()

    @abstractmethod
    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """Weights of the inputs, and what is added, so that `<weights, outputs> <= sum_i <w_i, input_i> + sum(added)`.

        Parameters
        ----------
        relaxation : what `relax` gave.
        weights : `(n, s, *outputs)`.
        shapes : of the inputs.

        Returns
        -------
        weights, added : a tensor `(n, s, *shape)` for each input, and `(n, s, *outputs)`, or None for nothing.
        """

    @abstractmethod
    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Which entries of the inputs the marked outputs may depend on: `(n, *outputs)` of 0 and 1 -> the same."""

    def stretch(self, shapes: Shapes) -> Any:
        """An upper bound of how much longer than a difference of the inputs, all together, that of the outputs is.

        In Euclidean length; None where it is not known.
        """
        return None

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """For each input, which entries a tighter interval would help: masks `(n, *shape)` of bool."""
        return [box.radius > 0 for box in boxes]


class Site(NamedTuple):
    """Where a layer or operation stands in a network.

    path : dotted, as `find_layer` takes it.
    call : the operation as a function of its tensors alone, the constants of this call filled in.
    shapes : of its tensor inputs, for one sample.
    shape : of its output.
    arguments : all its arguments, tensors as None: what they are beside the tensors.
    """

    path: str
    call: Callable[..., Any]
    shapes: Shapes
    shape: tuple[int, ...]
    arguments: tuple[tuple[Any, ...], dict[str, Any]]


Maker = Callable[[Any, Site], Sequence[Rule]]
_LAYERS: dict[type, Maker] = {}
_FUNCTIONS: dict[Any, Maker] = {}
# A subclass that has its own of these is another layer.
_METHODS = ("call", "__call__", "convolution_op")


class Unsupported(Exception):
    """A maker cannot bound this use of an operation; the text says which use it can."""


def register_bound(*operations: Any) -> Callable[[Maker], Maker]:
    """Makes bounds known for layers, operations or activation functions.

    Parameters
    ----------
    operations : each a class of layers, a function of `keras.ops` or `keras.activations` (which stands for the
        operation it leaves in a functional graph, too), or a function or class of your own.

    Returns
    -------
    decorator : of a function `(layer or operation, site) -> rules`: the steps that it is made of. The first takes the
        inputs of the call, each following one the output of the one before. An `activation` of a layer is no part of
        them: it is added as a step of its own.

    Example
    -------
    >>> import keras
    >>> class Doubling(keras.layers.Layer):
    ...     def call(self, inputs):
    ...         return 2 * inputs
    >>> @register_bound(Doubling)
    ... def doubling(layer, site):
    ...     return [Monotone(site.call)]
    >>> from xsparks.models.bounds import Monotone, read_network
    >>> inputs = keras.Input((3,))
    >>> len(read_network(keras.Model(inputs, Doubling()(inputs))).nodes)
    2
    """

    def register(maker: Maker) -> Maker:
        for operation in operations:
            if isinstance(operation, type) and issubclass(operation, keras.layers.Layer):
                _LAYERS[operation] = maker
            else:
                _FUNCTIONS[_key(operation)] = maker
        return maker

    return register


def maker_of(operation: Any) -> Maker | None:
    """What is registered for a layer, an operation of a functional graph or an activation function; None if nothing."""
    if not isinstance(operation, keras.layers.Layer):
        return _FUNCTIONS.get(_key(type(operation) if isinstance(operation, keras.Operation) else operation))
    own = type(operation)
    for base in own.__mro__:
        if base in _LAYERS:
            # A subclass may compute something else, and a bound of its base would be wrong.
            same = all(getattr(own, name, None) is getattr(base, name, None) for name in _METHODS)
            return _LAYERS[base] if same else None
    return None


def _key(operation: Any) -> Any:
    """Keras' functions and the operations that they leave in a graph go by one name; others are themselves."""
    if str(getattr(operation, "__module__", "")).startswith("keras."):
        return operation.__name__.replace("_", "").lower()
    return operation
