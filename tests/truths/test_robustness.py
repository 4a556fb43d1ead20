"""RobustnessSr and its complement against the closed form of linear models and a slow twin of the search."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import Saliency
from xsparks.metrics import RobustnessNotSr, RobustnessSr
from xsparks.perturbations.attack_steps import euclidean_step

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
SHAPE = (4, 5, 2)
DRAW = np.random.default_rng(3)
WEIGHTS = DRAW.normal(size=(40, 2)).astype(np.float32)
X = DRAW.random((6, *SHAPE)).astype(np.float32)
MAPS = DRAW.normal(size=(6, 4, 5)).astype(np.float32)
LEVELS = (0.1, 0.25, 0.5)
METRICS = [RobustnessSr, RobustnessNotSr]
either = pytest.mark.parametrize("cls", METRICS, ids=lambda cls: cls.__name__)


def linear(weights=WEIGHTS):
    def model(x):
        return tf.reshape(x, (-1, weights.shape[0])) @ tf.constant(weights)

    return model


def free_of(maps, level, relevant=True) -> np.ndarray:
    """The pixels that may change, by sorting the map of each sample."""
    flat = maps.reshape(len(maps), -1)
    count = round(level * flat.shape[1])
    free = np.zeros(flat.shape, bool)
    for row, values in zip(free, flat, strict=True):
        row[np.argsort(-values)[:count]] = True
    return (free if relevant else ~free).reshape(maps.shape)


def closed_form(maps, relevant=True, levels=LEVELS, weights=WEIGHTS) -> np.ndarray:
    """The margin over the length of the weights that may change."""
    outputs = X.reshape(len(X), -1) @ weights
    margin = np.abs(outputs[:, 0] - outputs[:, 1])
    apart = (weights[:, 0] - weights[:, 1]).reshape(SHAPE)
    lengths = [np.sqrt(((apart * free_of(maps, level, relevant)[..., None]) ** 2).sum((1, 2, 3))) for level in levels]
    return np.stack([margin / length for length in lengths], axis=1)


@pytest.mark.parametrize("tolerance", [0.01, 0.001])
@either
def test_the_closed_form_of_a_linear_model(cls, tolerance):
    score = cls(linear(), X, levels=LEVELS, tolerance=tolerance, value_range=None).evaluate(MAPS)
    wanted = np.minimum(closed_form(MAPS, cls is RobustnessSr), np.linalg.norm(X.reshape(6, -1), axis=1)[:, None])
    assert (wanted < 0.99 * np.linalg.norm(X.reshape(6, -1), axis=1)[:, None]).mean() > 0.5
    np.testing.assert_allclose(score.curve[1], wanted, rtol=1.5 * tolerance)
    # A distance is that of a change that was found, and so never below the shortest there is.
    assert (score.curve[1] > wanted * (1 - 1e-5)).all()
    np.testing.assert_allclose(score.per_sample, score.curve[1].mean(axis=1))
    np.testing.assert_array_equal(score.curve[0], LEVELS)


def test_a_sigmoid_unit_decides_between_two_classes():
    unit = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), unit])
    unit.set_weights([WEIGHTS[:, :1], np.zeros(1, np.float32)])
    found = RobustnessSr(model, X, levels=LEVELS, value_range=None).evaluate(MAPS).curve[1]
    weights = np.concatenate([0 * WEIGHTS[:, :1], WEIGHTS[:, :1]], axis=1)
    longest = np.linalg.norm(X.reshape(6, -1), axis=1)[:, None]
    np.testing.assert_allclose(found, np.minimum(closed_form(MAPS, weights=weights), longest), rtol=0.015)


def test_of_several_classes_the_shortest_way_counts():
    weights = DRAW.normal(size=(40, 5)).astype(np.float32)
    found = RobustnessSr(linear(weights), X, levels=(0.5,), value_range=None).evaluate(MAPS).curve[1][:, 0]
    outputs = X.reshape(6, -1) @ weights
    free = np.repeat(free_of(MAPS, 0.5).reshape(6, -1), 2, axis=1)
    wanted = np.full(6, np.inf)
    for i, own in enumerate(outputs.argmax(axis=1)):
        for other in set(range(5)) - {own}:
            length = np.linalg.norm((weights[:, own] - weights[:, other]) * free[i])
            wanted[i] = min(wanted[i], (outputs[i, own] - outputs[i, other]) / length)
    # The attack descends on the class that comes next, which need not be the nearest, so it may miss it, but not fool.
    assert (found > wanted * (1 - 1e-5)).all() and np.median(found / wanted) < 1.05


@either
def test_the_class_is_the_predicted_one_whatever_the_target(cls):
    one = cls(linear(), X, np.zeros(6, int), levels=LEVELS).evaluate(MAPS)
    other = cls(linear(), X, np.eye(2)[np.ones(6, int)], levels=LEVELS).evaluate(MAPS)
    np.testing.assert_array_equal(one.per_sample, other.per_sample)
    assert (one.per_sample > 0).all()


# A network of two layers, whose gradient is a line.
FIRST, SECOND = DRAW.normal(size=(12, 7)).astype(np.float32), DRAW.normal(size=(7, 3)).astype(np.float32)
SMALL = DRAW.random((4, 3, 4, 1)).astype(np.float32)
SMALL_MAPS = DRAW.random((4, 3, 4)).astype(np.float32)


def network(x):
    return tf.nn.relu(tf.reshape(x, (-1, 12)) @ tf.constant(FIRST)) @ tf.constant(SECOND)


def margin_and_slope(x, own, loss):
    hidden = x @ FIRST
    outputs = np.maximum(hidden, 0) @ SECOND
    others = np.where(np.arange(3) == own, -np.inf, outputs)
    margin = outputs[own] - others.max()
    direction = SECOND[:, own] - (SECOND[:, others.argmax()] if loss == "margin" else 0)
    return margin, FIRST @ (direction * (hidden > 0))


def twin(image, ranking, counts, relevant, loss="margin", steps=6, bisections=4, tolerance=0.01, size=2.5) -> list:
    """The search for one image, one attack after the other, as the docstrings tell it."""
    x = image.reshape(-1).astype(np.float64)
    low, high = x.min(), x.max()
    own = (np.maximum(x @ FIRST, 0) @ SECOND).argmax()
    margin, slope = margin_and_slope(x, own, loss)
    order = np.argsort(-ranking.reshape(-1))
    found, distances = np.inf, []
    for count in counts:
        free = np.zeros(12, bool)
        free[order[:count] if relevant else order[count:]] = True
        reach = min(np.linalg.norm(x), np.linalg.norm(np.maximum(x - low, high - x) * free))

        def attack(radius, free=free):
            change, downhill = np.zeros(12), slope
            for _ in range(steps):
                stuck = ((x + change <= low) & (downhill > 0)) | ((x + change >= high) & (downhill < 0))
                step = np.where(free & ~stuck, downhill, 0)
                length = np.linalg.norm(step)
                change = change - size * radius / steps * (step / length if length else 0)
                change = np.where(free, np.clip(x + change, low, high) - x, 0)
                change = change * min(1, radius / max(np.linalg.norm(change), 1e-30))
                lead, downhill = margin_and_slope(x + change, own, loss)
                if lead < 0:
                    return np.linalg.norm(change)
            return None

        without, halved = 0.0, 0
        radius = min((1 + tolerance) * margin / np.linalg.norm(slope * free), reach, found)
        while True:
            bracketed = without > 0 and found < np.inf
            length = attack(radius)
            if length is None:
                without = radius
            else:
                found = min(found, length)
            halved += bracketed
            if found == np.inf:
                if radius >= reach:
                    break
                radius = min(10 * radius, reach)
            elif without == 0:
                radius = found / 10
            elif halved >= bisections or found <= without * (1 + tolerance):
                break
            else:
                radius = np.sqrt(without * found)
        distances.append(found if found < np.inf else np.linalg.norm(x))
    return distances


@pytest.mark.parametrize("loss", ["margin", "score"])
@either
def test_the_search_is_that_of_a_slow_twin(cls, loss):
    relevant = cls is RobustnessSr
    metric = cls(network, SMALL, levels=(0.25, 0.5, 0.75), attack_steps=6, bisections=4, loss=loss)
    score = metric.evaluate(SMALL_MAPS)
    counts = (3, 6, 9) if relevant else (9, 6, 3)
    wanted = [twin(x, m, counts, relevant, loss) for x, m in zip(SMALL, SMALL_MAPS, strict=True)]
    wanted = np.array(wanted) if relevant else np.array(wanted)[:, ::-1]
    np.testing.assert_allclose(score.curve[1], wanted, rtol=2e-3)
    assert score.failures.sum() < 6


@either
def test_the_curve_is_monotone_and_samples_go_at_their_own_pace(cls):
    model, images = models.convolutional(), models.images(5)
    maps = Saliency(model).explain(images)
    options = {"levels": (0.05, 0.1, 0.3, 0.5), "attack_steps": 8, "bisections": 4}
    score = cls(model, images, **options).evaluate(maps)
    steps = np.diff(score.curve[1], axis=1)
    assert (steps <= 0).all() if cls is RobustnessSr else (steps >= 0).all()
    assert (np.abs(steps) > 0).mean() > 0.5
    alone = cls(model, images[2:3], **options).evaluate(maps[2:3])
    np.testing.assert_allclose(alone.curve[1], score.curve[1][2:3], rtol=1e-3)


@either
def test_a_right_map_beats_a_random_one_and_that_its_reverse(cls):
    right = np.abs((WEIGHTS[:, 0] - WEIGHTS[:, 1]).reshape(SHAPE)).sum(-1)[None].repeat(6, 0)
    found = [
        cls(linear(), X, levels=LEVELS, value_range=None).evaluate(maps).per_sample for maps in (right, MAPS, -right)
    ]
    sign = -1 if cls.better == "lower" else 1
    assert (sign * found[0] > sign * found[2]).all()
    assert sign * found[0].mean() > sign * found[1].mean() > sign * found[2].mean()
    assert cls.better == ("lower" if cls is RobustnessSr else "higher")


def test_where_nothing_helps_the_distance_is_the_length_of_the_image():
    weights = WEIGHTS.copy()
    weights[:20] = 0  # the upper half of the image says nothing
    upper = np.zeros((6, 4, 5))
    upper[:, :2] = 1 + DRAW.random((6, 2, 5))
    score = RobustnessSr(linear(weights), X, levels=(0.25, 0.5, 0.75), value_range=None).evaluate(upper)
    lengths = np.linalg.norm(X.reshape(6, -1), axis=1)
    np.testing.assert_allclose(score.curve[1][:, :2], np.stack([lengths, lengths], axis=1), rtol=1e-5)
    assert (score.failures >= 2).all() and (score.failures[score.curve[1][:, 2] < 0.99 * lengths] == 2).all()
    assert (score.curve[1][:, 2] < 0.99 * lengths).any()
    lower = RobustnessNotSr(linear(weights), X, levels=(0.5,), value_range=None).evaluate(upper[:, ::-1])
    np.testing.assert_allclose(lower.per_sample, lengths, rtol=1e-5)


def test_no_change_leaves_the_valid_range():
    """One bright pixel decides; what it may become decides whether a change is found."""
    images = np.full((1, 2, 2, 1), 0.5, np.float32)
    images[0, 0, 0] = 0.9
    model = lambda x: tf.stack([x[:, 0, 0, 0], 0.0 * x[:, 0, 0, 0] + 0.2], axis=1)
    first = np.array([[[4.0, 3.0], [2.0, 1.0]]])
    measured = RobustnessSr(model, images, levels=(0.25,)).evaluate(first)
    assert measured.failures.tolist() == [1]  # the darkest pixel of the image itself is .5
    wider = RobustnessSr(model, images, levels=(0.25,), value_range=(0, 1)).evaluate(first)
    assert wider.failures.tolist() == [0] and float(wider) == pytest.approx(0.7, rel=0.02)
    network = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
    head = keras.layers.Dense(2)
    network.add(head)
    head.set_weights([np.array([[1, 0], [0, 0], [0, 0], [0, 0]], np.float32), np.array([0, 0.2], np.float32)])
    declared = RobustnessSr(network, 255 * images, levels=(0.25,)).evaluate(first)
    assert declared.failures.tolist() == [0] and float(declared) == pytest.approx(0.7 * 255, rel=0.02)


@pytest.mark.parametrize("start", [1e-4, 1e-2, 5.0])
def test_the_search_finds_the_same_from_far_away(start):
    wanted = RobustnessSr(linear(), X, levels=LEVELS, value_range=None).evaluate(MAPS).curve[1]
    found = RobustnessSr(
        linear(), X, levels=LEVELS, value_range=None, start_radius=start, bisections=12
    ).evaluate(MAPS).curve[1]  # fmt: skip
    np.testing.assert_allclose(found, wanted, rtol=0.015)
    assert (found != wanted).any()


@pytest.mark.parametrize(
    "options",
    [
        {"levels": (0.2, 0.4)},
        {"attack_steps": 3},
        {"step_size": 1.2},
        {"bisections": 1},
        {"tolerance": 0.5},
        {"start_radius": 0.3},
        {"loss": "score"},
        {"value_range": None},
        {"value_range": (-3.0, 3.0)},
        {"value_range": (0.2, 0.8)},
    ],
    ids=str,
)
def test_every_option_changes_the_number(options):
    metric = RobustnessSr(network, SMALL, levels=(0.25, 0.5), attack_steps=6, bisections=4)
    one, other = (each.evaluate(SMALL_MAPS).per_sample for each in (metric, metric.replace(**options)))
    assert not np.allclose(one, other, rtol=1e-5)


def test_equal_pixels_are_taken_in_the_order_of_the_seed():
    flat = np.ones((6, 4, 5))
    one, again, other = (
        RobustnessSr(linear(), X, levels=(0.25,), seed=seed).evaluate(flat).per_sample for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("start", [None, 0.05, 0.5])
def test_nothing_longer_than_the_image_is_looked_for(start):
    image, length = X[:1], float(np.linalg.norm(X[0]))
    apart = WEIGHTS[:, 0] - WEIGHTS[:, 1]
    for factor, failures in ((0.9, 0), (1.5, 1)):
        free = np.repeat(free_of(MAPS[:1], 0.5).ravel(), 2)
        lead = factor * length * np.linalg.norm(apart * free) - float(image.ravel() @ apart)
        model = lambda x, lead=lead: linear()(x) + tf.constant([[lead, 0.0]], tf.float32)
        score = RobustnessSr(
            model, image, levels=(0.5,), value_range=None, start_radius=None if start is None else start * length
        ).evaluate(MAPS[:1])
        assert score.failures.tolist() == [failures]
        assert float(score) == pytest.approx(min(factor, 1) * length, rel=0.015)


def test_a_step_stays_within_the_ball_and_the_range_and_moves_what_is_free():
    inputs, change = DRAW.random((50, 6)).astype(np.float32), 0.1 * DRAW.normal(size=(50, 6)).astype(np.float32)
    free = DRAW.random((50, 6)) < 0.5
    moved = euclidean_step(
        inputs, np.where(free, change, 0), DRAW.normal(size=(50, 6)).astype(np.float32), free,
        np.full(50, 0.4, np.float32), np.full(50, 0.3, np.float32), 0.0, 1.0,
    ).numpy()  # fmt: skip
    assert (moved[~free] == 0).all() and (np.linalg.norm(moved, axis=1) <= 0.3 * (1 + 1e-5)).all()
    assert (inputs + moved >= -1e-6).all() and (inputs + moved <= 1 + 1e-6).all()
    assert (np.linalg.norm(moved, axis=1)[free.any(axis=1)] > 0).mean() > 0.9
    outside = euclidean_step(2 * inputs, 0 * change, change, free, *np.ones((2, 50), np.float32), 0.0, 1.0).numpy()
    assert (outside[~free] == 0).all()
