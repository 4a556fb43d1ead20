"""Fully connected layers that stretch no difference: deel-lip's, on Keras 3."""

from __future__ import annotations

from typing import Any

import deel.lip.layers as deel
import keras
import tensorflow as tf

from .reparametrised import _Frobenius, _Reparametrised, _Spectral


class _Connecting(_Reparametrised):
    """What fully connected layers share: the options and the call."""

    plain = keras.layers.Dense

    def __init__(self, units: int, *, strict: bool = True, kernel_initializer: Any = "orthogonal", **options: Any):
        super().__init__(units, kernel_initializer=kernel_initializer, **options)  # pyright: ignore
        self.strict = strict

    def call(self, inputs: Any, training: Any = None) -> Any:
        """`W* x + b`."""
        return self._finished(tf.matmul(inputs, self._current(training, inputs.dtype)))


@keras.saving.register_keras_serializable("xsparks")
class SpectralDense(_Connecting, _Spectral, deel.SpectralDense):
    """How do I make a fully connected layer that is 1-Lipschitz?

    deel-lip's layer, whose kernel has singular values of 1, so that it neither stretches nor, up to the rank, shrinks
    what passes: `y = W* x + b`, with `W*` from the trained kernel by Björck's iteration.

    Parameters
    ----------
    units, activation, use_bias, ... : those of `keras.layers.Dense`; the activation must be 1-Lipschitz itself.
    strict : divide by an upper bound of the norm before the iteration, so that the layer is 1-Lipschitz for certain;
        False is deel-lip's own power iteration, which can be too low where it has not converged.
    k_coef_lip : the Lipschitz constant, 1.
    eps_bjorck, beta_bjorck, maxiter_bjorck : of the iteration; `eps_bjorck=None` leaves it out, and the layer is at
        most 1-Lipschitz. Fewer iterations, 5 to 8, make training quicker.

    Cost
    ----
    In training a product of the kernel with itself for each iteration; in inference that of `keras.layers.Dense`.

    Example
    -------
    >>> import numpy as np
    >>> layer = SpectralDense(3)
    >>> layer.build((None, 8))
    >>> bool(np.abs(np.linalg.svd(np.asarray(layer.wbar))[1] - 1).max() < 1e-3)
    True

    Source
    ------
    M. Serrurier, F. Mamalet, A. González-Sanz, T. Boissin, J.-M. Loubes, E. del Barrio, "Achieving robustness in
    classification using optimal transport with hinge regularization", CVPR 2021, https://arxiv.org/abs/2006.06520, and
    its library, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class FrobeniusDense(_Connecting, _Frobenius, deel.FrobeniusDense):
    """How do I make a head whose every output is 1-Lipschitz?

    deel-lip's layer: each column of the kernel over its norm (`disjoint_neurons=True`), so that each class has a
    1-Lipschitz score of its own, or the whole kernel over its Frobenius norm. With one output both are `SpectralDense`.
    Outputs of disjoint neurons are 1-Lipschitz one by one and not together: a difference of two can grow twice as fast.

    Parameters
    ----------
    units, activation, use_bias, ... : those of `keras.layers.Dense`.
    disjoint_neurons : constrain each output by itself.
    strict : leave room for rounding.
    k_coef_lip : the Lipschitz constant, 1.

    Example
    -------
    >>> import numpy as np
    >>> layer = FrobeniusDense(3)
    >>> layer.build((None, 8))
    >>> np.linalg.norm(np.asarray(layer.wbar), axis=0).round(4).tolist()
    [1.0, 1.0, 1.0]

    Source
    ------
    M. Serrurier et al., CVPR 2021, https://arxiv.org/abs/2006.06520, and deel-lip, https://github.com/deel-ai/deel-lip
    """
