"""What the stages of verified bounds hand over to one another."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..models.bounds import Box

# Stands for no bound: finite, because centre and radius of an infinite box are not numbers.
UNBOUNDED = 1e30


class Known(NamedTuple):
    """What is handed from stage to stage.

    given : what the family of boxes needs.
    boxes : by the number of a node, as text, the bounds found for it: `(m, count, *shape)`.
    slopes : by the number of a node, as text, the lower slopes found for it: `(m, *shape)`.
    relaxations : by the number of a node, as text, its relaxation on the first box, which later stages do not change.
    """

    given: Any
    boxes: dict[str, Box]
    slopes: dict[str, Any]
    relaxations: dict[str, tuple[Any, ...]]


def opened(side: Any) -> Known:
    """What the stage before handed over, or the caller."""
    return side if isinstance(side, Known) else Known(side, {}, {}, {})
