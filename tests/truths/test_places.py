"""Which layers answer with something laid out in space, and which of them is meant."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.truths.token_models import Transformer, tokens_of_unknown_grid
from xsparks.attributions import GradCAM, Saliency
from xsparks.models.places import MOST_EXTRA_TOKENS, Place, last_of_each_grid, own_places, place_of

LINEAR = keras.initializers.RandomNormal(seed=3)
WIDE = (32, 48, 3)


def places_of(model: Any, shape: tuple[int, ...] = models.SHAPE) -> list[Place]:
    """All places of a model."""
    explainer = Saliency(model)
    explainer.access.ensure_ready(np.zeros((1, *shape), np.float32))
    return explainer.engine.places


def chosen(model: Any, layer: Any = None, shape: tuple[int, ...] = models.SHAPE, reshape: Any = None) -> Place:
    """The place that is read."""
    return place_of(places_of(model, shape), Saliency(model).access, layer, reshape)


def classifier(*layers: Any, shape: tuple[int, ...] = WIDE) -> keras.Model:
    """The layers one after the other, averaged and weighted."""
    inputs = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(4, kernel_initializer=LINEAR, name="head")(x))


def conv(name: str, channels: int = 3, strides: int = 1) -> keras.layers.Layer:
    """A convolution that keeps the size of the image, or halves it."""
    return keras.layers.Conv2D(
        channels, 3, strides, padding="same", activation="relu", kernel_initializer=LINEAR, name=name
    )


def test_the_layer_before_the_last_pooling_is_read_as_in_vgg():
    pool = keras.layers.MaxPooling2D
    model = classifier(
        conv("conv1"), pool(name="pool1"), conv("conv2"), pool(name="pool2"), keras.layers.Flatten(name="flat")
    )
    assert [(place.name, place.grid, place.repeats) for place in places_of(model, WIDE)] == [
        ("conv1", (32, 48), False),
        ("pool1", (16, 24), True),
        ("conv2", (16, 24), False),
        ("pool2", (8, 12), True),
    ]
    assert chosen(model, shape=WIDE).name == "conv2"
    assert chosen(model, "pool2", WIDE).grid == (8, 12)
    assert [place.name for place in last_of_each_grid(places_of(model, WIDE))] == ["conv1", "conv2"]


def test_dropout_and_padding_repeat_what_came_before():
    layers = [conv("conv"), keras.layers.ZeroPadding2D(name="padded"), keras.layers.Dropout(0.5, name="dropped")]
    model = classifier(*layers, keras.layers.GlobalAveragePooling2D())
    assert chosen(model, shape=WIDE).name == "conv"


def test_activations_and_additions_of_their_own_are_read():
    inputs = keras.Input(WIDE)
    x = conv("conv", strides=2)(inputs)
    x = keras.layers.Add(name="added")([x, conv("side")(x)])
    x = keras.layers.ReLU(name="final")(keras.layers.BatchNormalization(name="normed")(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    names = [place.name for place in own_places(places_of(model, WIDE))]
    assert names == ["conv", "side", "added", "normed", "final"]
    assert chosen(model, shape=WIDE).name == "final"


@pytest.mark.parametrize(
    "before",
    [
        [keras.layers.Rescaling(1 / 255, name="scaled"), keras.layers.Normalization(name="normal")],
        [keras.layers.ZeroPadding2D(name="padded"), keras.layers.Rescaling(2.0, name="scaled")],
    ],
)
def test_the_picture_itself_is_no_feature(before):
    model = classifier(*before, conv("conv", strides=4), keras.layers.Flatten())
    places = places_of(model, WIDE)
    assert [place.name for place in own_places(places)] == ["conv"]
    assert [place.name for place in last_of_each_grid(places)] == ["conv"]


def test_layers_of_nested_subclassed_and_unbuilt_models():
    nested = models.nested()
    backbone = nested.layers[-2].name
    assert chosen(nested).name == f"{backbone}.second"
    assert chosen(nested, "second").name == f"{backbone}.second"
    subclassed = models.Subclassed()
    assert chosen(subclassed).name == f"{subclassed.backbone.name}.second"
    sequential = models.sequential_unbuilt()
    assert chosen(sequential).name == sequential.layers[0].name
    assert chosen(sequential).grid == (6, 10)


def test_a_nested_model_repeats_its_last_layer():
    inputs = keras.Input(WIDE)
    backbone = keras.Model(inputs, conv("last")(conv("before")(inputs)), name="backbone")
    model = classifier(backbone, keras.layers.GlobalAveragePooling2D())
    names = [(place.name, place.repeats) for place in places_of(model, WIDE)]
    assert names == [("backbone.before", False), ("backbone.last", False), ("backbone", True)]
    assert chosen(model, shape=WIDE).name == "backbone.last"
    assert chosen(model, "backbone", WIDE).name == "backbone"


def test_a_branch_that_the_outputs_do_not_depend_on_is_not_read():
    inputs = keras.Input(WIDE)
    used = conv("used")(inputs)
    unused = conv("unused")(used)
    outputs = keras.layers.GlobalAveragePooling2D()(used) + 0.0 * keras.layers.GlobalAveragePooling2D()(unused)
    model = keras.Model(inputs, keras.layers.Dense(2)(outputs))
    assert chosen(model, shape=WIDE).name == "used"
    assert chosen(model, "unused", WIDE).reached is False


def test_a_model_with_constant_outputs_has_its_last_layer_read():
    model = models.convolutional()
    model.get_layer("head").kernel.assign(tf.zeros_like(model.get_layer("head").kernel))
    place = chosen(model)
    assert place.name == "second" and not place.reached
    assert last_of_each_grid(places_of(model)) == []


@pytest.mark.parametrize("shape", [(32, 48, 3), (48, 32, 3)])
def test_patches_with_a_class_token_keep_their_rows(shape):
    grid = (shape[0] // 8, shape[1] // 8)
    for extra in (0, 1, 5, MOST_EXTRA_TOKENS):
        inputs = keras.Input(shape)
        x = keras.layers.Conv2D(2, 8, strides=8, kernel_initializer=LINEAR, name="patches")(inputs)
        x = keras.layers.Reshape((grid[0] * grid[1], 2))(x)
        x = keras.layers.ZeroPadding1D((extra, 0))(x)
        x = keras.layers.Dense(5, kernel_initializer=LINEAR, name="tokens")(x)
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(x)))
        place = chosen(model, shape=shape)
        assert (place.name, place.grid, place.extra, place.channels) == ("tokens", grid, extra, 5)
        tokens = np.arange(extra + grid[0] * grid[1], dtype=np.float32)[None, :, None]
        laid_out = place.on_grid(tf.constant(np.repeat(tokens, 5, -1))).numpy()
        np.testing.assert_array_equal(laid_out[0, :, :, 0], extra + np.arange(grid[0] * grid[1]).reshape(grid))


def test_of_the_last_block_of_a_transformer_only_what_its_attention_reads_counts():
    reached = {place.name: place.reached for place in places_of(Transformer().model, (16, 24, 3))}
    assert reached["before_attention_1"]
    assert not reached["before_mlp_1"] and not reached["mlp_1"]
    # The projections within the attention have heads beside places.
    assert not any(name.startswith("attention_1.") for name in reached)


def test_tokens_without_a_known_grid_are_listed_but_not_chosen():
    places = {place.name: place for place in places_of(tokens_of_unknown_grid())}
    assert places["mixed"].grid == () and places["mixed"].shape == (20, 3) and places["mixed"].reached
    assert "mixed" not in [place.name for place in own_places(list(places.values()))]
    laid_out = chosen(
        tokens_of_unknown_grid(), reshape=lambda tokens: tf.transpose(tf.reshape(tokens, (-1, 5, 4, 3)), (0, 2, 1, 3))
    )
    assert (laid_out.name, laid_out.grid, laid_out.cells, laid_out.channels) == ("mixed", (4, 5), (4, 5), 3)
    tokens = tf.reshape(tf.range(60.0), (1, 20, 3))
    np.testing.assert_array_equal(laid_out.on_grid(tokens)[0, 1, 2], tokens[0, 2 * 4 + 1])


class Windows(keras.layers.Layer):
    """Looks at the four quarters of a grid of tokens as if they were samples, as window attention does."""

    def __init__(self) -> None:
        super().__init__(name="windows")
        self.mixed = keras.layers.Dense(3, kernel_initializer=LINEAR, name="mixed")

    def call(self, grid: Any) -> Any:
        """The grid, mixed within its quarters."""
        rows, columns, channels = grid.shape[1:]
        quarters = tf.reshape(grid, (-1, 2, rows // 2, 2, columns // 2, channels))
        quarters = tf.reshape(tf.transpose(quarters, (0, 1, 3, 2, 4, 5)), (-1, rows // 2 * columns // 2, channels))
        mixed = tf.reshape(self.mixed(quarters), (-1, 2, 2, rows // 2, columns // 2, 3))
        return tf.reduce_mean(tf.transpose(mixed, (0, 1, 3, 2, 4, 5)), axis=(1, 2, 3, 4))


def test_windows_that_look_like_samples_are_not_read():
    model = classifier(conv("conv", strides=4), Windows())
    reached = {place.name: place.reached for place in places_of(model, WIDE)}
    assert reached == {"conv": True, "windows.mixed": False}
    assert chosen(model, shape=WIDE).name == "conv"


def channels_first(first: bool) -> keras.Model:
    """The same network with the channel first or last."""
    form = {"data_format": "channels_first"} if first else {}
    axis = 1 if first else -1
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, padding="same", kernel_initializer=LINEAR, name="conv", **form),
            keras.layers.BatchNormalization(axis=axis, name="normed"),
            keras.layers.ReLU(name="final"),
            keras.layers.GlobalAveragePooling2D(**form),
            keras.layers.Dense(2, kernel_initializer=LINEAR),
        ]
    )


def test_layers_that_do_not_say_where_their_channels_are_follow_those_that_do():
    images = models.images(2)
    first, last = channels_first(True), channels_first(False)
    turned = np.transpose(images, (0, 3, 1, 2))
    for model, x in ((first, turned), (last, images)):
        model.build(x.shape)
    last.set_weights(first.get_weights())
    places = places_of(first, (3, 8, 12))
    assert [(place.name, place.arrangement, place.grid, place.channels) for place in own_places(places)] == [
        (name, "first", (8, 12), 4) for name in ("conv", "normed", "final")
    ]
    found, wanted = GradCAM(first).explain(turned, 0), GradCAM(last).explain(images, 0)
    assert found.settings["layer"] == wanted.settings["layer"] == "final"
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-4, atol=1e-6)


def test_steps_of_a_series():
    inputs = keras.Input((16, 3))
    x = keras.layers.Conv1D(4, 3, strides=2, kernel_initializer=LINEAR, name="conv")(inputs)
    x = keras.layers.LSTM(5, return_sequences=True, name="recurrent")(keras.layers.MaxPooling1D(name="pool")(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(x)))
    assert [
        (place.name, place.grid, place.cells, place.channels) for place in own_places(places_of(model, (16, 3)))
    ] == [
        ("conv", (7,), (7, 1), 4),
        ("recurrent", (3,), (3, 1), 5),
    ]
    assert chosen(model, shape=(16, 3)).on_grid(tf.zeros((2, 3, 5))).shape == (2, 3, 1, 5)


def test_the_second_call_of_a_shared_layer_is_a_place_of_its_own():
    inputs = keras.Input(WIDE)
    shared = conv("shared")
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(shared(shared(inputs)))))
    assert [place.name for place in own_places(places_of(model, WIDE))] == ["shared", "shared:1"]
    assert chosen(model, "shared", WIDE).name == "shared"
    assert chosen(model, "shared:1", WIDE).name == chosen(model, shape=WIDE).name == "shared:1"


def test_the_image_of_several_inputs_is_the_picture():
    explainer = GradCAM(models.two_inputs(), explain_input="picture")
    inputs = {"picture": models.images(2), "table": np.ones((2, 2), np.float32)}
    assert explainer.explain(inputs, 0).settings["layer"].endswith(".second")
