"""Certified sufficient subsets: the first cells of a map that are enough to keep the decision, for certain."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Repeated
from ..engine.session import Stages
from ..models.bounds import Around
from ..models.operators import resolve_targets
from ..perturbations import grid_of
from ..perturbations.masks import sums_of_cells
from .eva import EVA
from .eva_options import cells_of_places
from .eva_stages import Given, overlap


class SufficientCells(NamedTuple):
    """Which cells keep the decision, and whether it is certain.

    cells : `(n, *grid)` bool, the cells that must stay as they are.
    count : `(n,)` how many they are.
    certified : `(n,)` bool; False where not even the input as it is has this decision, and all cells are kept.
    """

    cells: np.ndarray
    count: np.ndarray
    certified: np.ndarray


def sufficient_cells(
    explainer: EVA, inputs: Any, maps: Any, targets: Any = None, epsilon: Any = None
) -> SufficientCells:
    """How few cells, the first of a map, must stay as they are for the decision to be certain?

    The smallest `k` such that `AO <= 0` over the box in which the first `k` cells of the map are frozen and all others
    free; found by halving, with bounds made anew for each box. Whatever comes out is certified; it is the smallest for
    this order of the cells if bounds fall with each cell that is frozen, which is so but for rare reversals of CROWN.
    Use it with the map of EVA, or to ask of any map how much of the image it needs. Not at the radius that
    `epsilon="auto"` finds, where freezing any cell is enough: take a multiple of it.

    Parameters
    ----------
    explainer : whose model, box, norm, bounds and grid are used.
    inputs : `(n, h, w, c)`, as for `explain`.
    maps : an `Explanation` of these inputs, or an array `(n, h, w, 1)`; of one that is finer than the grid the sums
        over the cells.
    targets : the class of each input; None for that of the maps.
    epsilon : the radius of each input `(n,)`, or of all; None for that of the explainer, or that of the maps.

    Returns
    -------
    found : the cells, how many they are, and whether they are certified.

    Raises
    ------
    ValueError : maps that do not fit the inputs; no radius.

    Cost
    ----
    One bound of a box for each doubling of the number of cells: 8 for 144.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), np.array([-3.0, 0.0])])
    >>> method, x = EVA(model, epsilon=0.5, box="symmetric"), np.ones((1, 3), "float32")
    >>> sufficient_cells(method, x, method.explain(x)).cells.tolist()
    [[True, False, False]]

    Source
    ------
    The order by verified bounds is that of M. Wu, H. Wu, C. Barrett, "VeriX: Towards Verified Explainability of Deep
    Neural Networks", NeurIPS 2023, https://arxiv.org/abs/2212.01051
    """
    where = "sufficient_cells"
    inputs = np.asarray(inputs, np.float32)
    explainer.access.ensure_ready(inputs)
    layout = explainer.access.layout(inputs.shape[1:])
    grid = grid_of(explainer.grid_size, layout, type(explainer).__name__)
    values = _of_cells(maps, grid, layout.spatial)
    if values is None or len(values) != len(inputs):
        raise ValueError(
            wording(
                where,
                expected=f"`maps` must be a map of each of the {len(inputs)} inputs, of {layout.spatial} places",
                received=f"shape {np.shape(maps)}",
                remedy="Explain the same inputs.",
            )
        )
    epsilon = _radius(explainer, maps, epsilon, where)
    targets = getattr(maps, "targets", None) if targets is None else targets
    outputs = np.asarray(explainer.engine.predict(inputs))
    targets = resolve_targets(targets, outputs, explainer.engine.operator, where)
    ranks = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1, kind="stable").astype(np.float32)
    number = values.shape[1]
    search = {
        "radius": np.broadcast_to(np.float32(epsilon), (len(inputs),)).copy(),
        "ranks": ranks[:, cells_of_places(grid, layout)],
        "fails": np.full(len(inputs), -1.0, np.float32),
        "works": np.full(len(inputs), number + 1.0, np.float32),
    }
    if layout.shape not in explainer.searches:
        explainer.searches[layout.shape] = _stages(explainer, layout, explainer.engine.output_spec(inputs), number)
    found = explainer.engine.run(explainer.searches[layout.shape], inputs, targets, search)
    count = np.asarray(found["works"]).astype(int)
    kept = (ranks < count[:, None]).reshape(-1, *grid)
    return SufficientCells(kept, np.minimum(count, number), count <= number)


def _stages(explainer: EVA, layout: Layout, outputs: Any, number: int) -> Stages:
    """What an input starts from, and a bound for every halving of the number of cells."""
    network = explainer.network(layout, outputs)
    first = explainer.opening(layout, network, 1)

    def start(state: Any, x: Any, search: Given) -> Given:
        return _tried({**first.finish(state, x, ()), **search})

    def then(answer: dict[str, Any], given: Given) -> Given:
        works = overlap(answer, given)[:, 0] <= 0
        return _tried(
            {
                **given,
                "works": tf.where(works, given["tried"], given["works"]),
                "fails": tf.where(works, given["fails"], given["tried"]),
            }
        )

    bounds = explainer.bounding(network, explainer.family(Around)).plans(then)
    return (replace(first, finish=start), Repeated(bounds, math.ceil(math.log2(number + 2))))


def _tried(given: Given) -> Given:
    """The next number of cells, and the radius of each place in the box where so many are frozen."""
    tried = tf.maximum(tf.floor((given["fails"] + given["works"]) / 2), 0.0)
    across = (-1, *[1] * (len(given["ranks"].shape) - 1))
    free = given["ranks"] >= tf.reshape(tried, across)
    return {**given, "tried": tried, "epsilon": tf.where(free, tf.reshape(given["radius"], across), 0.0)}


def _of_cells(maps: Any, grid: tuple[int, ...], places: tuple[int, ...]) -> np.ndarray | None:
    """The value of each cell `(n, cells)`; None for maps of other places."""
    values = np.asarray(getattr(maps, "values", maps))
    if values.ndim == len(places) + 2:
        values = values[..., 0]
    if values.shape[1:] == grid:
        return values.reshape(len(values), -1)
    values = np.asarray(maps)
    values = values[..., 0] if values.ndim == len(places) + 2 else values
    return sums_of_cells(values, grid) if values.shape[1:] == places else None


def _radius(explainer: EVA, maps: Any, epsilon: Any, where: str) -> Any:
    if epsilon is None:
        epsilon = explainer.epsilon if explainer.epsilon != "auto" else getattr(maps, "extras", {}).get("epsilon")
    if epsilon is not None and np.ndim(epsilon) <= 1 and np.isfinite(epsilon).all() and (np.asarray(epsilon) > 0).all():
        return epsilon
    raise ValueError(
        wording(
            where,
            expected="`epsilon` must be a radius above 0, or one for each input",
            received=repr(epsilon),
            remedy="Pass epsilon=2 * maps.epsilon, with the maps of EVA.",
        )
    )
