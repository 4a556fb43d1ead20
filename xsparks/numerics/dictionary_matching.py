"""Which atom of one dictionary is which atom of another?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..core.errors import wording


class Matching(NamedTuple):
    """Two dictionaries, atom by atom.

    order : `(r,)`, the atom of the second that belongs to each atom of the first.
    cosines : `(r,)`, of the pairs.
    """

    order: np.ndarray
    cosines: np.ndarray


def match_atoms(first: Any, second: Any, signed: bool = True) -> Matching:
    """Which atoms of two dictionaries belong together, and how alike are they?

    The one-to-one assignment with the largest sum of cosines, by the Hungarian algorithm. An atom of zeros is like
    none.

    Parameters
    ----------
    first, second : `(r, p)` each.
    signed : whether an atom and its negative are two; False for directions such as principal axes, whose sign means
        nothing: the sizes of cosines then count.

    Returns
    -------
    matching : a `Matching`.

    Raises
    ------
    ValueError : other shapes.

    Example
    -------
    >>> order, cosines = match_atoms([[1.0, 0.0], [0.0, 2.0]], [[0.0, 3.0], [4.0, 3.0]])
    >>> order.tolist(), cosines.round(2).tolist()
    ([1, 0], [0.8, 1.0])

    Source
    ------
    H. W. Kuhn, "The Hungarian Method for the Assignment Problem", Naval Research Logistics Quarterly 2, 1955, as SciPy
    solves it
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(
            wording(
                "match_atoms",
                expected="two dictionaries must have one shape (r, p)",
                received=f"{first.shape} and {second.shape}",
                remedy="Fit both with the same number of concepts, at the same layer.",
            )
        )
    cosines = unit_rows(first) @ unit_rows(second).T
    cosines = cosines if signed else np.abs(cosines)
    rows, order = linear_sum_assignment(cosines, maximize=True)
    return Matching(order, cosines[rows, order])


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays one.

    Example
    -------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)
