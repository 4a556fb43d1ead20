"""The words of MuFidelity, LeRFMinusMoRF, the masked scores, and what hidden pixels become."""

from __future__ import annotations

import numpy as np
import pytest

from tests.messages.saying import TARGETS, X, network, says
from xsparks.metrics import AverageDrop, Deletion, LeRFMinusMoRF, MuFidelity
from xsparks.numerics.subset_designs import subset_design
from xsparks.perturbations import NoisyLinear

MAPS = np.ones((5, 8, 12), np.float32)


@pytest.mark.parametrize(
    "options, kind, text",
    [
        (
            {"grid_size": 0},
            ValueError,
            "`MuFidelity(grid_size=0)`: `grid_size` must be an integer of at least 1, got 0. Use 9 for images of 224",
        ),
        ({"grid_size": (4, 2.5)}, TypeError, "`grid_size` must be an integer of at least 1, got 2.5. Use 9 for"),
        ({"subset_fraction": 0}, ValueError, "`subset_fraction` must be a number in [1e-06, 0.999999], got 0. Use 0.2"),
        ({"subset_fraction": 1.0}, ValueError, "`subset_fraction` must be a number in [1e-06, 0.999999], got 1.0. Use"),
        ({"samples": 2}, ValueError, "`samples` must be an integer of at least 3, got 2. Use 200."),
        ({"design": "sobol"}, ValueError, "`design` must be one of 'balanced', 'antithetic', 'independent', got 'sob"),
        ({"correlation": "kendall"}, ValueError, "`correlation` must be one of 'spearman', 'pearson', got 'kendall'."),
    ],
    ids=str,
)
def test_options_out_of_range(options, kind, text):
    says(kind, text, lambda: MuFidelity(network(), X, TARGETS, **options))


def test_a_grid_that_does_not_fit():
    says(
        ValueError,
        "`MuFidelity(grid_size=9)`: the grid must have as many axes as the sample has places (8, 12), and not be finer",
        lambda: MuFidelity(network(), X, TARGETS).evaluate(MAPS),
    )
    says(
        ValueError,
        "`MuFidelity(grid_size=1)`: the grid must have at least 2 cells, of which one can be hidden alone, got (1, 1). "
        "Use a larger grid_size.",
        lambda: MuFidelity(network(), X, TARGETS, grid_size=1).evaluate(MAPS),
    )


def test_part_of_a_path():
    says(
        ValueError,
        "`LeRFMinusMoRF(max_fraction=0.5)`: `max_fraction` must be 1, for both orders to lead to the same image, got "
        "0.5. Use Deletion for part of a path.",
        lambda: LeRFMinusMoRF(network(), X, TARGETS, max_fraction=0.5),
    )
    says(ValueError, "`steps` must be an integer of at least 1", lambda: LeRFMinusMoRF(network(), X, TARGETS, steps=0))


def test_what_hidden_pixels_become():
    says(
        ValueError,
        "`Deletion(baseline='imputd')`: `baseline` must be one of 'zero', 'middle', 'mean', 'blur', 'noise', "
        "'imputed', got 'imputd'. Nearest: imputed.",
        lambda: Deletion(network(), X, TARGETS, baseline="imputd").evaluate(MAPS),
    )
    says(
        ValueError,
        "`AverageDrop(baseline='imputed')`: `baseline` must be one of 'zero', 'middle', 'mean', 'blur', 'noise', got",
        lambda: AverageDrop(network(), X, TARGETS, baseline="imputed").evaluate(MAPS),
    )
    says(
        ValueError,
        "`Deletion(baseline='imputed')`: samples must be images (h, w, c), got shape (9,). Use 'zero' or 'mean'.",
        lambda: Deletion(lambda x: x, np.ones((2, 9), np.float32), 0, baseline="imputed").evaluate(np.ones((2, 9))),
    )
    says(
        ValueError,
        "`NoisyLinear(noise=-0.1)`: `noise` must be a number in [0, 1], got -0.1. Use 0.01.",
        lambda: NoisyLinear(noise=-0.1),
    )


def test_a_design_that_is_none():
    says(
        ValueError,
        "`subset_design(name='pairs')`: `name` must be one of 'balanced', 'antithetic', 'independent', got 'pairs'.",
        lambda: subset_design("pairs", 200, 81, 16),
    )
