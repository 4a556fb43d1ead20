"""Spheres about the answers of a network: never exceeded, tight where nothing is stretched, and worth having there."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.truths.bound_models import CLASSES, NETWORKS, attacked, bounded, logits, points, samples, weighted
from xsparks import lipschitz
from xsparks.attributions import EVA
from xsparks.models.bounds import Around, Box, Kernel, read_network, spheres
from xsparks.models.bounds.norms import matrix_norm


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (64, 64), (1, 5)])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_norm_of_a_matrix_is_never_below_its_largest_singular_value(shape: tuple[int, int], scale: float) -> None:
    draw = np.random.default_rng(0).standard_normal(shape)
    for matrix in (draw, np.linalg.qr(draw)[0], np.outer(draw[:, 0], draw[0])):
        truth = np.linalg.norm(scale * matrix, 2)
        found = float(matrix_norm(tf.constant(scale * matrix, tf.float32)))
        assert truth * (1 - 1e-6) <= found <= 1.005 * truth
    assert float(matrix_norm(tf.zeros(shape))) < 1e-30


def _stretches(model: Any) -> list[tuple[str, float, float]]:
    """For each step the kind of its rule, what it stretches at most, and what differences of answers did."""
    network = read_network(model)
    draw, found = np.random.default_rng(0), []
    for node in network.nodes[1:]:
        shapes = [network.nodes[source].shape for source in node.inputs]
        stretch = node.how.stretch(shapes)
        if stretch is None:
            continue
        first = [draw.standard_normal((200, *shape)).astype("float32") for shape in shapes]
        # Of many entries, of one entry, and all alike.
        apart = [draw.standard_normal((200, *shape)) * (draw.random((200, *shape)) < 0.3) for shape in shapes]
        apart = [np.concatenate([each[:100], np.ones_like(each[100:])]) for each in apart]
        second = [one + 0.5 * other.astype("float32") for one, other in zip(first, apart, strict=True)]
        ends = [
            node.how.interval([Box(tf.constant(x), tf.zeros_like(x)) for x in each]).centre for each in (first, second)
        ]
        before = np.sqrt(sum(np.square(a - b).reshape(200, -1).sum(1) for a, b in zip(first, second, strict=True)))
        after = np.linalg.norm((ends[0] - ends[1]).numpy().reshape(200, -1), axis=1)
        found.append((type(node.how).__name__, float(stretch), float((after / np.maximum(before, 1e-9)).max())))
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_no_step_stretches_more_than_it_says(name: str) -> None:
    found = _stretches(NETWORKS[name]())
    assert len(found) >= 2
    for kind, most, measured in found:
        assert measured <= most * (1 + 1e-5), kind


def test_a_stretch_is_exact_where_entries_are_moved_repeated_scaled_or_averaged() -> None:
    inputs = keras.Input((8, 8, 1))
    steps = {
        "moved": (layers.Flatten(), 1.0),
        "repeated": (layers.UpSampling2D(2), 2.0),
        "averaged": (layers.AveragePooling2D(2), 0.5),
        "scaled": (layers.Rescaling(-3.0), 3.0),
        "all": (layers.GlobalAveragePooling2D(), 1 / 8),
    }
    for name, (layer, truth) in steps.items():
        model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(inputs))))
        network = read_network(model)
        first = network.nodes[1]
        assert float(first.how.stretch([(8, 8, 1)])) == pytest.approx(truth, rel=1e-6), name


@pytest.mark.parametrize(("stride", "kernel", "dilation"), [(1, 3, 1), (2, 3, 1), (2, 2, 1), (3, 3, 1), (1, 3, 2)])
def test_a_convolution_stretches_by_no_more_than_its_kernel_and_windows_say(
    stride: int, kernel: int, dilation: int
) -> None:
    inputs = keras.Input((8, 8, 2))
    layer = layers.Conv2D(5, kernel, strides=stride, dilation_rate=dilation, padding="same")
    model = weighted(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(inputs)))), 3)
    step = read_network(model).nodes[1].how
    assert isinstance(step, Kernel)
    images = np.eye(128, dtype="float32").reshape(128, 8, 8, 2)
    matrix = (layer(images) - layer(np.zeros((1, 8, 8, 2)))).numpy().reshape(128, -1)
    truth = np.linalg.norm(matrix, 2)
    most = float(step.stretch([(8, 8, 2)]))
    assert truth <= most * (1 + 1e-6)
    if stride == kernel:
        assert most == pytest.approx(truth, rel=6e-3), "windows that share nothing"


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("name", NETWORKS)
def test_answers_lie_in_their_spheres(name: str, norm: str) -> None:
    model = NETWORKS[name]()
    network, x = read_network(model), samples(model, 2)
    family = Around(norm=norm, valid_range=(0.0, 1.0))
    region = family.first(tf.constant(x), {"epsilon": tf.constant([0.05, 0.2])})
    found = spheres(network, region.box, region.around)
    inside = points(region.box.lower.numpy(), region.box.upper.numpy())
    if norm == "2":
        away = (inside - x).reshape(*inside.shape[:2], -1)
        share = np.minimum(
            1, np.array([0.05, 0.2])[:, None] / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
        )
        inside = (x + (away * share).reshape(inside.shape)).astype("float32")
    for point in inside:
        answers = network.intervals(Box(tf.constant(point), tf.zeros_like(point)))
        for number, (centre, radius) in found.items():
            apart = tf.norm(tf.reshape(answers[number].centre - centre, (2, -1)), axis=1)
            assert (apart <= tf.reduce_min(tf.reshape(radius, (2, -1)), axis=1) + 1e-5).numpy().all(), number


def test_what_comes_after_a_step_of_unknown_stretch_has_no_sphere() -> None:
    network = read_network(NETWORKS["gated"]())
    x = tf.constant(samples(NETWORKS["gated"](), 1))
    found = spheres(network, Box(x, 0.1 * tf.ones_like(x)))
    unknown = [number for number in range(1, len(network.nodes)) if number not in found]
    assert 0 in found and network.output in unknown
    assert set(spheres(network, Box(x, tf.ones_like(x)), last=1)) <= {0, 1}


def _constrained(kind: str) -> Any:
    """A network whose layers stretch nothing, and weights that are orthogonal."""
    keras.utils.set_random_seed(0)
    if kind == "dense":
        hidden: list[Any] = [lipschitz.SpectralDense(24, activation=lipschitz.GroupSort2()) for _ in range(3)]
        model = keras.Sequential([keras.Input((12,)), *hidden, lipschitz.SpectralDense(CLASSES)])
    else:
        hidden = [lipschitz.SpectralConv2D(8, 3, activation=lipschitz.GroupSort2()) for _ in range(3)]
        model = keras.Sequential([keras.Input((8, 8, 2)), *hidden, layers.Flatten(), lipschitz.SpectralDense(CLASSES)])
    return lipschitz.vanilla_model(model)


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
@pytest.mark.parametrize("method", ["ibp", "crown_ibp", "crown"])
def test_bounds_of_a_network_that_stretches_nothing_stay_tight(kind: str, method: str) -> None:
    model = _constrained(kind)
    x, targets, epsilon = samples(model), np.array([0, 1, 2], "int32"), 0.3
    margins = attacked(model, x - epsilon, x + epsilon)[np.arange(3), :, targets]
    upper = {
        on: bounded(model, x, epsilon, None, targets, method=method, lengths=on)["upper"][..., 0]
        for on in (True, False)
    }
    assert (upper[True] >= margins - 1e-5).all()
    assert (upper[True] <= upper[False] + 1e-5).all()
    # Within a ball of that radius no margin moves by more than the root of two times as much.
    reach = np.sqrt(2) * epsilon * np.sqrt(np.prod(x.shape[1:]))
    clean = logits(model, x)
    rise = upper[True] - (clean - clean[np.arange(3), targets][:, None])
    assert rise.max() <= 1.02 * reach
    gap = {on: (each - margins)[np.arange(CLASSES) != targets[:, None]].mean() for on, each in upper.items()}
    assert gap[True] < (0.85 if method == "crown" else 0.6) * gap[False]


def test_the_boxes_of_every_node_get_tighter_and_the_linear_bound_with_them() -> None:
    model = _constrained("dense")
    found = {on: bounded(model, samples(model), 0.3, method="crown", lengths=on)["linear"] for on in (True, False)}
    assert found[True].mean() < 0.9 * found[False].mean()


def test_an_average_of_many_entries_moves_less_than_each() -> None:
    inputs = keras.Input((6, 6, 4))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(layers.Conv2D(4, 1)(inputs)))
    network = read_network(weighted(keras.Model(inputs, layers.Dense(CLASSES)(x)), 1))
    averages = next(number for number, node in enumerate(network.nodes) if node.shape == (4,))
    box = Box(tf.zeros((1, 6, 6, 4)), 0.1 * tf.ones((1, 6, 6, 4)))
    ball = Box(box.centre, 0.1 * tf.ones_like(box.radius))
    round_ones = spheres(network, box, ball)
    found = network.intervals(box, spheres=round_ones)[averages].radius
    assert (found <= round_ones[averages].radius * (1 + 1e-6)).numpy().all()
    without = {number: each for number, each in round_ones.items() if number != averages}
    assert (found < 0.5 * network.intervals(box, spheres=without)[averages].radius).numpy().all()


def test_a_map_of_eva_compares_cells_by_what_the_network_makes_of_them() -> None:
    """The sphere says least, and the same of every cell."""
    model = _constrained("dense")
    x = samples(model)
    targets = logits(model, x).argmax(1)
    maps = EVA(model, epsilon=0.3, box="symmetric", grid_size=12).explain(x, targets)
    linear = bounded(model, x, 0.3, None, targets, lengths=True)["linear"][..., 0].max(1)
    assert (maps.overlap < linear - 0.1).all(), "the reported bound is that of the sphere"
    assert (maps.overlap >= maps.attack).all()
    spread = maps.values.reshape(3, -1)
    assert (spread.min(1) >= 0).all(), "one relaxation for all cells"
    assert (spread.max(1) > 3 * spread.min(1)).all() and (spread.max(1) > 0.01).all()
    assert maps.certified.tolist() == (maps.overlap <= 0).tolist()


def test_a_larger_radius_is_certain_for_a_network_that_stretches_nothing() -> None:
    model = _constrained("dense")
    x = samples(model)
    targets = logits(model, x).argmax(1)
    maps = EVA(model, box="symmetric", grid_size=12).explain(x, targets)
    constant = np.sqrt(2 * 12)
    assert (maps.epsilon >= 0.98 * -maps.margin / constant).all(), "at least what the Lipschitz constant promises"
