"""The loss of optimal transport networks with many classes (Serrurier, Mamalet, Fel, Béthune, Boissin 2023)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..core.checks import check_number

MEMORY = 0.99
# Between which values the mean size of the logits and the temperature stay, as published.
SIZES, LARGEST, SHARPNESS = (0.005, 1000.0), 2e4, (0.005, 250.0)


@keras.saving.register_keras_serializable("xsparks")
class SoftHKR(keras.losses.Loss):
    """How do I train a 1-Lipschitz classifier of many classes that is accurate?

    With logits `f`, the label y, signed logits `s_y = f_y`, `s_i = -f_i`, and weights `w_y = 1`, `w_i` the softmax of
    `T f_i` over the other classes, so that a sample is held against its nearest rivals instead of all classes alike:

        loss = (1 - alpha) (sum_i w_i (-s_i)) + alpha sum_i w_i relu(m / 2 - s_i),     T = temperature m / mean |f|

    The first term pulls classes apart as optimal transport does, so that the gradient leads from one to the other; the
    second asks for a margin. The mean of `|f|` runs along with training, and is left alone by validation.

    Parameters
    ----------
    alpha : share of the hinge, in [0, 1]; a value above 1 is the lambda of the paper, `alpha = lambda / (1 + lambda)`.
    min_margin : m, in units of the input's Euclidean length.
    temperature : high for one rival, low for all of them. Published: 10 for Fashion-MNIST, 200 for ImageNet.

    Returns
    -------
    loss : of labels that are one-hot, or 0 and 1, or -1 and 1, `(n, classes)`, or class ids `(n,)` or `(n, 1)`.

    Raises
    ------
    ValueError : options out of range.

    Departs
    -------
    The running mean is not saved with a model, and begins at `min_margin` again when one is loaded.

    Example
    -------
    >>> loss = SoftHKR(alpha=0.9, min_margin=1.0, temperature=1.0)
    >>> round(float(loss([[1.0, 0, 0], [0, 0, 1.0]], [[1.0, 0.5, -0.2], [0.1, 0.3, 0.9]])), 4)
    0.5939

    Source
    ------
    M. Serrurier, F. Mamalet, T. Fel, L. Béthune, T. Boissin, "On the explainable properties of 1-Lipschitz Neural
    Networks: An Optimal Transport Perspective", NeurIPS 2023, https://arxiv.org/abs/2206.06854
    """

    def __init__(
        self,
        alpha: float = 0.9,
        min_margin: float = 1.0,
        temperature: float = 1.0,
        reduction: Any = "sum_over_batch_size",
        name: str = "SoftHKR",
    ):
        super().__init__(reduction=reduction, name=name)
        where = type(self).__name__
        alpha = check_number(where, "alpha", alpha, 0, remedy="Use .9, or the lambda of the paper, such as 5.")
        self.alpha = alpha if alpha <= 1 else alpha / (1 + alpha)
        self.min_margin = check_number(where, "min_margin", min_margin, 1e-6, remedy="Use 1.")
        self.temperature = check_number(where, "temperature", temperature, 0, remedy="Use 10.")
        self.mean_size = tf.Variable(
            tf.constant(self.min_margin, tf.float32),
            trainable=False,
            aggregation=tf.VariableAggregation.MEAN,
            synchronization=tf.VariableSynchronization.ON_READ,
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sample, `(n,)`."""
        kr, hinge = self.parts(y_true, self._remembered(y_pred))
        return (1 - self.alpha) * kr + self.alpha * hinge

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The transport term and the hinge of each sample, `(n,)` each."""
        y_pred = tf.convert_to_tensor(y_pred)
        own = _one_hot(y_true, y_pred)
        signed = tf.where(own, y_pred, -y_pred)
        rivals = tf.where(own, y_pred.dtype.min, self._sharpness(y_pred) * y_pred)
        weights = tf.where(own, tf.ones_like(y_pred), tf.nn.softmax(rivals, axis=-1))
        hinge = tf.nn.relu(self.min_margin / 2 - signed)
        return -tf.reduce_sum(weights * signed, axis=-1), tf.reduce_sum(weights * hinge, axis=-1)

    def _sharpness(self, logits: Any) -> Any:
        size = tf.clip_by_value(self._next_size(logits), self.min_margin, LARGEST)
        sharp = tf.clip_by_value(self.temperature * self.min_margin / size, *SHARPNESS)
        return tf.stop_gradient(tf.cast(sharp, logits.dtype))

    def _next_size(self, logits: Any) -> Any:
        here = tf.reduce_mean(tf.abs(tf.cast(logits, tf.float32)))
        return MEMORY * tf.convert_to_tensor(self.mean_size) + (1 - MEMORY) * here

    def _remembered(self, logits: Any) -> Any:
        """The logits; the running mean moves when a gradient is taken, which validation does not."""

        @tf.custom_gradient
        def passed(logits: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                self.mean_size.assign(tf.clip_by_value(self._next_size(logits), *SIZES))
                return upstream

            return tf.identity(logits), gradient

        return passed(tf.convert_to_tensor(logits))

    def get_config(self) -> dict[str, Any]:
        """What the loss is made again from."""
        options = {"alpha": self.alpha, "min_margin": self.min_margin, "temperature": self.temperature}
        return {**super().get_config(), **options}


def _one_hot(labels: Any, logits: Any) -> Any:
    """Which logit is the label's, bool of the shape of the logits."""
    labels = tf.convert_to_tensor(labels)
    classes = logits.shape[-1]
    if len(labels.shape) == len(logits.shape) and labels.shape[-1] == classes:
        return labels > 0
    ids = labels[..., 0] if len(labels.shape) == len(logits.shape) else labels
    return tf.one_hot(tf.cast(ids, tf.int32), classes, on_value=True, off_value=False, dtype=tf.bool)
