"""Importances of concepts from their coefficients alone, and heads that read nothing but means."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.truths.concept_models import CELL, SIDE, THINGS, pictures, planted
from xsparks.attributions import GradientInput
from xsparks.concepts import CRAFT
from xsparks.models.access import ModelAccess

X, NEW = pictures(60), pictures(7, seed=9)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def craft(model, **options):
    return CRAFT(model, layer="cut", number_of_concepts=4, patch_size=CELL, predicted_only=False, **options)


def headed(*layers):
    """A network with these layers after "cut"."""
    keras.utils.set_random_seed(0)
    before = [
        keras.Input((SIDE, SIDE, THINGS)),
        keras.layers.AveragePooling2D(CELL),
        keras.layers.Conv2D(8, 1, activation="relu", name="cut"),
    ]
    return keras.Sequential([*before, *layers, keras.layers.Dense(5, activation="relu"), keras.layers.Dense(2)])


@pytest.mark.parametrize("head", ["affine", "curved"])
def test_what_was_found_is_weighed_again_without_the_images(head, monkeypatch):
    concepts = craft(planted(head)).fit(X, 0)
    found, other = concepts.explain(NEW), concepts.explain(NEW, 1)
    by_gradient = concepts.importances(NEW, explainer=GradientInput)
    np.testing.assert_allclose(concepts.importances(NEW), found.importances, atol=1e-5)

    def refused(*arguments, **options):
        raise AssertionError("the model was asked")

    monkeypatch.setattr(concepts.engine, "run", refused)
    np.testing.assert_allclose(concepts.importances(found), found.importances, atol=1e-5)
    np.testing.assert_allclose(concepts.importances(found[2:4]), found.importances[2:4], atol=1e-5)
    np.testing.assert_allclose(concepts.importances(found, 1), other.importances, atol=1e-5)
    assert not np.allclose(other.importances, found.importances, atol=1e-2)
    np.testing.assert_allclose(concepts.importances(found, explainer=GradientInput), by_gradient, atol=1e-5)


def test_a_head_that_reads_means_is_shown_one_place():
    concepts = craft(planted("curved")).fit(X, 0)
    shown, asking = concepts.explain(NEW), concepts._asking
    assert asking._of_means
    whole = craft(planted("curved"))
    whole._learn(concepts.learned_)
    whole._asking._of_means = False
    np.testing.assert_allclose(shown.importances, whole.explain(NEW).importances, atol=1e-5)


@pytest.mark.parametrize(
    "layers",
    [
        (keras.layers.Flatten(),),
        (keras.layers.GlobalMaxPooling2D(),),
        (keras.layers.Conv2D(4, 3, padding="same"), keras.layers.GlobalAveragePooling2D()),
        (keras.layers.Conv2D(4, 1, activation="tanh"), keras.layers.GlobalAveragePooling2D()),
    ],
    ids=["flatten", "largest", "neighbours", "curved before the mean"],
)
def test_other_heads_are_shown_all_places(layers):
    concepts = craft(headed(*layers)).fit(X, 0)
    found = concepts.explain(NEW)
    assert concepts._asking._of_means is False
    assert np.isfinite(found.importances).all() and found.importances.max() > 0.1


def test_a_second_fit_does_not_ask_for_shapes_again(monkeypatch):
    concepts, asked, tap = craft(planted()).fit(X, 0), [], ModelAccess.tap
    concepts.explain(NEW)
    monkeypatch.setattr(ModelAccess, "tap", lambda *given: asked.append(given) or tap(*given))
    concepts.fit(X, 0)
    assert not asked
    concepts.replace().fit(X, 0)
    assert asked
