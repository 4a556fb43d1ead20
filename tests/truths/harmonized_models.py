"""Networks and pictures on which harmonized training is tested."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

SIDE, CLASSES = 12, 3


def pictures(count: int = 8, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Random pictures, labels, and human maps that look at one corner."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    places = random.uniform(2, SIDE - 2, (count, 2, 1, 1))
    heatmap = np.exp(-((y - places[:, 0]) ** 2 + (x - places[:, 1]) ** 2) / 8)
    images = random.uniform(0, 1, (count, SIDE, SIDE, 3)).astype("float32")
    return images, {
        "label": random.integers(0, CLASSES, count),
        "heatmap": heatmap.astype("float32"),
        "has_heatmap": np.ones(count, bool),
    }


def network(activation: str | None = "softmax", dtype: str | None = None, seed: int = 1, hidden: str = "tanh") -> Any:
    """A smooth convolutional network."""
    draw = iter(range(seed * 100, seed * 100 + 99))

    def spread(width: float) -> Any:
        return keras.initializers.RandomUniform(-width, width, seed=next(draw))

    inputs = keras.Input((SIDE, SIDE, 3), dtype=dtype)
    x = keras.layers.Conv2D(5, 3, activation=hidden, kernel_initializer=spread(0.5), dtype=dtype)(inputs)
    x = keras.layers.Conv2D(6, 3, strides=2, activation=hidden, kernel_initializer=spread(0.5), dtype=dtype)(x)
    x = keras.layers.Flatten(dtype=dtype)(x)
    outputs = keras.layers.Dense(CLASSES, activation=activation, kernel_initializer=spread(0.3), dtype=dtype)(x)
    return keras.Model(inputs, outputs)


def compiled(model: Any, rate: float = 0.05, **options: Any) -> Any:
    """The network compiled for integer labels."""
    given = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(keras.optimizers.SGD(rate), **given)
    return model


def weights_of(model: Any) -> np.ndarray:
    """All weights, flat."""
    return np.concatenate([np.ravel(each) for each in model.get_weights()])
