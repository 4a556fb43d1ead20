"""Strided convolutions of one input channel, as of grey pictures, backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def transposed_by_blocks(stride: int, padding: str, size: tuple[int, int]) -> Callable[[Any, Any, Any], Any]:
    """The transpose of a convolution as one of stride 1, whose channels are the pixels of `stride x stride` blocks.

    TensorFlow's own (2.21) is slower on a CPU where the input has one channel; with more it is not worth a second way.

    Parameters
    ----------
    padding : "same" or "valid".
    size : of the kernel, along both axes.

    Returns
    -------
    function : `(weights (b, *outputs), kernel, shape of an input) -> (b, *shape)`.
    """
    steps = [-(-each // stride) for each in size]

    def transposed(weights: Any, kernel: Any, shape: tuple[int, ...]) -> Any:
        rest = [[0, blocks * stride - length] for blocks, length in zip(steps, size, strict=True)]
        kernel = tf.reshape(tf.pad(kernel, [*rest, [0, 0], [0, 0]]), (steps[0], stride, steps[1], stride, -1))
        # Blocks from the last to the first, of each output channel those of its pixels.
        kernel = tf.transpose(kernel[::-1, :, ::-1], (0, 2, 4, 1, 3))
        kernel = tf.reshape(kernel, (*steps, -1, stride**2))
        around = [[blocks - 1, blocks - 1] for blocks in steps]
        found: Any = tf.nn.conv2d(tf.pad(weights, [[0, 0], *around, [0, 0]]), kernel, 1, "VALID")
        found = tf.nn.depth_to_space(found, stride)
        starts, beyond = [], []
        sides = zip(weights.shape[1:3], shape[:2], size, found.shape[1:3], strict=True)
        for outputs, entries, length, covered in sides:
            padded = max((outputs - 1) * stride + length - entries, 0) if padding == "same" else 0
            starts.append(padded // 2)
            beyond.append(max(0, padded // 2 + entries - covered))
        # Behind the last window are entries that no output depends on.
        found = tf.pad(found, [[0, 0], *([0, each] for each in beyond), [0, 0]])
        return found[:, starts[0] : starts[0] + shape[0], starts[1] : starts[1] + shape[1]]

    return transposed
