"""A picture as free waves, weighted so that coarse ones move as easily as fine ones (Olah et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..numerics.spectra import frequencies
from .canvas import Canvas, Size


@dataclass(frozen=True, eq=False, kw_only=True)
class FourierCanvas(Canvas):
    """What does a picture become whose frequencies are optimised, magnitudes and phases both?

    The planes are `F^-1(w z)` with free complex numbers `z` and the weight `w(f) = 1 / max(f, 1 / max(h, w)) ** decay`
    of the frequency `f` in cycles per pixel. In shallow networks this shows more than pixels do; in deep ones the
    magnitudes still run off to patterns that no photograph has, which `MACOCanvas` forbids.

    Parameters
    ----------
    decay : how much more coarse waves are moved than fine ones, of the power that natural photographs have at 1
    spread : the standard deviation of the first real and imaginary parts

    Returns
    -------
    pictures : `(m, h, w, c)`

    Source
    ------
    C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill, 2017, https://doi.org/10.23915/distill.00007
    """

    decay: float = 1.0
    spread: float = 0.01

    @property
    def first_spread(self) -> float:
        """That of the option."""
        return self.spread

    def parameters(self, size: Size, channels: int) -> tuple[int, ...]:
        """Real and imaginary part of each frequency of each channel."""
        return (2, channels, size[0], size[1] // 2 + 1)

    def planes(self, parameters: Any, size: Size, values_range: tuple[float, float]) -> Any:
        """The waves added up; a plane of first parameters has a standard deviation of some hundredths."""
        weight = 1 / np.maximum(frequencies(*size), 1 / max(size)) ** self.decay
        # So that a step of the optimizer moves a plane as much whatever the size.
        weight *= np.sqrt(size[0] * size[1]) / 4
        spectrum = tf.complex(parameters[:, 0], parameters[:, 1]) * tf.constant(weight, tf.complex64)
        return tf.signal.irfft2d(spectrum, fft_length=size)

    def default_optimizer(self) -> Any:
        """Adam at .05."""
        return keras.optimizers.Adam(0.05)
