"""What a metric asks the model, and what was answered already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .session import Stages


class Measurement(NamedTuple):
    """One question to the model about some inputs.

    Parameters
    ----------
    key : what is measured, with every option that changes the answer; equal keys of metrics on the same model are
        answered once.
    plan : how, its side information being the maps `(m, h, w)`.
    of_maps : whether the answer depends on the maps; if not, it serves every method.
    """

    key: tuple[Any, ...]
    plan: Stages
    of_maps: bool = True


@dataclass
class Answers:
    """What the model answered about some inputs and their maps, kept for the next metric and the next method.

    Parameters
    ----------
    of_inputs, of_maps : answers by key.
    """

    of_inputs: dict[Any, Any] = field(default_factory=dict)
    of_maps: dict[Any, Any] = field(default_factory=dict)

    def for_other_maps(self) -> Answers:
        """The answers that hold for other maps of the same inputs, too."""
        return Answers(self.of_inputs)

    def get(self, key: tuple[Any, ...], of_maps: bool, ask: Callable[[], Any]) -> Any:
        """The answer of this key, asked for where it is not known."""
        known = self.of_maps if of_maps else self.of_inputs
        if key not in known:
            known[key] = ask()
        return known[key]


def hashable(value: Any) -> Any:
    """An option as part of a key: its value where that is plain, else its identity."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, list | tuple):
        return tuple(hashable(entry) for entry in value)
    return (type(value).__name__, id(value))
