"""What range of inputs a model or a preprocessing declares."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from xsparks.models.preprocessing import declared_range

STANDARD = np.array([0.229, 0.224, 0.225]), np.array([0.485, 0.456, 0.406])


def starting_with(layer):
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, keras.layers.Flatten()(layer(inputs)))


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (keras.layers.Rescaling(1 / 255), (0, 255)),
        (keras.layers.Rescaling(1 / 127.5, -1), (0, 255)),
        (keras.layers.Rescaling(2.0, -1), (0, 1)),
        (keras.layers.Rescaling(1 / 255, -0.5), (0, 255)),
        (keras.layers.Rescaling(1 / (255 * STANDARD[0]), -STANDARD[1] / STANDARD[0]), (0, 255)),
        (keras.layers.Rescaling(1 / STANDARD[0], -STANDARD[1] / STANDARD[0]), (0, 1)),
        (keras.layers.Normalization(mean=255 * STANDARD[1], variance=(255 * STANDARD[0]) ** 2), (0, 255)),
        (keras.layers.Normalization(mean=STANDARD[1], variance=STANDARD[0] ** 2), (0, 1)),
        (keras.layers.Conv2D(2, 3), None),
    ],
)
def test_the_range_of_a_leading_layer(layer, wanted):
    found = declared_range(starting_with(layer), None)
    assert found == (None if wanted is None else pytest.approx(wanted))


def test_a_preprocessing_decides_before_the_layers():
    model = starting_with(keras.layers.Rescaling(2.0, -1))
    assert declared_range(model, "torch") == (0, 255)
    assert declared_range(model, lambda x: x) is None
    assert declared_range(lambda x: x, None) is None
