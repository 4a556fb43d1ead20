"""HSIC attribution (Novello, Fel, Vigouroux 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Explainer, Plan, queries, reducers
from ..numerics.hsic import BANDWIDTHS, balanced_bits, hsic_of_bits
from ..perturbations import as_perturbation, cells_to_maps, cells_to_pixels, grid_of


@dataclass(frozen=True, eq=False, kw_only=True)
class HSICAttribution(Explainer):
    """Which parts of the image does the score depend on in any way, and is the dependence more than chance?

    The image is seen through `p` random masks over a grid, each cell hidden in half of them. The importance of cell `i`
    is the Hilbert-Schmidt independence criterion between its bit and the score,

        HSIC_i = 2 z_i^T L z_i / p^2,   L_ab = exp(-(y_a - y_b)^2 / (2 sigma^2)),

    with `z_i` the bits of the cell less their mean and `y` the scores. It sees changes of the mean, the spread and the
    form of the distribution of scores. Use it for any model, also without gradients, where few forwards must do, and
    where you must know which cells are noise: `.p_value` says. Not for effects with a sign, nor for cells that act only
    together with others (an exclusive or has 0): see SobolAttribution.

    Parameters
    ----------
    samples : masks, `p`.
    grid_size : cells along each side of an image and windows of time of a series, whose features stay apart, as those
        of a table do; or one number for each axis of the places.
    perturbation : `"inpainting"` (`x * M`, about the middle of the input range where one is declared), `"mean"` (about
        the mean colour of the image), `"blur"` (images only), `"amplitude"`, an instance such as
        `Inpainting(baseline="noise")`, or a function `(inputs (b, h, w, c), mask (b, h, w, 1)) -> images`.
    bandwidth : `sigma`: `"distances"`, the median of the positive distances between scores, or `"outputs"`, the median
        of the scores, as the published code has it. The latter depends on where the zero of a score is, and next to it
        all cells are alike; where it is 0 there is no kernel, and distances are taken. `.bandwidth` is what was used.
    permutations : random orders of the scores for the p-values; 0 for none.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid, without unit, from 0 (independent) to 1/4; `(n, t, f)` for series and
        `(n, f)` for tables. Extras: `.p_value`, of the shape of `.values`: the share of random orders whose HSIC is as
        large, at least `1 / (1 + permutations)`; `.bandwidth (n,)`, `sigma`, 0 where all scores are equal.

    Raises
    ------
    ValueError : a grid finer than the sample; blur of other samples than images.

    Cost
    ----
    `samples` forwards a sample (768). Memory: one batch of images, then matrices of `samples^2`, one sample at a time.
    Each permutation costs `samples^2` multiplications a cell: all of them 12 GFLOP a sample with the defaults.

    Departs
    -------
    `sigma` is not the median of the scores by default. Every column is half ones exactly. Divided by `p^2`, which
    scales all maps alike. The published estimator builds a kernel for each cell; for bits the closed form is the same
    number. p-values are new here.

    Example
    -------
    >>> import numpy as np
    >>> method = HSICAttribution(lambda x: 2 * x[:, :1] - x[:, 1:2], samples=256)
    >>> maps = method.explain(np.ones((1, 3), "float32"), 0)
    >>> maps.values.argmax().item(), (maps.p_value < 0.05).tolist()
    (0, [[True, True, False]])

    Source
    ------
    P. Novello, T. Fel, D. Vigouroux, "Making Sense of Dependence: Efficient Black-box Explanations Using Dependence
    Measure", NeurIPS 2022, https://arxiv.org/abs/2206.06219
    """

    samples: int = 768
    grid_size: int | tuple[int, ...] = 7
    perturbation: Any = "inpainting"
    bandwidth: str = "distances"
    permutations: int = 199

    estimand: ClassVar[str] = "HSIC, the dependence between seeing a cell and the score, under masks of zeros and ones"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "samples", self.samples, 4, "Use 768, or 1500 for a fine map.")
        check_integer(name, "permutations", self.permutations, 0, "Use 199, or 0 for no p-values.")
        for cells in self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size,):
            check_integer(name, "grid_size", cells, 1, "Use 7 for images of 224 pixels.")
        check_choice(name, "bandwidth", self.bandwidth, BANDWIDTHS)
        as_perturbation(self.perturbation, name)

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The input behind every mask."""
        name = type(self).__name__
        grid = grid_of(self.grid_size, layout, name)
        perturbation = as_perturbation(self.perturbation, name)
        bits = balanced_bits(self.samples, int(np.prod(grid)), generator(self.seed, 41))
        orders = np.arange(self.samples, dtype=np.int32)[None].repeat(self.permutations, axis=0)
        orders = generator(self.seed, 42).permuted(orders, axis=1)

        def draw(inputs: Any, reference: Any, index: Any) -> tuple[Any, Any]:
            cells = tf.cast(tf.gather(bits, index), tf.float32)
            return perturbation(inputs, cells_to_pixels(cells, grid, layout), reference), ()

        def finish(scores: Any, inputs: Any, side: Any) -> Any:
            found, p_value, sigma = hsic_of_bits(scores, bits, self.bandwidth, orders)
            answer = {"maps": cells_to_maps(found, grid, layout), "bandwidth": sigma}
            return {**answer, "p_value": cells_to_maps(p_value, grid, layout)} if self.permutations else answer

        return Plan(
            count=self.samples,
            query=queries.score,
            prepare=lambda inputs, side: perturbation.reference(inputs, layout, self.seed, self.access.input_range),
            draw=draw,
            start=reducers.table(self.samples),
            fold=reducers.collect,
            finish=finish,
        )
