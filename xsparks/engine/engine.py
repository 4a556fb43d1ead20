"""Runs every plan and every loop, on the host or within a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..models.access import ModelAccess
from ..models.output_operator import OutputOperator
from ..models.places import Place, read_places
from . import queries, reducers
from .ascent import Ascent
from .binding import Binding
from .checkpoint import Checkpoint
from .climbing import run_ascent
from .compiled import Steps, compile_steps, compiled, specification
from .graph import repeated, run_in_graph
from .plan import Bound, Loop, Plan, Repeated
from .rows import Answers, as_tensors, concatenated, length, rows_of
from .schedule import STEPS_PER_CALL, batches, work_items

SCORES = Plan(
    count=1,
    query=queries.score,
    draw=lambda x, side, index: (x, ()),
    start=reducers.table(1),
    fold=reducers.collect,
    finish=reducers.as_is,
)
AUTO_BATCH_CPU, AUTO_BATCH_GPU = 32, 256


class Engine:
    """One compiled step, two drivers.

    Parameters
    ----------
    access : the model.
    operator : `(forward, inputs, targets) -> scores (n,)`.
    batch_size : most work items in flight, or `"auto"`: 32 on a CPU and 256 on a GPU, halved whenever memory runs out.
    explain_input : the name or position of the explained input of a model of several.
    jit_compile : compile steps with XLA; off by default because it is many times slower for depthwise convolutions
        on CPUs.
    """

    def __init__(
        self,
        access: ModelAccess,
        operator: Any,
        batch_size: int | str = "auto",
        explain_input: str | int | None = None,
        jit_compile: bool = False,
    ):
        self.access = access
        self.operator = operator
        self.automatic = batch_size == "auto"
        self.batch_size = self._first_batch_size() if self.automatic else int(batch_size)
        self._binding = Binding(access, explain_input)
        self._jit_compile = jit_compile
        self._cache: dict[Any, Steps] = {}

    @staticmethod
    def _first_batch_size() -> int:
        return AUTO_BATCH_GPU if tf.config.list_physical_devices("GPU") else AUTO_BATCH_CPU

    def run(
        self,
        plan: Plan | Loop | Ascent | tuple[Plan | Loop | Repeated, ...],
        inputs: Any,
        targets: Any,
        side: Any = (),
        progress: Callable[[int], None] = lambda done: None,
        keep: Checkpoint | None = None,
    ) -> Any:
        """The answer of a plan, loop or ascent, a tree with leading axis `m`; of several, the answer of the last.

        Parameters
        ----------
        inputs : a tree of arrays or tensors `(m, ...)`.
        targets : `(m,)` or `(m, ...)`.
        side : what the first plan needs beside the inputs, a tree `(m, ...)`; each later plan gets the answer of the
            one before.
        progress : called with the number of forwards finished.
        keep : where an ascent leaves its state, and from where it goes on.
        """
        if isinstance(plan, Ascent):
            steps = self._steps(plan, inputs, targets, side)
            return run_ascent(self, plan, steps, (inputs, targets, side), progress, keep)
        stages = plan if isinstance(plan, tuple) else (plan,)
        return self._in_turn(stages, inputs, targets, progress, side)

    def _in_turn(self, stages: Any, inputs: Any, targets: Any, progress: Callable[[int], None], side: Any) -> Any:
        for stage in stages:
            if isinstance(stage, Repeated):
                side = repeated(stage.times, partial(self._in_turn, stage.stages, inputs, targets, progress), side)
            elif tf.inside_function():
                side = run_in_graph(
                    stage, self.bind, self.operator, self.explained, self.batch_size, inputs, targets, side
                )
            elif isinstance(stage, Plan):
                side = self._run_plan(stage, inputs, targets, side, progress)
            else:
                side = self._run_loop(stage, inputs, targets, side, progress)
        return side

    def predict(self, inputs: Any, layers: tuple[Any, ...] = ()) -> Any:
        """What the model answers to inputs `(m, ...)`, a tree `(m, ...)`; with layers what they answer, and the model
        last, a list.
        """
        forward = self._forward(inputs, layers)["call"]
        number, start, parts = length(inputs), 0, []
        while start < number:
            rows = np.arange(start, min(start + self.batch_size, number))
            try:
                parts.append(forward(rows_of(as_tensors(inputs), rows)))
            except tf.errors.ResourceExhaustedError as exhausted:
                self.halve(exhausted)
                continue
            start += len(rows)
        return concatenated(parts)

    def output_spec(self, inputs: Any, layers: tuple[Any, ...] = ()) -> Any:
        """The spec of what `predict` answers to inputs like these."""
        return self._forward(inputs, layers)["answer"]()

    @cached_property
    def places(self) -> list[Place]:
        """The layers that answer with something laid out in space, in the order in which they answer."""
        found: list[Place] = []

        def read(inputs: Any) -> Any:
            found[:], reached = read_places(self.access, inputs)
            return reached

        with tf.init_scope():
            reached = np.asarray(self.in_graph(read, self.access.trial_inputs()))
        return [replace(place, reached=bool(matters)) for place, matters in zip(found, reached, strict=True)]

    def scores(self, inputs: Any, outputs: Any, targets: Any) -> np.ndarray:
        """The scores `(m,)` of inputs whose outputs are known; a user's own operator runs the model as it likes."""
        if isinstance(self.operator, OutputOperator):
            outputs = tf.nest.map_structure(tf.convert_to_tensor, outputs)
            return np.asarray(self.operator.of(outputs, tf.convert_to_tensor(targets)))
        return np.asarray(self.run(SCORES, inputs, targets))[:, 0]

    def in_graph(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A function of tensors, compiled unless a graph is being built already."""
        # Not `tf.inside_function()`, which stays true within `tf.init_scope`.
        if not tf.executing_eagerly():
            return function(*arguments)
        given = [as_tensors(argument) for argument in arguments if argument is not None]
        key = (id(self), function.__qualname__, tuple(str(specification(tree)) for tree in given))
        if key not in self._cache:
            missing = [None] * (len(arguments) - len(given))
            call = compiled(lambda *tensors: function(*tensors, *missing), *(specification(tree) for tree in given))
            self._cache[key] = {"call": call}
        return self._cache[key]["call"](*given)

    def _forward(self, inputs: Any, layers: tuple[Any, ...] = ()) -> Steps:
        spec = specification(inputs)
        key = ("forward", layers, str(spec))
        if key not in self._cache:

            def forward(x: Any) -> Any:
                bound, explained = self.bind(x), self.explained(x)
                if not layers:
                    return bound.forward(explained)
                found, outputs = bound.tap(list(layers))(explained)
                return [*found, outputs]

            call: Any = compiled(forward, spec, jit_compile=self._jit_compile)
            answer = specification(call.structured_outputs)
            self._cache[key] = {"call": call, "answer": lambda: answer}
        return self._cache[key]

    def explained(self, inputs: Any) -> Any:
        """The explained input of a tree of inputs."""
        return self._binding.explained(inputs)

    def bind(self, inputs: Any) -> Bound:
        """The model as a function of the explained input alone, the others as they are in `inputs`."""
        return self._binding.bind(inputs)

    def _steps(self, plan: Plan | Loop | Ascent, inputs: Any, targets: Any, side: Any) -> Steps:
        specs = tuple(str(specification(tree)) for tree in (inputs, targets, side))
        key = (id(plan), specs)
        if key not in self._cache:
            self._cache[key] = {
                **compile_steps(
                    plan, self.bind, self.operator, self.explained, inputs, targets, side, self._jit_compile
                ),
                # Keeps the plan alive, so that its identity stays its own.
                "plan": lambda: plan,
            }
        return self._cache[key]

    def _run_plan(self, plan: Plan, inputs: Any, targets: Any, side: Any, progress: Callable[[int], None]) -> Any:
        inputs, targets, side = (as_tensors(tree) for tree in (inputs, targets, side))
        steps = self._steps(plan, inputs, targets, side)
        side = steps["prepare"](inputs, side)
        state = steps["start"](inputs, side)
        number = length(inputs)
        counts = steps["count"](inputs, side).numpy() if callable(plan.count) else np.full(number, plan.count)
        active, answers = np.arange(number), Answers()

        def shown(items: int) -> None:
            progress(items * plan.passes)

        for finished in range(plan.rounds):
            sample, index = work_items(counts[active], finished)
            state = self._run_round(steps, state, inputs, targets, side, sample, index, shown)
            last = finished + 1 == plan.rounds
            leaving = (
                np.ones(len(active), bool) if last else steps["done"](state, side, tf.constant(finished + 1)).numpy()
            )
            if leaving.any():
                left, stay = np.flatnonzero(leaving), np.flatnonzero(~leaving)
                answers.put(active[left], steps["finish"](*(rows_of(tree, left) for tree in (state, inputs, side))))
                active = active[stay]
                if not len(active):
                    break
                state, inputs, targets, side = (rows_of(tree, stay) for tree in (state, inputs, targets, side))
        return answers.joined()

    def _run_round(
        self,
        steps: Steps,
        state: Any,
        inputs: Any,
        targets: Any,
        side: Any,
        sample: np.ndarray,
        index: np.ndarray,
        progress: Callable[[int], None],
    ) -> Any:
        start = 0
        while start < len(sample):
            # A smaller batch size takes over where the larger one failed: states are values, so nothing is lost.
            for chosen, variant, weight in batches(sample[start:], index[start:], self.batch_size, self._jit_compile):
                try:
                    state = steps["step"](state, inputs, targets, side, chosen, variant, weight)
                except tf.errors.ResourceExhaustedError as exhausted:
                    self.halve(exhausted)
                    break
                finished = int(weight.sum())
                start += finished
                progress(finished)
        return state

    def halve(self, exhausted: tf.errors.ResourceExhaustedError) -> None:
        """Takes smaller batches from now on, or says why not."""
        if not self.automatic or self.batch_size == 1:
            raise ModelError(
                wording(
                    f"{self.access.where}(batch_size={self.batch_size})",
                    expected="a batch must fit into the memory of the device",
                    received="ResourceExhaustedError",
                    remedy="Pass a smaller batch_size, or batch_size='auto' to have it halved.",
                )
            ) from exhausted
        self.batch_size = max(1, self.batch_size // 2)

    def _run_loop(self, loop: Loop, inputs: Any, targets: Any, side: Any, progress: Callable[[int], None]) -> Any:
        inputs, targets, side = (as_tensors(tree) for tree in (inputs, targets, side))
        steps = self._steps(loop, inputs, targets, side)
        carry = steps["start"](inputs, side)
        number = length(inputs)
        active, answers, first = np.arange(number), Answers(), 0
        while len(active):
            last = min(first + STEPS_PER_CALL, loop.steps)
            carry = self._run_burst(steps, carry, inputs, targets, first, last)
            progress((last - first) * len(active))
            leaving = steps["done"](carry).numpy() | (last == loop.steps)
            left, stay = np.flatnonzero(leaving), np.flatnonzero(~leaving)
            if len(left):
                answers.put(active[left], steps["finish"](*(rows_of(tree, left) for tree in (carry, inputs, side))))
                active = active[stay]
                carry, inputs, targets, side = (rows_of(tree, stay) for tree in (carry, inputs, targets, side))
            first = last
        return answers.joined()

    def _run_burst(self, steps: Steps, carry: Any, inputs: Any, targets: Any, first: int, last: int) -> Any:
        number, start, parts = length(inputs), 0, []
        while start < number:
            rows = np.arange(start, min(start + self.batch_size, number))
            trees = (rows_of(tree, rows) for tree in (carry, inputs, targets))
            try:
                parts.append(steps["step"](*trees, tf.constant(first), tf.constant(last)))
            except tf.errors.ResourceExhaustedError as exhausted:
                self.halve(exhausted)
                continue
            start += len(rows)
        return concatenated(parts)
