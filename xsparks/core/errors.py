"""The exceptions of xsparks and the one function that words every error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ModelError(ValueError):
    """The model cannot be explained in the way that was asked."""


class NotFittedError(RuntimeError):
    """A method was asked for an answer before `fit`."""


class WriteError(OSError):
    """A result could not be written; what was computed is kept elsewhere."""


def wording(where: str, *, expected: str, received: object, remedy: str) -> str:
    """One sentence for all errors: where, what was expected, what came, how to mend it.

    Example
    -------
    >>> wording("RISE(grid_size=0)", expected="`grid_size` must be an integer of at least 1",
    ...         received=0, remedy="Use 7 for images of 224 pixels.")
    '`RISE(grid_size=0)`: `grid_size` must be an integer of at least 1, got 0. Use 7 for images of 224 pixels.'
    """
    return f"`{where}`: {expected}, got {received}. {remedy}"


def nearest(name: str, names: Iterable[str], limit: int = 3) -> str:
    """The known names closest to a mistyped one, as the end of a sentence.

    Example
    -------
    >>> nearest("block5", ["block_5", "dense"])
    'Nearest: block_5.'
    """
    names = [str(candidate) for candidate in names]
    close = difflib.get_close_matches(str(name), names, n=limit, cutoff=0.4)
    if close:
        return "Nearest: " + ", ".join(close) + "."
    shown = names if len(names) <= 8 else [*names[:4], "...", *names[-4:]]
    return "Known: " + ", ".join(shown) + "."
