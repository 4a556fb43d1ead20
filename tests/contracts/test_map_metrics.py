"""Laws that every metric obeys which asks a model about maps."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.contracts.cases import law
from tests.contracts.metric_cases import LAWS, MAP_METRICS, quick
from xsparks.attributions import SobolAttribution
from xsparks.engine import Score

X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])
MAPS = np.random.default_rng(5).normal(size=(5, 8, 12)).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
every_metric = pytest.mark.parametrize("cls", MAP_METRICS, ids=lambda cls: cls.__name__)


@pytest.fixture(scope="module")
def model():
    return models.convolutional()


def make(cls, model, inputs, targets=None, **options):
    return cls(model, inputs, targets, **quick(cls, **options))


def explainer(model, **options) -> SobolAttribution:
    return SobolAttribution(model, grid_size=(2, 3), nb_design=2, smooth=False, **options)


def test_metrics_are_found():
    assert {"Deletion", "Insertion"} <= {cls.__name__ for cls in MAP_METRICS}


@every_metric
def test_exemptions_are_of_laws_and_have_reasons(cls):
    assert set(cls.exempt) <= set(LAWS) and all(len(reason) > 20 for reason in cls.exempt.values())


@every_metric
def test_one_value_a_sample_and_inputs_untouched(cls, model):
    images, maps = X.copy(), MAPS.copy()
    score = make(cls, model, images, TARGETS).evaluate(maps)
    assert isinstance(score, Score) and score.per_sample.shape == (5,) and np.isfinite(score.per_sample).all()
    assert float(score) == pytest.approx(score.per_sample.mean())
    assert score.metric == cls.__name__ and score.settings["seed"] == 0 and "keras" in score.versions
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(maps, MAPS)
    if score.curve is not None:
        x, rows = score.curve
        assert rows.shape == (5, len(x)) and (np.diff(x) > 0).all() and all(score.axes)


@every_metric
def test_the_interval_holds_the_mean(cls, model):
    score = make(cls, model, X, TARGETS).evaluate(MAPS)
    assert score.interval[0] <= float(score) <= score.interval[1]


@every_metric
def test_the_declared_direction_is_real(cls):
    """The map that is right about an additive model is better than its reverse, for every image."""
    assert cls.better in ("higher", "lower")
    weights = np.random.default_rng(2).random((8, 12)).astype(np.float32)
    right = weights * X[..., 0]
    score = models.additive(weights)
    # A second class, without which there is no decision to change; the first leads it on every image.
    model = lambda x: tf.concat([score(x), 0.0 * score(x) + 0.4 * weights.sum()], axis=1)
    assert (np.asarray(model(tf.constant(X))).argmax(axis=1) == 0).all()
    metric = make(cls, model, X, 0)
    with law(cls, "direction"):
        oracle, reverse = metric.evaluate(right), metric.evaluate(-right)
        assert oracle.better == cls.better
        sign = 1 if cls.better == "higher" else -1
        assert (sign * oracle.per_sample > sign * reverse.per_sample).all()


@every_metric
def test_results_do_not_depend_on_the_batch_size(cls, model):
    wanted = make(cls, model, X, TARGETS).evaluate(MAPS).per_sample
    for size in (1, 7):
        found = make(cls, model, X, TARGETS, batch_size=size).evaluate(MAPS).per_sample
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@every_metric
def test_a_value_depends_on_its_image_alone(cls, model):
    together = make(cls, model, X, TARGETS).evaluate(MAPS).per_sample
    alone = [make(cls, model, X[i : i + 1], TARGETS[i : i + 1]).evaluate(MAPS[i : i + 1]).per_sample[0] for i in (4, 1)]
    np.testing.assert_allclose(together[[4, 1]], alone, rtol=1e-4, atol=1e-6)


@every_metric
def test_every_kind_of_data_gives_the_same_value(cls, model):
    wanted = make(cls, model, X, TARGETS).evaluate(MAPS).per_sample
    pairs = tf.data.Dataset.from_tensor_slices((X, TARGETS))
    kinds = {
        "tensor": (tf.constant(X), tf.constant(TARGETS)),
        "list": (list(X), list(TARGETS)),
        "batched": (pairs.batch(2).prefetch(1), None),
        "unbatched": (pairs, None),
        "inputs only": (pairs.map(lambda x, y: x).batch(3), TARGETS),
        "one-hot": (X, np.eye(4)[TARGETS]),
    }
    for kind, (inputs, targets) in kinds.items():
        found = make(cls, model, inputs, targets).evaluate(MAPS).per_sample
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6, err_msg=kind)
    tensor = make(cls, model, X, TARGETS).evaluate(tf.constant(MAPS)).per_sample
    np.testing.assert_allclose(tensor, wanted, rtol=1e-6)


@every_metric
def test_a_shuffled_dataset_meets_its_own_maps(cls, model):
    maps = explainer(model).explain(X, TARGETS)
    wanted = make(cls, model, X, TARGETS).evaluate(maps).per_sample
    shuffled = tf.data.Dataset.from_tensor_slices((X, TARGETS)).shuffle(5, seed=3).batch(2)
    found = make(cls, model, shuffled).evaluate(maps).per_sample
    np.testing.assert_allclose(np.sort(found), np.sort(wanted), rtol=1e-4, atol=1e-6)


@every_metric
def test_the_same_seed_gives_the_same_value(cls, model):
    flat = np.ones((5, 8, 12))
    flat[:, 0, 0] = 2
    one, again, other = (make(cls, model, X, TARGETS, seed=seed).evaluate(flat) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.per_sample, again.per_sample)
    assert one.interval == again.interval
    with law(cls, "seed"):
        assert not np.allclose(one.per_sample, other.per_sample, rtol=1e-6)


@every_metric
def test_nothing_is_traced_in_the_second_evaluation(cls):
    model, layer = models.recorded()
    metric = make(cls, model, X, TARGETS)
    metric.evaluate(MAPS)
    traced = layer.calls
    metric.evaluate(-MAPS)
    assert traced > 0 and layer.calls == traced


@every_metric
def test_an_explainer_is_explained_as_it_is_measured(cls, model):
    method = explainer(model)
    metric = make(cls, model, X, TARGETS)
    wanted = metric.evaluate(method.explain(X, TARGETS))
    found = metric.evaluate(method)
    np.testing.assert_allclose(found.per_sample, wanted.per_sample, rtol=1e-4, atol=1e-6)
    assert found.method == wanted.method == "SobolAttribution"
    np.testing.assert_array_equal(metric(method).per_sample, found.per_sample)


@every_metric
def test_replace_makes_the_same_metric_of_another_model(cls, model):
    metric = make(cls, model, X, TARGETS)
    other = metric.replace(model=models.convolutional(seed=2))
    assert type(other) is cls and other.inputs is X
    values = [
        each.evaluate(MAPS).per_sample for each in (metric, other, make(cls, models.convolutional(seed=2), X, TARGETS))
    ]
    assert not np.allclose(values[0], values[1])
    np.testing.assert_allclose(values[1], values[2], rtol=1e-6)


@every_metric
@pytest.mark.parametrize(
    "kind", ["nested", "subclassed", "sequential", "mixed", "channels_first", "binary", "numpy", "function"]
)
def test_every_kind_of_model(cls, kind, model):
    if kind == "numpy" and cls.needs_gradients:
        pytest.skip("needs gradients, which a NumPy callable has not; its words are tested")
    made = {
        "nested": models.nested, "subclassed": models.Subclassed, "sequential": models.sequential_unbuilt,
        "mixed": models.mixed_precision, "channels_first": models.ChannelsFirst, "binary": models.binary,
        "numpy": lambda: lambda x: model(np.asarray(x)).numpy(), "function": lambda: lambda x: model(x),
    }[kind]()  # fmt: skip
    images = np.transpose(X, (0, 3, 1, 2)) if kind == "channels_first" else X
    targets = TARGETS % 2 if kind == "binary" else TARGETS
    # All classes of the subclassed model are alike, so its probabilities never change.
    options = {"score": "logit"} if kind == "subclassed" else {}
    score = make(cls, made, images, targets, **options).evaluate(MAPS)
    assert score.per_sample.shape == (5,) and np.isfinite(score.per_sample).all()
    # Hiding parts of its sums of squares never raises them, which is all that some measure.
    assert np.ptp(score.per_sample) > 0 or (kind == "subclassed" and cls.__name__ in ("AverageGain", "AverageIncrease"))
    if kind in ("numpy", "function", "channels_first", "mixed"):
        asked = "logit" if kind in ("numpy", "function") else "probability"
        wanted = make(cls, model, X, TARGETS, score=asked).evaluate(MAPS).per_sample
        tolerance = 0.05 * np.abs(wanted).max() if kind == "mixed" else 1e-5
        np.testing.assert_allclose(score.per_sample, wanted, rtol=1e-3, atol=tolerance)


@every_metric
def test_the_explained_one_of_several_inputs(cls, model):
    table = np.linspace(0.2, 1, 10, dtype=np.float32).reshape(5, 2)
    inputs = {"picture": X, "table": table}
    metric = make(cls, models.two_inputs(), inputs, TARGETS, explain_input="picture", score="logit")
    found = metric.evaluate(MAPS).per_sample
    for i in (0, 3):
        alone = make(cls, lambda x, i=i: model(x) * table[i].sum(), X[i : i + 1], TARGETS[i : i + 1], score="logit")
        np.testing.assert_allclose(found[i], alone.evaluate(MAPS[i : i + 1]).per_sample[0], rtol=1e-3, atol=1e-5)


@every_metric
def test_no_global_seed_is_touched(cls, model):
    np.random.seed(3)
    tf.random.set_seed(3)
    expected = np.random.random(), float(tf.random.uniform(()))
    np.random.seed(3)
    tf.random.set_seed(3)
    make(cls, model, X, TARGETS, **({"baseline": "noise"} if hasattr(cls, "baseline") else {})).evaluate(
        np.ones((5, 8, 12))
    )
    assert (np.random.random(), float(tf.random.uniform(()))) == expected
