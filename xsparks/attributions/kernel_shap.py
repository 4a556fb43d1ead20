"""Kernel SHAP (Lundberg, Lee 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from ..core.errors import wording
from ..core.randomness import generator
from ..numerics.least_squares import constrained
from ..perturbations.segment_masks import SegmentMasks
from .surrogate import SurrogateExplainer


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelSHAP(SurrogateExplainer):
    """What is the fair share of each segment in the difference between the score of the image and that of an empty one?

    The Shapley values of the game `v(z) = f(x_z)`, where `x_z` keeps the segments with `z_i = 1`, as the solution of a
    weighted least-squares problem with a constraint,

        min sum_z w(z) (v(z) - v(0) - phi^T z)^2   with   sum_i phi_i = v(1) - v(0),
        w(z) = (d - 1) / (C(d, s) s (d - s)),   s = |z|.

    Sizes `s` are drawn with their share of the weight, `(d - 1) / (s (d - s))`, the subset of that size uniformly, and
    each subset comes with its complement. Where `samples` suffice for all `2^d - 2` subsets, each is taken once with
    its weight, and the values are exact. Use it for an account by segments that is complete and symmetric, from any
    model. Not for many segments on few samples: it needs about two for each, and more for precision.

    Parameters
    ----------
    samples : subsets, at most, beside the whole and the empty image.
    segments : None for the cells of a grid; integers over the places `(h, w)`, shared by all samples; or a function
        from one image, a NumPy array `(h, w, c)`, to such integers, called once a sample on the host.
    grid_size : cells along each side of an image, `(rows, columns)`, or windows of time of a series; the features of
        tables are segments each.
    max_segments : how many segments a function may find.
    perturbation : what an absent segment becomes: `"inpainting"` (`x * M`, about the middle of the input range where
        one is declared), `"mean"`, `"blur"`, an instance such as `Inpainting(baseline="noise")`, or a function
        `(inputs (b, h, w, c), mask (b, h, w, 1)) -> images`.

    Returns
    -------
    maps : `(n, h, w, 1)`, the Shapley value of each place's segment, in units of the score, with a sign; kept on the
        grid where there is one. `(n, t, f)` for series and `(n, f)` for tables. Extras: `.coefficients (n, d)`, which
        sum to `f(x)` less `.baseline_score (n,)`, the score of the empty image. Where a function finds the segments,
        `.labels (n, h, w)` are they, and `.coefficients (n, max_segments)` end with zeros.

    Raises
    ------
    ValueError, TypeError : labels that are no integers from 0 on for each place, or too many; too few samples for so
        many segments.
    ModelError : called within a graph with a function for `segments`, which needs the host.

    Cost
    ----
    `samples + 2` forwards a sample (1026), fewer for fewer than 11 segments; memory: one batch, and `(d + 2)^2` numbers
    a sample.

    Departs
    -------
    The constraint is solved in closed form, after Covert and Lee, instead of by large weights on the whole and the
    empty image, and subsets are drawn in pairs, after them too. Absent segments take the value of one baseline, not of
    many references.

    Example
    -------
    >>> import numpy as np
    >>> model = lambda x: x[:, :1] * x[:, 1:2] + x[:, 2:]
    >>> maps = KernelSHAP(model).explain(np.array([[2.0, 3.0, 1.0]], "float32"), 0)
    >>> maps.values.round(4).tolist(), maps.baseline_score.tolist()
    ([[3.0, 3.0, 1.0]], [0.0])

    Source
    ------
    S. Lundberg, S. Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017, theorem 2,
    https://arxiv.org/abs/1705.07874. I. Covert, S. Lee, "Improving KernelSHAP: Practical Shapley Value Estimation via
    Linear Regression", AISTATS 2021, https://arxiv.org/abs/2012.01536
    """

    samples: int = 1024

    estimand: ClassVar[str] = "Shapley value of the segment in the difference between the image and the baseline"
    anchors: ClassVar[tuple[float, ...]] = (1.0, 0.0)

    def design(self, segments: int) -> SegmentMasks:
        """All subsets with their weights, or pairs of a random subset and its complement."""
        if segments == 1:
            # Nothing lies between the whole and the empty image; the whole again changes nothing.
            return SegmentMasks(np.ones((1, 1), bool), np.ones(1))
        if 2**segments - 2 <= self.samples:
            return _all_subsets(segments)
        masks = self._drawn(segments, self.samples)
        if not _determines(masks):
            enough = 2 * (segments - 1)
            while not _determines(self._drawn(segments, enough)):
                enough += 2 + segments // 50
            raise ValueError(
                wording(
                    f"{type(self).__name__}(samples={self.samples})",
                    expected=f"`samples` must determine the values of {segments} segments, which {enough} do",
                    received=self.samples,
                    remedy="Pass more samples, ten for each segment or so, or use fewer segments.",
                )
            )
        return SegmentMasks(masks, np.ones(len(masks)))

    def _drawn(self, segments: int, count: int) -> np.ndarray:
        """Random subsets, each followed by its complement."""
        pairs = -(-count // 2)
        sizes = np.arange(1, segments)
        shares = 1 / (sizes * (segments - sizes))
        size = generator(self.seed, 32).choice(sizes, pairs, p=shares / shares.sum())
        order = generator(self.seed, 33).random((pairs, segments)).argsort(axis=1).argsort(axis=1)
        subset = order < size[:, None]
        return np.stack([subset, ~subset], axis=1).reshape(-1, segments)[:count]

    def solved(self, sums: Any, scores: Any, present: Any) -> dict[str, Any]:
        """Least squares under the constraint that the values sum to the difference."""
        found = constrained(sums, scores[:, 0] - scores[:, 1], present)
        return {"coefficients": found, "baseline_score": scores[:, 1]}


def _all_subsets(segments: int) -> SegmentMasks:
    """Every subset but the empty and the whole one, with its weight."""
    masks = (np.arange(1, 2**segments - 1)[:, None] >> np.arange(segments) & 1).astype(bool)
    size = masks.sum(axis=1)
    return SegmentMasks(masks, (segments - 1) / (special.comb(segments, size) * size * (segments - size)))


def _determines(masks: np.ndarray) -> bool:
    """Whether the least-squares problem has one solution; the whole sample is one of its rows."""
    segments = masks.shape[1]
    # Each complement is the whole less its partner, so that a pair adds one direction.
    if 1 + -(-len(masks) // 2) < segments:
        return False
    rows = np.vstack([np.ones(segments), masks])
    return bool(np.linalg.matrix_rank(rows.T @ rows, hermitian=True) == segments)
