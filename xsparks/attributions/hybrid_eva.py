"""The hybrid of EVA for large networks (Fel, Ducoffe, Vigouroux, Cadène, Capelle, Nicodème, Serre 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Explainer, VerifiedBounds
from ..engine.session import Stages
from ..models.bounds import Cells, Network, last_cut, read_network
from ..numerics.ranks import spearman
from ..perturbations import cells_to_maps, grid_of
from . import eva_stages as stages
from .eva_options import cells_of_places, check_box, check_classifier, direction, valid_range
from .sampled_box import SampledBox

BOUNDS = ("crown", "crown_ibp", "ibp")
# Of the valid range, see "EVA for large networks" in docs/benchmarks.md.
SHARE = 0.25


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridEVA(Explainer):
    """Which parts of the image must stay as they are, as far as samples tell, if a large model is to keep its mind?

    Of a large network no bound says anything. Here the model is cut in two, `f = h(g(x))`. The answers of `g` to
    samples of the box about the image span a box at the layer, and the overlap `max h_c'(a) - h_c(a)` is bounded over
    that one; the importance of a cell is what it is for `EVA`. Answers can leave the box at the layer, so nothing is
    certain: `.guarantee` is `"sampled"`, and an input whose two replicates put the cells in different orders gets no
    map.

    Use it for networks on photographs, where `EVA` finds no bound, and look at `.agreement`. Not for a certificate; and
    not where a map of occlusions or of Sobol indices answers the question, whose numbers need no box.

    Parameters
    ----------
    split_layer : where the model is cut: a name, path, position or layer, through which every path leads. None for what
        the last layer with weights reads. After it bounds must be known for every layer; before it anything may stand.
    epsilon : the radius of the box in the unit of the inputs as they are handed over, or `"auto"`: a quarter of the
        width of the valid range. In a box so narrow that an overlap just appears, little but the gradient is shown.
    grid_size : cells along each side, or one number for each axis.
    samples : vertices of the box shown for each cell, at least 64 and a multiple of 8.
    variant : `"release"`, how far the overlap rises above the margin when nothing but the cell is free; `"freeze"`, as
        published, how far it falls when the cell is frozen, in which replicates agree less.
    box, value_range : as for `EVA`.
    bounds : of what follows the layer, as for `EVA`; all are the same where that is linear, and then exact.
    attack_steps : of the attack that says whether the sampled box holds what can happen.
    least_agreement : below which replicates disagree.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid, in the unit of the logits; zero where refused. Extras `(n,)`: `.overlap`,
        what the overlap is at most in the box of all samples; `.attack`, the highest overlap found; `.gap`, their
        difference, below zero where the attack left the box; `.agreement`, the rank correlation of the maps of two
        halves of the samples; `.refused`; `.epsilon`, `.margin`, `.negative` as for `EVA`. In the settings
        `.guarantee`, `"sampled"`, and `.coverage`: how often one more random vertex lies within the range of a unit, at
        least.

    Raises
    ------
    ModelError : a layer that is no cut, or after which bounds are not known.

    Cost
    ----
    `samples` forwards for each cell and one more, 1,664 at the defaults; `samples / 4 + attack_steps + 1` forwards and
    backwards.

    Departs
    -------
    Samples are vertices, random ones and along gradients, instead of uniform: extremes lie there. All boxes share them.
    One cell is free instead of one frozen; the grid is coarser, 5 instead of 12; the radius is a quarter of the range;
    and maps may be refused.

    Example
    -------
    >>> import keras, numpy as np
    >>> keras.utils.set_random_seed(0)
    >>> layers = [keras.layers.Dense(8, activation="relu", name="hidden"), keras.layers.Dense(3)]
    >>> model = keras.Sequential([keras.Input((6,)), *layers])
    >>> method = HybridEVA(model, split_layer="hidden", epsilon=0.1, box="symmetric")
    >>> maps = method.explain(np.ones((1, 6), "float32"))
    >>> maps.guarantee, bool(maps.agreement[0] > 0.9), bool(maps.refused[0])
    ('sampled', True, False)

    Source
    ------
    T. Fel, M. Ducoffe, D. Vigouroux, R. Cadène, M. Capelle, C. Nicodème, T. Serre, "Don't Lie to Me! Robust and
    Efficient Explainability with Verified Perturbation Analysis", CVPR 2023, https://arxiv.org/abs/2202.07728
    """

    split_layer: Any = None
    epsilon: float | str = "auto"
    grid_size: int | tuple[int, ...] = 5
    samples: int = 64
    variant: str = "release"
    box: str = "clipped"
    value_range: tuple[float, float] | str = "input"
    bounds: str = "crown"
    attack_steps: int = 10
    least_agreement: float = 0.7

    needs_gradients: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    guarantee: ClassVar[str] = "sampled"
    exempt: ClassVar[dict[str, str]] = {
        "operator": "what is bounded is the margin between classes, not a function that a user writes",
        "subclassed": "what follows the layer must have steps whose bounds are known",
        "mixed precision": "the rounding of float16 is not accounted for",
        "several inputs": "a box is one of the only input",
    }

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_box(self)
        check_choice(name, "bounds", self.bounds, BOUNDS)
        if check_integer(name, "samples", self.samples, 64, "Use 64.") % 8:
            raise ValueError(
                wording(
                    f"{name}(samples={self.samples})",
                    expected="`samples` must be a multiple of 8: two replicates of opposite vertices of two kinds",
                    received=self.samples,
                    remedy=f"Use {-(-self.samples // 8) * 8}.",
                )
            )
        check_number(name, "least_agreement", self.least_agreement, -1, 1, remedy="Use 0.7, or -1 to see every map.")

    def described_estimand(self) -> str:
        """What the maps hold with these options."""
        if self.variant == "release":
            return "rise of the adversarial overlap over a sampled box at a layer when nothing but a cell is free"
        return "drop of the adversarial overlap over a sampled box at a layer when a cell is frozen"

    def decided(self) -> dict[str, Any]:
        """How much can be said of the numbers, and where the model is cut."""
        # Of pairs drawn alike each is as likely as any other to hold the largest value of a unit, and the smallest.
        coverage = 1 - 2 / (self.samples // 4 + 1)
        return {"guarantee": self.guarantee, "coverage": round(coverage, 4), "split_layer": self.cut}

    @cached_property
    def cut(self) -> str:
        """The path of the layer at which the model is cut."""
        layer = last_cut(self.model, type(self).__name__) if self.split_layer is None else self.split_layer
        path, call = self.access.path_of(layer)
        return f"{path}:{call}" if call else path

    def remark(self, extras: dict[str, Any]) -> str | None:
        """Says which inputs have no map, and where an attack left the box."""
        said = []
        if extras["refused"].any():
            said.append(
                f"{extras['refused'].sum()} of {len(extras['refused'])} inputs have no map, because their replicates "
                f"agree to {extras['agreement'].min():.2f} only: use variant='release', more samples or a coarser grid"
            )
        if (extras["gap"] < 0).any():
            said.append(f"an attack left the sampled box of {(extras['gap'] < 0).sum()} of {len(extras['gap'])} inputs")
        return "; ".join(said) or None

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """Gradients, samples, the bounds of the boxes that these span, and an attack."""
        grid = grid_of(self.grid_size, layout, type(self).__name__)
        network = self._network(outputs)
        (classes,) = network.nodes[network.output].shape
        cells = Cells(
            direction=direction(self), cell_of=cells_of_places(grid, layout), release=self.variant == "release"
        )
        box = SampledBox(
            layer=self.cut,
            shape=network.nodes[0].shape,
            cells=cells,
            pairs=self.samples // 2,
            layout=layout,
            seed=self.seed,
        )

        def bounded(answer: dict[str, Any], given: stages.Given) -> stages.Given:
            found = stages.all_at_once(relaxation == "shared")(answer, given)
            return {name: each for name, each in found.items() if name != "boxes"}

        def finish(given: stages.Given, highest: Any) -> dict[str, Any]:
            overlap = given["bound"]
            parts = tf.split(given["overlaps"][:, 1:], 3, axis=1)
            (found, negative), (even, _), (odd, _) = (
                stages.frozen_or_free({**given, "overlaps": part}, self.variant) for part in parts
            )
            agreement = spearman(even, odd)
            refused = agreement < self.least_agreement
            found = tf.where(refused[:, None], 0.0, found)
            return {
                "maps": cells_to_maps(found, grid, layout),
                "overlap": overlap,
                "attack": highest,
                "gap": overlap - highest,
                "agreement": agreement,
                "refused": refused,
                "epsilon": given["epsilon"],
                "margin": given["margin"],
                "negative": negative,
            }

        # Of a linear function one relaxation is exact for every box.
        relaxation = "own" if network.bends else "shared"
        method = self.bounds if network.bends else "crown"
        bounds = VerifiedBounds(network=network, family=box.spanned, relaxation=relaxation, method=method)
        return (
            stages.opening(layout.shape, classes, 1, self.epsilon, "inf", valid_range(self), share=SHARE),
            box.directions(),
            box.samples(),
            *bounds.plans(bounded),
            stages.attack(cells, "inf", self.attack_steps, finish),
        )

    def _network(self, outputs: Any) -> Network:
        check_classifier(self, outputs)
        with tf.init_scope():
            return read_network(self.model, self.output_layer, where=type(self).__name__, start_layer=self.cut)
