"""What would have to be different among the concepts for the model to decide otherwise?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer, check_number
from ..engine import Bound, Engine, Loop, queries
from ..models.access import ModelAccess
from ..models.operators import check_classes, resolve_targets
from ..numerics.smallest_change import smallest_change
from .craft import CRAFT

CHANGES = ("strengths", "coefficients")
# Halvings of the way from the image to the change that was found.
_HALVINGS = 8
# By how much more the margin shall fall with each step that did not suffice.
_GROWTH = 1.3
_ALMOST = 0.9
# Steps after which rivals are met in turn.
_TURNS = 2
# Of the steepest slope, below which an entry counts for nothing: rounding leaves coefficients that are nearly 0.
_FLAT = 1e-3

Carry = dict[str, Any]


class ConceptChanges(NamedTuple):
    """The smallest changes of concepts that change what the model decides.

    strengths : `(n, r)`, the mean coefficient of each concept after over that before, 1 where nothing changes; where
        there was none before, 1 too: see `changes`.
    changes : `(n, r)`, the mean coefficient of each concept after less that before.
    values : what was found: the strengths `(n, r)` or the coefficients `(n, ..., r)`.
    predicted : `(n,)`, the class that the concepts stand for before, `argmax h(u V)`.
    reached : `(n,)`, the class after.
    flipped : `(n,)` bool, whether the class that was asked for was reached; where it was not, nothing is changed.
    distances : `(n,)`, the Euclidean length of the change of what was varied.
    """

    strengths: np.ndarray
    changes: np.ndarray
    values: np.ndarray
    predicted: np.ndarray
    reached: np.ndarray
    flipped: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class ConceptCounterfactuals:
    """What is the smallest change of the concepts in an image that changes what the model decides?

    With the outputs `f(u) = h(u V)` and the predicted class `c`, the changed coefficients solve

        min |u' - u|^2  such that  f_c(u') < max_{j != c} f_j(u')  and  u' >= 0,

    or `f_t(u') > max_{j != t} f_j(u')` for a class `t` that is asked for. "Less shaft, and it is no arrow" is then a
    statement about the model that can be tried. Each step makes the outputs linear around the last point and solves
    that exactly, which is all there is to do for an affine head and two classes; on other heads the smallest change
    that was found is returned, which need not be the smallest that there is.

    Use it beside importances: a concept can count for much and still not be what the decision hangs on.

    Parameters
    ----------
    craft : fitted concepts, of a classifier with two or more outputs.
    vary : `"strengths"`, one factor a concept, 1 in the image as it is, so that lengths count shares; or
        `"coefficients"`, every coefficient at every place.
    most : the highest strength; many times what is there is unlike any image.
    overshoot : by which share of the margin the new class leads.
    steps : at most.

    Returns
    -------
    found : `explain` gives a `ConceptChanges`.

    Raises
    ------
    ModelError : a model without classes.
    ValueError : classes that are not there.

    Cost
    ----
    One forward for the coefficients; `steps + 9` forward and backward passes through the head at most.

    Example
    -------
    >>> from xsparks.datasets.shapes import load, load_model
    >>> data = load(60, seed=3)
    >>> craft = CRAFT(load_model(), layer="block4", number_of_concepts=4, patch_size=32).fit(data.images, class_id=4)
    >>> found = ConceptCounterfactuals(craft).explain(data.images[data.labels == 4])
    >>> found.strengths.shape, bool((found.reached[found.flipped] != 4).all())
    ((6, 4), True)

    Source
    ------
    S. Wachter, B. Mittelstadt, C. Russell, "Counterfactual Explanations without Opening the Black Box", Harvard Journal
    of Law & Technology 31, 2018, https://arxiv.org/abs/1711.00399, on concepts; the steps are those of S.-M.
    Moosavi-Dezfooli, A. Fawzi, P. Frossard, "DeepFool", CVPR 2016, https://arxiv.org/abs/1511.04599, with bounds.
    """

    craft: CRAFT = field(kw_only=False)
    vary: str = "strengths"
    most: float = 3.0
    overshoot: float = 0.001
    steps: int = 20

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_choice(name, "vary", self.vary, CHANGES)
        check_number(name, "most", self.most, 1, remedy="Use 3.")
        check_number(name, "overshoot", self.overshoot, 1e-6, 1, "Use .001.")
        check_integer(name, "steps", self.steps, 1, "Use 20.")

    def explain(self, inputs: Any, toward: Any = None) -> ConceptChanges:
        """The smallest changes of these inputs.

        Parameters
        ----------
        inputs : `(n, h, w, c)`, of any kind that `craft.explain` takes.
        toward : the class to be reached, one for all or `(n,)`; None for any other class.
        """
        where = f"{type(self).__name__}.explain"
        coefficients = np.concatenate([maps for maps, _ in self.craft._asking.seen(inputs, None, where)])
        varies = self.vary == "strengths"
        strengths = np.ones((len(coefficients), coefficients.shape[-1]), np.float32)
        asked = (strengths, coefficients) if varies else coefficients
        self._engine.access.ensure_ready(asked)
        outputs = np.asarray(self._engine.predict(asked))
        check_classes(outputs, where)
        aims = np.full(len(outputs), -1, np.int32)
        if toward is not None:
            toward = np.asarray(toward) if np.ndim(toward) else np.full(len(outputs), toward)
            aims = resolve_targets(toward, outputs, self._engine.operator, where)
        found = {name: np.asarray(part) for name, part in self._engine.run(self._loop, asked, aims).items()}
        changed = coefficients * _between(found["best"], coefficients) if varies else found["best"]
        places = tuple(range(1, coefficients.ndim - 1))
        before, after = coefficients.mean(places), changed.mean(places)
        return ConceptChanges(
            strengths=np.where(before != 0, after / np.where(before != 0, before, 1), 1),
            changes=after - before,
            values=found["best"],
            predicted=outputs.argmax(axis=1),
            reached=found["reached"],
            flipped=np.isfinite(found["distance"]),
            distances=np.where(np.isfinite(found["distance"]), found["distance"], 0),
        )

    @cached_property
    def _engine(self) -> Engine:
        craft = self.craft
        access = ModelAccess(craft._asking.head, where=type(self).__name__)
        explained = 0 if self.vary == "strengths" else None
        return Engine(access, craft.engine.operator, craft.batch_size, explained, craft.jit_compile)

    @cached_property
    def _loop(self) -> Loop:
        return Loop(
            # One to look where the image itself stands.
            steps=1 + self.steps + _HALVINGS,
            start=self._start,
            step=self._step,
            finish=lambda carry, inputs, side: {name: carry[name] for name in ("best", "reached", "distance")},
            done=lambda carry: carry["done"],
            backward=True,
        )

    @property
    def _bounds(self) -> tuple[float | None, float | None]:
        """Between which values what varies must stay."""
        if self.vary == "strengths":
            return 0.0, float(self.most)
        return (None if self.craft.learned_.dictionary.signed else 0.0), None

    def _start(self, inputs: Any, side: Any) -> Carry:
        number = tf.zeros(tf.shape(inputs)[:1], tf.float32)
        whole = tf.cast(number, tf.int32)
        return {
            "origin": inputs,
            "point": inputs,
            "best": inputs,
            "distance": number + np.inf,
            "own": whole - 1,
            "reached": whole - 1,
            "first": number,
            "pressure": number + 1,
            # Of the way from the image to the best change: the share that is known not to suffice.
            "low": number,
            "high": number + 1,
            "end": inputs,
            "done": tf.cast(number, tf.bool),
        }

    def _step(self, bound: Bound, operator: Any, carry: Carry, targets: Any, index: Any) -> Carry:
        """Looks where the point stands, keeps it if it is the best so far, and goes on to the next one."""
        own = carry["own"]
        asked, outputs = _margin(bound, carry["point"], own, targets)
        here = tf.argmax(outputs, axis=1, output_type=tf.int32)
        own = tf.where(own < 0, here, own)
        opening = index == 0
        first = tf.where(opening, asked["score"], carry["first"])
        distance = _length(carry["point"] - carry["origin"])
        # Rounding may leave a little of what was asked for.
        flips = asked["score"] <= -_ALMOST * self.overshoot * tf.abs(first)
        there = opening & (asked["score"] < 0)
        better = (flips | there) & (distance < carry["distance"])
        best = tf.where(_between(better, carry["point"]), carry["point"], carry["best"])
        shortest = tf.where(better, distance, carry["distance"])
        # Of a class that is there already nothing has to change.
        done = carry["done"] | there | ((index >= self.steps) & ~tf.math.is_finite(shortest))
        searches = index < self.steps
        # Every step that does not suffice asks for more.
        pressure = tf.where(flips | opening, 1.0, carry["pressure"] * _GROWTH)
        margin = pressure * self.overshoot * tf.abs(first)
        slope = _counting(asked["gradient"])
        along = _sum(slope * (carry["point"] - carry["origin"]))
        least = asked["score"] - along + margin
        nearer = smallest_change(carry["origin"], slope, least, *self._bounds)
        # Rivals that take turns are met one after the other, each from where the one before was.
        onwards = smallest_change(carry["point"], slope, asked["score"] + margin, *self._bounds)
        turns = (index >= _TURNS) & ~tf.math.is_finite(shortest)
        nearer = tf.where(_between(turns, nearer), onwards, nearer)
        end = tf.where(index <= self.steps, best, carry["end"])
        halves, middle = index > self.steps, (carry["low"] + carry["high"]) / 2
        low = tf.where(halves & ~flips, middle, carry["low"])
        high = tf.where(halves & flips, middle, carry["high"])
        share = _between((low + high) / 2, end)
        between = carry["origin"] + share * (end - carry["origin"])
        return {
            **carry,
            "point": tf.where(searches, nearer, between),
            "best": best,
            "distance": shortest,
            "own": own,
            "reached": tf.where(better, here, tf.where(opening, here, carry["reached"])),
            "first": first,
            "pressure": pressure,
            "low": low,
            "high": high,
            "end": end,
            "done": done,
        }


def _margin(bound: Bound, point: Any, own: Any, targets: Any) -> tuple[Any, Any]:
    """By how much the class leads, or the one that is asked for is behind, its gradient, and the outputs."""
    kept: list[Any] = []

    def margin(forward: Any, given: Any, targets: Any) -> Any:
        outputs = forward(given)
        kept.append(outputs)
        # Before the first step the class is the one that is predicted.
        here = tf.where(own < 0, tf.argmax(outputs, axis=1, output_type=tf.int32), own)
        held = tf.where(targets < 0, here, targets)
        is_held = tf.one_hot(held, outputs.shape[1], on_value=True, off_value=False, dtype=tf.bool)
        lead = tf.gather(outputs, held, batch_dims=1) - tf.reduce_max(tf.where(is_held, -np.inf, outputs), axis=1)
        return tf.where(targets < 0, lead, -lead)

    return queries.score_and_gradient(bound, margin, point, targets), kept[0]


def _counting(slope: Any) -> Any:
    """The slope, 0 where it is next to nothing."""
    axes = list(range(1, len(slope.shape)))
    steepest = tf.reduce_max(tf.abs(slope), axis=axes, keepdims=True)
    return tf.where(tf.abs(slope) < _FLAT * steepest, 0.0, slope)


def _sum(values: Any) -> Any:
    return tf.reduce_sum(values, axis=list(range(1, len(values.shape))))


def _length(values: Any) -> Any:
    return tf.sqrt(_sum(values**2))


def _between(each: Any, values: Any) -> Any:
    """One entry a sample `(n,)`, or one a concept `(n, r)`, as it goes with values `(n, ..., r)`."""
    if len(each.shape) == 1:
        return tf.reshape(each, (-1, *[1] * (len(values.shape) - 1)))
    return np.reshape(each, (len(each), *[1] * (values.ndim - 2), -1))
