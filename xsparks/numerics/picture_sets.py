"""How near are two sets of feature vectors: to the nearest neighbour, and as distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist


def nearest_distances(features: Any, reference: Any, neighbours: int = 1, same: bool = False) -> np.ndarray:
    """The distance of each vector to its nearest one, or k-th nearest one, of the reference.

    Vectors are scaled to length 1 first, as is usual for features of classifiers.

    Parameters
    ----------
    features : `(n, d)`
    reference : `(m, d)`
    neighbours : k, from 1 to m
    same : whether both are the same set, so that a vector is no neighbour of itself

    Returns
    -------
    distances : `(n,)` float64, in [0, 2]

    Example
    -------
    >>> nearest_distances([[2.0, 0.0]], [[0.0, 1.0], [5.0, 0.0]]).tolist()
    [0.0]

    Source
    ------
    Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022,
    https://arxiv.org/abs/2204.06507
    """
    ours, theirs = _unit(features), _unit(reference)
    distances = cdist(ours, theirs)
    place = neighbours - 1
    if same:
        np.fill_diagonal(distances, np.inf)
    return np.partition(distances, place, axis=1)[:, place]


def percentiles_among(values: Any, reference: Any) -> np.ndarray:
    """Which share of the reference is below each value, in percent; equal ones count half.

    Example
    -------
    >>> percentiles_among([2.5, 0.0, 2.0], [1.0, 2.0, 3.0, 4.0]).tolist()
    [50.0, 0.0, 37.5]
    """
    values, ordered = np.asarray(values, np.float64), np.sort(np.asarray(reference, np.float64))
    below, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return 100 * (below + upto) / 2 / len(ordered)


def kernel_distance(first: Any, second: Any) -> float:
    """The squared distance between the distributions of two sets of feature vectors, without bias.

    The maximum mean discrepancy with the kernel `k(x, y) = (x y / d + 1)^3`. Without bias its mean is 0 where both come
    from one distribution, so it may be negative, and small sets are not put at a disadvantage, unlike by the Fréchet
    distance.

    Parameters
    ----------
    first : `(n, d)`, n at least 2
    second : `(m, d)`, m at least 2

    Returns
    -------
    distance : float

    Example
    -------
    >>> float(kernel_distance([[0.0], [0.0]], [[1.0], [1.0]]))
    7.0

    Source
    ------
    M. Bińkowski, D. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", ICLR 2018,
    https://arxiv.org/abs/1801.01401
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: np.ndarray) -> float:
        values = kernel(x, x)
        return float((values.sum() - np.trace(values)) / (len(x) * (len(x) - 1)))

    return within(first) + within(second) - 2 * float(kernel(first, second).mean())


def mean_cosine_distance(features: Any) -> float:
    """One less the mean cosine between different vectors `(n, d)`: 0 where all point the same way.

    Example
    -------
    >>> mean_cosine_distance([[1.0, 0.0], [0.0, 3.0]])
    1.0
    """
    unit = _unit(features)
    number = len(unit)
    cosines = unit @ unit.T
    return float(1 - (cosines.sum() - np.trace(cosines)) / (number * (number - 1)))


def _unit(vectors: Any) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
