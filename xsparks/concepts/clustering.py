"""k-means by scikit-learn, from a seed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning


def k_means(points: np.ndarray, clusters: int, seed: int, starts: int = 4, iterations: int = 300) -> Any:
    """The fitted clustering of points `(n, d)`, with `labels_` and `cluster_centers_`: the best of some starts."""
    options: Any = {"n_init": starts, "max_iter": iterations, "random_state": seed}
    with warnings.catch_warnings():
        # Of fewer different points than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(clusters, **options).fit(points)
