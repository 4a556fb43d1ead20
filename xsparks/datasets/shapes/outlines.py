"""The outlines of the ten classes, each of area 1, and how an outline becomes pixels."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

CLASS_NAMES = ("disc", "ring", "square", "triangle", "star", "cross", "heart", "crescent", "arrow", "hourglass")
# What several classes have in common: the bars of cross and arrow; the triangle itself, the points of the star, the
# head of the arrow and the two halves of the hourglass.
PART_NAMES = ("bar", "triangle")

SUBPIXELS = 4
# A covered subpixel counts 15, so that the mean of 16 of them is a whole number and the coverage exact.
_COVERED = 15 * SUBPIXELS**2
_FRACTION_BITS = 8


class Piece(NamedTuple):
    """A filled region: closed contours `(k, 2)` of x and y, the second cut out of the first; `part`: its kind."""

    contours: tuple[np.ndarray, ...]
    part: str | None = None

    def moved(self, matrix: np.ndarray, shift: np.ndarray) -> Piece:
        """The same region after a linear map and a translation."""
        return Piece(tuple(contour @ matrix.T + shift for contour in self.contours), self.part)


@cache
def outline(name: str) -> tuple[Piece, ...]:
    """The pieces of a class, upright (y downwards), centred on their bounding box; their union has area 1."""
    pieces = _drawn(name)
    points = np.concatenate([contour for piece in pieces for contour in piece.contours])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    # The union of overlapping pieces has no simple formula: it is measured on a fine grid.
    side = 512
    fine = [piece.moved(np.eye(2) * side / 4, side / 2 - centre * side / 4) for piece in pieces]
    area = coverage(fine, (side, side)).sum() * (4 / side) ** 2
    return tuple(piece.moved(np.eye(2) / np.sqrt(area), -centre / np.sqrt(area)) for piece in pieces)


def coverage(pieces: list[Piece] | tuple[Piece, ...], size: tuple[int, int]) -> np.ndarray:
    """The share of every pixel that the union of the pieces covers, `(h, w)` float32 in [0, 1].

    Coordinates are pixels: the picture spans [0, w] x [0, h]. What lies outside is cut off.
    """
    shares = np.zeros(size, np.float32)
    points = np.concatenate([contour for piece in pieces for contour in piece.contours])
    low = np.clip(np.floor(points.min(axis=0)) - 1, 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, 0, size[::-1]).astype(int)
    (left, top), (width, height) = low, high - low
    if width <= 0 or height <= 0:
        return shares
    canvas = np.zeros((height * SUBPIXELS, width * SUBPIXELS), np.uint8)
    for piece in pieces:
        # The centre of subpixel 0 is OpenCV's coordinate 0.
        on_canvas = [(contour - low) * SUBPIXELS - 0.5 for contour in piece.contours]
        fixed = [np.rint(contour * 2**_FRACTION_BITS).astype(np.int32) for contour in on_canvas]
        cv2.fillPoly(canvas, fixed, _COVERED, shift=_FRACTION_BITS)
    covered = cv2.resize(canvas, (int(width), int(height)), interpolation=cv2.INTER_AREA)
    shares[top : top + height, left : left + width] = covered / np.float32(_COVERED)
    return shares


def _drawn(name: str) -> list[Piece]:
    """The pieces of a class in coordinates that suit its drawing, all within [-2, 2]."""
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    if name == "disc":
        return [Piece((_polar(1, turn),))]
    if name == "ring":
        return [Piece((_polar(1, turn), _polar(0.58, turn)))]
    if name == "square":
        return [Piece((_points((-1, -1), (1, -1), (1, 1), (-1, 1)),))]
    if name == "triangle":
        return [Piece((_polar(1, np.arange(3) * 2 * np.pi / 3),), "triangle")]
    if name == "star":
        outer, inner = _polar(1, np.arange(5) * 2 * np.pi / 5), _polar(0.42, (np.arange(5) + 0.5) * 2 * np.pi / 5)
        tips = [Piece((np.stack([inner[k - 1], outer[k], inner[k]]),), "triangle") for k in range(5)]
        return [Piece((inner,)), *tips]
    if name == "cross":
        bar = _points((-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3))
        return [Piece((bar,), "bar"), Piece((bar[:, ::-1],), "bar")]
    if name == "heart":
        # The heart curve: https://mathworld.wolfram.com/HeartCurve.html, equation 7.
        x = 16 * np.sin(turn) ** 3
        y = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
        return [Piece((np.stack([x, -y], axis=1) / 16,))]
    if name == "crescent":
        # The unit circle without a circle of this radius, moved up by `shift`; horns where the two meet.
        radius, shift = 0.78, 0.45
        horn = np.arccos((1 + shift**2 - radius**2) / (2 * shift))
        seen = np.arctan2(np.sin(horn), np.cos(horn) - shift)
        outer = _polar(1, np.linspace(horn, 2 * np.pi - horn, 64))
        inner = _polar(radius, np.linspace(2 * np.pi - seen, seen, 64)) - (0, shift)
        return [Piece((np.concatenate([outer, inner]),))]
    if name == "arrow":
        shaft = _points((-0.22, -0.1), (0.22, -0.1), (0.22, 1), (-0.22, 1))
        head = _points((0, -1), (0.72, 0), (-0.72, 0))
        return [Piece((shaft,), "bar"), Piece((head,), "triangle")]
    # hourglass: the halves overlap a little, so that the waist holds
    half = _points((-0.75, -1), (0.75, -1), (0, 0.12))
    return [Piece((half,), "triangle"), Piece((half * (1, -1),), "triangle")]


def _polar(radius: float, angles: np.ndarray) -> np.ndarray:
    """Points at these angles from the upright."""
    return radius * np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _points(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)
