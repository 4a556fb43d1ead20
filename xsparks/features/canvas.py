"""What a picture is made of while it is optimised."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .colours import coloured
from .views import START, seed_of

Size = tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Canvas(abc.ABC):
    """The parameters of a picture, and the picture that they make.

    A subclass says how many parameters a picture has (`parameters`), how they begin (`first_spread`, the standard
    deviation of the normal draws that they are), and which planes they make (`planes`), in decorrelated colours. What
    is shared: the planes are mixed into colours and pass a sigmoid into the range of the pixels.
    """

    @abc.abstractmethod
    def parameters(self, size: Size, channels: int) -> tuple[int, ...]:
        """The shape of the parameters of one picture."""

    @abc.abstractmethod
    def planes(self, parameters: Any, size: Size, values_range: tuple[float, float]) -> Any:
        """The planes `(m, c, h, w)` that parameters `(m, ...)` make, before colours and the sigmoid."""

    @abc.abstractmethod
    def default_optimizer(self) -> Any:
        """A Keras optimizer that suits these parameters."""

    @property
    def first_spread(self) -> float:
        """The standard deviation of the parameters before the first step."""
        return 1.0

    def start(self, draws: Any, seed: int, size: Size, channels: int) -> Any:
        """The parameters before the first step, `(m, ...)`, for the numbers of draws `(m,)`; equal numbers, equal
        parameters.
        """
        shape = self.parameters(size, channels)

        def one(draw: Any) -> Any:
            return self.first_spread * tf.random.stateless_normal(shape, seed=seed_of(seed, START, draw))

        return tf.map_fn(one, draws, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    def render(self, parameters: Any, size: Size, values_range: tuple[float, float]) -> Any:
        """The pictures `(m, h, w, c)` that parameters make."""
        return through_sigmoid(coloured(self.planes(parameters, size, values_range)), values_range)


def through_sigmoid(values: Any, values_range: tuple[float, float]) -> Any:
    """Any number as a value of a pixel."""
    low, high = values_range
    return low + (high - low) * tf.sigmoid(values)


def before_sigmoid(pictures: Any, values_range: tuple[float, float], margin: float) -> np.ndarray:
    """What `through_sigmoid` makes these pictures of; pixels nearer than `margin` of the range to black or white are
    taken at that distance.
    """
    low, high = values_range
    share = np.clip((np.asarray(pictures, np.float64) - low) / (high - low), margin, 1 - margin)
    return np.log(share / (1 - share))


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelCanvas(Canvas):
    """What does a picture become whose pixels are optimised one by one?

    High frequencies, mostly: the gradient of a network is strong there, and nothing holds them back. A baseline.

    Parameters
    ----------
    spread : the standard deviation of the first pixels, before colours and the sigmoid

    Returns
    -------
    pictures : `(m, h, w, c)`

    Source
    ------
    D. Erhan, Y. Bengio, A. Courville, P. Vincent, "Visualizing higher-layer features of a deep network", Technical
    report 1341, Université de Montréal, 2009
    """

    spread: float = 0.01

    @property
    def first_spread(self) -> float:
        """That of the option."""
        return self.spread

    def parameters(self, size: Size, channels: int) -> tuple[int, ...]:
        """A plane for each channel."""
        return (channels, *size)

    def planes(self, parameters: Any, size: Size, values_range: tuple[float, float]) -> Any:
        """The parameters as they are."""
        return parameters

    def default_optimizer(self) -> Any:
        """Adam at .05."""
        return keras.optimizers.Adam(0.05)
