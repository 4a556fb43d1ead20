"""Training code draws from global states; here they are set for a while and given back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

# What `keras.utils.set_random_seed` writes beside the states of Python, NumPy and TensorFlow. Neither Keras 3.15 nor
# TensorFlow 2.21 has a public way to read these states.
_OF_KERAS = ("global_random_seed", "global_seed_generator")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within, Python, NumPy, TensorFlow and Keras draw from this seed; after it, as if nothing had happened.

    One thing cannot be given back: the counter of an eager TensorFlow operation with a seed of its own
    (`tf.random.uniform((), seed=3)`), which starts anew whenever a global seed is set.

    Example
    -------
    >>> np.random.seed(7)
    >>> expected = np.random.random()
    >>> np.random.seed(7)
    >>> with seeded(0):
    ...     inside = np.random.random()
    >>> bool(np.random.random() == expected)
    True
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    of_keras = {name: global_state.get_global_attribute(name) for name in _OF_KERAS}
    eager: Any = context.context()
    of_tensorflow = eager._seed, eager._rng if hasattr(eager, "_rng") else None
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        for name, value in of_keras.items():
            global_state.set_global_attribute(name, value)
        # Setting a seed makes a new generator, so that the one from before is as it was left. Operations that are
        # compiled keep a counter, which would go on where the same seed was used within.
        eager._seed, eager._rng = of_tensorflow
        eager.clear_kernel_cache()
