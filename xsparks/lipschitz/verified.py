"""Verified bounds of the constrained layers, for `EVA` and `xsparks.models.bounds`; importing this makes them known."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from ..models.bounds import Kernel, Length, Monotone, Rearranged, Rectified, Rule, Scaled, Site, Sorted, register_bound
from ..models.bounds.groups import in_windows, window_indices
from ..models.bounds.linear_layers import shared_windows
from . import layers as constrained
from .batch_centering import BatchCentering
from .residual import LipschitzResidual


@register_bound(constrained.SpectralDense, constrained.FrobeniusDense)
def _dense(layer: Any, site: Site) -> list[Rule]:
    bias = (lambda: layer.bias) if layer.use_bias else None
    return [Kernel(lambda inputs, kernel: ops.matmul(inputs, kernel), lambda: layer.wbar, bias, windows=1)]


@register_bound(constrained.SpectralConv2D, constrained.FrobeniusConv2D)
def _convolution(layer: Any, site: Site) -> list[Rule]:
    def convolve(inputs: Any, kernel: Any) -> Any:
        return ops.conv(inputs, kernel, strides=layer.strides, padding="same", data_format=layer.data_format)

    first = layer.data_format == "channels_first"
    bias = (lambda: tf.reshape(tf.convert_to_tensor(layer.bias), (1, -1, 1, 1))) if first else (lambda: layer.bias)
    return [Kernel(convolve, lambda: layer.wbar, bias if layer.use_bias else None, shared_windows(layer))]


@register_bound(constrained.ScaledAveragePooling2D, constrained.ScaledGlobalAveragePooling2D)
def _averaging(layer: Any, site: Site) -> list[Rule]:
    return [Monotone(site.call)]


@register_bound(LipschitzResidual)
def _mean(layer: Any, site: Site) -> list[Rule]:
    # Both shares are positive.
    return [Monotone(site.call)]


@register_bound(constrained.InvertibleDownSampling, constrained.InvertibleUpSampling)
def _rearranging(layer: Any, site: Site) -> list[Rule]:
    return [Rearranged(site.call)]


@register_bound(constrained.GroupSort, constrained.GroupSort2, constrained.FullSort)
def _sorting(layer: Any, site: Site) -> list[Rule]:
    (shape,) = site.shapes
    size = shape[-1] if layer.n is None else min(int(layer.n), shape[-1])
    groups = (*shape[:-1], shape[-1] // size, size)
    apart = Rearranged(lambda inputs: tf.reshape(inputs, (-1, *groups)))
    return [apart, Sorted(), Rearranged(lambda inputs: tf.reshape(inputs, (-1, *shape))), *_stretched(layer)]


@register_bound(constrained.MaxMin)
def _both_halves(layer: Any, site: Site) -> list[Rule]:
    (shape,) = site.shapes
    axis = -1 if layer.channel_axis == -1 else 0
    signs = np.concatenate([np.ones(shape, "float32"), -np.ones(shape, "float32")], axis=axis)
    twice = Rearranged(lambda inputs: tf.concat([inputs, inputs], axis=layer.channel_axis), repeats=True)
    return [twice, Scaled(lambda inputs: inputs * signs), Rectified(), *_stretched(layer)]


@register_bound(constrained.ScaledL2NormPooling2D)
def _length_pooling(layer: Any, site: Site) -> list[Rule]:
    (shape,) = site.shapes
    last = layer.data_format == "channels_last"
    sizes = shape[:2] if last else shape[1:]
    windows = [window_indices(size, pool, pool, "valid")[0] for size, pool in zip(sizes, layer.pool_size, strict=True)]
    gather = Rearranged(lambda inputs: in_windows(inputs, windows, 1 if last else 2))
    return [gather, Length(), *_stretched(layer)]


@register_bound(constrained.ScaledGlobalL2NormPooling2D)
def _length(layer: Any, site: Site) -> list[Rule]:
    (shape,) = site.shapes
    last = layer.data_format == "channels_last"
    channels = shape[-1] if last else shape[0]

    def gather(inputs: Any) -> Any:
        first = tf.transpose(inputs, (0, 3, 1, 2)) if last else inputs
        return tf.reshape(first, (-1, channels, int(np.prod(shape)) // channels))

    answer = site.shape
    return [Rearranged(gather), Length(), Rearranged(lambda x: tf.reshape(x, (-1, *answer))), *_stretched(layer)]


def _stretched(layer: Any) -> list[Rule]:
    """The Lipschitz constant that was asked for."""
    factor = float(layer.k_coef_lip)
    return [] if factor == 1 else [Scaled(lambda inputs: inputs * factor)]


@register_bound(BatchCentering)
def _centring(layer: Any, site: Site) -> list[Rule]:
    return [Scaled(lambda inputs: layer(inputs, training=False))]
