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
from ..perturbations.attack_steps import euclidean_length
from ..perturbations.orderings import importance_ranks
from ..perturbations.radius_search import Limits, RadiusSearch

Carry = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class ShortestChange:
    """How long is the shortest change of some pixels, chosen by a map, that changes what the model decides?

    A `RadiusSearch` for each level. Levels go from few free pixels to many, as a change of fewer pixels is one of more
    pixels too: the shortest change of one level is where the search of the next begins, and distances never rise. Each
    sample goes at its own pace, one forward and backward pass a step.

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

    @cached_property
    def _search(self) -> RadiusSearch:
        """The search over radii, and its attacks."""
        return RadiusSearch(
            attack_steps=self.attack_steps,
            step_size=self.step_size,
            bisections=self.bisections,
            tolerance=self.tolerance,
            start_radius=self.start_radius,
        )

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
        return Loop(
            steps=len(self._counts) * self._search.most_steps,
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
        table = tf.tile(tf.zeros_like(opened["margin"])[:, None], (1, len(self._counts)))
        carry = {
            **opened,
            **self._search.fresh(inputs),
            "inputs": inputs,
            "length": euclidean_length(inputs),
            "level": whole,
            "distance": table,
            "failed": table,
        }
        limits = self._limits(carry)
        carry["radius"] = self._search.first_radius(limits, carry["margin"], carry["gradient"])
        return self._search.moved(carry, limits, carry["gradient"], carry["gradient"], tf.ones_like(whole, tf.bool))

    def _step(self, bound: Bound, carry: Carry) -> Carry:
        """Looks where the attack stands, and moves it, or begins the next one."""
        asked = self._asked(bound, carry["inputs"] + carry["change"], carry["chosen"])
        following, ended, over = self._search.judged(carry, self._limits(carry), asked["margin"] < 0)
        found = following["found"]
        known = found < np.inf
        here = tf.one_hot(carry["level"], len(self._counts)) * tf.cast(over, tf.float32)[:, None]
        distance = tf.where(known, found, carry["length"])
        following |= {
            "distance": carry["distance"] + here * distance[:, None],
            "failed": carry["failed"] + here * tf.cast(tf.logical_not(known), tf.float32)[:, None],
            "level": carry["level"] + tf.cast(over, tf.int32),
            # What was found for fewer free pixels holds for more.
            "without": tf.where(over, 0.0, following["without"]),
            "bisected": tf.where(over, 0, following["bisected"]),
        }
        limits = self._limits(following)
        first = tf.minimum(self._search.first_radius(limits, carry["margin"], carry["gradient"]), found)
        following["radius"] = tf.where(over, first, following["radius"])
        return self._search.moved(following, limits, asked["gradient"], carry["gradient"], ended)

    def _limits(self, carry: Carry) -> Limits:
        """Which pixels may change, and how far."""
        level = tf.minimum(carry["level"], len(self._counts) - 1)
        relevant = carry["ranks"] < tf.gather(self._counts, level)[:, None]
        free = relevant if self.relevant else tf.logical_not(relevant)
        free = self.layout.spread(tf.reshape(free, (-1, *self.layout.spatial)))
        return Limits(carry["inputs"], free, *self._range(carry["inputs"]), carry["length"])

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
