"""Pictures of any kind, as colours that a screen can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import check_choice
from ..core.errors import wording

# The three conventions of keras.applications.imagenet_utils.preprocess_input, https://keras.io/api/applications/
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], np.float32)
_CAFFE_LEAST_SPAN = 64
_TOLERANCE = 0.005
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Displayed(NamedTuple):
    """Pictures ready to be shown, and what was done to them."""

    pixels: list[np.ndarray]
    note: str


def displayable(
    images: Any,
    *,
    data_format: str | None = None,
    value_range: tuple[float, float] | None = None,
    where: str = "displayable",
) -> Displayed:
    """What do these arrays look like as pictures?

    Takes what models take: 8-bit integers, floats in 0..1 or 0..255, and preprocessed floats. The three conventions of
    `keras.applications` (-1..1, standardised by ImageNet's mean and deviation, blue-green-red less ImageNet's mean) are
    recognised by their bounds and undone; other floats go from the lowest value (black) to the highest (white). One
    rule is chosen for all pictures together, so that their brightness stays comparable, and `note` says it.

    Parameters
    ----------
    images : array `(n, h, w)`, `(n, h, w, 1)`, `(n, h, w, 3)` or `(n, 3, h, w)`, a list of n pictures of any sizes, or
        one picture
    data_format : "channels_last", "channels_first" or None; None takes the last axis for the channels when it has 1 or
        3 entries
    value_range : (low, high) or None; the values shown as black and as white, instead of the rules above
    where : str; the call that errors name

    Returns
    -------
    Displayed
        `.pixels`, a list of n arrays `(h, w, 3)` float32 in 0..1, and `.note`, a sentence, empty when the values were
        shown as they are

    Raises
    ------
    ValueError
        no picture, NaN or infinity, a rank or a number of channels that is no picture, `value_range` not increasing
    TypeError
        values that are no numbers

    Example
    -------
    >>> import numpy as np
    >>> shown = displayable(np.full((1, 4, 6), 255, np.uint8))
    >>> shown.pixels[0].shape, float(shown.pixels[0].max()), shown.note
    ((4, 6, 3), 1.0, '')
    """
    if data_format is not None:
        check_choice(where, "data_format", data_format, ("channels_last", "channels_first"))
    pictures = [_channels_last(np.asarray(image), data_format, where) for image in picture_list(images, data_format)]
    if not pictures:
        raise ValueError(
            wording(
                where, expected="`images` must hold at least one picture", received="none", remedy="Check the source."
            )
        )
    low = min(float(picture.min()) for picture in pictures)
    high = max(float(picture.max()) for picture in pictures)
    if value_range is not None:
        scaled = _between(pictures, *_increasing(value_range, where))
        return Displayed(scaled, "")
    integers = all(picture.dtype.kind in "ui" for picture in pictures)
    if all(picture.dtype.kind == "b" for picture in pictures) or (not integers and low >= 0 and high <= 1 + _TOLERANCE):
        return Displayed(_between(pictures, 0, 1), "")
    if low >= 0 and high <= 255 * (1 + _TOLERANCE):
        return Displayed(_between(pictures, 0, 255), "")
    if not integers:
        for undo in (_from_tf, _from_torch, _from_caffe):
            answer = undo(pictures, low, high)
            if answer is not None:
                return answer
    note = f"Pictures: values from {low:.3g} (black) to {high:.3g} (white)."
    return Displayed(_between(pictures, low, high), note)


def gray(pixels: np.ndarray) -> np.ndarray:
    """The luminance of a picture `(h, w, 3)`, as a picture of the same shape."""
    return np.repeat((pixels @ _LUMINANCE)[..., None], 3, axis=-1)


def picture_list(images: Any, data_format: str | None = None) -> list[Any]:
    """A batch as a list of its pictures; one picture becomes a list of one."""
    if isinstance(images, Sequence):
        return list(images)
    images = np.asarray(images)
    channels_first = data_format == "channels_first"
    single = images.ndim == 2 or (images.ndim == 3 and (channels_first or images.shape[-1] in (1, 3)))
    return [images] if single or images.ndim == 0 else list(images)


def _channels_last(image: np.ndarray, data_format: str | None, where: str) -> np.ndarray:
    if image.dtype.kind not in "buif":
        # bfloat16 is a kind of its own to NumPy; it converts to float32 where text and objects do not.
        try:
            image = image.astype(np.float32)
        except (TypeError, ValueError) as error:
            received = f"dtype {image.dtype}"
            raise TypeError(
                wording(
                    where, expected="`images` must hold numbers", received=received, remedy="Decode the files first."
                )
            ) from error
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim == 3 and data_format != "channels_last":
        first = data_format == "channels_first" or (image.shape[-1] not in (1, 3) and image.shape[0] in (1, 3))
        image = np.moveaxis(image, 0, -1) if first else image
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
        expected = "each picture must be (h, w), (h, w, 1), (h, w, 3) or channels first"
        remedy = "A single picture goes in a list: [image]. Of other channels choose 1 or 3, as in images[..., :3]."
        raise ValueError(wording(where, expected=expected, received=f"shape {image.shape}", remedy=remedy))
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        remedy = "Look where they come from; np.isfinite(images) finds them."
        raise ValueError(wording(where, expected="`images` must be finite", received="NaN or infinity", remedy=remedy))
    return image


def _between(pictures: list[np.ndarray], low: float, high: float) -> list[np.ndarray]:
    span = high - low
    return [_colour((picture.astype(np.float32) - low) / (span if span > 0 else 1)) for picture in pictures]


def _colour(picture: np.ndarray) -> np.ndarray:
    picture = np.clip(picture, 0, 1).astype(np.float32)
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def _increasing(value_range: tuple[float, float], where: str) -> tuple[float, float]:
    low, high = value_range
    if not low < high:
        remedy = "Give the values of black and white, as in (0, 255)."
        raise ValueError(wording(where, expected="`value_range` must increase", received=value_range, remedy=remedy))
    return low, high


def _from_tf(pictures: list[np.ndarray], low: float, high: float) -> Displayed | None:
    if low < -1 - _TOLERANCE or high > 1 + _TOLERANCE:
        return None
    return Displayed(_between(pictures, -1, 1), "Pictures: values from −1 (black) to 1 (white).")


def _from_torch(pictures: list[np.ndarray], low: float, high: float) -> Displayed | None:
    if any(picture.shape[-1] != 3 for picture in pictures):
        return None
    return _undone(pictures, lambda x: x * _TORCH_DEVIATION + _TORCH_MEAN, "ImageNet's mean and deviation")


def _from_caffe(pictures: list[np.ndarray], low: float, high: float) -> Displayed | None:
    # Values of a few units would fit these bounds as well, and all come out grey.
    if high - low < _CAFFE_LEAST_SPAN or any(picture.shape[-1] != 3 for picture in pictures):
        return None
    return _undone(pictures, lambda x: ((x + _CAFFE_MEAN) / 255)[..., ::-1], "ImageNet's mean in blue, green, red")


def _undone(pictures: list[np.ndarray], undo: Any, what: str) -> Displayed | None:
    undone = [undo(picture.astype(np.float32)) for picture in pictures]
    if any(picture.min() < -_TOLERANCE or picture.max() > 1 + _TOLERANCE for picture in undone):
        return None
    return Displayed([_colour(picture) for picture in undone], f"Pictures: seem preprocessed by {what}; undone here.")
