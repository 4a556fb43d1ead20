"""The words of the metrics: maps of other images, of another size, too few, not finite; options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.engine import Explanation
from xsparks.metrics import Deletion, Insertion

MAPS = np.ones((5, 8, 12), np.float32)
SET = tf.data.Dataset.from_tensor_slices((X, TARGETS)).batch(2)
REMEDY = "Pass the explanation of the same inputs, or the explainer itself."


@pytest.fixture(scope="module")
def explained() -> Explanation:
    return sobol().explain(X, TARGETS)


def refuses(maps, expected: str, received: str, inputs=X, targets=TARGETS) -> None:
    for metric in (Deletion, Insertion):
        says(
            ValueError,
            f"`{metric.__name__}.evaluate`: `maps` must be {expected}, got {received}. {REMEDY}",
            lambda: metric(network(), inputs, targets).evaluate(maps),  # noqa: B023
        )


def test_too_few_or_too_many_maps_for_an_array(explained):
    refuses(MAPS[:3], "one map for each of the 5 inputs", "3 maps")
    refuses(np.ones((6, 8, 12)), "one map for each of the 5 inputs", "6 maps")
    refuses(explained[:3], "one map for each of the 5 inputs", "3 maps")


def test_too_few_or_too_many_maps_for_a_dataset(explained):
    refuses(MAPS[:3], "one map for each of at least 5 inputs", "3 maps", SET, None)
    refuses(np.ones((9, 8, 12)), "one map for each of the 5 inputs", "9 maps", SET, None)
    refuses(explained, "one map for each of the 4 inputs", "5 maps", SET.take(2), None)


def test_maps_of_other_images(explained):
    refuses(explained, "maps of the inputs of this metric", "an input that was not explained", models.images(5, seed=9))
    twice = np.concatenate([X[:1], X[:4]])
    refuses(explained, "maps of the inputs of this metric", "an input that was not explained", twice)


def test_maps_of_another_size():
    refuses(np.ones((5, 16, 24)), "maps of size (8, 12) or a coarser grid", "size (16, 24)")
    refuses(np.ones((5, 12, 8, 1)), "maps of size (8, 12) or a coarser grid", "size (12, 8)")
    refuses(np.ones((5, 96)), "maps of shape (n, 8, 12)", "shape (5, 96)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_that_are_not_finite(value):
    maps = MAPS.copy()
    maps[2, 1, 1] = value
    refuses(maps, "finite maps", "NaN or infinity")


@pytest.mark.parametrize(
    "maps, received",
    [
        (None, "NoneType None"),
        ("maps.npz", "str 'maps.npz'"),
        (Path("maps.npz"), f"{type(Path()).__name__} {type(Path()).__name__}('maps.npz')"),
        (3.0, "float 3.0"),
        ([MAPS[0], MAPS[0, :4]], "list [array(["),
        (MAPS[0, 0], "ndarray array([1."),
    ],
    ids=["none", "path", "Path", "number", "ragged", "row"],
)
def test_maps_of_another_kind(maps, received):
    error = says(
        TypeError,
        f"`Deletion.evaluate`: `maps` must be an Explanation, an Explainer or an array (n, h, w), got {received}",
        lambda: Deletion(network(), X, TARGETS).evaluate(maps),
    )
    assert str(error).endswith(". Load a saved one with Explanation.load(path).")


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"steps": 0}, ValueError, "`Deletion(steps=0)`: `steps` must be an integer of at least 1, got 0. Use 20."),
        ({"steps": 2.0}, TypeError, "`steps` must be an integer of at least 1, got 2.0. Use 20."),
        ({"max_fraction": 0}, ValueError, "`max_fraction` must be a number in [1e-06, 1], got 0. Use 1 for the whole"),
        ({"max_fraction": 1.1}, ValueError, "`max_fraction` must be a number in [1e-06, 1], got 1.1. Use 1 for the"),
        (
            {"score": "logits"},
            ValueError,
            "`score` must be one of 'probability', 'logit', got 'logits'. Nearest: logit.",
        ),
    ],
)
def test_options_out_of_range(options, kind, text):
    says(kind, text, lambda: Deletion(network(), X, TARGETS, **options))


def test_inputs_that_cannot_be_read_name_the_metric():
    says(
        ValueError,
        "`Insertion`: `inputs` must hold at least one sample",
        lambda: Insertion(network(), X[:0]).evaluate([]),
    )
    says(
        ValueError,
        "`Insertion`: `targets` must have one entry for each of the 5",
        lambda: Insertion(network(), X, [1]).evaluate(MAPS),
    )
