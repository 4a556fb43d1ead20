"""Networks whose concepts are known: what their layers see was planted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

SIDE, CELL, THINGS = 24, 8, 4
# What the layer "cut" answers to each of four things: the atoms.
ATOMS = np.array(
    [
        [1, 0, 0, 0, 0.5, 0, 0, 0],
        [0, 1, 0, 0, 0.5, 0, 0.3, 0],
        [0, 0, 1, 0, 0, 0.4, 0.4, 0],
        [0, 0, 0, 1, 0, 0.2, 0, 0.8],
    ],
    np.float32,
)
# Two of them in one direction.
COLLAPSED = ATOMS[[0, 0, 2, 3]]
HEAD = np.array([[2.0, -1], [1, -1], [-1, 2], [0.2, 0.1], [0.5, 0], [0, 0.3], [0.1, 0.1], [0.2, 0.2]], np.float32)


def contents(count: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which thing stands in each of 3 x 3 cells, and how much of it, `(n, 3, 3)` each."""
    draw = np.random.default_rng(seed)
    things = draw.integers(0, THINGS, (count, 3, 3))
    # The first two, which speak for class 0, more often than the others.
    things = np.where(draw.random((count, 3, 3)) < 0.35, draw.integers(0, 2, (count, 3, 3)), things)
    return things, draw.uniform(0.4, 1, (count, 3, 3))


def pictures(count: int = 40, seed: int = 0) -> np.ndarray:
    """Pictures of these cells, with one channel a thing: `(n, 24, 24, 4)`."""
    things, strength = contents(count, seed)
    cells = np.eye(THINGS)[things] * strength[..., None]
    return cells.repeat(CELL, axis=1).repeat(CELL, axis=2).astype(np.float32)


def planted(head: str = "affine", atoms: np.ndarray = ATOMS) -> Any:
    """A network whose layer "cut" answers to each cell with the atom of its thing, times its strength.

    The head is affine, or "curved": a hidden layer with ReLUs.
    """
    inputs = keras.Input((SIDE, SIDE, THINGS))
    x = keras.layers.AveragePooling2D(CELL, name="cells")(inputs)
    x = keras.layers.Conv2D(THINGS, 1, activation="relu", name="things")(x)
    x = keras.layers.Conv2D(8, 1, activation="relu", name="cut")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if head == "curved":
        x = keras.layers.Dense(6, activation="relu", name="hidden")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    draw = np.random.default_rng(3)
    kernels = {"things": np.eye(THINGS)[None, None], "cut": atoms[None, None], "logits": HEAD}
    if head == "curved":
        kernels |= {"hidden": draw.normal(size=(8, 6)), "logits": draw.normal(size=(6, 2))}
    for name, kernel in kernels.items():
        layer = model.get_layer(name)
        layer.set_weights([np.asarray(kernel, np.float32), 0.1 * draw.random(kernel.shape[-1]) * (name == "logits")])
    return model
