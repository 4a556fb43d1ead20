"""Score-CAM (Wang, Wang, Du, Yang, Zhang, Ding, Mardziel, Hu 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.layout import Layout
from ..engine import Plan, queries, reducers
from ..perturbations import Inpainting
from .activation_explainer import ActivationExplainer, as_mask, at_places, maps_of, scaled

WEIGHTS = ("softmax", "increase")


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreCAM(ActivationExplainer):
    """Where are the features whose part of the image alone gives the score?

    Each channel `A_k` of a layer, enlarged and scaled to `[0, 1]`, is a mask `H_k` through which the image `X` is
    seen, before a baseline `X_b`:

        C_k = f(X_b + H_k (X - X_b)) - f(X_b),     w = softmax(C),     M = relu(sum_k w_k A_k).

    No gradient is taken: use it where gradients vanish or are noise. Not where forwards are dear: there is one for
    every channel, and the softmax of logits leaves few channels with a weight.

    Parameters
    ----------
    layer : whose answer is read: a name, a dotted path, a position or the layer; None for the last one laid out in
        space that the outputs depend on, before pooling. `.settings["layer"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.
    channels : how many channels become masks, those that vary most over the places; None for all.
    weights : `"softmax"` as published, or `"increase"`, the increases of the score `C` themselves.
    baseline : `X_b`: `"zero"`, `"middle"` of the input range, `"mean"` colour, `"blur"`, `"noise"`, a number, an array
        of the shape of a sample or of its channels, or a function of inputs.

    Returns
    -------
    maps : `(n, h, w, 1)`, kept on the grid of the layer; not negative. `(n, t, f)` for series, the same for all
        features.

    Raises
    ------
    ModelError : no Keras model, or no layer laid out in space.

    Cost
    ----
    2 forwards a sample and one for each channel that becomes a mask (512 of VGG16, 2,048 of ResNet50); memory of one
    batch of images, each with the answer of the layer.

    Departs
    -------
    Hidden parts are zero in the paper, which eats normalised images: the middle. A softmax of equal scores would weigh
    all channels alike; if no mask changes the score, the map is 0.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([
    ...     keras.layers.Dense(2, kernel_initializer="identity"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(1, use_bias=False),
    ... ])
    >>> model.build((None, 2, 2, 2))
    >>> model.layers[-1].set_weights([np.array([[4.0], [-4.0]])])
    >>> image = np.array([[[[1.0, 0.0], [0.0, 1.0]]]], "float32").repeat(2, axis=1)
    >>> ScoreCAM(model, layer=0).explain(image, 0).values[0, 0].round(2).ravel().tolist()
    [0.98, 0.02]

    Source
    ------
    H. Wang, Z. Wang, M. Du, F. Yang, Z. Zhang, S. Ding, P. Mardziel, X. Hu, "Score-CAM: Score-Weighted Visual
    Explanations for Convolutional Neural Networks", CVPR workshops 2020, algorithm 1, https://arxiv.org/abs/1910.01279.
    The choice of channels is that of Faster-Score-CAM, https://github.com/tabayashi0117/Score-CAM
    """

    channels: int | None = None
    weights: str = "softmax"
    baseline: Any = "middle"

    estimand: ClassVar[str] = "activations of the layer, weighted by the score of the image seen through each channel"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        if self.channels is not None:
            check_integer(name, "channels", self.channels, 1, "Use None for all channels, or 64 for a draft.")
        check_choice(name, "weights", self.weights, WEIGHTS)

    def plan(self, layout: Layout, outputs: Any) -> tuple[Plan, Plan]:
        """The answer of the layer, then the input seen through each of its channels."""
        place = self.place
        ask = queries.activations(place.name)
        number = place.channels if self.channels is None else min(self.channels, place.channels)
        perturbation = Inpainting(self.baseline)

        def read(bound: Any, operator: Any, inputs: Any, targets: Any) -> Any:
            channels = tf.transpose(place.on_grid(ask(bound, operator, inputs, targets)), (0, 3, 1, 2))
            if number == place.channels:
                return channels
            return tf.gather(
                channels, tf.math.top_k(tf.math.reduce_variance(channels, (2, 3)), number)[1], batch_dims=1
            )

        def prepare(inputs: Any, channels: Any) -> Any:
            reference = perturbation.reference(inputs, layout, self.seed, self.access.input_range)
            return {"channels": channels, "reference": reference}

        def draw(inputs: Any, whole: Any, index: Any) -> tuple[Any, Any]:
            side, sample = whole
            cells = tf.gather_nd(side["channels"], tf.stack([sample, tf.maximum(index - 1, 0)], axis=1))
            reference = tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), side["reference"])
            # The first variant is the baseline, behind a mask that is flat.
            cells *= tf.cast(index > 0, tf.float32)[:, None, None]
            mask = as_mask(scaled(at_places(cells, layout))[0], layout)
            return perturbation(inputs, mask, reference), ()

        def finish(scores: Any, inputs: Any, side: Any) -> Any:
            increase = scores[:, 1:] - scores[:, :1]
            weights = increase
            if self.weights == "softmax":
                changed = tf.reduce_any(increase != 0, axis=1, keepdims=True)
                weights = tf.nn.softmax(increase) * tf.cast(changed, tf.float32)
            cells = tf.nn.relu(tf.einsum("mk,mkij->mij", weights, side["channels"]))
            return {"maps": maps_of(cells, layout)}

        reading = Plan(
            count=1,
            query=read,
            draw=lambda inputs, side, index: (inputs, ()),
            start=reducers.table(number, *place.cells),
            fold=reducers.total,
            finish=reducers.as_is,
        )
        masking = Plan(
            count=number + 1,
            whole_side=True,
            query=queries.score,
            prepare=prepare,
            draw=draw,
            start=reducers.table(number + 1),
            fold=reducers.collect,
            finish=finish,
        )
        return reading, masking
