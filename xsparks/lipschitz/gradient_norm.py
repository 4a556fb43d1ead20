"""Whether the gradients of a network keep the length that the theory gives them, while it trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..engine import Bound, Engine, Plan, queries, reducers
from ..models.access import ModelAccess
from ..models.operators import OPERATORS, resolve_targets


@dataclass(eq=False, kw_only=True)
class GradientNormMonitor(keras.callbacks.Callback):
    """Are the gradients of my network as long as those of an optimal transport: 1 almost everywhere?

    A callback for `fit`. After every epoch it takes the length of the gradient of the label's logit by the image, for
    some images that stay the same: near 1 in a network that transports, less where layers lose what passes (ReLU, max
    pooling, shortcuts), and more than 1 only where a layer is not 1-Lipschitz.

    Parameters
    ----------
    inputs : `(n, ...)`, some tens of images.
    labels : `(n,)` or one-hot; None for the predicted class before training.
    threshold : from which length on a gradient counts as whole.
    every : epochs between two looks.
    batch_size : images at once.

    Returns
    -------
    logs : `gradient_norm`, the mean length; `gradient_norm_share`, the share of at least `threshold`;
        `gradient_norm_max`. `lengths` keeps `(n,)` of each look.

    Cost
    ----
    1 forward and 1 backward for each image and look.

    Example
    -------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(keras.optimizers.SGD(0.0), "mse")
    >>> x = np.ones((4, 2), "float32")
    >>> model.set_weights([np.array([[3.0], [4.0]])])
    >>> history = model.fit(x, x[:, :1], verbose=0, callbacks=[GradientNormMonitor(inputs=x, labels=[0] * 4)])
    >>> history.history["gradient_norm"]
    [5.0]

    Source
    ------
    M. Serrurier et al., NeurIPS 2023, https://arxiv.org/abs/2206.06854, proposition 1.
    """

    inputs: Any
    labels: Any = None
    threshold: float = 0.95
    every: int = 1
    batch_size: int = 64
    lengths: list[np.ndarray] = field(default_factory=list, init=False, repr=False)
    _engine: Engine | None = field(default=None, init=False, repr=False)
    _targets: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        keras.callbacks.Callback.__init__(self)
        self.check()

    def check(self) -> None:
        """Checks the options."""
        where = type(self).__name__
        check_number(where, "threshold", self.threshold, 0, remedy="Use .95.")
        check_integer(where, "every", self.every, 1, "Use 1.")
        check_integer(where, "batch_size", self.batch_size, 1, "Use 64.")

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras when `fit` starts."""
        operator = OPERATORS["classification"]
        self._engine = Engine(ModelAccess(self.model, where=type(self).__name__), operator, self.batch_size)
        self.inputs = np.asarray(self.inputs, np.float32)
        self._engine.access.ensure_ready(self.inputs)
        outputs = np.asarray(self._engine.predict(self.inputs))
        self._targets = resolve_targets(self.labels, outputs, operator, type(self).__name__)
        self.lengths.clear()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Looks, and logs what it found for the callbacks that follow."""
        if self._engine is None or (epoch + 1) % self.every:
            return
        found = np.asarray(self._engine.run(LENGTHS, self.inputs, self._targets))[:, 0]
        self.lengths.append(found)
        if logs is not None:
            logs["gradient_norm"] = float(found.mean())
            logs["gradient_norm_share"] = float((found >= self.threshold).mean())
            logs["gradient_norm_max"] = float(found.max())

    def on_train_end(self, logs: Any = None) -> None:
        """Lets the model go."""
        self._engine = None


def _length(bound: Bound, operator: Any, inputs: Any, targets: Any) -> Any:
    gradient = queries.gradient(bound, operator, inputs, targets)
    return tf.norm(tf.reshape(gradient, (tf.shape(gradient)[0], -1)), axis=1)


LENGTHS = Plan(
    count=1,
    backward=True,
    query=_length,
    draw=lambda x, side, index: (x, ()),
    start=reducers.table(1),
    fold=reducers.collect,
    finish=reducers.as_is,
)
