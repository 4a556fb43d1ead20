"""Pictures that an optimizer moves uphill: a variable for each sample, and the gradient of many views of it a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from .optimizer_steps import OptimizerSteps
from .plan import Bound, Tree

View = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Ascent:
    """The parameters of each sample, moved by an optimizer so that views of the picture they make score higher.

    A step draws the picture of each sample, shows `views` views of it, and takes the gradient of their mean value
    first by the picture and then by the parameters. Views are shown together as far as the batch size allows, and the
    gradients of several batches are added; each sample has an optimizer state of its own, so that no sample and no
    batch size changes what becomes of another.

    Parameters
    ----------
    steps : how many.
    views : views of each picture a step.
    optimizer : any Keras optimizer; it is copied, and stays as it is.
    start : `(x, side) -> parameters`, a tree of float tensors `(m, ...)`.
    render : `(parameters, side) -> pictures (m, h, w, c)`.
    view : `(pictures, index, which) -> (m * k, ...)`: the views `which (k,)` of step `index`, all of the first picture
        before those of the second; a pure function.
    value : `(bound, operator, shown, targets, beside) -> (b,)`, of views; `targets` has a row for each view.
    beside : `side -> pictures` whose same views `value` gets as `beside`; None where it needs none.
    penalty : `pictures -> (m,)`, subtracted from the value; None for none.
    stages : numbers of steps before which the pictures are kept as they are then.
    """

    steps: int
    views: int
    optimizer: Any
    start: Callable[[Any, Tree], Tree]
    render: Callable[[Tree, Tree], Any]
    view: View
    value: Callable[[Bound, Any, Any, Tree, Any], Any]
    beside: Callable[[Tree], Any] | None = None
    penalty: Callable[[Any], Any] | None = None
    stages: tuple[int, ...] = ()
    backward: bool = True

    @property
    def variants(self) -> int:
        """Views of a sample, over all steps."""
        return self.steps * self.views


class AscentSteps:
    """The parts of an ascent that are compiled.

    The state of a sample is a dict: `"parameters"`, `"optimizer"`, `"steepness"` `(m, h, w, 1)`, the absolute gradient
    of the value by the picture, its mean over the channels summed over the steps, `"values"` `(m, steps)`, the mean
    value of the views before each step, and `"stages"` `(m, k, h, w, c)`, the pictures that are kept on the way.
    """

    def __init__(self, ascent: Ascent, bind: Callable[[Any], Bound], operator: Any):
        self._ascent, self._bind, self._operator = ascent, bind, operator
        self._optimizer: OptimizerSteps | None = None

    def start(self, x: Any, side: Tree) -> Any:
        """The state before the first step."""
        parameters = self._ascent.start(x, side)
        flat = tf.nest.flatten(parameters)
        number = tf.shape(flat[0])[0]
        pictures = self._ascent.render(parameters, side)
        return {
            "parameters": parameters,
            "optimizer": self._optimizer_of(flat).start(number),
            "steepness": tf.zeros_like(pictures[..., :1]),
            "values": tf.zeros([number, self._ascent.steps]),
            "stages": tf.zeros_like(self._stages(pictures, tf.constant(0))),
        }

    def steps(self, state: Any, inputs: Any, targets: Any, side: Tree, first: Any, last: Any, most: Any) -> Any:
        """The state after the steps `first` to `last`, with at most `most` views in flight."""
        bound = self._bind(inputs)

        def body(index: Any, state: Any) -> Any:
            return index + 1, self._step(bound, state, targets, side, index, most)

        shapes = tf.nest.map_structure(lambda leaf: tf.TensorShape((None, *leaf.shape[1:])), state)
        return tf.while_loop(
            lambda index, _: index < last,
            body,
            (first, state),
            shape_invariants=(tf.TensorShape(()), shapes),
            parallel_iterations=1,
        )[1]

    def finish(self, state: Any, x: Any, side: Tree) -> Any:
        """The pictures as they are now, and what was noted on the way."""
        pictures = self._ascent.render(state["parameters"], side)
        return {"pictures": pictures, **{name: state[name] for name in ("steepness", "values", "stages")}}

    def _step(self, bound: Bound, state: Any, targets: Any, side: Tree, index: Any, most: Any) -> Any:
        parameters = state["parameters"]
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            pictures = self._ascent.render(parameters, side)
        slope, value = self._slope(bound, pictures, targets, side, index, most)
        upwards = slope
        if self._ascent.penalty is not None:
            with tf.GradientTape() as beside:
                beside.watch(pictures)
                cost = self._ascent.penalty(pictures)
            upwards -= tf.convert_to_tensor(beside.gradient(cost, pictures))
        flat = tf.nest.flatten(parameters)
        # Optimizers go downhill.
        downwards = tape.gradient(pictures, flat, output_gradients=-upwards)
        moved, optimizer = self._optimizer_of(flat).apply(flat, downwards, state["optimizer"])
        now = tf.one_hot(index, self._ascent.steps)
        return {
            "parameters": tf.nest.pack_sequence_as(parameters, moved),
            "optimizer": optimizer,
            "steepness": state["steepness"] + tf.reduce_mean(tf.abs(slope), axis=-1, keepdims=True),
            "values": state["values"] + value[:, None] * now,
            "stages": state["stages"] + self._stages(pictures, index),
        }

    def _stages(self, pictures: Any, index: Any) -> Any:
        """The pictures `(m, k, h, w, c)` at the place of the stage that begins now, zero at others."""
        kept = np.reshape(self._ascent.stages, (1, -1, 1, 1, 1)).astype(np.int32)
        return tf.where(kept == index, pictures[:, None], 0.0)

    def _optimizer_of(self, parameters: list[Any]) -> OptimizerSteps:
        if self._optimizer is None:
            self._optimizer = OptimizerSteps(self._ascent.optimizer, [leaf.shape[1:] for leaf in parameters])
        return self._optimizer

    def _slope(self, bound: Bound, pictures: Any, targets: Any, side: Tree, index: Any, most: Any) -> tuple[Any, Any]:
        """The gradient of the mean value of the views by the pictures, and the mean value `(m,)`."""
        views, rows = self._ascent.views, tf.shape(pictures)[0]
        parts = -(-views // tf.maximum(1, most // rows))
        share = -(-views // parts)

        def part(number: Any, slope: Any, value: Any) -> Any:
            which = tf.range(number * share, tf.minimum((number + 1) * share, views))
            own = self._own(bound, pictures, targets, side, index, which)
            return number + 1, slope + own[0] / views, value + own[1] / views

        shapes = (tf.TensorShape(()), pictures.shape, tf.TensorShape((None,)))
        start = (tf.constant(0), tf.zeros_like(pictures), tf.zeros([rows]))
        return tf.while_loop(
            lambda number, *_: number < parts, part, start, shape_invariants=shapes, parallel_iterations=1
        )[1:]

    def _own(self, bound: Bound, pictures: Any, targets: Any, side: Tree, index: Any, which: Any) -> tuple[Any, Any]:
        """The gradient of the summed value of some views, and that sum for each picture."""
        ascent, rows = self._ascent, tf.shape(pictures)[0]
        sample = tf.repeat(tf.range(rows), tf.shape(which)[0])
        targets = tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), targets)
        beside = None if ascent.beside is None else ascent.view(ascent.beside(side), index, which)
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            shown = ascent.view(pictures, index, which)
            values = ascent.value(bound, self._operator, shown, targets, beside)
        slope = tape.gradient(values, pictures, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return slope, tf.reduce_sum(tf.reshape(values, (rows, -1)), axis=1)
