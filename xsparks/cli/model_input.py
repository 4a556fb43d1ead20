"""From a photograph to what the model reads, and to what a person sees beside the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from ..core.errors import ModelError, wording

if TYPE_CHECKING:
    from ..engine import Explainer

# The longer side of the pictures in files and pages: enough for a card on a sharp screen.
SHOWN_LEAST, SHOWN_MOST = 448, 640
# Below this, pixels are shown as they are: smoothing would hide how little the model sees.
_FEW_PIXELS = 128


class InputShape(NamedTuple):
    """One picture as the model reads it."""

    height: int
    width: int
    channels: int
    channels_first: bool


def input_shape(explainer: Explainer, asked: tuple[int, int] | None, where: str = "xsparks explain") -> InputShape:
    """The shape of the model's one input, with the size that was asked for where the model leaves it open.

    Raises
    ------
    ModelError : several inputs, or one that is no picture of one or three channels.
    ValueError : no size known, or another one asked for than the model reads.
    """
    shapes = explainer.access.sample_shapes()
    if shapes is None:
        shapes = _signature_shapes(explainer.model)
    if shapes is None:
        shapes = [(None, None, None)]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ModelError(
            wording(
                where,
                expected="the model must read one picture",
                received="inputs of shape " + ", ".join(str(tuple(shape)) for shape in shapes),
                remedy="Wrap it in a function of one picture and pass module:function, or use xsparks from Python.",
            )
        )
    first = explainer.access.channels_first
    channels, height, width = shapes[0] if first else (shapes[0][2], *shapes[0][:2])
    if channels not in (None, 1, 3):
        raise ModelError(
            wording(
                where,
                expected="the model must read pictures of 1 or 3 channels",
                received=f"{channels} channels",
                remedy="Use xsparks from Python for other pictures.",
            )
        )
    height, width = _size(height, width, asked, where)
    return InputShape(height, width, channels or 3, first)


def _size(height: int | None, width: int | None, asked: tuple[int, int] | None, where: str) -> tuple[int, int]:
    if asked is None:
        if height is None or width is None:
            raise ValueError(
                wording(
                    where,
                    expected="the size of the pictures must be known",
                    received="a model that takes any size",
                    remedy="Pass --size, such as --size 224x224.",
                )
            )
        return height, width
    for name, own, wanted in (("height", height, asked[0]), ("width", width, asked[1])):
        if own is not None and own != wanted:
            raise ValueError(
                wording(
                    f"--size {asked[0]}x{asked[1]}",
                    expected=f"the {name} must be {own}, which the model reads",
                    received=wanted,
                    remedy="Leave --size out.",
                )
            )
    return asked


def _signature_shapes(model: Any) -> list[tuple[int | None, ...]] | None:
    """The shapes of a SavedModel's inputs, where its signature tells them."""
    signature = getattr(model, "signatures", {}).get("serving_default")
    if signature is None:
        return None
    specs = list(signature.structured_input_signature[1].values())
    if any(spec.shape.rank is None for spec in specs):
        return None
    return [tuple(spec.shape[1:]) for spec in specs]


def centre_cut(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part with the aspect of `height` x `width`, from the centre.

    It is what is left when the short side is resized to fit and the long one is cut.

    Example
    -------
    >>> centre_cut(np.arange(12).reshape(2, 6), 100, 100)
    array([[2, 3],
           [8, 9]])
    """
    rows, columns = picture.shape[:2]
    scale = min(rows / height, columns / width)
    kept_rows, kept_columns = max(1, round(scale * height)), max(1, round(scale * width))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return picture[top : top + kept_rows, left : left + kept_columns]


def as_model_reads(picture: np.ndarray, shape: InputShape, squash: bool) -> np.ndarray:
    """The picture `(h, w, 3)` as uint8 of the model's shape, values from 0 to 255."""
    kept = picture if squash else centre_cut(picture, shape.height, shape.width)
    pixels = _resized(kept, shape.height, shape.width)
    if shape.channels == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0) if shape.channels_first else pixels)


def as_people_see(picture: np.ndarray, shape: InputShape, squash: bool) -> np.ndarray:
    """The same part of the picture in its own aspect and fine enough to look at, `(h, w, 3)` uint8."""
    kept = picture if squash else centre_cut(picture, shape.height, shape.width)
    longer = max(kept.shape[:2])
    if longer < _FEW_PIXELS:
        times = -(-SHOWN_LEAST // longer)
        return np.repeat(np.repeat(kept, times, axis=0), times, axis=1)
    scale = min(max(longer, SHOWN_LEAST), SHOWN_MOST) / longer
    return _resized(kept, max(1, round(scale * kept.shape[0])), max(1, round(scale * kept.shape[1])))


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    # Means over the pixels that fall together, so that fine patterns do not turn into coarse ones.
    shrinks = height < picture.shape[0] or width < picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=way)
