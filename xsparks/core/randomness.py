"""Random draws that depend on a seed and an index, never on a global state.

A draw is named by integers (the seed, and what it is for), so that a result depends on its image alone: not on its
position in the data set, its neighbours, the batch size or how often something was drawn before.
"""

from __future__ import annotations

import numpy as np


def generator(seed: int, *index: int) -> np.random.Generator:
    """The NumPy generator of draw `index` under `seed`; the same integers always give the same stream.

    Example
    -------
    >>> bool(generator(0, 3).random() == generator(0, 3).random())
    True
    """
    return np.random.default_rng([seed, *index])
