"""A shortcut that stretches nothing."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..core.errors import ModelError, wording


@keras.saving.register_keras_serializable("xsparks")
class LipschitzResidual(keras.layers.Layer):
    """How do I add a shortcut to a 1-Lipschitz block?

    `y = s x + (1 - s) g(x)` with `s = 1 / (1 + exp(-alpha))` and a trained number alpha, 0 at first, where it is the
    published `(x + g(x)) / 2`. The sum of two 1-Lipschitz functions is 2-Lipschitz, their weighted mean is not. It is
    no longer true then that gradients have norm 1 everywhere: `x` and `g(x)` can cancel.

    Returns
    -------
    outputs : of `LipschitzResidual()([x, g(x)])`, of the shape of both.

    Raises
    ------
    ModelError : not two inputs of one shape.

    Example
    -------
    >>> import numpy as np
    >>> LipschitzResidual()([np.array([[1.0, 0.0]]), np.array([[3.0, 2.0]])]).numpy().tolist()
    [[2.0, 1.0]]

    Source
    ------
    M. Serrurier et al., NeurIPS 2023, https://arxiv.org/abs/2206.06854; the trained weight is that of deel-torchlip,
    https://github.com/deel-ai/deel-torchlip
    """

    def build(self, input_shape: Any) -> None:
        """Makes the weight."""
        shapes = [tuple(shape) for shape in input_shape] if isinstance(input_shape[0], list | tuple) else []
        if len(shapes) != 2 or shapes[0][1:] != shapes[1][1:]:
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="the inputs must be [x, g(x)], of one shape",
                    received=f"shapes {shapes or tuple(input_shape)}",
                    remedy="Keep the size and the channels in g, or bring x to the same by InvertibleDownSampling and "
                    "a SpectralConv2D.",
                )
            )
        self.alpha = self.add_weight(name="alpha", shape=(), initializer="zeros")

    @property
    def share(self) -> Any:
        """The share of the shortcut, in (0, 1)."""
        return tf.sigmoid(tf.convert_to_tensor(self.alpha))

    def call(self, inputs: Any) -> Any:
        """`s x + (1 - s) g(x)`."""
        shortcut, block = inputs
        share = tf.cast(self.share, shortcut.dtype)
        return share * shortcut + (1 - share) * block

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of each input."""
        return input_shape[0]
