"""EVA against linear models, its limit, attacks on every box, and its own promises."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests import models
from tests.truths.bound_models import CLASSES, SHAPE, attacked, bounded, convolutional, dense, logits, samples, weighted
from xsparks import lipschitz
from xsparks.attributions import EVA, Saliency, sufficient_cells
from xsparks.attributions.eva_options import cells_of_places
from xsparks.core.layout import Layout
from xsparks.engine import Explanation
from xsparks.models.access import Notice
from xsparks.models.bounds import Around

MODES = ("shared", "shared_bounds", "exact")
VARIANTS = ("freeze", "release")
GRID = (2, 3)
UNIT: Any = (0.0, 1.0)

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def eva(model: Any, **options: Any) -> EVA:
    """A method that is quick on small networks, in a valid range of 0 to 1."""
    grid: Any = GRID if len(model.inputs[0].shape) == 4 else 12
    return EVA(model, **{"grid_size": grid, "epsilon": 0.05, "value_range": UNIT, "attack_steps": 20, **options})


def small() -> Any:
    """Two dense layers behind an image, which compile fast."""
    inputs = keras.Input(SHAPE)
    x = layers.Dense(10, activation="relu")(layers.Dense(12, activation="relu")(layers.Flatten()(inputs)))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(x)), 8, 1.5)


def linear(seed: int = 9) -> Any:
    inputs = keras.Input(SHAPE)
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(layers.Conv2D(3, 3)(inputs)))), seed)


def slopes(model: Any, x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest margin of each input and its gradient."""
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = tf.constant(0.0) + model(given)
        own = tf.gather(found, targets, batch_dims=1)
        rival = tf.reduce_max(tf.where(tf.one_hot(targets, CLASSES) > 0, -np.inf, found), axis=1)
        margin = rival - own
    gradient: Any = tape.gradient(margin, given)
    return margin.numpy(), gradient.numpy()


def by_cells(values: np.ndarray, grid: tuple[int, ...] = GRID) -> np.ndarray:
    """Sums over cells `(n, cells)`."""
    cells = np.broadcast_to(cells_of_places(grid, Layout(values.shape[1:])), values.shape[1:])
    return np.stack([values[:, cells == cell].sum(axis=1) for cell in range(cells.max() + 1)], axis=1)


