"""The words of sweeps over the weight of the harmonization, and of their figures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.messages.saying import says
from xsparks.alignment import sweep_weights
from xsparks.core.errors import WriteError
from xsparks.numerics.pareto import knee, pareto_front
from xsparks.plots import plot_trade_off

WEIGHTS = [0, 1, 4]


def train(weight: float, repeat: int) -> float:
    """No training."""
    return weight


def numbers(model: float) -> dict[str, float]:
    """Two numbers."""
    return {"accuracy": 1 / (1 + model), "alignment": model}


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("`weights` must hold weights, each once, got []. Use (0, 1, 10).", lambda: sweep_weights(train, numbers, [])),
        ("`weights` must hold weights, each once, got [1.0, 1.0]", lambda: sweep_weights(train, numbers, [1, 1])),
        ("`weights` must be a number in [0, inf], got -1", lambda: sweep_weights(train, numbers, [-1])),
        (
            "`measure` must return {'accuracy': ..., 'alignment': ...}, got ['accuracy']. Measure both",
            lambda: sweep_weights(train, lambda model: {"accuracy": 1}, [1]),
        ),
        (
            "`measure` must return {'accuracy': ..., 'alignment': ...}, got float",
            lambda: sweep_weights(train, lambda model: 1.0, [1]),  # pyright: ignore[reportArgumentType]
        ),
        ("`points` must be finite numbers (n, d), got shape (3,)", lambda: knee([1, 2, 3])),
        ("`pareto_front`: `points` must be finite numbers (n, d), got NaN or", lambda: pareto_front([[np.nan, 1]])),
        ("`points` must be finite numbers (n, 2), got shape (2, 3)", lambda: plot_trade_off(np.eye(2, 3), "ab")),
        ("`names` must", lambda: plot_trade_off(np.eye(2), "a")),
    ],
)
def test_messages(text, call):
    says(ValueError, text, call)


def test_files_that_are_none(tmp_path):
    for content in ("{}", "no"):
        (tmp_path / "other.json").write_text(content)
        says(
            ValueError,
            "`out` must be a file that a sweep wrote, got something else. Choose another file.",
            lambda: sweep_weights(train, numbers, WEIGHTS, out=tmp_path / "other.json"),
        )
    says(
        WriteError,
        "the file must be writable",
        lambda: sweep_weights(train, numbers, WEIGHTS, out=tmp_path / "other.json" / "a", progress=False),
    )
