"""Greedy orders of cells against closed forms, a slow twin, and networks whose best order is known."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import GreedyAO
from xsparks.attributions.eva_options import cells_of_places
from xsparks.core.layout import Layout
from xsparks.core.randomness import generator
from xsparks.metrics import RobustnessNotSr, RobustnessSr

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
SHAPE, GRID, EPSILON = (4, 6, 2), (2, 3), 0.1
DRAW = np.random.default_rng(5)
X = DRAW.uniform(0.3, 0.7, (3, *SHAPE)).astype(np.float32)
WEIGHTS = DRAW.normal(size=(48, 2)).astype(np.float32)
FIRST, SECOND = DRAW.normal(size=(48, 9)).astype(np.float32), DRAW.normal(size=(9, 3)).astype(np.float32)
CELLS = np.broadcast_to(cells_of_places(GRID, Layout(SHAPE)), SHAPE)


def linear(x: Any) -> Any:
    return tf.reshape(x, (-1, 48)) @ tf.constant(WEIGHTS)


def network(x: Any) -> Any:
    return tf.nn.relu(tf.reshape(x, (-1, 48)) @ tf.constant(FIRST)) @ tf.constant(SECOND)


def greedy(model: Any, **options: Any) -> GreedyAO:
    quick: dict[str, Any] = {"grid_size": GRID, "epsilon": EPSILON, "value_range": (0.0, 1.0), "samples": 40}
    return GreedyAO(model, **{**quick, "look_ahead": 0.3, "round_share": 0.1, "attack_steps": 4, **options})


def of_cells(maps: Any) -> np.ndarray:
    return maps.values.reshape(len(maps), -1)


@pytest.mark.parametrize("options", [{}, {"look_ahead": 0.0}, {"round_share": 0.5}, {"ordered_share": 1.0}], ids=str)
@pytest.mark.parametrize("variant", ["release", "freeze"])
def test_of_a_linear_model_effects_are_the_radius_times_the_weights(variant: str, options: dict[str, Any]) -> None:
    maps = greedy(linear, variant=variant, **options).explain(X, 0)
    apart = abs(WEIGHTS[:, 1] - WEIGHTS[:, 0]).reshape(SHAPE)
    truth = EPSILON * np.array([apart[CELLS == cell].sum() for cell in range(6)])
    np.testing.assert_allclose(maps.effects, np.tile(truth, (3, 1)), rtol=1e-3)
    np.testing.assert_array_equal(maps.order, np.tile(np.argsort(-truth), (3, 1)))
    left = np.array([truth[truth <= own].sum() for own in truth])
    np.testing.assert_allclose(of_cells(maps), np.tile(left, (3, 1)), rtol=1e-3)
    np.testing.assert_allclose(maps.attack - maps.margin, truth.sum(), rtol=1e-4)
    outputs = linear(X).numpy()
    np.testing.assert_allclose(maps.margin, outputs[:, 1] - outputs[:, 0], rtol=1e-5)


@pytest.mark.parametrize("box, sign", [("remove", -1), ("add", 1)])
def test_a_half_box_has_the_weights_of_one_sign(box: str, sign: int) -> None:
    maps = greedy(linear, box=box, look_ahead=0.0).explain(X, 0)
    apart = np.maximum(sign * (WEIGHTS[:, 1] - WEIGHTS[:, 0]), 0).reshape(SHAPE)
    truth = EPSILON * np.array([apart[CELLS == cell].sum() for cell in range(6)])
    np.testing.assert_allclose(maps.effects, np.tile(truth, (3, 1)), rtol=1e-3)


def margin_and_slope(x: np.ndarray, target: int) -> tuple[float, np.ndarray]:
    hidden = x.reshape(-1) @ FIRST
    outputs = np.maximum(hidden, 0) @ SECOND
    rival = int(np.where(np.arange(3) == target, -np.inf, outputs).argmax())
    slope = FIRST @ ((SECOND[:, rival] - SECOND[:, target]) * (hidden > 0))
    return float(outputs[rival] - outputs[target]), slope.reshape(SHAPE)


def attacked(x: np.ndarray, target: int, free: np.ndarray, steps: int = 4) -> float:
    """The highest margin on the way of an attack, one step after the other."""
    low = np.where(free, np.maximum(x - EPSILON, 0), x)
    high = np.where(free, np.minimum(x + EPSILON, 1), x)
    highest, slope = margin_and_slope(x, target)
    at = x
    for step in range(steps):
        at = np.clip(at + (high - low) * (1 - step / steps) * np.sign(slope), low, high)
        margin, slope = margin_and_slope(at, target)
        highest = max(highest, margin)
    return highest


def twin(value: Any, variant: str, look_ahead: float, rounds: int, each: int) -> dict[str, Any]:
    """The order of one image: one attack, one least-squares problem and one choice after the other.

    `value` is what an attack finds where some cells are free.
    """
    bits = generator(0, 41).random((rounds, 40, 6)) < look_ahead if look_ahead else [np.eye(7, 6, -1)] * rounds
    taken, effects = [], np.zeros(6)
    release = variant == "release"
    for number in range(rounds):
        others = [cell for cell in range(6) if cell not in taken]
        rows, found = [], []
        for subset in np.array(bits[number], bool):
            chosen = np.zeros(6, bool)
            chosen[taken] = True
            chosen |= subset
            found.append(value((chosen if release else ~chosen)[CELLS]))
            rows.append([1.0, *subset[others]])
        fit = np.linalg.lstsq(np.array(rows, float), np.array(found), rcond=None)[0][1:]
        fit = fit if release else -fit
        effects[others] = fit
        order = [others[position] for position in np.argsort(-fit)]
        taken += order[:each]
    return {"effects": effects, "order": taken + [cell for cell in order if cell not in taken]}


@pytest.mark.parametrize("look_ahead", [0.3, 0.0])
@pytest.mark.parametrize("variant", ["release", "freeze"])
def test_it_is_what_a_slow_twin_finds_attack_by_attack(variant: str, look_ahead: float) -> None:
    method = greedy(network, variant=variant, look_ahead=look_ahead, round_share=0.3, ordered_share=0.7)
    targets = [0, 2, 1]
    maps = method.explain(X, targets)
    for position, target in enumerate(targets):
        truth = twin(partial(attacked, X[position], target), variant, look_ahead, rounds=3, each=2)
        np.testing.assert_allclose(maps.effects[position], truth["effects"], rtol=1e-3, atol=1e-4)
        assert maps.order[position].tolist() == truth["order"]
        left = np.cumsum(np.maximum(truth["effects"][truth["order"]], 0)[::-1])[::-1]
        np.testing.assert_allclose(of_cells(maps)[position][truth["order"]], left, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("look_ahead", [0.3, 0.0])
@pytest.mark.parametrize("variant", ["release", "freeze"])
def test_distances_are_those_of_a_linear_model(variant: str, look_ahead: float) -> None:
    """The margin over the length of the weights that are free, for an image of another class until it has doubled."""
    options: dict[str, Any] = {"look_ahead": look_ahead, "round_share": 0.3, "ordered_share": 0.7}
    method = greedy(linear, robustness="distance", box="symmetric", variant=variant, **options)
    maps = method.explain(X, [0, 1, 0])
    apart, outputs = (WEIGHTS[:, 1] - WEIGHTS[:, 0]).reshape(SHAPE), linear(X).numpy()
    lead = abs(outputs[:, 1] - outputs[:, 0])
    np.testing.assert_allclose(maps.distance, lead / np.linalg.norm(apart), rtol=0.03)
    for position in range(3):
        longest = max(np.linalg.norm(X[position]), 10 * lead[position] / np.linalg.norm(apart))

        def nearer(free: np.ndarray, longest: Any = longest, position: int = position) -> float:
            length = np.linalg.norm(apart * free)
            return max(longest - lead[position] / length, 0.0) if length else 0.0

        truth = twin(nearer, variant, look_ahead, rounds=3, each=2)
        scale = abs(truth["effects"]).max()
        np.testing.assert_allclose(maps.effects[position] / scale, truth["effects"] / scale, atol=0.02)
        assert maps.order[position].tolist() == truth["order"]


@pytest.mark.parametrize("box, sign", [("remove", -1), ("add", 1), ("clipped", 0)])
def test_the_shortest_change_stays_within_the_box(box: str, sign: int) -> None:
    weights = WEIGHTS / 40
    x = np.full((1, *SHAPE), 0.5, np.float32)
    model = lambda given: tf.reshape(given, (-1, 48)) @ tf.constant(weights) + tf.constant([0.2, 0.0])
    maps = greedy(model, robustness="distance", box=box, attack_steps=20, bisections=9).explain(x, 0)
    outputs, apart = model(x).numpy()[0], weights[:, 1] - weights[:, 0]
    able = apart if sign == 0 else np.where(sign * apart > 0, apart, 0)
    lead = outputs[0] - outputs[1]
    # Steps from 0.5 to the ends: all that is able moves alike, until some of it is at its end.
    direction, low = able / np.linalg.norm(able), 0.0
    high = 10.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = np.clip(middle * direction, -0.5, 0.5) @ apart
        low, high = (low, middle) if reached > lead else (middle, high)
    wanted = np.linalg.norm(np.clip(high * direction, -0.5, 0.5))
    np.testing.assert_allclose(maps.distance, wanted, rtol=0.05)


def test_where_no_change_is_found_the_effects_are_none() -> None:
    model = lambda given: tf.reshape(given, (-1, 48)) @ tf.constant(WEIGHTS / 1000) + tf.constant([5.0, 0.0])
    maps = greedy(model, robustness="distance").explain(X, 0)
    assert not maps.effects.any() and not maps.values.any()


def table(function: Any) -> Any:
    """A model of three numbers whose margin, the second score less the first, is known."""

    def model(x: Any) -> Any:
        raised = function(*tf.unstack(x, axis=1))
        return tf.stack([1.0 + 0.0 * raised, raised], axis=1)

    return model


def order_of(model: Any, **options: Any) -> list[int]:
    given: dict[str, Any] = {"epsilon": 1.0, "box": "symmetric", "samples": 64, "round_share": 0.3, "attack_steps": 6}
    return GreedyAO(model, **{**given, **options}).explain(np.zeros((1, 3), np.float32), 0).order[0].tolist()


def test_what_helps_only_together_is_seen_by_looking_ahead() -> None:
    """Two numbers that raise the score by much, but only both of them."""
    both = table(lambda a, b, c: tf.nn.leaky_relu(4 * (a + b - 1), 0.01) + 0.5 * c)
    assert order_of(both, look_ahead=0.0)[0] == 2
    assert order_of(both, look_ahead=0.5)[2] == 2


def test_what_is_taken_makes_its_likes_worthless() -> None:
    """Either of two numbers is enough, so that after one of them the third is worth more than the other."""
    either = table(lambda a, b, c: 1 - tf.nn.relu(1 - 1.1 * a - b) + 0.2 * c)
    assert order_of(either, look_ahead=0.0, ordered_share=1.0) == [0, 2, 1]
    assert order_of(either, look_ahead=0.0, round_share=1.0, ordered_share=1.0) == [0, 1, 2]


def test_orders_are_better_than_their_reverse_where_metrics_attack() -> None:
    model, images = models.convolutional(), models.images(3, seed=2)
    options = {"levels": (0.25,), "attack_steps": 8, "bisections": 3}
    for variant, metric in (("release", RobustnessSr), ("freeze", RobustnessNotSr)):
        maps = greedy(model, grid_size=(4, 6), samples=64, variant=variant, epsilon="auto").explain(images)
        found, reverse = (metric(model, images, **options).evaluate(each).per_sample for each in (maps, -maps.values))
        assert ((found < reverse) == (metric.better == "lower")).all()


def test_the_radius_is_that_of_a_linear_model() -> None:
    maps = greedy(network, epsilon="auto", box="symmetric").explain(X, [0, 2, 1])
    for position, target in enumerate((0, 2, 1)):
        margin, slope = margin_and_slope(X[position], target)
        np.testing.assert_allclose(maps.epsilon[position], abs(margin) / abs(slope).sum(), rtol=1e-4)


def test_weights_of_classes_are_a_target() -> None:
    contrast = greedy(network).explain(X, np.tile([1.0, -1.0, 0.0], (3, 1)))
    outputs = network(X).numpy()
    np.testing.assert_allclose(contrast.margin, outputs[:, 1] - outputs[:, 0], rtol=1e-4, atol=1e-5)


@cache
def unchanged() -> Any:
    """The map of the options as they are, made once."""
    return greedy(network).explain(X[:1], 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.2},
        {"grid_size": 2},
        {"variant": "freeze"},
        {"box": "remove"},
        {"value_range": (0.45, 0.55)},
        {"samples": 20},
        {"look_ahead": 0.6},
        {"round_share": 0.5},
        {"ordered_share": 0.9},
        {"attack_steps": 1},
        {"seed": 1},
        {"robustness": "distance"},
    ],
    ids=str,
)
def test_each_option_changes_the_map(changes: dict[str, Any]) -> None:
    plain, other = unchanged(), greedy(network, **changes).explain(X[:1], 0)
    assert np.isfinite(other.values).all() and np.ptp(other.values) > 0
    assert plain.values.shape != other.values.shape or not np.allclose(plain.values, other.values, rtol=1e-3)


@pytest.mark.parametrize("changes", [{"bisections": 1}, {"attack_steps": 2}, {"value_range": (0.3, 0.7)}], ids=str)
def test_options_of_the_search_change_the_map(changes: dict[str, Any]) -> None:
    method = greedy(network, robustness="distance", bisections=4)
    plain, other = (each.explain(X[:1], 1) for each in (method, method.replace(**changes)))
    assert np.ptp(other.values) > 0 and not np.allclose(plain.values, other.values, rtol=1e-4)


def test_passes_within_an_attack_are_counted() -> None:
    method = greedy(network, samples=30, round_share=0.3, ordered_share=0.7)
    method.explain(X, 0)
    # Three rounds of two cells each; the image itself, and an attack on the whole box.
    assert method.cost(SHAPE, method.engine.output_spec(X)) == (1 + 3 * 30 * 4 + 4,) * 2
    # Brackets of the radius, and bisections, of each subset.
    search = method.replace(robustness="distance", bisections=6)
    assert search.cost(SHAPE, method.engine.output_spec(X)) == (1 + (3 * 30 + 1) * 4 * (8 + 6),) * 2
