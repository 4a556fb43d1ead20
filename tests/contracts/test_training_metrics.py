"""Laws that every metric obeys which compares the explanations of models that were trained on different data."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts.metric_cases import LAWS, TRAINING_METRICS, quick
from tests.truths.stability_models import Means, Products, pictures, train
from xsparks.attributions import GradientInput
from xsparks.engine import Score

X, Y = pictures()

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
every_metric = pytest.mark.parametrize("cls", TRAINING_METRICS, ids=lambda cls: cls.__name__)


def make(cls, trained=train, **options):
    return cls(trained, X, Y, **quick(cls, **{"k_splits": 4, "progress": False, **options}))


def test_metrics_are_found():
    assert {"MeGe", "ReCo"} <= {cls.__name__ for cls in TRAINING_METRICS}


@every_metric
def test_exemptions_are_of_laws_and_have_reasons(cls):
    assert set(cls.exempt) <= set(LAWS) and all(len(reason) > 20 for reason in cls.exempt.values())


@every_metric
def test_a_score_of_pictures_and_nothing_is_touched(cls):
    images, labels = X.copy(), Y.copy()
    score = cls(train, images, labels, k_splits=4, progress=False).evaluate(Products)
    assert isinstance(score, Score) and score.metric == cls.__name__ and score.better == cls.better == "higher"
    assert score.method == "Products" and score.interval[0] <= float(score) <= score.interval[1]
    assert score.interval[1] > score.interval[0] and np.ptp(score.per_sample) > 0
    assert len(score.per_sample) == len(score.image_ids) <= len(X)
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(labels, Y)


@every_metric
def test_a_metric_is_a_function_of_a_method(cls):
    metric = make(cls)
    assert float(metric(Products)) == float(metric.evaluate(Products))


@every_metric
@pytest.mark.filterwarnings("ignore:.*accuracies:UserWarning")
def test_real_explainers_and_any_batch_size(cls):
    values = [
        make(cls).evaluate(lambda model, size=size: GradientInput(model, batch_size=size)).per_sample
        for size in (3, 32)
    ]
    assert np.ptp(values[0]) > 0
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4)


@every_metric
def test_the_seed_decides_the_parts_and_the_same_seed_gives_the_same(cls):
    one, same, other = (float(make(cls, seed=seed).evaluate(Products)) for seed in (3, 3, 4))
    assert one == same and one != other


@every_metric
def test_no_global_seed_is_touched(cls):
    np.random.seed(5)
    random.seed(5)
    tf.random.set_seed(5)
    wanted = np.random.random(), random.random(), float(tf.random.uniform(()))
    np.random.seed(5)
    random.seed(5)
    tf.random.set_seed(5)
    make(cls).evaluate(Products)
    assert (np.random.random(), random.random(), float(tf.random.uniform(()))) == wanted


def linear(*data):
    """The mean pictures of the training part as a Keras model, which can be kept in a folder."""
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.set_weights([train(*data).means.reshape(3, -1).T, np.zeros(3)])
    return model


@every_metric
def test_what_was_trained_and_explained_is_kept_on_disk(cls, tmp_path, monkeypatch):
    """A second metric finds the models and the maps; it neither trains nor explains."""
    wanted = make(cls, linear, folder=tmp_path).evaluate(GradientInput)

    def refuse(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(Means, "__init__", refuse)
    monkeypatch.setattr(GradientInput, "explain", refuse)
    again = make(cls, linear, folder=tmp_path).evaluate(GradientInput)
    assert float(again) == float(wanted)
    np.testing.assert_array_equal(again.per_sample, wanted.per_sample)
    with pytest.raises(AssertionError):
        make(cls, linear, folder=tmp_path / "another").evaluate(GradientInput)


@every_metric
def test_identical_models_are_perfectly_stable(cls):
    """Models that do not depend on their data: the same answers and the same maps everywhere."""
    whole = train(X, Y, None, None)
    labels = whole(X).numpy().argmax(axis=1)
    metric = cls(lambda *data: whole, X, labels, k_splits=4, progress=False)
    if cls.__name__ == "ReCo":
        # All agree, so that there is no pair of different answers to tell from them.
        with pytest.raises(ValueError, match="no two models contradict each other"):
            metric.evaluate(Products)
    else:
        assert float(metric.evaluate(Products)) == pytest.approx(1)
