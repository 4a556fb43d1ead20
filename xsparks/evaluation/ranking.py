"""Who is better, and how sure is that: ranks and paired differences over the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from ..core.randomness import generator

# Fewer samples than this give intervals that are too narrow.
FEW = 20
RESAMPLES = 2000


class Difference(NamedTuple):
    """How a method differs from another on the same samples.

    method, reference : their names.
    difference : the mean over samples of the method's value minus that of the reference.
    interval : its bootstrap interval.
    verdict : "better" or "worse" than the reference, or "not distinguishable" where the interval holds 0.
    """

    method: str
    reference: str
    difference: float
    interval: tuple[float, float]
    verdict: str

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.method} - {self.reference}: {self.difference:+.3f} [{low:+.3f}, {high:+.3f}], {self.verdict}"


def resampled_means(values: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """The means `(resamples, k)` of the columns of `values (n, k)` over samples drawn with replacement.

    All columns share the draws: the difference of two means is that of the paired bootstrap.
    """
    draw, count = generator(seed, 1), len(values)
    # Each resample by how often each sample was drawn: no array of resamples x samples.
    drawn = (np.bincount(draw.integers(0, count, count), minlength=count) for _ in range(resamples))
    return np.stack([times @ values for times in drawn]) / count


def difference(
    method: str,
    reference: str,
    values: Mapping[str, np.ndarray],
    means: Mapping[str, np.ndarray],
    better: str,
    level: float,
) -> Difference:
    """A method against a reference.

    Parameters
    ----------
    values : `(n,)` of each method.
    means : `(resamples,)` of each method, of the same resamples.
    better : "higher" or "lower".
    level : of the interval.

    Example
    -------
    >>> values = {"a": np.array([1.0, 2.0, 4.0]), "b": np.array([0.0, 1.0, 2.0])}
    >>> both = resampled_means(np.stack(list(values.values()), axis=1), seed=0)
    >>> difference("a", "b", values, {"a": both[:, 0], "b": both[:, 1]}, "lower", 0.95).verdict
    'worse'
    """
    found = float(np.mean(values[method]) - np.mean(values[reference]))
    ends = np.quantile(means[method] - means[reference], [(1 - level) / 2, (1 + level) / 2])
    low, high = float(ends[0]), float(ends[1])
    sign = 1 if better == "higher" else -1
    verdict = "not distinguishable"
    if len(values[method]) > 1 and (low > 0 or high < 0):
        verdict = "better" if sign * found > 0 else "worse"
    return Difference(method, reference, found, (low, high), verdict)


def ranks_of(values: np.ndarray, better: str) -> np.ndarray:
    """The rank of each value along the last axis, 1 for the best; equal ones share the best of their ranks.

    Example
    -------
    >>> ranks_of(np.array([0.2, 0.5, 0.2]), "lower").tolist()
    [1.0, 3.0, 1.0]
    """
    keys = -values if better == "higher" else values
    # What could not be measured is last.
    keys = np.where(np.isnan(keys), np.inf, keys)
    return stats.rankdata(keys, method="min", axis=-1).astype(np.float64)
