"""AverageStability and MaxSensitivity: which neighbours there are, which of them count, and the slow twin."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import GradientInput, Saliency
from xsparks.engine import Group
from xsparks.metrics import AverageStability, MaxSensitivity
from xsparks.models.access import Notice

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])
BOTH = pytest.mark.parametrize("cls", [AverageStability, MaxSensitivity], ids=lambda cls: cls.__name__)


def separate(x):
    """Each class looks at a quarter of the image of its own."""
    return tf.stack(
        [tf.reduce_sum(x[:, 4 * i : 4 * i + 4, 6 * j : 6 * j + 6] ** 2, (1, 2, 3)) for i in (0, 1) for j in (0, 1)], 1
    )


def neighbours_of(inputs, metric) -> list[np.ndarray]:
    """What the metric explains."""
    access = metric.access
    access.ensure_ready(inputs)
    group = Group(inputs, np.zeros(len(inputs), int), np.zeros((len(inputs), 2)), np.arange(len(inputs)))
    changes = metric.changes(None, access.layout(inputs.shape[1:]), None)
    return [change.inputs(group) for change in changes]


def test_noise_goes_both_ways_and_is_shared_by_all_samples():
    inputs = models.images(4)
    metric = AverageStability(separate, inputs, neighbours=30, radius=0.2)
    noise = np.stack([each - inputs for each in neighbours_of(inputs, metric)])
    widths = np.ptp(inputs.reshape(4, -1), axis=1)
    units = noise / widths[:, None, None, None]
    assert np.abs(units).max() <= 0.2 + 1e-5 and np.abs(units).max() > 0.199 and abs(units.mean()) < 0.002
    np.testing.assert_allclose(units[:, 0], units[:, 3], atol=1e-5)
    assert not np.allclose(units[0], units[1])
    normal = neighbours_of(inputs, metric.replace(noise="normal"))
    spread = np.stack([each - inputs for each in normal]) / widths[:, None, None, None]
    assert abs(spread.std() - 0.2) < 0.01 and np.abs(spread).max() > 0.5
    own = neighbours_of(inputs, metric.replace(ids=[5, 9, 5, 2]))
    own = np.stack([each - inputs for each in own]) / widths[:, None, None, None]
    np.testing.assert_allclose(own[:, 0], own[:, 2], atol=1e-5)
    assert not np.allclose(own[:, 0], own[:, 1])


def test_the_noise_of_a_place_does_not_depend_on_where_the_channel_stands():
    inputs = models.images(2)
    first = np.transpose(inputs, (0, 3, 1, 2))
    metric = AverageStability(models.ChannelsFirst(), first, neighbours=2)
    turned = neighbours_of(first, metric)
    straight = neighbours_of(inputs, AverageStability(separate, inputs, neighbours=2))
    for a, b in zip(turned, straight, strict=True):
        np.testing.assert_allclose(np.transpose(a, (0, 2, 3, 1)), b, atol=1e-6)


def test_neighbours_leave_the_range_unless_they_are_clipped():
    inputs = models.images(2)
    metric = AverageStability(separate, inputs, neighbours=3)
    assert max(each.max() for each in neighbours_of(inputs, metric)) > inputs.max()
    clipped = neighbours_of(inputs, metric.replace(clip=True))
    for row in range(2):
        assert max(each[row].max() for each in clipped) <= inputs[row].max()
        assert min(each[row].min() for each in clipped) >= inputs[row].min()


@BOTH
@pytest.mark.parametrize("distance", ["l2", "l1", "spearman"])
@pytest.mark.parametrize("normalise", ["l2", "none"])
def test_the_twin_of_stability(cls, distance, normalise):
    model = models.convolutional()
    metric = cls(model, X, TARGETS, neighbours=5, distance=distance, normalise=normalise, same_class=False)
    method = GradientInput(model)
    wanted = np.zeros((5, 5))
    for k, other in enumerate(neighbours_of(X, metric)):
        for i in range(5):
            a, b = (method.explain(each[i : i + 1], TARGETS[i : i + 1]).maps.ravel() for each in (X, other))
            if normalise == "l2":
                a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
            wanted[i, k] = {
                "l2": lambda a=a, b=b: np.sqrt(((a - b) ** 2).sum()),
                "l1": lambda a=a, b=b: np.abs(a - b).sum(),
                "spearman": lambda a=a, b=b: 1 - np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1],
            }[distance]()
    pooled = wanted.mean(axis=1) if cls is AverageStability else wanted.max(axis=1)
    score = metric(method)
    np.testing.assert_allclose(score.per_sample, pooled, rtol=1e-3)
    assert score.counted.tolist() == [5] * 5 and score.better == "lower"


@BOTH
def test_only_neighbours_of_the_same_class_count(cls):
    """Images near the border of two classes: the maps beyond it are not compared."""
    cut = float(np.median(X[..., 0].mean((1, 2))))

    def model(x):  # fmt: skip
        mean = tf.reduce_mean(x[..., 0], (1, 2))
        return tf.stack([mean * mean, cut * mean + 0.0 * x[:, 0, 0, 1]], axis=1)

    metric = cls(model, X, neighbours=12, radius=0.3, normalise="none")
    method = GradientInput(model)
    score, every = metric(method), metric.replace(same_class=False)(method)
    assert (score.counted < 12).any() and (every.counted == 12).all()
    values = metric.measure(method, X, None)
    for row in range(5):
        counted = values["counts"][row]
        before = np.argmax(model(tf.constant(X[row : row + 1])).numpy())
        after = [
            np.argmax(model(tf.constant(each[row : row + 1])).numpy()) == before for each in neighbours_of(X, metric)
        ]
        assert counted.tolist() == after
        kept = values["compared"][row][counted if counted.any() else slice(None)]
        wanted = kept.mean() if cls is AverageStability else kept.max()
        np.testing.assert_allclose(score.per_sample[row], wanted, rtol=1e-6)


@BOTH
def test_where_no_neighbour_has_the_class_all_count_and_it_is_said(cls):
    class Border(keras.Model):
        def call(self, inputs):
            # Class 0 for the images as they are, and class 1 for all else.
            exact = tf.reduce_all(tf.abs(inputs * 16 - tf.round(inputs * 16)) < 1e-6, (1, 2, 3))
            return tf.reduce_sum(inputs**2, (1, 2))[:, :2] + 1000.0 * tf.one_hot(tf.where(exact, 0, 1), 2)

    images = np.round(X * 16) / 16
    metric = cls(Border(), images, 0, neighbours=3)
    method = GradientInput(metric.model)
    with pytest.warns(Notice, match="no neighbour of 5 of the 5 samples has the class of its sample"):
        score = metric(method)
    assert score.counted.tolist() == [0] * 5
    np.testing.assert_array_equal(score.per_sample, metric.replace(same_class=False)(method).per_sample)


@BOTH
@pytest.mark.parametrize(
    "options",
    [{"neighbours": 5}, {"radius": 0.05}, {"noise": "normal"}, {"clip": True}, {"normalise": "none"},
     {"distance": "l1"}, {"distance": "spearman"}, {"distance": lambda a, b: np.abs(a - b).max((1, 2))},
     {"same_class": False}, {"ids": np.arange(5)}, {"seed": 1}],
    ids=lambda options: ",".join(options),
)  # fmt: skip
def test_every_option_of_stability_changes_the_number(cls, options):
    model = models.convolutional()
    metric = cls(model, X, TARGETS, neighbours=8, radius=0.4)
    method = GradientInput(model)
    one, other = (each(method).per_sample for each in (metric, metric.replace(**options)))
    assert not np.allclose(one, other, rtol=1e-4)


def test_the_worst_neighbour_is_not_better_than_the_mean_one():
    model = models.convolutional()
    mean, worst = (cls(model, X, TARGETS, neighbours=6)(Saliency(model)) for cls in (AverageStability, MaxSensitivity))
    assert (worst.per_sample > mean.per_sample).all()


def test_a_noisier_model_has_less_stable_maps():
    """The gradient of a fast wave turns quicker than that of a slow one."""
    slow, fast = ((lambda x, k=k: tf.reduce_sum(tf.sin(k * x), (1, 2, 3))[:, None] * [1.0, -1.0]) for k in (1.0, 8.0))
    found = [float(AverageStability(model, X, 0, neighbours=5)(GradientInput(model))) for model in (slow, fast)]
    assert found[0] < 0.3 * found[1]


def test_few_samples_are_explained_with_many_neighbours_at_once(monkeypatch):
    """Two samples, seven neighbours and batches of at most eight: theirs, then four, and three of each."""
    lengths, model = [], models.convolutional()
    explain = GradientInput.explain

    def counted(self, inputs, targets=None):
        lengths.append(len(inputs))
        return explain(self, inputs, targets)

    monkeypatch.setattr(GradientInput, "explain", counted)
    metric = AverageStability(model, X[:2], TARGETS[:2], neighbours=7, batch_size=8)
    together = metric(GradientInput(model))
    assert lengths == [2, 8, 6]
    alone = metric.replace(batch_size=1)(GradientInput(model))
    assert lengths[3:] == [2] + [2] * 7
    np.testing.assert_allclose(together.per_sample, alone.per_sample, rtol=1e-4)
