"""One picture: a textured background, clutter, an object of one class, and what lies over it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ...core.randomness import generator
from .clutter import clutter, rotation, twig
from .outlines import CLASS_NAMES, PART_NAMES, Piece, coverage, outline
from .textures import textured

# Every ingredient draws from its own stream, so that an option changes what it names and nothing else. 0 is left out:
# NumPy seeds [s, i] and [s, i, 0] alike.
_POSE, _BACKGROUND, _SURFACE, _CLUTTER, _OCCLUSION, _NOISE, _CUE, _LABEL = range(1, 9)

# Side of a square of the object's area, as a fraction of the picture's shorter side: 7 % to 19 % of a square picture.
SIDES = (0.27, 0.44)
MARGIN = 2.0
_CUE_SIDE = 0.11
CUE_COLOURS = np.array(
    [
        (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 90, 220), (245, 130, 48),
        (145, 30, 180), (70, 240, 240), (240, 50, 230), (128, 70, 0), (245, 245, 245),
    ],
    np.float32,
)  # fmt: skip


class Picture(NamedTuple):
    """A picture and the truth about it; `cue_label` is -1 without a cue."""

    image: np.ndarray
    mask: np.ndarray
    parts: np.ndarray
    cue_mask: np.ndarray
    cue_label: int


def label_of(seed: int, index: int) -> int:
    """The class of picture `index`: every run of ten pictures holds each class once, in an order of its own."""
    block, position = divmod(index, len(CLASS_NAMES))
    return int(generator(seed, block, _LABEL).permutation(len(CLASS_NAMES))[position])


def draw(
    seed: int, index: int, label: int, difficulty: float, cue: float | None, size: tuple[int, int], objects: bool
) -> Picture:
    """Picture `index` of `seed`; see `load` for the options."""
    pieces = _posed(generator(seed, index, _POSE), CLASS_NAMES[label], size)
    shape = coverage(pieces, size)

    draws = generator(seed, index, _BACKGROUND)
    colours = _colours(draws, 1, 0.6)
    background = textured(draws, colours[0], draws.uniform(10, 22) + difficulty * draws.uniform(0, 26), size)
    canvas = _rgb(background)

    draws = generator(seed, index, _CLUTTER)
    for _ in range(int(draws.uniform(0, 1 + 14 * difficulty))):
        thing = clutter(draws, min(size)).moved(np.eye(2), draws.uniform(0, size[::-1]))
        _paint(canvas, coverage([thing], size), _rgb(_colours(draws, 1, 0.9)))

    hidden = np.zeros(size, np.float32)
    surface = _surface(generator(seed, index, _SURFACE), background, shape > 0, difficulty)
    if objects:
        _paint(canvas, shape, _rgb(surface))

    draws = generator(seed, index, _OCCLUSION)
    if draws.random() < difficulty:
        where = np.argwhere(shape == 1)
        row, column = where[draws.integers(len(where))]
        width, length = draws.uniform((0.03, 0.4), (0.06, 0.9)) * min(size)
        hidden = coverage([twig(draws, length, width).moved(np.eye(2), np.array([column, row]))], size)
        _paint(canvas, hidden, _rgb(_colours(draws, 1, 0.6)))

    cue_mask, cue_label = np.zeros(size, bool), -1
    if cue is not None:
        cue_mask, cue_label = _cue(generator(seed, index, _CUE), label, cue, shape)
        canvas[cue_mask] = CUE_COLOURS[cue_label]

    # A pixel is the object's where the object has any share in its colour: nothing else in the picture depends on it.
    visible = (hidden < 1) & ~cue_mask
    mask = (shape > 0) & visible & objects
    parts = np.zeros((len(PART_NAMES), *size), bool)
    for part, name in zip(parts, PART_NAMES, strict=True):
        if named := [piece for piece in pieces if piece.part == name]:
            part[:] = (coverage(named, size) > 0) & mask

    sigma = 1 + 16 * difficulty
    canvas += sigma * generator(seed, index, _NOISE).standard_normal(canvas.shape, np.float32)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return Picture(image, mask, parts, cue_mask, cue_label)


def _posed(draws: np.random.Generator, name: str, size: tuple[int, int]) -> list[Piece]:
    """The outline of a class, scaled, stretched a little, turned, and placed wholly inside the picture."""
    scale = min(size) * draws.uniform(*SIDES)
    stretch = np.exp(draws.uniform(-0.1, 0.1))
    matrix = rotation(draws.uniform(0, 2 * np.pi)) @ np.diag([scale * stretch, scale / stretch])
    turned = [piece.moved(matrix, np.zeros(2)) for piece in outline(name)]
    points = np.concatenate([contour for piece in turned for contour in piece.contours])
    room = (np.array(size[::-1]) - 2 * MARGIN) / np.ptp(points, axis=0)
    if room.min() < 1:
        # In the smallest pictures a large outline has no room between the margins.
        turned = [piece.moved(np.eye(2) * room.min(), np.zeros(2)) for piece in turned]
        points = points * room.min()
    low, high = MARGIN - points.min(axis=0), np.array(size[::-1]) - MARGIN - points.max(axis=0)
    place = draws.uniform(low, np.maximum(low, high))
    return [piece.moved(np.eye(2), place) for piece in turned]


def _surface(draws: np.random.Generator, background: np.ndarray, under: np.ndarray, difficulty: float) -> np.ndarray:
    """The object's own texture in Lab; its colour stands out from what it covers as far as the difficulty lets it."""
    wanted = draws.uniform(50, 75) - 38 * difficulty
    colours = _colours(draws, 24, 0.95)
    differences = np.linalg.norm(colours - background[under].mean(axis=0), axis=1)
    colour = colours[np.argmin(np.abs(differences - wanted))]
    return textured(draws, colour, draws.uniform(8, 22), background.shape[:2])


