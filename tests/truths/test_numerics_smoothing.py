"""The smoother of maps: its published value, a slow twin, and what must not change a map."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from xsparks.numerics.grid_kernels import grid_kernels
from xsparks.numerics.latent_map import latent_map
from xsparks.numerics.ranks import spearman
from xsparks.numerics.smoothing import (
    gradient_guide,
    gradient_statistic,
    output_statistic,
    smooth_gradients,
    smooth_rows,
    smooth_rows_by_gradients,
    smooth_rows_by_outputs,
)

RANDOM = np.random.default_rng(3)
GRID = (7, 7)


def noisy_maps(count, degrees, cells=49, seed=0):
    """Maps with a bump, and Gamma noise around them."""
    draw = np.random.default_rng(seed)
    side = int(np.sqrt(cells))
    places = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2) * 7 / side
    centres = draw.uniform(1, 5, (count, 1, 2))
    truth = np.exp(1.5 * np.exp(-np.sum((places - centres) ** 2, axis=-1) / 6))
    return truth * draw.gamma(degrees / 2, 2 / degrees, truth.shape), truth


def distances_and_profile():
    """For 7 x 7 cells, as the recipe writes them."""
    row, column = np.divmod(np.arange(49), 7)
    distance = np.hypot(row[:, None] - row, column[:, None] - column)
    squared = ((row - 3) / 3) ** 2 + ((column - 3) / 3) ** 2
    return distance, squared - squared.mean()


def slow_twin(m, nu, kernel, mu=0.0):
    """The log map of one sample, line by line."""
    kernel = kernel + 25
    scale = m.mean()
    m, h = m / scale, nu / 2
    mu = mu - np.mean(mu)
    eta = np.log(m / 2 + 0.5)
    for _ in range(30):
        e = m * np.exp(-eta)
        w = h * np.maximum(e, 1e-6)
        b = w * (eta - mu) + h * (e - 1)
        s = np.sqrt(w)
        alpha = b - s * np.linalg.solve(np.eye(len(m)) + s[:, None] * kernel * s, s * (kernel @ b))
        step = np.clip(mu + kernel @ alpha - eta, -2, 2)
        eta = eta + step
        if np.abs(step).max() < 1e-5:
            break
    inner = np.linalg.inv(np.eye(len(m)) + s[:, None] * kernel * s)
    covariance = kernel - kernel @ (s[:, None] * inner * s) @ kernel
    return eta + np.log(scale), np.diag(covariance)


DISTANCE, PROFILE = distances_and_profile()
CENTRE = np.outer(PROFILE, PROFILE)


def test_the_published_value():
    cells = np.arange(49)
    m = 1 + ((7919 * cells) % 97) / 97
    m[24] = 9
    log_map = np.log(smooth_rows(m, GRID, 8).numpy())
    expected = [0.199670, 0.457404, 1.414581, 0.744320, 0.708555, 0.386261]
    np.testing.assert_allclose(log_map[[0, 6, 24, 25, 31, 48]], expected, atol=1e-5)


@pytest.mark.parametrize("rows", [2, 8, 32])
@pytest.mark.parametrize("centre", [True, False])
def test_rows_against_the_twin(rows, centre):
    kernel = 0.3 * np.exp(-(DISTANCE**2) / 2) + 0.1 * np.eye(49)
    kernel = kernel + (0.5 * CENTRE if centre else np.exp(-(DISTANCE**2) / 18))
    maps, _ = noisy_maps(3, 0.7 * rows)
    found = smooth_rows(maps, GRID, rows, centre, return_variance=True)
    for sample in range(3):
        eta, variance = slow_twin(maps[sample], 0.7 * rows, kernel)
        np.testing.assert_allclose(np.log(found.maps[sample]), eta, atol=1e-6)
        np.testing.assert_allclose(found.log_variance[sample], variance, rtol=1e-4)


def test_outputs_against_the_twin():
    maps, _ = noisy_maps(2, 5.6)
    every, _ = noisy_maps(2, 16, seed=4)
    found = smooth_rows_by_outputs(maps, every, GRID, 8).numpy()
    broad = 0.5 * np.exp(-(DISTANCE**2) / 3.92) + CENTRE + 0.5 * np.exp(-(DISTANCE**2) / 18)
    for sample in range(2):
        sv, _ = slow_twin(every[sample], 16, broad)
        centred = sv - sv.mean()
        kernel = 0.3 * np.exp(-(DISTANCE**2) / 2) + 0.1 * np.eye(49) + 0.1 * CENTRE + 0.3 * np.outer(centred, centred)
        np.testing.assert_allclose(np.log(found[sample]), slow_twin(maps[sample], 5.6, kernel, 0.8 * sv)[0], atol=1e-5)


@pytest.mark.parametrize("masks", [16, 200])
def test_gradients_against_the_twin(masks):
    maps, _ = noisy_maps(2, 5.6)
    slopes, _ = noisy_maps(2, 5, seed=4)
    alone = smooth_gradients(slopes, GRID, masks).numpy()
    mixed = smooth_rows_by_gradients(maps, gradient_guide(slopes, GRID, masks), GRID, 8).numpy()
    near = np.exp(-(DISTANCE**2) / 2)
    for sample in range(2):
        kernel = 0.3 * near + 0.1 * np.eye(49) + 0.5 * CENTRE
        np.testing.assert_allclose(np.log(alone[sample]), slow_twin(slopes[sample], 0.3 * masks, kernel)[0], atol=1e-5)
        sg, _ = slow_twin(slopes[sample], min(0.3 * masks, 20), kernel)
        centred = sg - sg.mean()
        kernel = 0.2 * near + 0.1 * np.eye(49) + 0.2 * np.outer(centred, centred) + 0.1 * CENTRE
        np.testing.assert_allclose(np.log(mixed[sample]), slow_twin(maps[sample], 5.6, kernel, 0.8 * sg)[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["rows", "guided"])
def test_a_map_does_not_depend_on_its_neighbours_in_the_batch(kind):
    maps, _ = noisy_maps(6, 2)
    maps[3] = 10.0 ** RANDOM.uniform(-6, 6, 49)  # takes many more steps than the others
    guide = RANDOM.normal(size=(6, 49))

    def smooth(maps, guide):
        return (
            smooth_rows(maps, GRID, 4, return_variance=True)
            if kind == "rows"
            else smooth_rows_by_gradients(maps, guide, GRID, 4, return_variance=True)
        )

    together = smooth(maps, guide)
    for sample in range(6):
        single = smooth(maps[sample], guide[sample])
        np.testing.assert_allclose(together.maps[sample], single.maps, rtol=1e-10)
        np.testing.assert_allclose(together.log_variance[sample], single.log_variance, rtol=1e-8)


def test_a_sample_that_has_settled_stays(monkeypatch):
    # With a coarse stop each further step would show.
    monkeypatch.setattr("xsparks.numerics.latent_map._CONVERGED", 0.3)
    maps, _ = noisy_maps(6, 2)
    maps[3] = 10.0 ** RANDOM.uniform(-6, 6, 49)
    together = smooth_rows(maps, GRID, 4)
    for sample in range(6):
        np.testing.assert_allclose(together[sample], smooth_rows(maps[sample], GRID, 4), rtol=1e-10)


def test_the_newton_steps_end_at_the_mode():
    # Zero gradient of the log posterior: K^-1 (eta - mu) = h (m exp(-eta) - 1).
    maps, _ = noisy_maps(1, 1)
    maps[0, :9] = 0
    maps[0, 20] = 1000
    kernel = grid_kernels(7, 7).near(2.0) + 0.1 * np.eye(49)
    eta = np.log(latent_map(maps, 3.0, kernel).maps.numpy()[0] / maps.mean())
    pull = np.linalg.solve(kernel + 25, eta)
    np.testing.assert_allclose(pull, 1.5 * (maps[0] / maps.mean() * np.exp(-eta) - 1), atol=1e-5)


def test_constant_models_and_silent_cells():
    maps, _ = noisy_maps(3, 4)
    maps[0] = 0
    maps[1, 5] = 0
    found = smooth_rows(maps, GRID, 8, return_variance=True)
    np.testing.assert_array_equal(found.maps[0], 0)
    np.testing.assert_array_equal(found.log_variance[0], 0)
    assert np.all(found.maps[1:] > 0) and np.all(np.isfinite(found.maps))
    # One silent cell is taken for noise among its neighbours, but stays below what its neighbours' level would be.
    filled = maps[1].copy()
    filled[5] = filled[[4, 6, 12]].mean()
    assert 0 < found.maps[1, 5] < smooth_rows(filled, GRID, 8)[5]
    nothing = np.zeros((3, 49))
    for answer in (
        smooth_rows_by_outputs(maps, nothing, GRID, 8),
        smooth_rows_by_gradients(maps, gradient_guide(nothing, GRID, 8), GRID, 8),
    ):
        assert np.all(np.isfinite(answer)) and np.all(answer[0] == 0) and np.all(answer[1:] > 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_shown_and_stays_with_its_sample(bad):
    maps, _ = noisy_maps(3, 4)
    whole = smooth_rows(maps, GRID, 8, return_variance=True).maps.numpy()
    broken = maps.copy()
    broken[1, 7] = bad
    found = smooth_rows(broken, GRID, 8, return_variance=True)
    assert np.all(np.isnan(found.maps[1])) and np.all(np.isnan(found.log_variance[1]))
    np.testing.assert_allclose(found.maps.numpy()[[0, 2]], whole[[0, 2]], rtol=1e-10)
    guided = smooth_rows_by_outputs(maps, broken, GRID, 8).numpy()
    assert np.all(np.isnan(guided[1])) and np.all(np.isfinite(guided[[0, 2]]))


def test_a_cell_that_was_never_evaluated_is_interpolated():
    maps, truth = noisy_maps(1, 400)
    rows = np.full(49, 400.0)
    rows[24] = 0
    for nonsense in (0.0, 1e6, np.nan):
        maps[0, 24] = nonsense
        found = smooth_rows(maps, GRID, rows, return_variance=True)
        np.testing.assert_allclose(found.maps[0, 24], truth[0, 24], rtol=0.25)
        assert found.log_variance[0, 24] > 10 * found.log_variance[0, 25]


def test_units_pass_through():
    maps, _ = noisy_maps(1, 4)
    for scale in (1e-12, 1e9):
        np.testing.assert_allclose(smooth_rows(maps * scale, GRID, 8), smooth_rows(maps, GRID, 8) * scale, rtol=1e-9)


def test_single_precision_comes_back_and_is_computed_in_double():
    maps, _ = noisy_maps(4, 2)
    single = smooth_rows(maps.astype(np.float32), GRID, 4, return_variance=True)
    assert single.maps.dtype == tf.float32 and single.log_variance.dtype == tf.float32
    np.testing.assert_allclose(single.maps, smooth_rows(maps, GRID, 4), rtol=2e-6)


@pytest.mark.parametrize("guided", [False, True])
def test_axes_and_an_unknown_batch(guided):
    maps = noisy_maps(6, 4)[0].reshape(2, 3, 49)
    every = noisy_maps(6, 4, seed=2)[0].reshape(2, 3, 49)

    def smooth(maps, every, rows):
        if guided:
            return smooth_rows_by_outputs(maps, every, GRID, rows)
        return smooth_rows(maps, GRID, rows)

    function = tf.function(smooth, autograph=False).get_concrete_function(
        *[tf.TensorSpec((None, 3, 49), tf.float64)] * 2, tf.TensorSpec((), tf.int32)
    )
    found = function(tf.constant(maps), tf.constant(every), tf.constant(8))
    expected = smooth(maps, every, 8)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert function(tf.constant(maps[:0]), tf.constant(every[:0]), tf.constant(8)).shape == (0, 3, 49)


def test_smoothing_ranks_cells_better_and_knows_its_error():
    maps, truth = noisy_maps(40, 5.6)
    found = smooth_rows(maps, GRID, 8, return_variance=True)
    assert np.mean(spearman(found.maps, truth)) > np.mean(spearman(maps, truth)) + 0.15
    score = (np.log(found.maps) - np.log(truth)) / np.sqrt(found.log_variance)
    assert 0.8 < np.mean(np.abs(score) < 1.96) <= 1
    assert np.mean(smooth_rows(maps, GRID, 64, return_variance=True).log_variance) < 0.5 * np.mean(found.log_variance)


def test_a_guide_counts_less_as_rows_grow():
    maps, _ = noisy_maps(1, 4)
    guide = RANDOM.normal(size=(1, 49))
    moved = [
        np.std(np.log(smooth_rows_by_gradients(maps, guide, GRID, rows)) - np.log(smooth_rows(maps, GRID, rows)))
        for rows in (2, 8, 64, 1000)
    ]
    assert moved == sorted(moved, reverse=True) and moved[0] > 10 * moved[-1]


def test_lengths_stay_the_same_in_the_picture():
    seven, fourteen = grid_kernels(7, 7), grid_kernels(14, 14)
    np.testing.assert_allclose(seven.squared_distance, DISTANCE**2, atol=1e-12)
    np.testing.assert_allclose(seven.profile, PROFILE, atol=1e-12)
    # From cell (0, 0) to (2, 4) of 14 x 14 as from (0, 0) to (1, 2) of 7 x 7.
    assert fourteen.squared_distance[0, 2 * 14 + 4] == pytest.approx(seven.squared_distance[0, 7 + 2])
    oblong = grid_kernels(4, 8)
    assert oblong.squared_distance.shape == (32, 32)
    assert oblong.squared_distance[0, 1] == pytest.approx((7 / 8) ** 2)
    assert oblong.squared_distance[0, 8] == pytest.approx((7 / 4) ** 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 8), (14, 14)])
def test_other_grids(shape):
    cells = shape[0] * shape[1]
    maps = RANDOM.gamma(2, 1, (2, cells))
    found = smooth_rows(maps, shape, 8, return_variance=True)
    assert np.all(found.maps > 0) and np.all(found.log_variance > 0)
    turned = maps.reshape(2, *shape).transpose(0, 2, 1).reshape(2, cells)
    expected = found.maps.numpy().reshape(2, *shape).transpose(0, 2, 1).reshape(2, cells)
    np.testing.assert_allclose(smooth_rows(turned, shape[::-1], 8), expected, rtol=1e-6)


def test_the_statistic_of_all_outputs():
    base, shifted = RANDOM.normal(size=(2, 8, 5)), RANDOM.normal(size=(2, 8, 3, 5))
    base[..., 4], shifted[..., 4] = 7, 7 + 1e-16  # a constant output
    expected = np.mean((base[:, :, None] - shifted) ** 2, axis=(1, 3))
    np.testing.assert_allclose(output_statistic(base, shifted).numpy(), expected, rtol=1e-9)


def test_the_statistic_of_gradients():
    gradients, points = RANDOM.standard_t(2, (2, 16, 3)), RANDOM.random((16, 3))
    weights = np.sqrt(1 - points)
    expected = (np.sum(weights * np.sqrt(np.abs(gradients)), axis=1) / weights.sum(0)) ** 4
    np.testing.assert_allclose(gradient_statistic(gradients, points).numpy(), expected, rtol=1e-9)
    tiny = gradient_statistic(np.float32(gradients) * np.float32(1e-18), points).numpy()
    np.testing.assert_allclose(tiny, expected * 1e-36, rtol=1e-3)
    points[:, 1] = 1
    assert gradient_statistic(gradients, points).numpy()[0, 1] == 0
    assert np.all(gradient_statistic(np.zeros((16, 3)), points).numpy() == 0)
