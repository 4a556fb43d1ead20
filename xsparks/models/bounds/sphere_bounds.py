"""How far the answers of a network move at most, in Euclidean length: tight where its layers do not stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from .boxes import ROUNDING, Box
from .linear import Linear
from .network import Network

# Of a sum of products in float32, as a share of the radius.
SLACK = 1e-5


def spheres(network: Network, box: Box, ball: Box | None = None, last: int | None = None) -> dict[int, Box]:
    """For every node, as far as is known, a ball that holds its answers: centre, and the radius at every entry.

    The centre is the answer for the middle of the box, and the radius that of the input times what each step on the way
    stretches at most. An interval adds up what all inputs of an entry could do at once, whatever else they do then;
    a sphere knows that they share one length. So it is tight for 1-Lipschitz networks and says nothing for others.

    Parameters
    ----------
    box : of the input, `(n, *shape)`.
    ball : `{c + s z: |z|_2 <= 1}`, centre `c` and radius `s`, where inputs lie in it, too.
    last : the last node that is needed.

    Source
    ------
    Y. Tsuzuku, I. Sato, M. Sugiyama, "Lipschitz-Margin Training", NeurIPS 2018, https://arxiv.org/abs/1802.04034
    """
    if ball is None:
        centre, radius = box.centre, tf.norm(_flat(box.radius), axis=1)
    else:
        centre, radius = ball.centre, tf.reduce_max(_flat(ball.radius), axis=1)
    found: dict[int, Box] = {}
    centres = {0: centre}
    for number, length in _lengths(network, last).items():
        if number:
            node = network.nodes[number]
            centres[number] = _answer(node.how, [centres[source] for source in node.inputs])
        centre = centres[number]
        wide = tf.reshape(length * radius * (1 + SLACK), (-1, *[1] * (len(centre.shape) - 1)))
        found[number] = Box(centre, wide + ROUNDING * tf.abs(centre))
    return found


def stretch_of(network: Network) -> float:
    """By how much a network with the weights it has stretches at most; infinity where that is not known.

    Example
    -------
    >>> import keras, numpy as np
    >>> from xsparks.models.bounds import read_network
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(2)])
    >>> model.set_weights([3 * np.eye(2), np.zeros(2), np.eye(2), np.zeros(2)])
    >>> round(stretch_of(read_network(model)), 1)
    3.0
    """
    with tf.init_scope():
        return float(_lengths(network).get(network.output, float("inf")))


def _lengths(network: Network, last: int | None = None) -> dict[int, Any]:
    """How far the answers of the nodes where that is known can be apart for inputs one apart."""
    lengths: dict[int, Any] = {0: tf.ones([])}
    for number, node in enumerate(network.nodes[: None if last is None else last + 1]):
        if number == 0 or any(source not in lengths for source in node.inputs):
            continue
        stretch = node.how.stretch([network.nodes[source].shape for source in node.inputs])
        if stretch is not None:
            lengths[number] = stretch * tf.norm(tf.stack([lengths[source] for source in node.inputs]))
    return lengths


def _flat(values: Any) -> Any:
    return tf.reshape(values, (tf.shape(values)[0], -1))


def _answer(rule: Any, centres: Sequence[Any]) -> Any:
    if isinstance(rule, Linear):
        return rule.call(*centres)
    return rule.interval([Box(centre, tf.zeros_like(centre)) for centre in centres]).centre
