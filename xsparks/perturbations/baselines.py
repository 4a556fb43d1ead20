"""What a pixel becomes when it is taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.errors import wording
from ..core.layout import Layout

NAMES = ("zero", "middle", "mean", "blur", "noise")
# A tenth of the side at two deviations each way: no object of a photograph is left, its colours are.
BLUR_SIGMA = 0.05


def as_baseline(
    baseline: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None, where: str
) -> Callable[[Any], Any]:
    """A function from inputs `(m, ...)` to their baselines, of the same shape.

    Parameters
    ----------
    baseline : `"zero"`; `"middle"`, the middle of the input range, zero where none is declared (a network that scales
        its inputs to [-1, 1] sees zeros either way); `"mean"`, the mean colour of the image; `"blur"`, a Gaussian of
        5 % of the shorter side; `"noise"`, uniform over the input range, the same for all images; a number; an array
        of the shape of a sample, or that spreads over it; or a function of inputs.
    input_range : what noise spans; None takes that of each image.
    """
    if callable(baseline):
        function: Callable[[Any], Any] = baseline
        return lambda inputs: tf.zeros_like(inputs) + tf.cast(function(inputs), inputs.dtype)
    if isinstance(baseline, str):
        name = check_choice(where, "baseline", baseline, NAMES)
        if name == "blur" and not layout.is_image:
            raise ValueError(
                wording(
                    f"{where}(baseline='blur')",
                    expected="samples must be images (h, w, c)",
                    received=f"shape {layout.shape}",
                    remedy="Use 'zero' or 'mean'.",
                )
            )
        return {
            "zero": tf.zeros_like,
            "middle": lambda inputs: tf.zeros_like(inputs) + sum(input_range or (0.0, 0.0)) / 2,
            "mean": lambda inputs: _mean_colour(inputs, layout),
            "blur": lambda inputs: blurred(inputs, layout, max(0.5, BLUR_SIGMA * min(layout.spatial))),
            "noise": lambda inputs: _noise(inputs, seed, input_range),
        }[name]
    try:
        constant = np.broadcast_to(np.asarray(baseline, dtype=np.float32), layout.shape)
    except (TypeError, ValueError) as misfit:
        raise ValueError(
            wording(
                f"{where}(baseline=...)",
                expected=f"a baseline array must spread over a sample {layout.shape}",
                received=f"{type(baseline).__name__} of shape {np.shape(baseline)}",
                remedy="Pass a number, a colour (c,), an array of the sample's shape, or a function.",
            )
        ) from misfit
    if not np.isfinite(constant).all():
        raise ValueError(
            wording(
                f"{where}(baseline=...)",
                expected="a baseline must be finite",
                received="NaN or infinity",
                remedy="Use 'zero' or 'mean'.",
            )
        )
    return lambda inputs: tf.zeros_like(inputs) + constant


def _mean_colour(inputs: Any, layout: Layout) -> Any:
    places = [axis for axis in range(1, len(layout.shape) + 1) if axis != layout.channel_axis]
    if not layout.is_image:
        places = [1]
    return tf.zeros_like(inputs) + tf.reduce_mean(inputs, axis=places, keepdims=True)


def _noise(inputs: Any, seed: int, input_range: tuple[float, float] | None) -> Any:
    uniform = tf.random.stateless_uniform(tf.shape(inputs)[1:], seed=(seed, 11))
    if input_range is not None:
        low, high = (tf.constant(bound, inputs.dtype) for bound in input_range)
    else:
        axes = list(range(1, len(inputs.shape)))
        low = tf.reduce_min(inputs, axis=axes, keepdims=True)
        high = tf.reduce_max(inputs, axis=axes, keepdims=True)
    return tf.zeros_like(inputs) + low + (high - low) * uniform


def blurred(inputs: Any, layout: Layout, sigma: float) -> Any:
    """Images through a Gaussian of `sigma` pixels; edges are continued by their mirror image."""
    images = inputs
    if layout.channels_first:
        images = tf.transpose(inputs, (0, 2, 3, 1))
    for axis in (1, 2):
        size = layout.spatial[axis - 1]
        images = tf.tensordot(images, tf.constant(_gaussian_matrix(size, sigma)), axes=[[axis], [1]])
        # The contracted axis came out last.
        order = [0, 1, 2]
        order.insert(axis, 3)
        images = tf.transpose(images, order)
    return tf.transpose(images, (0, 3, 1, 2)) if layout.channels_first else images


def _gaussian_matrix(size: int, sigma: float) -> np.ndarray:
    """Row i holds the weights with which the pixels make the blurred pixel i."""
    radius = int(np.ceil(4 * sigma))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    matrix = np.zeros((size, size))
    source = np.arange(size)[:, None] + offsets[None, :]
    period = 2 * size
    mirrored = source % period
    mirrored = np.where(mirrored >= size, period - 1 - mirrored, mirrored)
    np.add.at(matrix, (np.repeat(np.arange(size), len(offsets)), mirrored.ravel()), np.tile(weights, size))
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
