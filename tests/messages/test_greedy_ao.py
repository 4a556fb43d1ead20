"""The words of `GreedyAO`: options, and models without margins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.messages.saying import X, network, says
from xsparks.attributions import GreedyAO
from xsparks.core.errors import ModelError


@pytest.mark.parametrize(
    "options, text",
    [
        ({"epsilon": -1}, "`epsilon` must be a number in [1e-30, inf], got -1. Use 'auto', or .1 for pixels in [0,"),
        ({"variant": "add"}, "`GreedyAO(variant='add')`: `variant` must be one of 'freeze', 'release', got 'add'."),
        ({"samples": 1}, "`samples` must be an integer of at least 2, got 1. Use 128, or three for each cell."),
        ({"look_ahead": 1}, "`look_ahead` must be a number in [0, 0.99], got 1. Use .2, or 0 to try each cell alone."),
        ({"round_share": 0}, "`round_share` must be a number in [1e-06, 1], got 0. Use .05."),
        ({"ordered_share": 2}, "`ordered_share` must be a number in [1e-06, 1], got 2. Use .5."),
        ({"robustness": "norm"}, "`robustness` must be one of 'overlap', 'distance', got 'norm'."),
        ({"bisections": 0}, "`bisections` must be an integer of at least 1, got 0. Use 5."),
        ({"attack_steps": 0}, "`attack_steps` must be an integer of at least 1, got 0. Use 30."),
    ],
    ids=str,
)
def test_options_out_of_range(options: dict[str, Any], text: str) -> None:
    says(ValueError, text, lambda: GreedyAO(network(), **options))


def test_an_operator_of_ones_own() -> None:
    says(
        ModelError,
        "`GreedyAO`: the overlap is one of margins between classes, operator='classification', got "
        "operator='regression'. Use a method that needs no layer, such as SobolAttribution.",
        lambda: GreedyAO(network(), operator="regression").explain(X, 0),
    )


def test_a_grid_finer_than_the_image() -> None:
    says(
        ValueError,
        "`GreedyAO(grid_size=9)`: the grid must have as many axes as the sample has places (8, 12), and not be finer",
        lambda: GreedyAO(network(), grid_size=9).explain(X, 0),
    )
