"""Verified bounds of the constrained layers, for `EVA` and `xsparks.models.bounds`; importing this makes them known."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import ops

from ..models.bounds import Kernel, Monotone, Rearranged, Rule, Scaled, Site, register_bound
from . import layers as constrained
from .batch_centering import BatchCentering


@register_bound(constrained.SpectralDense, constrained.FrobeniusDense)
def _dense(layer: Any, site: Site) -> list[Rule]:
    bias = (lambda: layer.bias) if layer.use_bias else None
    return [Kernel(lambda inputs, kernel: ops.matmul(inputs, kernel), lambda: layer.wbar, bias)]


@register_bound(constrained.SpectralConv2D, constrained.FrobeniusConv2D)
def _convolution(layer: Any, site: Site) -> list[Rule]:
    def convolve(inputs: Any, kernel: Any) -> Any:
        return ops.conv(inputs, kernel, strides=layer.strides, padding="same", data_format=layer.data_format)

    first = layer.data_format == "channels_first"
    bias = (lambda: tf.reshape(tf.convert_to_tensor(layer.bias), (1, -1, 1, 1))) if first else (lambda: layer.bias)
    return [Kernel(convolve, lambda: layer.wbar, bias if layer.use_bias else None)]


@register_bound(constrained.ScaledAveragePooling2D, constrained.ScaledGlobalAveragePooling2D)
def _averaging(layer: Any, site: Site) -> list[Rule]:
    return [Monotone(site.call)]


@register_bound(constrained.InvertibleDownSampling)
def _rearranging(layer: Any, site: Site) -> list[Rule]:
    return [Rearranged(site.call)]


@register_bound(BatchCentering)
def _centring(layer: Any, site: Site) -> list[Rule]:
    return [Scaled(lambda inputs: layer(inputs, training=False))]
