"""Which parts of a picture does the network see in a step?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.randomness import generator

# Draws of these kinds never share a seed.
START, _BOXES, _NOISE = 0, 1, 2
SMALLEST_CROP = 0.05
# Of the noise of a view, on a sheet of this many rows more than it has.
_STARTS = 1024


def seed_of(seed: int, kind: int, number: Any) -> Any:
    """The seed `(2,)` int32 of draw `number` of a kind, for the stateless draws of TensorFlow."""
    return tf.stack([tf.constant((seed * 8 + kind) % (2**31 - 1), tf.int32), number])


@dataclass(frozen=True, eq=False, kw_only=True)
class Views:
    """Crops of a picture, enlarged or reduced to what the network reads, with noise.

    A pure function of the pictures, the seed and the number of the step: boxes and noise of a view are the same for all
    pictures of a call. A box has the proportions of the view; its side is drawn about that of the schedule, as a
    fraction of the largest such box, its centre about the middle, moved so that the box lies within the picture.

    Parameters
    ----------
    size : (height, width) of a view
    count : views of a step
    crop_size : `(steps,)`, the mean side of a crop in each step, in (0, 1]
    noise : `(steps,)`, the standard deviation of the noise of each step, in units of the pixels
    crop_spread : standard deviation of the sides
    centre_spread : standard deviation of the centres, as a fraction of the picture
    seed : of all draws
    channels_first : whether the network reads `(c, h, w)`

    Example
    -------
    >>> views = Views(size=(4, 4), count=3, crop_size=np.full(10, 0.5), noise=np.zeros(10))
    >>> views(tf.zeros((2, 16, 24, 1)), tf.constant(0), tf.range(3)).shape
    TensorShape([6, 4, 4, 1])
    """

    size: tuple[int, int]
    count: int
    crop_size: np.ndarray = field(repr=False)
    noise: np.ndarray = field(repr=False)
    crop_spread: float = 0.05
    centre_spread: float = 0.15
    seed: int = 0
    channels_first: bool = False

    def __call__(self, pictures: Any, index: Any, which: Any) -> Any:
        """The views `which (k,)` of step `index` of pictures `(m, h, w, c)`: `(m * k, *size, c)`, all of the first
        picture before those of the second.
        """
        number, rows = tf.shape(which)[0], tf.shape(pictures)[0]
        height, width, channels = (int(length) for length in pictures.shape[1:])
        boxes = tf.gather(self.boxes(index, (height, width)), which)
        sample = tf.repeat(tf.range(rows), number)
        shown = tf.image.crop_and_resize(pictures, tf.tile(boxes, tf.stack([rows, 1])), sample, self.size)
        if self.noise.any():
            noise = self._noise(index, which, channels)
            # Shared by all pictures.
            shown = tf.reshape(shown, (rows, number, *self.size, channels)) + noise[None]
        shown = tf.reshape(shown, (rows * number, *self.size, channels))
        return tf.transpose(shown, (0, 3, 1, 2)) if self.channels_first else shown

    def boxes(self, index: Any, picture: tuple[int, int]) -> Any:
        """The boxes of a step, `(count, 4)`: top, left, bottom and right, as `tf.image.crop_and_resize` reads them."""
        draws = tf.random.stateless_normal((self.count, 3), seed=seed_of(self.seed, _BOXES, index))
        mean = tf.constant(self.crop_size, tf.float32)[index]
        side = tf.clip_by_value(mean + self.crop_spread * draws[:, 0], SMALLEST_CROP, 1.0)[:, None]
        # The largest box of the proportions of a view, as fractions of the picture.
        scale = min(picture[0] / self.size[0], picture[1] / self.size[1])
        largest = np.array([scale * self.size[0] / picture[0], scale * self.size[1] / picture[1]], np.float32)
        half = side * largest / 2
        centre = tf.clip_by_value(0.5 + self.centre_spread * draws[:, 1:], half, 1 - half)
        return tf.concat([centre - half, centre + half], axis=1)

    def _noise(self, index: Any, which: Any, channels: int) -> Any:
        """The noise of some views, `(k, *size, c)`: rows of a sheet of draws, from a start that each view draws.

        New draws for each view would be a twentieth of the time of a step on a CPU.
        """
        height, width = self.size
        sheet = generator(self.seed, _NOISE).standard_normal((_STARTS + height, width * channels), np.float32)
        seed = seed_of(self.seed, _NOISE, index)
        starts = tf.random.stateless_uniform((self.count,), seed=seed, maxval=_STARTS, dtype=tf.int32)
        rows = tf.gather(starts, which)[:, None] + tf.range(height)
        drawn = tf.reshape(tf.gather(tf.constant(sheet), rows), (-1, height, width, channels))
        return tf.constant(self.noise, tf.float32)[index] * drawn
