"""From the values of a map to colours: range, colours with their transparency, numbers of the colour bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

from ..core.checks import check_choice, check_number
from ..core.errors import nearest, wording
from .style import SMALL, text_width

_PERCENTILE = 99.5
_OUTLYING = 1.5  # the highest values are cut only when they reach this many times further than the percentile does
_NOISE = 0.05  # negative values up to this fraction of the largest are the noise of an estimate, not a sign
_LEVELS = 256
# Blue and orange differ for every kind of colour blindness; the pale centre hardly shows, being transparent.
_DIVERGING = ("#08519c", "#2f8fe8", "#f2f2f2", "#f58220", "#b33c00")
_DARKEST, _BRIGHTEST = 0.12, 0.88  # the part of inferno used: its black would dim, its pale yellow vanish on snow
_AIR = 0.1  # inches between the numbers of a colour bar
_MINUS = "\N{MINUS SIGN}"


class Range(NamedTuple):
    """The values that the ends of a colour scale stand for, beside those which occur."""

    low: float
    high: float
    smallest: float
    largest: float
    signed: bool

    @property
    def constant(self) -> bool:
        """Nothing to tell apart: both ends are equal, up to the rounding of float32."""
        return self.high - self.low <= 1e-6 * max(abs(self.low), abs(self.high))

    @property
    def cut(self) -> bool:
        """Values beyond an end share its colour."""
        return not self.constant and (self.smallest < self.low or self.largest > self.high)

    @property
    def norm(self) -> Normalize:
        """From values to 0..1; a map without any contrast stays where the colours are transparent."""
        if not self.constant:
            return Normalize(self.low, self.high, clip=True)
        return Normalize(-1, 1) if self.signed else Normalize(self.high, self.high + 1, clip=True)


def value_range(values: np.ndarray, signed: bool, clip: Any, limits: tuple[float, float] | None = None) -> Range:
    """Which values get the ends of the colours?

    Unsigned: from the lowest value (from 0, when the lowest is within 5 % of it) to the highest. Signed: symmetric
    about 0. With `clip="auto"` the highest 0.5 % share one colour when they lie far off, so that one pixel does not dim
    all others; with a number the values above that percentile do in any case, and with None none do. At 99.5 a map of
    up to 200 cells keeps them all.

    Example
    -------
    >>> value_range(np.array([-1.0, 0.0, 3.0]), signed=True, clip=None)[:2]
    (-3.0, 3.0)
    """
    smallest, largest = float(values.min()), float(values.max())
    if limits is not None:
        reach = max(abs(limits[0]), abs(limits[1]))
        low, high = (-reach, reach) if signed else limits
        return Range(float(low), float(high), smallest, largest, signed)
    strengths = np.abs(values) if signed else values
    high = float(strengths.max())
    if clip is not None:
        kept = float(np.percentile(strengths, _PERCENTILE if clip == "auto" else clip, method="higher"))
        floor = 0.0 if signed else smallest
        if kept > floor and (clip != "auto" or high - floor > _OUTLYING * (kept - floor)):
            high = kept
    if signed:
        return Range(-high, high, smallest, largest, signed)
    low = 0.0 if 0 <= smallest <= _NOISE * high else smallest
    return Range(low, high, smallest, largest, signed)


def is_signed(values: np.ndarray, signed: bool | None) -> bool:
    """Do these values have a meaningful sign? Asked with None: if negative ones exceed 5 % of the largest."""
    return bool(values.min() < -_NOISE * np.abs(values).max()) if signed is None else bool(signed)


def colours(colormap: Any, signed: bool, opacity: float, where: str) -> Colormap:
    """The colour map whose opacity is proportional to the value (signed: to its distance from 0), up to `opacity`.

    So the picture stays untouched where the map says nothing.
    """
    base = opaque(colormap, signed, where)
    position = np.linspace(0, 1, _LEVELS)
    strength = np.abs(2 * position - 1) if signed else position
    table = base(position)
    table[:, 3] = opacity * strength
    return ListedColormap(table, name=f"{base.name}_veil")


def opaque(colormap: Any, signed: bool, where: str) -> Colormap:
    """The colour map by name, or the default one of signed or unsigned maps."""
    if isinstance(colormap, Colormap):
        return colormap
    if colormap is None and signed:
        return LinearSegmentedColormap.from_list("signed", _DIVERGING, N=_LEVELS)
    if colormap is None:
        return ListedColormap(
            matplotlib.colormaps["inferno"](np.linspace(_DARKEST, _BRIGHTEST, _LEVELS)), name="unsigned"
        )
    if colormap not in matplotlib.colormaps:
        expected = "`colormap` must be a name that matplotlib knows, or a Colormap"
        remedy = nearest(str(colormap), matplotlib.colormaps)
        raise ValueError(wording(where, expected=expected, received=repr(colormap), remedy=remedy))
    return matplotlib.colormaps[colormap]


def check_scale(scale: Any, words: Sequence[str], where: str) -> tuple[float, float] | None:
    """The limits of the colours when `scale` gives them; None when it is one of the words."""
    if isinstance(scale, str):
        check_choice(where, "scale", scale, words)
        return None
    expected = "`scale` must be " + ", ".join(repr(word) for word in words) + " or a pair (low, high) with low < high"
    remedy = "Give the values of the two ends of the colours, as in (0, 1)."
    if not isinstance(scale, (tuple, list, np.ndarray)) or len(scale) != 2:
        raise TypeError(wording(where, expected=expected, received=repr(scale), remedy=remedy))
    low, high = (check_number(where, "scale", end, remedy=remedy) for end in scale)
    if not low < high:
        raise ValueError(wording(where, expected=expected, received=repr(scale), remedy=remedy))
    return low, high


def check_clip(clip: Any, where: str) -> None:
    """`clip` is "auto", None, or a percentile."""
    if clip is None or (isinstance(clip, str) and clip == "auto"):
        return
    check_number(where, "clip", clip, 50, 100, 'Use "auto", None, or a percentile such as 99.5.')


def number_labels(values: Sequence[float], span: float) -> list[str]:
    """Numbers with three significant digits of their span, all in the same form.

    Example
    -------
    >>> number_labels([0, 0.21, 0.4237], span=0.4237)
    ['0', '0.21', '0.424']
    >>> number_labels([-0.00021, 0, 0.00042], span=0.00063)
    ['$-2.1{\\\\times}10^{-4}$', '0', '$4.2{\\\\times}10^{-4}$']
    """
    values = [float(value) for value in values]
    largest = max(abs(value) for value in values)
    exponent = math.floor(math.log10(1.0005 * largest)) if largest > 0 else 0
    exponent = exponent if exponent < -2 or exponent > 3 else 0
    # Four digits more than the span's own at most: beyond that the labels say rounding errors.
    finest = max(span, 1e-4 * largest) / 10**exponent
    decimals = max(0, 2 - math.floor(math.log10(finest))) if finest > 0 else 2
    return [_number(value, exponent, decimals) for value in values]


def _number(value: float, exponent: int, decimals: int) -> str:
    mantissa = f"{value / 10**exponent:.{decimals}f}"
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    if mantissa in ("0", "-0"):
        return "0"
    return rf"${mantissa}{{\times}}10^{{{exponent}}}$" if exponent else mantissa.replace("-", _MINUS)


def bar_ticks(limits: Range, width: float) -> tuple[list[float], list[str]]:
    """Where a colour bar of `width` inches has its numbers: both ends as they are, and round values between them.

    An end at which values are cut says so, and in a second line how far they reach.
    """
    low, high, span = limits.low, limits.high, limits.high - limits.low
    if limits.constant:
        return [0.5], [number_labels([limits.smallest], 0)[0] + " everywhere"]
    left, right = number_labels([low, high], span)
    if limits.smallest < low:
        left = f"≤ {left}\n(min {_alone(limits.smallest)})"
    if limits.largest > high:
        right = f"≥ {right}\n(max {_alone(limits.largest)})"
    start, end = _room(left) + _AIR, width - _room(right) - _AIR
    inner = _round_values(low, high, width)
    kept = []
    for value, label in zip(inner, number_labels([*inner, high], span), strict=False):
        middle, half = width * (value - low) / span, _room(label) / 2
        if middle - half > start and middle + half < end:
            kept.append((value, label))
            start = middle + half + _AIR
    return [low, *(value for value, _ in kept), high], [left, *(label for _, label in kept), right]


def _room(label: str) -> float:
    return max(text_width(line, SMALL, math=True) for line in label.split("\n"))


def _alone(value: float) -> str:
    return number_labels([value], abs(value))[0]


def _round_values(low: float, high: float, width: float) -> list[float]:
    locator = MaxNLocator(nbins=max(3, round(width / 0.6)), steps=[1, 2, 2.5, 5, 10])
    return [float(value) for value in locator.tick_values(low, high) if low < value < high]
