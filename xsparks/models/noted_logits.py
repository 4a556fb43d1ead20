"""The logits behind probabilities, as Keras notes them on the tensor, for who only has the output of a call."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def noted_logits(outputs: Any) -> Any:
    """The logits `(n, classes)` of a classifier's output, a final softmax or sigmoid taken back.

    Keras 3 notes on what a softmax or sigmoid gives what went in, for its own losses. Nothing is set on a layer, so
    this works in the threads of replicas too. What nothing is noted on is taken for logits. One sigmoid unit becomes
    `(-logit, logit)`.

    Parameters
    ----------
    outputs : what a Keras model answers, one tensor.

    Returns
    -------
    logits : float64 if the outputs are, else float32.

    Example
    -------
    >>> import keras
    >>> noted_logits(keras.activations.softmax(tf.constant([[1.0, 3.0]]))).numpy().tolist()
    [[1.0, 3.0]]
    >>> noted_logits(keras.activations.sigmoid(tf.constant([[2.0]]))).numpy().tolist()
    [[-2.0, 2.0]]
    """
    noted = getattr(outputs, "_keras_logits", None)
    logits = tf.convert_to_tensor(outputs if noted is None else noted)
    if logits.dtype != tf.float64:
        logits = tf.cast(logits, tf.float32)
    if noted is not None and len(logits.shape) == 2 and logits.shape[-1] == 1:
        return tf.concat([-logits, logits], axis=-1)
    return logits
