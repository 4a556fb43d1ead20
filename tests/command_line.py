"""What the tests of the command line share: models whose maps are known, and pictures for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from xsparks.cli import main

NAMES = ("red, rouge", "green, vert", "blue, bleu")
SIZE = 16
# The pictures are black, which only a dark baseline leaves as it is.
FAST = ("--set", "grid_size=4", "--set", "nb_design=2", "--set", "perturbation=mean", "--batch-size", "32")


def colour_model(softmax: bool = False) -> keras.Model:
    """Class k is the mean of channel k: what a map must find is where that colour is."""
    layers: list[Any] = [keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    if softmax:
        layers.append(keras.layers.Softmax())
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers], name="colours")


def saved_model(folder: Path, **options: Any) -> Path:
    """The colour model as a file."""
    path = folder / "colours.keras"
    colour_model(**options).save(path)
    return path


def square(channel: int, row: int, column: int, size: int = SIZE) -> np.ndarray:
    """A black picture with a square of one colour in one cell of a 4 x 4 grid."""
    picture = np.zeros((size, size, 3), np.uint8)
    cell = size // 4
    picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell, channel] = 255
    return picture


def write_image(path: Path, picture: np.ndarray) -> Path:
    """An image file of a picture in RGB, or RGBA, or gray."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[picture.shape[-1] if picture.ndim == 3 else 2]
    content = cv2.imencode(path.suffix, picture if code is None else cv2.cvtColor(picture, code))[1]
    path.write_bytes(content.tobytes())
    return path


def names_file(folder: Path) -> Path:
    """The names of the three classes."""
    path = folder / "names.txt"
    path.write_text("\n".join(NAMES) + "\n")
    return path


def run(*words: Any) -> int:
    """`xsparks` with these words."""
    return main([str(word) for word in words])


def results(folder: Path) -> dict[str, Any]:
    """The record of a run."""
    return json.loads((folder / "results.json").read_text())
