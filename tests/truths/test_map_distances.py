"""Distances of maps against their definitions, separations against enumeration, intervals against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xsparks.numerics.clusters import cluster_bootstrap_interval, jackknife_interval
from xsparks.numerics.compared_maps import ComparedMaps
from xsparks.numerics.map_distances import NAMES, is_constant, map_distances
from xsparks.numerics.separation import Separator, smaller_p_value

MAPS = np.random.default_rng(0).normal(size=(4, 3, 12, 15)).round(1)


def unit(a: np.ndarray) -> np.ndarray:
    return (a - a.min()) / (a.max() - a.min())


def defined(a: np.ndarray, b: np.ndarray, name: str) -> float:
    """The distance of two maps `(h, w)`, written out."""
    rho = stats.spearmanr(a.ravel(), b.ravel())[0]
    if name.startswith("spearman"):
        return {"spearman": (1 - rho) / 2, "spearman_abs": 1 - abs(rho), "spearman_sqrt": np.sqrt(1 - abs(rho))}[name]
    if name == "dice":
        tops = [set(np.flatnonzero(m >= np.sort(m.ravel())[-18])) for m in (a, b)]
        return 1 - 2 * len(tops[0] & tops[1]) / (len(tops[0]) + len(tops[1]))
    a, b = unit(a), unit(b)
    return np.abs(a - b).mean() if name == "l1" else np.sqrt(((a - b) ** 2).mean())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ssim"])
def test_every_pair_has_the_distance_of_the_definition(name):
    found = map_distances(MAPS, name)
    assert found.shape == (4, 3, 3)
    for n in range(4):
        for a in range(3):
            for b in range(3):
                assert found[n, a, b] == pytest.approx(defined(MAPS[n, a], MAPS[n, b], name), abs=1e-7)


def test_structural_similarity_is_that_of_its_definition():
    """At the centre of a map that is larger than the window, with the Gaussian weights written out."""
    a, b = (unit(m) for m in MAPS[0, :2])
    found = map_distances(MAPS, "ssim")
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    padded = [np.pad(m, 5, mode="symmetric") for m in (a, b)]
    likeness = []
    for row in range(12):
        for column in range(15):
            p, q = (m[row : row + 11, column : column + 11] for m in padded)
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            variances = (window * (p - mean_p) ** 2).sum() + (window * (q - mean_q) ** 2).sum()
            covariance = (window * (p - mean_p) * (q - mean_q)).sum()
            luminance = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
            likeness.append(luminance * (2 * covariance + 9e-4) / (variances + 9e-4))
    assert found[0, 0, 1] == pytest.approx((1 - np.mean(likeness)) / 2, rel=1e-9)
    np.testing.assert_allclose(found, found.swapaxes(1, 2))
    np.testing.assert_allclose(np.diagonal(found, axis1=1, axis2=2), 0, atol=1e-12)


def test_the_scale_of_a_map_does_not_matter():
    scaled = MAPS * np.array([1e-6, 1, 1e5])[:, None, None] + 3
    for name in NAMES:
        np.testing.assert_allclose(map_distances(scaled, name), map_distances(MAPS, name), atol=1e-7)


def test_opposite_maps():
    pair = np.stack([MAPS[:, 0], -MAPS[:, 0]], axis=1)
    found = {name: map_distances(pair, name)[:, 0, 1] for name in ("spearman", "spearman_abs", "spearman_sqrt")}
    assert found["spearman"].tolist() == [1] * 4
    assert found["spearman_abs"].tolist() == found["spearman_sqrt"].tolist() == [0] * 4


def test_a_constant_map_agrees_with_none():
    maps = MAPS.copy()
    maps[1, 2] = 5
    maps[2, 0] = maps[2, 1] = 0
    assert is_constant(maps).tolist() == [[False] * 3, [False, False, True], [True, True, False], [False] * 3]
    for name in NAMES:
        found = map_distances(maps, name)
        assert np.isfinite(found).all()
        none = 0.5 if name == "spearman" else 1
        assert found[1, 2].tolist() == [none] * 3 and found[2, 0, 1] == none and found[1, 0, 1] < none


def test_maps_of_other_ranks():
    series, tables = MAPS[:, :, 0], MAPS[:, :, :1, 0]
    assert map_distances(MAPS.reshape(4, 3, 180)).tolist() == map_distances(MAPS).tolist()
    assert map_distances(series, "l1").shape == map_distances(np.repeat(tables, 3, axis=2)).shape == (4, 3, 3)


def test_a_function_measures_whole_groups():
    shapes = []

    def largest(a, b):
        shapes.append(a.shape)
        return np.abs(a - b).max(axis=(1, 2))

    found = map_distances(MAPS, largest)
    assert set(shapes) == {(4, 12, 15)}
    assert found[3, 0, 2] == np.abs(MAPS[3, 0] - MAPS[3, 2]).max()


# Separation


def test_a_separation_is_what_enumeration_finds():
    draw = np.random.default_rng(3)
    values, first = draw.integers(0, 12, 60) / 10 + np.repeat([0, 0.3], 30), np.repeat([True, False], 30)
    weights = draw.integers(0, 4, 60)
    copies, of_first = np.repeat(values, weights), np.repeat(first, weights)
    a, b = copies[of_first], copies[~of_first]
    sums = []
    for g in copies:
        above = (copies > g).any()
        tnr = (b > g).sum() / (copies > g).sum() if above else len(b) / len(copies)
        sums.append((a <= g).sum() / (copies <= g).sum() + tnr - 1)
    found = Separator(values, first).of(weights)
    assert found is not None
    assert found.recall == pytest.approx(max((a <= g).mean() - (b <= g).mean() for g in copies))
    assert found.precision == pytest.approx(max(sums)) and found.precision_mean == pytest.approx(np.mean(sums))
    assert found.auroc == pytest.approx(np.mean((a[:, None] < b) + (a[:, None] == b) / 2))
    assert (a <= found.threshold).mean() - (b <= found.threshold).mean() == pytest.approx(found.recall)
    assert found.recall == pytest.approx(stats.ks_2samp(a, b, alternative="greater")[0])
    assert Separator(copies, of_first).separation == pytest.approx(found)
    assert Separator(values, first).of(np.where(first, 1, 0)) is None


def test_the_p_value_is_one_sided():
    small, large = np.arange(8.0), np.arange(8.0) + 4
    assert smaller_p_value(small, large) < 0.2 and smaller_p_value(large, small) > 0.9


# Intervals


def test_the_bootstrap_draws_whole_clusters():
    draw = np.random.default_rng(4)
    clusters = np.repeat([3, 9, 4, 7, 1], [2, 1, 5, 3, 1])
    values = draw.normal(size=12)
    groups = [values[clusters == name] for name in np.unique(clusters)]
    again = np.random.default_rng([6, 1])
    means = [np.concatenate([groups[i] for i in again.integers(0, 5, 5)]).mean() for _ in range(300)]
    found = cluster_bootstrap_interval(lambda w: w @ values / w.sum(), clusters, seed=6, level=0.8, resamples=300)
    np.testing.assert_allclose(found, np.quantile(means, [0.1, 0.9]))


def test_undefined_draws_are_drawn_again():
    values = np.array([1.0, 2.0, 3.0])

    def only_with_the_first(weights):
        return None if weights[0] == 0 else float(weights @ values)

    low, high = cluster_bootstrap_interval(only_with_the_first, [0, 1, 2], resamples=200)
    assert 3 <= low < high <= 8
    assert cluster_bootstrap_interval(lambda w: float(w @ values), [5, 5, 5]) == (6, 6)


def test_the_bootstrap_covers_where_single_pairs_would_not():
    """Ten observations a cluster that are all alike: as if there were one."""
    covered, naive = 0, 0
    for trial in range(100):
        values = np.repeat(np.random.default_rng(trial).normal(size=30), 10)

        def mean(weights, values=values):
            return weights @ values / weights.sum()

        low, high = cluster_bootstrap_interval(mean, np.repeat(np.arange(30), 10), resamples=200)
        covered += low < 0 < high
        low, high = cluster_bootstrap_interval(mean, np.arange(300), resamples=200)
        naive += low < 0 < high
    assert covered >= 87 and naive <= 65


def test_the_jackknife_of_a_mean_is_student_s_interval():
    values = np.random.default_rng(5).normal(size=6)
    found = jackknife_interval(lambda w: w @ values / w.sum(), np.arange(6)[:, None], 6, level=0.9)
    np.testing.assert_allclose(found, stats.t.interval(0.9, 5, values.mean(), values.std(ddof=1) / np.sqrt(6)))


def test_the_jackknife_drops_every_pair_of_a_group():
    members, seen = [(0, 1), (0, 2), (1, 2)], []
    jackknife_interval(lambda w: seen.append(w.tolist()) or 1.0, members, 3)
    assert seen == [[1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


# Pairs


def test_pairs_are_those_of_the_model_without_and_each_with():
    distances = np.arange(2 * 4 * 4).reshape(2, 4, 4)
    right = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=bool)
    compared = ComparedMaps(np.array([7, 8]), np.array([1, 0]), distances, right, splits=2)
    pairs = compared.pairs()
    found = sorted(zip(*(array.tolist() for array in pairs[:4]), strict=True))
    assert found == [(0, 1, 0, 4), (0, 3, 2, 14), (1, 0, 1, 17), (1, 2, 3, 27)]
    assert pairs.sizes == {"same_pairs": 1, "different_pairs": 2, "dropped_pairs": 1}
    means, seen = pairs.mean_of_pictures(pairs.distance, 3)
    assert means.tolist() == [9, 22] and seen.tolist() == [True, True, False]
