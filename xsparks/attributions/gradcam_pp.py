"""Grad-CAM++ (Chattopadhyay, Sarkar, Howlader, Balasubramanian 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan
from .activation_explainer import ActivationExplainer


@dataclass(frozen=True, eq=False, kw_only=True)
class GradCAMPP(ActivationExplainer):
    """Where are the features that raise the score, small and repeated ones as well as large ones?

    With the activations `A_k` of a layer, the score `f` and `g_k = df / dA_k`, taking `exp(f)` as the class's score
    and the network as linear by pieces,

        alpha_k,ij = g_k,ij^2 / (2 g_k,ij^2 + sum_ab A_k,ab g_k,ij^3),
        w_k = sum_ij alpha_k,ij relu(g_k,ij),     M = relu(sum_k w_k A_k).

    Use it where several objects of the class are in the image: a cell counts by its gradient, not by how many cells
    there are. Not for evidence against the class; weights are never negative, so that maps of two classes differ less
    than those of GradCAM.

    Parameters
    ----------
    layer : whose answer is read: a name, a dotted path, a position or the layer; None for the last one laid out in
        space that the outputs depend on, before pooling. `.settings["layer"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid of the layer; not negative. `(n, t, f)` for series, the same for all
        features.

    Raises
    ------
    ModelError : no Keras model, no gradients, no layer laid out in space, or one that the outputs do not depend on.

    Cost
    ----
    1 forward and 1 backward a sample.

    Departs
    -------
    The factor `exp(f)`, common to all weights of an image, is left out: it overflows and ranks nothing. `alpha relu(g)`
    is computed as `relu(g) / (2 + g sum A)`, the same number without the squares and cubes of small gradients.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([
    ...     keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(1, kernel_initializer="ones"),
    ... ])
    >>> image = np.array([[0.0, 1.0], [2.0, 3.0]], "float32").reshape(1, 2, 2, 1)
    >>> GradCAMPP(model).explain(image, 0).values.ravel().round(3).tolist()
    [0.0, 0.286, 0.571, 0.857]

    Source
    ------
    A. Chattopadhyay, A. Sarkar, P. Howlader, V. N. Balasubramanian, "Grad-CAM++: Improved Visual Explanations for Deep
    Convolutional Networks", WACV 2018, equations 5, 10 and 11, https://arxiv.org/abs/1710.11063
    """

    needs_gradients: ClassVar[bool] = True
    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = (
        "activations of the layer, weighted by positive derivatives of the score, each by its size"
    )

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Channels weighted by their positive gradients."""

        def combine(activations: Any, gradients: Any) -> Any:
            mass = tf.reduce_sum(activations, axis=(1, 2), keepdims=True)
            shares = tf.math.divide_no_nan(tf.nn.relu(gradients), 2 + gradients * mass)
            weights = tf.reduce_sum(shares, axis=(1, 2), keepdims=True)
            return tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1))

        return self.one_pass(layout, combine)
