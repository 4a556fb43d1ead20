"""The deconvolutional network (Zeiler, Fergus 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .relu_gradients import ReLUGradient


@dataclass(frozen=True, eq=False, kw_only=True)
class DeconvNet(ReLUGradient):
    """Which pixels would a network run backwards from the score draw?

    A gradient `g` passes a ReLU where `g > 0`, whatever its input was. For comparison with other
    methods. Not for networks without max pooling, whose choices alone tie the picture to the image: elsewhere the rule
    forgets which units were active, and maps of two images are much alike (Springenberg et al. 2015).

    Parameters
    ----------
    reducer : `"max"` over channels, `"mean"`, `"sum"`, `"norm"` or None.
    absolute : the size of the value; False keeps its sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, score per unit of input; not negative unless `absolute=False`. `(n, t, f)` for series and
        `(n, f)` for tables. `.settings` says how many ReLUs were reached and missed.

    Raises
    ------
    ModelError : the model has no ReLU that can be reached, or is no Keras model.

    Cost
    ----
    1 forward and 1 backward a sample.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "relu", kernel_initializer="ones")])
    >>> DeconvNet(model).explain(np.array([[2.0, -1.0]], "float32"), 0).values.tolist()
    [[1.0, 1.0]]

    Source
    ------
    M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, https://arxiv.org/abs/1311.2901
    """

    estimand: ClassVar[str] = "positive derivative of the score by the pixel through all ReLUs"

    @property
    def rule(self) -> str:
        """`"deconv"`."""
        return "deconv"
