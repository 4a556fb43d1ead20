"""Verified bounds of whole networks, run by the engine: sound, exact where they can be, and as tight as they claim."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import optimize

from tests.truths import bound_models as made
from tests.truths.bound_models import CLASSES, NETWORKS, attacked, bounded, logits, points, samples, weighted
from xsparks.engine import Engine
from xsparks.engine.verified_bounds import VerifiedBounds
from xsparks.models.access import ModelAccess
from xsparks.models.bounds import Around, Cells, ColouredRows, Listed, read_network, rows_of

METHODS = ("ibp", "crown_ibp", "crown")


@pytest.mark.parametrize("name", NETWORKS)
def test_no_attack_exceeds_a_bound_and_crown_is_no_wider_than_intervals(name: str) -> None:
    model = NETWORKS[name]()
    x, targets = samples(model), np.array([0, 1, 2], "int32")
    epsilon = np.array([0.001, 0.02, 0.1], "float32")
    wide = epsilon.reshape(-1, *[1] * (x.ndim - 1))
    family = Around(valid_range=(0.0, 1.0))
    margins = attacked(model, np.maximum(x - wide, 0), np.minimum(x + wide, 1))
    margins = margins[np.arange(3), :, targets]
    gaps = {}
    for method in METHODS:
        upper = bounded(model, x, epsilon, family, targets, method=method)["upper"][..., 0]
        assert (upper >= margins - 1e-5 * (1 + np.abs(margins))).all(), method
        gaps[method] = (upper - margins)[np.arange(CLASSES) != targets[:, None]]
    assert np.median(gaps["crown"]) <= np.median(gaps["crown_ibp"]) + 1e-4
    assert np.median(gaps["crown_ibp"]) <= np.median(gaps["ibp"]) + 1e-4
    assert gaps["crown"].mean() < 0.7 * gaps["ibp"].mean()
    assert gaps["crown"].reshape(3, -1)[0].max() < 0.02, "nearly tight in a tiny box"


@pytest.mark.parametrize("name", ["convolutional", "nested"])
def test_outputs_are_bounded_from_both_sides_and_a_box_of_no_size_gives_them(name: str) -> None:
    model = NETWORKS[name]()
    x = samples(model)
    found = bounded(model, x, np.array([0.0, 0.02, 0.05], "float32"), outputs=True)
    upper, lower = found["upper"][..., 0], found["lower"][..., 0]
    wide = np.array([0.02, 0.05]).reshape(-1, *[1] * (x.ndim - 1))
    for shift in points(x[1:] - wide, x[1:] + wide):
        values = logits(model, shift)
        assert (values <= upper[1:] + 1e-5).all() and (values >= lower[1:] - 1e-5).all()
    np.testing.assert_allclose(upper[0], logits(model, x)[0], atol=2e-4)
    np.testing.assert_allclose(lower[0], logits(model, x)[0], atol=2e-4)
    assert (found["upper"] <= np.minimum(found["linear"], found["interval"])[:, :CLASSES] + 1e-6).all()


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_a_linear_network_is_bounded_exactly(norm: str) -> None:
    inputs = keras.Input((4, 4, 2))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3)(layers.Rescaling(2.0)(inputs)))
    model = weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(x))), 9)
    x, targets = samples(model), np.array([0, 1, 2], "int32")
    rows = np.eye(32, dtype="float32").reshape(32, 4, 4, 2)
    weights = logits(model, rows) - logits(model, np.zeros((1, 4, 4, 2), "float32"))
    weights = weights.T[None] - weights.T[targets][:, None]
    clean = logits(model, x)
    size = np.abs(weights).sum(-1) if norm == "inf" else np.linalg.norm(weights, axis=-1)
    truth = clean - clean[np.arange(3), targets][:, None] + 0.3 * size
    for method in METHODS:
        upper = bounded(model, x, 0.3, Around(norm=norm), targets, method=method)["upper"][..., 0]
        np.testing.assert_allclose(upper, truth, rtol=1e-4, atol=1e-4)
        assert (upper >= truth - 1e-5).all()


def test_the_first_layer_is_exact_on_a_ball() -> None:
    inputs = keras.Input((3, 2))
    x = layers.Dense(5)(layers.Flatten()(layers.Rescaling(-2.0)(inputs)))
    model = weighted(keras.Model(inputs, layers.Dense(CLASSES, activation="relu")(x)), 4)
    network = read_network(model)
    region = Around(norm="2").first(tf.constant(samples(model)), {"epsilon": tf.constant([0.1, 0.2, 0.3])})
    boxes = network.intervals(region.box, region.around)
    first = next(number for number, node in enumerate(network.nodes) if node.shape == (5,))
    size = 2 * np.linalg.norm(model.get_weights()[0], axis=0)
    np.testing.assert_allclose(boxes[first].radius, np.outer([0.1, 0.2, 0.3], size), rtol=1e-5)
    apart = network.intervals(region.box)[network.output].radius
    assert (boxes[network.output].radius < apart).numpy().any()


def test_exact_is_at_most_crown_is_at_most_intervals() -> None:
    """Mixed-integer optimisation over 28 ReLUs: the true highest margins."""
    model = made.dense()
    x, targets, epsilon = samples(model, 2), np.array([0, 1], "int32"), 0.08
    exact = np.array([[_exact(model, x[i], epsilon, targets[i], c) for c in range(CLASSES)] for i in range(2)])
    found = {method: bounded(model, x, epsilon, None, targets, method=method)["upper"][..., 0] for method in METHODS}
    found["slopes"] = bounded(model, x, epsilon, None, targets, steps=30)["upper"][..., 0]
    assert (exact <= found["slopes"] + 1e-5).all()
    for method in ("crown", "crown_ibp"):
        assert (exact <= found[method] + 1e-5).all() and (found[method] <= found["ibp"] + 1e-5).all()
    others = np.arange(CLASSES) != targets[:, None]
    gap = {name: (upper - exact)[others].mean() for name, upper in found.items()}
    assert gap["slopes"] < 0.9 * gap["crown"] and gap["crown"] < 0.5 * gap["ibp"]


def _exact(model: Any, x: np.ndarray, epsilon: float, target: int, rival: int) -> float:
    """The highest `f_rival - f_target`: every ReLU with a binary that says which side of zero it is on."""
    weights = [each.astype(float) for each in model.get_weights()]
    kernels, biases = weights[::2], weights[1::2]
    lower, upper = x - epsilon, x + epsilon
    sizes = [len(x), *(len(bias) for bias in biases[:-1])]
    starts = np.cumsum([0, *sizes])
    binaries = starts[-1] + np.cumsum([0, *sizes[1:]])
    total = binaries[-1]
    low, high = np.full(total, 0.0), np.full(total, 1.0)
    low[: sizes[0]], high[: sizes[0]] = lower, upper
    rows, under, over = [], [], []

    def add(entries: dict[int, float], least: float, most: float) -> None:
        row = np.zeros(total)
        for place, value in entries.items():
            row[place] += value
        rows.append(row)
        under.append(least)
        over.append(most)

    for layer, (kernel, bias) in enumerate(zip(kernels[:-1], biases[:-1], strict=True)):
        centre, radius = (lower + upper) / 2, (upper - lower) / 2
        before_low = centre @ kernel + bias - radius @ abs(kernel)
        before_high = centre @ kernel + bias + radius @ abs(kernel)
        for unit in range(len(bias)):
            own, sign = starts[layer + 1] + unit, binaries[layer] + unit
            high[own] = max(before_high[unit], 0)
            inputs = {starts[layer] + place: -value for place, value in enumerate(kernel[:, unit])}
            # y >= z,  y <= z - l (1 - a),  y <= u a
            add({own: 1.0, **inputs}, bias[unit], np.inf)
            add({own: 1.0, **inputs, sign: -before_low[unit]}, -np.inf, bias[unit] - before_low[unit])
            add({own: 1.0, sign: -max(before_high[unit], 0)}, -np.inf, 0.0)
        lower, upper = np.maximum(before_low, 0), np.maximum(before_high, 0)
    cost = np.zeros(total)
    cost[starts[-2] : starts[-1]] = -(kernels[-1][:, rival] - kernels[-1][:, target])
    whole = np.concatenate([np.zeros(starts[-1]), np.ones(total - starts[-1])])
    found = optimize.milp(
        cost,
        constraints=optimize.LinearConstraint(np.array(rows), under, over),
        integrality=whole,
        bounds=optimize.Bounds(low, high),
    )
    assert found.success
    return -found.fun + biases[-1][rival] - biases[-1][target]


def test_many_boxes_of_a_sample_by_one_relaxation_or_by_one_each() -> None:
    model = made.dense()
    x, targets = samples(model, 2), np.array([0, 1], "int32")
    cell_of = np.arange(12) // 3
    for release in (False, True):
        family = Cells(cell_of=cell_of, release=release, valid_range=(0.0, 1.0))
        assert family.count == 5
        single = _cell_by_cell(model, x, targets, cell_of, release)
        one = bounded(model, x, 0.05, family, targets)["upper"]
        each = bounded(model, x, 0.05, family, targets, relaxation="own")["upper"]
        others = np.arange(CLASSES) != targets[:, None]
        # The first box is the whole one, on which all three make the same relaxation.
        np.testing.assert_allclose(one[:, :, 0], single[:, :, 0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(each[:, :, 0], single[:, :, 0], rtol=1e-4, atol=1e-4)
        attack = _attack_by_cell(model, x, targets, cell_of, release)
        for upper in (one, each, single):
            assert (upper >= attack - 1e-5)[others].all()
        assert (one <= one[:, :, :1] + 1e-5).all(), "a box within another has no higher bound"
        assert each[others].mean() <= one[others].mean() + 1e-5
        assert abs(each - single)[others].mean() < abs(one - single)[others].mean() + 1e-5


def _ends(x: np.ndarray, cell_of: np.ndarray, release: bool, number: int) -> tuple[np.ndarray, np.ndarray]:
    free = np.ones_like(x, bool) if number == 0 else (cell_of == number - 1) == release
    return np.where(free, np.maximum(x - 0.05, 0), x), np.where(free, np.minimum(x + 0.05, 1), x)


def _cell_by_cell(model: Any, x: np.ndarray, targets: np.ndarray, cell_of: np.ndarray, release: bool) -> np.ndarray:
    """Each box by itself, as if it were a sample."""
    ends = [_ends(x, cell_of, release, number) for number in range(5)]
    lower, upper = (np.concatenate([end[side] for end in ends]) for side in (0, 1))
    given = {"centre": (lower + upper)[:, None] / 2, "radius": (upper - lower)[:, None] / 2}
    found = bounded(model, np.tile(x, (5, 1)), 0.0, Listed(), np.tile(targets, 5), given=_box(given))
    return found["upper"][..., 0].reshape(5, 2, CLASSES).transpose(1, 2, 0)


def _box(given: dict[str, np.ndarray]) -> Any:
    from xsparks.models.bounds import Box

    return Box(given["centre"].astype("float32"), given["radius"].astype("float32"))


def _attack_by_cell(model: Any, x: np.ndarray, targets: np.ndarray, cell_of: np.ndarray, release: bool) -> np.ndarray:
    found = []
    for number in range(5):
        values = np.stack([logits(model, each) for each in points(*_ends(x, cell_of, release, number))])
        found.append((values - values[:, np.arange(2), targets][..., None]).max(axis=0))
    return np.stack(found, axis=-1)


def test_cells_of_a_ball_agree_with_the_boxes_one_by_one() -> None:
    model = made.dense()
    x, targets = samples(model, 2), np.array([0, 1], "int32")
    weights = tf.constant(np.random.default_rng(0).standard_normal((2, 5, 12)), tf.float32)
    for release, norm in ((False, "inf"), (True, "inf"), (False, "2"), (True, "2")):
        family = Cells(cell_of=np.arange(12) // 4, release=release, norm=norm, valid_range=(0.0, 1.0))
        given = {"epsilon": tf.constant([0.2, 0.4])}
        together = family.highest(weights, tf.constant(x), given)
        apart = super(Cells, family).highest(weights, tf.constant(x), given)
        np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)
    for release in (True,):
        family = Cells(cell_of=np.arange(12) // 4, release=release, norm="2", valid_range=(0.0, 1.0))
        upper = bounded(model, x, 0.2, family, targets)["upper"]
        boxes = bounded(
            model, x, 0.2, Cells(cell_of=np.arange(12) // 4, release=release, valid_range=(0.0, 1.0)), targets
        )
        assert (upper <= boxes["upper"] + 1e-5).all(), "the ball lies in the box"
        draw = np.random.default_rng(1).standard_normal((200, 2, 12))
        inside = np.clip(x + 0.2 * draw / np.linalg.norm(draw, axis=-1, keepdims=True), 0, 1).astype("float32")
        values = np.stack([logits(model, each) for each in inside])
        values = (values - values[:, np.arange(2), targets][..., None]).max(axis=0)
        assert (values <= upper[..., 0] + 1e-5).all()


@pytest.mark.parametrize("direction", ["both", "remove", "add"])
def test_a_box_holds_its_sample_and_keeps_a_tiny_radius_beside_one(direction: str) -> None:
    x = tf.constant([[0.0, 0.5, 1.0]])
    box = Around(direction=direction, valid_range=(0.0, 1.0)).first(x, {"epsilon": tf.constant([1e-8])}).box
    down = {"both": [0, 1, 1], "remove": [0, 1, 1], "add": [0, 0, 0]}[direction]
    up = {"both": [1, 1, 0], "remove": [0, 0, 0], "add": [1, 1, 0]}[direction]
    np.testing.assert_allclose(box.radius[0], 0.5e-8 * (np.array(down) + up), rtol=1e-5)
    each = Around().first(x, {"epsilon": tf.constant([[0.1, 0.2, 0.3]])}).box
    np.testing.assert_allclose(each.radius, [[0.1, 0.2, 0.3]])


@pytest.mark.parametrize("name", ["residual", "pooled"])
def test_coloured_rows_give_the_bounds_of_plain_rows(name: str) -> None:
    model = NETWORKS[name]()
    network = read_network(model)
    assert any(isinstance(rows_of(network, anchor), ColouredRows) for anchor in network.anchors)
    x = samples(model)
    found = [bounded(model, x, 0.03, colour=colour)["upper"] for colour in (True, False)]
    np.testing.assert_allclose(*found, rtol=3e-5, atol=3e-5)


def test_colouring_needs_few_rows_and_keeps_receptive_fields_apart() -> None:
    inputs = keras.Input((16, 15, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(5, 3, padding="same", activation="relu")(x)
    network = read_network(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    rows = rows_of(network, network.anchors[1])
    assert isinstance(rows, ColouredRows)
    # Two convolutions of three see five pixels; two such squares are apart at a distance of five.
    assert rows.strides == (5, 5) and rows.count == 25 * 5 and rows.parts == 4 * 3
    first = rows.reach[0][0]
    assert first[8].sum() == 5 and first[0].sum() == 3
    marks = np.zeros((1, 16, 15, 5), "float32")
    marks[0, 3, 3, 1] = marks[0, 8, 13, 1] = marks[0, 4, 3, 1] = 1
    assert rows.needed(tf.constant(marks)).numpy().sum() == 2


def test_intersections_are_no_wider_than_their_parts() -> None:
    model = made.dense("tanh")
    found = bounded(model, samples(model), np.array([0.01, 1.0, 30.0], "float32"), method="crown_ibp")
    np.testing.assert_array_equal(found["upper"], np.minimum(found["linear"], found["interval"]))
    assert (found["linear"] < found["interval"]).any() and (found["linear"] > found["interval"]).any()


def test_a_second_call_with_other_boxes_and_the_size_of_batches_change_nothing() -> None:
    model = made.convolutional()
    x, targets = samples(model, 5), np.array([0, 1, 2, 3, 0], "int32")
    traces: list[int] = []

    class Counting(Around):
        def region(self, inputs: Any, given: Any, index: Any) -> Any:
            traces.append(1)
            return super().region(inputs, given, index)

    plans = VerifiedBounds(network=read_network(model), family=Counting(), rows=8).plans()
    engine = Engine(ModelAccess(model), None, 3)

    def run(epsilon: float, count: int = 5) -> np.ndarray:
        given = {"epsilon": np.full(count, epsilon, "float32")}
        return engine.run(plans, x[:count], targets[:count], given)["upper"].numpy()

    first = run(0.02)
    made_before = len(traces)
    assert made_before > 0
    # More unstable entries, none at all, and fewer samples.
    assert run(0.2).mean() > first.mean() and np.isfinite(run(0.0)).all()
    np.testing.assert_allclose(run(0.02, 2), first[:2], rtol=1e-5, atol=1e-5)
    assert len(traces) == made_before
    engine = Engine(ModelAccess(model), None, 64)
    np.testing.assert_allclose(run(0.02), first, rtol=1e-5, atol=1e-5)
    graph = tf.function(lambda inputs, given: engine.run(plans, inputs, tf.constant(targets), given)["upper"])
    np.testing.assert_allclose(graph(tf.constant(x), {"epsilon": tf.fill([5], 0.02)}), first, rtol=1e-5, atol=1e-5)


def test_rows_of_an_item_change_nothing() -> None:
    model = made.dense("tanh")
    x = samples(model)
    found = [bounded(model, x, 0.03, rows=rows)["upper"] for rows in (5, 64)]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)


def test_rivals_are_the_rows_of_all_classes() -> None:
    model = made.dense()
    x, targets = samples(model), np.array([0, 1, 2], "int32")
    whole = bounded(model, x, 0.05, None, targets)["upper"]
    given = {"epsilon": np.full(3, 0.05, "float32"), "rivals": np.array([[3], [2], [0]], "int32")}
    some = bounded(model, x, 0.05, None, targets, given=given, rivals=1)["upper"]
    np.testing.assert_allclose(some[:, 0], whole[np.arange(3), [3, 2, 0]], rtol=1e-6)


def test_slopes_lower_the_bounds_of_each_box_and_stay_sound() -> None:
    model = made.convolutional()
    x, targets = samples(model), np.array([0, 1, 2], "int32")
    before = bounded(model, x, 0.05, None, targets)["upper"][..., 0]
    after = bounded(model, x, 0.05, None, targets, steps=15)["upper"][..., 0]
    assert (after.sum(axis=1) <= before.sum(axis=1) + 1e-5).all() and after.mean() < before.mean() - 0.01
    margins = attacked(model, x - 0.05, x + 0.05)[np.arange(3), :, targets]
    assert (after >= margins - 1e-5).all()
