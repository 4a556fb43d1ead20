"""Guided backpropagation (Springenberg, Dosovitskiy, Brox, Riedmiller 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .relu_gradients import ReLUGradient


@dataclass(frozen=True, eq=False, kw_only=True)
class GuidedBackprop(ReLUGradient):
    """Which pixels raise the score along paths of active units that all speak for it?

    A gradient `g` passes a ReLU of input `z` where `z > 0` and `g > 0`. Sharp, pleasant maps that
    show edges the network has seen; not an account of the class, which they hardly depend on (Adebayo et al. 2018).

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
    >>> GuidedBackprop(model).explain(np.array([[2.0, -1.0]], "float32"), 0).values.tolist()
    [[1.0, 1.0]]

    Source
    ------
    J. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for Simplicity: The All Convolutional Net", ICLR
    workshop 2015, https://arxiv.org/abs/1412.6806
    """

    estimand: ClassVar[str] = "positive derivative of the score by the pixel through active ReLUs"

    @property
    def rule(self) -> str:
        """`"guided"`."""
        return "guided"
