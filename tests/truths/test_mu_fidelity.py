"""MuFidelity against a slow twin, the right map of an additive model, and what the design of the subsets does."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.metrics import MuFidelity
from xsparks.numerics.subset_designs import MOST_BALANCED, subset_design
from xsparks.perturbations import sums_of_cells

MAPS = np.random.default_rng(5).normal(size=(5, 8, 12)).astype(np.float32)
ONES = np.ones((1, 8, 12, 3), np.float32)
DESIGNS = pytest.mark.parametrize("design", ["balanced", "antithetic", "independent"])


def metric(inputs=X, targets=TARGETS, model=None, **options) -> MuFidelity:
    options = {"grid_size": (4, 6), "samples": 30, **options}
    return MuFidelity(network() if model is None else model, inputs, targets, **options)


def twin(images, targets, maps, grid, members, correlation, reference, probability) -> np.ndarray:
    """One image, one subset, one pixel at a time."""

    def score(image, target) -> float:
        outputs = np.asarray(network()(image[None]), np.float64)[0]
        if probability:
            outputs = np.exp(outputs - outputs.max())
            outputs /= outputs.sum()
        return outputs[target]

    rows, columns = grid
    values = []
    for image, target, weights in zip(images, targets, maps, strict=True):
        sums, falls = [], []
        for subset in members:
            seen, total = image.copy(), 0.0
            for row in range(8):
                for column in range(12):
                    # The cell under the centre of the pixel.
                    cell = int((row + 0.5) * rows / 8) * columns + int((column + 0.5) * columns / 12)
                    if subset[cell]:
                        seen[row, column] = reference
                        total += float(weights[row, column])
            sums.append(total)
            falls.append(score(image, target) - score(seen, target))
        values.append({"spearman": spearmanr, "pearson": pearsonr}[correlation](sums, falls)[0])
    return np.array(values)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"correlation": "pearson", "score": "logit"},
        {"grid_size": (3, 5), "subset_fraction": 0.5, "baseline": 0.7},
        {"design": "antithetic", "seed": 3, "correlation": "pearson"},
    ],
    ids=str,
)
def test_the_value_is_that_of_the_definition(options):
    measured = metric(X[:2], TARGETS[:2], **options)
    grid, seed = options.get("grid_size", (4, 6)), options.get("seed", 0)
    cells = grid[0] * grid[1]
    size = round(options.get("subset_fraction", 0.2) * cells)
    members = subset_design(measured.design, 30, cells, size, seed)
    reference, probability = options.get("baseline", 0.0), options.get("score") != "logit"
    wanted = twin(X[:2], TARGETS[:2], MAPS[:2], grid, members, measured.correlation, reference, probability)
    np.testing.assert_allclose(measured.evaluate(MAPS[:2]).per_sample, wanted, atol=1e-4)


def additive():
    """A model that adds what pixels are worth, and the map that is right about each image."""
    weights = np.random.default_rng(2).normal(size=(8, 12)).astype(np.float32)
    return models.additive(weights), weights * X[..., 0]


@pytest.mark.parametrize("grid", [(4, 6), (3, 5), (8, 12)], ids=str)
def test_the_right_map_of_an_additive_model_has_one_and_its_reverse_minus_one(grid):
    """Also where the grid does not divide the image."""
    model, right = additive()
    for correlation, tolerance in (("pearson", 1e-6), ("spearman", 1e-4)):
        measured = metric(X, 0, model, grid_size=grid, correlation=correlation, samples=100)
        np.testing.assert_allclose(measured.evaluate(right).per_sample, 1, atol=tolerance)
        np.testing.assert_allclose(measured.evaluate(-right).per_sample, -1, atol=tolerance)
        np.testing.assert_allclose(measured.evaluate(3 * right).per_sample, 1, atol=tolerance)


@DESIGNS
def test_a_random_map_has_none_within_the_error(design):
    model, right = additive()
    images = np.repeat(X[:1], 60, axis=0)
    chance = np.random.default_rng(0).normal(size=(60, 8, 12))
    score = metric(images, 0, model, grid_size=(8, 12), samples=60, design=design).evaluate(chance)
    error = score.per_sample.std(ddof=1) / np.sqrt(60)
    assert abs(float(score)) < 3 * error < 0.1
    assert score.per_sample.max() < metric(X[:1], 0, model).evaluate(right[:1]).per_sample.min()


def test_nothing_to_rank_has_none():
    """A constant map, also on cells of unequal sizes, and a score that no subset changes."""
    for grid in ((4, 6), (3, 5)):
        flat = metric(grid_size=grid).evaluate(np.full((5, 8, 12), 0.3))
        np.testing.assert_array_equal(flat.per_sample, 0)
    for correlation in ("spearman", "pearson"):
        constant = metric(X, TARGETS, models.constant, correlation=correlation).evaluate(MAPS)
        np.testing.assert_array_equal(constant.per_sample, 0)


def test_equal_sums_share_their_rank():
    """Maps of a few values: many subsets have the same sum."""
    model, right = additive()
    whole = np.random.default_rng(1).integers(0, 3, (5, 8, 12))
    found = metric(X, 0, model, grid_size=(8, 12), samples=50).evaluate(whole / 10).per_sample
    members = subset_design("balanced", 50, 96, 19).astype(int)
    for value, weights, worth in zip(found, whole.reshape(5, -1), right.reshape(5, -1), strict=True):
        assert value == pytest.approx(spearmanr(members @ weights, members @ worth)[0], abs=1e-3)


class Spy:
    """A NumPy model that keeps the images it is shown."""

    def __init__(self):
        self.seen: list[np.ndarray] = []

    def __call__(self, inputs):
        inputs = np.asarray(inputs)
        self.seen.extend(inputs)
        return inputs.sum((1, 2, 3))[:, None]


@DESIGNS
def test_every_subset_has_exactly_its_size_and_all_samples_the_same(design):
    spy = Spy()
    images = np.repeat(ONES, 3, axis=0)
    measured = metric(images, 0, spy, design=design, samples=40)
    measured.evaluate(MAPS[:3])
    spy.seen.clear()
    measured.evaluate(MAPS[:3])
    hidden = 1 - np.array(spy.seen[3:])[..., 0].reshape(3, 40, 8, 12)
    assert measured.forwards(images) == 40
    np.testing.assert_array_equal(hidden.sum((2, 3)), 4 * round(0.2 * 24))
    np.testing.assert_array_equal(hidden[0], hidden[2])
    assert len(np.unique(hidden[0].reshape(40, -1), axis=0)) > 35


@DESIGNS
def test_designs(design):
    members = subset_design(design, 200, 81, 16, seed=4)
    assert members.shape == (200, 81) and members.dtype == bool and (members.sum(1) == 16).all()
    np.testing.assert_array_equal(members, subset_design(design, 200, 81, 16, seed=4))
    assert not (members == subset_design(design, 200, 81, 16, seed=5)).all()
    if design == "antithetic":
        assert not (members[::2] & members[1::2]).any()
    if design != "balanced":
        np.testing.assert_array_equal(members[:60], subset_design(design, 60, 81, 16, seed=4))


def test_where_there_are_few_subsets_each_is_asked_once():
    members = subset_design("balanced", 200, 6, 2)
    assert sorted(tuple(np.flatnonzero(row)) for row in members) == list(combinations(range(6), 2))
    assert metric(grid_size=(2, 3), subset_fraction=0.33).forwards(X) == 15


def test_a_balanced_design_is_even():
    members = subset_design("balanced", 200, 81, 16).astype(int)
    together = members.T @ members
    pairs, alone = together[np.triu_indices(81, 1)], np.diag(together)
    independent = subset_design("independent", 200, 81, 16).astype(int)
    chance = (independent.T @ independent)[np.triu_indices(81, 1)]
    assert np.ptp(alone) <= 1 and pairs.std() < 0.35 * chance.std()
    # Too many pairs: independent.
    cells = MOST_BALANCED + 1
    np.testing.assert_array_equal(*(subset_design(name, 20, cells, 40) for name in ("balanced", "independent")))


def deviations(size: int) -> dict[str, float]:
    """The spread over seeds of the correlation of noisy maps with scores that have interactions and saturate."""
    found = {}
    for design in ("balanced", "antithetic", "independent"):
        every = np.stack([subset_design(design, 100, 49, size, seed) for seed in range(25)]).astype(float)
        spreads = []
        for number in range(12):
            draw = np.random.default_rng(number)
            worth, pairs = draw.normal(size=49) ** 2, 0.1 * draw.normal(size=(49, 49))
            inner = every @ worth + ((every @ pairs) * every).sum(-1)
            sums, falls = every @ (worth + 2 * draw.normal(size=49)), np.tanh(inner / inner.mean())
            spreads.append(np.std([spearmanr(*rows)[0] for rows in zip(sums, falls, strict=True)], ddof=1))
        found[design] = float(np.mean(spreads))
    return found


def test_a_balanced_design_halves_the_error_and_antithetic_pairs_do_not():
    """Pairs even out the mean fall, but a correlation is made of products, which are even functions."""
    few, half = deviations(10), deviations(24)
    assert few["balanced"] < 0.75 * few["independent"] and half["balanced"] < 0.75 * half["independent"]
    assert few["antithetic"] > 0.85 * few["independent"] and half["antithetic"] > 1.1 * half["independent"]
    worth, means = np.random.default_rng(3).normal(size=49), {}
    for design in ("antithetic", "independent"):
        means[design] = np.std([(subset_design(design, 50, 49, 24, seed) @ worth).mean() for seed in range(30)])
    assert means["antithetic"] < 0.3 * means["independent"]


def test_each_option_changes_the_number():
    values = {
        "default": metric(),
        "grid_size": metric(grid_size=(4, 3)),
        "subset_fraction": metric(subset_fraction=0.4),
        "samples": metric(samples=31),
        "antithetic": metric(design="antithetic"),
        "independent": metric(design="independent"),
        "pearson": metric(correlation="pearson"),
        "baseline": metric(baseline=0.9),
        "noise": metric(baseline="noise"),
        "logit": metric(score="logit"),
        "seed": metric(seed=1),
        "output_layer": metric(output_layer="flatten"),
        "preprocess": metric(preprocess=lambda inputs: inputs * 2.0 - 1.0),
    }
    found = {name: float(each.evaluate(MAPS)) for name, each in values.items()}
    names = sorted(found, key=found.__getitem__)
    for one, following in pairwise(names):
        assert found[following] - found[one] > 1e-5, f"{one} and {following} give the same number"


def test_sums_of_cells_of_unequal_sizes():
    maps = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    found = sums_of_cells(maps, (3, 2)).reshape(2, 3, 2)
    assert found.dtype == np.float64
    # Centres of 7 rows in thirds: 2, 3, 2; of 5 columns in halves: 2, 3.
    np.testing.assert_allclose(found[:, 1, 1], maps[:, 2:5, 2:].sum((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.sum((1, 2)), maps.sum((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("shape", [(9,), (12, 3)], ids=["table", "series"])
def test_tables_and_series(shape):
    weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    inputs = np.random.default_rng(2).normal(size=(4, *shape)).astype(np.float32)
    axes = tuple(range(1, len(shape) + 1))
    model = lambda x: np.asarray(x * weights).sum(axes)[:, None]
    measured = MuFidelity(model, inputs, 0, grid_size=5, samples=50, subset_fraction=0.3)
    np.testing.assert_allclose(measured.evaluate(weights * inputs).per_sample, 1, atol=1e-4)
    np.testing.assert_allclose(measured.evaluate(-weights * inputs).per_sample, -1, atol=1e-4)
