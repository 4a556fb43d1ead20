"""AverageStability (Bhatt, Weller, Moura 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .stability import Stability


@dataclass(frozen=True, eq=False, kw_only=True)
class AverageStability(Stability):
    """Does an explainer give nearly the same map to nearly the same image?

    `mean_k D(M(x), M(x + d_k))` over neighbours `x + d_k` of the image, with `M` the map of the image's own target,
    each divided by its norm, and `D` a distance. Lower is better. A map that never changes is perfectly stable and
    says nothing: read a measure of faithfulness beside it. `MaxSensitivity` is the worst neighbour instead of the mean.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    neighbours, radius, noise, clip : which neighbours there are; see `Stability`.
    normalise, distance : how maps are compared.
    same_class : count only neighbours of the class of the sample.
    ids : names of the samples, for noise of their own.

    Returns
    -------
    score : a `Score`; the values lie in [0, 2] for the default distance of maps of unit norm. `.counted` `(n,)` is how
        many neighbours had the class of their sample. Where none had, all count, and a warning says so.

    Raises
    ------
    ValueError, TypeError : options out of range; an explainer of another model; maps instead of an explainer.

    Cost
    ----
    `neighbours + 1` explanations a sample, and a forward of each.

    Departs
    -------
    Noise goes both ways, where some software has it from 0 to `r`. Maps are brought to unit norm first, as methods
    differ by their scale alone otherwise; `normalise="none"` is the plain formula. The noise of neighbour `k` is the
    same for all samples, so that a value depends on its image alone.

    Example
    -------
    >>> from xsparks.attributions import GradientInput, Saliency
    >>> images = np.random.default_rng(0).random((2, 4, 4, 1)).astype("float32")
    >>> model = lambda x: x[:, 1, :2, 0] * [1.0, 2.0]
    >>> metric = AverageStability(model, images, 0, neighbours=5)
    >>> float(metric(Saliency(model)))
    0.0
    >>> plain = metric.replace(normalise="none")
    >>> float(plain(Saliency(model))) < float(plain(GradientInput(model)))
    True

    Source
    ------
    U. Bhatt, A. Weller, J. M. F. Moura, "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020,
    definition 2 (average sensitivity), https://arxiv.org/abs/2005.00631
    """

    def pooled(self, distances: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """The mean distance."""
        return np.where(counted, distances, 0).sum(axis=1) / counted.sum(axis=1)
