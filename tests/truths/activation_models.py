"""A network whose layers and gradients are known, for the methods that read layers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tests import models

X = models.images(3)
TARGETS = np.array([0, 2, 1])
LINEAR = keras.initializers.RandomNormal(seed=3)


def network(head: str, channels: int = 5, seed: int = 0) -> keras.Model:
    """One convolution, "features", and a linear head on the average of each channel or on every cell."""
    inputs = keras.Input(models.SHAPE)
    kernel = keras.initializers.RandomNormal(stddev=0.7, seed=seed)
    x = keras.layers.Conv2D(channels, 3, strides=2, activation="relu", kernel_initializer=kernel, name="features")(
        inputs
    )
    x = {"average": keras.layers.GlobalAveragePooling2D, "cells": keras.layers.Flatten}[head]()(x)
    weights = keras.initializers.RandomNormal(stddev=0.7, seed=seed + 1)
    return keras.Model(inputs, keras.layers.Dense(4, kernel_initializer=weights, name="head")(x))


def answer_of(model: keras.Model, layer: str, x: np.ndarray = X) -> np.ndarray:
    """What a layer answers, in double precision."""
    return keras.Model(model.input, model.get_layer(layer).output)(x).numpy().astype(np.float64)


def gradient_by(model: keras.Model, layer: str) -> np.ndarray:
    """The derivative of the score of each sample by what a layer answers."""
    head = keras.Model(model.get_layer(layer).output, model.output)
    activations = tf.constant(answer_of(model, layer), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(activations)
        scores = tf.gather(head(activations), TARGETS, batch_dims=1)
    return tape.gradient(scores, activations).numpy().astype(np.float64)
