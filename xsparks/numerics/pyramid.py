"""Gaussian pyramids of maps, and how far two maps are from each other on their levels. In a graph, differentiable."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.errors import wording

STANDARDISATIONS = ("input", "level", "none")
_BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def pyramid(maps: Any, levels: int = 5) -> list[Any]:
    """What do maps look like at every half of the resolution?

    The first level is the map. Each further one is the one before, blurred by `outer(b, b) / 256` with
    `b = (1, 4, 6, 4, 1)` and read at every second pixel; beyond the border there are zeros. On an even side the first
    pixel read is the second, as TensorFlow pads a stride of 2.

    Parameters
    ----------
    maps : `(n, h, w)`, floating.
    levels : how many, 1 to what leaves a single pixel.

    Returns
    -------
    levels : tensors `(n, ceil(h / 2^i), ceil(w / 2^i))` of the type of `maps`.

    Raises
    ------
    ValueError, TypeError : more levels than halvings, where the shape is known; maps without two axes of places.

    Example
    -------
    >>> [tuple(level.shape) for level in pyramid(tf.zeros((1, 28, 20)), levels=3)]
    [(1, 28, 20), (1, 14, 10), (1, 7, 5)]

    Source
    ------
    P. J. Burt, E. H. Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 31,
    1983, https://doi.org/10.1109/TCOM.1983.1095851
    """
    check_integer("pyramid", "levels", levels, 1, "Use 5.")
    maps = _as_maps(maps, "pyramid")
    sides = [side for side in maps.shape[1:] if side is not None]
    most = int(np.ceil(np.log2(max(sides)))) + 1 if len(sides) == 2 else levels
    if levels > most:
        raise ValueError(
            wording(
                f"pyramid(levels={levels})",
                expected=f"`levels` must be at most {most} for maps of {sides[0]} x {sides[1]} pixels",
                received=levels,
                remedy="Further levels would repeat a single pixel.",
            )
        )
    found = [maps]
    for _ in range(levels - 1):
        found.append(half_of(found[-1]))
    return found


def half_of(maps: Any) -> Any:
    """The next level of a pyramid: maps `(n, h, w)` at half the resolution, rounded up.

    Example
    -------
    >>> half_of(tf.ones((1, 9, 9))).numpy()[0, 2].round(3).tolist()
    [0.688, 1.0, 1.0, 1.0, 0.688]
    """
    maps = _as_maps(maps, "half_of")
    kernel = tf.constant(_BINOMIAL[:, :, None, None], maps.dtype)
    halves = tf.nn.conv2d(tf.expand_dims(maps, -1), kernel, strides=2, padding="SAME")
    return tf.squeeze(halves, -1)


def standardise_cut(maps: Any, epsilon: float = 1e-5) -> Any:
    """What stands out of each map: `max(0, (m - mean(m)) / (std(m) + epsilon))`.

    Parameters
    ----------
    maps : `(n, h, w)`, floating; the mean and the standard deviation are those of each map.
    epsilon : keeps a constant map, which becomes 0, from a division by 0. It counts where the values themselves are not
        large against it, such as gradients for inputs in [0, 255].

    Returns
    -------
    maps : of the same shape and type, at least 0. A constant map has derivatives of 0.

    Example
    -------
    >>> standardise_cut(tf.constant([[[0.0, 0.0], [0.0, 4.0]]])).numpy().round(3).tolist()
    [[[0.0, 0.0], [0.0, 1.732]]]
    """
    maps = _as_maps(maps, "standardise_cut")
    centred = maps - tf.reduce_mean(maps, axis=(1, 2), keepdims=True)
    variance = tf.reduce_mean(centred * centred, axis=(1, 2), keepdims=True)
    varies = variance > 0
    # The root has no slope at 0: the branch that is not taken must not see it either.
    deviation = tf.where(varies, tf.sqrt(tf.where(varies, variance, tf.ones_like(variance))), tf.zeros_like(variance))
    return tf.nn.relu(centred / (deviation + epsilon))


def at_peak_of(maps: Any, others: Any) -> Any:
    """Maps scaled so that the largest value of each is that of another, which is taken as a constant.

    Parameters
    ----------
    maps, others : `(n, h, w)`, at least 0.

    Returns
    -------
    maps : `maps / (max(maps) + 1e-6) * (max(others) + 1e-6)`.

    Example
    -------
    >>> at_peak_of(tf.constant([[[1.0, 2.0]]]), tf.constant([[[8.0, 0.0]]])).numpy().round(3).tolist()
    [[[4.0, 8.0]]]
    """
    peak = tf.stop_gradient(tf.reduce_max(others, axis=(1, 2), keepdims=True))
    return maps / (tf.reduce_max(maps, axis=(1, 2), keepdims=True) + 1e-6) * (peak + 1e-6)


def pyramid_distance(
    saliency: Any,
    human: Any,
    levels: int = 5,
    standardisation: str = "input",
    rescale_peak: bool = True,
    epsilon: float = 1e-5,
) -> Any:
    """How far is what a model looks at from what people look at, from fine to coarse?

    With the pyramid levels `P_i`, the standardised and cut map `z(m)` and its copy `z~(human)` with the peak of
    `z(saliency)`, the mean over the levels and their pixels of `(P_i(z(saliency)) - P_i(z~(human)))^2`.

    Parameters
    ----------
    saliency, human : `(n, h, w)`, of one type.
    levels : how many levels are compared, the map itself included: 5 in the published code, 6 in the one that trained
        the published networks.
    standardisation : `"input"` standardises the maps once and then takes their levels, as the code does; `"level"`
        standardises every level by itself, as the paper writes it; `"none"` takes the maps as they are.
    rescale_peak : whether the human map gets the peak of the model's; by level for `"level"`.
    epsilon : as in `standardise_cut`.

    Returns
    -------
    distances : `(n,)`, of the type of the maps.

    Departs
    -------
    The paper adds up squared norms; here, as in the code, means stand in their place, so that a level counts the same
    whatever its size.

    Example
    -------
    >>> seen = tf.constant(np.eye(16)[None])
    >>> pyramid_distance(seen, 3 * seen).numpy().round(6).tolist(), bool(pyramid_distance(seen, seen[:, ::-1])[0] > 0.1)
    ([0.0], True)

    Source
    ------
    T. Fel, I. Felipe, D. Linsley, T. Serre, "Harmonizing the object recognition strategies of deep neural networks
    with humans", NeurIPS 2022, https://arxiv.org/abs/2211.04533
    """
    check_choice("pyramid_distance", "standardisation", standardisation, STANDARDISATIONS)
    if standardisation == "input":
        saliency, human = standardise_cut(saliency, epsilon), standardise_cut(human, epsilon)
    if rescale_peak and standardisation != "level":
        human = at_peak_of(human, saliency)
    distances = []
    for seen, shown in zip(pyramid(saliency, levels), pyramid(human, levels), strict=True):
        if standardisation == "level":
            seen, shown = standardise_cut(seen, epsilon), standardise_cut(shown, epsilon)
            shown = at_peak_of(shown, seen) if rescale_peak else shown
        distances.append(tf.reduce_mean((seen - shown) ** 2, axis=(1, 2)))
    return tf.add_n(distances) / levels


def _as_maps(maps: Any, where: str) -> Any:
    maps = tf.convert_to_tensor(maps)
    if len(maps.shape) == 3 and maps.dtype.is_floating:
        return maps
    raise TypeError(
        wording(
            where,
            expected="maps must be floating numbers of shape (n, h, w)",
            received=f"{maps.dtype.name} of shape {tuple(maps.shape)}",
            remedy="Leave out the axis of channels, and cast integers.",
        )
    )
