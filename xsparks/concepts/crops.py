"""Crops of images, cut and enlarged within the step that shows them to the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Items, Plan, queries, reducers

# Of the side of a patch, from one to the next, as published: neighbours share a fifth.
_STRIDE = 0.8


@dataclass(frozen=True)
class CropGrid:
    """Where are the patches of an image?

    All of one size, row by row, evenly spread from edge to edge; neighbours overlap by a fifth or a little more.

    Parameters
    ----------
    size : height and width of the image.
    patch : the side of a patch, in pixels.

    Example
    -------
    >>> CropGrid((224, 224), 64).boxes[[0, -1]].tolist(), len(CropGrid((224, 224), 64).boxes)
    ([[0, 0, 64, 64], [160, 160, 224, 224]], 16)
    """

    size: tuple[int, int]
    patch: int

    @property
    def boxes(self) -> np.ndarray:
        """Top, left, bottom and right of each patch, `(count, 4)`."""
        tops, lefts = (_starts(side, self.patch) for side in self.size)
        corners = np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)
        return np.concatenate([corners, corners + self.patch], axis=1)


def _starts(side: int, patch: int) -> np.ndarray:
    # As many as a stride of 4/5 of a patch gives, then moved apart until the last one ends at the edge.
    count = 1 + (side - patch) // max(1, int(_STRIDE * patch))
    return np.rint(np.linspace(0, side - patch, count)).astype(int) if count > 1 else np.array([(side - patch) // 2])


def crop_grid(layout: Layout, patch: int, where: str) -> CropGrid:
    """The patches of images of this layout.

    Raises
    ------
    ValueError : no images, or images smaller than a patch.
    """
    if not layout.is_image:
        raise ValueError(
            wording(
                f"{where}(patch_size={patch})",
                expected="crops are cut from images (h, w, c)",
                received=f"samples of shape {layout.shape}",
                remedy="Pass patch_size=None, which takes every place of the layer's answer instead.",
            )
        )
    height, width = layout.spatial
    if patch > min(height, width):
        raise ValueError(
            wording(
                f"{where}(patch_size={patch})",
                expected="a patch must fit into the images",
                received=f"images of {height} x {width} pixels",
                remedy=f"Use {max(1, min(height, width) // 3)}, or None for every place of the layer's answer.",
            )
        )
    return CropGrid((height, width), patch)


def cut(images: Any, grid: CropGrid, number: Any, layout: Layout) -> Any:
    """Crop `number (b,)` of each image `(b, ...)`, enlarged to the size of the image."""
    images = tf.transpose(images, (0, 2, 3, 1)) if layout.channels_first else images
    corner = tf.gather(tf.constant(grid.boxes[:, :2], tf.int32), number)
    steps = tf.range(grid.patch)[None, :]
    rows = tf.gather(images, corner[:, :1] + steps, axis=1, batch_dims=1)
    patches = tf.gather(rows, corner[:, 1:] + steps, axis=2, batch_dims=1)
    patches = tf.ensure_shape(patches, (None, grid.patch, grid.patch, images.shape[-1]))
    # Bilinear, so that no value leaves the range of the image; of pixels, faster than `enlarge`, whose products pay for
    # maps of many channels.
    enlarged = tf.cast(tf.image.resize(patches, grid.size, "bilinear"), patches.dtype)
    return tf.transpose(enlarged, (0, 3, 1, 2)) if layout.channels_first else enlarged


# The same plan for the same crops, so that a second `fit` finds it compiled.
@lru_cache(maxsize=16)
def crop_plan(layers: tuple[str, ...], widths: tuple[int, ...], grid: CropGrid, layout: Layout) -> Plan:
    """The mean activations of crops at some layers: a list of tables `(m, count, p)`, one a layer.

    The side information is `{"crops": (m, count), "count": (m,)}` int32: crops of each image, of which as many are
    shown.

    Parameters
    ----------
    widths : channels of each layer.
    grid : the crops of an image.
    """
    most = len(grid.boxes)

    def query(*asked: Any) -> Any:
        answered = queries.activations(list(layers))(*asked)
        return [tf.reduce_mean(leaf, axis=list(range(1, len(leaf.shape) - 1))) for leaf in answered]

    def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
        return cut(inputs, grid, tf.gather(side["crops"], index, batch_dims=1), layout), ()

    def start(inputs: Any, side: Any) -> Any:
        return [reducers.table(most, width)(inputs, side) for width in widths]

    def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
        return [items.put(table, rows) for table, rows in zip(state, values, strict=True)]

    return Plan(
        count=lambda inputs, side: side["count"],
        most=most,
        query=query,
        draw=draw,
        start=start,
        fold=fold,
        finish=reducers.as_is,
    )


@lru_cache(maxsize=16)
def place_plan(layers: tuple[str, ...], shapes: tuple[tuple[int, ...], ...]) -> Plan:
    """The activations of whole inputs at some layers, whose answers have these shapes: a list of `(m, *shape)`."""

    def start(inputs: Any, side: Any) -> Any:
        return [reducers.table(*shape)(inputs, side) for shape in shapes]

    return Plan(
        count=1,
        query=queries.activations(list(layers)),
        draw=lambda inputs, side, index: (inputs, ()),
        start=start,
        fold=lambda state, items, extra, values: [
            items.add(table, rows) for table, rows in zip(state, values, strict=True)
        ],
        finish=reducers.as_is,
    )
