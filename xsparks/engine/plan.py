"""A method is a plan: what to show the model, what to measure, how to fold the answers.

Every attribution and every metric of xsparks is one of two things: a `Plan` (independent variants of each sample, in
rounds) or a `Loop` (iterations, each of which needs the one before). Both are pure; the engine alone batches,
compiles and streams them. Several in turn are stages, which may be `Repeated`.

Leading axes, used in all signatures below:

- `m`: the samples of a group, held together with the state of the method;
- `b`: the work items of a batch, one variant of one sample each; a batch may hold items of several samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

Tree = Any


class Items(NamedTuple):
    """The work items of a batch: which sample of the group, which variant of it, and whether it counts.

    sample : `(b,)` int32, position in the group.
    index : `(b,)` int32, number of the variant, counted over all rounds.
    weight : `(b,)` float32, 1, or 0 for an item that only fills the batch.
    """

    sample: Any
    index: Any
    weight: Any

    def add(self, totals: Any, values: Any) -> Any:
        """`totals (m, ...)` plus the values `(b, ...)` of the items, each at its sample."""
        weight = tf.reshape(self.weight, (-1, *[1] * (len(values.shape) - 1)))
        return tf.tensor_scatter_nd_add(totals, self.sample[:, None], values * tf.cast(weight, values.dtype))

    def put(self, table: Any, values: Any) -> Any:
        """`table (m, count, ...)` with the values `(b, ...)` at their sample and variant.

        Items that only fill a batch repeat the last one, so writing them twice changes nothing.
        """
        return tf.tensor_scatter_nd_update(table, tf.stack([self.sample, self.index], axis=1), values)


class Bound(NamedTuple):
    """What a query may call: the model with every input but the explained one filled in.

    forward : `inputs (b, ...)` -> logits.
    probabilities : `inputs` -> probabilities.
    tap : `layer` -> function from inputs to `(activations, outputs)`.
    split : `layer` -> `(g, h)` with `forward(x) = h(g(x))`.
    rectified : name of a ReLU rule -> a context in which `forward` has that rule.
    """

    forward: Callable[[Any], Any]
    probabilities: Callable[[Any], Any]
    tap: Callable[[Any], Callable[[Any], Any]]
    split: Callable[[Any], Any]
    rectified: Callable[[str], Any]


Query = Callable[[Bound, Any, Tree, Any], Tree]


def keep(inputs: Any, side: Tree) -> Tree:
    """The side information as it is."""
    return side


def never(state: Tree, side: Tree, finished_rounds: Any) -> Any:
    """No sample ends before the last round."""
    return tf.zeros((tf.shape(tf.nest.flatten(state)[0])[0],), tf.bool)


@dataclass(frozen=True)
class Plan:
    """Independent variants of each sample, measured and folded.

    Parameters
    ----------
    count : variants a sample and round; a function `(inputs, side) -> (m,)` int32 where it depends on the sample.
    query : `(bound, operator, drawn, targets) -> values`, a tree with leading axis `b`. `drawn` is what `draw` gave.
    draw : `(x, side, index) -> (drawn, extra)`: the variants `index (b,)` of the samples `x (b, ...)`.
    start : `(x, side) -> state`, a tree with leading axis `m`.
    fold : `(state, items, extra, values) -> state`.
    finish : `(state, x, side) -> answer`, a tree with leading axis `m`.
    prepare : `(x, side) -> side`, once a sample before the first round (a blurred copy, the ranks of a map).
    rounds : how often `count` variants are drawn at most.
    done : `(state, side, finished_rounds) -> (m,)` bool: samples that leave before the last round.
    whole_side : `draw` gets `(side, sample)`, the side information of the whole group and the sample `(b,)` of each
        item, instead of a copy for each item: for side information that is large and of which an item needs a part.
    backward : whether the query takes a gradient.
    most : the largest count, where `count` is a function.
    passes : how often the query of one variant asks the model: the steps of an attack within it.
    """

    count: int | Callable[[Any, Tree], Any]
    query: Query
    draw: Callable[[Any, Tree, Any], tuple[Tree, Tree]]
    start: Callable[[Any, Tree], Tree]
    fold: Callable[[Tree, Items, Tree, Tree], Tree]
    finish: Callable[[Tree, Any, Tree], Tree]
    prepare: Callable[[Any, Tree], Tree] = keep
    rounds: int = 1
    done: Callable[[Tree, Tree, Any], Any] = never
    whole_side: bool = False
    backward: bool = False
    most: int = 1
    passes: int = 1

    @property
    def variants(self) -> int:
        """Variants of a sample, at most, each as often as its query asks the model."""
        return self.passes * self.rounds * (self.count if isinstance(self.count, int) else self.most)


@dataclass(frozen=True)
class Loop:
    """Iterations on each sample, each of which needs the answer of the one before.

    Parameters
    ----------
    steps : how many at most.
    start : `(x, side) -> carry`, a tree with leading axis `m`.
    step : `(bound, operator, carry, targets, index) -> carry`; `index` is the scalar number of the step.
    finish : `(carry, x, side) -> answer`.
    done : `carry -> (m,)` bool; a sample that is done keeps its carry.
    backward : whether a step takes a gradient.
    """

    steps: int
    start: Callable[[Any, Tree], Tree]
    step: Callable[[Bound, Any, Tree, Any, Any], Tree]
    finish: Callable[[Tree, Any, Tree], Tree]
    done: Callable[[Tree], Any]
    backward: bool = False

    @property
    def variants(self) -> int:
        """Steps of a sample, at most."""
        return self.steps


@dataclass(frozen=True)
class Repeated:
    """Stages that run again and again, each round on what the one before handed over: a search over whole plans.

    Parameters
    ----------
    stages : in turn. The first takes what the last hands over, of the same structure and shapes.
    times : how often.
    """

    stages: tuple[Plan | Loop, ...]
    times: int

    @property
    def backward(self) -> bool:
        """Whether a stage takes a gradient."""
        return any(stage.backward for stage in self.stages)

    @property
    def variants(self) -> int:
        """Variants and steps of a sample, at most."""
        return self.times * sum(stage.variants for stage in self.stages)
