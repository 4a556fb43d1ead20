"""Keras' recipes of preprocessing as steps of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .linear import Rearranged, Scaled
from .rule import Rule


def standardised(mean: Sequence[float], deviation: Sequence[float]) -> Rule:
    """`(x - mean) / deviation`, a number each for every channel, which comes last."""
    centre, width = np.asarray(mean, "float32"), np.asarray(deviation, "float32")
    return Scaled(lambda inputs: (inputs - centre) / width)


# Keras' `preprocess_input` of each mode, for pictures whose channels come last.
RECIPES: dict[str, Callable[[], list[Rule]]] = {
    "tf": lambda: [standardised([127.5] * 3, [127.5] * 3)],
    "torch": lambda: [standardised([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])],
    "caffe": lambda: [
        Rearranged(lambda inputs: inputs[..., ::-1]),
        standardised([103.939, 116.779, 123.68], [1.0, 1.0, 1.0]),
    ],
}
