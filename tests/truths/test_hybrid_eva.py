"""The hybrid of EVA against a slow twin, linear models, and what it says of its own samples."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.truths.bound_models import CLASSES, SHAPE, logits, residual, samples, weighted
from xsparks.attributions import HybridEVA
from xsparks.attributions.eva_options import cells_of_places
from xsparks.core.errors import ModelError
from xsparks.core.layout import Layout
from xsparks.engine import Explanation
from xsparks.models.access import Notice
from xsparks.models.bounds import last_cut, read_network
from xsparks.numerics.ranks import spearman
from xsparks.perturbations.noise import normal_noise

GRID = (2, 3)
RADIUS = 0.1

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def hybrid(model: Any, **options: Any) -> HybridEVA:
    """A method that gives every map, in a valid range of 0 to 1."""
    quick: dict[str, Any] = {"grid_size": GRID, "epsilon": RADIUS, "value_range": (0.0, 1.0), "attack_steps": 3}
    return HybridEVA(model, **{**quick, "least_agreement": -1, **options})


def network(units: int = 6, hidden: bool = False) -> Any:
    """A convolution, a dense layer `cut`, and linear classes, or one more ReLU before them."""
    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(layers.Conv2D(4, 3, strides=2, activation="relu")(inputs))
    x = layers.Dense(units, name="cut")(x)
    if hidden:
        x = layers.Dense(7, activation="relu")(layers.ReLU()(x))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(x)), 3)


def flat(explanation: Explanation) -> np.ndarray:
    return explanation.values.reshape(len(explanation), -1)


def margins(values: np.ndarray, target: int) -> np.ndarray:
    return np.delete(values - values[..., target : target + 1], target, axis=-1).max(axis=-1)


def twin(model: Any, x: np.ndarray, target: int, variant: str, seed: int, radius: float) -> dict[str, Any]:
    """The map of one input with a linear end, sample by sample and box by box."""
    layer = model.get_layer("cut")
    lower_part = keras.Model(model.inputs, layer.output)
    kernel, bias = (np.asarray(each) for each in model.layers[-1].get_weights())
    centre = lower_part(x[None]).numpy()[0]
    rival = int(np.argsort(np.where(np.arange(CLASSES) == target, -np.inf, centre @ kernel + bias))[-1])
    slope = kernel[:, rival] - kernel[:, target]
    pairs = 32
    directions = []
    for pair in range(pairs // 2):
        signs = np.sign(tf.random.stateless_uniform(centre.shape, (7919 + seed, pair), -1.0, 1.0).numpy())
        given = tf.constant(x[None])
        with tf.GradientTape() as tape:
            tape.watch(given)
            summed = tf.reduce_sum(lower_part(given) * (slope if pair == 0 else slope * signs))
        found: Any = tape.gradient(summed, given)
        directions.append(found.numpy()[0])
    drawn = normal_noise(Layout(SHAPE), seed, tf.range(pairs // 2, pairs)).numpy()
    directions += list(drawn)
    cells = np.broadcast_to(cells_of_places(GRID, Layout(SHAPE)), SHAPE)
    low, high = np.maximum(x - radius, 0), np.minimum(x + radius, 1)
    spans: Any = {half: [[centre] for _ in range(7)] for half in (0, 1)}
    for pair, towards in enumerate(directions):
        for sign in (1, -1):
            vertex = np.where(sign * towards > 0, high, np.where(sign * towards < 0, low, x))
            shown = [vertex]
            for cell in range(6):
                own = (cells == cell) == (variant == "release")
                shown.append(np.where(own, vertex, x))
            for box, answer in enumerate(lower_part(np.stack(shown).astype("float32")).numpy()):
                for half in (0, 1) if pair == 0 else (pair % 2,):
                    spans[half][box].append(answer)

    def overlap(answers: list[np.ndarray]) -> float:
        down, up = np.min(answers, axis=0), np.max(answers, axis=0)
        rows = (kernel - kernel[:, [target]]).T
        found = rows @ ((down + up) / 2) + abs(rows) @ ((up - down) / 2) + bias - bias[target]
        return float(np.delete(found, target).max())

    def scores(spanned: list[list[np.ndarray]]) -> np.ndarray:
        found = np.array([overlap(answers) for answers in spanned])
        margin = margins(centre @ kernel + bias, target)
        return found[0] - found[1:] if variant == "freeze" else found[1:] - margin

    both = [one + other for one, other in zip(spans[0], spans[1], strict=True)]
    return {
        "map": scores(both),
        "overlap": overlap([answer for box in both for answer in box]),
        "agreement": float(spearman(*(scores(spans[half]).astype("float32") for half in (0, 1)))),
    }


@pytest.mark.parametrize("variant, seed, radius", [("release", 0, RADIUS), ("freeze", 3, 0.5)])
def test_it_is_what_a_slow_twin_finds_sample_by_sample(variant: str, seed: int, radius: float) -> None:
    model = network()
    x = samples(model, 2)
    maps = hybrid(model, variant=variant, seed=seed, epsilon=radius, split_layer="cut").explain(x, [1, 2])
    for position, target in enumerate((1, 2)):
        truth = twin(model, x[position], target, variant, seed, radius)
        np.testing.assert_allclose(flat(maps)[position], truth["map"], rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(maps.overlap[position], truth["overlap"], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(maps.agreement[position], truth["agreement"], atol=0.02)
        # In a wide box draws matter, so that what is a replicate of what can be seen.
        assert truth["agreement"] < 1 or variant == "release"
        assert maps.negative[position] == pytest.approx((truth["map"] < 0).mean())
    np.testing.assert_allclose(maps.gap, maps.overlap - maps.attack, rtol=1e-5)
    assert maps.guarantee == "sampled" and "certified" not in maps.extras
    np.testing.assert_allclose(maps.coverage, 1 - 2 / 17, atol=1e-4)


@pytest.mark.parametrize("variant", ["release", "freeze"])
def test_of_a_linear_layer_of_one_unit_it_is_the_radius_times_the_weights(variant: str) -> None:
    inputs = keras.Input(SHAPE)
    model = weighted(keras.Model(inputs, layers.Dense(2)(layers.Dense(1, name="cut")(layers.Flatten()(inputs)))), 3)
    x = samples(model, 3)
    first, second = model.layers[-2].get_weights()[0][:, 0], model.layers[-1].get_weights()[0][0]
    weights = abs(first * (second[1] - second[0])).reshape(SHAPE)
    cells = np.broadcast_to(cells_of_places(GRID, Layout(SHAPE)), SHAPE)
    truth = [RADIUS * weights[cells == cell].sum() for cell in range(6)]
    maps = hybrid(model, variant=variant, box="symmetric").explain(x, 0)
    np.testing.assert_allclose(flat(maps), np.tile(truth, (3, 1)), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(maps.agreement, 1)
    np.testing.assert_allclose(maps.overlap, maps.margin + np.sum(truth), rtol=1e-3)
    np.testing.assert_allclose(maps.attack, maps.overlap, rtol=1e-3)
    assert maps.split_layer == "cut"


def test_bounds_after_the_layer_hold_within_its_box() -> None:
    """Whatever mixes the extremes of the units, which the samples reached one by one."""
    model = network(hidden=True)
    x = samples(model, 2)
    targets = logits(model, x).argmax(axis=1)
    lower_part = keras.Model(model.inputs, model.get_layer("cut").output)
    rest = keras.Model(model.get_layer("cut").output, model.output)
    draw = np.random.default_rng(3)
    for bounds in ("ibp", "crown_ibp", "crown"):
        maps = hybrid(model, split_layer="cut", bounds=bounds).explain(x)
        for position in range(2):
            low, high = np.maximum(x[position] - RADIUS, 0), np.minimum(x[position] + RADIUS, 1)
            vertices = np.where(draw.random((16, *SHAPE)) < 0.5, low, high).astype("float32")
            answers = lower_part(vertices).numpy()
            mixed = np.where(draw.random((400, 6)) < 0.5, answers.min(axis=0), answers.max(axis=0))
            # The samples of the method reach further than so few vertices.
            assert margins(rest(mixed).numpy(), targets[position]).max() <= maps.overlap[position]
    # In narrower boxes lines are tighter than intervals.
    tight, loose = (
        hybrid(model, split_layer="cut", bounds=bounds, epsilon=0.03).explain(x).overlap for bounds in ("crown", "ibp")
    )
    assert (tight <= loose + 1e-5).all() and (tight < loose - 1e-3).any()


def test_inputs_whose_replicates_disagree_have_no_map_and_that_is_said() -> None:
    model = network()
    x = samples(model, 4)
    every = hybrid(model, epsilon=0.5, variant="freeze").explain(x)
    # Cells that are level swap ranks with the rounding of a run; one swap among six cells moves an agreement by 2 / 35.
    ordered = np.sort(every.agreement)
    widest = int(np.diff(ordered).argmax())
    assert ordered[widest + 1] - ordered[widest] > 4 / 35
    least = float(ordered[widest : widest + 2].mean())
    with pytest.warns(Notice, match=f"{widest + 1} of 4 inputs have no map, because their replicates agree to"):
        some = hybrid(model, epsilon=0.5, variant="freeze", least_agreement=least).explain(x)
    np.testing.assert_array_equal(some.refused, every.agreement < least)
    assert not some.values[some.refused].any() and not every.refused.any()
    # Differences of overlaps, whose rounding is that of the overlaps.
    rounding = 1e-5 * float(abs(every.overlap).max())
    np.testing.assert_allclose(some.values[~some.refused], every.values[~some.refused], rtol=0, atol=rounding)


def test_the_input_itself_lies_in_every_box() -> None:
    """A layer whose answer is largest at the input: of the vertices alone the box would not hold it."""
    inputs = keras.Input((6,))
    away = layers.Dense(1, use_bias=False, name="cut")(keras.ops.abs(inputs - 0.5))
    model = keras.Model(inputs, layers.Dense(2)(away))
    model.get_layer("cut").set_weights([-np.ones((6, 1))])
    model.layers[-1].set_weights([np.array([[0.0, 1.0]]), np.array([1.0, 0.0])])
    # Not where the slope is zero, or samples along it were the input, too.
    maps = hybrid(model, grid_size=12).explain(np.full((1, 6), 0.501, "float32"), 0)
    np.testing.assert_allclose(maps.values, 0, atol=1e-4)
    np.testing.assert_allclose(maps.overlap, maps.margin, atol=1e-4)


def test_an_attack_that_leaves_the_box_is_told() -> None:
    """A bump between the input and the vertices, which steps of an attack meet and no sample does."""
    inputs = keras.Input((4,))
    distance = keras.ops.sum(keras.ops.abs(inputs - 0.5), axis=-1, keepdims=True)
    # 1.5 at a sum of .3, which is less than the .4 of a vertex; the first step ends at one, later ones come back.
    bump = 1.5 - 15.0 * keras.ops.abs(distance - 0.3)
    cut = layers.Dense(1, use_bias=False, name="cut")(bump)
    model = keras.Model(inputs, layers.Dense(2)(cut))
    model.get_layer("cut").set_weights([np.ones((1, 1))])
    model.layers[-1].set_weights([np.array([[0.0, 1.0]]), np.array([1.0, 0.0])])
    x = np.full((1, 4), 0.5, "float32") + np.array([[0.001, -0.001, 0.002, 0.001]], "float32")
    with pytest.warns(Notice, match="an attack left the sampled box of 1 of 1 inputs"):
        strong = hybrid(model, grid_size=12, attack_steps=20).explain(x, 0)
    weak = hybrid(model, grid_size=12, attack_steps=2).explain(x, 0)
    assert strong.gap[0] < -0.1 and strong.attack[0] > weak.attack[0] + 0.1


def test_the_radius_is_a_quarter_of_the_valid_range_if_none_is_given() -> None:
    model = network()
    x = samples(model, 3)
    for given, width in (((0.0, 1.0), 1.0), ((-1.0, 2.0), 3.0), ("input", np.ptp(x, axis=(1, 2, 3)))):
        maps = hybrid(model, epsilon="auto", value_range=given).explain(x)
        np.testing.assert_allclose(maps.epsilon, np.broadcast_to(width / 4, 3), rtol=1e-5)
    fixed = hybrid(model, epsilon=0.25).explain(x)
    np.testing.assert_allclose(hybrid(model, epsilon="auto").explain(x).overlap, fixed.overlap, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"split_layer": "flatten"},
        {"epsilon": 0.2},
        {"grid_size": 2},
        {"samples": 128},
        {"variant": "freeze"},
        {"box": "symmetric"},
        {"box": "remove"},
        {"value_range": (0.3, 0.7)},
        {"seed": 1},
    ],
    ids=str,
)
def test_each_option_changes_the_map(changes: dict[str, Any]) -> None:
    model = network()
    model.layers[2].name = "flatten"
    x = samples(model, 1)
    plain, other = hybrid(model).explain(x), hybrid(model, **changes).explain(x)
    assert np.isfinite(other.values).all() and np.ptp(other.values) > 0
    assert plain.values.shape != other.values.shape or not np.allclose(plain.values, other.values, rtol=1e-3)


def test_before_the_layer_anything_may_stand() -> None:
    inputs = keras.Input(SHAPE)
    x = layers.LayerNormalization()(layers.Conv2D(4, 3, activation="elu")(inputs))
    model = weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D(name="cut")(x))), 3)
    maps = hybrid(model).explain(samples(model, 1))
    assert maps.split_layer == "cut" and np.ptp(maps.values) > 0
    with pytest.raises(ModelError, match="elu|LayerNormalization"):
        read_network(model)


def test_a_network_from_a_layer_on_is_the_rest_of_the_model() -> None:
    model = residual()
    names = [layer.name for layer in model.layers]
    joined = [name for name in names if name.startswith("re_lu")][1]
    network_after = read_network(model, start_layer=joined)
    assert network_after.nodes[0].shape == model.get_layer(joined).output.shape[1:]
    assert len(network_after.nodes) < len(read_network(model).nodes)
    inside = next(name for name in names if name.startswith("separable"))
    with pytest.raises(ModelError, match="a path around it"):
        read_network(model, start_layer=inside)
    # The layer may stand in a model within the model.
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="deep"), layers.Dense(4, activation="relu")])
    inputs = keras.Input((6,))
    outer = keras.Model(inputs, layers.Dense(3)(inner(inputs)))
    assert [node.shape for node in read_network(outer, start_layer="deep").nodes] == [(5,), (4,), (4,), (3,)]
    assert last_cut(outer, "test") is inner
