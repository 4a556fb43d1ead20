"""The words of Occlusion, RISE and HSIC attribution: options out of range, and samples that do not fit them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import RISE, HSICAttribution, Occlusion

SERIES, TABLE = np.ones((2, 6, 2), np.float32), np.ones((2, 6), np.float32)


def first(inputs):
    """The first value of a sample."""
    return tf.reshape(inputs, (tf.shape(inputs)[0], -1))[:, :1]


@pytest.mark.parametrize(
    "cls, options, kind, text",
    [
        (
            Occlusion,
            {"patch_size": 0},
            ValueError,
            "`patch_size` must be an integer of at least 1, got 0. Use None for a seventh of each side.",
        ),
        (Occlusion, {"patch_size": (3, 2.5)}, TypeError, "`patch_size` must be an integer of at least 1, got 2.5."),
        (
            Occlusion,
            {"patch_stride": (0, 1)},
            ValueError,
            "`patch_stride` must be an integer of at least 1, got 0. Use None for half a patch.",
        ),
        (RISE, {"samples": 1}, ValueError, "`samples` must be an integer of at least 2, got 1. Use 4000, or 1000 for"),
        (RISE, {"grid_size": 0}, ValueError, "`grid_size` must be an integer of at least 1, got 0. Use 7 for images"),
        (RISE, {"grid_size": (2, -1)}, ValueError, "`grid_size` must be an integer of at least 1, got -1."),
        (RISE, {"probability": 1.0}, ValueError, "`probability` must be a number in [0.01, 0.99], got 1.0. Use .5."),
        (HSICAttribution, {"samples": 3}, ValueError, "`samples` must be an integer of at least 4, got 3. Use 768, or"),
        (HSICAttribution, {"permutations": -1}, ValueError, "at least 0, got -1. Use 199, or 0 for no p-values."),
        (HSICAttribution, {"grid_size": (0, 1)}, ValueError, "`grid_size` must be an integer of at least 1, got 0."),
        (
            HSICAttribution,
            {"bandwidth": "output"},
            ValueError,
            "`bandwidth` must be one of 'distances', 'outputs', got 'output'. Nearest: outputs",
        ),
        (HSICAttribution, {"perturbation": "blurr"}, ValueError, "got 'blurr'. Nearest: blur"),
        (HSICAttribution, {"perturbation": 3}, TypeError, "`perturbation` must be 'inpainting', "),
    ],
    ids=str,
)
def test_options_out_of_range(cls, options, kind, text):
    says(kind, text, lambda: cls(network(), **options))


@pytest.mark.parametrize(
    "options, shown, expected",
    [
        ({"patch_size": 9}, "patch_size=9", "a patch must fit into the sample (8, 12), got (9, 9). Use a smaller"),
        (
            {"patch_size": (3, 4), "patch_stride": 4},
            "patch_stride=4",
            "the stride must be at most the patch (3, 4), so that no place is left out, got (4, 4). Use a smaller",
        ),
        (
            {"patch_size": (3,)},
            "patch_size=(3,)",
            "`patch_size` must have a number for each axis of the places (8, 12), got 1. Pass one integer for all.",
        ),
        (
            {"patch_stride": (1, 1, 1)},
            "patch_stride=(1, 1, 1)",
            "`patch_stride` must have a number for each axis of the places (8, 12), got 3. Pass one integer for all.",
        ),
    ],
    ids=str,
)
def test_patches_that_do_not_fit(options, shown, expected):
    says(ValueError, f"`Occlusion({shown})`: {expected}", lambda: Occlusion(network(), **options).explain(X, TARGETS))


@pytest.mark.parametrize("cls", [RISE, HSICAttribution])
def test_a_grid_finer_than_the_image(cls):
    says(
        ValueError,
        f"`{cls.__name__}(grid_size=9)`: the grid must have as many axes as the sample has places (8, 12), and not be "
        "finer, got (9, 9). Use a smaller grid_size.",
        lambda: cls(network(), grid_size=9).explain(X, TARGETS),
    )


@pytest.mark.parametrize("samples", [SERIES, TABLE], ids=["series", "table"])
def test_blur_is_for_images_alone(samples):
    says(
        ValueError,
        f"`Blur`: samples must be images (h, w, c), got shape {samples.shape[1:]}. Use 'inpainting' or 'mean'.",
        lambda: HSICAttribution(first, perturbation="blur").explain(samples, 0),
    )


@pytest.mark.parametrize("cls", [Occlusion, RISE])
def test_baselines_of_images_alone(cls):
    says(
        ValueError,
        f"`{cls.__name__}(baseline='blur')`: samples must be images (h, w, c), got shape (6, 2). Use 'zero' or 'mean'.",
        lambda: cls(first, baseline="blur").explain(SERIES, 0),
    )
