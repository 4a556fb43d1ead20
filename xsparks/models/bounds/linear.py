"""Steps that are linear: exact backwards by the vector-Jacobian product, so that no matrix of a layer is ever made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from .boxes import Box
from .norms import MOST_COLUMNS, matrix_norm
from .rule import Rule, Shapes


def transposed(function: Callable[..., Any], shapes: Shapes, weights: Any) -> list[Any]:
    """`W^T weights` for the linear part `W` of a function, by its vector-Jacobian product at zero.

    Parameters
    ----------
    function : of tensors `(b, *shape)`, one for each of `shapes`.
    weights : `(n, s, *outputs)`.
    """
    number, rows = tf.shape(weights)[0], weights.shape[1]
    flat: Any = tf.reshape(weights, (-1, *weights.shape[2:]))
    zeros = [tf.zeros((tf.shape(flat)[0], *shape), flat.dtype) for shape in shapes]
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        outputs = function(*zeros)
    found: Any = tape.gradient(
        outputs, zeros, output_gradients=flat, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return [
        tf.reshape(each, (number, tf.shape(weights)[1] if rows is None else rows, *shape))
        for each, shape in zip(found, shapes, strict=True)
    ]


class Linear(Rule):
    """A step `W x + b`.

    Backwards `<w, W x + b> = <W^T w, x> + <w, b>`. A box of centre `c` and radius `r` becomes `W c + b` and `|W| r`.
    """

    linear: ClassVar[bool] = True
    biased: bool = False

    @abstractmethod
    def call(self, *inputs: Any) -> Any:
        """`W x + b` of tensors `(n, *shape)`."""

    @abstractmethod
    def magnitude(self, *radii: Any) -> Any:
        """`|W| r`, without the bias."""

    def spread(self, *marks: Any) -> Any:
        """Positive wherever an output may depend on a marked entry; must not depend on the values of weights."""
        return self.magnitude(*marks)

    def interval(self, boxes: Sequence[Box]) -> Box:
        """`W c + b` and `|W| r`."""
        return Box(self.call(*(box.centre for box in boxes)), self.magnitude(*(box.radius for box in boxes)))

    def backward(self, relaxation: tuple[Any, ...], weights: Any, shapes: Shapes) -> tuple[list[Any], Any]:
        """`W^T w`, and `w b`."""
        added = None
        if self.biased:
            added = weights * self.call(*(tf.zeros((1, *shape), weights.dtype) for shape in shapes))[None]
        return self.transpose(weights, shapes), added

    def transpose(self, weights: Any, shapes: Shapes) -> list[Any]:
        """`W^T w`, for each input."""
        return transposed(self.call, shapes, weights)

    def stretch(self, shapes: Shapes) -> Any:
        """`|W|_2 <= (|W|_1 |W|_inf)^.5`, which is exact where entries are moved, repeated, scaled or averaged."""
        of_entries = self.magnitude(*(tf.ones((1, *shape)) for shape in shapes))
        of_inputs = transposed(self.magnitude, shapes, tf.ones((1, 1, *of_entries.shape[1:])))
        most = tf.reduce_max(tf.stack([tf.reduce_max(each) for each in of_inputs]))
        return tf.sqrt(tf.reduce_max(of_entries) * most)

    def reach(self, support: Any, shapes: Shapes) -> list[Any]:
        """Where `W^T` leads."""
        found = transposed(self.spread, shapes, support[:, None])
        return [tf.cast(each[:, 0] > 0, support.dtype) for each in found]

    def unstable(self, boxes: Sequence[Box]) -> list[Any]:
        """None: a linear step needs no interval."""
        return [tf.zeros_like(box.radius, tf.bool) for box in boxes]


class Monotone(Linear):
    """A step whose matrix has no negative entry, and no bias: reshaping, padding with zeros, averages, concatenation.

    Parameters
    ----------
    function : `(*tensors) -> tensor`.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def call(self, *inputs: Any) -> Any:
        """The step itself."""
        return self._function(*inputs)

    def magnitude(self, *radii: Any) -> Any:
        """The step itself."""
        return self._function(*radii)


class Rearranged(Monotone):
    """A step that moves or drops entries, fills up with zeros, or repeats entries.

    Parameters
    ----------
    function : `tensor -> tensor`.
    repeats : whether an entry may come more than once.
    """

    diagonal: ClassVar[bool] = True

    def __init__(self, function: Callable[..., Any], repeats: bool = False):
        self._function = function
        self.repeats = repeats

    def stretch(self, shapes: Shapes) -> Any:
        """By nothing, but where entries are repeated."""
        return Linear.stretch(self, shapes) if self.repeats else 1.0


