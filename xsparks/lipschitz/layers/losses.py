"""The losses of deel-lip 1.5 on Keras 3, which differ in how they are averaged alone.

deel-lip says "auto", which Keras 3 does not know; the mean over the batch is what it meant.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import deel.lip.losses as deel
import keras
import numpy as np
import tensorflow as tf

MEAN = "sum_over_batch_size"


class _Saved:
    """A loss whose options can be saved."""

    def get_config(self) -> dict[str, Any]:
        """What the loss is made again from: numbers of Python, where deel-lip has those of NumPy."""
        config = super().get_config()  # pyright: ignore[reportAttributeAccessIssue]
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in config.items()}


@keras.saving.register_keras_serializable("xsparks")
class KR(_Saved, deel.KR):
    """How far apart are two classes: `E_+[f] - E_-[f]`, the Kantorovich-Rubinstein estimate of their distance.

    Labels `(n, 1)` of 0 and 1, or -1 and 1. High is far apart, so `HKR` minimises its negative.

    Source
    ------
    M. Serrurier et al., CVPR 2021, https://arxiv.org/abs/2006.06520, and deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, multi_gpu: bool = False, reduction: Any = MEAN, name: str = "KR"):
        super().__init__(multi_gpu, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class HKR(_Saved, deel.HKR):
    """How do I train a 1-Lipschitz classifier of two classes: `-KR + alpha E[relu(m / 2 - y f(x))]`, labels `(n, 1)`.

    Parameters
    ----------
    alpha : of the hinge; high for accuracy, low for wide margins; infinity for the hinge alone.
    min_margin : m.

    Source
    ------
    M. Serrurier et al., CVPR 2021, https://arxiv.org/abs/2006.06520, and deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(
        self, alpha: float, min_margin: float = 1.0, multi_gpu: bool = False, reduction: Any = MEAN, name: str = "HKR"
    ):
        # Not deel-lip's, which makes a KR with the reduction that Keras 3 does not know.
        keras.losses.Loss.__init__(self, name=name, reduction=reduction)  # pyright: ignore[reportArgumentType]
        self.alpha = tf.Variable(tf.constant(alpha, tf.float32), trainable=False)
        self.min_margin = tf.Variable(tf.constant(min_margin, tf.float32), trainable=False)
        self.multi_gpu = multi_gpu
        self.KRloss = KR(multi_gpu=multi_gpu)
        self.fct = partial(deel.hinge_margin, min_margin=self.min_margin) if alpha == np.inf else self.hkr


@keras.saving.register_keras_serializable("xsparks")
class HingeMargin(_Saved, deel.HingeMargin):
    """The hinge of `HKR` alone: `E[relu(m / 2 - y f(x))]`.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, min_margin: float = 1.0, reduction: Any = MEAN, name: str = "HingeMargin"):
        super().__init__(min_margin, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class MulticlassKR(_Saved, deel.MulticlassKR):
    """`KR` of each class against the others, averaged; labels one-hot.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, multi_gpu: bool = False, reduction: Any = MEAN, name: str = "MulticlassKR"):
        super().__init__(multi_gpu, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class MulticlassHinge(_Saved, deel.MulticlassHinge):
    """The hinge of each class against the others, the class itself counted as often as all others; labels one-hot.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, min_margin: float = 1.0, reduction: Any = MEAN, name: str = "MulticlassHinge"):
        super().__init__(min_margin, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class MulticlassHKR(_Saved, deel.MulticlassHKR):
    """deel-lip's own loss for several classes, `-MulticlassKR + alpha MulticlassHinge`; labels one-hot.

    `SoftHKR` reaches a higher accuracy with many classes. Each batch should hold every class.

    Parameters
    ----------
    alpha : of the hinge; high for accuracy, low for wide margins; infinity for the hinge alone.
    min_margin : m of `relu(m / 2 -+ f)`.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(
        self,
        alpha: float = 10.0,
        min_margin: float = 1.0,
        multi_gpu: bool = False,
        reduction: Any = MEAN,
        name: str = "MulticlassHKR",
    ):
        super().__init__(alpha, min_margin, multi_gpu, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class MultiMargin(_Saved, deel.MultiMargin):
    """The mean over the other classes of `relu(m - f_y + f_j)`; labels one-hot.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, min_margin: float = 1.0, reduction: Any = MEAN, name: str = "MultiMargin"):
        super().__init__(min_margin, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class CategoricalHinge(_Saved, deel.CategoricalHinge):
    """`relu(m - f_y + max_j f_j)`, the hinge of the strongest rival; labels one-hot.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, min_margin: float, reduction: Any = MEAN, name: str = "CategoricalHinge"):
        super().__init__(min_margin, reduction, name)


@keras.saving.register_keras_serializable("xsparks")
class TauCategoricalCrossentropy(_Saved, deel.TauCategoricalCrossentropy):
    """The cross-entropy of `tau f`, over tau: a high `tau` for accuracy, a low one for wide margins; labels one-hot.

    Source
    ------
    L. Béthune, T. Boissin, M. Serrurier, F. Mamalet, C. Friedrich, A. González-Sanz, "Pay attention to your loss",
    NeurIPS 2022, https://arxiv.org/abs/2104.05097; deel-lip, https://github.com/deel-ai/deel-lip
    """

    def __init__(self, tau: float, reduction: Any = MEAN, name: str = "TauCategoricalCrossentropy"):
        super().__init__(tau, reduction, name)
