"""Grad-CAM (Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan
from .activation_explainer import ActivationExplainer


@dataclass(frozen=True, eq=False, kw_only=True)
class GradCAM(ActivationExplainer):
    """Where are the features that raise the score?

    With the activations `A_k` of a layer, `Z` its places, and the score `f`

        a_k = 1/Z sum_ij df / dA_k,ij,     M = relu(sum_k a_k A_k).

    One pass, and the map is calm: use it first for a convolutional network. Not for fine detail, because a map has the
    grid of the layer, nor for evidence against the class. On a last layer that is averaged and then weighted it is the
    class activation map of Zhou et al. (2016).

    Parameters
    ----------
    layer : whose answer is read: a name, a dotted path, a position or the layer; None for the last one laid out in
        space that the outputs depend on, before pooling. `.settings["layer"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.
    relu : drop what lowers the score, as published; False keeps it, with its sign.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid of the layer; not negative unless `relu=False`. `(n, t, f)` for series, the
        same for all features.

    Raises
    ------
    ModelError : no Keras model, no gradients, no layer laid out in space, or one that the outputs do not depend on.

    Cost
    ----
    1 forward and 1 backward a sample.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([
    ...     keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="features"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(1, kernel_initializer="ones"),
    ... ])
    >>> image = np.array([[0.0, 1.0], [2.0, 3.0]], "float32").reshape(1, 2, 2, 1)
    >>> maps = GradCAM(model).explain(image, 0)
    >>> maps.values.ravel().tolist(), maps.settings["layer"]
    ([0.0, 0.25, 0.5, 0.75], 'features')

    Source
    ------
    R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: Visual Explanations from Deep
    Networks via Gradient-based Localization", ICCV 2017, equations 1 and 2, https://arxiv.org/abs/1610.02391
    """

    relu: bool = True

    needs_gradients: ClassVar[bool] = True
    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "activations of the layer, weighted by the mean derivative of the score by each channel"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Channels weighted by their mean gradient."""

        def combine(activations: Any, gradients: Any) -> Any:
            weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
            cells = tf.reduce_sum(weights * activations, axis=-1)
            return tf.nn.relu(cells) if self.relu else cells

        return self.one_pass(layout, combine)
