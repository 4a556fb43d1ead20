"""What is explained of a segmentation: the mean logit of a zone, and the maps that follow."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import X, sobol
from tests.zones_and_objects import (
    agree,
    bright,
    convolution,
    within_graph,
    zone_scores,
)
from xsparks.attributions import Saliency
from xsparks.models.access import Notice
from xsparks.models.segmentation import segmentation

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")

RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.normal(size=(4, 5, 6, 3)).astype(np.float32)
PREDICTED = LOGITS.argmax(-1).astype(np.int32)
CLASSES = np.array([2, 0, 1, 2])
DRAWN = RANDOM.integers(-1, 3, size=(4, 5, 6)).astype(np.int32)
OF_CLASSES = np.where(PREDICTED == CLASSES[:, None, None], PREDICTED, -1).astype(np.int32)
ZONES = {
    "everything": (None, PREDICTED),
    "ids": (CLASSES, OF_CLASSES),
    "floats": (CLASSES.astype(np.float32), OF_CLASSES),
    "column": (CLASSES[:, None], OF_CLASSES),
    "labels": (DRAWN, DRAWN),
    "int64": (DRAWN.astype(np.int64), DRAWN),
    "labels as floats": (DRAWN.astype(np.float32), DRAWN),
    "labels with an axis": (DRAWN[..., None], DRAWN),
}


@pytest.mark.parametrize("kind", ZONES)
def test_the_score_of_a_zone_is_its_mean_logit(kind):
    targets, labels = ZONES[kind]
    agree(segmentation, LOGITS, targets, labels, zone_scores(LOGITS, labels))


def test_the_zones_of_different_targets_have_different_scores():
    scores = [tuple(np.round(zone_scores(LOGITS, ZONES[kind][1]), 4)) for kind in ("everything", "ids", "labels")]
    assert len(set(scores)) == 3


def test_weights_are_divided_by_their_size():
    weights = RANDOM.normal(size=LOGITS.shape).astype(np.float32)
    scores = [np.sum(a * b) / np.abs(b).sum() for a, b in zip(LOGITS, weights.astype(np.float64), strict=True)]
    agree(segmentation, LOGITS, weights, weights, np.array(scores))
    agree(segmentation, LOGITS, 7 * weights, 7 * weights, np.array(scores))


@pytest.mark.parametrize("target", [None, 0, 1, "labels", "boolean"])
def test_one_channel_is_a_logit_or_its_negative(target):
    logits = LOGITS[..., :1]
    predicted = (logits[..., 0] > 0).astype(np.int32)
    labels = np.where(predicted == target, predicted, -1) if isinstance(target, int) else predicted
    given = np.full(4, target) if isinstance(target, int) else target
    if isinstance(target, str):
        labels = np.minimum(DRAWN, 1) if target == "labels" else (DRAWN > 0).astype(np.int32)
        given = labels[..., None] if target == "labels" else labels.astype(bool)
    agree(segmentation, logits, given, labels.astype(np.int32), zone_scores(logits, labels))


def test_fractions_for_one_channel_are_weights():
    weights = RANDOM.random((4, 5, 6, 1)).astype(np.float32)
    scores = (LOGITS[..., :1] * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3))
    agree(segmentation, LOGITS[..., :1], weights, weights, scores)


def test_a_class_that_is_nowhere_has_the_score_0_in_a_graph():
    logits = LOGITS - np.array([0, 99, 0], np.float32)
    read, scores = within_graph(segmentation, logits, 1)
    assert (read == -1).all() and (scores == 0).all()


@pytest.mark.parametrize("channels, activation", [(3, "softmax"), (1, "sigmoid")])
def test_the_logits_arrive_where_a_network_ends_with_an_activation(channels, activation):
    maps = sobol(convolution(channels, activation), operator="segmentation").explain(X)
    logits = convolution(channels)(X).numpy()
    labels = logits.argmax(-1) if channels > 1 else (logits[..., 0] > 0).astype(int)
    np.testing.assert_array_equal(maps.targets, labels)
    np.testing.assert_allclose(maps.scores, zone_scores(logits, labels), rtol=1e-4, atol=1e-5)


def test_the_gradient_of_a_zone_is_that_of_its_pixels():
    labels = np.full((5, 8, 12), -1)
    labels[:, 2:4, 5:8], labels[:, 6, 1] = 1, 0
    maps = Saliency(bright, operator="segmentation", reducer="sum", absolute=False).explain(X, labels).values[..., 0]
    wanted = np.select([labels == 1, labels == 0], [3 / 7, -3 / 7], 0)
    np.testing.assert_allclose(maps, wanted, atol=1e-6)


def test_the_gradient_of_a_segmentation_by_finite_differences():
    network = convolution()
    maps = Saliency(network, operator="segmentation", reducer="sum", absolute=False).explain(X[:1], 1)
    kernel, bias = (weight.numpy().astype(np.float64) for weight in network.weights)

    def score(image: np.ndarray) -> float:
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        logits = np.einsum("hwcij,ijck->hwk", windows, kernel) + bias
        return zone_scores(logits[None], maps.targets)[0]

    for row, column in ((0, 0), (3, 7), (7, 11)):
        step = np.zeros(models.SHAPE)
        step[row, column] = 1e-3
        slope = (score(X[0] + step) - score(X[0] - step)) / 2e-3
        np.testing.assert_allclose(maps.values[0, row, column, 0], slope, rtol=1e-4, atol=1e-6)


def test_the_map_of_a_segmentation_peaks_in_the_zone():
    labels = np.full((5, 8, 12), -1)
    for sample in range(5):
        row, column = divmod(sample, 3)
        labels[sample, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1
    maps = sobol(bright, operator="segmentation").explain(X, labels)
    values = maps.values.reshape(5, 6)
    np.testing.assert_array_equal(values.argmax(1), np.arange(5))
    np.testing.assert_allclose(values[np.arange(5), np.arange(5)], values.sum(1), rtol=1e-4)


def test_probabilities_of_pixels_are_noticed():
    plain = convolution()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Saliency(lambda x: tf.nn.softmax(plain(x)), operator="segmentation").explain(X)
    assert any("look like probabilities" in str(each.message) for each in caught if each.category is Notice)
