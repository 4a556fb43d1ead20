"""Compromises between two aims: which of them nothing beats, and which is the knee."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import wording


def pareto_front(points: Any) -> np.ndarray:
    """Which points does no other beat?

    A point is beaten by one that is at least as high in everything, and higher in something.

    Parameters
    ----------
    points : `(n, d)`, of which higher is better.

    Returns
    -------
    front : `(n,)` bool; equal points are all on it, or none.

    Raises
    ------
    ValueError : another number of axes, no point, NaN.

    Example
    -------
    >>> pareto_front([[0.9, 0.1], [0.8, 0.5], [0.7, 0.4], [0.2, 0.9]]).tolist()
    [True, True, False, True]
    """
    points = _as_points(points, "pareto_front")
    as_high = (points[:, None] >= points).all(axis=-1)
    higher = (points[:, None] > points).any(axis=-1)
    return ~(as_high & higher).any(axis=0)


def knee(points: Any) -> int:
    """Which compromise gives up least of both?

    The point of the Pareto front that lies farthest above the line through its two ends, where each axis runs from 0 to
    1 over the front: the one of the largest sum there. Of equal sums the first.

    Parameters
    ----------
    points : `(n, 2)`, of which higher is better.

    Returns
    -------
    position : in `points`. With two points on the front neither is a knee: the first is returned.

    Raises
    ------
    ValueError : as `pareto_front`.

    Example
    -------
    >>> knee([[0.9, 0.1], [0.8, 0.7], [0.7, 0.4], [0.2, 0.9]])
    1

    Source
    ------
    I. Das, "On characterizing the knee of the Pareto curve based on normal-boundary intersection", Structural
    Optimization 18, 1999, https://doi.org/10.1007/BF01195985
    """
    points = _as_points(points, "knee")
    front = np.flatnonzero(pareto_front(points))
    low, high = points[front].min(axis=0), points[front].max(axis=0)
    scaled = (points[front] - low) / np.where(high > low, high - low, 1)
    return int(front[np.argmax(np.round(scaled.sum(axis=1), 12))])


def _as_points(points: Any, where: str) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim == 2 and points.size and np.isfinite(points).all():
        return points
    raise ValueError(
        wording(
            where,
            expected="`points` must be finite numbers (n, d)",
            received=f"shape {points.shape}" if points.ndim != 2 or not points.size else "NaN or infinity",
            remedy="Leave out what was not measured.",
        )
    )
