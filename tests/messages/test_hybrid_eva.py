"""The words of `HybridEVA`: options, and models that cannot be cut."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from tests import models
from tests.messages.saying import X, network, says
from xsparks.attributions import HybridEVA
from xsparks.core.errors import ModelError
from xsparks.models.bounds import read_network


@pytest.mark.parametrize(
    "kind, options, text",
    [
        (ValueError, {"samples": 32}, "`HybridEVA(samples=32)`: `samples` must be an integer of at least 64, got 32."),
        (
            ValueError,
            {"samples": 65},
            "`samples` must be a multiple of 8: two replicates of opposite vertices of two kinds, got 65. Use 72.",
        ),
        (
            ValueError,
            {"bounds": "alpha_crown"},
            "`bounds` must be one of 'crown', 'crown_ibp', 'ibp', got 'alpha_crown'.",
        ),
        (
            ValueError,
            {"least_agreement": 2},
            "`least_agreement` must be a number in [-1, 1], got 2. Use 0.7, or -1 to see",
        ),
        (
            ValueError,
            {"variant": "frozen"},
            "`HybridEVA(variant='frozen')`: `variant` must be one of 'freeze', 'release'",
        ),
    ],
)
def test_options_out_of_range(kind: type[Exception], options: dict[str, Any], text: str) -> None:
    says(kind, text, lambda: HybridEVA(network(), **options))


def test_a_model_without_a_layer_before_the_last() -> None:
    model = keras.Sequential([keras.Input((8, 12, 3)), layers.Dense(4, name="only"), layers.GlobalAveragePooling2D()])
    says(
        ModelError,
        "`HybridEVA`: a layer must stand before the last one with weights, got 'only' on 1 inputs. Name a layer, "
        "split_layer=, through which every path to the outputs leads.",
        lambda: HybridEVA(model).explain(X, 0),
    )


def test_a_layer_with_a_path_around_it() -> None:
    inputs = keras.Input((8, 12, 3))
    x = layers.Conv2D(3, 3, padding="same", name="within")(inputs)
    pooled = layers.GlobalAveragePooling2D()(layers.Add(name="joined")([x, inputs]))
    model = keras.Model(inputs, layers.Dense(4)(pooled))
    says(
        ModelError,
        "`HybridEVA: joined`: every path from the inputs to the outputs must pass through the layer where bounds "
        "begin, got a path around it. Choose a later layer, such as one after the block's addition, or an earlier one.",
        lambda: HybridEVA(model, split_layer="within").explain(X, 0),
    )
    beside = keras.Model(inputs, [layers.Dense(4)(pooled), layers.Dense(2, name="beside")(pooled)])
    says(
        ModelError,
        "`read_network: beside`: every path from the inputs to the outputs must pass through the layer where bounds",
        lambda: read_network(beside, output_layer="joined", start_layer="beside"),
    )


def test_a_subclassed_model() -> None:
    says(ModelError, "Write it as a functional model", lambda: HybridEVA(models.Subclassed()).explain(X))
