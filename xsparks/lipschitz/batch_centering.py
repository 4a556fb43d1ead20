"""Batch normalisation that stretches nothing: the mean is taken away, the variance is left."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..core.checks import check_number


@keras.saving.register_keras_serializable("xsparks")
class BatchCentering(keras.layers.Layer):
    """What takes the place of batch normalisation in a 1-Lipschitz network?

    `y = x - mean(x) + beta`, a mean for each channel over the batch and the places, in inference the running mean of
    the batches. Dividing by a deviation could stretch; taking a mean away is a projection, and never does.

    Parameters
    ----------
    momentum : share of the running mean that a batch leaves, in [0, 1).
    channel_axis : -1, or 1 where channels come first.

    Raises
    ------
    ValueError : a momentum out of range.

    Departs
    -------
    deel-torchlip averages the batches since the last evaluation, which then counts as one; an evaluation that changes
    the model has no place in Keras, so the mean runs as that of batch normalisation does, freed from its start at 0.

    Example
    -------
    >>> import numpy as np
    >>> layer = BatchCentering()
    >>> layer(np.array([[1.0], [3.0]]), training=True).numpy().ravel().tolist()
    [-1.0, 1.0]
    >>> layer(np.array([[5.0]])).numpy().ravel().round(4).tolist()
    [3.0]

    Source
    ------
    M. Serrurier et al., NeurIPS 2023, https://arxiv.org/abs/2206.06854 (there in its networks)
    """

    def __init__(self, momentum: float = 0.99, channel_axis: int = -1, **options: Any):
        super().__init__(**options)
        # Values within [0, 1): at 1 no batch would ever count.
        self.momentum = check_number(type(self).__name__, "momentum", momentum, 0, 1 - 1e-9, "Use .99.")
        self.channel_axis = channel_axis
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the shift and the running mean."""
        channels = (input_shape[self.channel_axis],)
        self.beta = self.add_weight(name="beta", shape=channels, initializer="zeros")
        self.moving_sum = self.add_weight(name="moving_sum", shape=channels, initializer="zeros", trainable=False)
        self.moving_weight = self.add_weight(name="moving_weight", shape=(), initializer="zeros", trainable=False)

    @property
    def moving_mean(self) -> Any:
        """The mean that inference takes away, 0 before any training."""
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.moving_sum), tf.convert_to_tensor(self.moving_weight))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The inputs without their mean, which leaves out what is masked."""
        rank = len(inputs.shape)
        channel = self.channel_axis % rank
        if training:
            others = [axis for axis in range(rank) if axis != channel]
            mean = tf.reduce_mean(inputs, axis=others)
            if mask is not None:
                counted = tf.cast(mask, inputs.dtype)[..., None] * tf.ones_like(inputs)
                mean = tf.reduce_sum(inputs * counted, axis=others) / tf.reduce_sum(counted, axis=others)
            kept, share = self.momentum, 1 - self.momentum
            self.moving_sum.assign(kept * self.moving_sum + share * tf.cast(mean, self.moving_sum.dtype))
            self.moving_weight.assign(kept * self.moving_weight + share)
        else:
            mean = self.moving_mean
        shift = tf.cast(self.beta, inputs.dtype) - tf.cast(mean, inputs.dtype)
        return inputs + tf.reshape(shift, [-1 if axis == channel else 1 for axis in range(rank)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from."""
        return {**super().get_config(), "momentum": self.momentum, "channel_axis": self.channel_axis}

    def vanilla_export(self) -> keras.layers.BatchNormalization:
        """Batch normalisation with a variance of 1, which computes the same in inference."""
        plain: Any = keras.layers.BatchNormalization(axis=self.channel_axis, scale=False, name=self.name)
        plain.build(self.get_build_config()["input_shape"])  # pyright: ignore[reportOptionalSubscript]
        plain.moving_mean.assign(self.moving_mean)
        # Keras adds its epsilon to the variance.
        plain.moving_variance.assign(tf.ones_like(plain.moving_variance) - plain.epsilon)
        plain.beta.assign(self.beta)
        return plain
