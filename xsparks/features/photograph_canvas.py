"""A photograph whose waves may shift: its magnitudes stay, and its phases begin as they are (Hamblin et al. 2024)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .canvas import Size, before_sigmoid, through_sigmoid
from .colours import coloured, decorrelated
from .maco_canvas import balanced, waves

# Black and white lie infinitely far off before the sigmoid.
MARGIN = 0.01


def spectra_of(photographs: Any, values_range: tuple[float, float]) -> dict[str, np.ndarray]:
    """The `"strength"` and the `"phase"` of each frequency of photographs `(m, h, w, c)`, before colours and the
    sigmoid, both `(m, c, h, w // 2 + 1)` float32.

    Pixels within a hundredth of black or white come back at that distance from it.
    """
    planes = np.moveaxis(decorrelated(before_sigmoid(photographs, values_range, MARGIN)), -1, 1)
    spectrum = np.fft.rfft2(planes)
    strength = np.abs(spectrum) / (planes.shape[2] * planes.shape[3])
    return {"strength": strength.astype(np.float32), "phase": np.angle(spectrum).astype(np.float32)}


def shifts(photographs: Any) -> Any:
    """The parameters of photographs before the first step: no shift of any wave."""
    return tf.zeros_like(photographs["phase"])


def render_shifted(parameters: Any, photographs: Any, size: Size, values_range: tuple[float, float]) -> Any:
    """Photographs `(m, h, w, c)` with the phase of each wave shifted by the parameters."""
    phases = photographs["phase"] + balanced(parameters, size[1])
    return through_sigmoid(coloured(waves(phases, photographs["strength"], size)), values_range)


def default_optimizer() -> Any:
    """Adam at .05."""
    return keras.optimizers.Adam(0.05)
