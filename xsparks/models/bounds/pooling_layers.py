"""Poolings by maximum: their windows, and the largest entry of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers, ops

from .groups import Largest, in_windows, window_indices
from .linear import Monotone, Rearranged
from .rule import Rule, Site, register_bound

Rules = list[Rule]
Windows = Sequence[tuple[np.ndarray, np.ndarray]]


def _first_axis(data_format: str) -> int:
    return 1 if data_format == "channels_last" else 2


def _largest_of(windows: Windows, data_format: str) -> Rules:
    """Entries of all windows along a last axis, and the largest of those that exist."""
    indices = [along for along, _ in windows]
    present = np.ones((1,) * len(windows) + (1,), bool)
    for axis, (_, exists) in enumerate(windows):
        # (windows of this axis, entries): spread over the other axes, entries multiplied into the last.
        shape = [1] * len(windows)
        shape[axis] = len(exists)
        own = exists.reshape(*shape, 1, exists.shape[1])
        present = (present[..., :, None] & own).reshape(
            *np.broadcast_shapes(present.shape[:-1], tuple(shape)), present.shape[-1] * exists.shape[1]
        )
    if data_format == "channels_last":
        present = present[..., None, :]
    gather = Rearranged(lambda inputs: in_windows(inputs, indices, _first_axis(data_format)), repeats=True)
    return [gather, Largest(None if present.all() else present)]


@register_bound(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D, ops.max_pool)
def _max_pooling(operation: Any, site: Site) -> Rules:
    (shape,) = site.shapes
    first = _first_axis(operation.data_format) - 1
    sizes = shape[first : first + len(shape) - 1]
    pool, strides = (_each(value, len(sizes)) for value in (operation.pool_size, operation.strides))
    strides = pool if strides is None else strides
    found = [
        window_indices(size, window, stride, operation.padding)
        for size, window, stride in zip(sizes, pool or (), strides or (), strict=True)
    ]
    return _largest_of(found, operation.data_format)


def _each(value: Any, axes: int) -> tuple[int, ...] | None:
    if value is None or isinstance(value, list | tuple):
        return None if value is None else tuple(value)
    return (value,) * axes


@register_bound(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
def _global_max_pooling(layer: Any, site: Site) -> Rules:
    (shape,) = site.shapes
    last = layer.data_format == "channels_last"
    channels = shape[-1] if last else shape[0]
    order = [0, len(shape), *range(1, len(shape))] if last else list(range(len(shape) + 1))
    answer = site.shape

    def gather(inputs: Any) -> Any:
        return tf.reshape(tf.transpose(inputs, order), (-1, channels, int(np.prod(shape)) // channels))

    return [Rearranged(gather), Largest(), Rearranged(lambda inputs: tf.reshape(inputs, (-1, *answer)))]


def _adaptive_windows(size: int, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Window `i` of `k` holds the entries from `floor(i n / k)` to `ceil((i + 1) n / k)`."""
    starts = np.arange(windows) * size // windows
    ends = -(-(np.arange(windows) + 1) * size // windows)
    places = starts[:, None] + np.arange((ends - starts).max())
    return np.minimum(places, size - 1), places < ends[:, None]


def _adaptive_max_pooling(layer: Any, site: Site) -> Rules:
    (shape,) = site.shapes
    first = _first_axis(layer.data_format) - 1
    sizes = shape[first : first + len(shape) - 1]
    windows = site.shape[first : first + len(shape) - 1]
    found = [_adaptive_windows(size, count) for size, count in zip(sizes, windows, strict=True)]
    return _largest_of(found, layer.data_format)


def _adaptive_average_pooling(layer: Any, site: Site) -> Rules:
    return [Monotone(site.call)]


# These came to Keras later than the oldest version that is supported.
for _dimensions in (1, 2, 3):
    for _kind, _maker in (("Max", _adaptive_max_pooling), ("Average", _adaptive_average_pooling)):
        _layer = getattr(layers, f"Adaptive{_kind}Pooling{_dimensions}D", None)
        if _layer is not None:
            register_bound(_layer)(_maker)
