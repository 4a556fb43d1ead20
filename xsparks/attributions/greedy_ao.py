"""Greedy search of the cells on which a decision hangs (Hsieh, Yeh, Liu, Ravikumar, Kim, Kumar, Hsieh 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer, check_number
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Explainer, Items, Plan, Repeated, reducers
from ..engine.session import Stages
from ..numerics.least_squares import ridge, rows_of, weighted_sums
from ..perturbations import RadiusSearch, cells_to_maps, grid_of, importance_ranks
from . import eva_stages as stages
from .eva_options import cells_of_places, check_box, check_classifier, direction, valid_range
from .greedy_attacks import DistanceAttack, OverlapAttack

ROBUSTNESS = ("overlap", "distance")
OF_THE_SEARCH = {"step_size": 2.5, "tolerance": 0.02}
# Far below the weight of one subset: it decides only what subsets leave open.
PENALTY = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class GreedyAO(Explainer):
    """Which cells, taken one after the other, would an attack want most to change the decision?

    The adversarial overlap of a box about the image in which nothing but the cells `S` is free is
    `AO(S) = max f_c'(x') - f_c(x')` over all `x'` in the box and all classes `c'` but the explained `c`, as far as
    projected gradient ascent finds it. Cells are taken in rounds. In each, random subsets `z` of the cells that are
    left join those taken so far, `T`, and a linear model of what the attacks find,

        AO(T + z) = a + sum_i b_i z_i,

    looks ahead to what a cell is worth beside others; the cells of the largest `b_i` are taken. Use it as the yardstick
    that verified bounds are compared with, and for orders of cells that attacks confirm, on any classifier with
    gradients. Not for fine detail or in a hurry: each subset is an attack. What attacks do not find is not seen.

    Parameters
    ----------
    epsilon : the radius of the box in the unit of the inputs as they are handed over, or `"auto"`: that at which the
        decision would change if the model were linear.
    grid_size : cells along each side of an image and windows of time of a series, whose features stay apart, as those
        of a table do; or one number for each axis of the places.
    variant : `"release"`, the cells whose release raises the overlap most (few relevant cells, Robustness-Sr);
        `"freeze"`, all cells are free and those are taken whose freezing lowers it most (its complement).
    box : `"symmetric"`, `[x - epsilon, x + epsilon]`; `"clipped"`, cut to the valid range; `"remove"`, its half below
        the image; `"add"`, its half above.
    value_range : the valid range `(low, high)`; `"input"` takes the range that the model declares, or else that of the
        values of each image.
    samples : subsets of each round.
    look_ahead : the probability that a cell joins a subset; 0 tries each cell alone, which is greedy search as such.
    round_share : the fraction of the cells that a round takes, one at least.
    ordered_share : the fraction of the cells that rounds take; the last round orders the others.
    attack_steps : of each attack.
    robustness : `"overlap"`, or `"distance"`, the length of the shortest change that changes the decision, as
        published: a search over Euclidean balls for each subset, some five attacks, which needs no radius. For an image
        that the model puts into another class, the shortest that doubles its margin.
    bisections : of the radius of a ball, at most, for `robustness="distance"`.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid, in units of the score: what there still is to gain when the cell is taken,
        `sum max(b_j, 0)` over it and all that come later, so that they fall along the order. `(n, t, f)` for series and
        `(n, f)` for tables. Extras: `.order (n, d)`, the cells, first taken first, row by row; `.effects (n, d)`, `b_i`
        of the round in which the cell was taken, negative where it hinders the attack; `.margin` of the image itself;
        `.attack (n,)`, the overlap found where all cells are free, and `.epsilon`. For distances, units are those of
        the inputs, `b_i` is by how much a cell shortens the change, and there is `.distance (n,)`, that of all cells.

    Raises
    ------
    ModelError : a model without gradients, or without a second class; another operator.
    ValueError : options out of range; a grid finer than the sample.

    Cost
    ----
    `samples * attack_steps` forwards and backwards a round, 16,640 in 13 rounds at the defaults; for distances up to
    `8 + bisections` times as many. Memory: one batch, and
    `(d + 2)^2` numbers a sample.

    Departs
    -------
    By default robustness is the overlap within a box, as in the EVA paper, at a fifth of the price of distances. The
    linear model has an intercept. Within a round cells stand in the order of `b_i`. All images see the same subsets.

    Example
    -------
    >>> weights = np.array([[1.0, 0.0], [4.0, 0.0], [0.0, 2.0]], "float32")
    >>> method = GreedyAO(lambda x: x @ tf.constant(weights), epsilon=0.1, box="symmetric", samples=16)
    >>> maps = method.explain(np.ones((1, 3), "float32"), 0)
    >>> maps.order.tolist(), maps.effects.round(2).tolist(), maps.values.round(2).tolist()
    ([[1, 2, 0]], [[0.1, 0.4, 0.2]], [[0.1, 0.7, 0.3]])

    Source
    ------
    C.-Y. Hsieh, C.-K. Yeh, X. Liu, P. Ravikumar, S. Kim, S. Kumar, C.-J. Hsieh, "Evaluations and Methods for
    Explanation through Robustness Analysis", ICLR 2021, section 3, https://arxiv.org/abs/2006.00442. The overlap: T.
    Fel et al., "Don't Lie to Me! Robust and Efficient Explainability with Verified Perturbation Analysis", CVPR 2023,
    https://arxiv.org/abs/2202.07728
    """

    epsilon: float | str = "auto"
    grid_size: int | tuple[int, ...] = 7
    variant: str = "release"
    box: str = "clipped"
    value_range: tuple[float, float] | str = "input"
    samples: int = 128
    look_ahead: float = 0.2
    round_share: float = 0.05
    ordered_share: float = 0.5
    attack_steps: int = 10
    robustness: str = "overlap"
    bisections: int = 5

    needs_gradients: ClassVar[bool] = True
    exempt: ClassVar[dict[str, str]] = {
        "operator": "the overlap is that of margins between classes, not a function that a user writes",
    }

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_box(self)
        check_integer(name, "samples", self.samples, 2, "Use 128, or three for each cell.")
        check_number(name, "look_ahead", self.look_ahead, 0, 0.99, "Use .2, or 0 to try each cell alone.")
        check_number(name, "round_share", self.round_share, 1e-6, 1, "Use .05.")
        check_number(name, "ordered_share", self.ordered_share, 1e-6, 1, "Use .5.")
        check_choice(name, "robustness", self.robustness, ROBUSTNESS)
        check_integer(name, "bisections", self.bisections, 1, "Use 5.")

    def described_estimand(self) -> str:
        """What the maps hold with these options."""
        what = "attacked overlap" if self.robustness == "overlap" else "nearness of another decision"
        if self.variant == "release":
            return f"rise of the {what} that is left when a cell is released, in greedy order"
        return f"drop of the {what} that is left when a cell is frozen, in greedy order"

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The margin and its gradient, rounds of attacks on subsets, and an attack on the whole."""
        check_classifier(self, outputs)
        grid = grid_of(self.grid_size, layout, type(self).__name__)
        cells = math.prod(grid)
        each = max(1, round(self.round_share * cells))
        rounds = math.ceil(round(self.ordered_share * cells, 6) / each)
        first = stages.opening(layout.shape, outputs.shape[1], 1, self.epsilon, "inf", valid_range(self), gradient=True)

        def opened(state: Any, x: Any, side: Any) -> stages.Given:
            found = first.finish(state, x, side)
            kept = {name: found[name] for name in ("epsilon", "margin", "gradient", "valid_range") if name in found}
            number = tf.zeros_like(found["margin"], tf.int32)
            none = tf.zeros((tf.shape(number)[0], cells))
            return {**kept, "round": number, "place": tf.cast(none, tf.int32) + cells, "effects": none}

        return (
            replace(first, finish=opened),
            Repeated((self._round(layout, grid, rounds, each),), rounds),
            self._last(layout, grid),
        )

    @property
    def _attack(self) -> OverlapAttack | DistanceAttack:
        """What is asked of a subset."""
        if self.robustness == "overlap":
            return OverlapAttack(direction=direction(self), steps=self.attack_steps)
        search = RadiusSearch(attack_steps=self.attack_steps, bisections=self.bisections, **OF_THE_SEARCH)
        return DistanceAttack(direction=direction(self), search=search)

    def _round(self, layout: Layout, grid: tuple[int, ...], rounds: int, each: int) -> Plan:
        """Attacks on subsets, and the cells that they say are worth most."""
        bits = self._subsets(rounds, math.prod(grid))
        number, cells = bits.shape[1:]
        cell_of, attack, release = cells_of_places(grid, layout), self._attack, self.variant == "release"

        def taken_of(given: stages.Given) -> Any:
            return given["place"] < each * given["round"][:, None]

        def draw(x: Any, given: stages.Given, index: Any) -> tuple[Any, Any]:
            taken = taken_of(given)
            joined = tf.gather_nd(bits, tf.stack([given["round"], index], axis=1)) & ~taken
            free = taken | joined if release else ~(taken | joined)
            return attack.drawn(x, given, tf.gather(free, cell_of, axis=1)), joined

        def start(x: Any, given: stages.Given) -> Any:
            return tf.zeros((tf.shape(given["margin"])[0], cells + 2, cells + 2), tf.float64)

        def fold(state: Any, items: Items, joined: Any, values: Any) -> Any:
            return state + weighted_sums(rows_of(joined, values), items.weight, items.sample, tf.shape(state)[0])

        def finish(state: Any, x: Any, given: stages.Given) -> stages.Given:
            found = tf.cast(ridge(state, PENALTY).coefficients, tf.float32)
            taken, found = taken_of(given), found if release else -found
            rank = importance_ranks(tf.where(taken, -np.inf, found), self.seed)
            return {
                **given,
                # Those that come next keep the place that they have now.
                "place": tf.where(taken, given["place"], rank + each * given["round"][:, None]),
                "effects": tf.where(taken, given["effects"], found),
                "round": given["round"] + 1,
            }

        return Plan(
            count=number,
            query=attack.query,
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
            backward=True,
            passes=attack.passes,
        )

    def _last(self, layout: Layout, grid: tuple[int, ...]) -> Plan:
        """An attack where all is free, and the answer."""
        attack = self._attack

        def draw(x: Any, given: stages.Given, index: Any) -> tuple[Any, Any]:
            return attack.drawn(x, given, tf.ones_like(x, tf.bool)), ()

        def finish(state: Any, x: Any, given: stages.Given) -> dict[str, Any]:
            order = tf.argsort(given["place"], axis=1)
            left = tf.cumsum(tf.gather(tf.nn.relu(given["effects"]), order, batch_dims=1), axis=1, reverse=True)
            found = {
                "maps": cells_to_maps(tf.gather(left, given["place"], batch_dims=1), grid, layout),
                "order": order,
                "effects": given["effects"],
                "margin": given["margin"],
            }
            if isinstance(attack, DistanceAttack):
                return {**found, "distance": attack.longest(x, given) - state[:, 0]}
            return {**found, "attack": given["margin"] + state[:, 0], "epsilon": given["epsilon"]}

        return Plan(
            count=1,
            query=attack.query,
            draw=draw,
            start=reducers.table(1),
            fold=reducers.collect,
            finish=finish,
            backward=True,
            passes=attack.passes,
        )

    def _subsets(self, rounds: int, cells: int) -> np.ndarray:
        """Which cells join in each subset of each round, `(rounds, subsets, cells)` bool."""
        if not self.look_ahead:
            # Beside each cell none at all, which is the intercept.
            return np.tile(np.eye(cells + 1, cells, -1, dtype=bool), (rounds, 1, 1))
        return generator(self.seed, 41).random((rounds, self.samples, cells)) < self.look_ahead
