"""Convolutions that stretch no difference: deel-lip's, on Keras 3, with a coefficient that is a bound."""

from __future__ import annotations

from typing import Any

import deel.lip.layers as deel
import keras
from keras import ops

from ...numerics.operator_norms import patch_factor
from .reparametrised import _Frobenius, _Reparametrised, _Spectral


class _Convolving(_Reparametrised):
    """What the convolutions share: the options, the coefficient for patches, and the call."""

    plain = keras.layers.Conv2D

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        *,
        strict: bool = True,
        kernel_initializer: Any = "orthogonal",
        **options: Any,
    ):
        super().__init__(filters, kernel_size, kernel_initializer=kernel_initializer, **options)  # pyright: ignore
        self.strict = strict

    def _compute_lip_coef(self, input_shape: Any = None) -> float:
        """One over the factor by which taking patches can lengthen.

        deel-lip divides by its root mean square over the places, in which those at the border count less: 2 % too
        little on 16 x 16 places for a kernel of 3 x 3.
        """
        layer: Any = self
        if not self.strict:
            return float(super()._compute_lip_coef(input_shape))  # pyright: ignore
        sizes = input_shape[1:-1] if layer.data_format == "channels_last" else input_shape[2:]
        # No more patches share a place in a larger image.
        large = [4 * max(pair) for pair in zip(layer.kernel_size, layer.strides, strict=True)]
        sizes = [most if size is None else size for size, most in zip(sizes, large, strict=True)]
        return 1 / patch_factor(sizes, layer.kernel_size, layer.strides, "same")

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The convolution with the constrained kernel."""
        layer: Any = self
        kernel = self._current(training, inputs.dtype)
        outputs = ops.conv(inputs, kernel, layer.strides, "same", layer.data_format)
        return self._finished(outputs, -1 if layer.data_format == "channels_last" else 1)


@keras.saving.register_keras_serializable("xsparks")
class SpectralConv2D(_Convolving, _Spectral, deel.SpectralConv2D):
    """How do I make a convolution that is 1-Lipschitz?

    deel-lip's layer: the kernel as a matrix from a patch to the filters has singular values of 1, and is divided by the
    factor by which taking patches can lengthen, `sqrt(ceil(kh / sh) ceil(kw / sw))` away from small images.

    Parameters
    ----------
    filters, kernel_size, strides, activation, use_bias, ... : those of `keras.layers.Conv2D`; padding is `"same"`, and
        there is no dilation.
    strict : divide by the largest number of patches that share a place, and by an upper bound of the norm, so that the
        layer is 1-Lipschitz for certain; False is deel-lip's own, with an average over the border that lets the layer
        stretch by some percent.
    k_coef_lip, eps_bjorck, beta_bjorck, maxiter_bjorck : as for `SpectralDense`.

    Raises
    ------
    RuntimeError : another padding, or a dilation.

    Cost
    ----
    In training a product of the kernel with itself for each iteration; in inference that of `keras.layers.Conv2D`.

    Example
    -------
    >>> import numpy as np
    >>> layer = SpectralConv2D(1, 3)
    >>> layer.build((None, 8, 8, 1))
    >>> layer.kernel.assign(np.ones((3, 3, 1, 1), "float32")) is None, layer.condense()
    (False, None)
    >>> float(np.asarray(layer.wbar).sum().round(3))
    1.0

    Source
    ------
    M. Serrurier et al., CVPR 2021, https://arxiv.org/abs/2006.06520, and deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class FrobeniusConv2D(_Convolving, _Frobenius, deel.FrobeniusConv2D):
    """How do I make a convolution with one filter that is 1-Lipschitz?

    deel-lip's layer: as `SpectralConv2D`, with the Frobenius norm of the kernel, which for one filter is the same and
    quicker; with more filters it shrinks much.

    Parameters
    ----------
    filters, kernel_size, activation, use_bias, ... : those of `keras.layers.Conv2D`; padding `"same"`, no strides.
    strict : divide by the largest number of patches that share a place, a bound; False is deel-lip's average.
    k_coef_lip : the Lipschitz constant, 1.

    Example
    -------
    >>> layer = FrobeniusConv2D(1, 3)
    >>> layer.build((None, 8, 8, 2))
    >>> round(float((layer.wbar.numpy() ** 2).sum() * 9), 4)
    1.0

    Source
    ------
    M. Serrurier et al., CVPR 2021, https://arxiv.org/abs/2006.06520, and deel-lip, https://github.com/deel-ai/deel-lip
    """
