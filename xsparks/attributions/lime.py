"""LIME (Ribeiro, Singh, Guestrin 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_number
from ..core.errors import wording
from ..core.randomness import generator
from ..numerics.least_squares import ridge
from ..perturbations.segment_masks import SegmentMasks
from .surrogate import SurrogateExplainer

KERNELS = ("cosine", "euclidean")


@dataclass(frozen=True, eq=False, kw_only=True)
class LIME(SurrogateExplainer):
    """Which segments speak for the class and which against it, in a linear model of the score around the image?

    Segments are kept (`z_i = 1`) or taken away at random, and `g(z) = c + beta^T z` is fitted to the scores by ridge
    regression, where variants count by their likeness to the image:

        min sum_z pi(z) (f(x_z) - g(z))^2 + alpha |beta|^2,    pi(z) = exp(-D(1, z)^2 / kernel_width^2).

    Use it for a signed account by segments that are objects to the eye (`segments=` a function such as
    `skimage.segmentation.slic`), from any model; `.fit` tells how much of the score is linear there. Not for
    interactions between segments, nor to compare sizes across kernels, which decide them.

    Parameters
    ----------
    samples : variants, the image itself among them.
    segments : None for the cells of a grid; integers over the places `(h, w)`, shared by all samples; or a function
        from one image, a NumPy array `(h, w, c)`, to such integers, called once a sample on the host.
    grid_size : cells along each side of an image, `(rows, columns)`, or windows of time of a series; the features of
        tables are segments each.
    max_segments : how many segments a function may find.
    perturbation : `"inpainting"` (`x * M`, about the middle of the input range where one is declared), `"mean"`,
        `"blur"`, an instance such as `Inpainting(baseline="noise")`, or a function
        `(inputs (b, h, w, c), mask (b, h, w, 1)) -> images`.
    probability : that a segment is kept.
    kernel : the distance `D`: `"cosine"`, `1 - sqrt(k / d)` where `k` of `d` segments are kept, or `"euclidean"`,
        `sqrt((d - k) / d)`. Both lie in [0, 1].
    kernel_width : how fast the weight of a variant falls with its distance.
    alpha : price of large coefficients; the intercept has none.

    Returns
    -------
    maps : `(n, h, w, 1)`, the coefficient of each place's segment, in units of the score, with a sign; kept on the grid
        where there is one. `(n, t, f)` for series and `(n, f)` for tables. Extras: `.coefficients (n, d)`;
        `.intercept (n,)`; `.fit (n,)`, the weighted R^2 of the linear model, 1 for a score that never changes. Where a
        function finds the segments, `.labels (n, h, w)` are they, and `.coefficients (n, max_segments)` end with zeros.

    Raises
    ------
    ValueError, TypeError : labels that are no integers from 0 on for each place, or too many; a kernel so narrow that
        no variant counts.
    ModelError : called within a graph with a function for `segments`, which needs the host.

    Cost
    ----
    `samples` forwards a sample (1000); memory: one batch, and `(d + 2)^2` numbers a sample.

    Departs
    -------
    The weight is the paper's; the authors' code takes its square root, so that its `kernel_width` w is sqrt(2) w here.
    Segments are kept independently, as in the authors' code for images, where the paper draws their number first, and
    all enter the fit, where the paper first selects some by the Lasso. A grid, not quickshift, is the default: it needs
    no step on the host.

    Example
    -------
    >>> import numpy as np
    >>> model = lambda x: 2 * x[:, :1] - 3 * x[:, 1:]
    >>> maps = LIME(model, samples=64, alpha=1e-6).explain(np.ones((1, 2), "float32"), 0)
    >>> maps.values.round(3).tolist(), maps.fit.round(3).tolist()
    ([[2.0, -3.0]], [1.0])

    Source
    ------
    M. Ribeiro, S. Singh, C. Guestrin, "'Why Should I Trust You?': Explaining the Predictions of Any Classifier", KDD
    2016, sections 3.3 and 3.4, https://arxiv.org/abs/1602.04938
    """

    probability: float = 0.5
    kernel: str = "cosine"
    kernel_width: float = 0.25
    alpha: float = 1.0

    estimand: ClassVar[str] = "coefficient of the segment in the weighted linear fit of the score around the image"

    @property
    def drawn(self) -> int:
        """Variants beside the image itself."""
        return self.samples - 1

    def check(self) -> None:
        """Checks the options."""
        super().check()
        name = type(self).__name__
        check_number(name, "probability", self.probability, 1e-3, 1 - 1e-3, "Use .5.")
        check_choice(name, "kernel", self.kernel, KERNELS)
        check_number(name, "kernel_width", self.kernel_width, 1e-3, remedy="Use .25.")
        # A positive price keeps the fit solvable, however few the variants are.
        check_number(name, "alpha", self.alpha, 1e-6, remedy="Use 1.")

    def design(self, segments: int) -> SegmentMasks:
        """Independent choices, weighted by their likeness to the whole; the image itself is beside them."""
        masks = generator(self.seed, 31).random((self.drawn, segments)) < self.probability
        weights = np.exp(-((self.distances(masks) / self.kernel_width) ** 2))
        if weights.sum() < 1e-6:
            raise ValueError(
                wording(
                    f"{type(self).__name__}(kernel_width={self.kernel_width})",
                    expected=f"the kernel must leave some weight to the variants of {segments} segments",
                    received=f"{weights.sum():.1g} in all",
                    remedy="Pass a larger kernel_width, such as .25, or a larger probability.",
                )
            )
        return SegmentMasks(masks, weights)

    def distances(self, masks: np.ndarray) -> np.ndarray:
        """`D(1, z)` of masks `(count, d)`: 0 where everything is kept, 1 where nothing is."""
        kept = masks.mean(axis=1)
        return 1 - np.sqrt(kept) if self.kernel == "cosine" else np.sqrt(1 - kept)

    def solved(self, sums: Any, scores: Any, present: Any) -> dict[str, Any]:
        """Ridge regression."""
        found = ridge(sums, self.alpha)
        intercept = tf.cast(scores[:, 0], tf.float64) + found.intercept
        return {"coefficients": found.coefficients, "intercept": intercept, "fit": found.share}
