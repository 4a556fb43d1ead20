"""Layers and operations that are not linear: which rules each is made of."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import tensorflow as tf
from keras import activations, layers, ops

from . import curves
from .elementwise import Bent, Rectified
from .groups import Largest, Sorted
from .linear import Monotone, Rearranged, Scaled
from .products import Softmax
from .rule import Rule, Site, Unsupported, register_bound

Rules = list[Rule]


def _option(operation: Any, name: str, default: Any = None) -> Any:
    """An option of a layer or operation, or its default where a function is given."""
    if hasattr(operation, name):
        return getattr(operation, name)
    if inspect.isfunction(operation):
        known = inspect.signature(operation).parameters
        return known[name].default if name in known else default
    return default


@register_bound(activations.linear)
def _nothing(operation: Any, site: Site) -> Rules:
    return []


@register_bound(layers.Activation)
def _activation(layer: Any, site: Site) -> Rules:
    # What every layer's own activation adds follows.
    return [Rearranged(tf.identity)]


@register_bound(layers.ReLU, layers.LeakyReLU, activations.relu, ops.relu, ops.relu6, ops.leaky_relu)
def _rectifying(operation: Any, site: Site) -> Rules:
    slope = float(_option(operation, "negative_slope", 0.0) or 0.0)
    cap = _option(operation, "max_value")
    name = getattr(operation, "__name__", type(operation).__name__).lower()
    cap = 6.0 if name == "relu6" else cap
    if float(_option(operation, "threshold", 0.0) or 0.0):
        raise Unsupported("with threshold=0")
    if slope == 0.0 and cap is None:
        return [Rectified()]
    return [Bent(lambda: slope, None if cap is None else float(cap))]


@register_bound(layers.PReLU)
def _parametric(layer: Any, site: Site) -> Rules:
    return [Bent(lambda: layer.alpha)]


@register_bound(ops.absolute, ops.abs)
def _absolute(operation: Any, site: Site) -> Rules:
    return [Bent(lambda: -1.0)]


@register_bound(ops.clip)
def _clipping(operation: Any, site: Site) -> Rules:
    low, high = float(operation.x_min), float(operation.x_max)
    return [Scaled(lambda x: x - low), Bent(lambda: 0.0, high - low), Scaled(lambda x: x + low)]


@register_bound(ops.hard_sigmoid)
def _hard_sigmoid(operation: Any, site: Site) -> Rules:
    return [Scaled(lambda x: x + 3.0), Bent(lambda: 0.0, 6.0), Scaled(lambda x: x / 6.0)]


@register_bound(ops.sigmoid)
def _sigmoid(operation: Any, site: Site) -> Rules:
    return [curves.sigmoid()]


@register_bound(ops.tanh)
def _tanh(operation: Any, site: Site) -> Rules:
    return [curves.tanh()]


@register_bound(ops.softplus)
def _softplus(operation: Any, site: Site) -> Rules:
    return [curves.softplus()]


@register_bound(ops.silu, activations.silu)
def _swish(operation: Any, site: Site) -> Rules:
    return [curves.swish()]


@register_bound(ops.gelu, activations.gelu)
def _gelu(operation: Any, site: Site) -> Rules:
    return [curves.tanh_gelu() if _option(operation, "approximate", False) else curves.gelu()]


@register_bound(ops.square)
def _square(operation: Any, site: Site) -> Rules:
    return [curves.square()]


@register_bound(layers.Softmax, ops.softmax)
def _softmax(operation: Any, site: Site) -> Rules:
    axis, rank = _option(operation, "axis", -1), len(site.shape)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if not isinstance(axis, int) or axis == 0 or len(site.shapes) > 1:
        raise Unsupported("along one axis of a sample, without a mask")
    return [Softmax(axis if axis < 0 else axis - rank - 1)]


# --- those that choose ---


@register_bound(layers.Maximum, ops.maximum)
def _maximum(operation: Any, site: Site) -> Rules:
    if len(site.shapes) == 1:
        return _beside_constant(site, sign=1.0)
    return [_stacked(site), Largest()]


@register_bound(layers.Minimum, ops.minimum)
def _minimum(operation: Any, site: Site) -> Rules:
    if len(site.shapes) == 1:
        return _beside_constant(site, sign=-1.0)
    return [_stacked(site), Scaled(tf.negative), Largest(), Scaled(tf.negative)]


def _stacked(site: Site) -> Rule:
    shape = site.shape

    def stack(*inputs: Any) -> Any:
        return tf.stack([tf.broadcast_to(each, (tf.shape(each)[0], *shape)) for each in inputs], axis=-1)

    return Monotone(stack)


def _beside_constant(site: Site, sign: float) -> Rules:
    """`max(x, k) = k + relu(x - k)`, `min(x, k) = k - relu(k - x)`."""
    positional = [each for each in site.arguments[0] if each is not None]
    if len(positional) != 1 or site.shape != site.shapes[0]:
        raise Unsupported("of tensors, or of a tensor and a constant that broadcasts to it")
    constant = np.asarray(positional[0], dtype="float32")
    return [Scaled(lambda x: sign * (x - constant)), Rectified(), Scaled(lambda x: sign * x + constant)]


def _reduced_axes(operation: Any, rank: int) -> list[int]:
    axis = _option(operation, "axis")
    axes = list(range(1, rank + 1)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    axes = sorted(each % (rank + 1) for each in axes)
    if axis is None or 0 in axes:
        raise Unsupported("along axes of a sample")
    return axes


def _gathered(axes: list[int], rank: int) -> Rule:
    """The entries along some axes, as one last axis."""
    order = [each for each in range(rank + 1) if each not in axes] + axes

    def gather(inputs: Any) -> Any:
        moved = tf.transpose(inputs, order)
        shape: Any = moved.shape.as_list()
        return tf.reshape(moved, (-1, *shape[1 : rank + 1 - len(axes)], int(np.prod(shape[rank + 1 - len(axes) :]))))

    return Rearranged(gather)


def _shaped(shape: tuple[int, ...]) -> Rule:
    return Rearranged(lambda inputs: tf.reshape(inputs, (-1, *shape)))


@register_bound(ops.max, ops.amax)
def _largest(operation: Any, site: Site) -> Rules:
    if _option(operation, "initial") is not None:
        raise Unsupported("without `initial`")
    rank = len(site.shapes[0])
    return [_gathered(_reduced_axes(operation, rank), rank), Largest(), _shaped(site.shape)]


@register_bound(ops.min, ops.amin)
def _smallest(operation: Any, site: Site) -> Rules:
    gather, largest, shape = _largest(operation, site)
    return [Scaled(tf.negative), gather, largest, shape, Scaled(tf.negative)]


@register_bound(ops.sort)
def _sorting(operation: Any, site: Site) -> Rules:
    rank = len(site.shape)
    (axis,) = _reduced_axes(operation, rank)
    order = [each for each in range(rank + 1) if each != axis] + [axis]
    back = [order.index(each) for each in range(rank + 1)]
    return [Rearranged(lambda x: tf.transpose(x, order)), Sorted(), Rearranged(lambda x: tf.transpose(x, back))]
