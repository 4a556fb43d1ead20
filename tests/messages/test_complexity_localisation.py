"""The words of the metrics that look at maps alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.messages.saying import TARGETS, X, says, sobol
from xsparks.metrics import Entropy, IoU, JPEGSize, PointingGame, RelevanceMass, Sparseness

MAPS = np.random.default_rng(0).random((5, 8, 12))
MASKS = MAPS > 0.5


def test_an_explainer_without_inputs():
    says(
        ValueError,
        "`Sparseness.evaluate`: `inputs` must be given where an explainer makes the maps, got none. For example "
        "Sparseness(inputs=images, targets=labels), or pass an Explanation.",
        lambda: Sparseness().evaluate(sobol()),
    )


def test_regions_that_do_not_fit():
    says(
        ValueError,
        "`PointingGame`: `regions` must have one entry for each sample, got 3 for 5 or more. Pass them in the order",
        lambda: PointingGame(MASKS[:3]).evaluate(MAPS),
    )
    says(
        ValueError,
        "`RelevanceMass`: a region must be a mask (8, 12) or boxes (k, 4), got shape (7, 12) for sample 0. Resize",
        lambda: RelevanceMass(MASKS[:, :7]).evaluate(MAPS),
    )
    empty = MASKS.copy()
    empty[3] = False
    says(
        ValueError,
        "`IoU`: a region must hold at least one pixel, got an empty one for sample 3. Leave out samples whose object",
        lambda: IoU(empty).evaluate(MAPS),
    )


def test_regions_cannot_follow_a_dataset():
    dataset = tf.data.Dataset.from_tensor_slices((X, TARGETS)).batch(2)
    says(
        TypeError,
        "`PointingGame`: `inputs` must be an array, a tensor or a list, so that each region meets its own sample, got "
        "_BatchDataset. Take the samples out of the dataset.",
        lambda: PointingGame(MASKS, inputs=dataset),
    )


def test_pictures_only():
    says(
        ValueError,
        "`JPEGSize`: maps must be pictures (n, h, w), got shape (5, 96). Use Entropy or Sparseness for series and",
        lambda: JPEGSize().evaluate(MAPS.reshape(5, 96)),
    )
    says(
        ValueError,
        "`PointingGame(tolerance=2)`: a tolerance needs maps that are pictures (n, h, w), got shape (5, 96). Use",
        lambda: PointingGame(MASKS.reshape(5, 96), tolerance=2).evaluate(MAPS.reshape(5, 96)),
    )


@pytest.mark.parametrize(
    "make, kind, text",
    [
        (lambda: JPEGSize(quality=101), ValueError, "`quality` must be an integer in [1, 100], got 101. Use 90."),
        (lambda: PointingGame(MASKS, tolerance=-1), ValueError, "`tolerance` must be a number in [0, inf], got -1."),
        (lambda: IoU(MASKS, threshold="ots"), ValueError, "`threshold` must be one of 'otsu', 'area', got 'ots'."),
        (lambda: IoU(MASKS, threshold=1.5), ValueError, "`threshold` must be a number in [0, 1], got 1.5. Use 'otsu'"),
        (lambda: Entropy(seed=-1), ValueError, "`seed` must be an integer of at least 0, got -1. Use 0."),
    ],
)
def test_options_out_of_range(make, kind, text):
    says(kind, text, make)


def test_what_a_score_does_not_have():
    score = Sparseness().evaluate(MAPS)
    says(
        AttributeError,
        "`Sparseness.p_value`: a score has its fields and the extras of its metric, got 'p_value'. This one has no",
        lambda: score.p_value,
    )
    # What Python itself looks for keeps Python's own words: no protocol of an array may be found among the extras.
    says(AttributeError, "__array__", lambda: score.__array__)
