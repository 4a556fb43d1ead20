"""RISE (Petsiuk, Das, Saenko 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Explainer, Plan, queries, reducers
from ..numerics.resize import interpolation_matrix
from ..perturbations import Inpainting, as_baseline, grid_of

# Masks of the size of the image that are held together while they are added up.
_MASKS_AT_ONCE = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class RISE(Explainer):
    """Is the score higher when the pixel is seen, with random other parts of the image hidden?

    A mask `M_i` is a coarse grid of random bits, 1 with probability `p`, enlarged to one cell more than the image and
    cropped at a random place, so that its cells have soft edges anywhere. With the scores `f_i` of the masked images

        S(u) = 1 / (N p) sum_i (f_i - mean f) M_i(u)   at the pixel u.

    Use it for any model, also without gradients, where Occlusion misses evidence that stands in several places. Not
    for fine detail, and not with few masks: the noise of a map falls as `1 / sqrt(N)`.

    Parameters
    ----------
    samples : masks, `N`.
    grid_size : cells along each side of an image and windows of time of a series, whose features are hidden apart, as
        those of a table are; or one number for each axis of the places.
    probability : that a cell is seen, `p`, in [.01, .99].
    baseline : what stands where nothing is seen: `"zero"`, `"middle"` of the input range, `"mean"` colour, `"blur"`,
        `"noise"`, a number, an array of the shape of a sample or of its channels, or a function of inputs.

    Returns
    -------
    maps : `(n, h, w, 1)`, in units of the score, with a sign: negative where seeing the pixel lowers the score.
        `(n, t, f)` for series and `(n, f)` for tables.

    Raises
    ------
    ValueError : a grid finer than the sample.

    Cost
    ----
    `samples` forwards a sample (4,000). Memory: one batch of images, the scores, and the grids; masks never exist at
    the size of the image beyond a batch. They are made once more, for all images held together, to be added up: that
    is a thousandth of the forwards of a network of .3 G multiplications.

    Departs
    -------
    The mean score is subtracted: published maps are these plus `mean f / (N p) sum_i M_i`, which is the same for every
    pixel but for noise. So maps rank pixels alike with less noise, and are 0 for a model that does not look. All
    images see the same masks. Cells that do not divide the image are rounded up, as in the published code. There hidden
    parts are the zero of normalised images, which is the middle of the range.

    Example
    -------
    >>> import numpy as np
    >>> maps = RISE(lambda x: 2 * x[:, :1] - x[:, 1:2], samples=2000).explain(np.ones((1, 3), "float32"), 0)
    >>> maps.values.round(1).tolist()
    [[1.0, -0.5, 0.0]]

    Source
    ------
    V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
    equation 6, https://arxiv.org/abs/1806.07421
    """

    samples: int = 4000
    grid_size: int | tuple[int, ...] = 7
    probability: float = 0.5
    baseline: Any = "middle"

    estimand: ClassVar[str] = "covariance of the score and of seeing the pixel, over the probability of seeing it"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "samples", self.samples, 2, "Use 4000, or 1000 for a draft.")
        for cells in self.grid_size if isinstance(self.grid_size, tuple) else (self.grid_size,):
            check_integer(name, "grid_size", cells, 1, "Use 7 for images of 224 pixels.")
        check_number(name, "probability", self.probability, 0.01, 0.99, "Use .5.")

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The input behind every mask."""
        grid = grid_of(self.grid_size, layout, type(self).__name__)
        masks = self._masks(grid, layout)
        # Refused here, under the name of the method.
        as_baseline(self.baseline, layout, self.seed, self.access.input_range, type(self).__name__)
        perturbation = Inpainting(self.baseline)

        def draw(inputs: Any, reference: Any, index: Any) -> tuple[Any, Any]:
            return perturbation(inputs, layout.spread(masks(index)), reference), ()

        def finish(scores: Any, inputs: Any, side: Any) -> Any:
            # About one of them before the mean: the scores of a constant model are then exactly 0.
            scores -= scores[:, :1]
            scores -= tf.reduce_mean(scores, axis=1, keepdims=True)

            def add(total: Any, first: Any) -> Any:
                index = tf.range(first, tf.minimum(first + _MASKS_AT_ONCE, self.samples))
                return total + tf.tensordot(tf.gather(scores, index, axis=1), masks(index), axes=1)

            nothing = tf.zeros((tf.shape(scores)[0], *layout.spatial))
            total = tf.foldl(add, tf.range(0, self.samples, _MASKS_AT_ONCE), nothing, parallel_iterations=1)
            return {"maps": layout.as_maps(total / (self.samples * self.probability))}

        return Plan(
            count=self.samples,
            query=queries.score,
            prepare=lambda inputs, side: perturbation.reference(inputs, layout, self.seed, self.access.input_range),
            draw=draw,
            start=reducers.table(self.samples),
            fold=reducers.collect,
            finish=finish,
        )

    def _masks(self, grid: tuple[int, ...], layout: Layout) -> Callable[[Any], Any]:
        """A function from numbers of masks `(b,)` to masks over the places, `(b, h, w)`, `(b, t, f)` or `(b, f)`."""
        # Grids and places are drawn apart, so that a mask is the same whatever the number of samples.
        bits = generator(self.seed, 31).random((self.samples, *grid)) < self.probability
        uniform = generator(self.seed, 32).random((self.samples, 2))
        # Only axes along which places are neighbours are enlarged; features are not.
        moving = {"image": 2, "series": 1}.get(layout.kind, 0)
        sides = [
            _Side.of(size, cells, uniform[:, axis])
            for axis, (size, cells) in enumerate(zip(layout.spatial, grid, strict=True))
            if axis < moving
        ]

        def masks(index: Any) -> Any:
            mask = tf.cast(tf.gather(bits, index), tf.float32)
            if moving == 2:
                mask = tf.matmul(mask, sides[1].weights_of(index), transpose_b=True)
            return tf.matmul(sides[0].weights_of(index), mask) if moving else mask

        return masks


class _Side(NamedTuple):
    """One side of the masks: the weights of the cells in the enlarged places, and at which of them a mask begins."""

    size: int
    weights: np.ndarray
    begins: np.ndarray

    @classmethod
    def of(cls, size: int, cells: int, uniform: np.ndarray) -> _Side:
        """A side of `size` places under `cells` cells, cropped by numbers in [0, 1)."""
        cell = -(-size // cells)
        weights = interpolation_matrix(cells, (cells + 1) * cell, "bilinear").astype(np.float32)
        return cls(size, weights, (uniform * cell).astype(np.int32))

    def weights_of(self, index: Any) -> Any:
        """The weights of the cells in the places of these masks, `(b, size, cells)`."""
        return tf.gather(self.weights, tf.gather(self.begins, index)[:, None] + tf.range(self.size))
