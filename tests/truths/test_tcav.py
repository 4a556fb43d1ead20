"""Concept activation vectors point where the concept was planted, and chance is told from it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.truths.concept_models import ATOMS, CELL, HEAD, pictures, planted
from xsparks.concepts import TCAV, concept_activation_vector
from xsparks.core.randomness import generator

X = pictures(90, seed=1)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def examples(thing, count=20):
    """Pictures of one thing, of many strengths."""
    strength = np.random.default_rng(thing).uniform(0.4, 1, (count, 3, 3, 1))
    cells = np.eye(4)[thing] * strength
    return cells.repeat(CELL, axis=1).repeat(CELL, axis=2).astype(np.float32)


def tcav(model=None, **options):
    return TCAV(planted() if model is None else model, **{"layer": "cut", "runs": 6, **options})


def test_the_vector_separates_and_has_length_one():
    draw = np.random.default_rng(0)
    away = np.array([2.0, -1, 0, 0, 0])
    rows = draw.normal(size=(400, 5))
    found = concept_activation_vector(rows[:200] + 3 * away, rows[200:])
    assert found.vector @ away / np.linalg.norm(away) > 0.98 and np.linalg.norm(found.vector) == pytest.approx(1)
    assert found.accuracy > 0.98
    nothing = concept_activation_vector(rows[:200], rows[200:])
    assert 0.35 < nothing.accuracy < 0.65
    # Units mean nothing.
    np.testing.assert_allclose(
        concept_activation_vector(1e3 * (rows[:200] + away), 1e3 * rows[200:]).vector,
        concept_activation_vector(rows[:200] + away, rows[200:]).vector,
        atol=1e-3,
    )
    # So much regularization leaves the difference of the means, whatever the spread.
    wide = rows * [1, 1, 9, 1, 1] + np.repeat([[1.0], [0.0]], 200, axis=0) * [1, 0, 6, 0, 0]
    apart = wide[:200].mean(0) - wide[200:].mean(0)
    near, strong = (
        concept_activation_vector(wide[:200], wide[200:], share).vector @ apart / np.linalg.norm(apart)
        for share in (1e-3, 1e6)
    )
    assert strong > 0.9 > near
    # Of so many directions one always separates what it was found from.
    narrow = draw.normal(size=(60, 200))
    assert concept_activation_vector(narrow[:30], narrow[30:]).accuracy < 0.9
    for change in ({"regularization": 100.0}, {"seed": 1}, {"draw": 1}):
        other = concept_activation_vector(rows[:200] + away, rows[200:], **change).vector
        assert not np.allclose(other, concept_activation_vector(rows[:200] + away, rows[200:]).vector), change


def test_each_run_has_two_sets_of_random_images_that_share_none():
    test = tcav(runs=3, seed=4, regularization=0.5).fit(examples(0), X)
    cut = keras.Model(test.model.input, test.model.get_layer("cut").output)
    known, others = (np.asarray(cut(each)).mean(axis=(1, 2)) for each in (examples(0), X))
    for run in range(3):
        drawn = others[generator(4, 359, run).permutation(90)]
        first, second = drawn[:20], drawn[20:40]
        for found, rows in ((test.vectors_, known), (test.random_vectors_, second)):
            wanted = concept_activation_vector(rows, first, 0.5, 4, run)
            np.testing.assert_allclose(found[run].vector, wanted.vector, atol=1e-4)
            assert found[run].accuracy == wanted.accuracy


def test_on_an_affine_head_the_sensitivity_is_the_slope_along_the_vector():
    test = tcav().fit(examples(0), X)
    for target, speaks in ((0, 1.0), (1, 0.0)):
        score = test.evaluate(X[:7], target)
        table = np.stack([each.vector for each in test.vectors_], axis=1)
        wanted = np.tile(HEAD[:, target] @ table / 9, (7, 1))
        np.testing.assert_allclose(score.sensitivities, wanted, atol=1e-6)
        assert float(score) == speaks and len(score.per_sample) == 6
        random = HEAD[:, target] @ np.stack([each.vector for each in test.random_vectors_], axis=1)
        np.testing.assert_array_equal(score.random_scores, random > 0)
        np.testing.assert_array_equal(score.accuracy, [each.accuracy for each in test.vectors_])
    assert np.mean([ATOMS[0] @ each.vector for each in test.vectors_]) > 0.5


def test_a_flattened_layer_on_a_curved_head_against_a_slow_twin():
    model = planted("curved")
    test = tcav(model, pooling="flatten").fit(examples(1), X)
    score = test.evaluate(X[:5], 1)
    table = np.stack([each.vector for each in test.vectors_], axis=1)
    assert table.shape == (72, 6)
    pool, hidden, logits = (model.get_layer(name) for name in ("pool", "hidden", "logits"))

    cut = keras.Model(model.input, model.get_layer("cut").output)(X[:5])
    with tf.GradientTape() as tape:
        tape.watch(cut)
        answered = logits(hidden(pool(cut)))[:, 1]
    slopes = np.asarray(tape.gradient(answered, cut)).reshape(5, -1) @ table
    np.testing.assert_allclose(score.sensitivities, slopes, atol=1e-6)
    np.testing.assert_allclose(score.per_sample, (slopes > 0).mean(0))


def test_chance_is_told_from_a_concept():
    test = tcav(runs=12).fit(examples(0), X)
    # A concept may speak for a class or against it.
    assert test.evaluate(X[:7], 0).p_value < 0.05 and test.evaluate(X[:7], 1).p_value < 0.05
    chance = tcav(runs=12).fit(pictures(20, seed=5), X).evaluate(X[:7], 0)
    assert chance.p_value > 0.05 and chance.accuracy.mean() < 0.75


def test_options_data_and_batches():
    plain = tcav().fit(examples(0), X)
    for change in ({"seed": 1}, {"regularization": 50.0}):
        other = tcav(**change).fit(examples(0), X)
        assert not np.allclose(other.vectors_[0].vector, plain.vectors_[0].vector), change
    assert len(tcav(runs=3).fit(examples(0), X).vectors_) == 3
    again = tcav().fit(examples(1), X)
    again.evaluate(X[:7])
    again.fit(examples(0), X)
    np.testing.assert_allclose(again.evaluate(X[:7]).sensitivities, plain.evaluate(X[:7]).sensitivities, atol=1e-6)
    small = tcav(batch_size=4).fit(tf.data.Dataset.from_tensor_slices(examples(0)).batch(3), list(X))
    np.testing.assert_allclose(small.vectors_[0].vector, plain.vectors_[0].vector, atol=1e-4)
    wanted = plain.evaluate(X[:7])
    np.testing.assert_allclose(small.evaluate(X[:7]).sensitivities, wanted.sensitivities, atol=1e-5)
    pairs = tf.data.Dataset.from_tensor_slices((X[:7], np.ones(7, np.int32))).batch(3)
    np.testing.assert_allclose(small.evaluate(pairs).sensitivities, plain.evaluate(X[:7], 1).sensitivities, atol=1e-5)
