"""The plans of Sobol attribution: rows of a design, and gradients by the mask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Items, Plan, queries, reducers
from ..engine.plan import never
from ..numerics.intervals import replicate_interval
from ..numerics.ranks import spearman
from ..numerics.smoothing import (
    RANKING_POWER,
    gradient_guide,
    gradient_statistic,
    output_statistic,
    smooth_gradients,
    smooth_rows,
    smooth_rows_by_gradients,
    smooth_rows_by_outputs,
)
from ..numerics.sobol_designs import make_design, nested_latin_hypercube
from ..numerics.sobol_estimators import (
    first_order,
    mean_power,
    output_differences,
    signed_effect,
    total_order,
)
from ..perturbations import as_perturbation, cells_to_maps, cells_to_pixels, grid_of

if TYPE_CHECKING:
    from .sobol import SobolAttribution


def row_stage(method: SobolAttribution, layout: Layout, outputs: Any) -> Plan:
    """Every row of the design, and it with each column changed in turn, measured by forwards alone."""
    grid = grid_of(method.grid_size, layout, type(method).__name__)
    dimension = math.prod(grid)
    design = make_design(method.design, method.nb_design, dimension, method.seed, method.parts)
    base, shifted = design.base.astype(np.float32), design.shifted.astype(np.float32)
    per_row = dimension + (1 if method.order == "total" else 2)
    rounds = method.parts if method.stop_when is not None else 1
    perturbation = as_perturbation(method.perturbation, type(method).__name__)
    every_output = method.assist == "outputs"
    # Without outputs, the plan is asked for its cost alone.
    classes = (1,) if outputs is None else tuple(getattr(outputs, "shape", ()))[1:]
    if every_output and len(classes) != 1:
        raise ModelError(
            wording(
                f"{type(method).__name__}(assist='outputs')",
                expected="the model must have one output of shape (n, classes)",
                received="other outputs",
                remedy="Pass assist=None.",
            )
        )

    def prepare(inputs: Any, side: Any) -> Any:
        return perturbation.reference(inputs, layout, method.seed, method.access.input_range), side

    def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
        row, column = index // per_row, index % per_row - 1
        # Column -1 is the row itself, column d the whole second half.
        changed = (tf.range(dimension)[None, :] == column[:, None]) | (column[:, None] == dimension)
        cells = tf.where(changed, tf.gather(shifted, row), tf.gather(base, row))
        return perturbation(inputs, cells_to_pixels(cells, grid, layout), side[0]), ()

    def start(inputs: Any, side: Any) -> Any:
        total = method.nb_design * per_row
        state = {"score": reducers.table(total)(inputs, side), "forwards": reducers.table()(inputs, side)}
        if every_output:
            state["outputs"] = reducers.table(total, *classes)(inputs, side)
        return state

    def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
        values = values if every_output else {"score": values}
        folded = {name: items.put(state[name], values[name]) for name in values}
        return {**folded, "forwards": items.add(state["forwards"], tf.ones_like(items.weight))}

    def rows_of(state: Any, name: str) -> Any:
        # Samples that leave together have finished the same rows.
        rows = tf.cast(tf.reduce_max(state["forwards"]), tf.int32) // per_row
        table = state[name][:, : rows * per_row]
        return tf.reshape(table, (-1, rows, per_row, *table.shape[2:]))

    def done(state: Any, side: Any, finished_rounds: Any) -> Any:
        table = rows_of(state, "score")
        halves = [
            tf.reduce_mean((part[:, :, :1] - part[:, :, 1 : dimension + 1]) ** 2, axis=1)
            for part in (table[:, ::2], table[:, 1::2])
        ]
        agreement = spearman(*halves)
        return 2 * agreement / (1 + agreement) >= method.stop_when

    def finish(state: Any, inputs: Any, side: Any) -> Any:
        table = rows_of(state, "score")
        every = rows_of(state, "outputs") if every_output else None
        guide = side[1]["guide"] if method.assist == "mixed" else None
        answer = _row_answer(method, design, table, every, guide, (grid[0], grid[1]) if layout.is_image else None)
        answer["forwards"] = state["forwards"]
        if method.assist == "mixed":
            answer["forwards"] += side[1]["forwards"]
            answer["backwards"] = side[1]["backwards"]
        return _on_grid(answer, grid, layout)

    return Plan(
        count=method.nb_design * per_row // rounds,
        rounds=rounds,
        query=queries.score_and_outputs if every_output else queries.score,
        prepare=prepare,
        draw=draw,
        start=start,
        fold=fold,
        finish=finish,
        done=done if method.stop_when is not None else never,
    )


def gradient_stage(method: SobolAttribution, layout: Layout, final: bool) -> Plan:
    """Gradients of the score by the mask at points of a Latin hypercube; the map itself, or the guide of the rows."""
    grid, count = _picture_grid(method, layout), method.gradient_masks
    dimension = math.prod(grid)
    if not method.access.differentiable:
        raise ModelError(
            wording(
                f"{type(method).__name__}(assist={method.assist!r})",
                expected="the model must have gradients",
                received=f"a {type(method.model).__name__} of NumPy arrays",
                remedy="Pass assist=None or assist='outputs', or a Keras model.",
            )
        )
    masks = nested_latin_hypercube(count, dimension, generator(method.seed, 3)).astype(np.float32)
    perturbation = as_perturbation(method.perturbation, type(method).__name__)

    def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
        return {"variable": tf.gather(masks, index), "inputs": inputs, "reference": side}, ()

    def build(drawn: Any) -> Any:
        pixels = cells_to_pixels(drawn["variable"], grid, layout)
        return perturbation(drawn["inputs"], pixels, drawn["reference"])

    def start(inputs: Any, side: Any) -> Any:
        return reducers.table(count, dimension)(inputs, side)

    def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
        return items.put(state, values["gradient"])

    def finish(state: Any, inputs: Any, side: Any) -> Any:
        statistic = gradient_statistic(state, masks)
        spent = reducers.table()(inputs, side) + count
        if not final:
            return {"guide": gradient_guide(statistic, grid, count), "forwards": spent, "backwards": spent}
        answer = {
            "maps": smooth_gradients(statistic, grid, count),
            "raw": statistic,
            "forwards": spent,
            "backwards": spent,
        }
        return _on_grid(answer, grid, layout)

    return Plan(
        count=count,
        backward=True,
        query=queries.gradient_of(build),
        prepare=lambda inputs, side: perturbation.reference(inputs, layout, method.seed, method.access.input_range),
        draw=draw,
        start=start,
        fold=fold,
        finish=finish,
    )


def _row_answer(
    method: SobolAttribution, design: Any, table: Any, outputs: Any, guide: Any, grid: tuple[int, int] | None
) -> dict[str, Any]:
    """Maps, raw maps and intervals `(m, d)` from the scores `(m, rows, 1 + d)` or `(m, rows, 2 + d)`; without the grid
    of an image nothing is smoothed.
    """
    dimension = design.base.shape[1]
    base, changed = table[:, :, 0], table[:, :, 1 : dimension + 1]
    rows = tf.shape(table)[1]
    points, moved = (tf.constant(side, table.dtype)[:rows] for side in (design.base, design.shifted))
    step = tf.reduce_mean((points - moved) ** 2, axis=0) / design.expected_step
    answer: dict[str, Any] = {}
    if method.order == "first":
        answer["raw"] = first_order(base, table[:, :, -1], changed)
    else:
        answer["raw"] = total_order(method.estimator, base, changed, step)
    if method.order == "both":
        answer["first"] = first_order(base, table[:, :, -1], changed)
    answer["maps"] = answer["raw"]
    if method.smooth and grid is not None:
        answer["maps"] = _smoothed(method, grid, base, changed, outputs, guide, answer["raw"])
    if method.signed:
        answer["maps"] = signed_effect(base, changed, points, moved, total=answer["maps"])
    if method.parts > 1:
        answer["interval"] = _interval(method, table, step)
    return answer


def _interval(method: SobolAttribution, table: Any, step: Any) -> Any:
    """The 95 % interval of the raw map from the independent parts of the design, `(m, d, 2)`."""
    size = method.nb_design // method.parts
    dimension = step.shape[0]
    parts: Any = tf.reshape(table, (-1, tf.shape(table)[1] // size, size, table.shape[2]))
    base, changed = parts[..., 0], parts[..., 1 : dimension + 1]
    if method.order == "first":
        return replicate_interval(first_order(base, parts[..., -1], changed))
    # One variance, of all rows: a ratio of two noisy numbers has no honest interval.
    outputs = parts[..., : dimension + 1]
    mean = tf.reduce_mean(outputs, axis=(1, 2, 3), keepdims=True)
    spread = tf.reduce_mean((outputs - mean) ** 2, axis=(2, 3))
    variance = tf.reduce_mean(spread, axis=1, keepdims=True)
    values = total_order(method.estimator, base, changed, step, variance)
    if method.estimator not in ("janon", "glen"):
        # How the variance differs between parts belongs to the error of a ratio (the delta method).
        surplus: Any = tf.math.divide_no_nan(spread - variance, variance)
        values -= tf.reduce_mean(values, axis=1, keepdims=True) * surplus[..., None]
    return replicate_interval(values, positive=method.estimator in ("jansen", "janon"))


def _on_grid(answer: dict[str, Any], grid: tuple[int, ...], layout: Layout) -> dict[str, Any]:
    """Vectors over cells `(m, d)` and intervals `(m, d, 2)` as maps; scalars `(m,)` as they are."""
    return {
        name: value if len(value.shape) == 1 else cells_to_maps(value, grid, layout) for name, value in answer.items()
    }


def _picture_grid(method: SobolAttribution, layout: Layout) -> tuple[int, int]:
    if not layout.is_image:
        raise ModelError(
            wording(
                f"{type(method).__name__}(assist={method.assist!r})",
                expected="gradients guide the smoothing of images (h, w, c)",
                received=f"samples of shape {layout.shape}",
                remedy="Pass assist=None.",
            )
        )
    rows, columns = grid_of(method.grid_size, layout, type(method).__name__)
    return rows, columns


def _smoothed(
    method: SobolAttribution, grid: tuple[int, int], base: Any, changed: Any, outputs: Any, guide: Any, raw: Any
) -> Any:
    """The smooth map `(m, d)`, of the total of the raw one, so that both share a scale."""
    rows = tf.shape(base)[1]
    # Half-shift steps are equal, so heavy tails can be damped; other designs need the mean of squares of Jansen.
    statistic = raw
    if method.design == "half_shift":
        statistic = mean_power(output_differences(base, changed), RANKING_POWER)
    if outputs is not None:
        of_outputs = output_statistic(outputs[:, :, 0], outputs[:, :, 1 : raw.shape[1] + 1])
        smooth = smooth_rows_by_outputs(statistic, of_outputs, grid, rows)
    elif guide is not None:
        smooth = smooth_rows_by_gradients(statistic, guide, grid, rows)
    else:
        smooth = smooth_rows(statistic, grid, rows)
    total, own = (tf.reduce_sum(values, axis=-1, keepdims=True) for values in (raw, smooth))
    return smooth * tf.math.divide_no_nan(total, own)
