"""What the constrained layers of deel-lip 1.5 lack under Keras 3, in one place.

deel-lip 1.5 is written for Keras 2. Its layers ask a kernel for `read_value`, keep the constrained kernel in a variable
that Keras 3 neither saves nor counts, and constrain in whatever precision the layer computes. Release 2.0 of deel-lip,
which runs on Keras 3, lets us delete this folder but for the strict bounds; the names of its layers are used here.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from deel.lip.normalizers import bjorck_normalization, reshaped_kernel_orthogonalization

# Squarings of the Gram matrix: the bound is then too high by a factor of at most size^(1 / 2^8), which is 1.02 for 256.
SQUARINGS = 6
# Rounding of float32: what is constrained stays at or below 1 in exact arithmetic too, but for the last digit.
MARGIN = 1e-6
TINY = 1e-30


def spectral_bound(matrix: Any) -> Any:
    """An upper bound of the largest singular value of a matrix, with a gradient, never below it as power iteration is.

    With `G = W^T W`, `|W| <= |G^(2^k)|_F^(1 / 2^(k + 1))`, which falls to `|W|` as k grows.

    Source
    ------
    B. Delattre, Q. Barthélemy, A. Araujo, A. Allauzen, "Efficient Bound of Lipschitz Constant for Convolutional Layers
    by Gram Iteration", ICML 2023, https://arxiv.org/abs/2305.16173
    """
    rows, columns = matrix.shape
    gram = (
        tf.matmul(matrix, matrix, transpose_a=True) if rows >= columns else tf.matmul(matrix, matrix, transpose_b=True)
    )
    logarithm = tf.zeros((), matrix.dtype)
    for _ in range(SQUARINGS):
        size = tf.maximum(tf.norm(gram), TINY)
        # Kept near 1, so that the powers neither vanish nor overflow.
        logarithm = 2 * (logarithm + tf.math.log(size))
        gram = tf.matmul(gram / size, gram / size)
    logarithm += tf.math.log(tf.maximum(tf.norm(gram), TINY))
    return tf.exp(logarithm / 2 ** (SQUARINGS + 1)) * (1 + MARGIN)


class _Reparametrised:
    """A layer whose kernel is constrained: `wbar` is what it computes with, the kernel is what is trained.

    `wbar` is constrained from the start, renewed by every training call, saved with the model, and in float32 whatever
    the layer computes in.
    """

    # The layer of Keras that computes the same from `wbar`.
    plain: ClassVar[Any] = None
    kernel: Any
    wbar: Any
    strict: bool

    def add_weight(self, *arguments: Any, **options: Any) -> Any:
        """A variable of the layer that keeps its own precision: orthogonalisation fails in float16."""
        return super().add_weight(*arguments, **{"autocast": False, **options})  # pyright: ignore

    def build(self, input_shape: Any) -> None:
        """Makes the variables; what deel-lip does here, without what Keras 3 has not."""
        self.plain.build(self, input_shape)
        layer: Any = self
        layer._init_lip_coef(input_shape)
        # Known before `wbar`, which is made from them.
        self._add_state()
        # A function, because within a model that is built symbolically the kernel has no value yet.
        self.wbar = self.add_weight(
            name="wbar",
            shape=self.kernel.shape,
            initializer=lambda shape, dtype=None: self.constrained()[0],
            trainable=False,
        )

    def _add_state(self) -> None:
        """What the constraint keeps from call to call."""

    def constrained(self) -> tuple[Any, ...]:
        """The constrained kernel as a function of the kernel, and the state that follows."""
        raise NotImplementedError

    def condense(self) -> None:
        """Writes the constrained kernel over the kernel, for what follows to start from it."""
        kernel, *state = self.constrained()
        self.wbar.assign(kernel)
        self.kernel.assign(self._as_kernel(kernel))
        self._keep(*state)

    def _keep(self, *state: Any) -> None:
        """Keeps the state."""

    def _as_kernel(self, constrained: Any) -> Any:
        """The kernel whose constrained kernel this is: without the factor of patches, which comes again."""
        layer: Any = self
        return constrained / layer._get_coef()

    def _current(self, training: Any, dtype: Any) -> Any:
        """The constrained kernel for a call."""
        if not training:
            return tf.cast(self.wbar, dtype)
        kernel, *state = self.constrained()
        self.wbar.assign(kernel)
        self._keep(*state)
        return tf.cast(kernel, dtype)

    def _finished(self, outputs: Any, channel_axis: int = -1) -> Any:
        """Bias and activation."""
        layer: Any = self
        if layer.use_bias:
            shape = [1] * len(outputs.shape)
            shape[channel_axis] = -1
            outputs += tf.reshape(tf.cast(layer.bias, outputs.dtype), shape)
        return outputs if layer.activation is None else layer.activation(outputs)

    def save_own_variables(self, store: Any) -> None:
        """Saves every variable; layers of Keras save the kernel and the bias alone."""
        keras.layers.Layer.save_own_variables(self, store)  # pyright: ignore[reportArgumentType]

    def load_own_variables(self, store: Any) -> None:
        """Loads every variable."""
        keras.layers.Layer.load_own_variables(self, store)  # pyright: ignore[reportArgumentType]

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from."""
        return {**super().get_config(), "strict": self.strict}  # pyright: ignore

    def vanilla_export(self) -> Any:
        """The layer of Keras that computes the same, with the constrained kernel as its kernel."""
        layer: Any = self
        plain = self.plain.from_config({**self.plain.get_config(self), "kernel_initializer": "zeros"})
        plain.build(layer.get_build_config()["input_shape"])
        plain.kernel.assign(self.wbar)
        if layer.use_bias:
            plain.bias.assign(layer.bias)
        return plain


