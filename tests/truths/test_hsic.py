"""HSIC against its cubic definition, its p-values against chance, and the method against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.attributions import HSICAttribution
from xsparks.core.randomness import generator
from xsparks.numerics.hsic import balanced_bits, hsic_of_bits

ONES = np.ones((1, 8, 12, 3), np.float32)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def definition(values: np.ndarray, bits: np.ndarray, bandwidth: str = "distances") -> np.ndarray:
    """`tr(K H L H) / p^2` with both kernels written out."""
    count = len(values)
    if bandwidth == "outputs":
        sigma = np.median(values)
    else:
        sigma = np.median([abs(a - b) for i, a in enumerate(values) for b in values[:i] if a != b])
    outputs = np.exp(-((values[:, None] - values[None, :]) ** 2) / (2 * sigma**2))
    centring = np.eye(count) - np.ones((count, count)) / count
    found = []
    for column in bits.T.astype(float):
        kernel = 1 + 0.5 - (column[:, None] - column[None, :]) ** 2
        found.append(np.trace(kernel @ centring @ outputs @ centring) / count**2)
    return np.array(found)


@pytest.mark.parametrize("bandwidth", ["distances", "outputs"])
@pytest.mark.parametrize("count", [40, 41])
def test_the_closed_form_is_the_definition(bandwidth, count):
    bits = balanced_bits(count, 7, random())
    values = (bits @ random(1).normal(size=7) + random(2).normal(size=(3, count))).astype(np.float32)
    # Equal outputs, whose distances are no part of the median.
    values[1] = values[1].round() + 0.25
    found, p_value, sigma = hsic_of_bits(values, bits, bandwidth)
    for position in range(3):
        wanted = definition(values[position].astype(float), bits, bandwidth)
        np.testing.assert_allclose(found[position], wanted, rtol=1e-3, atol=1e-7)
    assert found.shape == p_value.shape == (3, 7) and (p_value == 1).numpy().all()
    if bandwidth == "outputs":
        np.testing.assert_allclose(sigma, np.abs(np.median(values, axis=1)))


def test_bits_that_are_not_balanced_are_centred():
    bits = random(3).random((30, 5)) < 0.2
    values = random(4).normal(size=(1, 30)).astype(np.float32)
    np.testing.assert_allclose(
        hsic_of_bits(values, bits)[0][0], definition(values[0].astype(float), bits), rtol=1e-3, atol=1e-7
    )


def test_distances_forget_zero_and_unit_and_outputs_do_not():
    bits = balanced_bits(60, 6, random())
    values = (bits @ random(1).normal(size=6) + random(2).normal(size=(1, 60))).astype(np.float32)
    found = {name: hsic_of_bits(values, bits, name)[0] for name in ("distances", "outputs")}
    moved = {name: hsic_of_bits(3 * values + 2, bits, name)[0] for name in ("distances", "outputs")}
    np.testing.assert_allclose(found["distances"], moved["distances"], rtol=1e-3)
    assert not np.allclose(found["outputs"], moved["outputs"], rtol=0.1)
    # Next to zero, the published bandwidth makes all cells alike.
    beside = values - np.median(values) + 1e-5
    alike = hsic_of_bits(beside, bits, "outputs")[0]
    np.testing.assert_allclose(alike, 0.5 / 60, rtol=0.02)
    # At zero there is none, and distances are taken.
    zero = np.concatenate([values[:, :20], np.zeros((1, 21), np.float32), -abs(values[:, :19])], axis=1)
    zero[:, :20] = abs(zero[:, :20])
    np.testing.assert_array_equal(*(hsic_of_bits(zero, bits, name)[0] for name in ("outputs", "distances")))


@pytest.mark.parametrize("count", [10, 13])
@pytest.mark.parametrize("bandwidth", ["distances", "outputs"])
def test_a_constant_depends_on_nothing(bandwidth, count):
    rounding = 1000 + 1e-4 * random().random((1, count))
    values = np.concatenate([np.full((1, count), 0.3), np.zeros((1, count)), rounding]).astype(np.float32)
    orders = random().permuted(np.tile(np.arange(count), (5, 1)), axis=1)
    found, p_value, sigma = hsic_of_bits(values, balanced_bits(count, 4, random()), bandwidth, orders)
    assert np.ptp(values[2]) > 0
    for array, wanted in ((found, 0), (p_value, 1), (sigma, 0)):
        np.testing.assert_array_equal(array, wanted)


def test_dependence_of_the_spread_is_seen_and_an_exclusive_or_is_not():
    bits = np.tile([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], (50, 1))
    bits[:, 2] = np.arange(200) % 8 > 3
    orders = random(3).permuted(np.tile(np.arange(200), (99, 1)), axis=1)
    spread = random(1).normal(size=200) * (1 + 4 * bits[:, 0])
    spread -= np.where(bits[:, 0], spread[bits[:, 0] == 1].mean(), spread[bits[:, 0] == 0].mean())
    assert abs(np.corrcoef(spread, bits[:, 0])[0, 1]) < 1e-9
    exclusive = (bits[:, 0] != bits[:, 1]).astype(float)
    found, p_value, _ = (
        np.asarray(each)
        for each in hsic_of_bits(np.stack([spread, exclusive]).astype(np.float32), bits, permutations=orders)
    )
    assert p_value[0, 0] == 0.01 and found[0, 0] > 3 * found[0, 1:].max()
    np.testing.assert_allclose(found[1], 0, atol=1e-6)


def test_p_values_count_the_orders_that_reach_the_number():
    bits = balanced_bits(20, 4, random(1))
    values = (bits @ [1.0, 0.5, 0.2, 0] + 0.5 * random(2).normal(size=20)).astype(np.float32)
    orders = random(3).permuted(np.tile(np.arange(20), (30, 1)), axis=1)
    found = definition(values.astype(float), bits)
    others = np.array([definition(values.astype(float), bits[order]) for order in orders])
    wanted = (1 + (others >= found - 1e-12).sum(0)) / 31
    np.testing.assert_allclose(hsic_of_bits(values[None], bits, permutations=orders)[1][0], wanted, rtol=1e-6)
    assert 0 < np.ptp(wanted) < 1


def test_equal_numbers_count_as_reached():
    """With two outputs and few rows many orders give the same number, up to rounding."""
    bits = balanced_bits(6, 3, random(5))
    values = bits[:, 0].astype(np.float32)
    orders = random(3).permuted(np.tile(np.arange(6), (400, 1)), axis=1)
    found, p_value, _ = hsic_of_bits(values[None], bits, permutations=orders)
    # The same halves, or each other's: 2 of 20.
    np.testing.assert_allclose(found[0, 0], 0.25 * (1 - np.exp(-0.5)), rtol=1e-5)
    assert float(p_value[0, 0]) == pytest.approx(0.1, abs=0.04)


def test_p_values_of_irrelevant_bits_are_uniform():
    bits = balanced_bits(64, 600, random(1))
    values = random(2).normal(size=(1, 64)).astype(np.float32)
    orders = random(3).permuted(np.tile(np.arange(64), (99, 1)), axis=1)
    p_value = np.asarray(hsic_of_bits(values, bits, permutations=orders)[1][0])
    assert p_value.min() >= 0.01 and p_value.max() <= 1
    assert p_value.mean() == pytest.approx(0.505, abs=0.04)
    for level in (0.05, 0.25, 0.5, 0.75):
        assert (p_value <= level).mean() == pytest.approx(level, abs=0.06)


def test_half_of_every_column_is_one():
    bits = balanced_bits(50, 300, random())
    assert bits.dtype == bool and (bits.sum(0) == 25).all() and (balanced_bits(7, 5, random()).sum(0) == 3).all()
    correlations = np.corrcoef(bits.T)[np.triu_indices(300, 1)]
    # Independent columns: the correlation has the deviation 1 / sqrt(p - 1).
    assert correlations.std() == pytest.approx(1 / 7, rel=0.05) and abs(correlations.mean()) < 0.005


def test_the_cells_of_an_additive_model_are_found():
    weights = np.zeros((8, 12))
    weights[0:4, 0:2], weights[4:8, 6:8], weights[4:8, 10:12] = 3, -2, 1.5
    wanted = np.zeros((2, 6), bool)
    wanted[0, 0] = wanted[1, 3] = wanted[1, 5] = True
    maps = HSICAttribution(models.additive(weights), grid_size=(2, 6), samples=256).explain(ONES, 0)
    assert maps.values.shape == maps.p_value.shape == (1, 2, 6, 1) and maps.shape == (1, 8, 12, 1)
    values, p_value = maps.values[0, :, :, 0], maps.p_value[0, :, :, 0]
    assert values[wanted].min() > 3 * values[~wanted].max() and values[0, 0] > values[1, 3] > values[1, 5]
    assert (p_value[wanted] == 1 / 200).all() and (p_value[~wanted] > 0.02).all()
    assert maps.bandwidth.shape == (1,) and 4 < maps.bandwidth[0] < 40


class Spy:
    """A NumPy model that keeps the images it is shown."""

    def __init__(self):
        self.seen: list[np.ndarray] = []

    def __call__(self, inputs):
        inputs = np.asarray(inputs)
        self.seen.extend(inputs)
        return inputs.sum((1, 2, 3))[:, None]


def test_every_cell_is_seen_in_half_of_the_masks():
    spy = Spy()
    method = HSICAttribution(spy, samples=30, grid_size=(2, 3))
    method.explain(ONES, 0)
    # The first call tries the model; each asks for the score of the image before it begins.
    spy.seen.clear()
    method.explain(ONES, 0)
    masks = np.array(spy.seen[1:])[..., 0]
    assert len(masks) == 30 == method.cost((8, 12, 3)).forwards
    np.testing.assert_array_equal(masks.mean(0), 0.5)
    assert (masks == masks[:, [0, 4]].repeat(4, 1)[:, :, [0, 4, 8]].repeat(4, 2)).all()
    assert len(np.unique(masks.reshape(30, -1), axis=0)) > 20


@pytest.mark.parametrize("bandwidth", ["distances", "outputs"])
def test_the_map_is_what_a_mask_at_a_time_gives(bandwidth):
    method = HSICAttribution(network(), samples=32, grid_size=(2, 3), bandwidth=bandwidth, perturbation="mean")
    maps = method.explain(X[:2], TARGETS[:2])
    bits = balanced_bits(32, 6, generator(0, 41))
    for position in range(2):
        image, scores = X[position], []
        for row in bits:
            mask = np.kron(row.reshape(2, 3), np.ones((4, 4)))[:, :, None]
            seen = image * mask + image.mean((0, 1)) * (1 - mask)
            scores.append(float(network()(seen[None].astype(np.float32))[0, TARGETS[position]]))
        wanted = definition(np.array(scores), bits, bandwidth)
        np.testing.assert_allclose(maps.values[position].ravel(), wanted, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 40},
        {"grid_size": (3, 2)},
        {"perturbation": "mean"},
        {"perturbation": "amplitude"},
        {"bandwidth": "outputs"},
        {"seed": 4},
    ],
    ids=str,
)
def test_every_option_changes_the_number(change):
    method = HSICAttribution(network(), samples=30, grid_size=(2, 3))
    maps = [each.explain(X[:1], 1).maps for each in (method, method.replace(**change))]
    assert not np.allclose(*maps, rtol=1e-2)


def test_permutations_change_the_p_values_alone():
    method = HSICAttribution(network(), samples=30, grid_size=(2, 3), permutations=9)
    few, many, none = (method.replace(permutations=number).explain(X[:2], 1) for number in (9, 99, 0))
    np.testing.assert_array_equal(few.values, many.values)
    np.testing.assert_array_equal(few.values, none.values)
    assert not np.allclose(few.p_value, many.p_value) and "p_value" not in none.extras
    np.testing.assert_allclose(few.p_value * 10, (few.p_value * 10).round(), atol=1e-5)


# Of a bit that decides between two scores: outputs of the same half have the kernel 1, others exp(-1/2).
DECIDES = 0.25 * (1 - np.exp(-0.5))


def test_tables():
    maps = HSICAttribution(lambda x: 5 * x[:, 1:2], samples=64).explain(np.ones((1, 4), np.float32), 0)
    assert maps.values.shape == maps.p_value.shape == (1, 4)
    assert maps.values[0, 1] == pytest.approx(DECIDES, rel=1e-4) and maps.bandwidth[0] == 5
    assert (maps.values[0, [0, 2, 3]] < 0.01).all() and maps.p_value[0, 1] == pytest.approx(1 / 200)


def test_series():
    """Two windows of three steps, each feature by itself."""
    method = HSICAttribution(lambda x: 5 * x[:, 1, 1:], samples=64, grid_size=2)
    maps = method.explain(np.ones((1, 6, 2), np.float32), 0)
    assert maps.values.shape == maps.p_value.shape == (1, 6, 2)
    np.testing.assert_allclose(maps.values[0, :3, 1], DECIDES, rtol=1e-4)
    assert (maps.values[0, 3:, 1] < 0.01).all() and (maps.values[0, :, 0] < 0.01).all()
    np.testing.assert_allclose(maps.p_value[0, :3, 1], 1 / 200)
    louder = method.replace(perturbation="amplitude").explain(np.arange(12, dtype=np.float32).reshape(1, 6, 2), 0)
    np.testing.assert_allclose(louder.values, maps.values, rtol=1e-4, atol=1e-6)


def test_within_a_graph_the_p_values_stay():
    method = HSICAttribution(network(), samples=24, grid_size=(2, 3), permutations=19)
    host = method.explain(X[:2], TARGETS[:2])
    graph = tf.function(method.explain)(tf.constant(X[:2]), tf.constant(TARGETS[:2]))
    np.testing.assert_allclose(graph, host.maps, rtol=1e-3, atol=1e-6)
