"""How alike are two maps of one picture? On the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.checks import check_choice
from .map_distances import is_constant, map_distances

SIMILARITIES = ("spearman", "spearman_abs", "ssim")


def map_similarities(maps: Any, others: Any, similarity: str = "spearman") -> np.ndarray:
    """How alike is each map to its other?

    - `"spearman"`: the correlation `rho` of the ranks of their values, in [-1, 1].
    - `"spearman_abs"`: `rho` of the sizes of their values, which forgets the signs of both.
    - `"ssim"`: the structural similarity, in [-1, 1], with a Gaussian window of 1.5 pixels, each map brought to [0, 1].

    A map is like itself to 1, constant or not. A constant map puts no place first: to any other it is like to 0.

    Parameters
    ----------
    maps, others : `(m, ...)`; `(m, h, w)` for `"ssim"`.

    Returns
    -------
    similarities : `(m,)` float64.

    Raises
    ------
    ValueError, TypeError : an unknown name; maps without two axes of places for `"ssim"`.

    Example
    -------
    >>> rising = np.arange(6.0).reshape(1, 2, 3)
    >>> [map_similarities(rising, other)[0].item() for other in (2 * rising, -rising, 0 * rising)]
    [1.0, -1.0, 0.0]
    """
    check_choice("map_similarities", "similarity", similarity, SIMILARITIES)
    pairs = np.stack([np.asarray(maps, dtype=np.float64), np.asarray(others, dtype=np.float64)], axis=1)
    if similarity == "spearman_abs":
        pairs, similarity = np.abs(pairs), "spearman"
    found = 1 - 2 * map_distances(pairs, similarity)[:, 0, 1]
    flat = pairs.reshape(len(pairs), 2, -1)
    found = np.where(is_constant(pairs).any(axis=1), 0.0, found)
    return np.where((flat[:, 0] == flat[:, 1]).all(axis=1), 1.0, found)
