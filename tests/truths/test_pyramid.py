"""The pyramid of maps and its distance, against a slow twin and golden values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from xsparks.numerics.human_distances import at_most, cosine_distance, soft_rank_distance, soft_ranks
from xsparks.numerics.pyramid import at_peak_of, half_of, pyramid, pyramid_distance, standardise_cut
from xsparks.numerics.ranks import ranks, spearman

RANDOM = np.random.default_rng(3)
PAIR = RANDOM.normal(size=(2, 3, 20, 13))
DISTANCES = {"pyramid": lambda a, b: pyramid_distance(a, b, 4), "cosine": cosine_distance, "rank": soft_rank_distance}


def golden() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:64, :64].astype(np.float64)
    return np.sin(x / 5) * np.cos(y / 7), np.exp(-((x - 20) ** 2 + (y - 30) ** 2) / 200)


def slow_half(picture: np.ndarray) -> np.ndarray:
    """One level down, pixel by pixel: TensorFlow pads 1 before and 2 after an even side, 2 and 2 an odd one."""
    weights = np.array([1, 4, 6, 4, 1]) / 16
    rows, columns = (-(-side // 2) for side in picture.shape)
    before = [1 if side % 2 == 0 else 2 for side in picture.shape]
    answer = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            for a in range(5):
                for b in range(5):
                    y, x = 2 * i - before[0] + a, 2 * j - before[1] + b
                    if 0 <= y < picture.shape[0] and 0 <= x < picture.shape[1]:
                        answer[i, j] += weights[a] * weights[b] * picture[y, x]
    return answer


def slow_cut(picture: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
    return np.maximum(0, (picture - picture.mean()) / (picture.std() + epsilon))


def slow_distance(seen: np.ndarray, shown: np.ndarray, levels: int, standardisation: str, rescale: bool) -> float:
    def peaked(human: np.ndarray, model: np.ndarray) -> np.ndarray:
        return human / (human.max() + 1e-6) * (model.max() + 1e-6) if rescale else human

    if standardisation == "input":
        seen, shown = slow_cut(seen), slow_cut(shown)
    if standardisation != "level":
        shown = peaked(shown, seen)
    found = []
    for _ in range(levels):
        a, b = seen, shown
        if standardisation == "level":
            a, b = slow_cut(a), slow_cut(b)
            b = peaked(b, a)
        found.append(((a - b) ** 2).mean())
        seen, shown = slow_half(seen), slow_half(shown)
    return float(np.mean(found))


def test_the_golden_values_of_the_published_loss():
    saliency, human = (each[None] for each in golden())
    cut = standardise_cut(saliency)
    scaled = at_peak_of(standardise_cut(human), cut)
    found = [float(np.mean((a - b) ** 2)) for a, b in zip(pyramid(cut, 6), pyramid(scaled, 6), strict=True)]
    np.testing.assert_allclose(found, [0.557541, 0.508830, 0.394596, 0.200026, 0.053861, 0.008872], atol=1e-6)
    np.testing.assert_allclose(pyramid_distance(saliency, human), [0.342971], atol=1e-6)
    np.testing.assert_allclose(pyramid_distance(saliency, human, levels=6), [0.287288], atol=1e-6)
    np.testing.assert_allclose(pyramid_distance(saliency, human, rescale_peak=False), [0.641997], atol=1e-6)


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("standardisation", ["input", "level", "none"])
def test_the_distance_is_that_of_the_slow_twin(standardisation, rescale):
    seen, shown = PAIR[0], np.abs(PAIR[1])
    found = pyramid_distance(seen, shown, 4, standardisation, rescale)
    expected = [slow_distance(a, b, 4, standardisation, rescale) for a, b in zip(seen, shown, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (1, 5), (2, 3)])
def test_half_of_a_map_is_that_of_the_slow_twin(shape):
    picture = RANDOM.normal(size=shape)
    np.testing.assert_allclose(half_of(picture[None])[0], slow_half(picture), atol=1e-14)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_is_kept(name, dtype):
    assert DISTANCES[name](PAIR[0].astype(dtype), PAIR[1].astype(dtype)).dtype == dtype


@pytest.mark.parametrize("name", DISTANCES)
def test_a_constant_saliency_has_finite_derivatives(name):
    with tf.GradientTape() as tape:
        saliency = tf.zeros((3, 20, 13), tf.float64)
        tape.watch(saliency)
        distance = DISTANCES[name](saliency, PAIR[1])
    slope: Any = tape.gradient(distance, saliency)
    assert np.isfinite(distance).all() and np.isfinite(slope).all()


@pytest.mark.parametrize("name", DISTANCES)
def test_the_derivative_is_that_of_finite_differences(name):
    saliency = tf.Variable(PAIR[0])
    with tf.GradientTape() as tape:
        # The peak is taken as a constant on purpose: its own slope is left out of both sides.
        distance = tf.reduce_sum(DISTANCES[name](saliency, PAIR[1]) if name != "pyramid" else unpeaked(saliency))
    slope = tape.gradient(distance, saliency)
    way = RANDOM.normal(size=PAIR[0].shape)
    ends = [
        tf.reduce_sum(
            DISTANCES[name](PAIR[0] + step * way, PAIR[1]) if name != "pyramid" else unpeaked(PAIR[0] + step * way)
        )
        for step in (1e-6, -1e-6)
    ]
    assert float(ends[0] - ends[1]) / 2e-6 == pytest.approx(float(tf.reduce_sum(slope * way)), rel=1e-5)


def unpeaked(saliency):
    return pyramid_distance(saliency, PAIR[1], 4, "level", rescale_peak=False)


def test_the_peak_has_no_slope():
    saliency = tf.Variable(np.abs(PAIR[0]))
    with tf.GradientTape() as tape:
        scaled = at_peak_of(np.abs(PAIR[1]), saliency)
    assert tape.gradient(scaled, saliency) is None


@pytest.mark.parametrize("name", DISTANCES)
def test_the_scale_of_a_map_does_not_matter(name):
    distance = DISTANCES[name]
    expected = distance(PAIR[0], PAIR[1])
    np.testing.assert_allclose(distance(PAIR[0], 1e3 * PAIR[1]), expected, rtol=1e-3)
    assert not np.allclose(distance(PAIR[0], -PAIR[1]), expected, rtol=1e-2)


def test_epsilon_counts_for_small_values():
    small = 1e-6 * PAIR[0]
    assert not np.allclose(pyramid_distance(small, PAIR[1], 4), pyramid_distance(small, PAIR[1], 4, epsilon=1e-12))
    np.testing.assert_allclose(cosine_distance(small, PAIR[1]), cosine_distance(PAIR[0], PAIR[1]))


def test_cold_soft_ranks_are_ranks():
    values = RANDOM.integers(0, 6, (4, 30)).astype(float)
    np.testing.assert_allclose(soft_ranks(values, 1e-3), ranks(values))
    warm = np.asarray(soft_ranks(values, 5.0))
    assert np.ptp(warm) < np.ptp(ranks(values)) and np.allclose(warm.mean(axis=-1), 15.5)


def test_the_cold_soft_rank_distance_is_spearman():
    flat = PAIR.reshape(2, 3, -1)
    cold = soft_rank_distance(PAIR[0], PAIR[1], temperature=1e-8, side=20)
    np.testing.assert_allclose(cold, (1 - spearman(flat[0], flat[1])) / 2, atol=1e-6)
    assert not np.allclose(soft_rank_distance(PAIR[0], PAIR[1], temperature=1.0, side=20), cold, rtol=1e-4)
    assert not np.allclose(soft_rank_distance(PAIR[0], PAIR[1], side=5), cold, rtol=1e-2)


def test_large_maps_are_halved_until_they_are_small_enough():
    assert at_most(PAIR[0], 20).shape == (3, 20, 13)
    np.testing.assert_array_equal(at_most(PAIR[0], 6), half_of(half_of(PAIR[0])))
