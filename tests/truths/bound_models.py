"""Small networks for the tests of verified bounds, and attacks on them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from xsparks.engine import Engine
from xsparks.engine.verified_bounds import VerifiedBounds
from xsparks.models.access import ModelAccess
from xsparks.models.bounds import Around, read_network

SHAPE = (8, 7, 2)
CLASSES = 4


def weighted(model: Any, seed: int = 0, scale: float = 1.0) -> Any:
    """The model with weights drawn from the seed, of a size that keeps activations near one; variances positive."""
    draw = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(draw.uniform(0.5, 1.5, shape).astype("float32"))
        elif len(shape) < 2 or weight.name == "alpha":
            weight.assign((0.3 * draw.standard_normal(shape)).astype("float32"))
        else:
            entries = np.prod(shape[:-1])
            weight.assign((scale * 1.4 / np.sqrt(entries) * draw.standard_normal(shape)).astype("float32"))
    return model


def dense(activation: str = "relu") -> Any:
    """Three dense layers on 12 numbers."""
    return weighted(
        keras.Sequential(
            [
                keras.Input((12,)),
                layers.Dense(16, activation=activation),
                layers.Dense(12, activation=activation),
                layers.Dense(CLASSES),
            ]
        ),
        1,
    )


def convolutional() -> Any:
    """Convolutions with strides, and a dense layer between two ReLUs."""
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10, activation="relu")(x)
    return weighted(keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x)), 2)


def residual() -> Any:
    """Two residual blocks with batch normalisation, an operation of the graph, and a global average."""
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(2.0, -1.0)(inputs))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.ReLU()(x + y)
    y = layers.SeparableConv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.ReLU()(layers.Add()([y, layers.Conv2D(6, 1, strides=2)(x)]))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))), 3)


def pooled() -> Any:
    """Both poolings, overlapping maxima, and a leaky ReLU."""
    inputs = keras.Input(SHAPE)
    x = layers.LeakyReLU(0.1)(layers.Conv2D(4, 3, padding="same")(inputs))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.AveragePooling2D(2)(layers.DepthwiseConv2D(2, padding="same", activation="relu6")(x))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(x))), 4)


def gated() -> Any:
    """Squeeze and excitation: smooth activations, and a product of two tensors."""
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="swish")(inputs)
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Conv2D(4, 3, padding="same", activation="gelu")(layers.Multiply()([x, gate]))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalMaxPooling2D()(x))), 5)


def nested() -> Any:
    """A model within a model, called twice, with GroupSort by operations."""
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Activation("tanh")], name="inner")
    inputs = keras.Input((6,))
    x = ops.reshape(layers.Dense(6)(inner(inner(inputs))), (-1, 3, 2))
    x = ops.reshape(ops.sort(x, axis=-1), (-1, 6))
    return weighted(keras.Model(inputs, layers.Dense(CLASSES)(x - inputs)), 6)


NETWORKS = {
    "dense": dense,
    "convolutional": convolutional,
    "residual": residual,
    "pooled": pooled,
    "gated": gated,
    "nested": nested,
}


def logits(model: Any, inputs: Any) -> np.ndarray:
    """What the model says before its softmax."""
    return ModelAccess(model).forward(tf.convert_to_tensor(inputs)).numpy()


def samples(model: Any, count: int = 3, seed: int = 0) -> np.ndarray:
    """Inputs in [0, 1]."""
    return np.random.default_rng(seed).random((count, *model.inputs[0].shape[1:])).astype("float32")


def points(lower: np.ndarray, upper: np.ndarray, count: int = 40, seed: int = 0) -> np.ndarray:
    """`(count, n, ...)` points between two ends: some anywhere, most at vertices, and both ends."""
    draw = np.random.default_rng(seed)
    share = draw.random((count, *lower.shape))
    share[count // 3 :] = draw.integers(0, 2, share[count // 3 :].shape)
    share[-2], share[-1] = 0.0, 1.0
    return (lower + share * (upper - lower)).astype("float32")


def attacked(model: Any, lower: np.ndarray, upper: np.ndarray, steps: int = 12) -> np.ndarray:
    """The highest margins `f_c' - f_c` found, `(n, classes, classes)`: points, and one ascent for each pair."""
    access = ModelAccess(model)
    inside = points(lower, upper)
    found = logits(model, inside.reshape(-1, *inside.shape[2:])).reshape(*inside.shape[:2], -1)
    margins = (found[..., :, None] - found[..., None, :]).max(axis=0)
    number, classes = margins.shape[:2]
    first, second = np.nonzero(~np.eye(classes, dtype=bool))
    low, high = (np.repeat(each, len(first), axis=0) for each in (lower, upper))
    weights = np.tile(np.eye(classes)[first] - np.eye(classes)[second], (number, 1)).astype("float32")

    @tf.function(autograph=False)
    def climb(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(access.forward(x) * weights, -1)
        return score, tape.gradient(score, x)

    x, best = tf.constant((low + high) / 2), -np.inf
    for step in range(steps):
        score, slope = climb(x)
        best = np.maximum(best, score)
        x = tf.clip_by_value(x + (high - low) * (0.5 if step == 0 else 0.2) * np.sign(slope), low, high)
    best = np.maximum(best, climb(x)[0])
    margins[:, first, second] = np.maximum(margins[:, first, second], best.reshape(number, -1))
    return margins


def bounded(
    model: Any, inputs: np.ndarray, epsilon: Any = 0.05, family: Any = None, targets: Any = None, batch: int = 32,
    given: Any = None, **options: Any
) -> dict[str, np.ndarray]:  # fmt: skip
    """The answer of all stages, by an engine of its own."""
    family = Around() if family is None else family
    plans = VerifiedBounds(network=read_network(model), family=family, **options).plans()
    if given is None:
        given = {"epsilon": np.broadcast_to(np.float32(epsilon), (len(inputs),)).copy()}
    targets = np.zeros(len(inputs), "int32") if targets is None else targets
    answer = Engine(ModelAccess(model), None, batch).run(plans, inputs, targets, given)
    return {key: each.numpy() for key, each in answer.items()}
