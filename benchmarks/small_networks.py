"""Small networks on MNIST and CIFAR-10 for the benchmarks of verified bounds, trained here once and then kept."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from measuring import data_folder

MNIST, CIFAR10 = (28, 28, 1), (32, 32, 3)


def dense() -> keras.Model:
    """784-128-128-10."""
    hidden = [layers.Dense(128, "relu"), layers.Dense(128, "relu")]
    return keras.Sequential([keras.Input(MNIST), layers.Flatten(), *hidden, layers.Dense(10)])


def convolutional(shape: tuple[int, ...] = MNIST, dropout: float = 0.0) -> keras.Model:
    """Two convolutions of stride 2 and one hidden layer: 4,804 ReLUs on MNIST, 6,244 on CIFAR-10."""
    convolutions = [layers.Conv2D(filters, 4, 2, padding="same", activation="relu") for filters in (16, 32)]
    head = [layers.Flatten(), layers.Dropout(dropout), layers.Dense(100, "relu"), layers.Dense(10)]
    return keras.Sequential([keras.Input(shape), *convolutions, *head])


def normalised() -> keras.Model:
    """Convolutions without a bias, batch normalisation, ReLU: the common order."""
    model = keras.Sequential([keras.Input(MNIST)])
    # The last has 7 pixels a side to begin with; so padding is even everywhere.
    for filters, kernel in ((8, 4), (16, 4), (32, 3)):
        model.add(layers.Conv2D(filters, kernel, 2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    return model


def residual() -> keras.Model:
    """A convolution of stride 2 and two residual blocks with batch normalisation."""

    def convolved(x: Any, filters: int, stride: int) -> Any:
        x = layers.ZeroPadding2D(1)(x)
        return layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 3, stride, use_bias=False)(x))

    inputs = keras.Input(MNIST)
    x = layers.ReLU()(convolved(inputs, 8, 2))
    for filters, stride in ((8, 1), (16, 2)):
        straight = x if stride == 1 else layers.Conv2D(filters, 1, 2, use_bias=False)(x)
        x = convolved(layers.ReLU()(convolved(x, filters, stride)), filters, 1)
        x = layers.ReLU()(layers.Add()([x, straight]))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def pooled() -> keras.Model:
    """Convolutions, a maximum and an average pooling."""
    model = keras.Sequential([keras.Input(MNIST), layers.Conv2D(8, 3, padding="same", activation="relu")])
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(16, 3, padding="same", activation="relu"))
    model.add(layers.AveragePooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(10))
    return model


def convolutional_cifar10() -> keras.Model:
    """The convolutional network for pictures of CIFAR-10, with dropout."""
    return convolutional(CIFAR10, 0.3)


def dense_lipschitz() -> keras.Model:
    """The dense network with constrained kernels, and GroupSort in place of ReLU."""
    from xsparks import lipschitz

    return lipschitz.to_lipschitz(dense(), maxiter_bjorck=6)


class Recipe(NamedTuple):
    """How a network is made; one whose layers are constrained is trained by SoftHKR, and kept in plain layers."""

    build: Callable[[], keras.Model]
    pictures: str
    epochs: int
    constrained: bool = False


RECIPES = {
    "mnist_dense": Recipe(dense, "mnist", 8),
    "mnist_lipschitz": Recipe(dense_lipschitz, "mnist", 8, constrained=True),
    "mnist_conv": Recipe(convolutional, "mnist", 3),
    "mnist_normalised": Recipe(normalised, "mnist", 2),
    "mnist_residual": Recipe(residual, "mnist", 2),
    "mnist_pooled": Recipe(pooled, "mnist", 2),
    "cifar10_conv": Recipe(convolutional_cifar10, "cifar10", 15),
}


def pictures_of(name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """All pictures of "train" or "test" of "mnist" or "cifar10", in [0, 1] float32, and their labels."""
    folder = data_folder() / name
    if name == "mnist":
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
            images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, *MNIST)
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
    else:
        import cv2

        with np.load(folder / f"cifar10_{part}_10000.npz") as stored:
            jpeg, offsets, labels = stored["jpeg"], stored["offsets"], stored["labels"]
        decoded = [cv2.imdecode(jpeg[a:b], cv2.IMREAD_COLOR) for a, b in itertools.pairwise(offsets)]
        images = np.stack([np.asarray(each)[..., ::-1] for each in decoded])
    return images.astype(np.float32) / 255, labels.astype(np.int64)


def trained(name: str, folder: Path) -> keras.Model:
    """A network of these, trained unless it is in the folder."""
    path, recipe = folder / f"{name}.keras", RECIPES[name]
    if recipe.constrained:
        # Its layers are known to Keras, and their bounds to EVA, once this is imported.
        from xsparks import lipschitz
    if path.exists():
        return keras.models.load_model(path)
    keras.utils.set_random_seed(0)
    model, (images, labels) = recipe.build(), pictures_of(recipe.pictures, "train")
    loss, optimizer = keras.losses.SparseCategoricalCrossentropy(from_logits=True), "adam"
    if recipe.constrained:
        # As in lipschitz.py beside this file.
        loss = lipschitz.SoftHKR(alpha=5.0, min_margin=0.5, temperature=10.0)
        rate: Any = keras.optimizers.schedules.CosineDecay(5e-3, recipe.epochs * -(-len(images) // 128), alpha=1e-3)
        optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, loss, metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(images, labels, batch_size=128, epochs=recipe.epochs, verbose=0)
    accuracy = model.evaluate(*pictures_of(recipe.pictures, "test"), batch_size=500, verbose=0)[1]
    folder.mkdir(parents=True, exist_ok=True)
    model = lipschitz.vanilla_model(model) if recipe.constrained else model
    model.save(path)
    print(
        f"{name}: {100 * accuracy:.1f} % of the test set, {time.perf_counter() - start:.0f} s of training", flush=True
    )
    return model


def first_right(name: str, model: keras.Model, count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The first test pictures that the network classifies rightly, their labels and their names."""
    source = RECIPES[name].pictures
    images, labels = pictures_of(source, "test")
    head = slice(0, 4 * count + 50)
    right = np.flatnonzero(model.predict(images[head], 500, verbose=0).argmax(axis=1) == labels[head])[:count]
    return images[right], labels[right], [f"{source}_test_{number}" for number in right]
