"""Are these points one cluster or two?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.randomness import generator

# Names the draws of this file among all that use the same seed.
_DRAW = 401
# Directions in which clusters are looked for, and between which the search starts.
_DIRECTIONS, _STARTS, _STEPS = 10, 3, 30
_ROUNDING = 1e-5
# Of the points, below which a cluster is a few outliers.
_SMALLEST = 0.1


class TwoClusters(NamedTuple):
    """How points fall into two clusters, and whether one cluster would do so too.

    labels : `(n,)` int, 0 or 1.
    index : along the line through the two means, the sum of squares within the clusters over that about the common
        mean, in [0, 1]; low: two clusters. 1 where one of them has less than a tenth of the points.
    separation : how many standard deviations the index lies below that of one Gaussian cluster.
    p_value : the probability of an index as low in one Gaussian cluster.
    """

    labels: np.ndarray
    index: float
    separation: float
    p_value: float


def two_clusters(points: np.ndarray, seed: int = 0, draws: int = 100) -> TwoClusters:
    """Do these points fall into two clusters more clearly than one Gaussian cloud of their shape does?

    Any cloud can be cut in two, and a long one well; so the index of the cut is compared with that of Gaussian draws
    with the same variance along the same directions (SigClust). Points are seen along their first 10 principal
    components. The probability is rough: one in six of Gaussian samples in 30 dimensions has one below .05, none of 40
    below .001, and samples of skewed points may reach 1e-4. Two clusters three deviations apart each have 1e-7 or less.

    Parameters
    ----------
    points : `(n, d)`, at least 8.
    seed, draws : of the Gaussian clouds.

    Returns
    -------
    clusters : a `TwoClusters`. Points that are all the same are one cluster: separation 0, p-value 1.

    Raises
    ------
    ValueError : fewer than 8 points.

    Departs
    -------
    Sums of squares are taken along the line through the two means and not over all directions, in most of which two
    clusters do not differ. The variances are those of the leading components, without the correction of the source
    for a background of noise in very many dimensions.

    Example
    -------
    >>> apart = np.concatenate([np.random.default_rng(0).normal(size=(20, 3)) + centre for centre in (0, 5)])
    >>> found = two_clusters(apart)
    >>> found.labels[[0, 19]].tolist() != found.labels[[20, 39]].tolist(), found.p_value < 1e-4
    (True, True)

    Source
    ------
    Y. Liu, D. N. Hayes, A. Nobel, J. S. Marron, "Statistical Significance of Clustering for High-Dimension, Low-Sample
    Size Data", Journal of the American Statistical Association 103, 2008
    """
    points = np.asarray(points, np.float64)
    check_integer("two_clusters", "draws", draws, 10, "Use 100.")
    if len(points) < 8:
        raise ValueError(
            wording(
                "two_clusters",
                expected="there must be 8 points at least",
                received=len(points),
                remedy="Two clusters of fewer cannot be told from chance.",
            )
        )
    centred = points - points.mean(axis=0)
    # Points are few and directions many: the small Gram matrix has the same components.
    squares, left = np.linalg.eigh(centred @ centred.T)
    left, sizes = left[:, ::-1], np.sqrt(np.maximum(squares[::-1], 0))
    # What is below the rounding of float32 points is no direction.
    kept = min(_DIRECTIONS, int(np.count_nonzero(sizes > _ROUNDING * np.linalg.norm(points))))
    if not kept:
        return TwoClusters(np.zeros(len(points), int), 1.0, 0.0, 1.0)
    cloud = left[:, :kept] * sizes[:kept]
    (index,), (labels,) = _cut(cloud[None])
    deviations = sizes[:kept] / np.sqrt(len(points))
    null, _ = _cut(generator(seed, _DRAW).normal(size=(draws, len(points), kept)) * deviations)
    separation = float((null.mean() - index) / null.std())
    return TwoClusters(labels, float(index), separation, float(stats.norm.sf(separation)))


def _cut(clouds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest cluster index of each cloud `(k, n, d)`, and its labels `(k, n)`: two means, from each direction."""
    clouds = clouds - clouds.mean(axis=1, keepdims=True)
    best, labels = np.full(len(clouds), np.inf), np.zeros(clouds.shape[:2], int)
    for direction in range(min(_STARTS, clouds.shape[2])):
        side = clouds[:, :, direction] > np.median(clouds[:, :, direction], axis=1, keepdims=True)
        for _ in range(_STEPS):
            weights = np.stack([~side, side], axis=1).astype(float)
            means = weights @ clouds / np.maximum(weights.sum(axis=2, keepdims=True), 1)
            # Nearer to the second mean: a . (m1 - m0) > (|m1|^2 - |m0|^2) / 2.
            across = np.einsum("knd,kd->kn", clouds, means[:, 1] - means[:, 0])
            middle = ((means[:, 1] ** 2).sum(axis=1) - (means[:, 0] ** 2).sum(axis=1)) / 2
            moved = across > middle[:, None]
            if (moved == side).all():
                break
            side = moved
        weights = np.stack([~side, side], axis=1).astype(float)
        counts = weights.sum(axis=2)
        means = weights @ clouds / np.maximum(counts, 1)[..., None]
        # Along the line through the two means, where all is about 0.
        across = np.einsum("knd,kd->kn", clouds, means[:, 1] - means[:, 0])
        sums = np.einsum("kcn,kn->kc", weights, across)
        between = (sums**2 / np.maximum(counts, 1)).sum(axis=1)
        index = 1 - between / np.maximum((across**2).sum(axis=1), np.finfo(float).tiny)
        index = np.where(counts.min(axis=1) >= _SMALLEST * clouds.shape[1], index, 1.0)
        better = index < best
        best, labels = np.where(better, index, best), np.where(better[:, None], side, labels)
    return best, labels
