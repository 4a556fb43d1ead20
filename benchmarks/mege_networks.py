"""The networks on Fashion-MNIST whose maps `mege.py` compares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from xsparks import lipschitz

SIZE = (28, 28, 1)


def residual() -> keras.Model:
    """A small residual network: one convolution and two blocks, 60,000 weights."""
    layers = keras.layers

    def convolved(x: Any, filters: int, stride: int = 1, active: bool = True) -> Any:
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x) if active else x

    inputs = keras.Input(SIZE)
    x = convolved(layers.Rescaling(1 / 255)(inputs), 16)
    for filters in (24, 48):
        straight = layers.Conv2D(filters, 1, 2, use_bias=False)(x)
        x = convolved(convolved(x, filters, 2), filters, active=False)
        x = layers.ReLU()(layers.Add()([x, straight]))
    x = layers.Dropout(0.4)(layers.GlobalAveragePooling2D()(x))
    return _compiled(keras.Model(inputs, layers.Dense(10)(x)))


def plain() -> keras.Model:
    """Three convolutions with max pooling between them, no normalisation: what the 1-Lipschitz network is made of."""
    layers = keras.layers
    model = keras.Sequential([keras.Input(SIZE), layers.Rescaling(1 / 255)])
    for filters in (16, 32):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Conv2D(48, 3, padding="same", activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    return _compiled(model)


def constrained(steps: int) -> keras.Model:
    """`plain`, each layer of which stretches nothing, with a loss that asks for little margin and so for accuracy."""
    model = lipschitz.to_lipschitz(plain(), maxiter_bjorck=6)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, steps, alpha=1e-3)
    loss = lipschitz.SoftHKR(alpha=5.0, min_margin=0.1, temperature=50.0)
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def _compiled(model: keras.Model) -> keras.Model:
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


# A network is a function of the steps of its training that builds it.
NETWORKS: dict[str, Callable[[int], keras.Model]] = {
    "residual": lambda steps: residual(),
    "plain": lambda steps: plain(),
    "lipschitz": constrained,
}
