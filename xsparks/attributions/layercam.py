"""LayerCAM (Jiang, Zhang, Hou, Cheng, Wei 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Plan
from .activation_explainer import ActivationExplainer


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerCAM(ActivationExplainer):
    """Which cells of a layer, each by itself, hold a feature that raises the score?

    With the activations `A_k` of a layer and the score `f`

        M_ij = relu(sum_k relu(df / dA_k,ij) A_k,ij).

    Each cell has a weight of its own, where GradCAM has one for the whole channel. Use it for early layers, whose maps
    are fine and whose channels mean different things in different places. Not for evidence against the class.

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
    One layer a map. The paper adds up the maps of several layers, those of the early ones through `tanh(2 M / max M)`.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([
    ...     keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.Flatten(),
    ...     keras.layers.Dense(1),
    ... ])
    >>> image = np.array([[0.0, 1.0], [2.0, 3.0]], "float32").reshape(1, 2, 2, 1)
    >>> model.build(image.shape)
    >>> model.layers[-1].set_weights([np.array([[1.0], [2.0], [-1.0], [1.0]]), np.zeros(1)])
    >>> LayerCAM(model).explain(image, 0).values.ravel().tolist()
    [0.0, 2.0, 0.0, 3.0]

    Source
    ------
    P.-T. Jiang, C.-B. Zhang, Q. Hou, M.-M. Cheng, Y. Wei, "LayerCAM: Exploring Hierarchical Class Activation Maps for
    Localization", IEEE Transactions on Image Processing 30, 2021, equations 5 to 7,
    https://doi.org/10.1109/TIP.2021.3089943
    """

    needs_gradients: ClassVar[bool] = True
    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "activations of the layer, each weighted by its own derivative of the score if positive"

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Cells weighted by their own positive gradient."""

        def combine(activations: Any, gradients: Any) -> Any:
            return tf.nn.relu(tf.reduce_sum(tf.nn.relu(gradients) * activations, axis=-1))

        return self.one_pass(layout, combine)
