"""Textures that resemble natural surfaces: cloud, ripple, sky, gravel, cobble, fibre."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Size = tuple[int, int]


def textured(generator: np.random.Generator, colour: np.ndarray, span: float, size: Size) -> np.ndarray:
    """A surface around one colour, `(h, w, 3)` float32 in CIE Lab.

    Parameters
    ----------
    generator : the draws: the kind of texture and its form
    colour : `(3,)`, the mean colour in Lab (L in [0, 100])
    span : the colour difference between the darkest and the brightest place, in units of L
    size : height and width
    """
    field = list(KINDS.values())[generator.integers(len(KINDS))](generator, size)
    # Natural surfaces vary in lightness more than in colour; their colour drifts slowly.
    towards = np.stack([[1, *generator.normal(0, 0.25, 2)], [0.4, *generator.normal(0, 0.35, 2)]])
    slow = noise(generator, size, 2) - np.float32(0.5)
    fields = np.stack([field - field.mean(), slow], axis=-1).reshape(-1, 2)
    return (fields @ (span * towards).astype(np.float32) + np.asarray(colour, np.float32)).reshape(*size, 3)


def noise(generator: np.random.Generator, size: Size, cells: float) -> np.ndarray:
    """Smooth noise in [0, 1], `(h, w)` float32, with about `cells` bumps along the shorter side."""
    rows, columns = (max(2, round(cells * side / min(size))) + 1 for side in size)
    grid = generator.random((rows, columns), np.float32)
    return np.clip(cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _cloud(generator: np.random.Generator, size: Size) -> np.ndarray:
    """Octaves of noise whose strength falls with their frequency, as in photographs."""
    weights = 2.0 ** (-generator.uniform(0.6, 1.2) * np.arange(4))
    octaves = [np.float32(weight) * noise(generator, size, 2.5 * 2**k) for k, weight in enumerate(weights)]
    return _stretched(np.sum(octaves, axis=0))


def _ripple(generator: np.random.Generator, size: Size) -> np.ndarray:
    """Warped stripes, as of sand, bark or a zebra."""
    straight = generator.uniform(4, 11) * _along(generator, size)
    wave = np.sin(2 * np.pi * (straight + generator.uniform(0.3, 1.6) * noise(generator, size, 3)))
    return 0.5 + 0.5 * np.tanh(generator.uniform(0.3, 3) * wave)


def _sky(generator: np.random.Generator, size: Size) -> np.ndarray:
    """A slow gradient with a little haze."""
    return 0.8 * _stretched(_along(generator, size)) + 0.2 * _cloud(generator, size)


def _gravel(generator: np.random.Generator, size: Size) -> np.ndarray:
    """Fine grains, darker and brighter, as of granite, sand or gravel."""
    grains = noise(generator, size, generator.uniform(18, 30))
    return 0.65 * _stretched(np.clip(grains, 0.2, 0.8)) + 0.35 * noise(generator, size, 4)


def _cobble(generator: np.random.Generator, size: Size) -> np.ndarray:
    """Cells of different tones with darker seams, as of cobbles, leaves or a giraffe."""
    area = size[0] * size[1] / min(size) ** 2
    seeds = max(3, int(generator.uniform(25, 70) * area))
    empty = np.full(size, 255, np.uint8)
    empty[generator.integers(size[0], size=seeds), generator.integers(size[1], size=seeds)] = 0
    distance, cell = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    tones = generator.random(cell.max() + 1, np.float32)
    return 0.55 * tones[cell] + 0.45 * (1 - _stretched(distance))


def _fibre(generator: np.random.Generator, size: Size) -> np.ndarray:
    """Noise drawn out in one direction, as of wood, fur or grass."""
    # Large enough to be turned by any angle and still cover the picture.
    side = int(np.hypot(*size)) + 2
    grid = generator.random((int(generator.uniform(28, 44)), 6), np.float32)
    fibres = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), generator.uniform(0, 180), 1)
    turned[:, 2] -= (side - size[1]) / 2, (side - size[0]) / 2
    return np.clip(cv2.warpAffine(fibres, turned, size[::-1], borderMode=cv2.BORDER_REFLECT), 0, 1)


KINDS: dict[str, Callable[[np.random.Generator, Size], np.ndarray]] = {
    "cloud": _cloud,
    "ripple": _ripple,
    "sky": _sky,
    "gravel": _gravel,
    "cobble": _cobble,
    "fibre": _fibre,
}


def _along(generator: np.random.Generator, size: Size) -> np.ndarray:
    """The coordinate in a random direction, in units of the shorter side."""
    angle = generator.uniform(0, 2 * np.pi)
    y, x = np.ogrid[: size[0], : size[1]]
    return ((np.cos(angle) * x + np.sin(angle) * y) / min(size)).astype(np.float32)


def _stretched(field: np.ndarray) -> np.ndarray:
    """The field over all of [0, 1]."""
    low, high = field.min(), field.max()
    return (field - low) / max(high - low, np.float32(1e-6))
