"""Randomised weights and another class: what maps should notice, and what the model must not."""

from __future__ import annotations

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import GradCAM, GradientInput, Saliency, SobolAttribution
from xsparks.engine import Group
from xsparks.metrics import ModelRandomization, RandomLogit
from xsparks.models.access import ModelAccess
from xsparks.models.randomised import randomised, weighted_layers
from xsparks.numerics.map_similarity import map_similarities

pytestmark = [
    pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice"),
    # Of Keras 3.15 where it reads a variable as an array.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])


def weights_of(model) -> list[np.ndarray]:
    return [np.array(weight.value.numpy()) for weight in model.variables]


def access_of(model, inputs=X) -> ModelAccess:
    access = ModelAccess(model)
    access.ensure_ready(inputs)
    return access


def normalised() -> keras.Model:
    """Convolution and batch normalisation in a block within a model, statistics of the data before, dropout after."""
    block = keras.Sequential(
        [
            keras.Input(models.SHAPE),
            keras.layers.Conv2D(4, 3, name="inner"),
            keras.layers.BatchNormalization(name="bn"),
        ],
        name="block",
    )
    inputs = keras.Input(models.SHAPE)
    data = keras.layers.Normalization(name="data")
    data.adapt(models.images(20))
    x = data(inputs)
    x = keras.layers.Flatten()(keras.layers.ReLU()(block(x)))
    outputs = keras.layers.Dense(3, name="head")(keras.layers.Dropout(0.5)(x))
    model = keras.Model(inputs, outputs)
    draw = np.random.default_rng(6)
    for layer in (block.get_layer("inner"), block.get_layer("bn"), model.get_layer("head")):
        layer.set_weights([draw.random(weight.shape) + 0.5 for weight in layer.get_weights()])
    return model


# Weights


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (models.convolutional, ["head", "second", "first"]),
        (models.nested, ["head", "second", "first"]),
        (models.Subclassed, ["last", "head", "second", "first"]),
        (models.mixed_precision, ["head", "second", "first"]),
        (normalised, ["head", "bn", "inner"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_layers_stand_from_the_output_down(make, paths):
    found = weighted_layers(access_of(make()))
    assert [each.path.split(".")[-1] for each in found] == paths
    assert [each.position for each in found] == list(range(len(paths)))


class Backwards(keras.Model):
    """Names its last layer first, and has a weight of its own and a layer that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.top = keras.layers.Dense(3, name="top")
        self.unused = keras.layers.Dense(2, name="unused")
        self.bottom = keras.layers.Dense(4, name="bottom")
        self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")

    def build(self, shape):
        self.unused.build((None, 2))
        super().build(shape)

    def call(self, inputs):
        return self.top(self.bottom(inputs) * self.scale)


def test_the_order_is_that_of_the_answers_not_that_of_the_names():
    model = Backwards()
    access = access_of(model, np.ones((2, 5), np.float32))
    assert [each.path for each in weighted_layers(access)] == [model.name, "top", "bottom", "unused"]


def test_weights_are_drawn_by_the_initialisers_of_their_layers():
    model = normalised()
    layers = {each.path.split(".")[-1]: each for each in weighted_layers(access_of(model))}
    with randomised(list(layers.values()), seed=4):
        inside = {name: [np.array(w.value.numpy()) for w in each.weights] for name, each in layers.items()}
    names = {name: [weight.name for weight in each.weights] for name, each in layers.items()}
    found = dict(zip(names["bn"], inside["bn"], strict=True))
    for name, value in {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}.items():
        np.testing.assert_array_equal(found[name], np.full(4, value))
    kernel, bias = inside["head"]
    limit = np.sqrt(6 / sum(kernel.shape))  # of Glorot's uniform initialiser
    assert np.abs(kernel).max() < limit and np.abs(kernel).max() > 0.9 * limit and abs(kernel.mean()) < 0.1 * limit
    np.testing.assert_array_equal(bias, 0)


def test_an_initialiser_with_a_seed_of_its_own_draws_other_weights():
    """The weights of an untrained network with seeded initialisers are not drawn again."""
    model = models.convolutional()
    with randomised(weighted_layers(access_of(model)), 0):
        for before, after in zip(weights_of(models.convolutional()), weights_of(model), strict=True):
            assert before.ndim == 1 or np.isclose(before, after).mean() < 0.01


def test_a_weight_without_an_initialiser_keeps_its_values_in_another_order():
    model = Backwards()
    access = access_of(model, np.ones((2, 5), np.float32))
    model.scale.assign([1.0, 2.0, 3.0, 4.0])
    with randomised(weighted_layers(access)[:1], 0):
        inside = model.scale.numpy()
    assert inside.tolist() != [1, 2, 3, 4] and sorted(inside.tolist()) == [1, 2, 3, 4]


def test_the_weights_of_a_layer_depend_on_the_seed_and_the_layer_alone():
    model = models.convolutional()
    top, second, first = weighted_layers(access_of(model))

    def inside(layers, seed):
        with randomised(layers, seed):
            return np.array(model.get_layer("second").kernel.value.numpy())

    np.testing.assert_array_equal(inside([second], 0), inside([top, second, first], 0))
    assert not np.allclose(inside([second], 0), inside([second], 1))
    with randomised([top, second, first], 0):
        assert not np.allclose(first.weights[0].numpy().ravel()[:100], second.weights[0].numpy().ravel()[:100])


@pytest.mark.parametrize("make", [models.convolutional, models.mixed_precision, models.Subclassed, normalised])
@pytest.mark.parametrize("stop", [None, ValueError, KeyboardInterrupt], ids=["", "error", "interrupt"])
def test_the_model_is_afterwards_what_it_was(make, stop):
    model = make()
    layers, before, answer = weighted_layers(access_of(model)), weights_of(model), model(X).numpy()
    with nullcontext() if stop is None else pytest.raises(stop), randomised(layers, 0):
        assert any(not np.array_equal(old, new) for old, new in zip(before, weights_of(model), strict=True))
        if stop is not None:
            raise stop
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model(X).numpy(), answer)


# ModelRandomization

METHODS = {
    "Saliency": lambda model: Saliency(model),
    "GradCAM": lambda model: GradCAM(model),
    "SobolAttribution": lambda model: SobolAttribution(model, grid_size=(2, 3), nb_design=4, smooth=False),
}


@pytest.mark.parametrize("name", METHODS)
def test_maps_of_real_methods_change_and_the_model_does_not(name):
    model = models.convolutional()
    before, answer = weights_of(model), model(X).numpy()
    explainer = METHODS[name](model)
    maps = explainer.explain(X, TARGETS).maps
    score = ModelRandomization(model, X, TARGETS)(explainer)
    assert score.curve[1].shape == (5, 3) and (score.curve[1] < 0.999).all() and score.layers.tolist() == [
        "head", "second", "first"
    ]  # fmt: skip
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model(X).numpy(), answer)
    np.testing.assert_array_equal(explainer.explain(X, TARGETS).maps, maps)


def test_a_method_that_ignores_the_weights_is_found_out():
    """A model whose gradient is the same whatever the weights of its first layer: similarity 1."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(inputs)
    idle = keras.layers.Dense(3, name="idle")(x * 0.0)
    model = keras.Model(inputs, x[:, :3] * tf.constant([1.0, 2.0, 3.0]) + idle)
    images = models.images(3, (4, 4, 1))
    score = ModelRandomization(model, images, [0, 1, 2])(GradientInput(model))
    np.testing.assert_array_equal(score.per_sample, 1)


def test_the_twin_of_the_cascade():
    """Each stage by hand: set the weights, explain, compare, set them back."""
    model = models.convolutional()
    layers = weighted_layers(access_of(model))
    explainer = GradientInput(model)
    maps = explainer.explain(X, TARGETS).maps[..., 0]
    for mode in ("cascading", "independent"):
        wanted = []
        for stage in range(3):
            with randomised(layers[: stage + 1] if mode == "cascading" else layers[stage : stage + 1], 7):
                other = GradientInput(model).explain(X, TARGETS).maps[..., 0]
            wanted.append(map_similarities(maps, other))
        score = ModelRandomization(model, X, TARGETS, mode=mode, seed=7)(explainer)
        np.testing.assert_allclose(score.curve[1], np.stack(wanted, axis=1), atol=1e-5)
        np.testing.assert_array_equal(score.curve[0], [1, 2, 3])
        np.testing.assert_allclose(score.per_sample, score.curve[1].mean(axis=1))


def test_an_error_within_leaves_the_model_as_it_was():
    model = models.convolutional()
    before, seen = weights_of(model), []

    def broken(forward, inputs, targets):
        return forward(inputs)[:, 0]

    class Stopping(ModelRandomization):
        def compare(self, maps, changed, group):
            seen.append(any(not np.array_equal(a, b) for a, b in zip(before, weights_of(model), strict=True)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stopping(model, X, TARGETS, operator=broken)(Saliency(model))
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)

    calls = []

    class Failing(keras.layers.Layer):
        def call(self, inputs):
            return tf.ensure_shape(tf.numpy_function(self.look, [inputs], tf.float32), inputs.shape)

        def look(self, inputs):
            calls.append(len(calls))
            if not np.array_equal(model.get_layer("head").kernel.value.numpy(), before[-2]):
                raise ValueError("the weights are gone")
            return inputs

    inputs = keras.Input(models.SHAPE)
    watched = keras.Model(inputs, model(Failing()(inputs)))
    sobol = SobolAttribution(watched, grid_size=(2, 3), nb_design=2, smooth=False)
    with pytest.raises(Exception, match="the weights are gone"):
        ModelRandomization(watched, X, TARGETS)(sobol)
    assert len(calls) > 2
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_new_trace_is_needed_for_other_weights():
    model, layer = models.recorded()
    metric, explainer = ModelRandomization(model, X, TARGETS), Saliency(model)
    explainer.explain(X, TARGETS)
    metric.measure(explainer, X, TARGETS)
    traced = layer.calls
    score = metric(explainer)
    assert layer.calls == traced and (score.curve[1] < 0.999).all()


def test_stages_are_spaced_evenly_and_end_with_the_last_layer():
    model = keras.Sequential([keras.Input((6,)), *[keras.layers.Dense(6, name=f"d{i}") for i in range(7)]])
    table = np.random.default_rng(0).random((3, 6)).astype(np.float32)
    for stages, wanted in [(3, [3, 5, 7]), (1, [7]), (None, [1, 2, 3, 4, 5, 6, 7]), (20, [1, 2, 3, 4, 5, 6, 7])]:
        score = ModelRandomization(model, table, [0, 1, 2], stages=stages)(GradientInput(model))
        assert score.curve[0].tolist() == wanted and score.layers.tolist() == [f"d{7 - number}" for number in wanted]
    part = ModelRandomization(model, table, [0, 1, 2], layers=0.3, mode="independent")(GradientInput(model))
    assert part.layers.tolist() == ["d6", "d5"]


def test_named_layers_and_blocks():
    model = normalised()
    score = ModelRandomization(model, X, [0, 1, 2, 0, 1], layers=["block", "head"])(GradientInput(model))
    assert score.layers.tolist() == ["head", "block"] and score.curve[0].tolist() == [1, 2]
    whole = ModelRandomization(model, X, [0, 1, 2, 0, 1])(GradientInput(model))
    np.testing.assert_allclose(score.curve[1], whole.curve[1][:, [0, 2]], atol=1e-6)
    one = ModelRandomization(model, X, [0, 1, 2, 0, 1], layers=["bn"])(GradientInput(model))
    assert one.layers.tolist() == ["bn"] and (one.curve[1] < 1).any()


@pytest.mark.parametrize(
    "options",
    [{"mode": "independent"}, {"layers": 0.5}, {"layers": ["second"]}, {"stages": 1}, {"similarity": "ssim"},
     {"similarity": "spearman_abs"}, {"seed": 1}],
    ids=str,
)  # fmt: skip
def test_every_option_of_the_randomisation_changes_the_number(options):
    model = models.convolutional()
    metric = ModelRandomization(model, X, TARGETS)
    one, other = (each(GradientInput(model)).per_sample for each in (metric, metric.replace(**options)))
    assert not np.allclose(one, other, rtol=1e-4)


# RandomLogit


def separate(x):
    """Each class looks at a quarter of the image of its own."""
    return tf.stack(
        [tf.reduce_sum(x[:, 4 * i : 4 * i + 4, 6 * j : 6 * j + 6] ** 2, (1, 2, 3)) for i in (0, 1) for j in (0, 1)], 1
    )


@pytest.mark.parametrize("similarity", ["ssim", "spearman", "spearman_abs"])
def test_the_twin_of_random_logit(similarity):
    model = models.convolutional()
    method, targets = GradientInput(model), np.arange(4).repeat(2)
    images = models.images(8)
    score = RandomLogit(model, images, targets, similarity=similarity)(method)
    maps = np.stack([method.explain(images, other).maps[..., 0] for other in range(4)], axis=1)
    rows = np.arange(8)
    table = np.stack([map_similarities(maps[rows, targets], maps[:, other], similarity) for other in range(4)], axis=1)
    # The value is that of one of the other classes, of the same one for all samples of a class, and never its own.
    chosen = [
        [other for other in range(4) if other != target and abs(score.per_sample[row] - table[row, other]) < 1e-3]
        for row, target in enumerate(targets)
    ]
    assert all(len(some) == 1 for some in chosen) and chosen[::2] == chosen[1::2]
    assert (score.per_sample < 0.9).all()


def test_the_other_class_does_not_depend_on_the_position():
    images, targets = models.images(8), np.arange(4).repeat(2)
    metric = RandomLogit(separate, images, targets)
    turned = RandomLogit(separate, images[::-1], targets[::-1])
    method = GradientInput(separate)
    np.testing.assert_allclose(metric(method).per_sample, turned(method).per_sample[::-1], rtol=1e-4)
    one_hot = RandomLogit(separate, images, np.eye(4)[targets])(method)
    np.testing.assert_allclose(one_hot.per_sample, metric(method).per_sample, rtol=1e-4)
    assert not np.allclose(metric.replace(seed=1)(method).per_sample, metric(method).per_sample)


def test_each_class_has_a_draw_of_its_own():
    targets = np.arange(40)
    group = Group(None, targets, np.zeros((40, 40)), targets)
    apart = (RandomLogit(separate, X)._others(group) - targets) % 40
    assert (apart > 0).all() and len(set(apart)) > 20


def test_two_classes_always_have_the_other_one():
    pair = lambda x: separate(x)[:, :2]
    found = [RandomLogit(pair, X, TARGETS % 2, seed=seed)(GradientInput(pair)).per_sample for seed in range(4)]
    assert all(np.array_equal(found[0], each) for each in found[1:]) and (found[0] < 0.9).all()


# Similarities


def test_the_similarity_of_a_map_to_itself_its_negative_and_a_constant():
    draw = np.random.default_rng(1)
    maps = draw.normal(size=(4, 16, 20))
    for name in ("spearman", "spearman_abs", "ssim"):
        np.testing.assert_allclose(map_similarities(maps, 3 * maps + (0 if "abs" in name else 2), name), 1)
        assert (np.abs(map_similarities(maps, draw.normal(size=maps.shape), name)) < 0.3).all()
        np.testing.assert_array_equal(map_similarities(maps, np.zeros_like(maps), name), 0)
        np.testing.assert_array_equal(map_similarities(np.ones_like(maps), np.ones_like(maps), name), 1)
    np.testing.assert_allclose(map_similarities(maps, -maps, "spearman"), -1)
    np.testing.assert_allclose(map_similarities(maps, -maps, "spearman_abs"), 1)
    assert (map_similarities(maps, -maps, "ssim") < -0.5).all()


def test_the_structural_similarity_is_that_of_the_formula():
    """Window by window, away from the borders, which the filter mirrors."""
    draw = np.random.default_rng(2)
    a = draw.random((1, 11, 11))
    b = a + 0.3 * draw.normal(size=a.shape)
    a, b = ((each - each.min()) / np.ptp(each) for each in (a, b))
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    padded = [np.pad(each[0], 5, mode="symmetric") for each in (a, b)]
    values = []
    for row in range(11):
        for column in range(11):
            p, q = (each[row : row + 11, column : column + 11] for each in padded)
            mean = [(window * each).sum() for each in (p, q)]
            spread = [(window * each * each).sum() - m * m for each, m in zip((p, q), mean, strict=True)]
            shared = (window * p * q).sum() - mean[0] * mean[1]
            values.append(
                (2 * mean[0] * mean[1] + 1e-4) * (2 * shared + 9e-4)
                / ((mean[0] ** 2 + mean[1] ** 2 + 1e-4) * (spread[0] + spread[1] + 9e-4))
            )  # fmt: skip
    np.testing.assert_allclose(map_similarities(a, b, "ssim"), np.mean(values), rtol=1e-9)
