"""Layers and operations that are linear: which rule each has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers, ops

from .grey import transposed_by_blocks
from .linear import Kernel, Monotone, Rearranged, Scaled, Summed
from .products import Product
from .rule import Rule, Site, Unsupported, register_bound

Rules = list[Rule]


@register_bound(
    layers.Flatten, layers.Reshape, layers.Permute, layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D,
    layers.Cropping1D, layers.Cropping2D, layers.Cropping3D, layers.Identity,
    ops.reshape, ops.transpose, ops.squeeze, ops.expand_dims, ops.ravel, ops.moveaxis, ops.swapaxes, ops.flip, ops.roll,
    ops.copy, ops.stop_gradient, ops.cast,
)  # fmt: skip
def _rearranging(operation: Any, site: Site) -> Rules:
    return [Rearranged(site.call)]


@register_bound(
    layers.RepeatVector, layers.UpSampling1D, layers.UpSampling3D,
    ops.repeat, ops.tile, ops.broadcast_to, ops.take, ops.get_item,
)  # fmt: skip
def _repeating(operation: Any, site: Site) -> Rules:
    return [Rearranged(site.call, repeats=True)]


@register_bound(
    layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D, layers.GaussianNoise,
    layers.GaussianDropout, layers.AlphaDropout, layers.ActivityRegularization,
)  # fmt: skip
def _of_training_alone(layer: Any, site: Site) -> Rules:
    _in_inference(site)
    return [Rearranged(tf.identity)]


def _in_inference(site: Site) -> None:
    if site.arguments[1].get("training"):
        raise Unsupported("without training=True")


@register_bound(
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D, layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, layers.Concatenate, layers.Average,
    ops.mean, ops.sum, ops.concatenate, ops.stack, ops.average_pool,
)  # fmt: skip
def _averaging(operation: Any, site: Site) -> Rules:
    _without_constants(site)
    return [Monotone(site.call)]


def _without_constants(site: Site) -> None:
    """Tensors beside the inputs would be a bias, which these steps do not have."""
    arrays = [each for each in tf.nest.flatten(list(site.arguments[0])) if isinstance(each, np.ndarray | tf.Tensor)]
    if any(each.ndim if isinstance(each, np.ndarray) else len(each.shape) for each in arrays):
        raise Unsupported("without constant tensors among its inputs")


@register_bound(layers.UpSampling2D)
def _upsampling(layer: Any, site: Site) -> Rules:
    if layer.interpolation not in ("nearest", "bilinear"):
        raise Unsupported("with interpolation 'nearest' or 'bilinear', whose weights are not negative")
    return [Rearranged(site.call, repeats=True) if layer.interpolation == "nearest" else Monotone(site.call)]


@register_bound(ops.pad)
def _padding(operation: Any, site: Site) -> Rules:
    value = getattr(operation, "constant_values", None) or 0
    if operation.mode != "constant" or np.any(np.asarray(site.arguments[1].get("constant_values", value) or 0) != 0):
        raise Unsupported("with zeros")
    return [Rearranged(site.call)]


@register_bound(layers.Rescaling, layers.Normalization, layers.BatchNormalization)
def _normalising(layer: Any, site: Site) -> Rules:
    _in_inference(site)
    if isinstance(layer, layers.BatchNormalization):
        return [Scaled(lambda inputs: layer(inputs, training=False))]
    return [Scaled(site.call)]


@register_bound(layers.Add, layers.Subtract, ops.add, ops.subtract, ops.negative)
def _adding(operation: Any, site: Site) -> Rules:
    if len(site.shapes) == 1 and site.shape == site.shapes[0]:
        return [Scaled(site.call)]
    return [Summed(site.call, site.shape, biased=len(site.shapes) == 1)]


@register_bound(layers.Multiply, ops.multiply)
def _multiplying(operation: Any, site: Site) -> Rules:
    return _scaling(site) if len(site.shapes) == 1 else [Product(site.shape)]


@register_bound(ops.divide, ops.true_divide)
def _dividing(operation: Any, site: Site) -> Rules:
    positional = site.arguments[0]
    if len(site.shapes) != 1 or (positional and positional[0] is not None):
        raise Unsupported("by a constant")
    return _scaling(site)


def _scaling(site: Site) -> Rules:
    """A product with a constant, to whose shape the input is broadcast first."""
    if site.shape == site.shapes[0]:
        return [Scaled(site.call)]
    shape = site.shape

    def spread(inputs: Any) -> Any:
        return tf.broadcast_to(inputs, (tf.shape(inputs)[0], *shape))

    return [Rearranged(spread, repeats=True), Scaled(site.call)]


# --- with weights ---


@register_bound(layers.Dense)
def _dense(layer: Any, site: Site) -> Rules:
    bias = (lambda: layer.bias) if layer.use_bias else None
    return [Kernel(lambda inputs, kernel: ops.matmul(inputs, kernel), lambda: layer.kernel, bias, windows=1)]


def _per_channel(layer: Any, weights: Callable[[], Any]) -> Callable[[], Any] | None:
    if not layer.use_bias:
        return None
    if layer.data_format == "channels_last":
        return weights
    return lambda: tf.reshape(tf.convert_to_tensor(weights()), (1, -1, *[1] * layer.rank))


@register_bound(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def _convolution(layer: Any, site: Site) -> Rules:
    causal = layer.padding == "causal"

    strides: Any = list(layer.strides)

    def convolve(inputs: Any, kernel: Any) -> Any:
        if causal:
            before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
            places = 1 if layer.data_format == "channels_last" else 2
            inputs = tf.pad(inputs, [[before, 0] if axis == places else [0, 0] for axis in range(3)])
        return ops.conv(
            inputs,
            kernel,
            strides=strides,
            padding="valid" if causal else layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )

    bias, kernel = _per_channel(layer, lambda: layer.bias), layer.kernel.shape
    grey = layer.rank == 2 and layer.data_format == "channels_last" and kernel[2] == 1
    grey = grey and strides[0] == strides[1] > 1 and set(layer.dilation_rate) == {1}
    back = transposed_by_blocks(strides[0], layer.padding, kernel[:2]) if grey else None
    return [Kernel(convolve, lambda: layer.kernel, bias, shared_windows(layer), back)]


def shared_windows(layer: Any) -> int:
    """How many windows of a convolution at most share an entry of its input."""
    found = 1
    # Either has a stride or a dilation, never both.
    for size, stride in zip(layer.kernel_size, layer.strides, strict=True):
        found *= -(-size // stride)
    return found


@register_bound(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def _transposed_convolution(layer: Any, site: Site) -> Rules:
    strides: Any = list(layer.strides)

    def convolve(inputs: Any, kernel: Any) -> Any:
        return ops.conv_transpose(
            inputs,
            kernel,
            strides=strides,
            padding=layer.padding,
            output_padding=layer.output_padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )

    return [Kernel(convolve, lambda: layer.kernel, _per_channel(layer, lambda: layer.bias))]


def _depthwise(layer: Any) -> Callable[[Any, Any], Any]:
    return lambda inputs, kernel: ops.depthwise_conv(
        inputs,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


@register_bound(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def _depthwise_convolution(layer: Any, site: Site) -> Rules:
    return [Kernel(_depthwise(layer), lambda: layer.kernel, _per_channel(layer, lambda: layer.bias))]


@register_bound(layers.SeparableConv1D, layers.SeparableConv2D)
def _separable_convolution(layer: Any, site: Site) -> Rules:
    def mix(inputs: Any, kernel: Any) -> Any:
        return ops.conv(inputs, kernel, strides=1, padding="valid", data_format=layer.data_format)

    return [
        Kernel(_depthwise(layer), lambda: layer.depthwise_kernel),
        Kernel(mix, lambda: layer.pointwise_kernel, _per_channel(layer, lambda: layer.bias)),
    ]
