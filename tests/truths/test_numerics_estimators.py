"""Estimators of Sobol indices against analytic indices, and against the published formulas line by line."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from xsparks.numerics.sobol_designs import make_design
from xsparks.numerics.sobol_estimators import (
    ESTIMATORS,
    first_order,
    mean_power,
    output_differences,
    output_variance,
    signed_effect,
    total_order,
)

RANDOM = np.random.default_rng(5)


def ishigami(points):
    x = np.pi * (2 * points - 1)
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


ISHIGAMI_FIRST, ISHIGAMI_TOTAL = [0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437]

G_COEFFICIENTS = np.array([0.0, 0.5, 3.0, 9.0, 99.0])
# Partial variances of the g-function of Sobol: V_i = 1 / (3 (1 + a_i)^2).
G_PARTIAL = 1 / (3 * (1 + G_COEFFICIENTS) ** 2)
G_VARIANCE = np.prod(1 + G_PARTIAL) - 1
G_TOTAL = G_PARTIAL * np.prod(1 + G_PARTIAL) / (1 + G_PARTIAL) / G_VARIANCE


def g_function(points):
    return np.prod((np.abs(4 * points - 2) + G_COEFFICIENTS) / (1 + G_COEFFICIENTS), axis=-1)


LINEAR = np.array([3.0, -2.0, 1.0, 0.0])


def outputs(function, design):
    """f(A) `(N,)`, f(B) `(N,)`, f(C) `(N, d)`."""
    base, shifted = design.base, design.shifted
    changed = np.repeat(base[:, None], base.shape[1], axis=1)
    cells = np.arange(base.shape[1])
    changed[:, cells, cells] = shifted
    return function(base), function(shifted), function(changed)


@pytest.fixture(scope="module")
def many_rows():
    return {dimension: make_design("scrambled_sobol", 2**13, dimension, seed=1) for dimension in (3, 4, 5)}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_total_indices_of_three_functions(name, many_rows):
    for function, truth in (
        (ishigami, ISHIGAMI_TOTAL),
        (g_function, G_TOTAL),
        (lambda points: points @ LINEAR, LINEAR**2 / np.sum(LINEAR**2)),
    ):
        base, _, shifted = outputs(function, many_rows[len(truth)])
        np.testing.assert_allclose(total_order(name, base, shifted).numpy(), truth, atol=0.01)


def test_first_order_indices(many_rows):
    for function, truth in (
        (ishigami, ISHIGAMI_FIRST),
        (lambda points: 1000 + ishigami(points), ISHIGAMI_FIRST),
        (g_function, G_PARTIAL / G_VARIANCE),
        (lambda points: points @ LINEAR, LINEAR**2 / np.sum(LINEAR**2)),
    ):
        base, second, shifted = outputs(function, many_rows[len(truth)])
        np.testing.assert_allclose(first_order(base, second, shifted).numpy(), truth, atol=0.01)


def test_adding_a_constant_to_the_output_changes_no_first_order_index():
    a, b, c = RANDOM.normal(0, 1, 7), RANDOM.normal(0, 1, 7), RANDOM.normal(0.3, 1, (7, 3))
    found = first_order(a, b, c).numpy()
    np.testing.assert_allclose(first_order(a + 100, b + 100, c + 100).numpy(), found, rtol=1e-6)
    both = np.concatenate([a, b])
    expected = np.mean((b - both.mean())[:, None] * (c - a[:, None]), axis=0) / both.var()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_total_indices_of_binary_cells():
    # f = x1 x2 + x3 of fair bits: V = 3/16 + 1/4; totals (1/2 * 1/4, 1/8, 1/4) / V; flips need the relative step 2.
    design = make_design("binary_flip", 4096, 3, seed=0)
    base, _, shifted = outputs(lambda bits: bits[..., 0] * bits[..., 1] + bits[..., 2], design)
    truth = np.array([1 / 8, 1 / 8, 1 / 4]) / (7 / 16)
    np.testing.assert_allclose(total_order("jansen", base, shifted, design.relative_step).numpy(), truth, atol=0.02)


def test_the_step_makes_designs_comparable():
    truth = LINEAR**2 / np.sum(LINEAR**2)
    for name in ("half_shift", "scrambled_sobol", "latin_hypercube", "paper"):
        design = make_design(name, 64, 4, seed=0)
        base, _, shifted = outputs(lambda points: points @ LINEAR, design)
        indices = total_order("jansen", base, shifted, design.relative_step).numpy()
        np.testing.assert_allclose(indices / indices.sum(), truth, rtol=1e-9)
        assert abs(indices.sum() - 1) < 0.2, name


def published(name, a, c):
    """One cell, one estimator, as the publications write it, with every mean divided by N."""
    count = len(a)
    f0 = sum(a) / count
    variance = sum(a**2) / count - f0**2
    product = sum(a * c) / count
    if name == "homma":
        return (variance - product + f0**2) / variance
    if name == "saltelli":
        return 1 - (product - f0 * sum(c) / count) / variance
    if name == "janon":
        mean = sum(a + c) / (2 * count)
        return 1 - (product - mean**2) / (sum(a**2 + c**2) / (2 * count) - mean**2)
    return 1 - np.corrcoef(a, c)[0, 1]


@pytest.mark.parametrize("name", ESTIMATORS[1:])
def test_each_estimator_is_its_formula(name):
    a, c = RANDOM.normal(2, 1, 7), RANDOM.normal(2.5, 1, (7, 3))
    expected = [published(name, a, column) for column in c.T]
    np.testing.assert_allclose(total_order(name, a, c).numpy(), expected, rtol=1e-9)


def test_jansen_is_its_formula():
    a, c = RANDOM.normal(2, 1, 7), RANDOM.normal(2.5, 1, (7, 3))
    every = np.concatenate([a, c.ravel()])
    expected = [np.mean((a - column) ** 2) / (2 * np.var(every)) for column in c.T]
    np.testing.assert_allclose(total_order("jansen", a, c).numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(output_variance(a, c).numpy(), np.var(every), rtol=1e-12)


def test_saltelli_is_no_duplicate_of_homma():
    a, c = RANDOM.normal(2, 1, 7), RANDOM.normal(2.5, 1, (7, 3))
    homma, saltelli = total_order("homma", a, c).numpy(), total_order("saltelli", a, c).numpy()
    np.testing.assert_allclose(saltelli - homma, a.mean() * (c.mean(0) - a.mean()) / a.var(), rtol=1e-9)
    assert np.abs(saltelli - homma).min() > 0.1


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_adding_a_constant_to_the_output_changes(name):
    a, c = RANDOM.normal(0, 1, 7), RANDOM.normal(0.3, 1, (7, 3))
    same = np.allclose(total_order(name, a, c).numpy(), total_order(name, a + 100, c + 100).numpy(), rtol=1e-6)
    assert same == (name != "homma")


def test_janon_divides_by_the_variance_of_the_outputs_of_the_cell():
    a, c = RANDOM.normal(2, 1, 7), RANDOM.normal(2.5, 1, (7, 3))
    expected = [np.mean((a - column) ** 2) / (2 * np.var(np.concatenate([a, column]))) for column in c.T]
    np.testing.assert_allclose(total_order("janon", a, c).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_unused_cell_has_exactly_no_share(name):
    a = RANDOM.normal(2, 1, 4)
    # The published code gives 1 / N = .25 with Homma, and -1/3 of a second moment with Janon.
    assert abs(total_order(name, a, np.stack([a, 2 * a], axis=1)).numpy()[0]) < 1e-12


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("level", [0.0, 12.5, -3e6])
def test_a_constant_output_gives_zeros_in_spite_of_rounding(name, level):
    noise = np.random.default_rng(0).uniform(-1, 1, (3, 8, 6)).astype(np.float32) * abs(level) * np.float32(5e-7)
    every = (np.float32(level) + noise).astype(np.float32)
    base, shifted = every[..., 0], every[..., 1:]
    assert np.all(total_order(name, base, shifted).numpy() == 0)
    assert np.all(first_order(base, base[:, ::-1], shifted).numpy() == 0)
    assert np.all(output_differences(base, shifted).numpy() == 0)


def test_a_small_effect_on_a_large_output_is_no_constant():
    base, shifted = np.float32([100, 100.01]), np.float32([[100.01, 100], [100, 100.01]])
    np.testing.assert_allclose(total_order("jansen", base, shifted).numpy(), [2, 0], rtol=0.01)
    assert output_differences(base, shifted).numpy()[0, 0] != 0


def test_a_constant_sample_leaves_its_neighbour_alone():
    base, shifted = RANDOM.normal(size=(2, 8)), RANDOM.normal(size=(2, 8, 3))
    base[0], shifted[0] = 3, 3
    indices = total_order("jansen", base, shifted).numpy()
    np.testing.assert_array_equal(indices[0], 0)
    np.testing.assert_allclose(indices[1], total_order("jansen", base[1], shifted[1]).numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_single_row_and_a_silent_base_are_finite(name):
    single = total_order(name, [1.0], [[3.0, 1.0]]).numpy()
    # Jansen: V = 8/9 of (1, 3, 1); Janon: (1 - 3)^2 / (2 * 1). The others have no variance.
    np.testing.assert_allclose(single, {"jansen": [2.25, 0], "janon": [2, 0]}.get(name, [0, 0]), rtol=1e-6)
    silent = total_order(name, [0.0, 0.0, 5.0], [[0.0, 0.0], [0.0, 0.0], [0.0, 5.0]]).numpy()
    assert np.all(np.isfinite(silent)) and silent[0] > 0.5 and abs(silent[1]) < 1e-6


@pytest.mark.parametrize("name", ESTIMATORS[:3])
def test_a_variance_from_elsewhere(name):
    a, c = RANDOM.normal(0, 1, 7), RANDOM.normal(0, 1, (7, 3))
    own = output_variance(a, c) if name == "jansen" else np.var(a)
    given = total_order(name, a, c, variance=own).numpy()
    np.testing.assert_allclose(given, total_order(name, a, c).numpy(), rtol=1e-9)
    assert not np.allclose(total_order(name, a, c, variance=2 * own).numpy(), given)


def test_cells_that_never_moved_have_no_share():
    design = make_design("paper", 1, 3)
    assert np.all(design.step == 0)
    assert np.all(total_order("jansen", [1.0], [[1.0, 2.0, 1.0]], design.relative_step).numpy() == 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_types_axes_and_an_unknown_batch(name, dtype):
    base, second, shifted = (RANDOM.normal(size=size).astype(dtype) for size in ((2, 5, 8), (2, 5, 8), (2, 5, 8, 3)))
    step = np.full(3, 1.5)

    @tf.function(autograph=False)
    def indices(base, second, shifted):
        return total_order(name, base, shifted, step), first_order(base, second, shifted)

    function = indices.get_concrete_function(
        *(tf.TensorSpec((None, *x.shape[1:]), dtype) for x in (base, second, shifted))
    )
    for found, expected in zip(
        function(*map(tf.constant, (base, second, shifted))),
        (total_order(name, base, shifted, step), first_order(base, second, shifted)),
        strict=True,
    ):
        assert found.shape == (2, 5, 3) and found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    one = total_order(name, base[1, 4], shifted[1, 4], step)
    np.testing.assert_allclose(total_order(name, base, shifted, step)[1, 4], one, rtol=2e-4)


def test_all_outputs_tell_the_variance_best():
    # The figures in the docstring of `total_order`: root mean square errors relative to the variance.
    weights = np.random.default_rng(0).normal(size=49)
    truth = np.sum(weights**2) / 12
    errors = []
    for seed in range(300):
        base, _, shifted = outputs(lambda points: points @ weights, make_design("half_shift", 8, 49, seed))
        every = np.concatenate([base[:, None], shifted], axis=1)
        found = [output_variance(base, shifted), base.var(), base.var(ddof=1), every.var(axis=0, ddof=1).mean()]
        errors.append(np.array(found) / truth - 1)
    error = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.argmin(error) == 0
    np.testing.assert_allclose(error, [0.61, 0.65, 0.76, 0.72], atol=0.03)


@pytest.mark.parametrize("power", [0.5, 1, 1.5, 2])
def test_mean_power_is_its_formula(power):
    differences = RANDOM.normal(size=(2, 8, 3))
    expected = np.mean(np.abs(differences) ** power, axis=-2) ** (2 / power)
    np.testing.assert_allclose(mean_power(differences, power).numpy(), expected, rtol=1e-9)
    np.testing.assert_array_equal(mean_power(np.zeros((8, 3)), power).numpy(), 0)


def test_mean_power_of_tiny_and_huge_differences():
    differences = RANDOM.normal(size=(8, 3)).astype(np.float32)
    for scale in (np.float32(1e-18), np.float32(1e15)):
        found = mean_power(differences * scale, 1.5).numpy()
        np.testing.assert_allclose(found, mean_power(differences, 1.5).numpy() * scale**2, rtol=1e-4)


def test_mean_power_two_is_the_numerator_of_jansen():
    a, c = RANDOM.normal(size=8), RANDOM.normal(size=(8, 3))
    expected = total_order("jansen", a, c).numpy() * 2 * output_variance(a, c).numpy()
    np.testing.assert_allclose(mean_power(output_differences(a, c), 2).numpy(), expected, rtol=1e-9)


def test_the_signed_effect_of_a_linear_function_is_its_weight():
    design = make_design("half_shift", 8, 4, seed=0)
    base, _, shifted = outputs(lambda points: points @ LINEAR, design)
    total = total_order("jansen", base, shifted, design.relative_step)
    effect = signed_effect(base, shifted, design.base, design.shifted, total).numpy()
    np.testing.assert_allclose(effect / effect[0], LINEAR / LINEAR[0], atol=1e-9)
    assert effect[0] > 0


@pytest.mark.parametrize("name", ["half_shift", "latin_hypercube"])
def test_the_sign_vanishes_where_other_cells_decide_it(name):
    design = make_design(name, 512, 2, seed=0)
    base, _, shifted = outputs(lambda points: (2 * points[..., 0] - 1) * (2 * points[..., 1] - 1), design)
    effect = signed_effect(base, shifted, design.base, design.shifted, total=[1.0, 1.0]).numpy()
    assert np.abs(effect).max() < 0.15


def test_the_signed_effect_is_mean_slope_over_root_mean_square_slope():
    design = make_design("half_shift", 6, 3, seed=0)
    base, shifted = RANDOM.normal(size=6), RANDOM.normal(size=(6, 3))
    slope = (shifted - base[:, None]) / (design.shifted - design.base)
    expected = slope.mean(0) / np.sqrt(np.mean(slope**2, axis=0)) * np.sqrt([0.5, 0.25, 0])
    found = signed_effect(base, shifted, design.base, design.shifted, total=[0.5, 0.25, -0.1]).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)
