"""The words of `EVA` and `sufficient_cells`: options, models and maps that they cannot take."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tests import models
from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import EVA, sufficient_cells
from xsparks.core.errors import ModelError


def eva(model: Any = None, **options: Any) -> EVA:
    """The method with options that make it quick on tiny images."""
    quick = {"grid_size": (2, 3), "epsilon": 0.05, "bounds": "ibp", "attack_steps": 1}
    return EVA(network() if model is None else model, **{**quick, **options})


@pytest.mark.parametrize(
    "kind, options, text",
    [
        (ValueError, {"epsilon": "large"}, "`EVA(epsilon='large')`: `epsilon` must be one of 'auto', got 'large'."),
        (ValueError, {"epsilon": 0.0}, "got 0.0. Use 'auto', or .1 for pixels in [0, 1]."),
        (TypeError, {"epsilon": None}, "`epsilon` must be a number in [1e-30, inf], got None."),
        (ValueError, {"norm": "1"}, "`norm` must be one of 'inf', '2', got '1'."),
        (ValueError, {"grid_size": 0}, "`grid_size` must be an integer of at least 1, got 0. Use 12."),
        (ValueError, {"bounds": "crown_lbp"}, ", got 'crown_lbp'. Nearest: crown_ibp"),
        (ValueError, {"mode": "share"}, ", got 'share'. Nearest: shared"),
        (ValueError, {"variant": "frozen"}, "`variant` must be one of 'freeze', 'release', got 'frozen'."),
        (ValueError, {"box": "half"}, "`box` must be one of 'clipped', 'symmetric', 'remove', 'add', got 'half'."),
        (ValueError, {"attack_steps": 0}, "`attack_steps` must be an integer of at least 1, got 0. Use 30."),
        (ValueError, {"search_steps": 0}, "`search_steps` must be an integer of at least 1, got 0. Use 14."),
        (ValueError, {"value_range": "pixels"}, "`value_range` must be one of 'input', got 'pixels'."),
        (
            ValueError,
            {"value_range": (1, 0)},
            "`EVA(value_range=(1, 0))`: `value_range` must be (low, high), got (1, 0). Use (0, 1) for pixels from 0",
        ),
    ],
)
def test_options_out_of_range(kind: type[Exception], options: dict[str, Any], text: str) -> None:
    says(kind, text, lambda: eva(**options))


def test_an_operator_of_ones_own() -> None:
    says(
        ModelError,
        "`EVA`: the overlap is one of margins between classes, operator='classification', got "
        "operator='regression'. Use a method that needs no layer, such as SobolAttribution.",
        lambda: eva(operator="regression").explain(X, 0),
    )


def test_a_model_of_one_output() -> None:
    one = keras.Sequential([keras.Input((8, 12, 3)), layers.Flatten(), layers.Dense(1)])
    says(
        ModelError,
        "`EVA`: the model must decide between at least 2 classes, got an output of shape (None, 1).",
        lambda: eva(one).explain(X, 0),
    )


def test_preprocessing_with_the_channel_first() -> None:
    inputs = keras.Input((3, 8, 12))
    pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(inputs)
    model = keras.Model(inputs, layers.Dense(4)(pooled))
    says(
        ModelError,
        "`EVA`: verified bounds of a preprocessing need the channel last, got channels first.",
        lambda: eva(model, preprocess="tf").explain(np.transpose(X, (0, 3, 1, 2)), TARGETS),
    )


def test_models_and_preprocessing_without_bounds_are_named() -> None:
    """What `read_network` says, with the name of the method."""
    error = says(
        ModelError,
        "verified bounds need a preprocessing whose bounds are known: 'tf', 'torch' or 'caffe'",
        lambda: eva(preprocess=lambda x: x / 255).explain(X),
    )
    assert str(error).startswith("`EVA(preprocess=...)`")
    error = says(ModelError, "Write it as a functional model", lambda: eva(models.Subclassed()).explain(X))
    assert "EVA" in str(error) and "split_layer" not in str(error)


def test_maps_of_other_inputs() -> None:
    says(
        ValueError,
        "`sufficient_cells`: `maps` must be a map of each of the 5 inputs, of (8, 12) places, got shape (4, 2, 3, 1). "
        "Explain the same inputs.",
        lambda: sufficient_cells(eva(), X, np.ones((4, 2, 3, 1))),
    )
    says(
        ValueError,
        "got shape (5, 4, 4, 1)",
        lambda: sufficient_cells(eva(), X, np.ones((5, 4, 4, 1))),
    )


@pytest.mark.parametrize("epsilon, shown", [(None, "None"), (0.0, "0.0"), ([[0.1]], "[[0.1]]")])
def test_a_radius_that_is_none(epsilon: Any, shown: str) -> None:
    says(
        ValueError,
        f"`sufficient_cells`: `epsilon` must be a radius above 0, or one for each input, got {shown}. Pass epsilon=2 * "
        "maps.epsilon, with the maps of EVA.",
        lambda: sufficient_cells(eva(epsilon="auto"), X, np.ones((5, 2, 3, 1)), epsilon=epsilon),
    )
