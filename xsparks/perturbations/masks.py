"""Masks on a grid, enlarged only for the batch that uses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from ..core.layout import Layout


def grid_of(grid_size: Any, layout: Layout, where: str) -> tuple[int, ...]:
    """Cells along each axis of the places of a sample.

    Parameters
    ----------
    grid_size : cells along each side of an image and windows of time of a series, whose features stay apart, as those
        of a table do; or one number for each axis of the places.

    Raises
    ------
    ValueError : a grid finer than the sample, or of another rank.

    Example
    -------
    >>> grid_of(7, Layout((224, 224, 3)), "RISE"), grid_of(7, Layout((50, 4)), "RISE"), grid_of(7, Layout((9,)), "RISE")
    ((7, 7), (7, 4), (9,))
    """
    places = layout.spatial
    if isinstance(grid_size, int):
        grid = {"image": (grid_size, grid_size), "series": (min(grid_size, places[0]), *places[1:])}.get(
            layout.kind, places
        )
    else:
        grid = tuple(grid_size)
    if len(grid) != len(places) or any(cells > size for cells, size in zip(grid, places, strict=True)):
        raise ValueError(
            wording(
                f"{where}(grid_size={grid_size})",
                expected=f"the grid must have as many axes as the sample has places {places}, and not be finer",
                received=f"{grid}",
                remedy="Use a smaller grid_size.",
            )
        )
    return grid


def cells_to_pixels(cells: Any, grid: tuple[int, ...], layout: Layout) -> Any:
    """Masks over places from masks over cells, every place with the value of its cell.

    Parameters
    ----------
    cells : `(b, rows * columns)`, the cells row by row.
    grid : cells along each axis of the places.
    layout : of the sample.

    Returns
    -------
    mask : `(b, h, w, 1)`, `(b, 1, h, w)` for samples with the channel first, `(b, t, f)` for series, `(b, f)` for
        tables.
    """
    mask = tf.reshape(cells, (-1, *grid))
    # Columns first: the second gather then copies whole rows, which is many times faster than single pixels.
    for axis in reversed(range(len(grid))):
        if grid[axis] != layout.spatial[axis]:
            mask = tf.gather(mask, cell_of_place(layout.spatial[axis], grid[axis]), axis=axis + 1)
    return layout.spread(mask)


def cells_to_maps(values: Any, grid: tuple[int, ...], layout: Layout) -> Any:
    """Values of cells as maps: on their grid for images, spread over the places of series and tables.

    Parameters
    ----------
    values : `(m, d)`, or `(m, d, k)` for `k` values a cell.
    grid : cells along each axis of the places.

    Returns
    -------
    maps : `(m, rows, columns, 1 or k)` for images; `(m, t, f)` and `(m, f)`, with `k` as a last axis, otherwise.
    """
    maps = tf.reshape(values, (-1, *grid, *values.shape[2:]))
    if layout.is_image:
        return tf.expand_dims(maps, -1) if len(values.shape) == 2 else maps
    for axis, (size, cells) in enumerate(zip(layout.spatial, grid, strict=True), start=1):
        if cells != size:
            maps = tf.gather(maps, cell_of_place(size, cells), axis=axis)
    return maps


def cell_of_place(size: int, cells: int) -> np.ndarray:
    """The cell under the centre of each of `size` places, as enlarging by the nearest neighbour has it, `(size,)`."""
    return (2 * np.arange(size) + 1) * cells // (2 * size)


def sums_of_cells(maps: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """What the places of each cell add up to, by the cells of `cells_to_pixels`, whose sizes may differ by one.

    Parameters
    ----------
    maps : `(m, h, w)`, `(m, t, f)` or `(m, f)`.
    grid : cells along each axis of the places.

    Returns
    -------
    sums : `(m, rows * columns)` float64, the cells row by row.

    Example
    -------
    >>> sums_of_cells(np.arange(6.0).reshape(1, 2, 3), (1, 2)).tolist()
    [[3.0, 12.0]]
    """
    sums = np.asarray(maps, dtype=np.float64)
    for axis, cells in enumerate(grid, start=1):
        first = np.searchsorted(cell_of_place(sums.shape[axis], cells), np.arange(cells))
        sums = np.add.reduceat(sums, first, axis=axis)
    return sums.reshape(len(sums), -1)
