"""Designs: Latin at every scale, exact steps, and the published sequence as it is."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from xsparks.numerics.ranks import ranks
from xsparks.numerics.sobol_designs import DESIGNS, make_design
from xsparks.numerics.sobol_estimators import total_order


def is_latin(points: np.ndarray) -> bool:
    """Whether each column has one value in each of as many equal intervals as there are rows."""
    levels = np.sort(np.floor(points * len(points)), axis=0)
    return bool(np.all(levels == np.arange(len(points))[:, None]))


def outputs(function, design):
    """The outputs `(N,)` at the base rows and `(N, d)` at the rows with one column changed."""
    base, shifted = design.base, design.shifted
    changed = np.repeat(base[:, None], base.shape[1], axis=1)
    cells = np.arange(base.shape[1])
    changed[:, cells, cells] = shifted
    return function(base), function(changed)


@pytest.mark.parametrize("rows", [1, 2, 4, 8, 32, 5, 6, 7, 12, 24])
@pytest.mark.parametrize("seed", [0, 3])
def test_every_aligned_block_of_a_half_shift_is_latin(rows, seed):
    design = make_design("half_shift", rows, 9, seed)
    assert is_latin(design.base) and (rows % 2 or is_latin(design.shifted))
    block = 1
    while rows % block == 0:
        assert all(is_latin(part) for part in np.split(design.base, rows // block)), block
        block *= 2


@pytest.mark.parametrize(
    ("rows", "replicates"), [(8, 4), (8, 8), (6, 2), (6, 3), (12, 2), (12, 6), (9, 3), (10, 5), (7, 7)]
)
def test_every_replicate_of_a_half_shift_is_latin(rows, replicates):
    design = make_design("half_shift", rows, 9, seed=1, replicates=replicates)
    assert is_latin(design.base)
    for replicate in range(replicates):
        part = design.base[design.replicate == replicate]
        assert len(part) == rows // replicates and is_latin(part)


@pytest.mark.parametrize("replicates", [2, 3, 4, 6, 12])
def test_replicates_of_power_of_two_rows_are_blocks_of_the_same_half_shift(replicates):
    whole = make_design("half_shift", 12, 9, seed=1)
    assert np.array_equal(make_design("half_shift", 12, 9, seed=1, replicates=replicates).base, whole.base) == (
        replicates % 3 == 0
    )


def test_blocks_of_two_put_every_cell_below_and_above_one_half():
    base = make_design("half_shift", 16, 49, seed=2).base
    assert np.all((base[0::2] < 0.5) != (base[1::2] < 0.5))


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_the_half_shift_moves_every_cell_by_one_half(rows):
    design = make_design("half_shift", rows, 49, seed=5)
    assert np.all((design.shifted >= 0) & (design.shifted < 1))
    np.testing.assert_allclose(np.abs(design.base - design.shifted), 0.5, atol=1e-12)
    np.testing.assert_allclose(design.relative_step, 1.5)


def test_cells_are_uniform_and_uncorrelated_over_seeds():
    draws = np.stack([make_design("half_shift", 4, 3, seed).base for seed in range(500)])
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-3
    # A row by itself is uniform as well: the order of the levels is random.
    assert stats.kstest(draws[:, 0, 0], "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws[:, 1].T) - np.eye(3)).max() < 0.15


@pytest.mark.parametrize("rows", [1, 5, 8, 64])
def test_the_paper_design_is_the_sequence_of_tensorflow(rows):
    design = make_design("paper", rows, 10)
    expected = tf.math.sobol_sample(20, rows, dtype=tf.float64).numpy()
    np.testing.assert_array_equal(np.concatenate([design.base, design.shifted], axis=1), expected)


def test_the_steps_of_the_paper_design_differ_fivefold():
    # Independent cells would have 1/6 = .167 in the mean.
    for rows, lowest, highest in ((32, 0.036, 0.192), (64, 0.033, 0.176)):
        step = make_design("paper", rows, 64).step
        assert (round(step.min(), 3), round(step.max(), 3)) == (lowest, highest)


@pytest.mark.parametrize(
    ("name", "replicates"), [("paper", 1), *((name, count) for name in DESIGNS[:-1] for count in (1, 3))]
)
def test_shapes_seeds_and_replicates(name, replicates):
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    design, again, other = (make_design(name, 6, 4, seed, replicates) for seed in (3, 3, 4))
    assert np.array_equal(np.random.get_state()[1], before)
    assert design.base.shape == design.shifted.shape == (6, 4) and design.base.dtype == np.float64
    assert design.replicate.tolist() == np.repeat(np.arange(replicates), 6 // replicates).tolist()
    assert np.array_equal(design.base, again.base) and np.array_equal(design.shifted, again.shifted)
    assert np.array_equal(design.base, other.base) == (name == "paper")
    assert design.independent == (name not in ("half_shift", "binary_flip"))
    np.testing.assert_allclose(design.step, ((design.base - design.shifted) ** 2).mean(0))
    with pytest.raises(ValueError, match="read-only"):
        design.base[0] = 0


@pytest.mark.parametrize("name", ["scrambled_sobol", "latin_hypercube"])
def test_both_halves_are_stratified_within_each_replicate(name):
    design = make_design(name, 16, 5, seed=0, replicates=2)
    for replicate in range(2):
        rows = design.replicate == replicate
        assert is_latin(design.base[rows]) and is_latin(design.shifted[rows])
    assert not np.array_equal(design.base[:8], design.base[8:])


@pytest.mark.parametrize("name", ["scrambled_sobol", "latin_hypercube"])
def test_the_expected_step_of_independent_halves(name):
    steps = [make_design(name, 8, 20, seed).relative_step for seed in range(100)]
    assert abs(np.mean(steps) - 1) < 0.02


@pytest.mark.parametrize(("rows", "replicates"), [(8, 1), (8, 4), (5, 1), (6, 2)])
def test_binary_columns_are_balanced_and_flip(rows, replicates):
    design = make_design("binary_flip", rows, 30, seed=0, replicates=replicates)
    assert set(np.unique(design.base)) == {0.0, 1.0}
    assert np.array_equal(design.shifted, 1 - design.base)
    size = rows // replicates
    ones = design.base.reshape(replicates, size, 30).sum(axis=1)
    assert np.all((ones == size // 2) | (ones == (size + 1) // 2))
    np.testing.assert_allclose(design.relative_step, 2)


WEIGHTS = np.random.default_rng(11).permutation(np.linspace(0.5, 3, 49)) * np.where(np.arange(49) % 3, 1, -1)


def shares_and_truth(name, seed, dimension=49):
    def additive(points):
        return 5 + points @ WEIGHTS[:dimension]

    base, shifted = outputs(additive, make_design(name, 8, dimension, seed))
    indices = total_order("jansen", base, shifted).numpy()
    return indices / indices.sum(), WEIGHTS[:dimension] ** 2 / np.sum(WEIGHTS[:dimension] ** 2)


@pytest.mark.parametrize("seed", range(5))
def test_eight_half_shift_rows_find_every_share_of_an_additive_function(seed):
    shares, truth = shares_and_truth("half_shift", seed)
    np.testing.assert_allclose(shares, truth, rtol=0.05)
    assert np.array_equal(ranks(shares).numpy(), ranks(truth).numpy())


def test_eight_rows_of_the_paper_do_not():
    shares, truth = shares_and_truth("paper", 0)
    assert np.max(np.abs(shares / truth - 1)) > 0.5
    assert not np.array_equal(ranks(shares).numpy(), ranks(truth).numpy())


@pytest.mark.parametrize("name", ["paper", "scrambled_sobol", "latin_hypercube"])
def test_dividing_by_the_realised_step_mends_an_additive_function(name):
    design = make_design(name, 8, 20, seed=0)
    base, shifted = outputs(lambda points: points @ WEIGHTS[:20], design)
    indices = total_order("jansen", base, shifted, design.relative_step).numpy()
    # Columns that are equal in both halves have no step and no answer.
    moved = design.step > 0
    np.testing.assert_allclose(
        (indices / WEIGHTS[:20] ** 2)[moved], indices[moved][0] / WEIGHTS[:20][moved][0] ** 2, rtol=1e-9
    )
