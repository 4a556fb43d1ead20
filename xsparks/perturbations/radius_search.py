"""The search for the shortest change that does something: attacks within one radius after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from .attack_steps import euclidean_length, euclidean_step

# By how much a radius grows or shrinks until a change is found within one and none within another.
BRACKET = 10.0
# No change shorter than this fraction of the longest is looked for; so many brackets lie between them.
SHORTEST, MOST_BRACKETS = 1e-6, 8


class Limits(NamedTuple):
    """What a change may be.

    inputs : `(b, ...)`, where it starts.
    free : bool, of a shape that broadcasts to the inputs.
    low, high : the valid range, of shapes that broadcast; None for any value.
    longest : `(b,)`, the length beyond which none is looked for.
    """

    inputs: Any
    free: Any
    low: Any
    high: Any
    longest: Any

    @property
    def reach(self) -> Any:
        """The longest change that is looked for, or all that the valid range allows, `(b,)`."""
        if self.low is None:
            return self.longest
        farthest = tf.maximum(tf.maximum(self.inputs - self.low, self.high - self.inputs), 0.0)
        return tf.minimum(self.longest, euclidean_length(tf.where(self.free, farthest, 0.0)))


Search = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class RadiusSearch:
    """How long is the shortest change that does it?

    Projected gradient descent within a radius, in a search over the radius: by factors of 10 until a change is found
    within one and none within another, and then by halving in the logarithm. A change that is found counts with its
    own length. Each item goes at its own pace: between two questions to the model it takes a step of its attack, or
    begins the next one.

    Parameters
    ----------
    attack_steps : steps within each radius.
    step_size : the length of a step, in units of the radius divided by `attack_steps`.
    bisections : of the radius, at most, once it is bracketed.
    tolerance : the radius is known well enough when it is bracketed to this fraction of itself.
    start_radius : the first radius; None takes what would do if the model were linear.
    """

    attack_steps: int
    step_size: float
    bisections: int
    tolerance: float
    start_radius: float | None = None

    @property
    def most_steps(self) -> int:
        """Steps of a search, at most."""
        return (MOST_BRACKETS + self.bisections) * self.attack_steps

    def first_radius(self, limits: Limits, lead: Any, gradient: Any) -> Any:
        """What would do if the model were linear, or what the option says, `(b,)`.

        Parameters
        ----------
        lead : `(b,)`, by how much the loss must fall.
        gradient : of the loss at the inputs themselves.
        """
        reach = limits.reach
        if self.start_radius is not None:
            return tf.minimum(self.start_radius, reach)
        slope = euclidean_length(tf.where(limits.free, gradient, 0.0))
        estimate = tf.where(slope > 0, lead / tf.maximum(slope, 1e-30), reach)
        # A little more, or rounding would tell whether a linear model decides otherwise.
        estimate *= 1 + self.tolerance
        return tf.clip_by_value(estimate, tf.minimum(SHORTEST * limits.longest, reach), reach)

    def fresh(self, inputs: Any) -> Search:
        """A search before its first step; its `"radius"` is still to be set."""
        number = tf.zeros_like(tf.reshape(inputs, (tf.shape(inputs)[0], -1))[:, 0])
        whole = tf.cast(number, tf.int32)
        return {
            # Of the attack: its change, steps and radius.
            "change": tf.zeros_like(inputs),
            "taken": whole,
            "radius": number,
            # The shortest change found, the largest radius without one, and the bisections.
            "found": number + float("inf"),
            "without": number,
            "bisected": whole,
        }

    def judged(self, search: Search, limits: Limits, flipped: Any) -> tuple[Search, Any, Any]:
        """The search once it is known whether its change does it; which attacks end there, and which searches."""
        failed = ~flipped & (search["taken"] >= self.attack_steps)
        ended = flipped | failed
        was_bracketed = (search["without"] > 0) & (search["found"] < float("inf"))
        found = tf.where(flipped, tf.minimum(search["found"], euclidean_length(search["change"])), search["found"])
        without = tf.where(failed, search["radius"], search["without"])
        bisected = search["bisected"] + tf.cast(ended & was_bracketed, tf.int32)
        known, some_failed, reach = found < float("inf"), without > 0, limits.reach
        enough = (bisected >= self.bisections) | (found <= without * (1 + self.tolerance))
        too_short = found <= SHORTEST * limits.longest
        over = ended & tf.where(known, tf.where(some_failed, enough, too_short), search["radius"] >= reach)
        narrower = tf.where(some_failed, tf.sqrt(without * found), found / BRACKET)
        radius = tf.where(known, narrower, tf.minimum(search["radius"] * BRACKET, reach))
        judged = {
            **search,
            "found": found,
            "without": without,
            "bisected": bisected,
            "radius": tf.where(ended, radius, search["radius"]),
        }
        return judged, ended, over

    def moved(self, search: Search, limits: Limits, gradient: Any, first_gradient: Any, begins: Any) -> Search:
        """The next step of each attack; one that begins starts from the inputs, where the gradient is known."""
        rows = tf.reshape(begins, (-1, *[1] * (len(limits.inputs.shape) - 1)))
        change = euclidean_step(
            limits.inputs,
            tf.where(rows, 0.0, search["change"]),
            tf.where(rows, first_gradient, gradient),
            limits.free,
            self.step_size * search["radius"] / self.attack_steps,
            search["radius"],
            limits.low,
            limits.high,
        )
        return {**search, "change": change, "taken": tf.where(begins, 1, search["taken"] + 1)}
