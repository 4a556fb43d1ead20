"""A picture whose frequencies are as strong as in photographs; where their crests lie is free (Fel et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .canvas import Canvas, Size
from .spectrum import as_magnitude


@dataclass(frozen=True, eq=False, kw_only=True)
class MACOCanvas(Canvas):
    """What does a picture become whose phases are optimised while its magnitudes stay those of photographs?

    The planes are `F^-1(r exp(i phi))`: `r`, the magnitude of each frequency in decorrelated colours, is fixed, and the
    phases `phi` are the parameters, brought to mean 0 and one standard deviation in every step, so that the more they
    have moved the smaller is the next move. The optimizer cannot make high frequencies strong, which is how it
    otherwise fools a deep network.

    Parameters
    ----------
    magnitude : "natural" (of photographs), pictures `(n, h, w, c)` in the range of the pixels, or magnitudes
        `(h, w // 2 + 1, c)` in decorrelated colours
    phase_spread : the standard deviation of the phases, in radians. At 1, as in the published code, waves have their
        crests near the first corner, where about a third of the variance begins: the corner is bright, crops about the
        middle do not see it, and the rest of the picture is calmer. At pi phases are spread evenly over the circle, as
        random ones are, no corner stands out, and pictures are noisier: another network recognises them less often

    Returns
    -------
    pictures : `(m, h, w, c)`; before colours and the sigmoid every frequency has the magnitude `r`, up to one factor,
        but frequency 0 of each channel (the mean), which lies within `-r` to `r`

    Departs
    -------
    Phases of frequencies whose partners are in the spectrum as well (the first and, of an even width, the last column)
    are made odd, so that their magnitudes are `r` too; a real transform otherwise averages them. `r` is measured on
    pixels less mid-grey, and the picture is scaled by a constant that follows from `r` instead of its own deviation.

    Source
    ------
    T. Fel, T. Boissin, V. Boutin, A. Picard, P. Novello, J. Colin, D. Linsley, T. Rousseau, R. Cadène, L. Gardes, T.
    Serre, "Unlocking feature visualization for deeper networks with MAgnitude Constrained Optimization", NeurIPS 2023,
    https://arxiv.org/abs/2306.06805
    """

    magnitude: Any = "natural"
    phase_spread: float = 1.0

    @property
    def first_spread(self) -> float:
        """That of the phases."""
        return self.phase_spread

    def parameters(self, size: Size, channels: int) -> tuple[int, ...]:
        """A phase for each frequency of each channel."""
        return (channels, size[0], size[1] // 2 + 1)

    def planes(self, parameters: Any, size: Size, values_range: tuple[float, float]) -> Any:
        """The waves of these phases added up, with a variance of 1."""
        strength = as_magnitude(self.magnitude, size, parameters.shape[1], values_range, "MACO")
        mean, variance = tf.nn.moments(parameters, axes=[1, 2, 3], keepdims=True)
        phases = self.phase_spread * (parameters - mean) / (tf.sqrt(variance) + 1e-5)
        return waves(balanced(phases, size[1]), np.moveaxis(strength, -1, 0), size)

    def default_optimizer(self) -> Any:
        """Nadam at 1, as published: the phases are brought to one deviation in each step, so that moves shrink by
        themselves.
        """
        return keras.optimizers.Nadam(1.0)


def balanced(phases: Any, width: int) -> Any:
    """Phases `(m, c, h, w // 2 + 1)` whose first and, for an even width, last column are odd in their frequency, but
    for frequency 0, so that a real transform keeps every magnitude.
    """
    even = width % 2 == 0
    first = tf.concat([phases[..., :1, :1], _odd(phases[..., :1])[..., 1:, :]], axis=-2)
    middle = phases[..., 1 : -1 if even else None]
    return tf.concat([first, middle, *([_odd(phases[..., -1:])] if even else [])], axis=-1)


def waves(phases: Any, strength: Any, size: Size) -> Any:
    """Planes `(m, c, h, w)` of phases and strengths `(m, c, h, w // 2 + 1)`; strengths are of a picture, divided by the
    number of its pixels, and the mean of a plane is `strength cos(phase)` of frequency 0.
    """
    strength = tf.cast(strength, tf.float32) * (size[0] * size[1])
    spectrum = tf.complex(strength * tf.cos(phases), strength * tf.sin(phases))
    return tf.signal.irfft2d(spectrum, fft_length=size)


def _odd(column: Any) -> Any:
    """A column `(..., h, 1)` of phases made odd in its frequency, of the same standard deviation."""
    mirrored = tf.roll(tf.reverse(column, [-2]), 1, axis=-2)
    return (column - mirrored) / np.sqrt(2.0)
