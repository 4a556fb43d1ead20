"""Masks on a grid, enlarged only for the batch that uses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..core.layout import Layout


def cells_to_pixels(cells: Any, grid: tuple[int, int], layout: Layout) -> Any:
    """Masks over pixels from masks over cells, every pixel with the value of its cell.

    Parameters
    ----------
    cells : `(b, rows * columns)`, the cells row by row.
    grid : rows and columns.
    layout : of the sample.

    Returns
    -------
    mask : `(b, h, w, 1)`, or `(b, 1, h, w)` for samples with the channel first.
    """
    height, width = layout.spatial
    # The cell under the centre of each pixel, as enlarging by the nearest neighbour has it.
    rows, columns = (
        (2 * np.arange(size) + 1) * number // (2 * size) for size, number in zip((height, width), grid, strict=True)
    )
    # Columns first: the second gather then copies whole rows, which is many times faster than single pixels.
    mask = tf.gather(tf.reshape(cells, (-1, *grid)), columns, axis=2)
    mask = tf.gather(mask, rows, axis=1)
    return tf.expand_dims(mask, layout.channel_axis)
