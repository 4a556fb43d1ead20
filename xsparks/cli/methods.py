"""Methods by the name that is typed, with their options."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from ..core.errors import nearest, wording

# Options that have a place of their own on the command line.
_OWN_WORDS = {
    "model": "MODEL",
    "preprocess": "--preprocess",
    "batch_size": "--batch-size",
    "seed": "--seed",
    "progress": "--quiet",
    "class_names": "--class-names",
}
_WORDS = {"true": True, "false": False, "none": None}


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of `--set NAME=VALUE`: numbers, tuples, true, false, none; everything else is text.

    Raises
    ------
    ValueError : no `=`, or an option that has a word of its own.

    Example
    -------
    >>> parse_options(["grid_size=7", "design=paper", "smooth=false", "stop_when=.9"])
    {'grid_size': 7, 'design': 'paper', 'smooth': False, 'stop_when': 0.9}
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(
                wording(
                    f"--set {pair}",
                    expected="`--set` must have the form NAME=VALUE",
                    received=repr(pair),
                    remedy="For example --set grid_size=7.",
                )
            )
        if name in _OWN_WORDS:
            raise ValueError(
                wording(
                    f"--set {pair}",
                    expected="`--set` is for the method's own options",
                    received=repr(name),
                    remedy=f"Use {_OWN_WORDS[name]}.",
                )
            )
        options[name] = _value(value.strip())
    return options


def parse_named(text: str, word: str) -> list[tuple[str, dict[str, Any]]]:
    """Names with options of their own: `sobol,rise:samples=500:grid_size=8`.

    Commas within brackets belong to a value.

    Raises
    ------
    ValueError : an empty name, or an option without a value.

    Example
    -------
    >>> parse_named("sobol,rise:samples=500:grid_size=(7, 9)", "--methods")
    [('sobol', {}), ('rise', {'samples': 500, 'grid_size': (7, 9)})]
    """
    found = []
    for entry in re.split(r",(?![^()\[\]]*[)\]])", text):
        name, *pairs = (part.strip() for part in entry.split(":"))
        options = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if not name or len(options) < len(pairs):
            raise ValueError(
                wording(
                    f"{word} {text}",
                    expected=f"`{word}` must be names between commas, each with its options",
                    received=repr(entry),
                    remedy="For example sobol,rise:samples=500:grid_size=8.",
                )
            )
        found.append((name, {option.strip(): _value(value.strip()) for option, value in options.items()}))
    return found


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def check_options(method: type[Any], options: dict[str, Any], word: str = "--set ") -> None:
    """Refuses options that the method does not have; their values are checked by the method itself.

    Raises
    ------
    ValueError : an unknown option; the nearest names are listed.
    """
    known = [field.name for field in dataclasses.fields(method) if field.name not in _OWN_WORDS]
    for name, value in options.items():
        if name not in known:
            raise ValueError(
                wording(
                    f"{word}{name}={value}",
                    expected=f"`{name}` must be an option of {method.__name__}",
                    received=repr(name),
                    remedy=nearest(name, known),
                )
            )
