"""The words of `xsparks.models.segmentation` and `detection`, provoked as a user would: outputs, zones, objects."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import X, says, sobol
from tests.zones_and_objects import FOUND, convolution, some_objects, squares
from xsparks.core.errors import ModelError
from xsparks.models.detection import Detection

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")

LABELS = np.zeros((5, 8, 12), int)
ON_HOST_AND_GRAPH = pytest.mark.parametrize("graph", [False, True], ids=["host", "graph"])


def explained(explainer, targets=None, graph=False):
    """A call that explains `X`, on the host or within a graph."""
    if not graph:
        return lambda: explainer.explain(X, targets)
    given = None if targets is None else tf.constant(targets)
    return lambda: explainer.as_function()(tf.constant(X), given)


@ON_HOST_AND_GRAPH
def test_outputs_that_are_no_segmentation(graph):
    size = "None" if graph else "5"
    for model, received in (
        (lambda x: [x, x], "2 outputs"),
        (squares, f"an output of shape ({size}, 6, 8)"),
    ):
        says(
            ModelError,
            "`segmentation`: the model must have one output of shape (n, H, W, K), a logit for each pixel and class, "
            f"got {received}. Pass output_layer='name' of the output to explain, or operator= a function of your own.",
            explained(sobol(model, operator="segmentation"), graph=graph),
        )


def with_rows(changed, value) -> np.ndarray:
    """Label maps or weights with another value in sample 3."""
    changed = np.array(changed)
    changed[3] = value
    return changed


@pytest.mark.parametrize(
    "targets, kind, text",
    [
        (
            [1, 2, 2, 1, 0],
            ValueError,
            (
                "`targets` must be classes that the model predicts somewhere in the image, got 0 for sample 4, where "
                "it predicts 1, 2. Pass one of these, or a label map (n, H, W) that says where the class is meant to "
                "be."
            ),
        ),
        (3, ValueError, "`targets` must lie in [0, 2], the classes of the model, got 3 at position 0. Look at the"),
        (
            [0.5] * 5,
            ValueError,
            "`targets` of shape (n,) must be class ids, got 0.5. Use integers; label maps have shape (n, H, W), ",
        ),
        (["road"] * 5, TypeError, "`targets` must be numbers, got an array of <U4. Turn class names into ids first."),
        (
            np.zeros((5, 8, 10)),
            ValueError,
            (
                "`targets` must be class ids (n,), label maps (n, 8, 12) or weights (n, 8, 12, 3), got shape (5, 8, "
                "10). Bring label maps to the size of the model's output, without interpolation."
            ),
        ),
        (np.zeros((5, 8)), ValueError, "or weights (n, 8, 12, 3), got shape (5, 8). Bring label maps"),
        (np.zeros((5, 8, 12, 2)), ValueError, "or weights (n, 8, 12, 3), got shape (5, 8, 12, 2). Bring label maps"),
        (
            with_rows(LABELS, 255),
            ValueError,
            "label maps must hold integers in [-1, 2], got 255 in sample 3. Use -1 for pixels outside of the zone to",
        ),
        (with_rows(LABELS, -2), ValueError, "integers in [-1, 2], got -2 in sample 3. Use -1"),
        (with_rows(LABELS * 1.0, 0.5), ValueError, "integers in [-1, 2], got 0.5 in sample 3. Use -1"),
        (
            with_rows(LABELS, -1),
            ValueError,
            (
                "label maps must have a zone to explain, got -1 everywhere in sample 3. Give the pixels to explain "
                "their label, or leave the sample out."
            ),
        ),
        (
            with_rows(np.ones((5, 8, 12, 3)), 0),
            ValueError,
            "weights must not all be 0, got 0 everywhere in sample 3. Look at how they were made, or leave the sample",
        ),
        (
            with_rows(np.ones((5, 8, 12, 3)), np.nan),
            ValueError,
            "`targets` must be finite weights, got NaN or infinity. Look at how they were made.",
        ),
        (
            LABELS == 0,
            ValueError,
            (
                "`targets` must say which of the 3 labels each pixel of the zone has, got a mask of booleans. "
                "Use np.where(mask, class_id, -1)."
            ),
        ),
    ],
    ids=[
        *("nowhere", "outside", "fractions", "names", "size", "rank", "classes", "ignored", "negative", "half"),
        *("empty", "no weight", "nan", "mask"),
    ],
)
def test_zones_that_do_not_fit(targets, kind, text):
    start = "`SobolAttribution`: " * text.startswith(("`targets`", "label maps must have"))
    says(kind, start + text, explained(sobol(convolution(), operator="segmentation"), targets))


@pytest.mark.parametrize("targets", [np.zeros((5, 8, 10), int), LABELS == 0], ids=["size", "mask"])
def test_zones_whose_shape_does_not_fit_in_a_graph(targets):
    text = "got a mask of booleans" if targets.dtype == bool else "got shape (None, 8, 10). Bring label maps"
    says(ValueError, text, explained(sobol(convolution(), operator="segmentation"), targets, graph=True))


def test_the_number_of_a_sample_counts_over_the_whole_data_set():
    dataset = tf.data.Dataset.from_tensor_slices(
        (np.concatenate([X] * 4), np.r_[np.zeros((17, 8, 12)), -np.ones((3, 8, 12))])
    )
    says(ValueError, "everywhere in sample 17.", lambda: sobol(convolution(), operator="segmentation").explain(dataset))
    objects = np.concatenate([some_objects()] * 4)
    objects[18, 4] = 0
    pairs = tf.data.Dataset.from_tensor_slices((np.concatenate([X] * 4), objects))
    says(ValueError, "in sample 18.", lambda: sobol(squares, operator="detection").explain(pairs))


def test_parts_that_do_not_exist():
    text = "must be one of 'box', 'objectness', 'class', got 'label'. Nearest: class."
    says(ValueError, f"`Detection(parts='label')`: `parts` {text}", lambda: Detection(("box", "label")))
    for parts in ((), ("box", "box")):
        says(
            ValueError,
            f"`Detection(parts={parts})`: `parts` must be one or more of 'box', 'objectness', 'class', each once, "
            f"got {parts}. Leave it out for all three.",
            lambda parts=parts: Detection(parts),
        )


def test_a_reader_that_is_no_function():
    says(
        TypeError,
        "`Detection(read='yolo')`: `read` must be a function from outputs to (boxes, objectness, classes), got str. "
        "Leave it out for outputs of shape (n, boxes, 4 + 1 + classes).",
        lambda: Detection(read="yolo"),  # pyright: ignore
    )


def test_a_class_instead_of_an_object():
    says(
        TypeError,
        "`SobolAttribution`: `operator` must be a name, a function or an object, got the class Detection. "
        "Call it: operator=Detection().",
        lambda: sobol(squares, operator=Detection),
    )


READ = {
    "tensor": (lambda x: squares(x)[:, 0], None, "an output of shape ({}, 8)"),
    "narrow": (lambda x: squares(x)[..., :5], None, "an output of shape ({}, 6, 5)"),
    "names": (
        lambda x: {"boxes": squares(x)[..., :4], "labels": squares(x)[..., 5]},
        None,
        "outputs named boxes, labels",
    ),
    "ranks": (
        squares,
        lambda found: (found[..., :4], found[..., 4], found[..., 5]),
        "shapes ({0}, 6, 4), ({0}, 6), ({0}, 6) from `read`",
    ),
    "corners": (
        squares,
        lambda found: (found[..., :2], None, found[..., 5:]),
        "shapes ({0}, 6, 2), None, ({0}, 6, 3) from `read`",
    ),
    "two": (squares, lambda found: (found[..., :4], found[..., 4]), "shapes ({0}, 6, 4), ({0}, 6) from `read`"),
    "nothing": (squares, lambda found: None, "a NoneType from `read`"),
}


@ON_HOST_AND_GRAPH
@pytest.mark.parametrize("kind", READ)
def test_outputs_that_are_no_detections(kind, graph):
    model, read, received = READ[kind]
    says(
        ModelError,
        "`detection`: the model must answer with boxes (n, b, 4), objectness (n, b) and classes (n, b, k): a dict of "
        f"these, or one output (n, b, 4 + 1 + k), got {received.format('None' if graph else 5)}. Pass operator="
        "Detection(read=a function from the model's outputs to these three).",
        explained(sobol(model, operator=Detection(read=read)), graph=graph),
    )


@pytest.mark.parametrize("where", ["objectness", "classes"])
def test_logits_instead_of_probabilities(where):
    scale = tf.constant([1.0] * 4 + [9.0 if where == "objectness" else 1.0] + [-9.0 if where == "classes" else 1.0] * 3)
    worst = 9 * FOUND[..., 4].max() if where == "objectness" else -9 * FOUND[..., 5:].max()
    says(
        ModelError,
        f"`detection`: objectness and classes must be probabilities in [0, 1], got {worst:.4}",
        explained(sobol(lambda x: squares(x) * scale, operator="detection")),
    )


def test_a_bypassed_sigmoid_is_found_by_its_logits():
    inputs = keras.Input(models.SHAPE)
    values = keras.layers.Conv2D(8, 4, strides=4, kernel_initializer=keras.initializers.RandomUniform(-1, 1, seed=3))(
        inputs
    )
    model = keras.Model(inputs, keras.layers.Activation("sigmoid", name="last")(keras.layers.Reshape((6, 8))(values)))
    error = says(ModelError, "must be probabilities in [0, 1], got", explained(sobol(model, operator="detection")))
    assert str(error).endswith(
        "Pass output_layer= the last layer, to keep its own activation, or operator=Detection(read=a function that "
        "applies one)."
    )


def object_with(**changes) -> np.ndarray:
    """Objects, the one of sample 2 with other numbers."""
    objects = some_objects()
    for places, value in changes.items():
        first, last = {"box": (0, 4), "objectness": (4, 5), "classes": (5, 8), "all": (0, 8)}[places]
        objects[2, first:last] = value
    return objects


@pytest.mark.parametrize(
    "targets, text",
    [
        (
            [0, 1, 6, 2, 9],
            "`targets` must lie in [0, 5], the boxes of the model, got 6 at position 2. Look at the order of",
        ),
        ([0.5] * 5, "`targets` of shape (n,) must be box ids, got 0.5. Use integers; an object has 8 numbers."),
        (
            some_objects()[:, :6],
            (
                "`targets` must be numbers of boxes (n,), an object (n, 8) or several (n, objects, 8), got shape (5, "
                "6). An object is x1, y1, x2, y2, an objectness of 1, and 3 class probabilities."
            ),
        ),
        (some_objects(2)[:, None], "or several (n, objects, 8), got shape (5, 1, 2, 8). An object is"),
        (object_with(all=np.inf), "`targets` must be finite objects, got NaN or infinity. Look at how they were made."),
        (
            object_with(objectness=0),
            (
                "`targets` must hold an object to explain, got none with an objectness above 0 in sample 2. Set the "
                "objectness of each object to 1; rows of zeros only fill up."
            ),
        ),
        (object_with(all=0)[:, None], "got none with an objectness above 0 in sample 2. Set"),
        (
            object_with(box=[4, 4, 3, 5], classes=1),
            (
                "an object must have a box with x1 < x2 and y1 < y2, and a class, got [4.0, 4.0, 3.0, 5.0, 1.0, 1.0, "
                "1.0, 1.0] in sample 2. Boxes are corners, not a centre and a size; after them come 1 and the class "
                "probabilities."
            ),
        ),
        (object_with(classes=0), "and a class, got ["),
    ],
    ids=["outside", "fractions", "width", "rank", "infinite", "no objectness", "rows", "box", "class"],
)
def test_objects_that_do_not_fit(targets, text):
    says(
        ValueError,
        "`SobolAttribution`: " * (text[0] == "`") + text,
        explained(sobol(squares, operator="detection"), targets),
    )


def test_a_factor_that_is_left_out_asks_nothing_of_the_object():
    boxes = sobol(squares, operator=Detection(("box",))).explain(X, object_with(classes=0))
    assert boxes.scores is not None and (boxes.scores > 0).all()
    classes = sobol(squares, operator=Detection(("class",))).explain(X, object_with(box=0))
    assert classes.scores is not None and (classes.scores > 0).all()


@ON_HOST_AND_GRAPH
def test_objects_whose_shape_does_not_fit(graph):
    text = "or several (n, objects, 8), got shape ({}, 6). An object is".format("None" if graph else 5)
    says(ValueError, text, explained(sobol(squares, operator="detection"), some_objects()[:, :6], graph))


@pytest.mark.parametrize("kind", ["unsure", "none"])
def test_nothing_is_detected(kind):
    sure = tf.constant([1.0] * 4 + [0.0] + [1.0] * 3)
    model = {"unsure": lambda x: squares(x) * sure, "none": lambda x: squares(x)[:, :0]}[kind]
    text = (
        "there must be a detection to explain, got none with an objectness above 0 in sample 0. Leave the sample "
        "out, or pass an object (n, 5 + k) as targets."
    )
    for targets in (None, 0):
        says(ValueError, text, explained(sobol(model, operator="detection"), targets))
