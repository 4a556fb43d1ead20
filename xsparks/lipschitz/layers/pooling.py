"""Pooling that stretches no difference: deel-lip's, on Keras 3."""

from __future__ import annotations

from typing import Any

import deel.lip.layers as deel
import keras


class _KeepingEpsilon:
    """Saves the option that deel-lip forgets."""

    eps_grad_sqrt: Any

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from."""
        return {**super().get_config(), "eps_grad_sqrt": self.eps_grad_sqrt}  # pyright: ignore


@keras.saving.register_keras_serializable("xsparks")
class ScaledAveragePooling2D(deel.ScaledAveragePooling2D):
    """How do I average over places without losing what passes: the mean of a window times the root of its size.

    Parameters
    ----------
    pool_size : of the windows, which lie side by side; `padding="valid"`.
    k_coef_lip : the Lipschitz constant, 1.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class ScaledL2NormPooling2D(_KeepingEpsilon, deel.ScaledL2NormPooling2D):
    """How do I pool with a gradient of norm 1: the Euclidean norm of a window.

    Parameters
    ----------
    pool_size : of the windows, which lie side by side; `padding="valid"`.
    k_coef_lip : the Lipschitz constant, 1.
    eps_grad_sqrt : keeps the gradient finite where a window is 0.

    Source
    ------
    Y.-L. Boureau, J. Ponce, Y. LeCun, "A Theoretical Analysis of Feature Pooling in Visual Recognition", ICML 2010;
    deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class ScaledGlobalAveragePooling2D(deel.ScaledGlobalAveragePooling2D):
    """How do I average over the whole image without losing what passes: the mean times the root of the places.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class ScaledGlobalL2NormPooling2D(_KeepingEpsilon, deel.ScaledGlobalL2NormPooling2D):
    """How do I pool over the whole image with a gradient of norm 1: the Euclidean norm of a channel.

    Parameters
    ----------
    eps_grad_sqrt : keeps the gradient finite where a channel is 0.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class InvertibleDownSampling(deel.InvertibleDownSampling):
    """How do I make an image smaller and lose nothing: the places of a window become channels.

    Parameters
    ----------
    pool_size : of the windows, which must divide the image.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """


@keras.saving.register_keras_serializable("xsparks")
class InvertibleUpSampling(deel.InvertibleUpSampling):
    """How do I undo `InvertibleDownSampling`: channels become the places of a window.

    Parameters
    ----------
    pool_size : of the windows.

    Source
    ------
    deel-lip, https://github.com/deel-ai/deel-lip
    """
