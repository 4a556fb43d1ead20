"""What is explained of a detector: the score of the paper, and the maps that follow."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import X, sobol
from tests.zones_and_objects import (
    BOXES,
    FOUND,
    agree,
    drise,
    hosted,
    some_objects,
    squares,
    within_graph,
)
from xsparks.attributions import Saliency
from xsparks.models.detection import Detection, detection
from xsparks.models.likeness import cosine, intersection_over_union

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def test_the_likeness_of_boxes_by_hand():
    objects = tf.constant([[[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 1.0, 3.0]]])
    boxes = tf.constant([[[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 1.0, 1.0], [9.0, 9.0, 4.0, 4.0]]])
    np.testing.assert_allclose(
        intersection_over_union(objects, boxes), [[[1, 1 / 7, 1 / 4, 0], [0, 0, 0, 0]]], rtol=1e-6
    )
    nothing = tf.zeros((1, 1, 4))
    np.testing.assert_array_equal(intersection_over_union(nothing, nothing), 0)


def test_the_likeness_of_classes_by_hand():
    objects = tf.constant([[[1.0, 0.0], [0.0, 0.0]]])
    classes = tf.constant([[[0.5, 0.0], [0.3, 0.4], [0.0, 0.2], [0.0, 0.0], [1e-8, 1e-8]]])
    np.testing.assert_allclose(cosine(objects, classes), [[[1, 0.6, 0, 0, 0.5**0.5], [0] * 5]], rtol=1e-6)


@pytest.mark.parametrize("what", [intersection_over_union, cosine])
def test_nothing_has_a_gradient_of_0(what):
    objects, variable = tf.constant([[[0.0, 0.0, 2.0, 2.0], [0, 0, 0, 0]]]), tf.Variable(tf.zeros((1, 3, 4)))
    with tf.GradientTape() as tape:
        summed = tf.reduce_sum(what(objects, variable))
    np.testing.assert_array_equal(tape.gradient(summed, variable), 0)


BEST = FOUND[np.arange(5), FOUND[..., 4].argmax(1)]
OBJECTS = {
    "the surest": (None, BEST),
    "ids": (BOXES, FOUND[np.arange(5), BOXES]),
    "column": (BOXES[:, None], FOUND[np.arange(5), BOXES]),
    "one": (some_objects(), some_objects()),
    "several": (some_objects(3), some_objects(3)),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_score_of_a_detection_follows_the_paper(kind):
    targets, objects = OBJECTS[kind]
    agree(detection, FOUND, targets, objects, drise(FOUND, objects))


def test_the_score_by_hand():
    outputs = np.array([[[0, 0, 2, 2, 0.5, 0.6, 0.8], [0, 0, 1, 2, 0.2, 1, 0]]], np.float32)
    wanted = np.array([[0, 0, 1, 2, 1, 1, 0]], np.float32)
    # By the first box 1/2 * 0.6 * 0.5, by the second 1 * 1 * 0.2, which is more.
    np.testing.assert_allclose(hosted(detection, outputs, wanted)[1], [0.2], rtol=1e-6)


@pytest.mark.parametrize(
    "parts", [("box",), ("objectness",), ("class",), ("box", "class"), ("objectness", "box"), ("class", "objectness")]
)
def test_each_part_is_a_factor(parts):
    objects = some_objects(2)
    scores = drise(FOUND, objects, parts)
    agree(Detection(parts), FOUND, objects, objects, scores)
    assert not np.allclose(scores, drise(FOUND, objects), rtol=0.05)


def test_one_part_may_be_named_without_a_list():
    assert Detection("box") == Detection(["box"]) == Detection(("box",)) != Detection()  # pyright: ignore


def test_rows_without_objectness_fill_up():
    objects = some_objects(4)
    objects[0, 1:], objects[1, 0], objects[2, 2:, 4] = 0, 0, 0
    agree(detection, FOUND, objects, objects, drise(FOUND, objects))
    np.testing.assert_allclose(hosted(detection, FOUND, objects)[1][0], drise(FOUND[:1], objects[:1, 0])[0], rtol=1e-5)


def test_one_number_is_the_box_of_all():
    read, scores = within_graph(detection, FOUND, 3)
    np.testing.assert_array_equal(read, FOUND[:, 3])
    np.testing.assert_allclose(scores, drise(FOUND, FOUND[:, 3]), rtol=1e-5)


NAMED = {"boxes": FOUND[..., :4], "objectness": FOUND[..., 4], "classes": FOUND[..., 5:]}


def test_a_dict_is_read_by_its_names():
    agree(detection, NAMED, None, BEST, drise(FOUND, BEST))
    other = {"classes": NAMED["classes"], "more": FOUND[..., 0], "objectness": FOUND[..., 4], "boxes": FOUND[..., :4]}
    agree(detection, other, BOXES, FOUND[np.arange(5), BOXES], drise(FOUND, FOUND[np.arange(5), BOXES]))


@pytest.mark.parametrize("way", ["missing", "read"])
def test_without_objectness_it_counts_as_1(way):
    operator = detection if way == "missing" else Detection(read=lambda found: (found[0], None, found[1]))
    outputs = {name: NAMED[name] for name in ("boxes", "classes")}
    if way == "read":
        outputs = [NAMED["boxes"], NAMED["classes"]]
    certain = FOUND.copy()
    certain[..., 4] = 1
    surest = certain[np.arange(5), FOUND[..., 5:].max(-1).argmax(1)]
    agree(operator, outputs, None, surest, drise(certain, surest))
    agree(operator, outputs, some_objects(), some_objects(), drise(certain, some_objects()))


def test_without_classes_the_boxes_are_enough():
    operator = Detection(("box", "objectness"))
    objects = some_objects()[:, :5]
    scores = drise(FOUND, some_objects(), ("box", "objectness"))
    agree(operator, FOUND[..., :5], objects, objects, scores)
    agree(operator, {name: NAMED[name] for name in ("boxes", "objectness")}, objects, objects, scores)


def test_another_format_is_read_by_a_function():
    """Centres and sizes, logits, and numbers of classes: as many a detector answers."""
    centres = np.concatenate([(FOUND[..., :2] + FOUND[..., 2:4]) / 2, FOUND[..., 2:4] - FOUND[..., :2]], -1)
    logits = np.log(FOUND[..., 4] / (1 - FOUND[..., 4]))
    labels = FOUND[..., 5:].argmax(-1)

    def read(found):
        middle, half = found[0][..., :2], found[0][..., 2:] / 2
        return (
            tf.concat([middle - half, middle + half], -1),
            tf.sigmoid(found[1]),
            tf.one_hot(tf.cast(found[2], tf.int32), 3),
        )

    plain = np.concatenate([FOUND[..., :5], np.eye(3)[labels]], -1)
    operator = Detection(read=read)
    np.testing.assert_allclose(
        hosted(operator, [centres, logits, labels.astype(np.float32)], some_objects())[1],
        drise(plain, some_objects()),
        rtol=1e-4,
    )


def test_no_boxes_at_all_detect_nothing():
    nothing = np.zeros((5, 0, 8), np.float32)
    np.testing.assert_array_equal(hosted(detection, nothing, some_objects())[1], 0)


def test_the_gradient_of_a_detection_by_finite_differences():
    objects = some_objects(2)
    maps = Saliency(squares, operator="detection", reducer=None, absolute=False).explain(X, objects).values

    def score(images: np.ndarray) -> np.ndarray:
        means = images.reshape(-1, 2, 4, 3, 4, 3).mean((2, 4)).reshape(-1, 6, 3)
        rows, columns = np.divmod(np.arange(6), 3)
        boxes = np.stack([columns, rows, columns + 1, rows + 1], -1) * 4 + means[..., :1] * [0.4, 0, 0.9, 0.3]
        sure = 1 / (1 + np.exp(3 - 6 * means.mean(-1, keepdims=True)))
        classes = np.exp(5 * means)
        return drise(np.concatenate([boxes, sure, classes / classes.sum(-1, keepdims=True)], -1), objects)

    images = X.astype(np.float64)
    np.testing.assert_allclose(score(images), drise(FOUND, objects), rtol=1e-5)
    for row, column, channel in ((1, 1, 0), (2, 6, 1), (6, 2, 2), (5, 9, 0)):
        step = np.zeros(models.SHAPE)
        step[row, column, channel] = 1e-4
        slope = (score(images + step) - score(images - step)) / 2e-4
        np.testing.assert_allclose(maps[:, row, column, channel], slope, rtol=1e-3, atol=1e-6)
    assert np.abs(maps).max() > 1e-3


def test_at_its_own_detection_the_gradient_sees_the_objectness_alone():
    def maps(*parts):
        operator = Detection(parts) if parts else detection
        return Saliency(squares, operator=operator, reducer="sum", absolute=False).explain(X).values

    np.testing.assert_allclose(maps("box", "class"), 0, atol=1e-6)
    own = BEST[:, 4:5, None, None]
    inside = np.zeros((5, 8, 12, 1))
    for sample, box in enumerate(FOUND[..., 4].argmax(1)):
        row, column = divmod(int(box), 3)
        inside[sample, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 6 / 16
    np.testing.assert_allclose(maps(), inside * own * (1 - own), rtol=1e-3, atol=1e-5)


def test_hiding_the_object_lowers_its_score_and_hiding_something_else_does_not():
    box = FOUND[..., 4].argmax(1)
    read, scores = hosted(detection, FOUND, None)
    for cell in range(6):
        hidden, (row, column) = X.copy(), divmod(cell, 3)
        hidden[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 0
        left = detection(squares, tf.constant(hidden), tf.constant(read)).numpy()
        assert (left[box == cell] < 0.2 * scores[box == cell]).all()
        np.testing.assert_allclose(left[box != cell], scores[box != cell], rtol=1e-5)


def test_the_map_of_a_detector_peaks_at_the_object():
    for targets, boxes in ((None, FOUND[..., 4].argmax(1)), (BOXES, BOXES)):
        maps = sobol(squares, operator="detection").explain(X, targets)
        values = maps.values.reshape(5, 6)
        np.testing.assert_array_equal(values.argmax(1), boxes)
        others = np.where(np.eye(6)[boxes] > 0, 0, values)
        assert others.max() < 0.05 * values.max(1).min()


@pytest.mark.parametrize("last", ["sigmoid", None])
def test_a_detector_that_ends_with_a_sigmoid_keeps_it_by_name(last):
    inputs = keras.Input(models.SHAPE)
    kernel = keras.initializers.RandomUniform(-1, 1, seed=3)
    values = keras.layers.Conv2D(8, 4, strides=4, kernel_initializer=kernel)(inputs)
    outputs = keras.layers.Activation("sigmoid", name="last")(keras.layers.Reshape((6, 8))(values))
    # Corners from an upper left and a lower right half.
    model = keras.Model(inputs, outputs if last else keras.layers.Reshape((6, 8))(outputs))

    def ordered(found):
        return tf.concat([found[..., :2] / 2, 1 - found[..., 2:4] / 2], -1), found[..., 4], found[..., 5:]

    maps = Saliency(model, output_layer=last and "last", operator=Detection(read=ordered)).explain(X)
    np.testing.assert_allclose(maps.scores, keras.Model(inputs, outputs)(X).numpy()[..., 4].max(1), rtol=1e-4)
