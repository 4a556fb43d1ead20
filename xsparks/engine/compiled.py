"""The one file that compiles: the pure parts of a plan or loop as graph functions with an unknown batch axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..models.taps import TRACING
from .ascent import Ascent, AscentSteps
from .plan import Bound, Items, Loop, Plan

Steps = dict[str, Callable[..., Any]]


def specification(tree: Any) -> Any:
    """Tensor specs of a tree of arrays or tensors, with an unknown leading axis."""

    def spec(leaf: Any) -> tf.TensorSpec:
        # An unknown inner axis stays unknown: a second call with another size then needs no new trace.
        return tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype)

    return tf.nest.map_structure(spec, tree)


def compiled(function: Callable[..., Any], *specs: Any, jit_compile: bool = False) -> Callable[..., Any]:
    """A graph function for exactly these specs, traced once, under the lock that taps need."""
    with TRACING:
        graph = tf.function(function, input_signature=specs, jit_compile=jit_compile or None, autograph=False)
        # A call of the concrete one does not look for a trace, which takes longer than small networks do.
        return graph.get_concrete_function()


def compile_steps(
    plan: Plan | Loop | Ascent,
    bind: Callable[[Any], Bound],
    operator: Any,
    explained: Callable[[Any], Any],
    inputs: Any,
    targets: Any,
    side: Any,
    jit_compile: bool,
) -> Steps:
    """The compiled parts of a plan, a loop or an ascent for samples like these; `explained` picks the explained input
    of a tree.
    """
    inputs_spec, targets_spec, side_spec = (specification(tree) for tree in (inputs, targets, side))
    if isinstance(plan, Ascent):
        return _compile_ascent(AscentSteps(plan, bind, operator), inputs_spec, targets_spec, side_spec, jit_compile)
    steps: Steps = {}
    if isinstance(plan, Plan):
        steps["prepare"] = compiled(lambda x, side: plan.prepare(explained(x), side), inputs_spec, side_spec)
        side_spec = _answer_spec(steps["prepare"])
        if callable(plan.count):
            count = plan.count
            steps["count"] = compiled(lambda x, side: count(explained(x), side), inputs_spec, side_spec)
    steps["start"] = compiled(lambda x, side: plan.start(explained(x), side), inputs_spec, side_spec)
    state_spec = _answer_spec(steps["start"])
    vector = tf.TensorSpec((None,), tf.int32)
    if isinstance(plan, Plan):
        step = plan_step(plan, bind, operator, explained)
        weight = tf.TensorSpec((None,), tf.float32)
        steps["step"] = compiled(
            step, state_spec, inputs_spec, targets_spec, side_spec, vector, vector, weight, jit_compile=jit_compile
        )
        steps["done"] = compiled(plan.done, state_spec, side_spec, tf.TensorSpec((), tf.int32))
    else:
        scalar = tf.TensorSpec((), tf.int32)
        steps["step"] = compiled(
            loop_steps(plan, bind, operator),
            state_spec,
            inputs_spec,
            targets_spec,
            scalar,
            scalar,
            jit_compile=jit_compile,
        )
        steps["done"] = compiled(plan.done, state_spec)
    steps["finish"] = compiled(
        lambda state, x, side: plan.finish(state, explained(x), side), state_spec, inputs_spec, side_spec
    )
    return steps


def _compile_ascent(ascent: AscentSteps, inputs: Any, targets: Any, side: Any, jit_compile: bool) -> Steps:
    start = compiled(ascent.start, inputs, side)
    state, number = _answer_spec(start), tf.TensorSpec((), tf.int32)
    step = compiled(ascent.steps, state, inputs, targets, side, number, number, number, jit_compile=jit_compile)
    return {"start": start, "step": step, "finish": compiled(ascent.finish, state, inputs, side)}


def _answer_spec(function: Any) -> Any:
    return specification(function.structured_outputs)


def plan_step(
    plan: Plan, bind: Callable[[Any], Bound], operator: Any, explained: Callable[[Any], Any]
) -> Callable[..., Any]:
    """One batch of a plan: draw, ask, fold."""

    def step(state: Any, inputs: Any, targets: Any, side: Any, sample: Any, index: Any, weight: Any) -> Any:
        def of_items(leaf: Any) -> Any:
            return tf.gather(leaf, sample)

        x = tf.nest.map_structure(of_items, inputs)
        own = (side, sample) if plan.whole_side else tf.nest.map_structure(of_items, side)
        drawn, extra = plan.draw(explained(x), own, index)
        values = plan.query(bind(x), operator, drawn, tf.nest.map_structure(of_items, targets))
        return plan.fold(state, Items(sample, index, weight), extra, values)

    return step


def loop_steps(loop: Loop, bind: Callable[[Any], Bound], operator: Any) -> Callable[..., Any]:
    """Steps `first` to `last` of a loop; samples that are done keep their carry."""

    def burst(carry: Any, inputs: Any, targets: Any, first: Any, last: Any) -> Any:
        bound = bind(inputs)

        def unfinished(index: Any, carry: Any) -> Any:
            return (index < last) & ~tf.reduce_all(loop.done(carry))

        def body(index: Any, carry: Any) -> Any:
            done = loop.done(carry)
            following = loop.step(bound, operator, carry, targets, index)

            def kept(before: Any, after: Any) -> Any:
                return tf.where(tf.reshape(done, (-1, *[1] * (len(after.shape) - 1))), before, after)

            return index + 1, tf.nest.map_structure(kept, carry, following)

        shapes = tf.nest.map_structure(lambda leaf: tf.TensorShape((None, *leaf.shape[1:])), carry)
        return tf.while_loop(
            unfinished, body, (first, carry), shape_invariants=(tf.TensorShape(()), shapes), maximum_iterations=None
        )[1]

    return burst
