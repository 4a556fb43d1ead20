"""Distances of a saliency map and a human map that do not depend on their scale. In a graph, differentiable."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ..core.checks import check_number
from ..core.errors import wording
from .pyramid import half_of, standardise_cut


def cosine_distance(saliency: Any, human: Any) -> Any:
    """Do two maps stand out in the same places, in the same proportions?

    One less the cosine of the standardised and cut maps: 0 for maps of one shape, 1 for maps that share no place.

    Parameters
    ----------
    saliency, human : `(n, h, w)`, of one type.

    Returns
    -------
    distances : `(n,)` in [0, 1]; 1, with derivatives of 0, where a map is constant.

    Example
    -------
    >>> left, right = tf.constant([[[1.0, 0.0]]]), tf.constant([[[0.0, 1.0]]])
    >>> [cosine_distance(left, other).numpy().round(3).item() for other in (5 * left, right)]
    [0.0, 1.0]
    """
    saliency, human = standardise_cut(saliency), standardise_cut(human)
    return 1 - _cosine(_rows(saliency), _rows(human))


def soft_ranks(values: Any, temperature: float = 0.1) -> Any:
    """Which place has each value, as a number with a slope?

    `r_i = 1/2 + sum_j sigmoid((v_i - v_j) / temperature)`: the places of `ranks`, equal values sharing theirs, as the
    temperature goes to 0.

    Parameters
    ----------
    values : `(..., d)`, floating.
    temperature : above 0, in the units of the values.

    Returns
    -------
    ranks : the shape and type of `values`.

    Cost
    ----
    Memory for `d x d` numbers a row.

    Example
    -------
    >>> soft_ranks(tf.constant([10.0, 30.0, 20.0, 20.0])).numpy().tolist()
    [1.0, 4.0, 2.5, 2.5]
    """
    values = tf.convert_to_tensor(values)
    temperature = check_number("soft_ranks", "temperature", temperature, 0, remedy="Use 0.1.")
    if temperature == 0:
        raise ValueError(
            wording(
                "soft_ranks(temperature=0)",
                expected="`temperature` must be above 0",
                received=0,
                remedy="Use 0.1, or `ranks` for exact ranks, which have no slope.",
            )
        )
    apart = (values[..., :, None] - values[..., None, :]) / temperature
    return tf.reduce_sum(tf.sigmoid(apart), axis=-1) + 0.5


def soft_rank_distance(saliency: Any, human: Any, temperature: float = 0.1, side: int = 16) -> Any:
    """Do two maps put places in the same order?

    One less the correlation of their soft ranks, halved: 0 for the same order, 1 for the reverse. It trains what
    Spearman's correlation, the published measure of human alignment, measures. Pairs of places are compared, so the
    maps are halved by the Gaussian pyramid until no side exceeds `side`, then brought to mean 0 and standard deviation
    1.

    Parameters
    ----------
    saliency, human : `(n, h, w)`, of one type and of a known size.
    temperature : of `soft_ranks`, in standard deviations.
    side : the most rows and columns that are compared.

    Returns
    -------
    distances : `(n,)` in [0, 1]; 1/2, with derivatives of 0, where a map is constant.

    Example
    -------
    >>> rising = tf.reshape(tf.range(9.0), (1, 3, 3))
    >>> [soft_rank_distance(rising, other).numpy().round(3).item() for other in (rising**2, -rising)]
    [0.002, 1.0]
    """
    ranked = [soft_ranks(_standard_rows(at_most(maps, side)), temperature) for maps in (saliency, human)]
    saliency, human = (each - tf.reduce_mean(each, axis=-1, keepdims=True) for each in ranked)
    return (1 - _cosine(saliency, human)) / 2


def at_most(maps: Any, side: int) -> Any:
    """Maps `(n, h, w)` of a known size, halved by the Gaussian pyramid until no side exceeds `side`.

    Example
    -------
    >>> at_most(tf.zeros((2, 224, 100)), 32).shape.as_list()
    [2, 28, 13]
    """
    maps = tf.convert_to_tensor(maps)
    while max(maps.shape[1:]) > side:
        maps = half_of(maps)
    return maps


def _standard_rows(maps: Any) -> Any:
    rows = _rows(maps)
    rows = rows - tf.reduce_mean(rows, axis=-1, keepdims=True)
    squares = tf.reduce_mean(rows * rows, axis=-1, keepdims=True)
    return rows * tf.math.rsqrt(tf.where(squares > 0, squares, tf.ones_like(squares)))


def _rows(maps: Any) -> Any:
    return tf.reshape(maps, (tf.shape(maps)[0], maps.shape[1] * maps.shape[2]))


def _cosine(a: Any, b: Any) -> Any:
    return tf.reduce_sum(_unit(a) * _unit(b), axis=-1)


def _unit(rows: Any) -> Any:
    squares = tf.reduce_sum(rows * rows, axis=-1, keepdims=True)
    return rows * tf.math.rsqrt(tf.where(squares > 0, squares, tf.ones_like(squares)))
