"""The words of `xsparks.numerics`."""

from __future__ import annotations

import numpy as np
import pytest

from xsparks.numerics.intervals import replicate_interval
from xsparks.numerics.ranks import top_overlap
from xsparks.numerics.resize import enlarge, interpolation_matrix
from xsparks.numerics.smoothing import smooth_rows, smooth_rows_by_outputs
from xsparks.numerics.sobol_designs import make_design
from xsparks.numerics.sobol_estimators import mean_power, total_order

NAMES = "'half_shift', 'scrambled_sobol', 'latin_hypercube', 'binary_flip', 'paper'"


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: make_design("half_shfit", 8, 49),
            ValueError,
            f"`make_design(name='half_shfit')`: `name` must be one of {NAMES}, got 'half_shfit'. Nearest: half_shift.",
        ),
        (
            lambda: make_design("half_shift", 0, 49),
            ValueError,
            "`make_design(rows=0)`: `rows` must be an integer of at least 1, got 0. Use 8.",
        ),
        (
            lambda: make_design("half_shift", 8, 49.0),  # pyright: ignore[reportArgumentType]
            TypeError,
            (
                "`make_design(dimension=49.0)`: `dimension` must be an integer of at least 1, got 49.0. "
                "Give the number of cells of the grid."
            ),
        ),
        (
            lambda: make_design("half_shift", 8, 49, seed=-1),
            ValueError,
            "`make_design(seed=-1)`: `seed` must be an integer of at least 0, got -1. Use 0.",
        ),
        (
            lambda: make_design("half_shift", 8, 49, replicates=0),
            ValueError,
            (
                "`make_design(replicates=0)`: `replicates` must be an integer of at least 1, got 0. "
                "Use 1 for no replicates."
            ),
        ),
        (
            lambda: make_design("half_shift", 6, 49, replicates=4),
            ValueError,
            (
                "`make_design(rows=6, replicates=4)`: `rows` must be a multiple of `replicates`, so that all have "
                "equally many rows, got 6 rows for 4 replicates. With 6 rows, replicates can be: 1, 2, 3, 6."
            ),
        ),
        (
            lambda: make_design("paper", 8, 49, replicates=2),
            ValueError,
            (
                "`make_design('paper', replicates=2)`: the published design is deterministic, so that it has 1 "
                "replicate, got 2. Use replicates=1, or 'scrambled_sobol', its randomised form."
            ),
        ),
        (
            lambda: make_design("scrambled_sobol", 8, 10601),
            ValueError,
            (
                "`make_design('scrambled_sobol', dimension=10601)`: `dimension` must be at most 10600, half of the "
                "known Sobol directions, got 10601. Use a coarser grid, or 'half_shift', which has no limit."
            ),
        ),
        (
            lambda: total_order("jensen", [1.0], [[1.0]]),
            ValueError,
            (
                "`total_order(name='jensen')`: `name` must be one of 'jansen', 'homma', 'saltelli', 'janon', 'glen', "
                "got 'jensen'. Nearest: jansen, janon, glen."
            ),
        ),
        (
            lambda: mean_power([[1.0]], power=0),
            ValueError,
            (
                "`mean_power(power=0)`: `power` must be a number in [0.001, 1000], got 0. "
                "Use 1.5 to rank cells, 2 for values."
            ),
        ),
        (
            lambda: replicate_interval([[1.0, 2.0]]),
            ValueError,
            (
                "`replicate_interval`: an interval needs 2 replicates at least, got 1. "
                "Make the design with replicates=2 or more."
            ),
        ),
        (
            lambda: replicate_interval([[1.0], [2.0]], level=1),
            ValueError,
            "`replicate_interval(level=1)`: `level` must be a number in [1e-06, 0.999999], got 1. Use 0.95.",
        ),
        (
            lambda: smooth_rows(np.ones((2, 49)), (8, 8), 8),
            ValueError,
            (
                "`smoothing(grid=(8, 8))`: a statistic must have one value for each of the 64 cells, got 49 values. "
                "Pass rows and columns of the grid that the design was made for."
            ),
        ),
        (
            lambda: smooth_rows_by_outputs(np.ones((2, 49)), np.ones((2, 48)), (7, 7), 8),
            ValueError,
            (
                "`smoothing(grid=(7, 7))`: a statistic must have one value for each of the 49 cells, got 48 values. "
                "Pass rows and columns of the grid that the design was made for."
            ),
        ),
        (
            lambda: interpolation_matrix(7, 0),
            ValueError,
            (
                "`interpolation_matrix(size_out=0)`: `size_out` must be an integer of at least 1, got 0. "
                "Give the pixels along a side."
            ),
        ),
        (
            lambda: enlarge(np.ones((1, 7, 7, 1)), (224, 224), "bicubik"),
            ValueError,
            (
                "`enlarge(kind='bicubik')`: `kind` must be one of 'nearest', 'bilinear', 'bicubic', got 'bicubik'. "
                "Nearest: bicubic, bilinear."
            ),
        ),
        (
            lambda: interpolation_matrix(7, 14, "linear"),
            ValueError,
            (
                "`interpolation_matrix(kind='linear')`: `kind` must be one of 'nearest', 'bilinear', 'bicubic', "
                "got 'linear'. Nearest: bilinear, nearest."
            ),
        ),
        (
            lambda: enlarge(np.ones((7, 7)), (224, 224)),
            ValueError,
            (
                "`enlarge`: `maps` must have the shape (n, h, w, c), got shape (7, 7). "
                "Add the axis that is missing, as in maps[..., None]."
            ),
        ),
        (
            lambda: top_overlap([1.0, 2.0], [1.0, 2.0], 0),
            ValueError,
            "`top_overlap(k=0)`: `k` must be an integer of at least 1, got 0. Use 10 for a grid of 7 x 7 cells.",
        ),
        (
            lambda: top_overlap([1.0, 2.0], [1.0, 2.0], 3),
            ValueError,
            "`top_overlap(k=3)`: `k` must be at most the number of places, 2, got 3. Use 1.",
        ),
    ],
)
def test_every_message(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text
