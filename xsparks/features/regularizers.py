"""What a picture shall not be: penalties in the space of pictures."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ..core.checks import check_number


@dataclass(frozen=True, eq=False)
class Regularizer(abc.ABC):
    """A penalty of pictures `(m, h, w, c)`, `(m,)`, times `weight`; subtracted from what is optimised.

    Pixels count in units of the range of the values, so that a weight means the same for every network. Penalties of
    what layers answer are objectives: `a - 0.1 * Objective.answer(layer, values, loss="distance")`.

    Parameters
    ----------
    weight : float >= 0
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        check_number(type(self).__name__, "weight", self.weight, 0, remedy="Use 1; 0 turns it off.")

    @abc.abstractmethod
    def of(self, pictures: Any) -> Any:
        """The penalty `(m,)` of pictures with values in [0, 1]."""

    def __call__(self, pictures: Any, values_range: tuple[float, float]) -> Any:
        """The weighted penalty `(m,)` of pictures as they are."""
        low, high = values_range
        return self.weight * self.of((pictures - low) / (high - low))


@dataclass(frozen=True, eq=False)
class TotalVariation(Regularizer):
    """How much do neighbouring pixels differ?

    The mean absolute difference of pixels and their neighbours below and to the right; keeps pictures smooth with a few
    sharp edges.

    Example
    -------
    >>> float(TotalVariation().of(tf.constant([[[0.0], [1.0]], [[0.0], [1.0]]])[None])[0])
    1.0

    Source
    ------
    A. Mahendran, A. Vedaldi, "Understanding deep image representations by inverting them", CVPR 2015,
    https://arxiv.org/abs/1412.0035
    """

    def of(self, pictures: Any) -> Any:
        """The mean over both directions."""
        down = tf.abs(pictures[:, 1:] - pictures[:, :-1])
        across = tf.abs(pictures[:, :, 1:] - pictures[:, :, :-1])
        return tf.reduce_mean(down, axis=[1, 2, 3]) + tf.reduce_mean(across, axis=[1, 2, 3])


@dataclass(frozen=True, eq=False)
class Contrast(Regularizer):
    """How far are pixels from mid-grey?

    The mean squared distance; keeps pictures from black and white.

    Example
    -------
    >>> float(Contrast().of(tf.ones((1, 2, 2, 3)))[0])
    0.25
    """

    def of(self, pictures: Any) -> Any:
        """The mean over pixels and channels."""
        return tf.reduce_mean((pictures - 0.5) ** 2, axis=[1, 2, 3])
