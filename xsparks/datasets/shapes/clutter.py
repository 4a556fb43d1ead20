"""Small things of no class: blobs, strokes and shards, lying about and across the object."""

from __future__ import annotations

import numpy as np

from .outlines import Piece


def clutter(generator: np.random.Generator, side: float) -> Piece:
    """One small thing around the origin, clearly smaller than any object.

    Parameters
    ----------
    generator : the draws: its kind, form and direction
    side : pixels; the shorter side of the picture
    """
    kind = (_blob, _stroke, _shard)[generator.integers(3)]
    angle = generator.uniform(0, 2 * np.pi)
    return Piece((side * kind(generator),)).moved(rotation(angle), np.zeros(2))


def twig(generator: np.random.Generator, length: float, width: float) -> Piece:
    """A bent stroke through the origin, of this length and width in pixels, in a random direction."""
    contour = _ribbon(generator.uniform(-0.15, 0.15) * length, length, width)
    return Piece((contour,)).moved(rotation(generator.uniform(0, 2 * np.pi)), np.zeros(2))


def rotation(angle: float) -> np.ndarray:
    """The matrix that turns by `angle` radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _blob(generator: np.random.Generator) -> np.ndarray:
    """A lobed patch, never round."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    lobes = generator.integers(2, 4)
    coarse = generator.uniform(0.3, 0.45) * np.cos(lobes * turn)
    fine = generator.uniform(0.1, 0.2) * np.cos((lobes + 2) * turn + 1)
    radius = generator.uniform(0.03, 0.055) * (1 + coarse + fine)
    return radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _stroke(generator: np.random.Generator) -> np.ndarray:
    """A thin bent line."""
    length = generator.uniform(0.1, 0.3)
    return _ribbon(generator.uniform(-0.3, 0.3) * length, length, generator.uniform(0.015, 0.035))


def _shard(generator: np.random.Generator) -> np.ndarray:
    """A splinter with four uneven corners."""
    corners = np.array([(-1, 0), (-0.1, 0.35), (1, 0.1), (0.2, -0.3)])
    return generator.uniform(0.04, 0.09) * (corners + generator.uniform(-0.15, 0.15, (4, 2)))


def _ribbon(bend: float, length: float, width: float) -> np.ndarray:
    """The outline of a parabola of this bend and length with pointed ends."""
    along = np.linspace(-1, 1, 14)
    middle = np.stack([along * length / 2, bend * (1 - along**2)], axis=1)
    half = np.stack([np.zeros_like(along), width / 2 * np.sqrt(1 - 0.9 * along**2)], axis=1)
    return np.concatenate([middle - half, (middle + half)[::-1]])
