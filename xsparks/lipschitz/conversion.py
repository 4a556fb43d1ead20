"""From a conventional network to a 1-Lipschitz one of the same architecture."""

from __future__ import annotations

from typing import Any

import keras
from keras import activations, layers

from ..core.checks import check_choice
from ..core.errors import ModelError, wording
from ..models.bounds.keras_graph import graph_of
from . import layers as constrained
from .batch_centering import BatchCentering
from .layer_constants import constant_of
from .residual import LipschitzResidual

HEADS = ("disjoint", "orthogonal")
POOLINGS = ("l2", "average", "max")
WHERE = "to_lipschitz"
_PROBABILITIES = (activations.softmax, activations.sigmoid)
_BENDS = (layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU)


def to_lipschitz(
    model: Any, head: str = "disjoint", pooling: str = "l2", strict: bool = True, **iteration: Any
) -> keras.Model:
    """What is the 1-Lipschitz network of this architecture?

    Each layer becomes the one that stretches nothing, with the same name and, where it has one, the kernel made
    orthogonal: a start for training, not a network that decides as the old one did. Dense and Conv2D become
    `SpectralDense` and `SpectralConv2D`, ReLU and its kin `GroupSort2`, pooling scaled pooling, batch normalisation
    `BatchCentering`, a sum of two branches `LipschitzResidual`; a final softmax or sigmoid goes, because `SoftHKR` and
    certificates take logits. Layers that stretch nothing stay.

    Parameters
    ----------
    model : Sequential or functional, nested or not; it stays as it is.
    head : `"disjoint"`, each output 1-Lipschitz by itself, or `"orthogonal"`, all outputs together.
    pooling : what takes the place of max pooling: `"l2"`, `"average"`, or `"max"`, which is 1-Lipschitz already but
        hands the gradient to one place of each window.
    strict : bounds instead of estimates, as in `SpectralConv2D`.
    iteration : `eps_bjorck`, `beta_bjorck`, `maxiter_bjorck` of every spectral layer. A `maxiter_bjorck` of 6 instead
        of 15 trains quicker.

    Returns
    -------
    converted : a network of its own, not compiled.

    Raises
    ------
    ModelError : a subclassed model; a layer that has no 1-Lipschitz counterpart, or only with padding "same" or with
        windows side by side, with its name.

    Example
    -------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same", activation="relu"),
    ...                           layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3, activation="softmax")])
    >>> [type(layer).__name__ for layer in to_lipschitz(model).layers]
    ['SpectralConv2D', 'ScaledL2NormPooling2D', 'Flatten', 'FrobeniusDense']

    Source
    ------
    M. Serrurier et al., NeurIPS 2023, https://arxiv.org/abs/2206.06854, for the layers of such networks.
    """
    check_choice(WHERE, "head", head, HEADS)
    check_choice(WHERE, "pooling", pooling, POOLINGS)
    graph_of(model, getattr(model, "name", "the model"), WHERE)
    converter = _Converter(_last_dense(model), head, pooling, {"strict": strict}, iteration)
    ends_in_probabilities = _is_probability(model.layers[-1])
    if ends_in_probabilities and not isinstance(model, keras.Sequential):
        model = keras.Model(model.input, model.layers[-1].input, name=model.name)
    converted = keras.models.clone_model(model, clone_function=converter.converted, recursive=True)
    if ends_in_probabilities and isinstance(converted, keras.Sequential):
        converted.pop()
    for old, new in converter.pairs:
        _copy(old, new)
    return converted


