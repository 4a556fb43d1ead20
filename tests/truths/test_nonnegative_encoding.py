"""The encoding is the optimum of the problem, its derivative that of finite differences; what stands beside it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import nnls

from xsparks.numerics.additive_indices import additive_total_order
from xsparks.numerics.dictionary_matching import match_atoms
from xsparks.numerics.nonnegative_encoding import nonnegative_codes
from xsparks.numerics.nonnegative_factorization import _searched, nonnegative_factorization
from xsparks.numerics.sobol_designs import make_design
from xsparks.numerics.sobol_estimators import total_order
from xsparks.numerics.two_clusters import two_clusters


def problem(rows=40, concepts=8, width=12, seed=0, kind="positive"):
    draw = np.random.default_rng(seed)
    atoms = draw.random((concepts, width)) if kind == "positive" else draw.normal(size=(concepts, width))
    return draw.normal(size=(rows, width)) + (0.5 if kind == "positive" else 0), atoms


@pytest.mark.parametrize("kind", ["positive", "signed"])
@pytest.mark.parametrize("concepts", [1, 3, 8, 12])
def test_codes_are_those_of_an_exact_solver(kind, concepts):
    activations, atoms = problem(concepts=concepts, seed=concepts, kind=kind)
    codes = nonnegative_codes(activations, atoms).numpy()
    wanted = np.array([nnls(atoms.T, row)[0] for row in activations])
    assert codes.dtype == np.float64 and codes.shape == (40, concepts)
    np.testing.assert_allclose(codes, wanted, atol=1e-10)
    assert ((codes == 0) == (wanted < 1e-9)).all()


def test_types_and_leading_axes_are_kept():
    activations, atoms = problem()
    wanted = nonnegative_codes(activations, atoms).numpy()
    single = nonnegative_codes(activations.astype(np.float32).reshape(5, 2, 4, 12), atoms)
    assert single.dtype == tf.float32 and single.shape == (5, 2, 4, 8)
    np.testing.assert_allclose(single.numpy().reshape(40, 8), wanted, atol=2e-4)
    half = nonnegative_codes(tf.cast(activations, tf.float16), atoms)
    assert half.dtype == tf.float16
    np.testing.assert_allclose(half.numpy(), wanted, atol=3e-2)


def test_hard_dictionaries():
    """Equal atoms, an atom of zeros, atoms of very unlike sizes, activations of zeros, nearly dependent atoms."""
    activations, atoms = problem(concepts=4)
    twice = np.concatenate([atoms, atoms[:1], np.zeros((1, 12))])
    codes = nonnegative_codes(activations, twice).numpy()
    assert np.isfinite(codes).all() and (codes[:, 5] == 0).all()
    np.testing.assert_allclose(codes[:, :4] @ atoms + codes[:, 4:5] * atoms[:1], codes @ twice, atol=1e-6)
    best = nonnegative_codes(activations, atoms).numpy() @ atoms
    np.testing.assert_allclose(codes @ twice, best, atol=1e-6)
    sizes = np.array([1e-6, 1, 1e6, 1e3])[:, None]
    scaled = nonnegative_codes(activations, atoms * sizes).numpy()
    np.testing.assert_allclose(scaled * sizes.T, nonnegative_codes(activations, atoms).numpy(), atol=1e-8)
    assert (nonnegative_codes(np.zeros((3, 12)), atoms).numpy() == 0).all()
    near = atoms[:1] + 1e-4 * np.random.default_rng(1).normal(size=(20, 12))
    for kind in (np.float32, np.float64):
        codes = nonnegative_codes(activations.astype(kind), near).numpy()
        errors = np.linalg.norm(activations - codes @ near, axis=1)
        wanted = np.array([nnls(near.T, row)[1] for row in activations])
        assert np.isfinite(codes).all() and (errors <= wanted * (1.001 if kind == np.float64 else 1.05) + 1e-6).all()


@pytest.mark.parametrize("kind", ["positive", "signed"])
def test_the_derivative_is_that_of_finite_differences(kind):
    activations, atoms = problem(rows=20, concepts=6, seed=3, kind=kind)
    weights = np.random.default_rng(4).normal(size=(20, 6))
    a, v = tf.Variable(activations), tf.Variable(atoms)
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(weights * nonnegative_codes(a, v))
    by_activations, by_atoms = (gradient.numpy() for gradient in tape.gradient(score, [a, v]))

    compiled = tf.function(nonnegative_codes)

    def scores_of(activations, atoms):
        return (weights * compiled(tf.constant(activations), tf.constant(atoms)).numpy()).sum(axis=1)

    step = 1e-6
    # The rows are independent of each other, so that one column of all is moved at once.
    columns = step * np.eye(12)[:, None]
    wanted = [(scores_of(activations + c, atoms) - scores_of(activations - c, atoms)) / (2 * step) for c in columns]
    wanted = np.stack(wanted, axis=1)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(by_activations, wanted, atol=1e-6 * np.abs(wanted).max())
    entries = step * np.eye(72).reshape(72, 6, 12)
    moved = [
        scores_of(activations, atoms + entry).sum() - scores_of(activations, atoms - entry).sum() for entry in entries
    ]
    wanted = np.reshape(moved, (6, 12)) / (2 * step)
    np.testing.assert_allclose(by_atoms, wanted, atol=1e-6 * np.abs(wanted).max())


def test_the_derivative_within_a_graph_of_unknown_length():
    activations, atoms = problem()

    @tf.function(input_signature=[tf.TensorSpec((None, 12), tf.float64)])
    def slopes(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            codes = nonnegative_codes(inputs, atoms)
        return codes, tape.gradient(codes, inputs)

    codes, found = slopes(activations)
    np.testing.assert_allclose(codes, nonnegative_codes(activations, atoms), atol=1e-12)
    for row in range(0, 40, 7):
        used = codes.numpy()[row] > 0
        # d sum(u) / da = 1' (V_S V_S')^-1 V_S
        wanted = np.linalg.solve(atoms[used] @ atoms[used].T, atoms[used]).sum(axis=0)
        np.testing.assert_allclose(found.numpy()[row], wanted, atol=1e-10)


def planted(seed=0, vectors=300, concepts=6, width=40, noise=0.01):
    draw = np.random.default_rng(seed)
    atoms = draw.random((concepts, width)) * (draw.random((concepts, width)) < 0.3)
    codes = draw.random((vectors, concepts)) * (draw.random((vectors, concepts)) < 0.4)
    return np.abs(codes @ atoms + noise * draw.normal(size=(vectors, width))), atoms


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_dictionary_is_recovered(seed):
    activations, atoms = planted(seed)
    found = nonnegative_factorization(activations, 6, seed)
    order, cosines = match_atoms(atoms, found.atoms)
    assert sorted(order) == list(range(6)) and cosines.min() > 0.95
    assert found.stability > 0.9 and found.relative_error < 0.1
    np.testing.assert_allclose(np.linalg.norm(found.atoms, axis=1), 1, rtol=1e-6)
    assert (np.diff(found.codes.mean(axis=0)) <= 0).all() and found.codes.min() >= 0
    whole = np.linalg.norm(activations)
    assert found.relative_error == pytest.approx(np.linalg.norm(activations - found.codes @ found.atoms) / whole)


def test_of_starts_that_are_as_near_the_most_stable_is_kept(monkeypatch):
    """Two starts agree on one exact dictionary, a third found another."""
    odd, agreed = np.array([[1.0, 0.3], [0.3, 1.0]]), np.eye(2)
    draw = np.random.default_rng(0)
    activations = draw.uniform(0.2, 1, (30, 2)) @ odd
    asked = []

    def searched(given, *start, **options):
        asked.append(options["init"])
        atoms = odd if len(asked) == 1 else agreed
        return given @ np.linalg.inv(atoms), atoms

    monkeypatch.setattr("xsparks.numerics.nonnegative_factorization._searched", searched)
    found = nonnegative_factorization(activations, 2, starts=3, iterations=60)
    assert asked == ["nndsvda", "random", "random"]
    assert match_atoms(agreed, found.atoms)[1].min() == pytest.approx(1)
    assert found.stability == pytest.approx((1 + 1 / np.sqrt(1.09)) / 2, rel=1e-6)


def test_factorization_options_change_the_number_and_the_type_is_kept():
    activations, _ = planted(noise=0.3)
    base = nonnegative_factorization(activations.astype(np.float32), 5)
    assert base.atoms.dtype == base.codes.dtype == np.float32
    same = nonnegative_factorization(activations.astype(np.float32), 5)
    np.testing.assert_array_equal(base.atoms, same.atoms)
    for change in ({"seed": 1}, {"starts": 2}, {"iterations": 3}, {"tolerance": 0.1}):
        other = nonnegative_factorization(activations.astype(np.float32), 5, **change)
        assert not np.isclose(other.stability, base.stability, rtol=1e-9, atol=0), change
    # The start that is kept goes on after the others have ended.
    ended = nonnegative_factorization(activations, 5, iterations=60, tolerance=1e-9)
    assert nonnegative_factorization(activations, 5, tolerance=1e-9).relative_error < ended.relative_error - 1e-6
    assert np.isnan(nonnegative_factorization(activations, 5, starts=1).stability)


def test_the_search_ends_where_more_iterations_hardly_help(monkeypatch):
    activations, _ = planted(noise=0.3)
    name, done = "xsparks.numerics.nonnegative_factorization._searched", []

    def searched(*given, **options):
        done.append(options["max_iter"])
        return _searched(*given, **options)

    monkeypatch.setattr(name, searched)
    found = {tolerance: nonnegative_factorization(activations, 5, tolerance=tolerance) for tolerance in (1e-12, 2e-5)}
    race, long, short = done[:4], done[4:13], done[13 + 4 :]
    assert race == [60] * 4 and sum(long) == 340 and sum(short) < 340 and set(short) == {40}
    errors = {tolerance: each.relative_error for tolerance, each in found.items()}
    assert errors[1e-12] <= errors[2e-5] < (1 + 2e-4) * errors[1e-12]


def test_the_closed_form_is_what_the_design_estimates():
    draw = np.random.default_rng(5)
    contributions = draw.normal(size=(50, 10)) * draw.random((50, 10))
    exact = additive_total_order(contributions).numpy()
    np.testing.assert_allclose(exact.sum(axis=1), 1)
    np.testing.assert_allclose(exact, contributions**2 / (contributions**2).sum(axis=1, keepdims=True))
    design = make_design("scrambled_sobol", 128, 10, 0)
    base = contributions @ design.base.T
    shifted = base[..., None] + contributions[:, None, :] * (design.shifted - design.base)
    found = total_order("jansen", base, shifted, design.relative_step).numpy()
    assert np.abs(found - exact).max() < 0.05
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() >= 0.98
    tiny = additive_total_order(np.array([1e-30, -1e-30], np.float32)).numpy()
    assert tiny.dtype == np.float32 and tiny.tolist() == [0.5, 0.5]


def test_two_clusters_are_told_from_one():
    draw = np.random.default_rng(6)
    one = draw.normal(size=(60, 30)) * np.linspace(3, 0.1, 30)
    two = one + np.where(np.arange(60) < 20, 15, 0)[:, None] * np.eye(30)[4]
    assert two_clusters(one).p_value > 0.05 and two_clusters(one).separation < 2
    found = two_clusters(two)
    assert found.p_value < 1e-4 and found.index < two_clusters(one).index
    assert len({*found.labels[:20]}) == 1 and found.labels[0] not in found.labels[20:]
    for clouds in (draw.normal(size=(60, 40, 5)), draw.exponential(size=(60, 40, 5)), draw.normal(size=(20, 40, 50))):
        chance = np.array([two_clusters(cloud).p_value for cloud in clouds])
        assert (chance < 0.1).mean() <= 0.5 and chance.min() > 1e-4
    assert two_clusters(one, seed=1).separation != two_clusters(one).separation
    assert two_clusters(np.ones((9, 3))).p_value == 1
