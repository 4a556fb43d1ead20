"""How much does the score depend on each concept? Sobol indices of the coefficients, or their closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..engine import Bound, Plan, queries, reducers
from ..engine.plan import Query
from ..numerics.additive_indices import additive_total_order
from ..numerics.intervals import replicate_interval
from ..numerics.sobol_designs import Design
from ..numerics.sobol_estimators import output_variance, total_order
from .dictionary import Dictionary
from .head import spread


def coefficient_plan(layer: str, dictionary: Dictionary, places: tuple[int, ...], affine: bool) -> Plan:
    """The coefficients of each concept at each place and the score, of one forward.

    Where the head is affine, the importances too: with the derivative `g` of the score by the layer's answer, concept
    `i` adds `c_i = sum over places of u_i (V_i . g)` to the score.

    Parameters
    ----------
    places : the axes of space of the layer's answer.
    affine : whether the head is.
    """
    number = len(dictionary)

    def query(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
        ask: Callable[[Any], Query] = queries.activations_and_gradients if affine else queries.activations_and_score
        answered = ask(layer)(bound, operator, inputs, targets)
        found = {"maps": dictionary.encode(answered["activations"]), "score": answered["score"]}
        if affine:
            along = tf.tensordot(answered["gradients"], tf.constant(dictionary.atoms, tf.float32), [[-1], [1]])
            found["contributions"] = tf.reduce_sum(found["maps"] * along, axis=list(range(1, 1 + len(places))))
        return found

    def start(inputs: Any, side: Any) -> Any:
        empty = {"maps": reducers.table(*places, number), "score": reducers.table()}
        if affine:
            empty["contributions"] = reducers.table(number)
        return {name: make(inputs, side) for name, make in empty.items()}

    def finish(state: Any, inputs: Any, side: Any) -> Any:
        found = {**state, "coefficients": tf.reduce_mean(state["maps"], axis=list(range(1, 1 + len(places))))}
        if affine:
            # No draw is made, so that nothing is uncertain.
            found["importances"] = additive_total_order(state["contributions"])
            found["importance_intervals"] = tf.stack([found["importances"]] * 2, axis=-1)
        return found

    return Plan(
        count=1,
        backward=affine,
        query=query,
        draw=lambda inputs, side, index: (inputs, ()),
        start=start,
        fold=reducers.total,
        finish=finish,
    )


def affine_plan(number: int) -> Plan:
    """The closed form `(m, r)` for the affine model `u -> h(u V)` and inputs `u`: no pass through what comes before."""

    def query(bound: Bound, operator: Any, coefficients: Any, targets: Any) -> Any:
        along = coefficients * queries.gradient(bound, operator, coefficients, targets)
        return tf.reduce_sum(along, axis=list(range(1, len(along.shape) - 1)))

    return Plan(
        count=1,
        backward=True,
        query=query,
        draw=lambda coefficients, side, index: (coefficients, ()),
        start=reducers.table(number),
        fold=reducers.total,
        finish=lambda contributions, coefficients, side: {"importances": additive_total_order(contributions)},
    )


def sobol_plan(design: Design, blocks: int) -> Plan:
    """Total Sobol indices of concepts `(m, r)` and their intervals, for the model `u -> h(u V)` and inputs `u`.

    A mask `M` in `[0, 1]^r` multiplies the coefficients of each concept at all places at once. Intervals come from
    blocks of one design, which are more even together than apart, so that they are on the wide side. Four designs of a
    quarter of the rows have three times the error.
    """
    rows, number = design.base.shape
    per_row = number + 1
    base, shifted = (tf.constant(half, tf.float32) for half in (design.base, design.shifted))

    def draw(coefficients: Any, side: Any, index: Any) -> tuple[Any, Any]:
        row, column = index // per_row, index % per_row - 1
        changed = tf.range(number)[None, :] == column[:, None]
        masks = tf.where(changed, tf.gather(shifted, row), tf.gather(base, row))
        return coefficients * spread(masks, coefficients), ()

    def finish(state: Any, coefficients: Any, side: Any) -> Any:
        table: Any = tf.reshape(state, (-1, rows, per_row))
        plain, changed = table[..., 0], table[..., 1:]
        step = design.relative_step
        found = {"importances": total_order("jansen", plain, changed, step)}
        if blocks == 1:
            return {**found, "importance_intervals": tf.stack([found["importances"]] * 2, axis=-1)}
        parts: Any = tf.reshape(table, (-1, blocks, rows // blocks, per_row))
        whole = tf.repeat(output_variance(plain, changed)[:, None], blocks, axis=1)
        each = total_order("jansen", parts[..., 0], parts[..., 1:], step, whole)
        return {**found, "importance_intervals": replicate_interval(each, positive=True)}

    return Plan(
        count=rows * per_row,
        query=queries.score,
        draw=draw,
        start=reducers.table(rows * per_row),
        fold=reducers.collect,
        finish=finish,
    )
