"""The fidelity correlation of Bhatt, Weller and Moura (2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from scipy.stats import rankdata

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import MapMetric, Measurement, Plan, queries, reducers
from ..numerics.subset_designs import DESIGNS, subset_design
from ..perturbations import as_filling, cells_to_pixels, grid_of, sums_of_cells

CORRELATIONS = ("spearman", "pearson")


@dataclass(frozen=True, eq=False, kw_only=True)
class MuFidelity(MapMetric):
    """Does the score fall the more, the more of the map is hidden?

    Random subsets `S` of the cells of a grid are hidden, all of the same size. The measure is the correlation over the
    subsets

        Corr_S( sum_{i in S} phi_i , f(x) - f(x with S at the baseline) ),

    `phi_i` the map at pixel `i`. Higher is better: 1 for a map that is right about an additive model, 0 on average for
    a random one. It tells the size of importance from its order, and knows no first and last pixel; it says nothing
    about details within a cell. One image says little (200 subsets leave an error of about .07): use it on a hundred.
    Like Deletion it shows the network holes it was not trained on.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    grid_size : cells along each side of an image and windows of time of a series, whose features stay apart, as those
        of a table do; or one number for each axis of the places.
    subset_fraction : the share of the cells in a subset, in (0, 1): rounded to a number of cells, at least one and
        not all.
    samples : subsets; where there are not so many different ones, each is asked once.
    design : how subsets are drawn: `"balanced"`, `"antithetic"` or `"independent"`; see
        `xsparks.numerics.subset_designs.subset_design`.
    correlation : `"spearman"`, of the ranks, or `"pearson"`, the original.
    baseline : what hidden pixels become, as for `Stepwise`; `"noise"` is the random baseline of Hsieh et al. (2021).
    score : `"probability"` or `"logit"`.

    Returns
    -------
    score : a `Score` with one value in [-1, 1] a sample. It is 0 for a constant map, which ranks no subset before
        another, and for a score that no subset changes.

    Cost
    ----
    `samples` forwards a sample, and one for its target, whatever the number of maps: all methods of a benchmark share
    them. `f(x)` shifts all falls alike and is not asked.

    Departs
    -------
    Ranks are correlated by default, as in published tables since. Subsets are of cells, of exactly one size, and the
    same for all samples. They are balanced: of ResNet-20 on 8 pictures of CIFAR-10, the value of a picture has a
    standard deviation of .05 over seeds, that of independent subsets .07; antithetic pairs do not lower it.

    Example
    -------
    >>> import numpy as np
    >>> inputs = np.array([[4.0, 3.0, 2.0, 1.0]], dtype="float32")
    >>> metric = MuFidelity(lambda x: x @ np.ones((4, 1), "float32"), inputs, 0, subset_fraction=0.5)
    >>> float(metric(inputs)), round(float(metric(np.array([[4.0, 2.0, 3.0, 1.0]]))), 2)
    (1.0, 0.88)

    Source
    ------
    U. Bhatt, A. Weller, J. M. F. Moura, "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020,
    definition 3, https://arxiv.org/abs/2005.00631
    """

    grid_size: int | tuple[int, ...] = 9
    subset_fraction: float = 0.2
    samples: int = 200
    design: str = "balanced"
    correlation: str = "spearman"
    baseline: Any = "zero"

    better: ClassVar[str] = "higher"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        for cells in self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size,):
            check_integer(name, "grid_size", cells, 1, "Use 9 for images of 224 pixels.")
        check_number(name, "subset_fraction", self.subset_fraction, 1e-6, 1 - 1e-6, "Use 0.2.")
        check_integer(name, "samples", self.samples, 3, "Use 200.")
        check_choice(name, "design", self.design, DESIGNS)
        check_choice(name, "correlation", self.correlation, CORRELATIONS)

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The score with each subset hidden."""
        name = type(self).__name__
        grid = grid_of(self.grid_size, layout, name)
        cells = int(np.prod(grid))
        if cells < 2:
            raise ValueError(
                wording(
                    f"{name}(grid_size={self.grid_size})",
                    expected="the grid must have at least 2 cells, of which one can be hidden alone",
                    received=f"{grid}",
                    remedy="Use a larger grid_size.",
                )
            )
        size = min(max(1, round(self.subset_fraction * cells)), cells - 1)
        members = subset_design(self.design, self.samples, cells, size, self.seed)
        filling = as_filling(self.baseline, layout, self.seed, self.access.input_range, name)
        self._asked[layout.spatial] = grid, members

        def draw(inputs: Any, reference: Any, index: Any) -> tuple[Any, Any]:
            hidden = cells_to_pixels(tf.gather(members, index), grid, layout)
            return filling.fill(inputs, hidden, reference, index), ()

        plan = Plan(
            count=len(members),
            query=queries.score if self.score == "logit" else queries.probability,
            prepare=lambda inputs, side: filling.prepare(inputs),
            draw=draw,
            start=reducers.table(len(members)),
            fold=reducers.collect,
            finish=reducers.as_is,
        )
        options = (self.grid_size, self.subset_fraction, self.samples, self.design, self.baseline)
        return (Measurement(("subsets hidden", *options, self.score, self.seed), plan, of_maps=False),)

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        """The correlation of each sample, `(m,)`."""
        grid, members = self._asked[maps.shape[1:]]
        sums = sums_of_cells(maps, grid) @ members.T
        falls = -np.asarray(answers[0], dtype=np.float64)
        if self.correlation == "spearman":
            sums, falls = rankdata(sums, axis=1), rankdata(falls, axis=1)
        values = _pearson(sums, falls)
        return np.where(np.ptp(maps.reshape(len(maps), -1), axis=1) > 0, values, 0.0)

    @cached_property
    def _asked(self) -> dict[tuple[int, ...], tuple[tuple[int, ...], np.ndarray]]:
        """The grid and the subsets, by the places of samples."""
        return {}


def _pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The correlation along the rows `(m, k)` of both; 0 where a row is constant."""
    varies = (np.ptp(first, axis=1) > 0) & (np.ptp(second, axis=1) > 0)
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    lengths = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.clip((first * second).sum(axis=1) / np.where(varies, lengths, np.inf), -1, 1)
