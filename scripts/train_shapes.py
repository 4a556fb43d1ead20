"""Trains the small network that ships as `xsparks.datasets.shapes.load_model()`.

    python scripts/train_shapes.py                 # writes xsparks/datasets/shapes_network.keras
    python scripts/train_shapes.py --out FILE --seed 0 --epochs 20 --pictures 16000

About eight minutes on two free cores. The same seed gives the same weights on the same machine and versions. Run it
with the oldest Keras that xsparks supports: a newer one reads the file of an older one, not the other way round.

Batch normalization helps to train and is folded into the convolutions afterwards, so that what ships is nothing but
convolutions, ReLU, average pooling and one dense layer: affine maps and one kind of bend, which methods that propagate
bounds or rules through a network can take.

Two things make the truth about its maps known. One picture in ten holds no object and asks for even probabilities, so
that no background speaks for a class. Half of the pictures are partly covered, as random erasing does (Zhong et al.,
AAAI 2020, https://arxiv.org/abs/1708.04896), object-free ones too, so that a gray square is no object and what a
perturbation leaves is not foreign to the network.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np
import tensorflow as tf

from xsparks.datasets import shapes

OUT = Path(shapes.__file__).parents[1] / "shapes_network.keras"
# Filters and convolutions of the blocks; half the resolution after each but the last: 64, 32, 16, 8 pixels.
BLOCKS = ((16, 1), (32, 2), (64, 2), (96, 1))
CLASSES = len(shapes.CLASS_NAMES)
DIFFICULTIES = (0.0, 0.2, 0.4, 0.6)
# The seed of the held-out pictures; no training seed is near it.
HELD_OUT = 1_000_000


def build(normalized: bool) -> keras.Model:
    """The network from pictures in [0, 255] to logits, with batch normalization after each convolution or without."""
    pictures = keras.Input((64, 64, 3), name="pictures")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(pictures)
    for block, (filters, convolutions) in enumerate(BLOCKS, start=1):
        for position in range(1, convolutions + 1):
            # The last ReLU of a block carries the block's name: what a user taps.
            name = f"block{block}" if position == convolutions else f"block{block}_inner"
            width = 5 if block == 1 else 3
            convolution = keras.layers.Conv2D(
                filters, width, padding="same", kernel_initializer="he_normal", name=f"{name}_convolution"
            )
            x = convolution(x)
            if normalized:
                x = keras.layers.BatchNormalization(name=f"{name}_normalization")(x)
            x = keras.layers.ReLU(name=name)(x)
        if block < len(BLOCKS):
            x = keras.layers.AveragePooling2D(2, name=f"pool{block}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(pictures, keras.layers.Dense(CLASSES, name="logits")(x), name="shapes_network")


def folded(trained: keras.Model) -> keras.Model:
    """The same function without batch normalization, an affine map that the convolution before it takes in."""
    plain = build(normalized=False)
    for layer in plain.layers:
        weights = trained.get_layer(layer.name).get_weights()
        if isinstance(layer, keras.layers.Conv2D):
            normalization = trained.get_layer(layer.name.replace("_convolution", "_normalization"))
            gamma, beta, mean, variance = normalization.get_weights()
            scale = gamma / np.sqrt(variance + normalization.epsilon)
            weights = [weights[0] * scale, (weights[1] - mean) * scale + beta]
        layer.set_weights(weights)
    return plain


class Set(NamedTuple):
    """Pictures, the probabilities that they ask for, and where their objects are."""

    images: np.ndarray
    targets: np.ndarray
    masks: np.ndarray


def training_set(pictures: int, seed: int) -> Set:
    """Pictures of mixed difficulty; one in ten holds no object."""
    found = []
    for part, difficulty in enumerate(DIFFICULTIES):
        count = pictures // len(DIFFICULTIES)
        data = shapes.load(count - count // 10, seed=seed + 2 * part, difficulty=difficulty)
        empty = shapes.load(count // 10, seed=seed + 2 * part + 1, difficulty=difficulty, objects=False)
        found.append((data.images, np.eye(CLASSES)[data.labels], data.masks))
        found.append((empty.images, np.full((len(empty), CLASSES), 1 / CLASSES), empty.masks))
    return Set(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def covered(image: np.ndarray, mask: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """The picture with some cells of a grid covered by a colour, its mean, noise or its blur.

    At least half of the object stays in sight.
    """
    cells = draws.integers(3, 13)
    chosen = (draws.random((cells, cells)) < draws.uniform(0, 0.35)).astype(np.float32)
    side = len(image) * (cells + 1) // cells
    method = cv2.INTER_LINEAR if draws.random() < 0.3 else cv2.INTER_NEAREST
    row, column = draws.integers(side - len(image) + 1, size=2)
    share = cv2.resize(chosen, (side, side), interpolation=method)[row : row + 64, column : column + 64, None]
    if mask.any() and share[mask].mean() > 0.5:
        return image
    covers = (
        lambda: draws.integers(0, 256) * np.ones(3),
        lambda: draws.uniform(0, 255, 3),
        lambda: image.mean(axis=(0, 1)),
        lambda: draws.uniform(0, 255, image.shape),
        lambda: cv2.blur(image, (15, 15)),
    )
    return image + share * (covers[draws.integers(len(covers))]() - image)


class Varied(keras.utils.PyDataset):
    """Shuffled batches; half of the pictures partly covered, all turned by a multiple of 90 degrees or mirrored."""

    def __init__(self, known: Set, seed: int, batch_size: int = 64) -> None:
        super().__init__()
        self.known, self.batch_size = known, batch_size
        self.draws = np.random.default_rng([seed, 1])
        self.epoch, self.order = 0, self.draws.permutation(len(known.images))

    def __len__(self) -> int:
        return len(self.known.images) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.known.images[chosen].astype(np.float32)
        # Covered pictures come in slowly: with half of them from the start, learning stood still for four epochs.
        for position in np.flatnonzero(self.draws.random(len(chosen)) < min(0.5, 0.1 * self.epoch)):
            images[position] = covered(images[position], self.known.masks[chosen[position]], self.draws)
        images = np.rot90(images, self.draws.integers(4), axes=(1, 2))
        if self.draws.random() < 0.5:
            images = images[:, :, ::-1]
        light = self.draws.uniform(0.8, 1.2, (len(chosen), 1, 1, 1))
        return np.clip(images * light, 0, 255).astype(np.float32), self.known.targets[chosen].astype(np.float32)

    def on_epoch_end(self) -> None:
        self.epoch, self.order = self.epoch + 1, self.draws.permutation(len(self.known.images))


def accuracy(model: keras.Model, data: shapes.Shapes) -> float:
    """The share of pictures whose highest logit is that of their class."""
    logits = model.predict(data.images.astype(np.float32), batch_size=128, verbose=0)
    return float(np.mean(logits.argmax(axis=1) == data.labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the network of xsparks.datasets.shapes.")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=16000)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(options.seed)

    start = time.time()
    known = training_set(options.pictures, seed=1000 * options.seed + 1)
    print(f"{len(known.images)} pictures drawn in {time.time() - start:.0f} s", flush=True)
    batches = Varied(known, options.seed)
    model = build(normalized=True)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, options.epochs * len(batches))
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(batches, epochs=options.epochs, verbose=2, shuffle=False)

    plain = folded(model)
    for difficulty in (0.0, 0.3, 0.6, 1.0):
        data = shapes.load(2000, seed=HELD_OUT, difficulty=difficulty)
        print(f"held-out accuracy at difficulty {difficulty}: {accuracy(plain, data):.4f}", flush=True)
    plain.save(options.out)
    size = options.out.stat().st_size
    print(f"{options.out}: {plain.count_params()} parameters, {size / 1e6:.2f} MB, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
