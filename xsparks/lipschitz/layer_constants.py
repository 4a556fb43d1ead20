"""By how much each kind of layer can stretch: rules, and the registry that others extend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import activations, layers

from ..numerics.operator_norms import ROUNDING, convolution_norm, covered, depthwise_norm, matrix_norm
from . import layers as constrained
from . import verified
from .batch_centering import BatchCentering
from .residual import LipschitzResidual

# Importing it makes known the verified bounds of the constrained layers, too.
VERIFIED = verified
Shape = tuple[int | None, ...]
Rule = Callable[[Any, Shape], float]
_RULES: dict[type, Rule] = {}
_MERGES: dict[type, Callable[[Any, Sequence[float]], float]] = {}
# The largest slope of each, over all inputs.
_SLOPES: dict[Any, float] = {
    activations.linear: 1.0, activations.relu: 1.0, activations.relu6: 1.0, activations.tanh: 1.0,
    activations.softplus: 1.0, activations.softsign: 1.0, activations.hard_tanh: 1.0, activations.leaky_relu: 1.0,
    activations.elu: 1.0, activations.sigmoid: 0.25, activations.hard_sigmoid: 1 / 6, activations.softmax: 0.5,
    activations.selu: 1.7581, activations.gelu: 1.13, activations.silu: 1.1, activations.mish: 1.1,
}  # fmt: skip
_METHODS = ("call", "__call__")


def register_constant(*kinds: type) -> Callable[[Rule], Rule]:
    """Makes known by how much layers of these classes can stretch, for `lipschitz_constants` and certificates.

    Parameters
    ----------
    kinds : classes of layers of one input.

    Returns
    -------
    decorator : of a function `(layer, shape) -> constant`, where `shape` is that of one input sample, and the constant
        an upper bound for Euclidean lengths, in inference, without the layer's `activation`, which is counted after.

    Example
    -------
    >>> class Tripling(layers.Layer):
    ...     def call(self, inputs):
    ...         return 3 * inputs
    >>> @register_constant(Tripling)
    ... def tripling(layer, shape):
    ...     return 3.0
    """

    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


def constant_of(layer: Any, shape: Shape, activated: bool = True) -> float | None:
    """An upper bound of how much a layer of one input stretches; None where it is not known."""
    rule = _known(_RULES, layer)
    if rule is None:
        return None
    constant = rule(layer, shape)
    fused = getattr(layer, "activation", None)
    if not activated or fused is None or isinstance(layer, layers.Activation):
        return constant
    slope = slope_of(fused, shape)
    return None if slope is None else constant * slope


def merged_constant(layer: Any, constants: Sequence[float]) -> float | None:
    """The constant of what a layer of several inputs answers, from those of its inputs; None where it is not known."""
    rule = _known(_MERGES, layer)
    return None if rule is None else rule(layer, constants)


def slope_of(activation: Any, shape: Shape = ()) -> float | None:
    """By how much an activation stretches: a function of Keras, or a layer."""
    if isinstance(activation, layers.Layer):
        return constant_of(activation, shape)
    return _SLOPES.get(activation)


def _known(table: dict[type, Any], layer: Any) -> Any:
    for base in type(layer).__mro__:
        if base in table:
            # A subclass may compute something else.
            same = all(getattr(type(layer), name, None) is getattr(base, name, None) for name in _METHODS)
            return table[base] if same else None
    return None


@register_constant(
    layers.InputLayer, layers.Flatten, layers.Reshape, layers.Permute, layers.Identity, layers.ZeroPadding1D,
    layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D, layers.Dropout, layers.SpatialDropout2D,
    layers.GaussianNoise, layers.GaussianDropout, layers.ActivityRegularization, layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D, BatchCentering, constrained.InvertibleDownSampling,
    constrained.InvertibleUpSampling, constrained.Householder,
)  # fmt: skip
def _keeping(layer: Any, shape: Shape) -> float:
    return 1.0


@register_constant(layers.ReLU)
def _rectified(layer: Any, shape: Shape) -> float:
    # At a threshold other than 0 it jumps.
    return np.inf if layer.threshold else max(1.0, abs(float(layer.negative_slope)))


@register_constant(layers.LeakyReLU)
def _leaky(layer: Any, shape: Shape) -> float:
    return max(1.0, abs(float(layer.negative_slope)))


@register_constant(layers.PReLU)
def _learned_slopes(layer: Any, shape: Shape) -> float:
    return max(1.0, float(np.abs(np.asarray(layer.alpha)).max()))


@register_constant(layers.ELU)
def _exponential(layer: Any, shape: Shape) -> float:
    return max(1.0, float(layer.alpha))


@register_constant(layers.Softmax)
def _softmax(layer: Any, shape: Shape) -> float:
    return 0.5


@register_constant(layers.Activation)
def _activation(layer: Any, shape: Shape) -> float:
    slope = slope_of(layer.activation, shape)
    return np.inf if slope is None else slope


@register_constant(layers.Rescaling)
def _rescaling(layer: Any, shape: Shape) -> float:
    return float(np.abs(np.asarray(layer.scale)).max())


@register_constant(layers.Normalization)
def _normalization(layer: Any, shape: Shape) -> float:
    spread = np.sqrt(np.asarray(layer.variance, np.float64).min())
    return float(np.sqrt(np.asarray(layer.variance, np.float64).max()) if layer.invert else 1 / max(spread, 1e-7))


@register_constant(layers.BatchNormalization)
def _batch_normalization(layer: Any, shape: Shape) -> float:
    scale = np.asarray(layer.gamma, np.float64) if layer.scale else 1.0
    return float(np.abs(scale / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)).max())


@register_constant(layers.Dense, constrained.SpectralDense, constrained.FrobeniusDense)
def _dense(layer: Any, shape: Shape) -> float:
    return matrix_norm(kernel_of(layer))


def kernel_of(layer: Any) -> np.ndarray:
    """The kernel that a layer computes with in inference."""
    return np.asarray(getattr(layer, "wbar", layer.kernel), np.float64)


@register_constant(layers.Conv1D, layers.Conv2D, constrained.SpectralConv2D, constrained.FrobeniusConv2D)
def _convolution(layer: Any, shape: Shape) -> float:
    kernel, dilation = kernel_of(layer), layer.dilation_rate
    if layer.padding == "causal" or any(rate != 1 for rate in dilation):
        # Zeros within the kernel make a dilation, and zeros before the image are part of no bound by places.
        kernel = _dilated(kernel, dilation)
        sizes: list[int | None] = [None] * len(dilation)
        return convolution_norm(kernel, sizes, layer.strides, "same")
    if layer.groups > 1:
        parts = np.split(kernel, layer.groups, axis=-1)
        return max(convolution_norm(part, _sizes(layer, shape), layer.strides, layer.padding) for part in parts)
    return convolution_norm(kernel, _sizes(layer, shape), layer.strides, layer.padding)


@register_constant(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def _depthwise(layer: Any, shape: Shape) -> float:
    kernel = _dilated(kernel_of(layer), layer.dilation_rate)
    sizes = _sizes(layer, shape) if all(rate == 1 for rate in layer.dilation_rate) else [None] * len(layer.strides)
    return depthwise_norm(kernel, sizes, layer.strides, layer.padding)


def _sizes(layer: Any, shape: Shape) -> list[int | None]:
    return list(shape[:-1] if layer.data_format == "channels_last" else shape[1:])


def _dilated(kernel: np.ndarray, rates: Sequence[int]) -> np.ndarray:
    spread = [(side - 1) * rate + 1 for side, rate in zip(kernel.shape, rates, strict=False)]
    found = np.zeros((*spread, *kernel.shape[-2:]))
    found[tuple(slice(None, None, rate) for rate in rates)] = kernel
    return found


@register_constant(layers.MaxPooling1D, layers.MaxPooling2D)
def _max_pooling(layer: Any, shape: Shape) -> float:
    return float(np.sqrt(np.prod([shared for shared, _, _ in _windows(layer, shape)])))


@register_constant(
    layers.AveragePooling1D, layers.AveragePooling2D, constrained.ScaledAveragePooling2D,
    constrained.ScaledL2NormPooling2D,
)  # fmt: skip
def _average_pooling(layer: Any, shape: Shape) -> float:
    constant = float(np.prod([np.sqrt(shared / least) for shared, least, _ in _windows(layer, shape)]))
    return constant * (float(layer._get_coef()) if hasattr(layer, "_get_coef") else 1.0) * (1 + ROUNDING)


def _windows(layer: Any, shape: Shape) -> list[tuple[int, int, int]]:
    """For each axis how many windows share a place, how many places a window has at least, and its size."""
    found = []
    for size, side, stride in zip(_sizes(layer, shape), layer.pool_size, layer.strides, strict=True):
        shared, least = covered(4 * max(side, stride) if size is None else size, side, stride, layer.padding)
        # At the border of an image of unknown size one place may be left in a window.
        found.append((shared, 1 if size is None and layer.padding == "same" else least, side))
    return found


@register_constant(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D)
def _global_average(layer: Any, shape: Shape) -> float:
    return float(1 / np.sqrt(np.prod([1 if size is None else size for size in _sizes(layer, shape)])))


@register_constant(
    constrained.ScaledGlobalAveragePooling2D, constrained.ScaledGlobalL2NormPooling2D, constrained.GroupSort,
    constrained.GroupSort2, constrained.FullSort, constrained.MaxMin,
)  # fmt: skip
def _scaled(layer: Any, shape: Shape) -> float:
    return float(layer.k_coef_lip)


def _merging(*kinds: type) -> Callable[[Any], Any]:
    def register(rule: Any) -> Any:
        _MERGES.update((kind, rule) for kind in kinds)
        return rule

    return register


@_merging(layers.Add, layers.Subtract)
def _sum(layer: Any, constants: Sequence[float]) -> float:
    return float(sum(constants))


@_merging(layers.Average)
def _mean(layer: Any, constants: Sequence[float]) -> float:
    return float(np.mean(constants))


@_merging(layers.Concatenate, layers.Maximum, layers.Minimum)
def _beside(layer: Any, constants: Sequence[float]) -> float:
    return float(np.sqrt(np.sum(np.square(constants))))


@_merging(LipschitzResidual)
def _residual(layer: Any, constants: Sequence[float]) -> float:
    share = float(layer.share)
    return (share * constants[0] + (1 - share) * constants[1]) * (1 + 1e-6)
