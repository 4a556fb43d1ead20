"""A layer is called a cut exactly where the model can be split at it."""

from __future__ import annotations

import keras
import pytest

from tests import models
from xsparks.core.errors import ModelError
from xsparks.models.access import ModelAccess
from xsparks.models.cuts import cut_names
from xsparks.models.layers import layers_of


def residual():
    inputs = keras.Input(models.SHAPE)
    x = keras.layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    branch = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="branch")(x)
    x = keras.layers.ReLU(name="out")(keras.layers.Add(name="sum")([x, branch]))
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(keras.layers.GlobalAveragePooling2D(name="pool")(x)))


@pytest.mark.parametrize("make", [residual, models.convolutional, models.nested], ids=lambda make: make.__name__)
def test_cuts_are_where_split_works(make):
    access = ModelAccess(make())
    access.ensure_ready(models.images(1))
    found = cut_names(access)
    for path, _ in layers_of(access.model):
        if path == "probabilities":  # bypassed, as the logits are what is explained
            continue
        before, after = access.split(path)
        try:
            after(before(models.images(1)))
            works = True
        except ModelError:
            works = False
        assert (path in found) == works, path
    if make is residual:
        assert found == ["stem", "sum", "out", "pool", "head"]
