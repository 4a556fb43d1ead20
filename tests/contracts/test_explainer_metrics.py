"""Laws that every metric obeys which explains again what was changed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.contracts.metric_cases import EXPLAINER_METRICS, LAWS, quick
from xsparks.attributions import GradCAM, GradientInput, SobolAttribution
from xsparks.engine import Score

X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
every_metric = pytest.mark.parametrize("cls", EXPLAINER_METRICS, ids=lambda cls: cls.__name__)


@pytest.fixture(scope="module")
def model():
    return models.convolutional()


def make(cls, model, inputs, targets=None, **options):
    return cls(model, inputs, targets, **quick(cls, **options))


def value(cls, model, inputs=X, targets=TARGETS, explainer=GradientInput, **options):
    return make(cls, model, inputs, targets, **options).evaluate(explainer(model))


def test_metrics_are_found():
    assert {"AverageStability", "MaxSensitivity", "ModelRandomization", "RandomLogit"} <= {
        cls.__name__ for cls in EXPLAINER_METRICS
    }


@every_metric
def test_exemptions_are_of_laws_and_have_reasons(cls):
    assert set(cls.exempt) <= set(LAWS) and all(len(reason) > 20 for reason in cls.exempt.values())


@every_metric
def test_one_value_a_sample_and_nothing_is_touched(cls, model):
    images, weights = X.copy(), [np.array(weight) for weight in model.weights]
    score = value(cls, model, images)
    assert isinstance(score, Score) and score.per_sample.shape == (5,) and np.isfinite(score.per_sample).all()
    assert float(score) == pytest.approx(score.per_sample.mean()) and np.ptp(score.per_sample) > 0
    assert score.interval[0] <= float(score) <= score.interval[1]
    assert score.metric == cls.__name__ and score.better == cls.better and score.method == "GradientInput"
    np.testing.assert_array_equal(images, X)
    for before, after in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    if score.curve is not None:
        x, rows = score.curve
        assert rows.shape == (5, len(x)) and (np.diff(x) > 0).all() and all(score.axes)


@every_metric
@pytest.mark.parametrize("method", [GradCAM, SobolAttribution], ids=lambda method: method.__name__)
def test_real_explainers_of_other_families(cls, model, method):
    options = {"grid_size": (2, 3), "nb_design": 2, "smooth": False} if method is SobolAttribution else {}
    score = make(cls, model, X, TARGETS).evaluate(method(model, **options))
    assert np.isfinite(score.per_sample).all() and np.ptp(score.per_sample) > 0


@every_metric
def test_results_do_not_depend_on_the_batch_size(cls, model):
    wanted = value(cls, model).per_sample
    for size in (1, 7):
        found = make(cls, model, X, TARGETS, batch_size=size).evaluate(GradientInput(model, batch_size=size))
        np.testing.assert_allclose(found.per_sample, wanted, rtol=1e-3, atol=1e-5)


@every_metric
def test_a_value_depends_on_its_image_alone(cls, model):
    together = value(cls, model).per_sample
    alone = [value(cls, model, X[i : i + 1], TARGETS[i : i + 1]).per_sample[0] for i in (4, 1)]
    np.testing.assert_allclose(together[[4, 1]], alone, rtol=1e-3, atol=1e-5)


@every_metric
def test_every_kind_of_data_gives_the_same_value(cls, model):
    wanted = value(cls, model).per_sample
    pairs = tf.data.Dataset.from_tensor_slices((X, TARGETS))
    for inputs, targets in [(tf.constant(X), tf.constant(TARGETS)), (list(X), list(TARGETS)), (pairs.batch(2), None)]:
        np.testing.assert_allclose(value(cls, model, inputs, targets).per_sample, wanted, rtol=1e-3, atol=1e-5)


@every_metric
def test_known_maps_are_not_made_again(cls, model):
    metric, explainer = make(cls, model, X, TARGETS), GradientInput(model)
    wanted = metric.measure(explainer, X, TARGETS)
    maps = explainer.explain(X, TARGETS).maps[..., 0]
    found = metric.measure(explainer, X, TARGETS, maps)
    np.testing.assert_allclose(found["compared"], wanted["compared"], rtol=1e-4, atol=1e-6)
    other = metric.measure(explainer, X, TARGETS, np.random.default_rng(0).normal(size=maps.shape))
    assert not np.allclose(other["compared"], wanted["compared"])


@every_metric
def test_the_same_seed_gives_the_same_value(cls, model):
    one, again, other = (value(cls, model, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.per_sample, again.per_sample)
    assert one.interval == again.interval and not np.allclose(one.per_sample, other.per_sample, rtol=1e-6)


@every_metric
def test_nothing_is_traced_in_the_second_evaluation(cls):
    model, layer = models.recorded()
    metric, explainer = make(cls, model, X, TARGETS), GradientInput(model)
    first = metric.evaluate(explainer)
    traced = layer.calls
    np.testing.assert_array_equal(metric.evaluate(explainer).per_sample, first.per_sample)
    assert traced > 0 and layer.calls == traced


@every_metric
@pytest.mark.parametrize("kind", ["nested", "subclassed", "mixed"])
def test_every_kind_of_model(cls, kind):
    made = {"nested": models.nested, "subclassed": models.Subclassed, "mixed": models.mixed_precision}[kind]()
    score = value(cls, made)
    assert score.per_sample.shape == (5,) and np.isfinite(score.per_sample).all()


@every_metric
def test_no_global_seed_is_touched(cls, model):
    np.random.seed(3)
    tf.random.set_seed(3)
    expected = np.random.random(), float(tf.random.uniform(()))
    np.random.seed(3)
    tf.random.set_seed(3)
    value(cls, model)
    assert (np.random.random(), float(tf.random.uniform(()))) == expected
