"""In which order pixels are taken."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ..core.randomness import generator


def importance_ranks(maps: Any, seed: int) -> Any:
    """The rank of every pixel, 0 for the most important; equal pixels stand in a random order that the seed fixes.

    Parameters
    ----------
    maps : `(m, ...)`; signed maps are ranked by their value, not by its size.

    Returns
    -------
    ranks : `(m, places)` int32.
    """
    places = math.prod(maps.shape[1:])
    flat = tf.reshape(maps, (-1, places))
    # One permutation for all samples: the order among ties does not depend on the neighbours in a batch.
    shuffled = generator(seed, 7).permutation(places)
    order = tf.gather(shuffled, tf.argsort(tf.gather(flat, shuffled, axis=1), direction="DESCENDING", stable=True))
    return tf.argsort(order, axis=1)
