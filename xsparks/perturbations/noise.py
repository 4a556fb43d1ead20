"""Noise that depends on the seed and the number of the draw alone."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ..core.layout import Layout


def normal_noise(layout: Layout, seed: int, index: Any) -> Any:
    """Standard normal noise of the draws `index`: the same for every sample, so that methods can be compared.

    Parameters
    ----------
    layout : of a sample; the noise of a place does not depend on where the channel stands.
    index : `(b,)` int32.

    Returns
    -------
    noise : `(b, ...)` float32, of the shape of the samples.
    """
    shape = (*layout.spatial, layout.shape[0]) if layout.is_image and layout.channels_first else layout.shape
    noise = tf.map_fn(
        lambda number: tf.random.stateless_normal(shape, tf.stack([tf.constant(seed), number])),
        index,
        fn_output_signature=tf.TensorSpec(shape, tf.float32),
        # Half the time of the default, which is 10.
        parallel_iterations=32,
    )
    return noise if shape == layout.shape else tf.transpose(noise, (0, 3, 1, 2))


def input_width(inputs: Any, input_range: tuple[float, float] | None) -> Any:
    """The width of the input range, `(b, 1, ...)`: as declared, else of each sample."""
    axes = list(range(1, len(inputs.shape)))
    low, high = (reduce(inputs, axis=axes, keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    if input_range is not None:
        return tf.zeros_like(low) + (input_range[1] - input_range[0])
    return high - low
