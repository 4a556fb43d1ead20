"""One door for human maps of every kind: masks, boxes, fixations and maps become the targets of harmonized training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from .human_maps import HAS_HEATMAP, HEATMAP, LABEL

KINDS = ("maps", "masks", "boxes", "fixations")
# About one degree of sight for a picture that fills a screen, as a fraction of its width.
_FIXATION_BLUR = 0.03


def heatmaps_of(given: Any, kind: str, size: tuple[int, int], blur: float | None = None) -> np.ndarray:
    """What do masks, boxes, fixations or maps of any size look like as human maps of images of one size?

    Parameters
    ----------
    given : one entry for each image, None where there is nothing. `"maps"`: `(h, w)` or `(h, w, 1)`, not negative, of
        any size and unit. `"masks"`: the same, non-zero on the object. `"boxes"`: `(k, 4)` or `(4,)`, left, top, right
        and bottom in pixels of the image, of which the union counts. `"fixations"`: `(k, 2)`, columns and rows in
        pixels of the image, or `(k, 3)` with a weight, such as a duration.
    kind : `"maps"`, `"masks"`, `"boxes"` or `"fixations"`.
    size : rows and columns of the images.
    blur : standard deviation in pixels of the Gaussian that spreads them; None for 3 % of the width for fixations, and
        no blur for the others.

    Returns
    -------
    heatmaps : `(n, rows, columns)` float32, the largest value of each 1; zeros where there is nothing.

    Raises
    ------
    ValueError : an unknown kind, other shapes, values that are negative or not finite, a point outside of its image.

    Example
    -------
    >>> maps = heatmaps_of([[[1, 0, 3, 2]], None], "boxes", (3, 4))
    >>> maps[0].tolist(), bool(maps[1].any())
    ([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]], False)
    >>> heatmaps_of([[[2.5, 1.5]]], "fixations", (3, 4))[0].argmax().item()
    6
    """
    check_choice("heatmaps_of", "kind", kind, KINDS)
    height, width = (check_integer("heatmaps_of", "size", side, 1, "Use (224, 224).") for side in size)
    if blur is None:
        blur = _FIXATION_BLUR * width if kind == "fixations" else 0.0
    check_number("heatmaps_of", "blur", blur, 0, remedy="Use 0 for none.")
    made = {"maps": _resized, "masks": _of_mask, "boxes": _of_boxes, "fixations": _of_fixations}[kind]
    found = np.zeros((len(given), height, width), np.float32)
    for row, entry in enumerate(given):
        if entry is None:
            continue
        heatmap = made(np.asarray(entry, np.float64), (height, width), row)
        if blur > 0:
            heatmap = cv2.GaussianBlur(heatmap, (0, 0), float(blur), borderType=cv2.BORDER_CONSTANT)
        found[row] = heatmap / (heatmap.max() or 1.0)
    return found


def human_dataset(images: Any, labels: Any, given: Any, kind: str, blur: float | None = None) -> Any:
    """Images, labels and human maps of any kind as a dataset for `Harmonization`.

    Parameters
    ----------
    images : `(n, h, w, c)`.
    labels : `(n, ...)`, what the compiled loss takes.
    given, kind, blur : see `heatmaps_of`; an image whose entry is None, or whose map is 0 everywhere, trains on its
        label alone.

    Returns
    -------
    dataset : a `tf.data.Dataset` of `(image, {"label": ..., "heatmap": ..., "has_heatmap": ...})`, sample by sample:
        shuffle and batch it, and mix it with others by `tf.data.Dataset.sample_from_datasets`.

    Raises
    ------
    ValueError : as `heatmaps_of`; other numbers of images, labels and maps.

    Example
    -------
    >>> images, masks = np.zeros((3, 8, 8, 3), "float32"), np.eye(8)[None].repeat(3, 0)
    >>> image, targets = next(iter(human_dataset(images, [0, 1, 1], masks, "masks").batch(3)))
    >>> image.shape.as_list(), targets["heatmap"].shape.as_list(), targets["has_heatmap"].numpy().tolist()
    ([3, 8, 8, 3], [3, 8, 8], [1.0, 1.0, 1.0])
    """
    counts = {"images": len(images), "labels": len(labels), "human maps": len(given)}
    if len(set(counts.values())) > 1 or np.ndim(images) != 4:
        raise ValueError(
            wording(
                "human_dataset",
                expected="`images` must be (n, h, w, c), with one label and one human map each",
                received=f"images of shape {np.shape(images)}, {counts['labels']} labels, {len(given)} maps",
                remedy="Pass None as the map of an image that has none.",
            )
        )
    heatmaps = heatmaps_of(given, kind, (np.shape(images)[1], np.shape(images)[2]), blur)
    has_heatmap = heatmaps.any(axis=(1, 2)).astype(np.float32)
    targets: Any = {LABEL: np.asarray(labels), HEATMAP: heatmaps, HAS_HEATMAP: has_heatmap}
    return tf.data.Dataset.from_tensor_slices((images, targets))


def _resized(heatmap: np.ndarray, size: tuple[int, int], row: int) -> np.ndarray:
    heatmap = heatmap[..., 0] if heatmap.ndim == 3 and heatmap.shape[-1] == 1 else heatmap
    if heatmap.ndim != 2 or not np.isfinite(heatmap).all() or (heatmap < 0).any():
        received = f"shape {heatmap.shape}" if heatmap.ndim != 2 else "negative values, NaN or infinity"
        raise _refusal("a map or mask must be (h, w), finite and not negative", received, row)
    if heatmap.shape == size:
        return heatmap
    smaller = size[0] < heatmap.shape[0] or size[1] < heatmap.shape[1]
    return cv2.resize(heatmap, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _of_mask(mask: np.ndarray, size: tuple[int, int], row: int) -> np.ndarray:
    return _resized((mask != 0).astype(np.float64), size, row)


def _of_boxes(boxes: np.ndarray, size: tuple[int, int], row: int) -> np.ndarray:
    boxes = _rows(boxes, (4,), "boxes must be (k, 4), left, top, right and bottom", row)
    left, top, right, bottom = boxes.T
    if (right <= left).any() or (bottom <= top).any():
        raise _refusal("boxes must have their right and bottom sides after the left and top ones", "others", row)
    heatmap = np.zeros(size)
    rows, columns = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    for first_column, first_row, last_column, last_row in boxes:
        inside = ((rows > first_row) & (rows < last_row))[:, None] & (columns > first_column) & (columns < last_column)
        heatmap[inside] = 1
    return heatmap


def _of_fixations(points: np.ndarray, size: tuple[int, int], row: int) -> np.ndarray:
    points = _rows(points, (2, 3), "fixations must be (k, 2), columns and rows, or (k, 3) with a weight", row)
    columns, rows = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    outside = (columns < 0) | (columns >= size[1]) | (rows < 0) | (rows >= size[0])
    if outside.any():
        raise _refusal(
            f"fixations must lie in the image of {size[0]} x {size[1]} pixels", f"{points[outside][0].tolist()}", row
        )
    heatmap = np.zeros(size)
    np.add.at(heatmap, (rows, columns), points[:, 2] if points.shape[1] == 3 else 1.0)
    return heatmap


def _rows(given: np.ndarray, widths: Sequence[int], expected: str, row: int) -> np.ndarray:
    given = np.atleast_2d(given)
    if given.ndim != 2 or given.shape[1] not in widths or not np.isfinite(given).all():
        raise _refusal(expected, f"shape {given.shape}" if given.ndim != 2 else f"{given[:1].tolist()}", row)
    return given


def _refusal(expected: str, received: str, row: int) -> ValueError:
    return ValueError(
        wording(
            f"heatmaps_of (image {row})", expected=expected, received=received, remedy="Pass None where there is none."
        )
    )
