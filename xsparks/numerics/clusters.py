"""Intervals of a statistic of observations that come in groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from ..core.errors import wording
from ..core.randomness import generator

Statistic = Callable[[np.ndarray], float | None]


def cluster_bootstrap_interval(
    statistic: Statistic, clusters: Any, seed: int = 0, level: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Between which bounds does a statistic lie, if other clusters had been drawn?

    Observations of one cluster (the distances of one picture) depend on each other, so that whole clusters are drawn
    with replacement, as many as there are, and each observation weighs as often as its cluster was drawn: the
    percentile bootstrap. A draw in which the statistic is not defined is drawn again. Of one cluster, both bounds are
    the statistic itself.

    Parameters
    ----------
    statistic : from weights `(p,)` to the statistic, or None where it is not defined.
    clusters : `(p,)`, the cluster of each observation: any integers.
    seed, level, resamples : of the draws, the probability within the bounds, and how many draws.

    Returns
    -------
    low, high : the bounds.

    Raises
    ------
    ValueError : the statistic is not defined in nine draws out of ten.

    Example
    -------
    >>> values = np.array([1.0, 3.0, 10.0, 10.0])
    >>> cluster_bootstrap_interval(lambda w: (w * values).sum() / w.sum(), [7, 7, 8, 8], resamples=200)
    (2.0, 10.0)

    Source
    ------
    A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge University Press 1997, section
    3.8
    """
    names, members = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        single = statistic(np.ones(len(members)))
        return (np.nan, np.nan) if single is None else (float(single), float(single))
    draw, found = generator(seed, 1), []
    for _ in range(10 * resamples):
        drawn = np.bincount(draw.integers(0, len(names), len(names)), minlength=len(names))
        value = statistic(drawn[members].astype(np.float64))
        if value is not None:
            found.append(float(value))
        if len(found) == resamples:
            break
    else:
        raise ValueError(
            wording(
                "cluster_bootstrap_interval",
                expected="the statistic must be defined in more than a tenth of the draws",
                received=f"{len(found)} of {10 * resamples}",
                remedy="Give more clusters.",
            )
        )
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def jackknife_interval(statistic: Statistic, members: Any, count: int, level: float = 0.95) -> tuple[float, float]:
    """Between which bounds does a statistic lie, if other groups had been drawn, of which there are few?

    `t -+ q s` with the statistic `t`, `s^2 = (k - 1)/k sum (t_i - mean t_i)^2` over the statistics `t_i` without
    group `i` of `k`, and Student's quantile `q` of `k - 1` degrees. An observation may belong to several groups (the
    distance of two models), and goes with any of them.

    Parameters
    ----------
    statistic : from weights `(p,)` to the statistic, or None where it is not defined.
    members : `(p, g)`, the groups of each observation, 0 to `count - 1`.
    count : how many groups there are.
    level : the probability within the bounds.

    Raises
    ------
    ValueError : fewer than three groups, or a statistic that is not defined without one of them.

    Example
    -------
    >>> values = np.array([1.0, 2.0, 3.0])
    >>> low, high = jackknife_interval(lambda w: (w * values).sum() / w.sum(), [[0], [1], [2]], 3)
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)

    Source
    ------
    B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 9, 1981
    """
    members = np.asarray(members)
    whole = statistic(np.ones(len(members)))
    without = [statistic((members != group).all(axis=1).astype(np.float64)) for group in range(count)]
    known = [value for value in without if value is not None]
    if whole is None or len(known) < count or count < 3:
        raise ValueError(
            wording(
                "jackknife_interval",
                expected="the statistic must be defined without any one of 3 groups or more",
                received=f"{len(known)} of {count} groups",
                remedy="Use more groups, or the bootstrap over clusters.",
            )
        )
    variance = (count - 1) / count * np.sum((np.array(known) - np.mean(known)) ** 2)
    half = float(stats.t.ppf((1 + level) / 2, count - 1) * np.sqrt(variance))
    return float(whole) - half, float(whole) + half
