"""Activations that keep the length of gradients: deel-lip's, on Keras 3."""

from __future__ import annotations

from typing import Any

import deel.lip.layers as deel
import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("xsparks")
class GroupSort(deel.GroupSort):
    """Which activation loses nothing of a gradient: the channels sorted, in groups of `n`.

    Sorting only changes places, so the derivative is a permutation, where a ReLU would put zeros.

    Parameters
    ----------
    n : channels in a group, which must divide the number of channels; None sorts all.
    k_coef_lip : the Lipschitz constant, 1.

    Raises
    ------
    RuntimeError : `n` does not divide the channels, or channels come first.

    Source
    ------
    C. Anil, J. Lucas, R. Grosse, "Sorting out Lipschitz function approximation", ICML 2019,
    https://arxiv.org/abs/1811.05381; deel-lip, https://github.com/deel-ai/deel-lip
    """

    def call(self, inputs: Any) -> Any:
        """The channels of each place, each group in rising order."""
        shape = tf.shape(inputs)
        size = 1 if self.n is None else int(self.n)
        groups = tf.reshape(inputs, tf.concat([shape[:-1], (inputs.shape[-1] // size, size)], axis=0))
        if size == 2:
            first, second = tf.split(groups, 2, axis=-1)
            ordered = tf.concat([tf.minimum(first, second), tf.maximum(first, second)], axis=-1)
        else:
            ordered = tf.sort(groups)
        return tf.ensure_shape(tf.reshape(ordered, shape), inputs.shape) * self.k_coef_lip


@keras.saving.register_keras_serializable("xsparks")
class GroupSort2(GroupSort):
    """The activation of 1-Lipschitz networks: of each pair of channels the smaller and the larger one.

    Parameters
    ----------
    k_coef_lip : the Lipschitz constant, 1.

    Source
    ------
    C. Anil, J. Lucas, R. Grosse, ICML 2019, https://arxiv.org/abs/1811.05381
    """

    def __init__(self, **options: Any):
        super().__init__(**{**options, "n": 2})


@keras.saving.register_keras_serializable("xsparks")
class FullSort(GroupSort):
    """`GroupSort` of all channels at once.

    Source
    ------
    C. Anil, J. Lucas, R. Grosse, ICML 2019, https://arxiv.org/abs/1811.05381
    """

    def __init__(self, **options: Any):
        super().__init__(**{**options, "n": None})


@keras.saving.register_keras_serializable("xsparks")
class MaxMin(deel.MaxMin):
    """Both halves of a ReLU: `[relu(x), relu(-x)]`, twice as many channels.

    Source
    ------
    M. Blot, M. Cord, N. Thome, "Max-min convolutional neural networks for image classification", ICIP 2016
    """

    def call(self, inputs: Any) -> Any:
        """`[relu(x), relu(-x)]`."""
        return tf.concat([tf.nn.relu(inputs), tf.nn.relu(-inputs)], axis=self.channel_axis) * self.k_coef_lip

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape with twice the channels."""
        shape = list(input_shape)
        shape[self.channel_axis] = None if shape[self.channel_axis] is None else 2 * shape[self.channel_axis]
        return tuple(shape)


@keras.saving.register_keras_serializable("xsparks")
class Householder(deel.Householder):
    """An activation that learns along which line each pair of channels is folded; `GroupSort2` at first.

    Parameters
    ----------
    theta_initializer : of the angles; None for pi / 2.

    Source
    ------
    S. Singla, S. Singla, S. Feizi, "Improved deterministic l2 robustness on CIFAR-10 and CIFAR-100", ICLR 2022,
    https://openreview.net/forum?id=tD7eCtaSkR
    """

    def build(self, input_shape: Any) -> None:
        """Makes the angles; deel-lip calls `add_weight` as Keras 2 did."""
        if input_shape[-1] % 2:
            raise RuntimeError("2 has to be a divisor of the number of channels")
        self._init_lip_coef(input_shape)
        initializer: Any = self.theta_initializer
        initializer = keras.initializers.Constant(np.pi / 2) if initializer is None else initializer
        self.theta = self.add_weight(
            name="theta",
            shape=(input_shape[-1] // 2,),
            initializer=initializer,
        )
