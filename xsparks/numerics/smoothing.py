"""Smoothed importance maps: what a grid of neighbouring cells tells about each of them, at no forward pass.

Each function turns statistics of the cells into a `SmoothedMap`; constants were chosen once on photographs (see
Source of `smooth_rows`) and are not fitted to a map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from .grid_kernels import GridKernels, grid_kernels
from .latent_map import SmoothedMap, latent_map
from .sobol_estimators import output_differences

# The power of `mean_power` that ranks cells best before smoothing.
RANKING_POWER = 1.5

# Degrees of freedom of a statistic for each row: 1 for squared Gaussian differences, less for their heavier tails; of
# all outputs together; and of gradients for each mask.
FREEDOM_OF_ROW, FREEDOM_OF_OUTPUTS, FREEDOM_OF_GRADIENT = 0.7, 2.0, 0.3
# A guide of gradients has an error that more masks do not remove.
MOST_FREEDOM_OF_GUIDE = 20.0
# How much of the log of a guide the prior mean takes over.
_SLOPE = 0.8


def smooth_rows(
    statistic: Any, grid: tuple[int, int], rows: Any, centre: bool = True, return_variance: bool = False
) -> Any:
    """Which map is the most plausible, given how the score changed with each cell?

    The recipe BB1 of the measurements: `nu = 0.7 N` degrees of freedom a cell and the kernel
    `K = 0.3 exp(-t^2 / 2) + 0.1 I + 0.5 q q^T`, `t` the distance of two cells and `q` the squared distance from the
    centre of the picture, less its mean: objects of photographs stand near the centre or all around it.

    Parameters
    ----------
    statistic : `(..., d)`, `mean_power(output_differences(base, shifted), RANKING_POWER)`, over the relative step where
        steps differ; cells row by row.
    grid : rows and columns of cells.
    rows : `N`, rows of the design behind each cell: a number, or what broadcasts to `(..., d)`; 0 for a cell that was
        never evaluated, which is interpolated.
    centre : whether the map may rise or fall towards the centre; False for pictures without one, where a broad
        trend takes its place, twice its weight times `exp(-t^2 / 18)`.
    return_variance : whether to return a `SmoothedMap`, the map with the variance of its logarithm.

    Returns
    -------
    maps : `(..., d)`, in the units of the statistic.

    Raises
    ------
    ValueError : a grid of another number of cells.

    Cost
    ----
    See `latent_map`. No forward.

    Example
    -------
    >>> noisy = np.ones((1, 49)) + 4 * np.eye(49)[24]
    >>> smooth_rows(noisy, (7, 7), rows=8).numpy()[0, [0, 17, 24]].round(2).tolist()
    [0.98, 1.23, 2.36]

    Source
    ------
    Measured for xsparks, on 13 photographs with MobileNetV2 and 2 with ResNet-50: smoothed half-shift rows reach the
    agreement of the published 1600 forwards with a converged map at about 300, and the smoothing alone is worth .06
    to .16 of rank correlation at 400. On a map that is not smooth it loses .02 to .03.
    """
    kernels = _kernels(grid, statistic)
    kernel = 0.3 * kernels.near(2.0) + 0.1 * kernels.alone + kernels.trend(0.5, centre)
    return _answer(latent_map(statistic, FREEDOM_OF_ROW * _number(rows), kernel), return_variance)


def smooth_rows_by_outputs(
    statistic: Any,
    of_outputs: Any,
    grid: tuple[int, int],
    rows: Any,
    centre: bool = True,
    return_variance: bool = False,
) -> Any:
    """The same, guided by how all outputs changed at the same rows (recipe BB2).

    The smoothed map of all outputs is a prior mean, which counts less as rows grow; by itself it is not the map of a
    class. Worth most with few rows (4 or 8 on a grid of 7 x 7).

    Parameters
    ----------
    statistic, grid, rows, centre, return_variance : as in `smooth_rows`.
    of_outputs : `(..., d)`, as `output_statistic` gives it.

    Returns
    -------
    maps : `(..., d)`, in the units of the statistic.
    """
    kernels = _kernels(grid, statistic, of_outputs)
    broad = 0.5 * kernels.near(3.92) + kernels.trend(1.0, centre) + 0.5 * kernels.near(18.0)
    guide = _log_shape(latent_map(of_outputs, FREEDOM_OF_OUTPUTS * _number(rows), broad))
    kernel = 0.3 * kernels.near(2.0) + 0.1 * kernels.alone + kernels.trend(0.1, centre)
    return _answer(_guided(statistic, guide, kernel, 0.3, rows), return_variance)


def smooth_gradients(
    statistic: Any, grid: tuple[int, int], masks: Any, centre: bool = True, return_variance: bool = False
) -> Any:
    """Which map is the most plausible, given the gradients by the cells of some masks (recipe WB1)?

    The best for a budget of at most some 100 forwards. From 400 on finite changes are better, because local derivatives
    are not finite differences.

    Parameters
    ----------
    statistic : `(..., d)`, as `gradient_statistic` gives it.
    grid, centre, return_variance : as in `smooth_rows`.
    masks : `n`, the masks behind it: a number, or what broadcasts to `(..., d)`.

    Returns
    -------
    maps : `(..., d)`, in squared units of the gradient.
    """
    return _answer(_of_gradients(statistic, grid, FREEDOM_OF_GRADIENT * _number(masks), centre), return_variance)


def gradient_guide(statistic: Any, grid: tuple[int, int], masks: Any, centre: bool = True) -> Any:
    """The log of the smoothed map of gradients, less its mean: what `smooth_rows_by_gradients` takes, `(..., d)`.

    More than 67 masks are believed no more than 67: how far derivatives are from finite changes does not average out.
    """
    freedom = tf.minimum(FREEDOM_OF_GRADIENT * _number(masks), MOST_FREEDOM_OF_GUIDE)
    return _log_shape(_of_gradients(statistic, grid, freedom, centre))


def smooth_rows_by_gradients(
    statistic: Any,
    guide: Any,
    grid: tuple[int, int],
    rows: Any,
    centre: bool = True,
    return_variance: bool = False,
) -> Any:
    """The map of rows, guided by gradients that took about as much of the budget (recipe WB2).

    The best between some 100 and 300 forwards.

    Parameters
    ----------
    statistic, grid, rows, centre, return_variance : as in `smooth_rows`.
    guide : `(..., d)`, as `gradient_guide` gives it.

    Returns
    -------
    maps : `(..., d)`, in the units of the statistic.
    """
    kernels = _kernels(grid, statistic, guide)
    kernel = 0.2 * kernels.near(2.0) + 0.1 * kernels.alone + kernels.trend(0.1, centre)
    return _answer(_guided(statistic, guide, kernel, 0.2, rows), return_variance)


def output_statistic(base: Any, shifted: Any) -> Any:
    """How much do all outputs change with a cell? The mean over rows and outputs of the squared difference.

    Parameters
    ----------
    base : `(..., N, k)`, all `k` outputs at the base rows.
    shifted : `(..., N, d, k)`, at the rows with one column changed.

    Returns
    -------
    statistic : `(..., d)`, squared units of the outputs.

    Example
    -------
    >>> output_statistic([[1.0, 0.0]], [[[0.0, 0.0], [1.0, 2.0]]]).numpy().tolist()
    [0.5, 2.0]
    """
    base, shifted = tf.convert_to_tensor(base), tf.convert_to_tensor(shifted)
    # Outputs before rows, because each may be constant by itself.
    order = len(base.shape) - 2
    rows = tf.transpose(base, [*range(order), order + 1, order])
    changed = tf.transpose(shifted, [*range(order), order + 2, order, order + 1])
    return tf.reduce_mean(output_differences(rows, changed) ** 2, axis=(-3, -2))


def gradient_statistic(gradients: Any, points: Any) -> Any:
    """How strong is the gradient by a cell? `(sum_k w_k |g_k|^(1/2) / sum_k w_k)^4`, `w_k = (1 - M_k)^(1/2)`.

    Derivatives of a network are heavy-tailed, so that their mean square is noise from rare jumps; the half power damps
    them. Derivatives at dark cells rank cells better than those at bright ones, hence the weights.

    Parameters
    ----------
    gradients : `(..., n, d)`, derivatives of the score by the cells of each mask.
    points : `(n, d)` in [0, 1], the masks.

    Returns
    -------
    statistic : `(..., d)`, squared units of the gradient; 0 for a cell that was nowhere below 1.

    Example
    -------
    >>> gradient_statistic([[1.0], [4.0]], [[0.5], [0.5]]).numpy().tolist()
    [5.0625]
    """
    size = tf.abs(tf.convert_to_tensor(gradients))
    weights = tf.sqrt(1 - tf.cast(tf.convert_to_tensor(points), size.dtype))
    total = tf.reduce_sum(weights * tf.sqrt(size), axis=-2)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=-2)) ** 4


def _of_gradients(statistic: Any, grid: tuple[int, int], freedom: Any, centre: bool) -> SmoothedMap:
    kernels = _kernels(grid, statistic)
    kernel = 0.3 * kernels.near(2.0) + 0.1 * kernels.alone + kernels.trend(0.5, centre)
    return latent_map(statistic, freedom, kernel)


def _guided(statistic: Any, guide: Any, kernel: np.ndarray, weight: float, rows: Any) -> SmoothedMap:
    guide = tf.cast(tf.convert_to_tensor(guide), tf.float64)
    kernel = kernel + weight * guide[..., :, None] * guide[..., None, :]
    return latent_map(statistic, FREEDOM_OF_ROW * _number(rows), kernel, _SLOPE * guide)


def _answer(smoothed: SmoothedMap, return_variance: bool) -> Any:
    return smoothed if return_variance else smoothed.maps


def _log_shape(smoothed: SmoothedMap) -> Any:
    """The log map less its mean, `(..., d)`; flat for a map of zeros."""
    logs = tf.math.log(tf.where(smoothed.maps == 0, tf.ones_like(smoothed.maps), smoothed.maps))
    return logs - tf.reduce_mean(logs, axis=-1, keepdims=True)


def _kernels(grid: tuple[int, int], *statistics: Any) -> GridKernels:
    rows, columns = grid
    for statistic in statistics:
        if statistic.shape[-1] != rows * columns:
            raise ValueError(
                wording(
                    f"smoothing(grid={tuple(grid)})",
                    expected=f"a statistic must have one value for each of the {rows * columns} cells",
                    received=f"{statistic.shape[-1]} values",
                    remedy="Pass rows and columns of the grid that the design was made for.",
                )
            )
    return grid_kernels(rows, columns)


def _number(value: Any) -> Any:
    return tf.cast(tf.convert_to_tensor(value), tf.float64)
