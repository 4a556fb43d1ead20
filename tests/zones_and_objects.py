"""Tiny segmentation networks and detectors, and their scores by definition, slowly."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tests import models
from tests.messages.saying import X
from xsparks.models.operators import resolve_targets, symbolic_targets


def convolution(channels: int = 3, activation: str | None = None) -> keras.Model:
    """A fully convolutional network of one layer."""
    inputs = keras.Input(models.SHAPE)
    kernel, bias = (keras.initializers.RandomUniform(-1, 1, seed=seed) for seed in (3, 4))
    layer = keras.layers.Conv2D(
        channels, 3, padding="same", activation=activation, kernel_initializer=kernel, bias_initializer=bias
    )
    return keras.Model(inputs, layer(inputs))


def bright(x):
    """A segmentation pixel by pixel, `(n, 8, 12, 2)`: dark, or bright in the first channel."""
    return tf.stack([0.5 - x[..., 0], x[..., 0] - 0.5], axis=-1) * 3.0


def zone_scores(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean logit of the labels of each zone, pixel by pixel."""
    scores = []
    for picture, zone in zip(logits.astype(np.float64), labels, strict=True):
        values = []
        for row, column in np.argwhere(zone >= 0):
            label = zone[row, column]
            if picture.shape[-1] == 1:
                values.append(picture[row, column, 0] * (1 if label == 1 else -1))
            else:
                values.append(picture[row, column, label])
        scores.append(np.mean(values))
    return np.array(scores)


def hosted(operator, outputs, targets):
    """The targets as they are read, and the scores."""
    read = resolve_targets(targets, outputs, operator, "test")
    answered = tf.nest.map_structure(tf.constant, outputs)
    return read, operator(lambda x: x, answered, tf.constant(read)).numpy()


def within_graph(operator, outputs, targets):
    """The same in a graph that does not know how many samples come."""
    shapes = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), tf.float32), outputs)

    @tf.function(input_signature=[shapes])
    def run(answered):
        read = symbolic_targets(targets, answered, operator, "test")
        return read, operator(lambda x: x, answered, read)

    read, scores = run(tf.nest.map_structure(tf.constant, outputs))
    return read.numpy(), scores.numpy()


def agree(operator, outputs, targets, read, scores):
    """Host and graph read the targets so and score so; what was read is read the same again."""
    for run in (hosted, within_graph):
        found, values = run(operator, outputs, targets)
        assert found.dtype == read.dtype
        np.testing.assert_array_equal(found, read)
        np.testing.assert_allclose(values, scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(hosted(operator, outputs, read)[0], read)


def squares(x):
    """A detector of bright squares of 4 x 4 pixels: 6 boxes, one objectness and 3 classes each, `(n, 6, 8)`."""
    means = tf.reshape(tf.nn.avg_pool2d(x, 4, 4, "VALID"), (-1, 6, 3))
    rows, columns = np.divmod(np.arange(6), 3)
    fixed = tf.constant(np.stack([columns, rows, columns + 1, rows + 1], -1) * 4.0, tf.float32)
    # Brighter squares lie further right and are a little larger.
    boxes = fixed + means[..., :1] * tf.constant([0.4, 0.0, 0.9, 0.3])
    sure = tf.sigmoid(6 * tf.reduce_mean(means, -1, keepdims=True) - 3)
    return tf.concat([boxes, sure, tf.nn.softmax(5 * means)], -1)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (one, other)]
    union = sum(areas) - width * height
    return width * height / union if union else 0.0


def angle(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two vectors."""
    size = np.sqrt((one**2).sum() * (other**2).sum())
    return float(one @ other / size) if size else 0.0


def drise(outputs: np.ndarray, objects: np.ndarray, parts=("box", "objectness", "class")) -> np.ndarray:
    """The score of the paper, one detection after the other."""
    scores = []
    for answer, wanted in zip(outputs.astype(np.float64), objects.astype(np.float64), strict=True):
        of_objects = []
        for each in wanted.reshape(-1, wanted.shape[-1]):
            if each[4] == 0:
                continue
            likeness = []
            for found in answer:
                factors = {
                    "box": overlap(each[:4], found[:4]),
                    "objectness": found[4],
                    "class": angle(each[5:], found[5:]),
                }
                likeness.append(np.prod([factors[part] for part in parts]))
            of_objects.append(max(likeness))
        scores.append(np.mean(of_objects))
    return np.array(scores)


def some_objects(count: int | None = None, seed: int = 2) -> np.ndarray:
    """Objects that overlap the boxes of `squares`, `(5, 8)` or `(5, count, 8)`."""
    draw = np.random.default_rng(seed)
    corner = draw.random((5, count or 1, 2)) * [7, 3]
    found = np.concatenate(
        [
            corner,
            corner + draw.uniform(2, 5, corner.shape),
            np.ones_like(corner[..., :1]),
            draw.random((*corner.shape[:2], 3)),
        ],
        -1,
    ).astype(np.float32)
    return found if count else found[:, 0]


FOUND = squares(tf.constant(X)).numpy()
BOXES = np.array([0, 5, 2, 3, 1])
