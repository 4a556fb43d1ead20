"""How far apart are the maps that several models give of one picture? On the host, for all pairs at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage, stats

from ..core.checks import check_choice
from ..core.errors import wording

# The window of Wang et al. 2004: a Gaussian of 1.5 pixels over 11 x 11, and their two constants.
_SSIM_SIGMA, _SSIM_RADIUS, _SSIM_SMALL = 1.5, 5, (0.01**2, 0.03**2)
_DICE_SHARE = 0.1


def is_constant(maps: np.ndarray) -> np.ndarray:
    """Which maps `(n, k, ...)` have the same value everywhere, and hence put no place first? `(n, k)`."""
    flat = maps.reshape(*maps.shape[:2], -1)
    return flat.max(axis=-1) == flat.min(axis=-1)


def map_distances(maps: Any, distance: str | Callable[[np.ndarray, np.ndarray], Any] = "spearman_abs") -> np.ndarray:
    """How far apart are the maps of each picture, for every pair of models?

    With Spearman's correlation `rho` of two maps (the correlation of the ranks of their values):

    - `"spearman_abs"`, `1 - |rho|`: that of the paper of MeGe. It takes two opposite maps for the same.
    - `"spearman"`, `(1 - rho) / 2`: opposite maps are farthest apart.
    - `"spearman_sqrt"`, `sqrt(1 - |rho|)`: that of Xplique.
    - `"dice"`: 1 less the Sørensen-Dice overlap of the places that hold the largest tenth of the values.
    - `"ssim"`: `(1 - s) / 2` with the structural similarity `s` (Gaussian window of 1.5 pixels, 11 x 11).
    - `"l1"`, `"l2"`: the mean absolute and the root mean square difference.

    For the last three each map is brought to [0, 1] first, as the scale of a map is seldom comparable between models.
    Distances are in [0, 1]. A constant map puts no place first: its `rho` with every map, itself included, is 0, and
    its other distances are 1, so that a method that often answers nothing gains nothing by it.

    Parameters
    ----------
    maps : `(n, k, ...)`, of `n` pictures the maps of `k` models; `(n, k, h, w)` for `"ssim"`.
    distance : a name above, or a function of two arrays of maps `(m, ...)` with the answer `(m,)`.

    Returns
    -------
    distances : `(n, k, k)` float64, symmetric for the names above.

    Raises
    ------
    ValueError, TypeError : an unknown name; maps without two axes of places for `"ssim"`; a function that answers with
        another shape or with numbers that are not finite.

    Cost
    ----
    Each map is ranked once; all pairs are one product of matrices.

    Example
    -------
    >>> rising, falling = np.arange(6.0).reshape(2, 3), -np.arange(6.0).reshape(2, 3)
    >>> [map_distances([[rising, falling]], name)[0, 0, 1].round(3).item() for name in ("spearman_abs", "spearman")]
    [0.0, 1.0]
    """
    maps = np.asarray(maps, dtype=np.float64)
    if callable(distance):
        return _by_function(maps, distance)
    check_choice("map_distances", "distance", distance, NAMES)
    flat = maps.reshape(*maps.shape[:2], -1)
    if distance.startswith("spearman"):
        rho = _spearman(flat)
        if distance == "spearman":
            return (1 - rho) / 2
        apart = 1 - np.abs(rho)
        return np.sqrt(apart) if distance == "spearman_sqrt" else apart
    if distance == "ssim" and maps.ndim != 4:
        raise ValueError(
            wording(
                "map_distances(distance='ssim')",
                expected="maps must have two axes of places",
                received=f"maps of shape {maps.shape[2:]}",
                remedy="Use 'spearman_abs'.",
            )
        )
    found = {"dice": _dice, "ssim": _ssim, "l1": _l1, "l2": _l2}[distance](maps if distance == "ssim" else flat)
    constant = is_constant(maps)
    return np.where(constant[:, :, None] | constant[:, None, :], 1.0, found)


NAMES = ("spearman_abs", "spearman", "spearman_sqrt", "dice", "ssim", "l1", "l2")


def _spearman(flat: np.ndarray) -> np.ndarray:
    ranks = stats.rankdata(flat, axis=-1)
    # The mean rank is (d + 1) / 2 with and without ties, so that a constant map becomes exact zeros.
    ranks -= (flat.shape[-1] + 1) / 2
    lengths = np.sqrt(np.einsum("nkd,nkd->nk", ranks, ranks))
    ranks /= np.where(lengths > 0, lengths, 1)[..., None]
    rho = np.clip(ranks @ ranks.swapaxes(1, 2), -1, 1)
    # Correlations of ranks are often equal. Sums in another order must not part them, nor a map from its copy.
    return np.round(rho, 12)


def _in_unit_range(maps: np.ndarray) -> np.ndarray:
    axes = tuple(range(2, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - low) / np.where(high > low, high - low, 1)


def _dice(flat: np.ndarray) -> np.ndarray:
    kept = max(1, round(_DICE_SHARE * flat.shape[-1]))
    # Of equal values at the border all are in: which came first says nothing.
    border = np.partition(flat, -kept, axis=-1)[..., -kept, None]
    top = (flat >= border).astype(np.float64)
    sizes = top.sum(axis=-1)
    return 1 - 2 * (top @ top.swapaxes(1, 2)) / (sizes[:, :, None] + sizes[:, None, :])


def _ssim(maps: np.ndarray) -> np.ndarray:
    maps = _in_unit_range(maps)
    count = maps.shape[1]
    mean = _blurred(maps)
    variance = _blurred(maps**2) - mean**2
    first, second = _SSIM_SMALL
    found = np.zeros((len(maps), count, count))
    for a in range(count):
        for b in range(a + 1, count):
            covariance = _blurred(maps[:, a] * maps[:, b]) - mean[:, a] * mean[:, b]
            likeness = (2 * mean[:, a] * mean[:, b] + first) * (2 * covariance + second)
            likeness /= (mean[:, a] ** 2 + mean[:, b] ** 2 + first) * (variance[:, a] + variance[:, b] + second)
            found[:, a, b] = found[:, b, a] = (1 - likeness.mean(axis=(1, 2))) / 2
    return found


def _blurred(maps: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(maps, _SSIM_SIGMA, radius=_SSIM_RADIUS, axes=(-2, -1))


def _l1(flat: np.ndarray) -> np.ndarray:
    flat = _in_unit_range(flat)
    # One model at a time: all pairs of whole maps at once would be k times the maps.
    return np.stack([np.abs(flat - flat[:, a, None]).mean(axis=-1) for a in range(flat.shape[1])], axis=1)


def _l2(flat: np.ndarray) -> np.ndarray:
    flat = _in_unit_range(flat)
    squares = [((flat - flat[:, a, None]) ** 2).mean(axis=-1) for a in range(flat.shape[1])]
    return np.sqrt(np.stack(squares, axis=1))


def _by_function(maps: np.ndarray, distance: Callable[[np.ndarray, np.ndarray], Any]) -> np.ndarray:
    count = maps.shape[1]
    found = np.zeros((len(maps), count, count))
    for a in range(count):
        for b in range(count):
            answer = np.asarray(distance(maps[:, a], maps[:, b]))
            if answer.shape != (len(maps),) or not np.isfinite(answer).all():
                raise ValueError(
                    wording(
                        "map_distances",
                        expected="the function `distance` must answer with one finite number for each pair of maps",
                        received=f"shape {answer.shape} for {len(maps)} pairs"
                        if answer.shape != (len(maps),)
                        else "NaN or infinity",
                        remedy="It gets two arrays (m, h, w) and answers with (m,).",
                    )
                )
            found[:, a, b] = answer
    return found
