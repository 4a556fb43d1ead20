"""What `shapes.load` says to values that it cannot draw."""

from __future__ import annotations

from typing import Any

import pytest

from xsparks.datasets import shapes


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"count": 0},
            ValueError,
            "`shapes.load(count=0)`: `count` must be an integer of at least 1, got 0. Use 100 for a first look.",
        ),
        (
            {"count": 2.0},
            TypeError,
            "`shapes.load(count=2.0)`: `count` must be an integer of at least 1, got 2.0. Use 100 for a first look.",
        ),
        (
            {"seed": -1},
            ValueError,
            "`shapes.load(seed=-1)`: `seed` must be an integer of at least 0, got -1. Seeds are not negative.",
        ),
        (
            {"difficulty": 1.5},
            ValueError,
            "`shapes.load(difficulty=1.5)`: `difficulty` must be a number in [0, 1], got 1.5. Use 0.3, the default.",
        ),
        (
            {"difficulty": "d"},
            TypeError,
            "`shapes.load(difficulty='d')`: `difficulty` must be a number in [0, 1], got 'd'. Use 0.3, the default.",
        ),
        (
            {"cue": -0.1},
            ValueError,
            (
                "`shapes.load(cue=-0.1)`: `cue` must be a number in [0, 1], got -0.1. "
                "It is the share of cues that tell the class; None draws no cue."
            ),
        ),
        (
            {"cue": True},
            TypeError,
            (
                "`shapes.load(cue=True)`: `cue` must be a number in [0, 1], got True. "
                "It is the share of cues that tell the class; None draws no cue."
            ),
        ),
        (
            {"size": 64},
            TypeError,
            (
                "`shapes.load(size=64)`: `size` must be a height and a width, got 64. "
                "Use (64, 64) for the network of load_model."
            ),
        ),
        (
            {"size": (64, 64, 3)},
            TypeError,
            (
                "`shapes.load(size=(64, 64, 3))`: `size` must be a height and a width, got (64, 64, 3). "
                "Use (64, 64) for the network of load_model."
            ),
        ),
        (
            {"size": (64, 31)},
            ValueError,
            (
                "`shapes.load(size=31)`: `size` must be an integer of at least 32, got 31. "
                "Shapes are told apart from 32 pixels on."
            ),
        ),
    ],
)
def test_a_value_that_cannot_be_drawn(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        shapes.load(**{"count": 2, **options})
    assert str(caught.value) == text