def _cue(draws: np.random.Generator, label: int, rate: float, shape: np.ndarray) -> tuple[np.ndarray, int]:
    """The corner patch's pixels, away from the object, and the class whose colour it has."""
    others = [other for other in range(len(CLASS_NAMES)) if other != label]
    # Both are drawn whatever the rate, so that a higher rate changes patches to the right colour and none back.
    hit, other = draws.random() < rate, int(draws.choice(others))
    side = max(2, round(_CUE_SIDE * min(shape.shape)))
    near, far = slice(1, 1 + side), slice(-1 - side, -1)
    corners = [(near, near), (near, far), (far, near), (far, far)]
    order = draws.permutation(4)
    free = order[np.argmin([shape[corners[corner]].sum() for corner in order])]
    mask = np.zeros(shape.shape, bool)
    mask[corners[free]] = True
    return mask, label if hit else other


def _colours(draws: np.random.Generator, count: int, saturation: float) -> np.ndarray:
    """Colours in Lab, `(count, 3)`: any hue, up to this saturation, neither black nor glaring."""
    hue, vivid, bright = draws.random(count) * 360, draws.random(count) ** 1.5, draws.random(count)
    drawn = np.stack([hue, saturation * vivid, 0.2 + 0.75 * bright], axis=1).astype(np.float32)
    return cv2.cvtColor(cv2.cvtColor(drawn[None], cv2.COLOR_HSV2RGB), cv2.COLOR_RGB2LAB)[0]


def _rgb(colours: np.ndarray) -> np.ndarray:
    """Lab to RGB in [0, 255], float32; colours outside the screen's range are clipped."""
    flat = np.ascontiguousarray(colours, np.float32).reshape(1, -1, 3)
    return (255 * np.clip(cv2.cvtColor(flat, cv2.COLOR_LAB2RGB), 0, 1)).reshape(colours.shape)


def _paint(canvas: np.ndarray, shares: np.ndarray, colour: np.ndarray) -> None:
    """Lays a colour or a surface over the canvas, in place, by the share of each pixel."""
    covered = shares > 0
    share = shares[covered][:, None]
    over = colour[covered] if colour.shape == canvas.shape else colour
    canvas[covered] += share * (over - canvas[covered])
