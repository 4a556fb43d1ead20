"""How well does a threshold tell two groups of numbers apart?"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ..core.errors import wording


class Separation(NamedTuple):
    """How well small numbers tell the first group from the second; 0 is not at all, 1 is perfectly.

    Parameters
    ----------
    recall : `max_g F(g) - G(g)`, with the distribution functions `F` and `G` of the two groups: the statistic of the
        one-sided test of Kolmogorov and Smirnov, and the largest `sensitivity + specificity - 1`.
    precision : `max_g P(g) + Q(g) - 1`, with `P(g)` the share of the first group in all numbers up to `g`, and `Q(g)`
        the share of the second group in all numbers above `g`.
    precision_mean : the mean of `P(g) + Q(g) - 1` over all numbers `g`.
    auroc : the probability that a number of the first group is smaller than one of the second, equal ones counting
        half, `U / (n m)` with the statistic `U` of Mann and Whitney; 1/2 is not at all.
    threshold : the smallest `g` at which `recall` is reached.
    """

    recall: float
    precision: float
    precision_mean: float
    auroc: float
    threshold: float


class Separator:
    """How well do two groups separate, again and again with other weights of their numbers?

    The order of the numbers is found once, so that each further answer costs one pass over them.

    Parameters
    ----------
    values : `(p,)`, all numbers of both groups.
    first : `(p,)` bool, which belong to the first group, that of the small numbers.

    Raises
    ------
    ValueError : one of the groups is empty, or a number is not finite.

    Example
    -------
    >>> separator = Separator([0.1, 0.2, 0.3, 0.4], [True, True, False, True])
    >>> found = separator.separation
    >>> round(found.recall, 3), round(found.auroc, 3)
    (0.667, 0.667)
    """

    def __init__(self, values: Any, first: Any):
        values, self._first = np.asarray(values, dtype=np.float64), np.asarray(first, dtype=bool)
        sizes = int(self._first.sum()), int((~self._first).sum())
        if 0 in sizes or not np.isfinite(values).all():
            raise ValueError(
                wording(
                    "Separator",
                    expected="both groups must hold finite numbers",
                    received=f"{sizes[0]} and {sizes[1]}" if 0 in sizes else "NaN or infinity",
                    remedy="Without numbers of both kinds nothing can be told apart.",
                )
            )
        self._thresholds, self._place = np.unique(values, return_inverse=True)

    @property
    def separation(self) -> Separation:
        """How well the two groups separate."""
        return self._of(*self._counts(np.ones(len(self._first))))

    def of(self, weights: Any) -> Separation | None:
        """The separation with these weights `(p,)`; None where they leave a group empty.

        At the largest number no other lies above. An empty side says no more than the share of its group in all
        numbers, which makes `P + Q - 1` there exactly 0.
        """
        a, b = self._counts(np.asarray(weights, dtype=np.float64))
        return self._of(a, b) if a.any() and b.any() else None

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length = len(self._thresholds)
        a = np.bincount(self._place, np.where(self._first, weights, 0), length)
        return a, np.bincount(self._place, np.where(self._first, 0, weights), length)

    def _of(self, a: np.ndarray, b: np.ndarray) -> Separation:
        length = len(a)
        below_a, below_b = np.cumsum(a), np.cumsum(b)
        recalls = below_a / below_a[-1] - below_b / below_b[-1]
        counted = a + b > 0
        above_a, above_b = below_a[-1] - below_a, below_b[-1] - below_b
        share = below_b[-1] / (below_a[-1] + below_b[-1])
        ones = np.ones(length)
        below, above = below_a + below_b, above_a + above_b
        tpr = np.divide(below_a, below, out=ones.copy(), where=below > 0)
        tnr = np.divide(above_b, above, out=share * ones, where=above > 0)
        precisions = (tpr + tnr - 1)[counted]
        largest = int(np.argmax(recalls))
        return Separation(
            recall=max(0.0, float(recalls[largest])),
            precision=float(precisions.max()),
            precision_mean=float(np.average(precisions, weights=(a + b)[counted])),
            auroc=float(b @ (below_a - a / 2) / (below_a[-1] * below_b[-1])),
            threshold=float(self._thresholds[largest]),
        )


def smaller_p_value(first: Any, second: Any) -> float:
    """How probable is a separation as large as this, if the first group is not made of smaller numbers?

    The one-sided two-sample test of Kolmogorov and Smirnov: exact for small groups, asymptotic where that cannot be
    computed. All numbers count as independent.

    Example
    -------
    >>> round(smaller_p_value([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]), 3)
    0.05
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with warnings.catch_warnings():
        # SciPy says so when it falls back on the asymptotic value.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.ks_2samp(first, second, alternative="greater")[1])  # pyright: ignore[reportArgumentType]
