"""A Keras optimizer as a pure function of its state, one state for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class OptimizerSteps:
    """How does any Keras optimizer move the parameters of many samples, each as if it were alone?

    Keras keeps the state of an optimizer in variables, and on TensorFlow it has no function that takes the state and
    returns the next one. Here the variables are those of one sample, filled, used and read again for each sample in
    turn, so that what an optimizer measures over a whole variable (a norm that is clipped, a trust ratio) belongs to
    one sample.

    Parameters
    ----------
    optimizer : a Keras optimizer; a copy is used.
    shapes : of the parameters of one sample.
    """

    def __init__(self, optimizer: Any, shapes: Sequence[Any]):
        made: list[tf.Variable] = []

        def noted(create: Any, **options: Any) -> Any:
            made.append(create(**options))
            return made[-1]

        # In a graph that is being built these must be made outside of it.
        with tf.init_scope():
            self._parameters = [keras.Variable(tf.zeros(shape), name=f"p{n}") for n, shape in enumerate(shapes)]
            # Not `optimizer.variables`, which lacks those of some optimizers (the product of Nadam in Keras 3.15).
            with tf.variable_creator_scope(noted):
                self._optimizer: Any = type(optimizer).from_config(optimizer.get_config())
                self._optimizer.build(self._parameters)
            self._state = made
            self._first = [variable.numpy() for variable in made]

    def start(self, number: Any) -> list[Any]:
        """The state of so many samples before the first step, a list of tensors `(m, ...)`."""

        def many(value: Any) -> Any:
            return tf.ensure_shape(tf.repeat(tf.constant(value)[None], number, axis=0), [None, *value.shape])

        return [many(value) for value in self._first]

    def apply(self, parameters: list[Any], gradients: list[Any], state: list[Any]) -> tuple[list[Any], list[Any]]:
        """The parameters and the state after one step downhill; all trees have the leading axis `m`."""

        def one(given: Any) -> Any:
            own, slopes, kept = given
            for variable, value in zip(self._parameters, own, strict=True):
                variable.assign(value)
            for variable, value in zip(self._state, kept, strict=True):
                variable.assign(value)
            self._optimizer.apply(slopes, self._parameters)
            moved = [tf.identity(variable.value) for variable in self._parameters]
            return moved, [variable.read_value() for variable in self._state]

        like = tf.nest.map_structure(lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), (parameters, state))
        return tf.map_fn(one, (parameters, gradients, state), fn_output_signature=like, parallel_iterations=1)
