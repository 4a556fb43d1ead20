"""Designs of subsets: which cells are hidden together, in each of so many questions. NumPy on the host, drawn once."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from ..core.checks import check_choice
from ..core.randomness import generator

DESIGNS = ("balanced", "antithetic", "independent")
# The table of pairs, and the search, grow with the square of the cells: 0.7 seconds at this many.
MOST_BALANCED = 400
# Names the draws of this file among all that use the same seed.
_DRAW = 61
_SWEEPS = 20
# Evens out how often a cell is hidden as much as how often two are: of the few best designs, found by trial.
_WEIGHT = 4


def subset_design(name: str, count: int, cells: int, size: int, seed: int = 0) -> np.ndarray:
    """Which cells are in each subset?

    Every subset has exactly `size` of the cells, and taken by itself each is as likely as any other.

    Parameters
    ----------
    name : `"balanced"`: every two cells are together in as many subsets as any other two, as nearly as a search finds.
        A correlation over the subsets is made of just these counts, so that its error is that of twice as many
        independent subsets, and less where the score is nearly additive. `"antithetic"`: in pairs that have no cell in
        common, the first and the last of one permutation (for at most half of the cells; beyond, they overlap). That
        evens out means, not correlations: at half of the cells the error of a correlation grows. `"independent"`.
    count, cells, size : of the subsets, in all, in each.
    seed : of the draws; subset `i` of the last two designs depends on the seed and `i` alone.

    Returns
    -------
    members : `(count, cells)` bool, `size` in each row. Where there are no more than `count` different subsets, these,
        each once. On more than 400 cells a balanced design is an independent one: there are too many pairs.

    Example
    -------
    >>> members = subset_design("balanced", 60, 9, 3)
    >>> members.sum(axis=1).tolist() == [3] * 60, members.sum(axis=0).tolist()
    (True, [20, 20, 20, 20, 20, 20, 20, 20, 20])
    """
    check_choice("subset_design", "name", name, DESIGNS)
    if math.comb(cells, size) <= count:
        chosen = list(combinations(range(cells), size))
    elif name == "balanced" and cells <= MOST_BALANCED:
        return _balanced(_blocks(count, cells, size, generator(seed, _DRAW)))
    elif name == "antithetic":
        orders = [generator(seed, _DRAW, pair).permutation(cells) for pair in range((count + 1) // 2)]
        chosen = [part for order in orders for part in (order[:size], order[-size:])][:count]
    else:
        chosen = [generator(seed, _DRAW, draw).permutation(cells)[:size] for draw in range(count)]
    return _members(chosen, cells)


def _members(chosen: list, cells: int) -> np.ndarray:
    members = np.zeros((len(chosen), cells), bool)
    np.put_along_axis(members, np.array(chosen), values=True, axis=1)
    return members


def _blocks(count: int, cells: int, size: int, draw: np.random.Generator) -> np.ndarray:
    """Subsets with no cell in common, as many as there is room for; then others, from another permutation."""
    room = cells // size
    orders = [draw.permutation(cells) for _ in range(math.ceil(count / room))]
    blocks = [order[start * size : (start + 1) * size] for order in orders for start in range(room)]
    return _members(blocks[:count], cells)


def _balanced(members: np.ndarray) -> np.ndarray:
    """The design after the best exchange of two cells in each subset, again until nothing is gained.

    The best is that which lowers `sum_i<j n_ij^2 + w sum_i n_i^2` most, with `n_ij` the subsets that hold the cells i
    and j, and `n_i` those that hold i: their sums are fixed, so that it is smallest where they are even.
    """
    together = members.T.astype(np.int64) @ members
    for _ in range(_SWEEPS):
        before = members.copy()
        for row in members:
            inside, outside = np.flatnonzero(row), np.flatnonzero(~row)
            single = np.diag(together)
            load = together[:, inside].sum(axis=1)
            leaving = load[inside] - single[inside] - (len(inside) - 1)
            gain = load[outside] - leaving[:, None] - together[np.ix_(inside, outside)]
            gain += _WEIGHT * (single[outside] - single[inside][:, None] + 1)
            best = np.unravel_index(gain.argmin(), gain.shape)
            if gain[best] >= 0:
                continue
            out, into = inside[best[0]], outside[best[1]]
            rest = inside[inside != out]
            for cell, change in ((out, -1), (into, 1)):
                together[cell, rest] += change
                together[rest, cell] += change
                together[cell, cell] += change
            row[[out, into]] = False, True
        if (members == before).all():
            break
    return members
