"""The stages of EVA beside its bounds: what an image starts from, the search for a radius, and an attack."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..engine import Bound, Loop, Plan, queries, reducers
from ..models.bounds import Family, certain
from ..perturbations.attack_steps import box_step, euclidean_step

# Stands for no bound yet, and for classes that are no rivals: finite, so that differences stay numbers.
NONE = 1e30
# By how much a radius grows or shrinks until one with an overlap and one without are known.
BRACKET = 4.0

Given = dict[str, Any]


def rivals(targets: Any, classes: int) -> Any:
    """Which rows of the margins say something `(m, classes)` bool: not that of the class itself, which is zero."""
    weights = _weights(targets, classes)
    rows = tf.reduce_sum(weights, axis=1)[:, None, None] * tf.eye(classes) - weights[:, None]
    found = tf.reduce_any(rows != 0, axis=-1)
    # Weights of which no row says anything have a margin of zero.
    return found | ~tf.reduce_any(found, axis=1, keepdims=True)


def margin(forward: Callable[[Any], Any], inputs: Any, targets: Any) -> Any:
    """The highest margin `(m,)` of inputs, `max f_c' - f_c`, and for weights `max sum(w) f_c' - <w, f>`."""
    outputs = forward(inputs)
    weights = _weights(targets, outputs.shape[1])
    own = tf.reduce_sum(weights * outputs, axis=1, keepdims=True)
    each = tf.reduce_sum(weights, axis=1, keepdims=True) * outputs - own
    return tf.reduce_max(tf.where(rivals(targets, outputs.shape[1]), each, -NONE), axis=1)


def _weights(targets: Any, classes: int) -> Any:
    return targets if targets.dtype.is_floating else tf.one_hot(tf.reshape(targets, (-1,)), classes)


def opening(
    shape: tuple[int, ...],
    classes: int,
    boxes: int,
    epsilon: float | str,
    norm: str,
    valid: tuple[float, float] | str | None,
    gradient: bool = False,
    share: float | None = None,
) -> Plan:
    """The margin of the input as it is, its valid range, and the first radius: `Given` of the bounds that follow.

    Parameters
    ----------
    shape, classes, boxes : of a sample, how many outputs there are, and how many boxes will be bounded.
    epsilon : the radius, or `"auto"`, whose search begins where a linear model would have an overlap.
    norm : of the radius.
    valid : the valid range, `"input"` for that of the values of each input, None for any value.
    gradient : whether that of the margin is handed over, too.
    share : of the width of the valid range, which `"auto"` is then, without a search.
    """

    def query(bound: Bound, operator: Any, drawn: Any, targets: Any) -> Any:
        found = queries.score_and_gradient(bound, margin, drawn, targets)
        flat = tf.reshape(found["gradient"], (-1, math.prod(shape)))
        slope = tf.norm(flat, ord=1 if norm == "inf" else 2, axis=1)
        values = {"margin": found["score"], "slope": slope, "rivals": tf.cast(rivals(targets, classes), tf.float32)}
        return {**values, "gradient": found["gradient"]} if gradient else values

    def start(x: Any, side: Any) -> Any:
        tables = {name: reducers.table(1)(x, side) for name in ("margin", "slope")}
        tables["rivals"] = reducers.table(1, classes)(x, side)
        return {**tables, "gradient": reducers.table(1, *shape)(x, side)} if gradient else tables

    def finish(state: Any, x: Any, side: Any) -> Given:
        found = {name: table[:, 0] for name, table in state.items()}
        axes = list(range(1, len(shape) + 1))
        if isinstance(valid, tuple):
            low, high = (tf.fill(tf.shape(found["margin"]), tf.constant(end, tf.float32)) for end in valid)
        else:
            low, high = tf.reduce_min(x, axis=axes), tf.reduce_max(x, axis=axes)
        given = {
            "margin": found["margin"],
            "rivals": found["rivals"] > 0,
            "overlaps": tf.zeros([tf.shape(x)[0], boxes]),
            "bound": tf.zeros([tf.shape(x)[0]]),
            "box": tf.zeros([tf.shape(x)[0]], tf.int32),
        }
        if valid is not None:
            given["valid_range"] = (low, high)
        if gradient:
            given["gradient"] = found["gradient"]
        reach = tf.where(high > low, high - low, 1.0)
        if norm == "2":
            reach *= math.sqrt(math.prod(shape))
        if epsilon != "auto":
            return {**given, "epsilon": tf.fill(tf.shape(reach), tf.constant(epsilon, tf.float32))}
        if share is not None:
            return {**given, "epsilon": share * reach}
        first = tf.math.divide_no_nan(tf.abs(found["margin"]), found["slope"])
        none = tf.zeros_like(reach)
        tried = tf.clip_by_value(first, 1e-6 * reach, reach)
        return {**given, "epsilon": tried, "reach": reach, "without": none, "with": none, "round": none}

    return Plan(
        count=1,
        query=query,
        draw=lambda x, side, index: (x, ()),
        start=start,
        fold=reducers.collect,
        finish=finish,
        backward=True,
    )


def overlap(answer: dict[str, Any], given: Given) -> Any:
    """The bound of the overlap over each box `(m, count)`: the highest of those of the rivals."""
    return _of_rivals(answer["upper"], given)


def _of_rivals(upper: Any, given: Given) -> Any:
    return tf.reduce_max(tf.where(given["rivals"][..., None], upper, -NONE), axis=1)


def _compared(answer: dict[str, Any], given: Given, shared: bool) -> Any:
    """The bounds that cells are compared by, `(m, count)`: the linear one, and intervals where each box has its own.

    Not the spheres, which know how much of a box is free, and not what the network makes of it.
    """
    interval = answer["interval"]
    linear = answer.get("linear", interval)
    return _of_rivals(linear if shared else tf.minimum(linear, interval), given)


def next_radius(rounds: int) -> Callable[[dict[str, Any], Given], Given]:
    """One round of a search for the smallest radius with an overlap; the last hands over what was found.

    Radii grow or shrink fourfold until one with and one without are known, and are then halved in the logarithm. An
    input that is of another class already has an overlap in any box; for it the search is for the radius at which the
    bound has risen by as much as would have led to one.
    """

    def then(answer: dict[str, Any], given: Given) -> Given:
        tried, margin = given["epsilon"], given["margin"]
        # From the negative margin of a predicted class this is zero.
        enough = overlap(answer, given)[:, 0] >= margin + tf.abs(margin)
        found = tf.where(enough, tried, given["with"])
        without = tf.where(enough, given["without"], tried)
        between = tf.sqrt(found * without)
        wider = tf.minimum(BRACKET * without, given["reach"])
        following = tf.where(found > 0, tf.where(without > 0, between, found / BRACKET), wider)
        last = given["round"] >= rounds - 1
        smallest = tf.where(found > 0, found, given["reach"])
        return {
            **given,
            "epsilon": tf.where(last, smallest, following),
            "with": found,
            "without": without,
            "round": given["round"] + 1,
        }

    return then


def all_at_once(shared: bool) -> Callable[[dict[str, Any], Given], Given]:
    """The bounds of the whole box and of those of all cells, which may share one relaxation."""

    def then(answer: dict[str, Any], given: Given) -> Given:
        return {**given, "overlaps": _compared(answer, given, shared), "bound": overlap(answer, given)[:, 0]}

    return then


def table_of_boxes(count: int) -> Callable[[dict[str, Any], Given], Given]:
    """The bounds of one box after the other, each into its place."""

    def then(answer: dict[str, Any], given: Given) -> Given:
        here = tf.one_hot(given["box"], count)
        overlaps = given["overlaps"] + here * _compared(answer, given, shared=False)[:, :1]
        bound = tf.where(given["box"] == 0, overlap(answer, given)[:, 0], given["bound"])
        return {**given, "overlaps": overlaps, "bound": bound, "box": given["box"] + 1}

    return then


def attack(family: Family, norm: str, steps: int, finish: Callable[[Given, Any], Any]) -> Loop:
    """The highest margin that projected gradient ascent finds in the whole box, which no bound can be below.

    Steps begin with the width of the box, so that the first ends at a vertex, and get shorter.

    Parameters
    ----------
    finish : `(given, highest) -> answer`.
    """

    def start(x: Any, given: Given) -> Any:
        box = family.first(x, given).box
        ends = {"low": tf.minimum(box.lower, x), "high": tf.maximum(box.upper, x)}
        return {"given": given, "x": x, "change": tf.zeros_like(x), "highest": given["margin"], **ends}

    def step(bound: Bound, operator: Any, carry: Any, targets: Any, index: Any) -> Any:
        x, low, high = carry["x"], carry["low"], carry["high"]
        found = queries.score_and_gradient(bound, margin, x + carry["change"], targets)
        share = 1.0 - tf.cast(index, tf.float32) / steps
        if norm == "2":
            radius = carry["given"]["epsilon"]
            change = euclidean_step(x, carry["change"], -found["gradient"], True, 2 * radius * share, radius, low, high)
        else:
            change = box_step(x, carry["change"], found["gradient"], share, low, high)
        return {**carry, "change": change, "highest": tf.maximum(carry["highest"], found["score"])}

    return Loop(
        steps=steps,
        start=start,
        step=step,
        finish=lambda carry, x, side: finish(carry["given"], carry["highest"]),
        # Never, but not by a constant: TensorFlow 2.21 folds such a loop in a graph of the user's to empty tensors.
        done=lambda carry: carry["highest"] >= NONE,
        backward=True,
    )


def frozen_or_free(given: Given, variant: str) -> tuple[Any, Any]:
    """The importance of each cell `(m, cells)`, and the share of cells where it is negative beyond rounding."""
    whole, cells = given["overlaps"][:, :1], given["overlaps"][:, 1:]
    # Bounds are raised by what rounding may take away, which is no part of a rise from the margin itself.
    found = whole - cells if variant == "freeze" else cells - certain(given["margin"])[:, None]
    slack = 1e-5 * tf.maximum(1.0, tf.abs(whole))
    return found, tf.reduce_mean(tf.cast(found < -slack, tf.float32), axis=1)