class Summed(Linear):
    """A sum or difference of tensors, and of constants.

    Parameters
    ----------
    function : the sum, constants filled in.
    shape : of its output.
    biased : whether there is a constant.
    """

    def __init__(self, function: Callable[..., Any], shape: tuple[int, ...], biased: bool):
        self._function, self._shape = function, shape
        self.biased = biased

    def call(self, *inputs: Any) -> Any:
        """The sum."""
        return self._function(*inputs)

    def magnitude(self, *radii: Any) -> Any:
        """The sum of the radii, whatever the signs."""
        total = tf.zeros((1, *self._shape), radii[0].dtype)
        for radius in radii:
            total += radius
        return total


class Scaled(Linear):
    """An affine function of each entry by itself: normalisations in inference mode, products with constants.

    Parameters
    ----------
    function : `tensor -> tensor` of the same shape.
    """

    biased: bool = True
    diagonal: ClassVar[bool] = True

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def call(self, *inputs: Any) -> Any:
        """The step itself."""
        return self._function(*inputs)

    def magnitude(self, *radii: Any) -> Any:
        """`|slope| r`. The slope is a derivative, because a difference of two values loses small slopes."""
        (radius,) = radii
        ones = tf.ones((1, *radius.shape[1:]), radius.dtype)
        with tf.GradientTape() as tape:
            tape.watch(ones)
            outputs = self._function(ones)
        slope: Any = tape.gradient(outputs, ones, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return tf.abs(slope) * radius

    def spread(self, *marks: Any) -> Any:
        """Every entry stays where it is."""
        return marks[0]


class Kernel(Linear):
    """A dense or convolutional step.

    Parameters
    ----------
    function : `(inputs, kernel) -> outputs`.
    kernel : gives the kernel as it is now.
    bias : gives what is added to the outputs, or None.
    windows : where the kernel, as a matrix of one column for each output channel, is applied to windows of the input:
        the largest number of windows that share an entry; None for other steps.
    back : a faster transpose than the vector-Jacobian product: `(weights (b, *outputs), kernel, shape of the input)`.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        kernel: Callable[[], Any],
        bias: Callable[[], Any] | None = None,
        windows: int | None = None,
        back: Callable[[Any, Any, tuple[int, ...]], Any] | None = None,
    ):
        self._function, self._kernel, self._bias = function, kernel, bias
        self._windows, self._back = windows, back
        self.biased = bias is not None

    def _weights(self, inputs: Any) -> Any:
        return tf.cast(tf.convert_to_tensor(self._kernel()), inputs.dtype)

    def call(self, *inputs: Any) -> Any:
        """The step without its activation."""
        outputs = self._function(inputs[0], self._weights(inputs[0]))
        return outputs if self._bias is None else outputs + tf.cast(tf.convert_to_tensor(self._bias()), outputs.dtype)

    def transpose(self, weights: Any, shapes: Shapes) -> list[Any]:
        """`W^T w`."""
        if self._back is None:
            return Linear.transpose(self, weights, shapes)
        flat = tf.reshape(weights, (-1, *weights.shape[2:]))
        rows = tf.shape(weights)[1] if weights.shape[1] is None else weights.shape[1]
        return [tf.reshape(self._back(flat, self._weights(flat), shapes[0]), (-1, rows, *shapes[0]))]

    def magnitude(self, *radii: Any) -> Any:
        """The step with absolute weights."""
        return self._function(radii[0], tf.abs(self._weights(radii[0])))

    def spread(self, *marks: Any) -> Any:
        """The step with weights of one: whatever the weights are."""
        return self._function(marks[0], tf.ones_like(self._weights(marks[0])))

    def stretch(self, shapes: Shapes) -> Any:
        """The norm of the matrix, times the root of how many windows share an entry."""
        kernel = tf.cast(tf.convert_to_tensor(self._kernel()), tf.float32)
        matrix: Any = tf.reshape(kernel, (-1, kernel.shape[-1]))
        if self._windows is None or min(matrix.shape) > MOST_COLUMNS:
            return Linear.stretch(self, shapes)
        return matrix_norm(matrix) * self._windows**0.5

    def of_ball(self, ball: Box) -> Box:
        """The box around the image of `{c + s z: |z|_2 <= 1}`, with `c` and `s` the centre and radius of `ball`.

        The radius of an output is the norm of its row of `W`, scaled by `s`.
        """
        squared = self._function(tf.square(ball.radius), tf.square(self._weights(ball.radius)))
        return Box(self.call(ball.centre), tf.sqrt(tf.nn.relu(squared)))
