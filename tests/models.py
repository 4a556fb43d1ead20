"""Tiny models with known answers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

SHAPE = (8, 12, 3)
CLASSES = 4


def images(count: int = 5, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """Random images in [0, 1], no two alike."""
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def _named(inputs: Any, outputs: Any) -> keras.Model:
    return keras.Model(inputs, outputs)


def convolutional(shape: tuple[int, ...] = SHAPE, activation: str | None = None, seed: int = 1) -> keras.Model:
    """Two convolutions, pooling and a dense head; weights fixed by the seed."""
    draw = iter(range(seed * 100, seed * 100 + 99))

    def uniform() -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(-0.6, 0.6, seed=next(draw))

    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", kernel_initializer=uniform(), name="first")(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", kernel_initializer=uniform(), name="second")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    outputs = keras.layers.Dense(CLASSES, activation=activation, kernel_initializer=uniform(), name="head")(x)
    return keras.Model(inputs, outputs)


def nested(shape: tuple[int, ...] = SHAPE) -> keras.Model:
    """The convolutional network as one layer of another model."""
    backbone = convolutional(shape)
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Activation("softmax", name="probabilities")(backbone(inputs * 2.0)))


class Subclassed(keras.Model):
    """A model that exists in Python code only."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = convolutional()
        # No two classes alike, or there were no margin between them.
        init = keras.initializers.RandomUniform(0.2, 1.0, seed=6)
        self.last = keras.layers.Dense(CLASSES, activation="softmax", kernel_initializer=init, name="last")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Squares the answer of the backbone."""
        return self.last(self.backbone(inputs, training=training) ** 2)


def sequential_unbuilt() -> keras.Sequential:
    """A Sequential that knows no input shape before its first call."""
    init = keras.initializers.RandomUniform(-0.5, 0.5, seed=5)
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=init),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, kernel_initializer=init),
        ]
    )


def mixed_precision() -> keras.Model:
    """The convolutional network in float16, its weights in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return convolutional()
    finally:
        keras.config.set_dtype_policy(before)


class ChannelsFirst(keras.Model):
    """A network that reads `(n, c, h, w)`."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = keras.layers.Permute((2, 3, 1))
        self.pool = keras.layers.GlobalAveragePooling2D(data_format="channels_first")
        self.inner = convolutional()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The convolutional network on turned images; the unused pooling declares the format."""
        return self.inner(self.turn(inputs)) + 0.0 * tf.reduce_sum(self.pool(inputs), axis=-1, keepdims=True)


def two_inputs() -> keras.Model:
    """An image and a table; the table scales the answer of the image."""
    picture, table = keras.Input(SHAPE, name="picture"), keras.Input((2,), name="table")
    features = convolutional()(picture)
    outputs = features * keras.layers.Dense(1, kernel_initializer="ones", name="scale")(table)
    return keras.Model({"picture": picture, "table": table}, outputs)


def two_outputs() -> keras.Model:
    """Two heads on one backbone."""
    backbone = convolutional()
    other = keras.layers.Dense(3, name="other", kernel_initializer="ones")(keras.layers.Flatten()(backbone.inputs[0]))
    return keras.Model(backbone.inputs, [backbone.output, other])


def binary() -> keras.Model:
    """One sigmoid unit."""
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(
        3, 3, activation="relu", kernel_initializer=keras.initializers.RandomUniform(-1, 1, seed=3)
    )(inputs)
    x = keras.layers.Flatten()(x)
    head = keras.layers.Dense(
        1, activation="sigmoid", kernel_initializer=keras.initializers.RandomUniform(-0.1, 0.1, seed=4)
    )
    return keras.Model(inputs, head(x))


def additive(weights: np.ndarray) -> Any:
    """`f(x) = sum(weights * x)` over `(h, w)`, of the first channel, one class."""

    def model(inputs: Any) -> Any:
        return tf.reduce_sum(inputs[..., 0] * tf.constant(weights, tf.float32), axis=(1, 2))[:, None]

    return model


def constant(inputs: Any) -> Any:
    """The same answer to everything."""
    return tf.zeros_like(inputs[:, 0, 0, :1]) + tf.constant([[1.0, 2.0, 3.0, 4.0]])


class Recording(keras.layers.Layer):
    """Counts how often Python calls it, which is once a trace."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.calls = 0

    def call(self, inputs: Any) -> Any:
        """The inputs as they are."""
        self.calls += 1
        return inputs


def recorded() -> tuple[keras.Model, Recording]:
    """The convolutional network behind a layer that counts its calls."""
    layer = Recording()
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, convolutional()(layer(inputs)))
    return model, layer
