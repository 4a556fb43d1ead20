"""Designs of Sobol indices: at which points of the unit cube the model is asked. NumPy on the host, drawn once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from ..core.checks import check_choice, check_integer
from ..core.errors import wording
from ..core.randomness import generator

DESIGNS = ("half_shift", "scrambled_sobol", "latin_hypercube", "binary_flip", "paper")

# Mean squared difference of two independent draws of a cell: uniform in [0, 1], or 0 and 1 equally likely.
_UNIFORM_STEP, _BINARY_STEP = 1 / 6, 1 / 2
# Dimensions of the Sobol sequence that SciPy has directions for; two independent halves need two for each cell.
_SOBOL_DIMENSIONS = 21201
# Names the draws of this file among all that use the same seed.
_DRAW = 101


@dataclass(frozen=True, eq=False)
class Design:
    """Which rows is the model asked, and what takes the place of one column at a time?

    Row `n` for cell `i` is `C^(i)_n`: the base row `A_n` with column `i` from the shifted row (the `B_n` of the
    literature, where the two are independent).

    Parameters
    ----------
    name : one of `DESIGNS`.
    base, shifted : `(N, d)` float64 in [0, 1], read-only.
    replicate : `(N,)` int, the replicate of each row; the rows of one stand together, in order.
    independent : whether `base` and `shifted` are independent, which first-order indices need.
    expected_step : mean squared step of independent draws of a cell: 1/6 if uniform, 1/2 if binary.
    """

    name: str
    base: np.ndarray
    shifted: np.ndarray
    replicate: np.ndarray
    independent: bool
    expected_step: float

    @property
    def step(self) -> np.ndarray:
        """The realised mean squared step of each cell, `(d,)`, in squared units of the mask."""
        return np.mean((self.base - self.shifted) ** 2, axis=0)

    @property
    def relative_step(self) -> np.ndarray:
        """The realised step over that of independent draws, `(d,)`: what an index is divided by."""
        return self.step / self.expected_step


def make_design(name: str, rows: int, dimension: int, seed: int = 0, replicates: int = 1) -> Design:
    """At which points is the model asked, to find the influence of each of `dimension` cells?

    - `"half_shift"`: the default. A nested Latin hypercube, shifted by 1/2 modulo 1, so that each step is exactly 1/2.
      All rows, each replicate and every aligned block of `2^k` rows are Latin hypercubes, so that any prefix is a fair
      design (blocks: where `2^k` divides the rows of a replicate, or all rows if a replicate has a power of two).
    - `"scrambled_sobol"`: the two halves of a scrambled Sobol sequence in `2 d` dimensions.
    - `"latin_hypercube"`: the two halves of a Latin hypercube in `2 d` dimensions.
    - `"binary_flip"`: cells are 0 or 1, in balanced columns (a rounded Latin hypercube), and flip.
    - `"paper"`: the published design, a Sobol sequence without scrambling and without its first point, which is zero.
      Deterministic; with few rows its columns are aliased (see `Design.step`).

    Parameters
    ----------
    rows : rows `N`, of all replicates together; any integer of at least 1, a power of two is best.
    dimension : cells `d`.
    seed : of the draw; `"paper"` draws nothing.
    replicates : randomised parts of `rows / replicates` rows each. They are independent of each other, but for
        `"half_shift"` the blocks of one nested design: more even together than apart, so that intervals made from them
        are on the wide side.

    Returns
    -------
    design : a `Design`.

    Raises
    ------
    ValueError : an unknown name; `rows` that are no multiple of `replicates`; replicates of `"paper"`; more cells than
        the Sobol sequence has directions for.

    Example
    -------
    >>> design = make_design("half_shift", rows=8, dimension=49, seed=0, replicates=4)
    >>> design.base.shape, design.replicate.tolist(), bool(np.allclose(design.step, 1 / 4))
    ((8, 49), [0, 0, 1, 1, 2, 2, 3, 3], True)

    Source
    ------
    Latin hypercubes within Latin hypercubes: P. Z. G. Qian, "Nested Latin hypercube designs", Biometrika 96, 2009. The
    published design: T. Fel et al., "Look at the Variance!", NeurIPS 2021, https://arxiv.org/abs/2111.04138
    """
    where = "make_design"
    check_choice(where, "name", name, DESIGNS)
    rows = check_integer(where, "rows", rows, 1, "Use 8.")
    dimension = check_integer(where, "dimension", dimension, 1, "Give the number of cells of the grid.")
    seed = check_integer(where, "seed", seed, 0, "Use 0.")
    replicates = check_integer(where, "replicates", replicates, 1, "Use 1 for no replicates.")
    _check_together(where, name, rows, dimension, replicates)

    draw = generator(seed, _DRAW, DESIGNS.index(name))
    size = rows // replicates
    if name == "half_shift":
        base = nested_latin_hypercube(rows, dimension, draw, replicates)
        shifted = (base + 0.5) % 1.0
    elif name == "binary_flip":
        points = [_latin_hypercube(size, dimension, draw) for _ in range(replicates)]
        base = np.floor(2 * np.concatenate(points))
        shifted = 1.0 - base
    else:
        sequence = {"scrambled_sobol": _scrambled_sobol, "latin_hypercube": _latin_hypercube, "paper": _published}[name]
        points = np.concatenate([sequence(size, 2 * dimension, draw) for _ in range(replicates)])
        base, shifted = points[:, :dimension].copy(), points[:, dimension:].copy()
    replicate = np.repeat(np.arange(replicates), size)
    for array in (base, shifted, replicate):
        array.setflags(write=False)
    independent = name not in ("half_shift", "binary_flip")
    return Design(name, base, shifted, replicate, independent, _BINARY_STEP if name == "binary_flip" else _UNIFORM_STEP)


def _check_together(where: str, name: str, rows: int, dimension: int, replicates: int) -> None:
    if name == "paper" and replicates > 1:
        raise ValueError(
            wording(
                f"{where}('paper', replicates={replicates})",
                expected="the published design is deterministic, so that it has 1 replicate",
                received=replicates,
                remedy="Use replicates=1, or 'scrambled_sobol', its randomised form.",
            )
        )
    if rows % replicates:
        divisors = ", ".join(str(count) for count in range(1, rows + 1) if rows % count == 0)
        raise ValueError(
            wording(
                f"{where}(rows={rows}, replicates={replicates})",
                expected="`rows` must be a multiple of `replicates`, so that all have equally many rows",
                received=f"{rows} rows for {replicates} replicates",
                remedy=f"With {rows} rows, replicates can be: {divisors}.",
            )
        )
    if name in ("scrambled_sobol", "paper") and 2 * dimension > _SOBOL_DIMENSIONS:
        raise ValueError(
            wording(
                f"{where}({name!r}, dimension={dimension})",
                expected=f"`dimension` must be at most {_SOBOL_DIMENSIONS // 2}, half of the known Sobol directions",
                received=dimension,
                remedy="Use a coarser grid, or 'half_shift', which has no limit.",
            )
        )


def nested_latin_hypercube(rows: int, dimension: int, draw: np.random.Generator, blocks: int = 1) -> np.ndarray:
    """A Latin hypercube `(rows, dimension)` that falls apart into smaller Latin hypercubes.

    Each of `blocks` equal parts is one, and so is every aligned block of `2^k` rows where `2^k` divides the rows of a
    part, or all rows if those of a part are a power of two. Columns are independent of each other.

    How: to deal a sorted set of levels to `p` parts, take `p` neighbours at a time and give one, at random, to each
    part. A part then has one level in each run of `p` neighbours, which makes it a Latin hypercube.

    Example
    -------
    >>> points = nested_latin_hypercube(8, 1, np.random.default_rng(0))[:, 0]
    >>> sorted((points * 8).astype(int).tolist()), sorted((points[4:] * 4).astype(int).tolist())
    ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3])
    """
    levels = np.broadcast_to(np.arange(rows), (dimension, 1, rows))
    for parts in (*_splits(blocks), *_splits(rows // blocks)):
        # (column, part so far, run of neighbours, neighbour) -> each neighbour to a part of its own.
        dealt = draw.permuted(levels.reshape(dimension, levels.shape[1], -1, parts), axis=-1)
        levels = np.swapaxes(dealt, -1, -2).reshape(dimension, levels.shape[1] * parts, -1)
    return ((levels[..., 0] + draw.random((dimension, rows))) / rows).T.copy()


def _splits(rows: int) -> list[int]:
    """Into how many parts a part is cut in turn, down to single rows: by its odd factor, then into halves."""
    halvings = (rows & -rows).bit_length() - 1
    odd = rows >> halvings
    return [2] * halvings if odd == 1 else [odd, *[2] * halvings]


def _latin_hypercube(rows: int, dimension: int, draw: np.random.Generator) -> np.ndarray:
    return qmc.LatinHypercube(dimension, rng=draw).random(rows)


def _scrambled_sobol(rows: int, dimension: int, draw: np.random.Generator) -> np.ndarray:
    # A prefix of the next power of two: the same points without SciPy's warning about their balance.
    return qmc.Sobol(dimension, scramble=True, rng=draw).random_base2((rows - 1).bit_length())[:rows]


def _published(rows: int, dimension: int, draw: np.random.Generator) -> np.ndarray:
    # The points of `tf.math.sobol_sample`, which begins with the second of the sequence.
    return qmc.Sobol(dimension, scramble=False, rng=draw).random_base2(rows.bit_length())[1 : rows + 1]
