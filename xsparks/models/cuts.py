"""Layers through which everything must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from .places import _listening

if TYPE_CHECKING:
    from .access import ModelAccess


def cut_names(access: ModelAccess) -> list[str]:
    """The layers, by path, through which every way from the inputs to the outputs leads: where `split` works.

    One trace of the model, no forward: a layer is a cut if, without its answer, the outputs cannot be traced back to
    the inputs.

    Example
    -------
    >>> import keras
    >>> from xsparks.models.access import ModelAccess
    >>> inputs = keras.Input((2,))
    >>> around = keras.layers.Add(name="sum")([inputs, keras.layers.Dense(2, name="branch")(inputs)])
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="head")(keras.layers.ReLU(name="cut")(around)))
    >>> cut_names(ModelAccess(model))
    ['sum', 'cut', 'head']
    """
    trial = access.trial_inputs()
    # The graph of a function: a plain tf.Graph cannot read the variables of the model.
    with tf.__internal__.FuncGraph("cuts").as_default():
        inputs = tf.nest.map_structure(
            lambda leaf: tf.compat.v1.placeholder(leaf.dtype, (None, *leaf.shape[1:])), trial
        )
        with _listening(access.model) as noted:
            outputs = access.forward(inputs)
    sources = {leaf.op for leaf in tf.nest.flatten(inputs)}
    ends = tf.nest.flatten(outputs)
    return [name for name, _, answer in noted if not _reaches(ends, sources, answer)]


def _reaches(tensors: list[Any], sources: set[Any], without: Any) -> bool:
    """Whether tensors depend on operations, other than by one tensor."""
    seen: set[Any] = set()
    pending = [tensor.op for tensor in tensors if tensor is not without]
    while pending:
        operation = pending.pop()
        if operation in sources:
            return True
        if operation not in seen:
            seen.add(operation)
            pending += [tensor.op for tensor in operation.inputs if tensor is not without]
    return False
