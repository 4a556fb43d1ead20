"""The driver for calls from within a graph: all samples as one group, fixed rounds, no early stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from .compiled import loop_steps, plan_step
from .plan import Bound, Loop, Plan


def run_in_graph(
    plan: Plan | Loop,
    bind: Callable[[Any], Bound],
    operator: Any,
    explained: Callable[[Any], Any],
    batch_size: int,
    inputs: Any,
    targets: Any,
    side: Any,
) -> Any:
    """The answer of a plan or loop as tensors of the graph that is being built."""
    if isinstance(plan, Loop):
        carry = plan.start(explained(inputs), side)
        burst = loop_steps(plan, bind, operator)
        carry = burst(carry, inputs, targets, tf.constant(0), tf.constant(plan.steps))
        return plan.finish(carry, explained(inputs), side)
    side = plan.prepare(explained(inputs), side)
    state = plan.start(explained(inputs), side)
    number = tf.shape(tf.nest.flatten(inputs)[0])[0]
    largest, counts = _counts(plan, explained(inputs), side)
    each = largest * plan.rounds
    items = number * each
    batches = tf.maximum(1, -(-items // batch_size))
    size = -(-items // batches)
    step = plan_step(plan, bind, operator, explained)

    def body(batch: Any, state: Any) -> Any:
        chosen = batch * size + tf.range(size)
        weight = chosen < items
        chosen = tf.minimum(chosen, items - 1)
        sample, index = chosen // each, chosen % each
        if counts is not None:
            own = tf.gather(counts, sample)
            weight &= index % largest < own
            # An item beyond its sample's count repeats its last variant, with weight 0.
            index = (index // largest) * own + tf.minimum(index % largest, own - 1)
        return batch + 1, step(state, inputs, targets, side, sample, index, tf.cast(weight, tf.float32))

    shapes = tf.nest.map_structure(lambda leaf: tf.TensorShape((None, *leaf.shape[1:])), state)
    state = tf.while_loop(
        lambda batch, _: batch < batches,
        body,
        (tf.constant(0), state),
        shape_invariants=(tf.TensorShape(()), shapes),
        parallel_iterations=1,
    )[1]
    return plan.finish(state, explained(inputs), side)


def repeated(times: int, once: Callable[[Any], Any], side: Any) -> Any:
    """What is handed over after so many rounds, `once` each, on the host or as a loop of the graph."""
    if not tf.inside_function():
        for _ in range(times):
            side = once(side)
        return side
    side = tf.nest.map_structure(tf.convert_to_tensor, side)
    shapes = tf.nest.map_structure(lambda leaf: tf.TensorShape((None, *leaf.shape[1:])), side)
    return tf.while_loop(
        lambda index, _: index < times,
        lambda index, side: (index + 1, once(side)),
        (tf.constant(0), side),
        shape_invariants=(tf.TensorShape(()), shapes),
        parallel_iterations=1,
    )[1]


def _counts(plan: Plan, inputs: Any, side: Any) -> tuple[Any, Any]:
    """The variants a round: the largest number, and that of each sample where they differ."""
    if not callable(plan.count):
        return plan.count, None
    counts = plan.count(inputs, side)
    return tf.reduce_max(counts), counts