class _Converter:
    """Makes the counterpart of each layer, and remembers of which."""

    def __init__(self, last: Any, head: str, pooling: str, strict: dict[str, Any], iteration: dict[str, Any]):
        self.pairs: list[tuple[Any, Any]] = []
        self._last, self._head, self._pooling, self._strict, self._iteration = last, head, pooling, strict, iteration

    def converted(self, layer: Any) -> Any:
        """The counterpart of a layer."""
        new = self._counterpart(layer)
        self.pairs.append((layer, new))
        return new

    def _counterpart(self, layer: Any) -> Any:
        own: dict[str, Any] = {"name": layer.name}
        kind = type(layer)
        if kind is layers.Dense:
            return self._dense(layer, own)
        if kind is layers.Conv2D:
            return self._convolution(layer, own)
        if kind in _BENDS or (kind is layers.Activation and layer.activation is activations.relu):
            return _sorting(layer.input.shape[-1], **own)
        if kind in (layers.MaxPooling2D, layers.AveragePooling2D):
            return self._pool(layer, own)
        if kind is layers.GlobalAveragePooling2D:
            return constrained.ScaledGlobalAveragePooling2D(data_format=layer.data_format, **own)
        if kind is layers.BatchNormalization:
            return BatchCentering(channel_axis=layer.axis, momentum=layer.momentum, **own)
        if kind is layers.Add:
            return LipschitzResidual(**own) if len(layer.input) == 2 else layers.Average(**own)
        known = kind in (LipschitzResidual, layers.Average) or hasattr(layer, "wbar")
        if known or (constant_of(layer, _shape(layer)) or 2) <= 1 + 1e-3:
            return kind.from_config(layer.get_config())
        raise _without(layer, "every layer must have a 1-Lipschitz counterpart", kind.__name__)

    def _dense(self, layer: Any, own: dict[str, Any]) -> Any:
        options = {**own, "use_bias": layer.use_bias, **self._strict}
        if layer is self._last:
            kind = constrained.FrobeniusDense if self._head == "disjoint" else constrained.SpectralDense
            return kind(layer.units, **options)
        return constrained.SpectralDense(
            layer.units, activation=_activation(layer, layer.units), **options, **self._iteration
        )

    def _convolution(self, layer: Any, own: dict[str, Any]) -> Any:
        pointwise = all(side == 1 for side in layer.kernel_size)
        if layer.padding != "same" and not pointwise:
            raise _without(layer, "convolutions must have padding='same'", repr(layer.padding))
        if any(rate != 1 for rate in layer.dilation_rate) or layer.groups != 1:
            raise _without(layer, "convolutions must have no dilation and no groups", "one that has")
        return constrained.SpectralConv2D(
            layer.filters,
            layer.kernel_size,
            strides=layer.strides,
            data_format=layer.data_format,
            use_bias=layer.use_bias,
            activation=_activation(layer, layer.filters),
            **own,
            **self._strict,
            **self._iteration,
        )

    def _pool(self, layer: Any, own: dict[str, Any]) -> Any:
        if tuple(layer.strides) != tuple(layer.pool_size) or layer.padding != "valid":
            raise _without(layer, "windows must lie side by side, with padding='valid'", f"strides {layer.strides}")
        chosen = "average" if type(layer) is layers.AveragePooling2D else self._pooling
        if chosen == "max":
            return type(layer).from_config(layer.get_config())
        kind = constrained.ScaledL2NormPooling2D if chosen == "l2" else constrained.ScaledAveragePooling2D
        return kind(pool_size=layer.pool_size, data_format=layer.data_format, **own)


def _is_probability(layer: Any) -> bool:
    kind = type(layer)
    return kind is layers.Softmax or (kind is layers.Activation and layer.activation in _PROBABILITIES)


def _last_dense(model: Any) -> Any:
    """The fully connected layer that answers with the logits."""
    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            return _last_dense(layer)
        if type(layer) is layers.Dense:
            return layer
        if not _is_probability(layer):
            return None
    return None


def _activation(layer: Any, channels: int) -> Any:
    """What takes the place of a fused activation."""
    if layer.activation in (activations.linear, None, *_PROBABILITIES):
        return None
    if layer.activation is activations.tanh:
        return layer.activation
    return _sorting(channels)


def _sorting(channels: int, **own: Any) -> Any:
    """Sorting in pairs, or of all channels where they make no pairs."""
    return constrained.GroupSort2(**own) if channels % 2 == 0 else constrained.FullSort(**own)


def _shape(layer: Any) -> tuple[int | None, ...]:
    first = layer.input[0] if isinstance(layer.input, list) else layer.input
    return tuple(first.shape[1:])


def _copy(old: Any, new: Any) -> None:
    """What of the weights of the old layer has a place in the new one."""
    if hasattr(new, "wbar") and not hasattr(old, "wbar"):
        new.kernel.assign(old.kernel)
        new.wbar.assign(new.constrained()[0])
        if new.use_bias:
            new.bias.assign(old.bias)
    elif type(old) is type(new):
        new.set_weights(old.get_weights())
    elif isinstance(new, BatchCentering) and old.center:
        new.beta.assign(old.beta)


def _without(layer: Any, expected: str, received: str) -> ModelError:
    return ModelError(
        wording(
            f"{WHERE}: {layer.name}",
            expected=expected,
            received=received,
            remedy="Change the layer in the conventional network, or build the other one from xsparks.lipschitz.",
        )
    )
