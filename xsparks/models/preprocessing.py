"""From the space that the user hands over to the space that the model eats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..core.checks import check_choice
from ..core.errors import wording
from .layers import layers_of

MODES = ("tf", "torch", "caffe")


def as_preprocessing(preprocess: Any, where: str, channels_first: bool = False) -> Callable[[Any], Any] | None:
    """A callable, one of Keras' three recipes by name, or None.

    `"tf"` scales 0..255 to -1..1, `"torch"` to 0..1 standardised by ImageNet's mean and deviation, `"caffe"` swaps
    to BGR and subtracts ImageNet's mean.
    """
    if preprocess is None or callable(preprocess):
        return preprocess
    if not isinstance(preprocess, str):
        raise TypeError(
            wording(
                where,
                expected="`preprocess` must be a callable, 'tf', 'torch', 'caffe' or None",
                received=type(preprocess).__name__,
                remedy="Pass the function that the model was trained with.",
            )
        )
    mode = check_choice(where, "preprocess", preprocess, MODES)
    data_format = "channels_first" if channels_first else "channels_last"

    def recipe(inputs: Any) -> Any:
        return keras.applications.imagenet_utils.preprocess_input(inputs, data_format=data_format, mode=mode)

    return recipe


def declared_range(model: Any, preprocess: Any) -> tuple[float, float] | None:
    """The range of inputs that a preprocessing or a leading layer of the model declares, None if neither does.

    Keras' recipes eat 0..255; a leading Rescaling with one offset of 0 or -1 declares the range that it maps to 0..1 or
    -1..1; another one, or a Normalization, standardises pictures whose mean tells whether they are in 0..255 or 0..1.
    """
    if preprocess in MODES:
        return 0.0, 255.0
    if preprocess is not None or not isinstance(model, keras.layers.Layer):
        return None
    for _, layer in layers_of(model)[:3]:
        if isinstance(layer, keras.layers.Rescaling):
            scale, offset = (np.asarray(value, float) for value in (layer.scale, layer.offset))
            if scale.ndim == offset.ndim == 0 and float(offset) in (0.0, -1.0):
                # 0 is mapped to the lower end, for either offset.
                return 0.0, float((1.0 - offset) / scale)
            return _of_pictures(float(np.mean(-offset / scale)))
        if isinstance(layer, keras.layers.Normalization) and layer.mean is not None:
            return _of_pictures(float(np.mean(np.asarray(layer.mean))))
    return None


def _of_pictures(mean: float) -> tuple[float, float]:
    """Pictures in 0..255 have means near 120, pictures in 0..1 near one half."""
    return (0.0, 255.0) if mean > 2.0 else (0.0, 1.0)
