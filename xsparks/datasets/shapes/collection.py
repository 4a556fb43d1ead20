"""A set of pictures with everything that is known about them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...core.checks import check_integer, check_number
from ...core.errors import wording
from .drawing import draw, label_of
from .outlines import CLASS_NAMES, PART_NAMES

_WHERE = "shapes.load"
SMALLEST = 32


@dataclass(frozen=True, eq=False)
class Shapes:
    """Which pixels hold the object, its parts and the cue, in every picture of a set?

    An index, a slice or a condition selects pictures: `data[data.labels == 5]`.

    Parameters
    ----------
    images : `(n, h, w, 3)` uint8, RGB
    labels : `(n,)` int64, positions in `class_names`
    masks : `(n, h, w)` bool; the pixels in whose colour the visible object has a share. All others are the same without
        the object
    parts : `(n, p, h, w)` bool; the pixels of `masks` that belong to the parts in `part_names`. The pieces of one kind
        (the two bars of a cross) are one mask; classes without such a part have an empty one
    cue_masks : `(n, h, w)` bool; the pixels of the planted cue, empty without one
    cue_labels : `(n,)` int64; the class whose colour the cue has, -1 without one
    class_names, part_names : the names, in order
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    parts: np.ndarray
    cue_masks: np.ndarray
    cue_labels: np.ndarray
    class_names: tuple[str, ...] = CLASS_NAMES
    part_names: tuple[str, ...] = PART_NAMES

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Shapes:
        # An integer selects a set of one, so that every array keeps its rank.
        chosen = np.atleast_1d(np.arange(len(self))[index])
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value[chosen] for name, value in values.items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)


def load(
    count: int,
    seed: int = 0,
    *,
    difficulty: float = 0.3,
    cue: float | None = None,
    size: tuple[int, int] = (64, 64),
    objects: bool = True,
) -> Shapes:
    """Where is the object, when nothing needs to be downloaded and the truth is known to the pixel?

    Draws small colour pictures: a textured background, clutter of no class, and one object of ten classes, with its own
    texture, at a random place, size and angle. Colour, texture and the outline's area do not depend on the class. Use
    them to try a method and to hold its maps against the truth, not to rank methods for natural photographs.

    Picture i of a seed is always the same, however many are drawn. An option changes what it names and leaves the rest
    of the picture alone.

    Parameters
    ----------
    count : int >= 1
    seed : int >= 0; another seed draws a set that shares no picture with this one
    difficulty : float in [0, 1]; the higher, the less the object's colour stands out, the more clutter and noise
        (standard deviation 1 to 17 gray levels) there is, and the more objects have a twig across them (their share is
        `difficulty`)
    cue : None, or a rate in [0, 1]: every picture gets a small patch in a corner, whose colour stands for a class: that
        of the picture's own class at this rate, else of another. 0.1 tells nothing about the class, 1 everything
    size : (height, width) in pixels, each at least 32
    objects : bool; False leaves the objects out (labels stay, masks are empty), everything else is the same

    Returns
    -------
    Shapes

    Raises
    ------
    ValueError, TypeError
        A count, seed, difficulty, cue or size outside the ranges above

    Cost
    ----
    About 1 ms a picture of 64 x 64 on one core; 25 kB of memory each.

    Example
    -------
    >>> data = load(20, seed=1)
    >>> data.images.shape, data.images.dtype, data.masks.shape
    ((20, 64, 64, 3), dtype('uint8'), (20, 64, 64))
    >>> np.bincount(data.labels)
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    >>> bare = load(20, seed=1, objects=False)
    >>> bool(np.any(data.images != bare.images, axis=-1)[~data.masks].any())
    False
    """
    count = check_integer(_WHERE, "count", count, 1, "Use 100 for a first look.")
    seed = check_integer(_WHERE, "seed", seed, 0, "Seeds are not negative.")
    difficulty = check_number(_WHERE, "difficulty", difficulty, 0, 1, "Use 0.3, the default.")
    if cue is not None:
        cue = check_number(_WHERE, "cue", cue, 0, 1, "It is the share of cues that tell the class; None draws no cue.")
    size = _checked_size(size)
    labels = [label_of(seed, index) for index in range(count)]
    drawn = [draw(seed, index, label, difficulty, cue, size, bool(objects)) for index, label in enumerate(labels)]
    images, masks, parts, cue_masks, cue_labels = zip(*drawn, strict=True)
    return Shapes(
        np.stack(images), np.array(labels), np.stack(masks), np.stack(parts), np.stack(cue_masks), np.array(cue_labels)
    )


def _checked_size(size: Any) -> tuple[int, int]:
    """Height and width."""
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(
            wording(
                f"{_WHERE}(size={size!r})",
                expected="`size` must be a height and a width",
                received=repr(size),
                remedy="Use (64, 64) for the network of load_model.",
            )
        )
    remedy = f"Shapes are told apart from {SMALLEST} pixels on."
    height, width = (check_integer(_WHERE, "size", side, SMALLEST, remedy) for side in size)
    return height, width
