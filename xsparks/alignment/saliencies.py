"""What a model looks at, made from the gradient that training computes anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def mean_gradient(gradient: Any, inputs: Any) -> Any:
    """The mean over the channels, `(n, h, w)`, sign and all: what the published networks were trained with."""
    return tf.reduce_mean(gradient, axis=-1)


def absolute_gradient(gradient: Any, inputs: Any) -> Any:
    """The largest absolute value over the channels, `(n, h, w)`: what the published alignment is measured on."""
    return tf.reduce_max(tf.abs(gradient), axis=-1)


def gradient_times_input(gradient: Any, inputs: Any) -> Any:
    """The sum over the channels of gradient times input, `(n, h, w)`."""
    return tf.reduce_sum(gradient * inputs, axis=-1)


SALIENCIES: dict[str, Callable[[Any, Any], Any]] = {
    "gradient": mean_gradient,
    "absolute_gradient": absolute_gradient,
    "gradient_input": gradient_times_input,
}
