"""Tiny vision transformers with known answers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

PATCH, ROWS, COLUMNS, WIDTH = 4, 4, 6, 4
LINEAR = keras.initializers.RandomNormal(seed=5)


class ClassToken(keras.layers.Layer):
    """Puts one learned token before the others."""

    def build(self, shape: Any) -> None:
        """Makes the token."""
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros", name="token")

    def call(self, tokens: Any) -> Any:
        """All tokens, the own one first."""
        own = tf.repeat(self.token, tf.shape(tokens)[0], axis=0)
        return tf.concat([tf.cast(own, tokens.dtype), tokens], axis=1)


def _bright(shape: Any, dtype: Any = None) -> Any:
    """A filter whose first channel is the mean brightness of a patch, and whose others are nothing."""
    kernel = np.zeros(shape, np.float32)
    kernel[..., 0] = 1 / np.prod(shape[:-1])
    return tf.constant(kernel, dtype)


class Transformer:
    """Patches, a class token, two blocks, and a head that reads the class token alone.

    Its attention is the same for all patches and passes values on as they are, so that the score is how many patches
    are bright.
    """

    def __init__(self, blocks: int = 2) -> None:
        inputs = keras.Input((ROWS * PATCH, COLUMNS * PATCH, 3))
        x = keras.layers.Conv2D(WIDTH, PATCH, strides=PATCH, kernel_initializer=_bright, name="patches")(inputs)
        x = ClassToken(name="class_token")(keras.layers.Reshape((ROWS * COLUMNS, WIDTH), name="in_a_row")(x))
        for number in range(blocks):
            x = self._block(x, number)
        self.model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=_head, name="head")(x[:, 0]))

    @staticmethod
    def _block(x: Any, number: int) -> Any:
        attention = keras.layers.MultiHeadAttention(1, WIDTH, name=f"attention_{number}")
        normed = keras.layers.LayerNormalization(name=f"before_attention_{number}")(x)
        x = x + attention(normed, normed)
        identity = np.eye(WIDTH, dtype=np.float32)
        nothing, none = np.zeros((WIDTH, 1, WIDTH), np.float32), np.zeros((1, WIDTH), np.float32)
        one_head, flat = identity[:, None], np.zeros(WIDTH, np.float32)
        attention.set_weights([nothing, none, nothing, none, one_head, none, identity[None], flat])
        normed = keras.layers.LayerNormalization(name=f"before_mlp_{number}")(x)
        return x + keras.layers.Dense(WIDTH, activation="gelu", kernel_initializer="zeros", name=f"mlp_{number}")(
            normed
        )


def _head(shape: Any, dtype: Any = None) -> Any:
    """The first class is the first channel, the second its opposite."""
    kernel = np.zeros(shape, np.float32)
    kernel[0] = 1, -1
    return tf.constant(kernel, dtype)


def planted(patches: list[tuple[int, int]]) -> np.ndarray:
    """Black images `(n, 16, 24, 3)`, each with one white patch."""
    images = np.zeros((len(patches), ROWS * PATCH, COLUMNS * PATCH, 3), np.float32)
    for image, (row, column) in zip(images, patches, strict=True):
        image[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = 1
    return images


def tokens_of_unknown_grid() -> keras.Model:
    """Twenty tokens of an image of 8 x 12 pixels, which no grid of its proportions has."""
    inputs = keras.Input((8, 12, 3))
    x = keras.layers.Conv2D(3, (2, 4), strides=2, kernel_initializer=LINEAR, name="patches")(inputs)
    x = keras.layers.Reshape((20, 3), name="in_a_row")(x)
    x = keras.layers.Dense(3, activation="relu", kernel_initializer=LINEAR, name="tokens")(x)
    x = keras.layers.Dense(3, kernel_initializer=LINEAR, name="mixed")(x)
    return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=LINEAR)(keras.layers.Flatten()(x)))