def flat(explanation: Explanation) -> np.ndarray:
    return explanation.values.reshape(len(explanation), -1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_of_a_linear_model_it_is_the_radius_times_the_weights(mode: str, variant: str) -> None:
    model, x = linear(), samples(linear(), 3)
    # One class leads the others by far, so that the same rival is the highest in all boxes.
    model.layers[-1].bias.assign([40.0, 20.0, 0.0, 0.0])
    margin, gradient = slopes(model, x, np.zeros(3, int))
    bounds = "ibp" if mode == "exact" else "crown"
    maps = eva(model, mode=mode, variant=variant, box="symmetric", epsilon=0.3, bounds=bounds).explain(x)
    np.testing.assert_allclose(flat(maps), 0.3 * by_cells(abs(gradient)), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(maps.overlap, margin + 0.3 * abs(gradient).sum(axis=(1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(maps.attack, maps.overlap, rtol=1e-3)
    np.testing.assert_allclose(maps.margin, margin, rtol=1e-5)
    assert maps.certified.all() and (maps.targets == 0).all() and maps.guarantee == "verified"


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_half_boxes_of_a_linear_model_only_one_sign_counts(variant: str) -> None:
    model, x = linear(), samples(linear(), 3)
    model.layers[-1].bias.assign([40.0, 20.0, 0.0, 0.0])
    _, gradient = slopes(model, x, np.zeros(3, int))
    for box, low, high in (("remove", -0.3, 0.0), ("add", 0.0, 0.3), ("clipped", -0.3, 0.3)):
        down, up = np.clip(x + low, 0, 1) - x, np.clip(x + high, 0, 1) - x
        truth = by_cells(np.maximum(gradient * down, gradient * up))
        maps = eva(model, variant=variant, box=box, epsilon=0.3).explain(x)
        np.testing.assert_allclose(flat(maps), truth, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_limit_of_small_boxes_is_the_gradient_of_the_margin(variant: str) -> None:
    model, x = dense("softplus"), samples(dense(), 3)
    targets = logits(model, x).argmax(axis=1)
    _, gradient = slopes(model, x, targets)
    maps = EVA(model, epsilon=1e-3, variant=variant, mode="shared_bounds", box="symmetric").explain(x)
    truth = 1e-3 * abs(gradient)
    np.testing.assert_allclose(maps.values, truth, rtol=0.05, atol=0.03 * truth.max())


def bounds_of_cells(maps: Explanation, variant: str) -> np.ndarray:
    """The bound of every cell's box, from what the explanation holds."""
    return maps.overlap[:, None] - flat(maps) if variant == "freeze" else maps.margin[:, None] + flat(maps)


@pytest.mark.parametrize("variant, box", [("freeze", "clipped"), ("release", "remove")])
def test_bounds_of_each_cell_hold_and_get_tighter_with_the_mode(variant: str, box: str) -> None:
    model = dense()
    x, targets = samples(model, 3), np.array([0, 1, 2])
    down = 0.0 if box == "add" else 0.1
    up = 0.0 if box == "remove" else 0.1
    low, high = (x - down, x + up) if box == "symmetric" else (np.maximum(x - down, 0), np.minimum(x + up, 1))
    truth = []
    for cell in range(12):
        frozen = np.arange(12) == cell if variant == "freeze" else np.arange(12) != cell
        margins = attacked(model, np.where(frozen, x, low), np.where(frozen, x, high))[np.arange(3), :, targets]
        margins[np.arange(3), targets] = -np.inf
        truth.append(margins.max(axis=1))
    found = {}
    for mode in MODES:
        maps = eva(model, mode=mode, variant=variant, box=box, epsilon=0.1).explain(x, targets)
        found[mode] = bounds_of_cells(maps, variant)
        assert (found[mode] >= np.stack(truth, axis=1) - 2e-5).all(), mode
        assert (maps.attack <= maps.overlap).all() and (maps.gap == maps.overlap - maps.attack).all()
        assert (maps.attack >= maps.margin).all()
        if mode == "shared":
            assert flat(maps).min() >= 0 and (maps.negative == 0).all()
            overlap = maps.overlap
        np.testing.assert_allclose(maps.overlap, overlap, rtol=1e-4, atol=1e-4)
    assert found["shared"].mean() > found["shared_bounds"].mean() >= found["exact"].mean() - 1e-6
    assert found["exact"].mean() >= np.mean(truth)


def test_certified_images_yield_no_change_to_an_attack() -> None:
    model = convolutional()
    x = samples(model, 12)
    targets = logits(model, x).argmax(axis=1)
    maps = eva(model, epsilon=0.015).explain(x)
    assert 0.3 <= maps.certified.mean() < 1
    margins = attacked(model, np.maximum(x - 0.015, 0), np.minimum(x + 0.015, 1))[np.arange(12), :, targets]
    margins[np.arange(12), targets] = -np.inf
    assert (margins.max(axis=1)[maps.certified] <= 0).all()
    # The attack of the method is as good as one on every margin apart, or nearly.
    assert (margins.max(axis=1) - maps.attack).max() < 0.05 * maps.gap.max() + 0.01


@pytest.mark.parametrize("options", [{}, {"bounds": "ibp"}, {"norm": "2", "box": "symmetric"}])
def test_the_radius_that_is_found_is_the_smallest_with_an_overlap(options: dict[str, Any]) -> None:
    model = dense()
    x = samples(model, 3)
    found = eva(model, epsilon="auto", attack_steps=1, **options).explain(x)
    assert (found.overlap >= -1e-4).all() and (found.overlap < 0.02 * abs(found.margin)).all()
    below = eva(model, epsilon=0.99 * float(found.epsilon[1]), attack_steps=1, **options).explain(x[1:2])
    assert below.overlap[0] < 0 and below.certified[0]


def test_the_radius_of_an_image_of_another_class_lets_the_bound_rise_as_far_again() -> None:
    model = dense()
    x = samples(model, 3)
    worst = logits(model, x).argmin(axis=1)
    found = eva(model, epsilon="auto").explain(x, worst)
    assert (found.margin > 0).all()
    np.testing.assert_allclose(found.overlap, 2 * found.margin, rtol=0.02)


def test_a_radius_that_no_overlap_needs_is_the_valid_range() -> None:
    model = linear()
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 1e-3)
    model.layers[-1].bias.assign([40.0, 20.0, 0.0, 0.0])
    x = samples(model, 2)
    found = eva(model, epsilon="auto", value_range=(-1.0, 2.0)).explain(x)
    np.testing.assert_allclose(found.epsilon, 3.0)
    assert found.certified.all()
    unit = eva(model, epsilon="auto", value_range="input").explain(x)
    np.testing.assert_allclose(unit.epsilon, np.ptp(x.reshape(2, -1), axis=1), rtol=1e-6)


def test_a_target_of_two_classes_asks_for_one_margin() -> None:
    model = dense()
    x = samples(model, 3)
    order = np.argsort(-logits(model, x), axis=1)
    rows = np.arange(3)
    first, second, last = order[:, 0], order[:, 1], order[:, -1]
    pair = np.zeros((3, CLASSES), "float32")
    pair[rows, first], pair[rows, last] = 1, -1
    maps = eva(model).explain(x, pair)
    margins = attacked(model, np.maximum(x - 0.05, 0), np.minimum(x + 0.05, 1))
    assert (maps.overlap >= margins[rows, last, first] - 1e-5).all()
    np.testing.assert_allclose(maps.margin, (logits(model, x)[rows, last] - logits(model, x)[rows, first]), rtol=1e-5)
    whole = eva(model).explain(x)
    assert (maps.overlap < whole.overlap - 0.01).any() and (maps.overlap <= whole.overlap + 1e-5).all()
    pair[:] = 0
    pair[rows, first], pair[rows, second] = 1, -1
    np.testing.assert_allclose(eva(model).explain(x, pair).margin, whole.margin, rtol=1e-5)
    np.testing.assert_allclose(eva(model).explain(x, np.eye(CLASSES)[first]).values, whole.values, rtol=1e-4, atol=1e-6)
    # Equal weights are beaten by no class, of which a margin of zero says nothing.
    assert np.isfinite(eva(model).explain(x, np.zeros((3, CLASSES))).overlap).all()


@cache
def unchanged() -> Explanation:
    return eva(small(), attack_steps=2).explain(samples(small(), 2))


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.06},
        {"epsilon": "auto"},
        {"norm": "2"},
        {"grid_size": 2},
        {"bounds": "crown_ibp"},
        {"bounds": "ibp"},
        {"bounds": "alpha_crown"},
        {"mode": "shared_bounds"},
        {"mode": "exact"},
        {"variant": "release"},
        {"box": "symmetric"},
        {"box": "remove"},
        {"box": "add"},
        {"value_range": (0.2, 0.8)},
    ],
    ids=str,
)
def test_each_option_changes_the_map(changes: dict[str, Any]) -> None:
    x = samples(small(), 2)
    plain, other = unchanged(), eva(small(), attack_steps=2, **changes).explain(x)
    assert np.isfinite(other.values).all() and np.ptp(other.values) > 0
    assert plain.values.shape != other.values.shape or not np.allclose(plain.values, other.values, rtol=1e-2)


def test_more_steps_of_the_attack_and_of_the_search_come_nearer() -> None:
    model = small()
    x = samples(model, 4)
    weak, strong = (eva(model, epsilon=0.2, attack_steps=steps).explain(x) for steps in (1, 40))
    assert (weak.attack == weak.margin).all() and (strong.attack > weak.attack + 0.05).all()
    rough, fine = (eva(model, epsilon="auto", search_steps=steps).explain(x) for steps in (3, 14))
    assert abs(fine.overlap).max() < 0.1 * abs(rough.overlap).max()


def test_intervals_are_made_anew_for_each_cell_in_every_mode() -> None:
    model = dense()
    x = samples(model, 2)
    found = [eva(model, bounds="ibp", mode=mode).explain(x).values for mode in MODES]
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-4)
    assert found[0].min() >= 0 and np.ptp(found[0]) > 0


def test_the_share_of_negative_scores_is_told() -> None:
    model = small()
    x = samples(model, 6)
    maps = eva(model, epsilon=0.5, mode="exact", bounds="crown_ibp", grid_size=(8, 7)).explain(x)
    share = (flat(maps) < -1e-5 * np.maximum(1, abs(maps.overlap))[:, None]).mean(axis=1)
    np.testing.assert_allclose(maps.negative, share, atol=0.02)


def test_bounds_that_say_little_are_told() -> None:
    model = small()
    x = samples(model, 2)
    with pytest.warns(Notice, match="2 of 2 inputs is more than three times their margin above what an attack finds"):
        eva(model, epsilon=0.5, bounds="ibp").explain(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        eva(model, epsilon=0.001).explain(x)


def test_all_samples_are_told_of_at_once_at_the_line_of_the_caller() -> None:
    model = small()
    x = samples(model, 20)
    method = eva(model, epsilon=0.5, bounds="ibp", attack_steps=1)
    with pytest.warns(Notice) as told:
        method.explain(x)
    assert [(str(each.message)[:35], each.filename) for each in told] == [
        ("`EVA`: the bound of 20 of 20 inputs", __file__)
    ]
    with pytest.warns(Notice) as told:
        parts = list(method.stream(x))
    assert len(parts) > 1 and len(told) == len(parts)


@pytest.mark.parametrize("recipe", ["tf", "torch", "caffe"])
def test_a_recipe_of_preprocessing_is_bounded_and_the_radius_is_in_pixels(recipe: str) -> None:
    model, pixels = models.convolutional(), models.images(3) * 255
    # Small enough for a bound that is nearly tight, so that the attack on the model itself tells whether it is bounded.
    found = EVA(model, grid_size=GRID, epsilon=0.01, preprocess=recipe).explain(pixels)
    assert (found.attack <= found.overlap).all()
    np.testing.assert_allclose(found.attack, found.overlap, rtol=2e-2, atol=2e-2)
    assert (found.overlap > found.margin + 1e-4).all()
    if recipe == "tf":
        inputs: Any = keras.Input(models.SHAPE)
        inside = EVA(
            keras.Model(inputs, model(inputs / 127.5 - 1.0)), grid_size=GRID, epsilon=0.01, value_range=(0.0, 255.0)
        ).explain(pixels)
        np.testing.assert_allclose(found.values, inside.values, rtol=1e-3, atol=1e-5)


def test_the_declared_range_cuts_the_box() -> None:
    inner = models.convolutional()
    inputs = keras.Input(models.SHAPE)
    model = keras.Model(inputs, inner(layers.Rescaling(1 / 255)(inputs)))
    white = np.full((1, *models.SHAPE), 255.0, "float32")
    # A box of no size: what is left is rounding.
    assert EVA(model, grid_size=GRID, epsilon=5.0, box="add").explain(white).values.max() < 1e-6
    assert np.ptp(EVA(model, grid_size=GRID, epsilon=5.0, box="remove").explain(white).values) > 1e-3


def test_new_weights_are_bounded_without_a_new_method() -> None:
    model = small()
    x = samples(model, 2)
    method = eva(model)
    before = method.explain(x, 0)
    weighted(model, 77)
    after, fresh = method.explain(x, 0), eva(model).explain(x, 0)
    assert not np.allclose(before.values, after.values)
    np.testing.assert_allclose(after.values, fresh.values, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after.attack, fresh.attack, rtol=1e-4)


def test_it_ranks_a_patch_that_the_model_reads_before_all_others() -> None:
    """Of a network that reads one cell alone, all others are zero."""
    inputs = keras.Input((6, 6, 1))
    x = layers.Dense(8, activation="relu")(layers.Flatten()(layers.Cropping2D(((2, 2), (4, 0)))(inputs)))
    model = weighted(keras.Model(inputs, layers.Dense(3)(x)), 5)
    x = samples(model, 3)
    for mode in MODES:
        maps = eva(model, mode=mode, grid_size=3).explain(x)
        assert (flat(maps).argmax(axis=1) == 5).all()
        np.testing.assert_allclose(np.delete(flat(maps), 5, axis=1), 0, atol=1e-4)


def test_a_1_lipschitz_network_is_read_and_its_bounds_stay_tight() -> None:
    """Each logit of it moves by no more than the input, so that a margin moves by no more than twice that."""
    plain = [layers.Conv2D(4, 3, padding="same", activation="relu"), layers.Flatten()]
    plain += [layers.Dense(12, activation="relu"), layers.Dense(CLASSES)]
    model = lipschitz.to_lipschitz(keras.Sequential([keras.Input(SHAPE), *plain]))
    kinds = [type(getattr(layer, "activation", None)).__name__ for layer in model.layers]
    assert kinds.count("GroupSort2") == 2
    x = samples(model, 4)
    own = eva(model, norm="2", box="symmetric", epsilon=0.1).explain(x)
    moved = own.overlap - own.margin
    assert (own.attack <= own.overlap + 1e-5).all() and (moved <= 2 * 0.1 + 1e-4).all() and (moved > 0.01).all()
    exported = eva(lipschitz.vanilla_model(model), norm="2", box="symmetric", epsilon=0.1).explain(x)
    np.testing.assert_allclose(exported.overlap, own.overlap, atol=1e-4)
    np.testing.assert_allclose(exported.values, own.values, atol=1e-4)
    # In a box, where sorting is open, every point stays below the bound.
    wide = eva(model, epsilon=0.3).explain(x)
    highest = attacked(model, np.maximum(x - 0.3, 0), np.minimum(x + 0.3, 1))
    for position, target in enumerate(wide.targets):
        assert np.delete(highest[position, :, target], target).max() <= wide.overlap[position] + 1e-5


def test_slopes_run_in_a_graph_as_on_the_host() -> None:
    model = dense()
    x = samples(model, 3)
    method = eva(model, bounds="alpha_crown", epsilon=0.2, attack_steps=2)
    host = method.explain(x, 1)
    graph = tf.function(method.explain)(tf.constant(x), tf.constant([1, 1, 1]))
    np.testing.assert_allclose(graph, host.maps, rtol=1e-3, atol=1e-5)
    plain = eva(model, epsilon=0.2, attack_steps=2).explain(x, 1)
    assert host.overlap.mean() < plain.overlap.mean() - 0.01


def test_the_first_cells_that_are_enough_are_certified_and_one_fewer_is_not() -> None:
    model = convolutional()
    x = samples(model, 6)
    method = eva(model, grid_size=(4, 7))
    maps = method.explain(x)
    targets = maps.targets
    found = sufficient_cells(method, x, maps, epsilon=2 * 0.02)
    assert found.cells.shape == (6, 4, 7) and (found.cells.sum(axis=(1, 2)) == found.count).all()
    assert found.certified.all() and (found.count > 0).any() and (found.count < 28).all()
    order = np.argsort(-flat(maps), axis=1, kind="stable")
    kept = np.zeros((6, 28), bool)
    for position in range(6):
        kept[position, order[position, : found.count[position]]] = True
    np.testing.assert_array_equal(kept.reshape(found.cells.shape), found.cells)
    places = cells_of_places((4, 7), Layout(SHAPE))
    frozen = kept[:, places]
    low, high = (np.where(frozen, x, np.clip(x + step, 0, 1)) for step in (-0.04, 0.04))
    margins = attacked(model, low, high)[np.arange(6), :, targets]
    margins[np.arange(6), targets] = -np.inf
    assert (margins.max(axis=1) <= 0).all()
    # With the last of them free the same bound is above zero.
    one = int(np.argmax(found.count))
    radius = np.where(np.where(order[one].argsort() < found.count[one] - 1, 0.0, 0.04)[places], 0.04, 0.0)
    bound = _overlap_of(model, x[one], targets[one], radius)
    assert bound > 0


def _overlap_of(model: Any, x: np.ndarray, target: int, radius: np.ndarray) -> float:
    given = {"epsilon": np.broadcast_to(radius, x.shape)[None].astype("float32").copy()}
    upper = bounded(model, x[None], family=Around(valid_range=UNIT), targets=np.array([target]), given=given)["upper"]
    return float(np.delete(upper[0, :, 0], target).max())


def test_sufficient_cells_of_any_map_and_of_an_input_of_another_class() -> None:
    model = dense()
    x = samples(model, 4)
    targets = logits(model, x).argmax(axis=1)
    method = eva(model, epsilon="auto")
    own = method.explain(x)
    at = 2 * own.epsilon
    best = sufficient_cells(method, x, own, epsilon=at)
    backwards = sufficient_cells(method, x, -own.values, targets, epsilon=at)
    assert best.certified.all() and best.count.mean() < backwards.count.mean()
    assert sufficient_cells(method, x, Saliency(model).explain(x), epsilon=at).certified.all()
    # At the radius that was found almost nothing must be kept.
    assert sufficient_cells(method, x, own).count.max() <= 1
    other = sufficient_cells(method, x, own, logits(model, x).argmin(axis=1), epsilon=at)
    assert not other.certified.any() and (other.count == 12).all() and other.cells.all()


def test_an_explanation_of_it_is_saved_with_its_guarantee(tmp_path: Any) -> None:
    model = dense()
    maps = eva(model).explain(samples(model, 2))
    again = Explanation.load(maps.save(tmp_path / "maps"))
    assert again.guarantee == "verified" and again.settings["mode"] == "shared"
    np.testing.assert_array_equal(again.certified, maps.certified)
