"""The feature explanation method (Fuad, Martin, Giot, Bourqui, Benois-Pineau, Zemmari 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_number
from ..core.layout import Layout
from ..engine import Plan
from .activation_explainer import ActivationExplainer


@dataclass(frozen=True, eq=False, kw_only=True)
class FEM(ActivationExplainer):
    """Where do the features of a layer answer unusually strongly, whatever the class?

    With the mean `mu_k` and the standard deviation `s_k` of the activations `A_k` of channel `k` over the places

        M = sum_k mu_k [A_k > mu_k + K s_k].

    No gradient, one pass: use it to see what a network notices at all. Not to explain a class: the map is the same for
    every target. Meant for layers behind a ReLU: a channel whose mean is negative, as in transformers, counts against
    the places where it stands out.

    Parameters
    ----------
    layer : whose answer is read: a name, a dotted path, a position or the layer; None for the last one laid out in
        space that the outputs depend on, before pooling. `.settings["layer"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.
    deviations : standard deviations above the mean at which an answer is unusual, `K`, not negative.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid of the layer; not negative where the activations are not. `(n, t, f)` for
        series, the same for all features.

    Raises
    ------
    ModelError : no Keras model, or no layer laid out in space.

    Cost
    ----
    1 forward a sample.

    Departs
    -------
    A channel that is equal everywhere stands out nowhere; with `>=` for `>` it would everywhere.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.layers.Conv2D(1, 1, kernel_initializer="ones"), keras.layers.Flatten()])
    >>> image = np.array([0, 0, 0, 0, 0, 8], "float32").reshape(1, 2, 3, 1)
    >>> FEM(model).explain(image, 0).values.ravel().round(2).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 1.33]

    Source
    ------
    K. A. A. Fuad, P.-E. Martin, R. Giot, R. Bourqui, J. Benois-Pineau, A. Zemmari, "Features Understanding in 3D CNNs
    for Actions Recognition in Video", IPTA 2020, https://hal.science/hal-02963298
    """

    deviations: float = 2.0

    answers_score: ClassVar[bool] = True
    estimand: ClassVar[str] = "mean activation of the channels that answer unusually strongly at the pixel"
    exempt: ClassVar[dict[str, str]] = {
        "target": "the method looks at what a layer answers, never at a class",
        "constant_model": "the layers of a model with constant outputs answer all the same",
    }

    def check(self) -> None:
        """Checks the options."""
        check_number(type(self).__name__, "deviations", self.deviations, minimum=0, remedy="Use 2.")

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """Channels where they stand out, weighted by their mean."""

        def combine(activations: Any) -> Any:
            mean = tf.reduce_mean(activations, axis=(1, 2), keepdims=True)
            above = activations - mean
            spread = tf.sqrt(tf.reduce_mean(above**2, axis=(1, 2), keepdims=True))
            unusual = tf.cast(above > self.deviations * spread, tf.float32)
            return tf.reduce_sum(mean * unusual, axis=-1)

        return self.one_pass(layout, combine)
