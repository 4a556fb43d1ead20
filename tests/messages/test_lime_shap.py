"""The words of `LIME` and `KernelSHAP`: options, segments and kernels that they cannot take."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import LIME, KernelSHAP, SurrogateExplainer
from xsparks.core.errors import ModelError


def explain(cls: type[SurrogateExplainer] = LIME, **options):
    return cls(network(), **{"samples": 20, "grid_size": (2, 3), **options}).explain(X, TARGETS)


@pytest.mark.parametrize(
    "kind, options, text",
    [
        (ValueError, {"samples": 1}, "`LIME(samples=1)`: `samples` must be an integer of at least 2, got 1. Use 1000."),
        (ValueError, {"max_segments": 0}, "`max_segments` must be an integer of at least 1, got 0. Use 256."),
        (ValueError, {"grid_size": 0}, "`grid_size` must be an integer of at least 1, got 0. Use 7 for images of 224"),
        (ValueError, {"grid_size": (2, 0)}, "`LIME(grid_size=0)`: `grid_size` must be an integer of at least 1"),
        (ValueError, {"grid_size": (9, 3)}, "not be finer, got (9, 3). Use a smaller grid_size."),
        (ValueError, {"probability": 1.0}, "`LIME(probability=1.0)`: `probability` must be a number in [0.001, 0.999]"),
        (ValueError, {"kernel": "euclid"}, "one of 'cosine', 'euclidean', got 'euclid'. Nearest: euclidean."),
        (ValueError, {"kernel_width": 0}, "`kernel_width` must be a number in [0.001, inf], got 0. Use .25."),
        (ValueError, {"alpha": 0}, "`LIME(alpha=0)`: `alpha` must be a number in [1e-06, inf], got 0. Use 1."),
        (ValueError, {"perturbation": "blurr"}, "`LIME(perturbation='blurr')`: `perturbation` must be one of"),
        (
            ValueError,
            {"jit_compile": True, "segments": lambda image: np.zeros((8, 12), int)},
            "`segments` must be None or an array, because XLA takes no step on the host, got a function. Pass jit_com",
        ),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, type) else "",
)
def test_options_out_of_range(kind, options, text):
    says(kind, text, lambda: explain(**options))


def test_a_kernel_so_narrow_that_no_variant_counts():
    expected = "the kernel must leave some weight to the variants of 6 segments, got "
    remedy = " in all. Pass a larger kernel_width, such as .25, or a larger probability."
    for segments in (None, lambda image: np.arange(96).reshape(8, 12) // 16):
        error = says(
            ValueError,
            f"`LIME(kernel_width=0.001)`: {expected}",
            lambda segments=segments: explain(kernel_width=0.001, segments=segments, samples=4),
        )
        assert str(error).endswith(remedy)


FAULTY = [
    (
        TypeError,
        np.ones((8, 12)),
        "the labels of segments must be integers, got float64. Pass None for a grid, an array",
    ),
    (TypeError, "slic", "the labels of segments must be integers, got <U4. Pass None for a grid, an array of integers"),
    (
        ValueError,
        np.ones((12, 8), int),
        "the labels of segments must be 0 or more, one for each place (8, 12), got shape (12, 8). Give what is left",
    ),
    (ValueError, np.full((8, 12), -1), "0 or more, one for each place (8, 12), got -1. Give what is left out a label"),
]


@pytest.mark.parametrize("kind, labels, text", FAULTY, ids=[case[2][-30:] for case in FAULTY])
def test_labels_that_are_none(kind, labels, text):
    says(kind, f"`LIME(segments=...)`: {text}" if kind is TypeError else text, lambda: explain(segments=labels))
    says(kind, text, lambda: explain(KernelSHAP, segments=lambda image: labels))


def test_more_segments_than_allowed():
    def pixels(image):
        return np.arange(96).reshape(8, 12)

    says(
        ValueError,
        "`LIME(max_segments=50)`: a sample must have at most `max_segments` segments, got 96. Pass max_segments=96 or "
        "more, or a function that finds fewer.",
        lambda: explain(segments=pixels, max_segments=50),
    )
    assert explain(segments=pixels, max_segments=96).shape == (5, 8, 12, 1)
    assert explain(segments=pixels(None)).coefficients.shape == (5, 96)


def test_what_a_function_raises_reaches_the_user():
    def broken(image):
        raise ZeroDivisionError("no segments today")

    explainer = LIME(network(), samples=20, segments=broken)
    says(ZeroDivisionError, "no segments today", lambda: explainer.explain(X, TARGETS))
    says(ZeroDivisionError, "no segments today", lambda: list(explainer.stream(X, TARGETS)))


def test_what_the_model_raises_is_not_taken_for_the_segments():
    def broken(inputs):
        return tf.linalg.cholesky(-tf.eye(4)) + inputs[:, 0, 0, :1]

    with pytest.raises(tf.errors.InvalidArgumentError):
        LIME(broken, samples=20, segments=lambda image: np.zeros((8, 12), int)).explain(X, TARGETS)


@pytest.mark.parametrize("grid", [(4, 6), (8, 12)])
def test_too_few_samples_for_so_many_segments(grid):
    number = grid[0] * grid[1]
    labels = np.arange(number).reshape(grid).repeat(8 // grid[0], 0).repeat(12 // grid[1], 1)
    texts = []
    for options in ({"grid_size": grid}, {"segments": labels}, {"segments": lambda image: labels}):
        text = f"`KernelSHAP(samples=20)`: `samples` must determine the values of {number} segments, which "
        error = says(ValueError, text, lambda options=options: explain(KernelSHAP, **options))
        assert "do, got 20. Pass more samples, ten for each segment or so, or use fewer segments." in str(error)
        texts.append(str(error))
    assert len(set(texts)) == 1
    enough = int(re.findall(r"which (\d+) do", texts[0])[0])
    assert 2 * (number - 1) <= enough < 3 * number
    maps = explain(KernelSHAP, grid_size=grid, samples=enough)
    assert np.isfinite(maps.values).all()


def test_a_function_for_segments_within_a_graph():
    explainer = LIME(network(), samples=20, segments=lambda image: np.zeros((8, 12), int))
    says(
        ModelError,
        "`LIME`: the method must run within a graph, got a step on the host.",
        lambda: explainer.as_function()(tf.constant(X), tf.constant(TARGETS)),
    )
