"""A model of several inputs as a function of the explained one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.errors import wording
from ..models.access import ModelAccess
from .plan import Bound


class Binding:
    """Which input is explained, and how the others are filled in.

    Parameters
    ----------
    explain_input : the name or position of the explained input; may be None where there is one only.
    """

    def __init__(self, access: ModelAccess, explain_input: str | int | None):
        self._access = access
        self._explain_input = explain_input

    def explained(self, inputs: Any) -> Any:
        """The explained input of a tree of inputs."""
        if not isinstance(inputs, dict | tuple):
            return inputs
        return inputs[self._key(inputs)]

    def bind(self, inputs: Any) -> Bound:
        """The model as a function of the explained input alone, the others as they are in `inputs`."""
        if not isinstance(inputs, dict | tuple):
            return Bound(
                self._access.forward,
                self._access.probabilities,
                self._access.tap,
                self._access.split,
                self._access.rectified,
            )
        key = self._key(inputs)

        def whole(x: Any) -> Any:
            if isinstance(inputs, dict):
                return {**inputs, key: x}
            return tuple(x if position == key else leaf for position, leaf in enumerate(inputs))

        def tap(layer: Any) -> Callable[[Any], Any]:
            tapped = self._access.tap(layer)
            return lambda x: tapped(whole(x))

        return Bound(
            lambda x: self._access.forward(whole(x)),
            lambda x: self._access.probabilities(whole(x)),
            tap,
            self._access.split,
            self._access.rectified,
        )

    def _key(self, inputs: Any) -> Any:
        keys = list(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
        if len(keys) == 1 and self._explain_input is None:
            return keys[0]
        if self._explain_input not in keys:
            raise ValueError(
                wording(
                    f"{self._access.where}(explain_input={self._explain_input!r})",
                    expected="`explain_input` must name one of the inputs " + ", ".join(map(repr, keys)),
                    received=repr(self._explain_input),
                    remedy="The other inputs stay as they are.",
                )
            )
        return self._explain_input
