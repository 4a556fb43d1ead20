"""How robust is a decision while some cells are free: what `GreedyAO` asks of each subset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ..engine import Bound, queries
from ..models.bounds import Around
from ..perturbations.attack_steps import box_step, euclidean_length
from ..perturbations.radius_search import Limits, RadiusSearch
from .eva_stages import Given, margin

# Where values have no range nothing is looked for beyond so many times what a linear model would need.
BEYOND = 10.0


@dataclass(frozen=True, eq=False, kw_only=True)
class OverlapAttack:
    """How far above the margin of the input does an attack get within the box?

    Each step goes along the signs of the gradient, from the width of the box on shorter and shorter; the highest margin
    on the way counts.

    Parameters
    ----------
    direction : in which values may change: `"both"`, `"remove"`, `"add"`.
    steps : of the attack.
    """

    direction: str
    steps: int

    @property
    def passes(self) -> int:
        """Forwards and backwards of an attack."""
        return self.steps

    def drawn(self, x: Any, given: Given, free: Any) -> Given:
        """What an attack on the free values `(b, ...)` starts from."""
        ends = Around(direction=self.direction).first(x, given).box
        low, high = tf.minimum(ends.lower, x), tf.maximum(ends.upper, x)
        kept = {name: given[name] for name in ("margin", "gradient")}
        return {**kept, "x": x, "low": tf.where(free, low, x), "high": tf.where(free, high, x)}

    def query(self, bound: Bound, operator: Any, drawn: Given, targets: Any) -> Any:
        """The rise of the margin, `(b,)`."""
        x, low, high = drawn["x"], drawn["low"], drawn["high"]

        def step(index: Any, change: Any, gradient: Any, highest: Any) -> tuple[Any, Any, Any, Any]:
            change = box_step(x, change, gradient, 1.0 - tf.cast(index, tf.float32) / self.steps, low, high)
            found = queries.score_and_gradient(bound, margin, x + change, targets)
            return index + 1, change, found["gradient"], tf.maximum(highest, found["score"])

        begin = (tf.constant(0), tf.zeros_like(x), drawn["gradient"], drawn["margin"])
        found = tf.while_loop(lambda index, *_: index < self.steps, step, begin, parallel_iterations=1)
        return found[-1] - drawn["margin"]


@dataclass(frozen=True, eq=False, kw_only=True)
class DistanceAttack:
    """By how much is the shortest change that changes the decision shorter than the longest that is looked for?

    An input that is of another class already has its margin doubled instead.

    Parameters
    ----------
    direction : in which values may change: `"both"`, `"remove"`, `"add"`.
    search : over radii.
    """

    direction: str
    search: RadiusSearch

    @property
    def passes(self) -> int:
        """Forwards and backwards of a search, at most."""
        return self.search.most_steps

    def longest(self, x: Any, given: Given) -> Any:
        """The length of the longest change that is looked for, `(b,)`."""
        if "valid_range" not in given:
            linear = tf.math.divide_no_nan(tf.abs(given["margin"]), euclidean_length(given["gradient"]))
            return tf.maximum(euclidean_length(x), BEYOND * linear)
        low, high = self._ends(x, given)
        return euclidean_length(tf.maximum(tf.nn.relu(x - low), tf.nn.relu(high - x)))

    def _ends(self, x: Any, given: Given) -> tuple[Any, Any]:
        across = (-1, *[1] * (len(x.shape) - 1))
        valid = [tf.reshape(end, across) for end in given["valid_range"]] if "valid_range" in given else [-1e30, 1e30]
        low, high = (end + tf.zeros_like(x) for end in valid)
        return x if self.direction == "add" else low, x if self.direction == "remove" else high

    def drawn(self, x: Any, given: Given, free: Any) -> Given:
        """What a search on the free values `(b, ...)` starts from."""
        kept = {name: given[name] for name in ("margin", "gradient")}
        low, high = self._ends(x, given)
        return {**kept, "x": x, "free": free, "low": low, "high": high, "longest": self.longest(x, given)}

    def query(self, bound: Bound, operator: Any, drawn: Given, targets: Any) -> Any:
        """How much shorter than the longest, `(b,)`."""
        limits = Limits(*(drawn[name] for name in ("x", "free", "low", "high", "longest")))
        lead, downhill = tf.abs(drawn["margin"]), -drawn["gradient"]
        begins = tf.ones_like(lead, tf.bool)
        begin = self.search.fresh(limits.inputs)
        begin["radius"] = self.search.first_radius(limits, lead, downhill)
        begin = {**self.search.moved(begin, limits, downhill, downhill, begins), "over": ~begins}

        def step(index: Any, search: Given) -> tuple[Any, Given]:
            found = queries.score_and_gradient(bound, margin, limits.inputs + search["change"], targets)
            flipped = found["score"] > drawn["margin"] + lead
            judged, ended, over = self.search.judged(search, limits, flipped)
            following = self.search.moved(judged, limits, -found["gradient"], downhill, ended)
            following["over"] = over

            def kept(before: Any, after: Any) -> Any:
                return tf.where(tf.reshape(search["over"], (-1, *[1] * (len(after.shape) - 1))), before, after)

            following = tf.nest.map_structure(kept, search, following)
            return index + 1, {**following, "over": following["over"] | search["over"]}

        def unfinished(index: Any, search: Given) -> Any:
            return (index < self.passes) & ~tf.reduce_all(search["over"])

        found = tf.while_loop(unfinished, step, (tf.constant(0), begin), parallel_iterations=1)[1]["found"]
        return tf.nn.relu(drawn["longest"] - found)
