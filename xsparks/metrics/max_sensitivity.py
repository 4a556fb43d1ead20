"""MaxSensitivity (Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .stability import Stability


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxSensitivity(Stability):
    """How different a map can an explainer give to nearly the same image?

    `max_k D(M(x), M(x + d_k))` over neighbours `x + d_k` of the image, with `M` the map of the image's own target,
    each divided by its norm, and `D` a distance. Lower is better. The largest of `k` draws grows with `k`: compare
    values of equal `neighbours` only. `AverageStability` is the mean neighbour instead of the worst.

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
    Maps are brought to unit norm first, where the paper divides by nothing or by the norm of the first map;
    `normalise="none"` is the formula of the paper. Only neighbours of the same class count. The maximum over the ball
    is estimated by draws, as in the paper, and so lies below the true one.

    Example
    -------
    >>> from xsparks.attributions import GradientInput
    >>> images = np.random.default_rng(0).random((2, 4, 4, 1)).astype("float32")
    >>> model = lambda x: x[:, 1, :2, 0] * [1.0, 2.0]
    >>> metric = MaxSensitivity(model, images, 0, neighbours=5, radius=0.2, normalise="none")
    >>> wider = metric.replace(radius=0.4)
    >>> 0 < float(metric(GradientInput(model))) < float(wider(GradientInput(model)))
    True

    Source
    ------
    C.-K. Yeh, C.-Y. Hsieh, A. Suggala, D. I. Inouye, P. Ravikumar, "On the (In)fidelity and Sensitivity of
    Explanations", NeurIPS 2019, definition 3.1, https://arxiv.org/abs/1901.09392
    """

    def pooled(self, distances: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """The largest distance."""
        return np.where(counted, distances, -np.inf).max(axis=1)
