"""Points and weights for integrals over [0, 1], both ends among the points."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Legendre

from ..core.checks import check_choice, check_integer

QUADRATURES = ("lobatto", "trapezoid")


def nodes_and_weights(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where is a function asked, and how are the answers weighed, to integrate it over [0, 1]?

    Lobatto's points are the two ends and the roots of `P'_{n-1}`, with the weights `2 / (n (n - 1) P_{n-1}(x)^2)` on
    [-1, 1]: exact for polynomials of degree `2 n - 3`.

    Parameters
    ----------
    name : `"lobatto"` or `"trapezoid"`.
    count : points, at least 2.

    Returns
    -------
    nodes, weights : `(count,)` float64, ascending; the weights sum to 1.

    Raises
    ------
    ValueError : an unknown name, fewer than two points.

    Example
    -------
    >>> [values.round(4).tolist() for values in nodes_and_weights("lobatto", 3)]
    [[0.0, 0.5, 1.0], [0.1667, 0.6667, 0.1667]]

    Source
    ------
    M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 1964, 25.4.32
    """
    check_choice("nodes_and_weights", "name", name, QUADRATURES)
    count = check_integer("nodes_and_weights", "count", count, 2, "Both ends are points.")
    if name == "trapezoid":
        weights = np.full(count, 1 / (count - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, count), weights
    polynomial = Legendre.basis(count - 1)
    nodes = np.concatenate([[-1.0], np.sort(polynomial.deriv().roots().real) if count > 2 else [], [1.0]])
    weights = 2 / (count * (count - 1) * polynomial(nodes) ** 2)
    return (nodes + 1) / 2, weights / weights.sum()
