"""The pictures and rows that `visualisation.py` keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def drawn(path: Path) -> dict[str, Any] | None:
    """How a picture was made, if it is there."""
    row = path.with_suffix(".json")
    return json.loads(row.read_text()) if path.exists() and row.exists() else None


def write(path: Path, content: bytes) -> None:
    """A file that is there whole or not at all."""
    half = path.with_suffix(".half")
    half.write_bytes(content)
    half.replace(path)


def read(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `(n, h, w, 3)` in 0..255 and their opacity `(n, h, w, 1)` in 0..1."""
    pixels = [cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA) for path in paths]
    shown = np.stack(pixels).astype(np.float32)
    return shown[..., :3], shown[..., 3:] / 255
