"""Activations of crops, streamed: images go by in groups, and only what layers answer is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.digests import digests
from ..core.errors import ModelError, wording
from ..core.inputs import Reader, leaves, map_leaves
from ..core.layout import Layout
from ..core.progress import progress_bar
from ..engine import Plan
from ..engine.rows import as_tensors
from ..engine.schedule import group_size
from ..models.places import place_of
from .crops import CropGrid, crop_grid, crop_plan, place_plan

if TYPE_CHECKING:
    from .craft import CRAFT


class _Gathered(NamedTuple):
    """What layers answer to crops.

    activations : one table `(n, p)` a layer.
    image : `(n,)`, the number of the image of each crop.
    crop : `(n,)`, its number in the grid.
    box : `(n, 4)`, its place in pixels.
    digests : `(k,)`, of all images that went by.
    first : a few of the images, as the engine eats them, and how many were shown.
    shown : how many images were shown.
    """

    activations: list[np.ndarray]
    image: np.ndarray
    crop: np.ndarray
    box: np.ndarray
    digests: np.ndarray
    first: Any
    shown: int

    def crops(self) -> dict[str, np.ndarray]:
        """Where the crops come from, as fields of `LearnedConcepts`."""
        return {"image": self.image, "crop": self.crop, "box": self.box, "digests": self.digests}


def gather(
    craft: CRAFT,
    images: Any,
    asked: Callable[[], Sequence[str]],
    chosen: Callable[[Any, int, int], list[np.ndarray]],
) -> _Gathered:
    """The activations of some crops of some images at these layers.

    Parameters
    ----------
    asked : names the layers, once the model has seen an input.
    chosen : from the inputs of a group, the number of its first image and the crops of an image, to the crops of each
        image that are asked for, as their numbers in the grid. Without a `patch_size` one stands for all places.
    """
    where = type(craft).__name__
    reader = Reader(images, None, craft._sample_rank(images), f"{where}.fit")
    first = craft._checked(reader.peek())
    craft.access.ensure_ready(first)
    layers = tuple(asked())
    layout = craft.access.layout(craft.engine.explained(first).shape[1:])
    grid = None if craft.patch_size is None else crop_grid(layout, craft.patch_size, where)
    shapes = answer_shapes(craft, layers, first)
    count = 1 if grid is None else len(grid.boxes)
    widths = tuple(shape[-1] for shape in shapes)
    plan = place_plan(layers, tuple(shapes)) if grid is None else crop_plan(layers, widths, grid, layout)
    parts: list[_Part] = []
    marks, few, shown = [], None, 0
    total = None if reader.count is None else reader.count * count
    with progress_bar(total, where, craft.progress) as bar:
        while (samples := reader.read(group_size(count, craft.engine.batch_size))) is not None:
            marks.append(digests(leaves(samples.inputs)))
            picked = chosen(samples.inputs, samples.start, count)
            kept = np.flatnonzero([len(crops) for crops in picked])
            if not len(kept):
                continue
            inputs = craft._checked(map_leaves(itemgetter(kept), samples.inputs), samples.start)
            few, shown = (inputs if few is None else few), shown + len(kept)
            numbers = samples.start + kept
            parts.append(_answered(craft, plan, grid, inputs, [picked[row] for row in kept], numbers, bar))
    if not parts:
        nothing = np.zeros(0, int)
        return _Gathered([], nothing, nothing, nothing, np.concatenate(marks), few, shown)
    tables = [np.concatenate(some) for some in zip(*(part.tables for part in parts), strict=True)]
    image, crop, box = (np.concatenate([part[row] for part in parts]) for row in (1, 2, 3))
    return _Gathered(tables, image, crop, box, np.concatenate(marks), few, shown)


def cut_place(craft: CRAFT) -> str:
    """The path of the layer where the model of `craft` is cut.

    Raises
    ------
    ModelError : no Keras model.
    """
    if not craft.access.is_keras:
        raise ModelError(
            wording(
                type(craft).__name__,
                expected="the model must be a Keras model, which can be cut at a layer",
                received=f"a {type(craft.model).__name__}",
                remedy="Pass the Keras model itself.",
            )
        )
    if craft.layer is None:
        return place_of(craft.engine.places, craft.access, None).name
    path, call = craft.access.path_of(craft.layer)
    return path if call == 0 else f"{path}:{call}"


class _Part(NamedTuple):
    tables: list[np.ndarray]
    image: np.ndarray
    crop: np.ndarray
    box: np.ndarray


def _answered(
    craft: CRAFT,
    plan: Plan,
    grid: CropGrid | None,
    inputs: Any,
    picked: list[np.ndarray],
    numbers: np.ndarray,
    bar: Any,
) -> _Part:
    """The tables of some images, and where each row comes from."""
    targets = np.zeros(len(numbers), np.int32)
    if grid is None:
        answered = [np.asarray(table) for table in craft.engine.run(plan, as_tensors(inputs), targets)]
        bar.update(len(numbers))
        boxes = place_boxes(answered[0].shape[1:-1], craft.access.layout(craft.engine.explained(inputs).shape[1:]))
        tables = [table.reshape(-1, table.shape[-1]) for table in answered]
        places = np.tile(np.arange(len(boxes)), len(numbers))
        return _Part(tables, np.repeat(numbers, len(boxes)), places, boxes[places])
    counts = np.array([len(crops) for crops in picked], np.int32)
    crops = np.zeros((len(numbers), plan.most), np.int32)
    for row, some in enumerate(picked):
        crops[row, : len(some)] = some
    answered = craft.engine.run(plan, as_tensors(inputs), targets, {"crops": crops, "count": counts}, bar.update)
    rows = np.arange(plan.most)[None, :] < counts[:, None]
    tables = [np.asarray(table)[rows] for table in answered]
    return _Part(tables, np.repeat(numbers, counts), crops[rows], grid.boxes[crops[rows]])


def place_boxes(places: tuple[int, ...], layout: Layout) -> np.ndarray:
    """The boxes of the places of a layer, as tiles that divide the image evenly, row by row, `(places, 4)`."""
    if len(places) != 2 or not layout.is_image:
        return np.zeros((int(np.prod(places)), 4), int)
    # All of one size, so that they can be stacked; neighbours overlap by a pixel where they must.
    high, wide = (-(-side // cells) for side, cells in zip(layout.spatial, places, strict=True))
    starts = [
        np.rint(np.linspace(0, side - size, cells)).astype(int)
        for side, size, cells in zip(layout.spatial, (high, wide), places, strict=True)
    ]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.concatenate([corners, corners + (high, wide)], axis=1)


def answer_shapes(craft: CRAFT, layers: Sequence[str], inputs: Any) -> list[tuple[int, ...]]:
    """The shapes of what layers answer to one sample.

    Raises
    ------
    ModelError : an answer whose last axis cannot be its channels.
    """
    # A second `fit` and `explain` ask again.
    known: dict[Any, list[tuple[int, ...]]] = craft.__dict__.setdefault("_shapes", {})
    key = (*layers, *craft.engine.explained(inputs).shape[1:])
    if key in known:
        return known[key]
    # One sample, run as it is: a compiled function would be kept for layers that are asked once.
    answered = craft.engine.bind(inputs).tap(list(layers))(tf.constant(craft.engine.explained(inputs)))[0]
    shapes = [tuple(leaf.shape[1:]) for leaf in answered]
    if craft.access.channels_first or not all(shapes):
        raise ModelError(
            wording(
                f"{type(craft).__name__}(layer={layers[0]!r})",
                expected="the layer must answer with (n, h, w, channels), or a vector, its channels last",
                received="channels first" if craft.access.channels_first else f"shapes {shapes}",
                remedy="Choose another layer, or load the model with channels last.",
            )
        )
    known[key] = [tuple(int(size) for size in shape) for shape in shapes]
    return known[key]
