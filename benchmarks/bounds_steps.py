"""A Keras model as plain steps and arrays, for `benchmarks/bounds_auto_lirpa.py`, which has no Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


def steps_of(model: Any) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """A model as a list of plain steps, the weights of each by name; step `k` makes tensor `k + 1`."""
    steps: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    known: dict[int, int] = {id(model.inputs[0]): 0}
    # Padding waits for its convolution, and the shape before a flattening for its dense layer.
    padded: dict[int, int] = {}
    flattened: dict[int, tuple[int, ...]] = {}

    def step(kind: str, inputs: list[int], *own: Any, **options: Any) -> int:
        names = [f"{len(steps)} {number}" for number in range(len(own))]
        arrays.update({name: np.asarray(each, np.float32) for name, each in zip(names, own, strict=True)})
        steps.append({"kind": kind, "inputs": inputs, "arrays": names, **options})
        return len(steps)

    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            known[id(layer.output)] = 0
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        at = [len(steps)] if isinstance(model, keras.Sequential) else [known[id(each)] for each in given]
        shape = tuple(given[0].shape[1:])
        weights = [np.asarray(each) for each in layer.weights]
        if isinstance(layer, layers.Conv2D):
            total = [(-(-size // by) - 1) * by + kernel for size, by, kernel in _axes(shape, layer)]
            same = [(need - size) for need, (size, _, _) in zip(total, _axes(shape, layer), strict=True)]
            if layer.padding == "same" and (same[0] != same[1] or same[0] % 2):
                raise SystemExit(f"{layer.name}: uneven padding has no counterpart")
            padding = same[0] // 2 if layer.padding == "same" else padded.get(id(given[0]), 0)
            bias = weights[1] if layer.use_bias else np.zeros(layer.filters)
            made = step("convolution", at, weights[0], bias, stride=layer.strides[0], padding=padding)
        elif isinstance(layer, layers.Dense):
            kernel = weights[0]
            if at[0] in flattened:
                places = flattened[at[0]]
                kernel = kernel.reshape(*places, -1).transpose(2, 0, 1, 3).reshape(-1, kernel.shape[-1])
            made = step("dense", at, kernel, weights[1])
        elif isinstance(layer, layers.BatchNormalization):
            given_weights = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
            made = step("normalisation", at, *given_weights, epsilon=layer.epsilon)
        elif isinstance(layer, layers.Rescaling):
            made = step("scaling", at, layer.scale, layer.offset)
        elif isinstance(layer, layers.ZeroPadding2D):
            made, padded[id(layer.output)] = at[0], layer.padding[0][0]
        elif isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
            kind = "maximum" if isinstance(layer, layers.MaxPooling2D) else "average"
            made = step(kind, at, size=layer.pool_size[0])
        elif isinstance(layer, layers.GlobalAveragePooling2D):
            made = step("flatten", [step("average", at, size=shape[0])])
        elif isinstance(layer, layers.Flatten):
            made = step("flatten", at)
            flattened[made] = shape
        elif isinstance(layer, layers.ReLU | layers.Add):
            made = step("relu" if isinstance(layer, layers.ReLU) else "add", at)
        elif isinstance(layer, layers.Dropout):
            made = at[0]
        else:
            raise SystemExit(f"{type(layer).__name__} has no counterpart")
        if getattr(getattr(layer, "activation", None), "__name__", "linear") == "relu":
            made = step("relu", [made])
        known[id(layer.output)] = made
    return steps, arrays


def _axes(shape: tuple[int, ...], layer: Any) -> list[tuple[int, int, int]]:
    """Size, stride and kernel of both axes."""
    return list(zip(shape[:2], layer.strides, layer.kernel_size, strict=True))
