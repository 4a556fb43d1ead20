"""The shortest change of some pixels that changes what a model decides (Hsieh et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.layout import Layout
from ..engine import Bound, Loop, Plan, queries, reducers
from ..perturbations.attack_steps import euclidean_length, euclidean_step
from ..perturbations.orderings import importance_ranks

# By how much a radius grows or shrinks until a change is found within one and none within another.
_BRACKET = 10.0
# No change shorter than this fraction of the image is looked for; so many brackets lie between it and the image.
_SHORTEST, _MOST_BRACKETS = 1e-6, 8

Carry = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class ShortestChange:
    """How long is the shortest change of some pixels, chosen by a map, that changes what the model decides?

    Projected gradient descent within a radius, in a search over the radius: by factors of 10 until a change is found
    within one and none within another, and then by halving in the logarithm. Levels go from few free pixels to many,
    as a change of fewer pixels is one of more pixels too: the shortest change of one level is where the search of the
    next begins, and distances never rise. Each sample goes at its own pace, one forward and backward pass a step.

    Parameters
    ----------
    layout : of a sample.
    levels : which fractions of the pixels are relevant; rising.
    relevant : whether the relevant pixels may change, or the others.
    input_range : the range that the model declares, or None.
    seed : of the order of equal pixels.
    attack_steps, step_size, bisections, tolerance, start_radius, loss, value_range : see `Robustness`.
    """

    layout: Layout
    levels: Sequence[float]
    relevant: bool
    input_range: tuple[float, float] | None
    seed: int
    attack_steps: int
    step_size: float
    bisections: int
    tolerance: float
    start_radius: float | None
    loss: str
    value_range: tuple[float, float] | str | None

    @cached_property
    def _counts(self) -> np.ndarray:
        """How many pixels are relevant at each level, in the order in which more and more may change."""
        places = int(np.prod(self.layout.spatial))
        counts = np.clip(np.round(np.array(self.levels) * places), 1, max(1, places - 1)).astype(np.int32)
        return counts if self.relevant else counts[::-1].copy()

    def opening(self) -> Plan:
        """The class, its margin and the gradient at the image itself, and the ranks of its pixels."""
        like: dict[str, Any] = {"chosen": tf.int32, "margin": tf.float32}

        def start(inputs: Any, side: Any) -> Carry:
            tables = {name: reducers.table(1, like=kind)(inputs, side) for name, kind in like.items()}
            return {**tables, "gradient": reducers.table(1, *self.layout.shape)(inputs, side)}

        return Plan(
            count=1,
            query=lambda bound, operator, inputs, targets: self._asked(bound, inputs, None),
            prepare=lambda inputs, maps: importance_ranks(maps, self.seed),
            draw=lambda inputs, side, index: (inputs, ()),
            start=start,
            fold=reducers.collect,
            finish=lambda state, inputs, ranks: {**{name: state[name][:, 0] for name in state}, "ranks": ranks},
            backward=True,
        )

    def loop(self) -> Loop:
        """One step of an attack after the other, each one forward and backward pass."""
        attacks = _MOST_BRACKETS + self.bisections
        return Loop(
            steps=len(self._counts) * attacks * self.attack_steps,
            start=self._start,
            step=lambda bound, operator, carry, targets, index: self._step(bound, carry),
            finish=self._finish,
            done=lambda carry: carry["level"] >= len(self._counts),
            backward=True,
        )

    def _asked(self, bound: Bound, inputs: Any, chosen: Any) -> Carry:
        """The class (given, or decided here), by how much it leads, and the gradient of the loss."""
        kept: list[Any] = []

        def loss(forward: Any, given: Any, chosen: Any) -> Any:
            outputs = forward(given)
            chosen = tf.argmax(outputs, axis=1, output_type=tf.int32) if chosen is None else chosen
            own = tf.gather(outputs, chosen, batch_dims=1)
            is_own = tf.one_hot(chosen, outputs.shape[1], on_value=True, off_value=False, dtype=tf.bool)
            margin = own - tf.reduce_max(tf.where(is_own, -np.inf, outputs), axis=1)
            kept.extend((chosen, margin))
            return margin if self.loss == "margin" else own

        found = queries.score_and_gradient(bound, loss, inputs, chosen)
        return {"chosen": kept[0], "margin": kept[1], "gradient": found["gradient"]}

    def _start(self, inputs: Any, opened: Any) -> Carry:
        whole = tf.zeros_like(opened["chosen"])
        number = tf.zeros_like(opened["margin"])
        table = tf.tile(number[:, None], (1, len(self._counts)))
        carry = {
            **opened,
            "inputs": inputs,
            "length": euclidean_length(inputs),
            "level": whole,
            # Of the attack: its change, steps and radius.
            "change": tf.zeros_like(inputs),
            "taken": whole,
            "radius": number,
            # Of the level: the shortest change found, the largest radius without one, and the bisections.
            "found": number + np.inf,
            "without": number,
            "bisected": whole,
            "distance": table,
            "failed": table,
        }
        return self._moved(
            {**carry, "radius": self._first_radius(carry)}, carry["gradient"], tf.ones_like(whole, tf.bool)
        )

    def _step(self, bound: Bound, carry: Carry) -> Carry:
        """Looks where the attack stands, and moves it, or begins the next one."""
        asked = self._asked(bound, carry["inputs"] + carry["change"], carry["chosen"])
        flipped = asked["margin"] < 0
        failed = ~flipped & (carry["taken"] >= self.attack_steps)
        ended = flipped | failed
        was_bracketed = (carry["without"] > 0) & (carry["found"] < np.inf)
        found = tf.where(flipped, tf.minimum(carry["found"], euclidean_length(carry["change"])), carry["found"])
        without = tf.where(failed, carry["radius"], carry["without"])
        bisected = carry["bisected"] + tf.cast(ended & was_bracketed, tf.int32)
        known, some_failed = found < np.inf, without > 0
        reach = self._reach(carry)
        enough = (bisected >= self.bisections) | (found <= without * (1 + self.tolerance))
        too_short = found <= _SHORTEST * carry["length"]
        over = ended & tf.where(known, tf.where(some_failed, enough, too_short), carry["radius"] >= reach)
        narrower = tf.where(some_failed, tf.sqrt(without * found), found / _BRACKET)
        radius = tf.where(known, narrower, tf.minimum(carry["radius"] * _BRACKET, reach))

        here = tf.one_hot(carry["level"], len(self._counts)) * tf.cast(over, tf.float32)[:, None]
        distance = tf.where(known, found, carry["length"])
        following = {
            **carry,
            "distance": carry["distance"] + here * distance[:, None],
            "failed": carry["failed"] + here * tf.cast(tf.logical_not(known), tf.float32)[:, None],
            "level": carry["level"] + tf.cast(over, tf.int32),
            # What was found for fewer free pixels holds for more.
            "found": found,
            "without": tf.where(over, 0.0, without),
            "bisected": tf.where(over, 0, bisected),
        }
        first = tf.minimum(self._first_radius(following), found)
        following["radius"] = tf.where(over, first, tf.where(ended, radius, carry["radius"]))
        return self._moved(following, asked["gradient"], ended)

    def _moved(self, carry: Carry, gradient: Any, begins: Any) -> Carry:
        """The next step of each attack; one that begins starts from the image, where the gradient is known."""
        rows = tf.reshape(begins, (-1, *[1] * len(self.layout.shape)))
        low, high = self._range(carry["inputs"])
        change = euclidean_step(
            carry["inputs"],
            tf.where(rows, 0.0, carry["change"]),
            tf.where(rows, carry["gradient"], gradient),
            self._free(carry),
            self.step_size * carry["radius"] / self.attack_steps,
            carry["radius"],
            low,
            high,
        )
        return {**carry, "change": change, "taken": tf.where(begins, 1, carry["taken"] + 1)}

    def _free(self, carry: Carry) -> Any:
        """Which pixels may change, of a shape that broadcasts to the inputs."""
        level = tf.minimum(carry["level"], len(self._counts) - 1)
        relevant = carry["ranks"] < tf.gather(self._counts, level)[:, None]
        free = relevant if self.relevant else tf.logical_not(relevant)
        return self.layout.spread(tf.reshape(free, (-1, *self.layout.spatial)))

    def _first_radius(self, carry: Carry) -> Any:
        """What would change the decision if the model were linear, or what the option says."""
        reach = self._reach(carry)
        if self.start_radius is not None:
            return tf.minimum(self.start_radius, reach)
        slope = euclidean_length(tf.where(self._free(carry), carry["gradient"], 0.0))
        estimate = tf.where(slope > 0, carry["margin"] / tf.maximum(slope, 1e-30), reach)
        # A little more, or rounding would tell whether a linear model decides otherwise.
        estimate *= 1 + self.tolerance
        return tf.clip_by_value(estimate, tf.minimum(_SHORTEST * carry["length"], reach), reach)

    def _reach(self, carry: Carry) -> Any:
        """The longest change that is looked for: as long as the image, or all that the valid range allows."""
        inputs, (low, high) = carry["inputs"], self._range(carry["inputs"])
        if low is None:
            return carry["length"]
        farthest = tf.maximum(tf.maximum(inputs - low, high - inputs), 0.0)
        return tf.minimum(carry["length"], euclidean_length(tf.where(self._free(carry), farthest, 0.0)))

    def _range(self, inputs: Any) -> tuple[Any, Any]:
        wanted = self.value_range
        wanted = self.input_range if wanted == "input" else wanted
        if wanted is not None:
            return tf.constant(wanted[0], tf.float32), tf.constant(wanted[1], tf.float32)
        if self.value_range is None:
            return None, None
        axes = list(range(1, len(inputs.shape)))
        return tf.reduce_min(inputs, axis=axes, keepdims=True), tf.reduce_max(inputs, axis=axes, keepdims=True)

    def _finish(self, carry: Carry, inputs: Any, side: Any) -> Any:
        tables = {name: carry[name] for name in ("distance", "failed")}
        if not self.relevant:
            tables = {name: tf.reverse(table, [1]) for name, table in tables.items()}
        return {**tables, "length": carry["length"]}
