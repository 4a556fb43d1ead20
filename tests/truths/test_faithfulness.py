"""LeRFMinusMoRF, AverageDrop, AverageIncrease and AverageGain against their formulas and slow twins."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.engine import Answers
from xsparks.metrics import (
    AverageDrop,
    AverageGain,
    AverageIncrease,
    Deletion,
    Insertion,
    LeRFMinusMoRF,
    MuFidelity,
)

MAPS = np.random.default_rng(5).normal(size=(5, 8, 12)).astype(np.float32)
MASKED = pytest.mark.parametrize("cls", [AverageDrop, AverageIncrease, AverageGain])
EVERY = pytest.mark.parametrize(
    "cls", [Deletion, Insertion, LeRFMinusMoRF, MuFidelity, AverageDrop, AverageIncrease, AverageGain]
)


def quick(cls, model=None, inputs=X, targets=TARGETS, **options):
    options = {**({"grid_size": (4, 6), "samples": 30} if cls is MuFidelity else {}), **options}
    return cls(network() if model is None else model, inputs, targets, **options)


WORTH = np.random.default_rng(2).normal(size=(8, 12)).astype(np.float32)


def two_sided(inputs):
    """A probability: pixels speak for the class or against it."""
    total = np.asarray(inputs[..., 0] * WORTH).sum((1, 2))
    return (1 / (1 + np.exp(2 - total)))[:, None]


@EVERY
def test_the_perfect_map_beats_chance_and_chance_the_reverse(cls):
    """Maps of the same values in three orders, so that none shows more of the image than another."""
    count = 20
    images = 0.5 + 0.5 * models.images(count)
    worth = (WORTH * images[..., 0]).reshape(count, -1)
    perfect = worth.argsort(1).argsort(1) / 95.0
    chance = np.random.default_rng(0).permuted(perfect, axis=1)
    metric = quick(cls, two_sided, images, 0)
    means = [float(metric.evaluate(maps.reshape(count, 8, 12))) for maps in (perfect, chance, 1 - perfect)]
    best, middle, worst = means if cls.better == "higher" else [-mean for mean in means]
    # Nothing is gained by chance nor by the reverse, so that they may be alike there.
    assert best > middle + 0.1 and (middle > worst + 0.1 or (means[1:] == [0, 0] and cls.better == "higher"))


@pytest.mark.parametrize("options", [{}, {"baseline": "mean", "steps": 7}, {"score": "logit"}], ids=str)
def test_the_difference_is_that_of_two_deletions(options):
    """The least relevant first is the deletion by the reverse of the map."""
    score = quick(LeRFMinusMoRF, **options).evaluate(MAPS)
    most, least = (quick(Deletion, **options).evaluate(maps) for maps in (MAPS, -MAPS))
    np.testing.assert_allclose(score.per_sample, least.per_sample - most.per_sample, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(score.curve[1], least.curve[1] - most.curve[1], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(score.curve[1][:, [0, -1]], 0, atol=1e-4)


def test_the_difference_changes_its_sign_with_the_map():
    forth, back = (quick(LeRFMinusMoRF).evaluate(maps).per_sample for maps in (MAPS, -MAPS))
    np.testing.assert_allclose(forth, -back, atol=1e-5)


def test_a_random_map_has_no_difference():
    images, count = np.repeat(X[:1], 40, axis=0), 40
    chance = np.random.default_rng(1).normal(size=(count, 8, 12))
    score = quick(LeRFMinusMoRF, None, images, 1).evaluate(chance).per_sample
    assert abs(score.mean()) < 3 * score.std(ddof=1) / np.sqrt(count)


class Counting:
    """A NumPy model that counts the images it is shown."""

    def __init__(self):
        self.shown = 0

    def __call__(self, inputs):
        inputs = np.asarray(inputs)
        self.shown += len(inputs)
        return two_sided(inputs)


def asked(metrics, known, maps) -> int:
    """Images shown to the one model of all metrics."""
    before = metrics[0].model.shown
    for metric in metrics:
        metric.measure(X, np.zeros(5, int), maps, known)
    return metrics[0].model.shown - before


def test_forwards_are_shared():
    """Three metrics for two paths; what does not depend on the map is asked once for every method."""
    model, steps = Counting(), 6
    paths = [cls(model, X, 0, steps=steps) for cls in (Deletion, Insertion, LeRFMinusMoRF)]
    masked = [quick(cls, model, X, 0) for cls in (AverageDrop, AverageIncrease, AverageGain)]
    fidelity = [quick(MuFidelity, model, X, 0)]
    known = Answers()
    for metric in (*paths, *masked, *fidelity):
        # The first call of a model tries it.
        metric.evaluate(MAPS)
    assert asked(paths, known, MAPS) == 5 + 2 * 5 * (steps + 1)
    assert asked(masked, known, MAPS) == 5 + 5 and asked(fidelity, known, MAPS) == 5 * 30
    other = known.for_other_maps()
    assert asked(paths, other, -MAPS) == 2 * 5 * (steps + 1)
    assert asked(masked, other, -MAPS) == 5 and asked(fidelity, other, -MAPS) == 0


def twin(cls, images, targets, maps, reference=0.0, probability=True) -> np.ndarray:
    """One image at a time."""

    def score(image, target) -> float:
        outputs = np.asarray(network()(image[None]), np.float64)[0]
        return (np.exp(outputs) / np.exp(outputs).sum() if probability else outputs)[target]

    values = []
    for image, target, weights in zip(images, targets, maps, strict=True):
        mask = ((weights - weights.min()) / (weights.max() - weights.min()))[..., None]
        whole, shown = score(image, target), score(mask * image + (1 - mask) * np.float32(reference), target)
        values.append(
            {
                AverageDrop: max(0, whole - shown) / whole if whole > 0 else 0.0,
                AverageIncrease: float(shown > whole),
                AverageGain: max(0, shown - whole) / (1 - whole) if whole < 1 else 0.0,
            }[cls]
        )
    return np.array(values)


@MASKED
def test_the_value_is_that_of_the_definition(cls):
    images, targets, maps = models.images(12), np.arange(12) % 4, np.tile(MAPS, (3, 1, 1))[:12]
    found = cls(network(), images, targets).evaluate(maps)
    wanted = twin(cls, images, targets, maps)
    np.testing.assert_allclose(found.per_sample, wanted, rtol=1e-3, atol=1e-5)
    assert 0 < float(found) < 1 and float(found) == pytest.approx(wanted.mean(), rel=1e-3)
    for options, known in (({"baseline": 0.7}, {"reference": 0.7}), ({"score": "logit"}, {"probability": False})):
        np.testing.assert_allclose(
            cls(network(), images, targets, **options).evaluate(maps).per_sample,
            twin(cls, images, targets, maps, **known),
            rtol=2e-3,
            atol=1e-4,
        )


def test_a_score_that_cannot_fall_or_rise_further():
    """Nothing to lose at 0, nothing to gain at 1."""
    for level, cls in ((0.0, AverageDrop), (-1.0, AverageDrop), (1.0, AverageGain), (2.0, AverageGain)):
        dims = lambda x, level=level: np.full((len(x), 1), level) + (np.asarray(x).sum((1, 2, 3)) < 100)[:, None]
        ones = np.ones((2, 8, 12, 3), np.float32)
        values = cls(dims, ones, 0).evaluate(MAPS[:2]).per_sample
        np.testing.assert_array_equal(values, 0)


@MASKED
def test_a_constant_map_shows_nothing(cls):
    black = np.asarray(network()(np.zeros((1, 8, 12, 3), np.float32)))[0]
    whole = np.asarray(network()(X))
    black, whole = (np.exp(each) / np.exp(each).sum(-1, keepdims=True) for each in (black, whole))
    whole, shown = whole[np.arange(5), TARGETS], black[TARGETS]
    wanted = {
        AverageDrop: np.maximum(0, whole - shown) / whole,
        AverageIncrease: shown > whole,
        AverageGain: np.maximum(0, shown - whole) / (1 - whole),
    }[cls]
    for level in (0.0, 0.4, -3.0):
        found = quick(cls).evaluate(np.full((5, 8, 12), level)).per_sample
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@MASKED
def test_the_scale_of_a_map_does_not_matter(cls):
    values = [quick(cls).evaluate(maps).per_sample for maps in (MAPS, 7 * MAPS + 3)]
    np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("cls", [AverageDrop, AverageGain, LeRFMinusMoRF])
def test_each_option_changes_the_number(cls):
    changes = {
        "default": {},
        "mean": {"baseline": "mean"},
        "blur": {"baseline": "blur"},
        "noise": {"baseline": "noise"},
        "other noise": {"baseline": "noise", "seed": 1},
        "number": {"baseline": 0.9},
        "output_layer": {"output_layer": "flatten"},
        "preprocess": {"preprocess": lambda inputs: inputs * 2.0 - 1.0},
        "logit": {"score": "logit"},
    }
    if cls is LeRFMinusMoRF:
        changes |= {"steps": {"steps": 5}, "imputed": {"baseline": "imputed"}}
    found = {name: float(quick(cls, **options).evaluate(MAPS)) for name, options in changes.items()}
    names = sorted(found, key=found.__getitem__)
    for one, following in pairwise(names):
        assert found[following] - found[one] > 1e-6, f"{one} and {following} give the same number"


def test_each_option_changes_how_many_scores_rise():
    images, targets, maps = models.images(20), np.arange(20) % 4, np.tile(MAPS, (4, 1, 1))
    for options in ({"baseline": 0.9}, {"score": "logit"}, {"preprocess": lambda inputs: 1 - inputs}):
        values = [AverageIncrease(network(), images, targets, **each).evaluate(maps) for each in ({}, options)]
        assert (values[0].per_sample != values[1].per_sample).any(), options


@EVERY
@pytest.mark.parametrize("shape", [(9,), (12, 3)], ids=["table", "series"])
def test_tables_and_series(cls, shape):
    weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    inputs = np.random.default_rng(2).normal(size=(6, *shape)).astype(np.float32)
    axes = tuple(range(1, len(shape) + 1))

    def model(x):
        return (1 / (1 + np.exp(-np.asarray(x * weights).sum(axes))))[:, None]

    options = {"grid_size": 5, "samples": 40} if cls is MuFidelity else {}
    metric = cls(model, inputs, 0, **options)
    right, reverse = (float(metric.evaluate(sign * weights * inputs)) for sign in (1, -1))
    assert right > reverse if cls.better == "higher" else right < reverse
