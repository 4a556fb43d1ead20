"""The words of `SobolAttribution`: options that contradict each other, models and images that it cannot take."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.attributions import SobolAttribution
from xsparks.core.errors import ModelError

CONTRADICTIONS = [
    (
        {"smooth": True, "estimator": "glen"},
        "smooth=True, estimator='glen', order='total'",
        "smoothing needs the squared differences of Jansen's estimator of total indices",
        "Pass smooth=False.",
    ),
    (
        {"smooth": True, "order": "first", "design": "scrambled_sobol"},
        "smooth=True, estimator='jansen', order='first'",
        "smoothing needs the squared differences of Jansen's estimator of total indices",
        "Pass smooth=False.",
    ),
    (
        {"assist": "outputs"},
        "assist='outputs', smooth=False",
        "`assist` guides the smoothing",
        "Pass smooth=True.",
    ),
    (
        {"order": "first"},
        "order='first', design='half_shift'",
        "first-order indices need a design whose two halves are independent",
        "Pass design='scrambled_sobol' with nb_design=32 or more.",
    ),
    (
        {"order": "both", "design": "binary_flip"},
        "order='both', design='binary_flip'",
        "first-order indices need a design whose two halves are independent",
        "Pass design='scrambled_sobol' with nb_design=32 or more.",
    ),
    (
        {"order": "first", "design": "scrambled_sobol", "signed": True},
        "signed=True, order='first'",
        "the sign belongs to total effects",
        "Pass order='total'.",
    ),
    (
        {"stop_when": 0.9, "nb_design": 3},
        "stop_when=0.9, nb_design=3, design='half_shift'",
        "stopping early needs at least two independent parts of the design",
        "Pass a larger nb_design and a design other than 'paper'.",
    ),
    (
        {"stop_when": 0.9, "nb_design": 8, "design": "paper"},
        "stop_when=0.9, nb_design=8, design='paper'",
        "stopping early needs at least two independent parts of the design",
        "Pass a larger nb_design and a design other than 'paper'.",
    ),
]


@pytest.mark.parametrize("options, shown, expected, remedy", CONTRADICTIONS, ids=[case[1] for case in CONTRADICTIONS])
def test_options_that_contradict_each_other(options, shown, expected, remedy):
    says(
        ValueError,
        f"`SobolAttribution({shown})`: {expected}, got this combination. {remedy}",
        lambda: sobol(**options),
    )


@pytest.mark.parametrize(
    "options, text",
    [
        ({"grid_size": 0}, "`grid_size` must be an integer of at least 1, got 0. Use 7 or 8 for images of 224 pixels."),
        ({"grid_size": (4, 0)}, "`grid_size` must be an integer of at least 1, got 0."),
        ({"gradient_masks": 0}, "`gradient_masks` must be an integer of at least 1, got 0. Use 16 to 32."),
        ({"estimator": "janssen"}, ", got 'janssen'. Nearest: jansen"),
        ({"order": "second"}, "`order` must be one of 'total', 'first', 'both', got 'second'. "),
        ({"assist": "gradient", "smooth": True}, ", got 'gradient'. Nearest: gradients."),
        ({"design": "scrambled"}, ", got 'scrambled'. Nearest: scrambled_sobol."),
        ({"replicates": 3}, "got 4 rows for 3 replicates. With 4 rows, replicates can be: 1, 2, 4."),
        (
            {"replicates": 2, "design": "paper"},
            "the published design is deterministic, so that it has 1 replicate, got 2.",
        ),
    ],
)
def test_options_out_of_range(options, text):
    says(ValueError, text, lambda: sobol(**options))


@pytest.mark.parametrize("grid", [(9, 3), (2, 13), 9])
def test_a_grid_finer_than_the_image(grid):
    both = grid if isinstance(grid, tuple) else (grid, grid)
    says(
        ValueError,
        f"`SobolAttribution(grid_size={grid})`: the grid must have as many axes as the sample has places (8, 12), and "
        f"not be finer, got {both}. Use a smaller grid_size.",
        lambda: sobol(grid_size=grid).explain(X, TARGETS),
    )


def test_the_finest_grid_is_single_pixels():
    weights = np.arange(1.0, 97).reshape(8, 12)
    explainer = SobolAttribution(models.additive(weights), grid_size=(8, 12), nb_design=4, smooth=False)
    assert explainer.explain(X[:1]).values.shape == (1, 8, 12, 1)


def flat(inputs):
    return tf.reshape(inputs, (tf.shape(inputs)[0], -1))[:, :4]


def test_a_grid_of_another_rank():
    says(
        ValueError,
        "`SobolAttribution(grid_size=(2, 3))`: the grid must have as many axes as the sample has places (7,), and not "
        "be finer, got (2, 3).",
        lambda: sobol(flat).explain(np.ones((5, 7), "float32"), 0),
    )


@pytest.mark.parametrize("assist", ["gradients", "mixed"])
def test_smoothing_of_series(assist):
    says(
        ModelError,
        f"`SobolAttribution(assist={assist!r})`: gradients guide the smoothing of images (h, w, c), got samples of "
        "shape (7, 3). Pass assist=None.",
        lambda: sobol(flat, assist=assist, smooth=True, grid_size=4).explain(np.ones((5, 7, 3), "float32"), 0),
    )


def test_outputs_that_are_no_classes():
    segmenter = keras.Sequential([keras.Input((8, 12, 3)), keras.layers.Conv2D(4, 1)])
    says(
        ModelError,
        "`SobolAttribution(assist='outputs')`: the model must have one output of shape (n, classes), got other "
        "outputs. Pass assist=None.",
        lambda: sobol(segmenter, assist="outputs", smooth=True, operator="segmentation").explain(X),
    )


def test_blur_of_a_series():
    says(
        ValueError,
        "`Blur`: samples must be images (h, w, c), got shape (7, 3). Use 'inpainting' or 'mean'.",
        lambda: sobol(flat, perturbation="blur", grid_size=4).explain(np.ones((5, 7, 3), "float32"), 0),
    )


@pytest.mark.parametrize("assist", ["gradients", "mixed"])
def test_gradients_of_a_numpy_callable(assist):
    says(
        ModelError,
        f"`SobolAttribution(assist={assist!r})`: the model must have gradients, got a function of NumPy arrays. "
        "Pass assist=None or assist='outputs', or a Keras model.",
        lambda: sobol(on_numpy, smooth=True, assist=assist).explain(X, TARGETS),
    )


def on_numpy(x):
    """The network behind a step that no tape sees."""
    return network()(np.asarray(x)).numpy()
