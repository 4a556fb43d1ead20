"""Images, series and tables: every method takes the samples that it declares, and refuses the others."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.contracts.cases import explainer_cases
from xsparks.core.errors import ModelError

CASES = {case[0]: case[1:] for case in explainer_cases() if "[" not in case[0]}
SHAPES = {"series": (10, 3), "table": (6,)}
# What is quick on pictures may not fit other samples.
OPTIONS = {
    "grid_size": 4,
    "samples": 40,
    "references": None,
    "patch_size": None,
    "patch_stride": None,
    "segments": None,
}

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def network(kind):
    def draw(seed):
        return keras.initializers.RandomUniform(-0.6, 0.6, seed=seed)

    inputs = keras.Input(SHAPES[kind])
    x = inputs
    if kind == "series":
        x = keras.layers.Conv1D(5, 3, padding="same", activation="relu", kernel_initializer=draw(1))(x)
        x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(8, "relu", kernel_initializer=draw(2))(x)
    return keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=draw(3))(x))


def made(cls, options, kind):
    chosen = {name: OPTIONS.get(name, value) for name, value in options.items()}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if "references" in options:
        chosen["references"] = np.random.default_rng(3).random((4, *SHAPES[kind])).astype(np.float32)
    return cls(network(kind), **chosen)


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("name", list(CASES))
def test_series_and_tables(name, kind):
    cls, options = CASES[name]
    x = np.random.default_rng(0).random((4, *SHAPES[kind])).astype(np.float32)
    explainer = made(cls, options, kind)
    if kind not in cls.kinds:
        with pytest.raises(ModelError, match="samples must be"):
            explainer.explain(x, 1)
        return
    explanation = explainer.explain(x, 1)
    assert explanation.shape == explanation.values.shape == x.shape
    assert np.isfinite(explanation.values).all() and np.ptp(explanation.values) > 0
    alone = explainer.replace(batch_size=1).explain(x[2:3], 1)
    np.testing.assert_allclose(alone.values[0], explanation.values[2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", list(CASES))
def test_every_method_takes_pictures(name):
    assert "image" in CASES[name][0].kinds
