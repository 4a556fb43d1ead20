"""Objectives are values, their algebra is what it says, and their losses are those of each sample."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.engine import Engine
from xsparks.features import Objective, PictureModel
from xsparks.features.losses import cosine, dot_cosine
from xsparks.features.objectives import as_objectives
from xsparks.features.slots import packed, slot_layers, values_of
from xsparks.models.access import ModelAccess

X = models.images(3)


def values(objectives, model=None, x=X):
    """The value of each objective for each picture, `(targets, pictures)`, as one packed tree gives them."""
    access = ModelAccess(model or models.convolutional())
    pictures = PictureModel(Engine(access, None), None, (0, 1), "test")
    pictures.check()
    targets = packed(objectives, access, pictures.shapes, "test")
    layers = slot_layers(targets.slots)
    answers = dict(zip([*layers, "outputs"], pictures.answers_to(x, layers), strict=True))
    found = []
    for row in range(len(objectives)):
        own = [
            {name: np.repeat(value[row : row + 1], len(x), 0) for name, value in each.items()}
            for each in targets.numbers
        ]
        found.append(values_of(targets.slots, {name: tf.constant(a) for name, a in answers.items()}, own).numpy())
    return np.array(found), answers


def test_the_algebra_has_the_values_that_it_says_and_changes_nothing():
    a, b = Objective.logit(1), Objective.channel("second", 3)
    vector = np.arange(8.0) - 3
    c = Objective.direction("second", vector, "cosine")
    both = 2 * a - b + c / 4
    third = -(a - (b - 3 * c))
    found, _ = values([a, b, c, both, third])
    np.testing.assert_allclose(found[3], 2 * found[0] - found[1] + found[2] / 4, rtol=1e-5)
    np.testing.assert_allclose(found[4], -found[0] + found[1] - 3 * found[2], rtol=1e-4)
    assert [term.weight for term in a.terms + b.terms + c.terms] == [1, 1, 1]
    assert both.name == "2 * class 1 - channel 3 of second + 0.25 * direction of second"
    assert third.name == "-(class 1 - (channel 3 of second - 3 * direction of second))"
    np.testing.assert_allclose(values([a])[0][0], found[0], rtol=1e-6)


def test_each_kind_reads_its_part_of_the_layer():
    _, answers = values([Objective.logit(0), Objective.channel("second", 0)])
    second, outputs = answers["second"], answers["outputs"]
    vector = np.linspace(-1, 1, 8).astype(np.float32)
    whole = second[1]
    kinds = [
        Objective.logit(2),
        Objective.channel("second", 5),
        Objective.neuron("second", (1, 2), 5),
        Objective.direction("second", vector, "dot"),
        Objective.direction("second", vector, "cosine"),
        Objective.direction("second", vector),
        Objective.answer("second", whole),
        Objective.answer("second", whole, "distance"),
    ]
    found, _ = values(kinds)
    length = np.linalg.norm(second, axis=-1)
    inner = second @ vector
    angle = inner / np.maximum(length, 1e-30) / np.linalg.norm(vector)
    flat = second.reshape(3, -1)
    expected = [
        outputs[:, 2],
        second[..., 5].mean((1, 2)),
        second[:, 1, 2, 5],
        inner.mean((1, 2)),
        angle.mean((1, 2)),
        (inner * np.maximum(angle, 0.1) ** 2).mean((1, 2)),
        flat @ flat[1] / np.linalg.norm(flat, axis=1) / np.linalg.norm(flat[1]),
        ((flat - flat[1]) ** 2).sum(1) / (flat[1] ** 2).sum(),
    ]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-4, atol=1e-5)


def test_layers_are_found_in_nested_models_by_name_and_by_path():
    nested = models.nested()
    inner = next(layer for layer in nested.layers if hasattr(layer, "layers"))
    found, answers = values([Objective.channel(f"{inner.name}.second", 5), Objective.channel("second", 5)], nested)
    np.testing.assert_allclose(found[0], answers[f"{inner.name}.second"][..., 5].mean((1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != 0).any()


def test_losses_are_those_of_each_sample():
    activations = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    direction = np.random.default_rng(1).normal(size=6).astype(np.float32)
    for loss in (cosine, dot_cosine):
        together = loss(tf.constant(activations), tf.constant(direction)).numpy()
        alone = [float(loss(tf.constant(row), tf.constant(direction))) for row in activations]
        np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("targets", "layer", "names"),
    [
        (3, None, ["class 3"]),
        ([3, 1], None, ["class 3", "class 1"]),
        (np.array([2, 0]), "second", ["channel 2 of second", "channel 0 of second"]),
        (np.array([0.5, 1.0]), None, ["direction of the output"]),
        (np.eye(3), "second", ["direction of second"] * 3),
        ([1, Objective.logit(2)], None, ["class 1", "class 2"]),
        ([np.ones(4), 1], None, ["direction of the output", "class 1"]),
    ],
)
def test_targets_are_read_as_they_are_meant(targets, layer, names):
    assert [each.name for each in as_objectives(targets, layer, "test")] == names


def test_a_concept_is_whatever_has_a_layer_and_a_direction():
    class Concept:
        layer, direction, name = "second", np.arange(8.0), "fur"

    (objective,) = as_objectives(Concept(), None, "test")
    assert objective.name == "fur" and objective.terms[0].layer == "second"


def test_an_objective_keeps_its_own_copy_of_a_direction():
    vector = np.ones(8)
    objective = Objective.direction("second", vector)
    vector[:] = 5
    assert (objective.terms[0].direction == 1).all()
