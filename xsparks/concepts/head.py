"""What comes after the layer, as a function of the coefficients of concepts: `u -> h(u V)`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..core.randomness import generator
from ..models.access import ModelAccess
from .dictionary import Dictionary

# Slopes that differ by less than this share of the largest are equal: half precision has three digits.
_EQUAL_SLOPES = 1e-3
# Scores that differ by less than this share of the largest are equal, up to the rounding of float32.
_EQUAL_SCORES = 1e-5
# Names the draws of this file among all that use the same seed.
_DRAW = 383


class ConceptHead:
    """What would the model answer, if the layer said this much of each concept?

    `h(u V)` for the second half `h` of a model and a dictionary `V`. A callable that any attribution method explains;
    concepts are then what it ranks.

    Parameters
    ----------
    access : the model.
    layer : where it is cut.
    dictionary : of that layer.

    Returns
    -------
    outputs : called with coefficients `(n, h, w, r)`, or with a pair `(strengths (n, r), coefficients)`, where strength
        `i` multiplies concept `i` at all places, so that 1 leaves it and 0 removes it.

    Raises
    ------
    ModelError : the layer is no cut of the model.

    Example
    -------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="cut"),
    ...                           keras.layers.Dense(1, kernel_initializer="ones")])
    >>> words = Dictionary(atoms=np.array([[1.0, 0.0], [1.0, 1.0]], "float32"))
    >>> ConceptHead(ModelAccess(model), "cut", words)(tf.constant([[2.0, 3.0]])).numpy().tolist()
    [[8.0]]
    """

    # The engine need not try whether it takes tensors.
    settled = True

    def __init__(self, access: ModelAccess, layer: str, dictionary: Dictionary):
        self._after = access.split(layer)[1]
        self._dictionary = dictionary

    def __call__(self, inputs: Any) -> Any:
        if not isinstance(inputs, tuple):
            return self._after(self._dictionary.decode(inputs))
        strengths, coefficients = inputs
        return self._after(self._dictionary.decode(coefficients * spread(strengths, coefficients)))


def spread(strengths: Any, coefficients: Any) -> Any:
    """Strengths `(b, r)` as they multiply coefficients `(b, ..., r)`."""
    places = [1] * (len(coefficients.shape) - 2)
    return tf.reshape(strengths, (-1, *places, strengths.shape[-1]))


def is_affine(engine: Any, layer: str, inputs: Any, targets: Any) -> bool:
    """Whether the score is an affine function of the layer's answer, told from its slopes far apart.

    Parameters
    ----------
    engine : of the model.
    inputs : a few samples `(m, ...)`.
    targets : of each.

    Raises
    ------
    ModelError : the layer is no cut of the model, or the score does not depend on it.
    """

    def slopes(inputs: Any, targets: Any) -> Any:
        activations = engine.bind(inputs).tap(layer)(engine.explained(inputs))[0]
        after = engine.access.split(layer)[1]
        every_other = tf.cast(tf.range(activations.shape[-1]) % 2, activations.dtype)
        # Nothing, the answers themselves, twice as much, and only half of the channels.
        points = tf.concat([0 * activations, activations, 2 * activations, activations * every_other], axis=0)
        with tf.GradientTape() as tape:
            tape.watch(points)
            scores = engine.operator(after, points, tf.concat([targets] * 4, axis=0))
        found: Any = tape.gradient(scores, points)
        if found is None:
            raise ModelError(
                wording(
                    f"{engine.access.where}(layer={layer!r})",
                    expected="the score must depend on the layer",
                    received="no gradient",
                    remedy="Choose a layer on the way to the explained output.",
                )
            )
        # As many groups of slopes as points, sample by sample.
        return tf.reshape(tf.cast(found, tf.float32), (4, -1))

    found = np.asarray(engine.in_graph(slopes, inputs, targets))
    return bool(np.ptp(found, axis=0).max() <= _EQUAL_SLOPES * np.abs(found).max())


def reads_means(engine: Any, layer: str, activations: Any, targets: Any) -> bool:
    """Whether the score depends on the layer's answer by its mean over places alone, told from a few answers.

    One place that holds the mean then stands for all: what comes after it is the same, and so are all indices.

    Parameters
    ----------
    engine : of the model.
    activations : a few answers of the layer, `(m, ..., p)`.
    targets : of each.
    """
    places = tuple(int(size) for size in activations.shape[1:-1])
    if np.prod(places) == 1:
        return False
    # As they are, and stronger at some places than at others.
    uneven = tf.constant(generator(0, _DRAW).random((*places, 1)), tf.float32)

    def scores(activations: Any, targets: Any) -> Any:
        after = engine.access.split(layer)[1]
        points = tf.concat([activations, activations * uneven], axis=0)
        means = tf.reduce_mean(points, axis=list(range(1, 1 + len(places))), keepdims=True)
        twice = tf.concat([targets] * 2, axis=0)
        return tf.stack([engine.operator(after, each, twice) for each in (points, means)])

    try:
        whole, mean = np.asarray(engine.in_graph(scores, activations, targets))
    except (ValueError, TypeError, tf.errors.OpError):
        # Layers that take nothing but the whole grid.
        return False
    return bool(np.abs(whole - mean).max() <= _EQUAL_SCORES * np.abs(whole).max())
