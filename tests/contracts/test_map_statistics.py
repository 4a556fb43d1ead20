"""Laws that every metric obeys which looks at maps alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.contracts.cases import law
from tests.contracts.metric_cases import LAWS, MAP_STATISTICS, quick
from xsparks.alignment import HumanAlignment
from xsparks.attributions import SobolAttribution
from xsparks.engine import Score
from xsparks.metrics import Localisation

X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])
DRAW = np.random.default_rng(5)
MAPS = DRAW.normal(size=(5, 8, 12)).astype(np.float32)
MAPS[0, 3, 4] += 9  # a hit
MAPS[1, 0, 0] += 9  # a miss
REGIONS = np.zeros((5, 8, 12), bool)
REGIONS[np.arange(5), 2:6, 3:9] = True
REGIONS[2:, :4] = False

every_statistic = pytest.mark.parametrize("cls", MAP_STATISTICS, ids=lambda cls: cls.__name__)


def make(cls, regions=REGIONS, **options):
    given = (regions,) if issubclass(cls, Localisation | HumanAlignment) else ()
    return cls(*given, **quick(cls, **options))


def explainer() -> SobolAttribution:
    return SobolAttribution(models.convolutional(), grid_size=(2, 3), nb_design=2, smooth=False)


def test_statistics_are_found():
    assert {"Sparseness", "Entropy", "PointingGame", "RelevanceRank"} <= {cls.__name__ for cls in MAP_STATISTICS}


@every_statistic
def test_exemptions_are_of_laws_and_have_reasons(cls):
    assert set(cls.exempt) <= set(LAWS) and all(len(reason) > 20 for reason in cls.exempt.values())


@every_statistic
def test_one_value_a_map_and_maps_untouched(cls):
    maps, regions = MAPS.copy(), REGIONS.copy()
    score = make(cls).evaluate(maps)
    assert isinstance(score, Score) and score.per_sample.shape == (5,) and np.isfinite(score.per_sample).all()
    assert float(score) == pytest.approx(score.per_sample.mean())
    assert score.interval[0] <= float(score) <= score.interval[1] and np.ptp(score.per_sample) > 0
    assert score.metric == cls.__name__ and score.better == cls.better and "keras" in score.versions
    np.testing.assert_array_equal(maps, MAPS)
    np.testing.assert_array_equal(regions, REGIONS)


@every_statistic
@pytest.mark.parametrize("flat", [0.0, 1.0, -2.0])
def test_a_constant_map_has_a_finite_value(cls, flat):
    assert np.isfinite(make(cls).evaluate(np.full((5, 8, 12), flat)).per_sample).all()


@every_statistic
def test_a_value_depends_on_its_map_alone(cls):
    together = make(cls).evaluate(MAPS).per_sample
    for i in (4, 1):
        alone = make(cls, REGIONS[i : i + 1]).evaluate(MAPS[i : i + 1]).per_sample
        np.testing.assert_allclose(together[[i]], alone, rtol=1e-6)


@every_statistic
def test_every_form_of_maps_gives_the_same_value(cls):
    wanted = make(cls).evaluate(MAPS).per_sample
    for same in (MAPS[..., None], tf.constant(MAPS), np.stack([MAPS, MAPS], axis=-1), MAPS.astype(np.float64)):
        np.testing.assert_allclose(make(cls).evaluate(same).per_sample, wanted, rtol=1e-6)


@every_statistic
def test_an_explainer_is_explained_as_it_is_measured(cls):
    maps = explainer().explain(X, TARGETS)
    wanted = make(cls).evaluate(maps)
    found = make(cls, inputs=X, targets=TARGETS).evaluate(explainer())
    np.testing.assert_allclose(found.per_sample, wanted.per_sample, rtol=1e-5)
    assert found.method == wanted.method == "SobolAttribution"


@every_statistic
def test_maps_in_another_order_meet_their_own_samples(cls):
    maps = explainer().explain(X, TARGETS)
    wanted = make(cls, inputs=X).evaluate(maps).per_sample
    found = make(cls, inputs=X).evaluate(maps[[3, 1, 4, 0, 2]]).per_sample
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@every_statistic
def test_shuffling_the_places_changes_nothing_but_for_pictures(cls):
    """Places have no order: the value is the same when maps and regions are shuffled alike."""
    order = np.random.default_rng(1).permutation(96)
    maps, regions = (array.reshape(5, 96)[:, order].reshape(5, 8, 12) for array in (MAPS, REGIONS))
    with law(cls, "reordering"):
        np.testing.assert_allclose(
            make(cls, regions).evaluate(maps).per_sample, make(cls).evaluate(MAPS).per_sample, rtol=1e-5
        )


@every_statistic
def test_the_declared_direction_is_real(cls):
    """A map that is one on the region and zero elsewhere is better than a random one, and than its reverse."""
    regions = np.kron(REGIONS, np.ones((1, 4, 4), bool))
    right, noise = regions.astype(np.float32), DRAW.random((5, 32, 48))
    sign = 1 if cls.better == "higher" else -1
    best, random = (make(cls, regions).evaluate(maps).per_sample for maps in (right, noise))
    assert sign * best.mean() > sign * random.mean()
    if issubclass(cls, Localisation):
        np.testing.assert_allclose(best, 1)
        assert random.mean() > make(cls, regions).evaluate(-right).per_sample.mean()
