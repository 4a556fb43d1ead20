"""How alike are the cells of a grid? The parts of the covariance of a map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, eq=False)
class GridKernels:
    """Covariances `(d, d)` of the cells of a grid, row by row.

    Lengths are in cells of a 7 x 7 grid over the same picture, whatever the grid, so that they keep their size in the
    picture.

    Parameters
    ----------
    squared_distance : `(d, d)`, of the centres of two cells.
    profile : `(d,)`, the squared distance from the centre of the picture in half sides of the outer cells' square, less
        its mean.
    """

    squared_distance: np.ndarray
    profile: np.ndarray

    @property
    def alone(self) -> np.ndarray:
        """Each cell by itself: the identity."""
        return np.eye(len(self.profile))

    def near(self, width: float) -> np.ndarray:
        """Neighbours are alike: `exp(-t^2 / width)` at the distance `t`."""
        return np.exp(-self.squared_distance / width)

    def trend(self, weight: float, centre: bool) -> np.ndarray:
        """The map rises or falls towards the centre, or else anywhere, slowly: `2 weight exp(-t^2 / 18)`."""
        return weight * np.outer(self.profile, self.profile) if centre else 2 * weight * self.near(18.0)


@lru_cache(maxsize=16)
def grid_kernels(rows: int, columns: int) -> GridKernels:
    """The covariances of a grid of `rows x columns` cells.

    Example
    -------
    >>> float(grid_kernels(7, 7).squared_distance[0, 1]), float(grid_kernels(14, 14).squared_distance[0, 2])
    (1.0, 1.0)
    """
    # 0 to 6 for 7 cells.
    places = [7 * (np.arange(cells) + 0.5) / cells - 0.5 for cells in (rows, columns)]
    points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2)
    squared_distance = np.sum((points[:, None] - points[None]) ** 2, axis=-1)
    from_centre = np.sum(((points - 3) / 3) ** 2, axis=-1)
    return GridKernels(squared_distance, from_centre - from_centre.mean())
