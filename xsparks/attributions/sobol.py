"""Sobol attribution (Fel, Cadène, Chalvidal, Cord, Vigouroux, Serre 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Explainer
from ..engine.session import Stages
from ..numerics.sobol_designs import DESIGNS, make_design
from ..numerics.sobol_estimators import ESTIMATORS
from ..perturbations import as_perturbation
from .sobol_stages import gradient_stage, row_stage

ORDERS = ("total", "first", "both")
ASSISTS = ("outputs", "gradients", "mixed")
_ESTIMANDS = {
    "half_shift": "half-shift effect of a cell, E[(f(M) - f(M with M_i shifted by 1/2))^2] / (3 Var f); "
    "equal to the total Sobol index where the effect of the cell is linear",
    "binary_flip": "total Sobol index of a cell under masks of zeros and ones",
    "paper": "total Sobol index of a cell, by the published design, whose steps differ between cells",
}
_TOTAL = "total Sobol index of a cell, E[Var(f | all other cells)] / Var f"
_FIRST = "first-order Sobol index of a cell, Var(E[f | the cell]) / Var f"


@dataclass(frozen=True, eq=False, kw_only=True)
class SobolAttribution(Explainer):
    """Which parts of the image does the score depend on, alone or together with others?

    The image is seen through masks `M` in `[0, 1]^d`, one value for each cell of a grid. The importance of cell `i`
    is the share of the variance of the score that is lost when all other cells are known, its total Sobol index

        S_Ti = E[Var(f(M) | M_j, j != i)] / Var f(M).

    A design holds rows `A` and, for each cell, the row `C^(i)` that is `A` with column `i` changed; Jansen's estimator
    is `mean((f(A) - f(C^(i)))^2) / (2 Var f)`, here divided by the realised step of the column. Use it for any
    model, also without gradients. Not for effects with a sign: a high index may speak against the class (see `signed`).

    Parameters
    ----------
    model : a Keras model of any kind, or any callable from images to scores.
    grid_size : cells along each side, or `(rows, columns)`. Windows of time of a series, whose features stay apart, as
        those of a table do.
    nb_design : rows of the design, at most; each costs `cells + 1` forwards.
    design : `"half_shift"` (nested Latin hypercube, every step exactly 1/2; the most precise here),
        `"scrambled_sobol"`, `"latin_hypercube"`, `"binary_flip"` or `"paper"` (unscrambled Sobol sequence).
    smooth : replace the noisy map of an image by the mode of a latent Gaussian process over the grid; costs no
        forward. The map without it is always kept as `.raw`. Needs `estimator="jansen"` and total indices.
    estimator : `"jansen"`, `"homma"`, `"saltelli"`, `"janon"` or `"glen"`.
    order : `"total"`, `"first"` (first-order indices), or `"both"` (total maps, `.first` beside them); the last two
        need a design whose two halves are independent, and one forward more a row.
    perturbation : `"inpainting"` (`x * M`, about the middle of the input range where one is declared),
        `"mean"` (about the mean colour of the image), `"blur"`, `"amplitude"`, an instance such as
        `Inpainting(baseline="noise")`, or a function `(inputs (b, h, w, c), mask (b, h, w, 1)) -> images`.
    signed : maps with a sign, `rho_i sqrt(S_Ti)`, where `rho_i` is the mean slope over its root mean square.
    replicates : independent parts of the design, from which the interval of each cell is made; None for up to 4
        of at least 4 rows (2 of the half-shift), or one a round with `stop_when`; 1 for no interval.
    stop_when : stop as soon as the ranking of the cells is this reliable, in (0, 1): the Spearman correlation between
        the maps of odd and even rows, stepped up to all rows after Spearman and Brown. None uses all rows.
    assist : None; `"outputs"` lets all outputs of the same forwards guide the smoothing; `"gradients"` uses
        `gradient_masks` gradients and no rows; `"mixed"` uses both. The last two need a model with gradients.
    gradient_masks : masks whose gradient is taken, where `assist` asks for it.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid; `(n, t, f)` for series and `(n, f)` for tables. Not negative where Jansen
        estimates total indices, unless `signed`.
        Extras: `.raw (n, g, g, 1)`, the estimate of each cell before smoothing; `.interval (n, g, g, 2)`, its 95 %
        interval; `.forwards (n,)`; `.first`; `.estimand` says what the numbers estimate.

    Raises
    ------
    ValueError : options that contradict each other, each with its remedy.
    ModelError : gradients are asked of a model that has none.

    Cost
    ----
    `nb_design * (cells + 1)` forwards a sample (520 by default), one more a row with `order` "first" or "both";
    `gradient_masks` forwards and backwards. Memory: one batch of images; masks never exist at the size of the image
    beyond it.

    Departs
    -------
    `f(B)` is not evaluated for total indices, which do not use it. The default design and the smoothing reach the
    agreement of the published 1,600 forwards with a converged map in a quarter of them (docs/benchmarks.md).

    Example
    -------
    >>> import numpy as np
    >>> images = np.ones((1, 4, 4, 1), dtype="float32")
    >>> explainer = SobolAttribution(lambda x: x[:, 0, 0], grid_size=2, smooth=False)
    >>> explainer.explain(images, [0]).raw[0, :, :, 0].round(3).tolist()
    [[1.0, 0.0], [0.0, 0.0]]

    Source
    ------
    T. Fel, R. Cadène, M. Chalvidal, M. Cord, D. Vigouroux, T. Serre, "Look at the Variance! Efficient Black-box
    Explanations with Sobol-based Sensitivity Analysis", NeurIPS 2021, https://arxiv.org/abs/2111.04138
    """

    grid_size: int | tuple[int, ...] = 8
    nb_design: int = 8
    design: str = "half_shift"
    smooth: bool = True
    estimator: str = "jansen"
    order: str = "total"
    perturbation: Any = "inpainting"
    signed: bool = False
    replicates: int | None = None
    stop_when: float | None = None
    assist: str | None = None
    gradient_masks: int = 32

    @property
    def grid(self) -> tuple[int, ...]:
        """Rows and columns of cells of an image."""
        return self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size, self.grid_size)

    @property
    def parts(self) -> int:
        """Independent parts of the design."""
        if self.replicates is not None:
            return self.replicates
        if self.design == "paper":
            return 1
        if self.stop_when is not None:
            return max(1, self.nb_design // 2)
        # Blocks of the nested half-shift cost no precision; parts drawn apart need rows of their own.
        rows = 2 if self.design == "half_shift" else 4
        return next((parts for parts in (4, 2) if self.nb_design % parts == 0 and self.nb_design >= rows * parts), 1)

    def check(self) -> None:
        """Checks the options and how they fit together."""
        name = type(self).__name__
        for size in self.grid:
            check_integer(name, "grid_size", size, 1, "Use 7 or 8 for images of 224 pixels.")
        check_integer(name, "nb_design", self.nb_design, 1, "Use 8; 4 for a draft, 16 for a fine map.")
        check_integer(name, "gradient_masks", self.gradient_masks, 1, "Use 16 to 32.")
        check_choice(name, "design", self.design, DESIGNS)
        check_choice(name, "estimator", self.estimator, ESTIMATORS)
        check_choice(name, "order", self.order, ORDERS)
        as_perturbation(self.perturbation, name)
        if self.assist is not None:
            check_choice(name, "assist", self.assist, ASSISTS)
        if self.stop_when is not None:
            check_number(name, "stop_when", self.stop_when, 1e-6, 1 - 1e-6, "Use .9.")
        self._check_together(name)

    def _check_together(self, name: str) -> None:
        smoothable = self.estimator == "jansen" and self.order != "first"
        if self.smooth and not smoothable:
            self._refuse(
                name,
                f"smooth=True, estimator={self.estimator!r}, order={self.order!r}",
                "smoothing needs the squared differences of Jansen's estimator of total indices",
                "Pass smooth=False.",
            )
        if self.assist is not None and not self.smooth:
            self._refuse(
                name, f"assist={self.assist!r}, smooth=False", "`assist` guides the smoothing", "Pass smooth=True."
            )
        if self.order != "total" and self.design in ("half_shift", "binary_flip"):
            self._refuse(
                name,
                f"order={self.order!r}, design={self.design!r}",
                "first-order indices need a design whose two halves are independent",
                "Pass design='scrambled_sobol' with nb_design=32 or more.",
            )
        if self.signed and self.order == "first":
            self._refuse(name, "signed=True, order='first'", "the sign belongs to total effects", "Pass order='total'.")
        if self.stop_when is not None and self.parts < 2:
            self._refuse(
                name,
                f"stop_when={self.stop_when}, nb_design={self.nb_design}, design={self.design!r}",
                "stopping early needs at least two independent parts of the design",
                "Pass a larger nb_design and a design other than 'paper'.",
            )
        make_design(self.design, self.nb_design, math.prod(self.grid), self.seed, self.parts)

    def _refuse(self, name: str, options: str, expected: str, remedy: str) -> None:
        raise ValueError(wording(f"{name}({options})", expected=expected, received="this combination", remedy=remedy))

    def described_estimand(self) -> str:
        """What the maps estimate with these options."""
        if self.assist == "gradients":
            return "smoothed strength of the derivative of the score by the mask; ranks cells as total indices do"
        text = _FIRST if self.order == "first" else _ESTIMANDS.get(self.design, _TOTAL)
        if self.signed:
            return f"signed effect rho sqrt(T), T the {text}"
        return f"smoothed {text}" if self.smooth else text

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The rows of the design, or gradients, or both in turn."""
        if self.assist == "gradients":
            return gradient_stage(self, layout, final=True)
        rows = row_stage(self, layout, outputs)
        return (gradient_stage(self, layout, final=False), rows) if self.assist == "mixed" else rows
