"""MeGe and ReCo fall when a network is made worse: on Fashion-MNIST, with small networks.

Each network explains what it predicts: of the true class, ReCo is near 0 for such gradients, and has nowhere to fall.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from xsparks.attributions import GradientInput
from xsparks.core.randomness import generator
from xsparks.metrics import CrossTraining, KerasTraining, MeGe, ReCo

COUNT, EPOCHS, SPLITS = 3000, 6, 3


def pictures(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of the training set, float32 in [0, 1], and their labels."""
    with gzip.open(folder / "fashion_mnist" / "train20k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + COUNT * 784), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    with gzip.open(folder / "fashion_mnist" / "train20k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + COUNT), np.uint8, offset=8)
    return images.astype(np.float32) / 255, labels.astype(np.int64)


def build() -> keras.Model:
    """Three convolutions."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (16, 24, 32):
        model.add(layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def shuffled(share: float) -> Callable[..., Any]:
    """A training on labels of which a share is shuffled, for each part apart."""
    training = KerasTraining(build, epochs=EPOCHS, batch_size=64)

    def train(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> keras.Model:
        draw, y_train = generator(1, int(1000 * x_test.mean())), y_train.copy()
        chosen = draw.choice(len(y_train), round(share * len(y_train)), replace=False)
        y_train[chosen] = draw.permutation(y_train[chosen])
        return training(x_train, y_train, x_test, y_test)

    return train


def randomised(models: list[keras.Model], size: float) -> Callable[..., Any]:
    """A training that hands out trained models, with other noise of this size on the second of their convolutions."""
    waiting = iter(enumerate(models))

    def train(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> keras.Model:
        number, model = next(waiting)
        kernel = model.layers[1].kernel
        kernel.assign(kernel + generator(2, number, 1).normal(0, size, kernel.shape).astype(np.float32))
        return model

    return train


@pytest.mark.slow
def test_shuffled_labels_and_random_weights_lower_both(data_folder: Path) -> None:
    """Slow: six trainings of a small network."""
    images, labels = pictures(data_folder)

    def of(train: Any) -> tuple[CrossTraining, float, float]:
        cross = CrossTraining(train, images, labels, k_splits=SPLITS, samples=300, tolerance=1, progress=False)
        scores = [metric(cross, explained_class="predicted").evaluate(GradientInput) for metric in (MeGe, ReCo)]
        return cross, *(float(score) for score in scores)

    cross, mege, reco = of(KerasTraining(build, epochs=EPOCHS, batch_size=64))
    assert cross.accuracies_.min() > 0.7
    _, mege_labels, reco_labels = of(shuffled(0.3))
    models = [cross.store.model(name) for name in cross.names]
    _, mege_weights, reco_weights = of(randomised(models, 0.25))
    values = {"as it is": (mege, reco), "labels": (mege_labels, reco_labels), "weights": (mege_weights, reco_weights)}
    assert mege > max(mege_labels, mege_weights) + 0.05, values
    assert reco > max(reco_labels, reco_weights) + 0.05, values
