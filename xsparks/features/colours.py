"""Colours whose channels are independent in natural photographs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

STORED = Path(__file__).parent / "natural_spectrum.npz"


@lru_cache(maxsize=1)
def natural_statistics() -> dict[str, np.ndarray]:
    """What `scripts/natural_spectrum.py` measured on photographs: `"magnitude"` `(129, 129, 3)`, of the decorrelated
    channels, times the frequency and divided by `"scale"`, for frequencies from 0 to 1/2 cycle a pixel down and across;
    `"level"` `(3,)`, the mean absolute level; `"colours"` `(3, 3)`, from decorrelated channels to red, green and blue.
    """
    with np.load(STORED, allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}


def colour_matrix(channels: int) -> np.ndarray:
    """From decorrelated channels (rows) to the channels of a picture (columns): that of natural photographs for three
    channels, else none mixes with another.

    The rows are the eigenvectors of the covariance of the pixels of photographs, each as long as its standard
    deviation, in units of the largest.

    Example
    -------
    >>> colour_matrix(3).shape, bool(np.isclose(np.linalg.norm(colour_matrix(3)[0]), 1, atol=1e-3))
    ((3, 3), True)
    """
    return natural_statistics()["colours"] if channels == 3 else np.eye(channels)


def decorrelated(pictures: Any) -> np.ndarray:
    """Pictures `(n, h, w, c)` in decorrelated channels; `coloured` is the way back."""
    pictures = np.asarray(pictures)
    return pictures @ np.linalg.inv(colour_matrix(pictures.shape[-1]))


def coloured(planes: Any) -> Any:
    """Decorrelated planes `(m, c, h, w)` as pictures `(m, h, w, c)`; of tensors."""
    channels = planes.shape[1]
    apart = tf.transpose(planes, (0, 2, 3, 1))
    if channels == 1:
        return apart
    # A convolution of one pixel takes half the time of a product of matrices with so few columns.
    return tf.nn.conv2d(apart, tf.constant(colour_matrix(channels)[None, None], planes.dtype), 1, "VALID")
