"""Checks of single values, one for each kind of option."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable

from .errors import nearest, wording


def check_integer(where: str, name: str, value: object, minimum: int, remedy: str, maximum: int | None = None) -> int:
    """An integer of at least `minimum`, and at most `maximum`; booleans are refused."""
    expected = f"an integer of at least {minimum}" if maximum is None else f"an integer in [{minimum}, {maximum}]"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(_worded(where, name, value, expected, remedy))
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError(_worded(where, name, value, expected, remedy))
    return number


def check_number(
    where: str,
    name: str,
    value: object,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    remedy: str = "",
) -> float:
    """A finite number in [minimum, maximum]."""
    expected = f"a number in [{minimum:g}, {maximum:g}]"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(_worded(where, name, value, expected, remedy))
    number = float(value)
    if not (minimum <= number <= maximum) or not math.isfinite(number):
        raise ValueError(_worded(where, name, value, expected, remedy))
    return number


def check_choice(where: str, name: str, value: object, choices: Iterable[str]) -> str:
    """One of the names in `choices`; the message lists the nearest ones."""
    choices = list(choices)
    if not isinstance(value, str):
        raise TypeError(_worded(where, name, value, "one of " + ", ".join(choices), nearest("", choices)))
    if value not in choices:
        expected = "one of " + ", ".join(repr(choice) for choice in choices)
        raise ValueError(_worded(where, name, value, expected, nearest(value, choices)))
    return value


def _worded(where: str, name: str, value: object, expected: str, remedy: str) -> str:
    return wording(
        f"{where}({name}={value!r})", expected=f"`{name}` must be {expected}", received=repr(value), remedy=remedy
    )
