"""EVA (Fel, Ducoffe, Vigouroux, Cadène, Capelle, Nicodème, Serre 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import Explainer, Plan, Repeated, VerifiedBounds
from ..engine.session import Stages
from ..models.bounds import Around, Cells, Network, OneOfCells, read_network, stretch_of
from ..perturbations import cells_to_maps, grid_of
from . import eva_stages as stages
from .eva_options import REMEDY, cells_of_places, check_box, check_classifier, direction, valid_range

BOUNDS = ("crown", "crown_ibp", "ibp", "alpha_crown")
MODES = ("shared", "shared_bounds", "exact")
SLOPE_STEPS = 20
# Networks that stretch less than this have bounds by Euclidean lengths, too.
LITTLE = 10.0


@dataclass(frozen=True, eq=False, kw_only=True)
class EVA(Explainer):
    """Which parts of the image must stay as they are, for certain, if the model is not to change its mind?

    The adversarial overlap of a box `B` about the image is `AO(B) = max f_c'(x') - f_c(x')` over all `x'` in `B` and
    all classes `c'` but the explained `c`; below zero the decision is certain. What is computed is a verified bound of
    it, which no `x'` exceeds, seen or not. The importance of a cell `u` of a grid is how much of the bound is lost when
    the cell is frozen, `B_u = {x' in B: x'_u = x_u}`:

        EVA(u) = AO(B) - AO(B_u).

    Use it for small networks, where you need a statement about every change of the image and not about those that were
    tried. Not for large ones: their bounds say nothing at any radius that one can see (look at `.gap`). Each bound is
    certain up to the rounding of float32; that the first cell of a map matters most is not.

    Parameters
    ----------
    epsilon : the radius of the box in the unit of the inputs as they are handed over, or `"auto"`: for each image the
        smallest for which an overlap is possible, up to the width of the valid range. For an image that the model
        puts into another class, the smallest for which the bound has risen by as much again.
    norm : `"inf"`, or `"2"` for a ball, cut to the box about it.
    grid_size : cells along each side of an image and windows of time of a series, whose features stay apart, as those
        of a table do; or one number for each axis of the places. Where it does not divide the size of the image cells
        are not alike, and larger ones score higher.
    bounds : `"crown"` (linear relaxation backwards), `"alpha_crown"` (with slopes that lower the sum of all margins),
        `"crown_ibp"` (relaxed from intervals, much faster, looser) or `"ibp"` (intervals).
    mode : `"shared"`, one relaxation on `B` for all cells, fastest and the most telling; `"shared_bounds"`, the
        last pass anew for each cell; `"exact"`, everything anew for each cell, for tiny networks. All have the same
        bound of `B` itself. A cell's own relaxation is intersected with its own intervals.
    variant : `"freeze"`, as published; `"release"`, how far the overlap rises above its value at the image itself when
        nothing but the cell is free. Numbers nearer to the truth, with `mode="shared_bounds"`; with `"shared"` each has
        the looseness of the one relaxation in it.
    box : `"symmetric"`, `[x - epsilon, x + epsilon]`; `"clipped"`, cut to the valid range; `"remove"`, its half below
        the image; `"add"`, its half above.
    value_range : the valid range `(low, high)`, or `"input"`: the one that the model declares, else of each image.
    attack_steps : of the attack that says how loose the bound is.
    search_steps : bounds computed to find `epsilon="auto"`.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid, in the unit of the logits; `(n, t, f)` for series and `(n, f)` for tables.
        Never negative for `mode="shared"`. Extras `(n,)`: `.overlap`, the bound of `AO(B)`; `.attack`, the highest
        overlap found, below which it cannot be; `.gap`, their difference; `.certified`, whether no change within the
        box changes the decision; `.epsilon`; `.margin`, the overlap at the image itself; `.negative`, the share of
        cells below zero. `.guarantee` is `"verified"`.
        Targets that are weights `w` over the classes have the overlap `max sum(w) f_c' - <w, f>`: `e_c - e_t` asks what
        keeps the one class `t` below `c`.

    Raises
    ------
    ModelError : a model or layer whose bounds are not known; several inputs; a preprocessing that is a function.

    Cost
    ----
    Two backward passes for each unstable ReLU, or for each group of them that never meet; `search_steps` times as much
    to find `epsilon`, and for `mode="exact"` as often as there are cells. `attack_steps` forwards and backwards.

    Departs
    -------
    Margins are bounded as one function, not as two, and by backward relaxation with intervals; the box is cut to the
    valid range and its size is found, because at a fixed one most bounds say nothing; cells share a relaxation.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[3.0, 1.0], [0.0, 1.0]]), np.zeros(2)])
    >>> maps = EVA(model, epsilon=0.1, box="symmetric").explain(np.ones((1, 2), "float32"))
    >>> maps.values.round(2).tolist(), maps.overlap.round(2).tolist(), maps.certified.tolist()
    ([[0.2, 0.1]], [-0.7], [True])

    Source
    ------
    T. Fel, M. Ducoffe, D. Vigouroux, R. Cadène, M. Capelle, C. Nicodème, T. Serre, "Don't Lie to Me! Robust and
    Efficient Explainability with Verified Perturbation Analysis", CVPR 2023, https://arxiv.org/abs/2202.07728
    """

    epsilon: float | str = "auto"
    norm: str = "inf"
    grid_size: int | tuple[int, ...] = 12
    bounds: str = "crown"
    mode: str = "shared"
    variant: str = "freeze"
    box: str = "clipped"
    value_range: tuple[float, float] | str = "input"
    attack_steps: int = 30
    search_steps: int = 14

    needs_gradients: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    guarantee: ClassVar[str] = "verified"
    exempt: ClassVar[dict[str, str]] = {
        "operator": "what is bounded is the margin between classes, not a function that a user writes",
        "preprocess": "a function of one's own has no known bounds; 'tf', 'torch' and 'caffe' have",
        "subclassed": "a model that exists in Python code only has no steps whose bounds could be known",
        "mixed precision": "the rounding of float16 is not accounted for",
        "several inputs": "a box is one of the only input",
    }

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_box(self)
        check_choice(name, "norm", self.norm, ("inf", "2"))
        check_choice(name, "bounds", self.bounds, BOUNDS)
        check_choice(name, "mode", self.mode, MODES)
        check_integer(name, "search_steps", self.search_steps, 1, "Use 14.")

    def described_estimand(self) -> str:
        """What the maps hold with these options."""
        if self.variant == "release":
            return "rise of the verified bound of the adversarial overlap when nothing but a cell is free"
        return "drop of the verified bound of the adversarial overlap when a cell is frozen"

    def decided(self) -> dict[str, Any]:
        """How much can be said of the numbers."""
        return {"guarantee": self.guarantee}

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """A radius, the bounds of all boxes, and an attack on the first."""
        grid = grid_of(self.grid_size, layout, type(self).__name__)
        network = self.network(layout, outputs)
        cells = self.family(Cells, cell_of=cells_of_places(grid, layout), release=self.variant == "release")

        def finish(given: stages.Given, highest: Any) -> dict[str, Any]:
            found, negative = stages.frozen_or_free(given, self.variant)
            bound = given["bound"]
            return {
                "maps": cells_to_maps(found, grid, layout),
                "overlap": bound,
                "attack": highest,
                "gap": bound - highest,
                "certified": bound <= 0,
                "epsilon": given["epsilon"],
                "margin": given["margin"],
                "negative": negative,
            }

        return (
            self.opening(layout, network, cells.count),
            *self._search(network),
            *self._bounds(network, cells),
            stages.attack(cells, self.norm, self.attack_steps, finish),
        )

    def remark(self, extras: dict[str, Any]) -> str | None:
        """Says where a bound is so far above what an attack finds that it tells nothing of the model."""
        vacuous = extras["gap"] > 3 * np.maximum(abs(extras["margin"]), abs(extras["margin"]).mean())
        if not vacuous.any():
            return None
        return (
            f"the bound of {vacuous.sum()} of {len(vacuous)} inputs is more than three times their margin above what "
            "an attack finds, so that it says little of the model. Use a smaller epsilon, or 'auto', a smaller or a "
            "robust network, or HybridEVA."
        )

    def network(self, layout: Layout, outputs: Any) -> Network:
        """The model as steps whose bounds are known."""
        name = type(self).__name__
        check_classifier(self, outputs)
        if self.preprocess is not None and layout.channels_first:
            expected, received = "verified bounds of a preprocessing need the channel last", "channels first"
            raise ModelError(wording(name, expected=expected, received=received, remedy=REMEDY))
        with tf.init_scope():
            return read_network(self.model, self.output_layer, self.preprocess, layout.shape, name)

    def opening(self, layout: Layout, network: Network, boxes: int) -> Plan:
        """The stage before all bounds."""
        (classes,) = network.nodes[network.output].shape
        return stages.opening(layout.shape, classes, boxes, self.epsilon, self.norm, valid_range(self))

    @cached_property
    def searches(self) -> dict[tuple[int, ...], Any]:
        """The stages of `sufficient_cells` by the shape of a sample, so that they are compiled once."""
        return {}

    def family(self, kind: Any, **options: Any) -> Any:
        """Boxes of this kind as the options have them."""
        return kind(norm=self.norm, direction=direction(self), **options)

    def bounding(self, network: Network, family: Any, relaxation: str = "shared") -> VerifiedBounds:
        """The bounds of a family of boxes as the options have them."""
        alpha = self.bounds == "alpha_crown"
        return VerifiedBounds(
            network=network,
            family=family,
            relaxation=relaxation,
            method="crown" if alpha else self.bounds,
            steps=SLOPE_STEPS if alpha else 0,
            # Of other networks spheres say nothing, and take as long as intervals.
            lengths=stretch_of(network) < LITTLE,
        )

    def _search(self, network: Network) -> tuple[Any, ...]:
        if self.epsilon != "auto":
            return ()
        bounds = self.bounding(network, self.family(Around))
        return (Repeated(bounds.plans(stages.next_radius(self.search_steps)), self.search_steps),)

    def _bounds(self, network: Network, cells: Cells) -> tuple[Any, ...]:
        if self.mode != "exact":
            # One relaxation of intervals says nothing of cells.
            relaxation = "shared" if self.mode == "shared" and self.bounds != "ibp" else "own"
            return self.bounding(network, cells, relaxation).plans(stages.all_at_once(relaxation == "shared"))
        one = self.family(OneOfCells, cell_of=cells.cell_of, release=cells.release)
        found = self.bounding(network, one).plans(stages.table_of_boxes(cells.count))
        return (Repeated(found, cells.count),)