class _Spectral(_Reparametrised):
    """A kernel whose matrix has singular values of 1, by Björck's iteration, or at most 1."""

    def _add_state(self) -> None:
        layer: Any = self
        # Where deel-lip's power iteration stands; a strict layer needs none.
        if not self.strict:
            draw = keras.initializers.RandomNormal(0, 1)
            layer.u = self.add_weight(name="sn", shape=(1, self._matrix_columns()), initializer=draw, trainable=False)
            layer.sig = self.add_weight(name="sigma", shape=(1, 1), initializer="ones", trainable=False)

    def _matrix_columns(self) -> int:
        return int(self.kernel.shape[-1])

    def constrained(self) -> tuple[Any, ...]:
        """The kernel with its matrix made orthogonal, times the coefficient; with it deel-lip's state.

        A strict layer divides by an upper bound of the norm, after which no singular value is above 1, and a step of
        Björck's with `beta <= 1/2` keeps it so; deel-lip divides by an estimate from below.
        """
        layer: Any = self
        kernel = tf.convert_to_tensor(self.kernel)
        if not self.strict:
            return reshaped_kernel_orthogonalization(
                kernel,
                tf.convert_to_tensor(layer.u),
                float(layer._get_coef()),
                layer.eps_spectral,
                layer.eps_bjorck,
                layer.beta_bjorck,
                layer.maxiter_spectral,
                layer.maxiter_bjorck,
            )
        matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
        matrix /= spectral_bound(matrix)
        if layer.eps_bjorck is not None and layer.beta_bjorck is not None:
            matrix = bjorck_normalization(matrix, layer.eps_bjorck, layer.beta_bjorck, layer.maxiter_bjorck)
        return (tf.reshape(matrix, kernel.shape) * float(layer._get_coef()),)

    def _keep(self, *state: Any) -> None:
        if state:
            layer: Any = self
            layer.u.assign(state[0])
            layer.sig.assign(state[1])


class _Frobenius(_Reparametrised):
    """A kernel of Frobenius norm 1, or of norm 1 for each output."""

    axis_norm: Any = None

    def constrained(self) -> tuple[Any, ...]:
        """The kernel over its norm, times the coefficient."""
        layer: Any = self
        kernel = tf.convert_to_tensor(self.kernel)
        size = tf.norm(kernel, axis=self.axis_norm) * (1 + (MARGIN if self.strict else 0))
        return (kernel / tf.maximum(size, TINY) * np.float32(layer._get_coef()),)
