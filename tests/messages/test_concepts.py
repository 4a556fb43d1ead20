"""The words of concepts: layers, crops, classes, factorizations, files, figures."""

from __future__ import annotations

import json
from functools import cache

import keras
import numpy as np
import pytest

from tests.messages.saying import says
from tests.truths.concept_models import pictures, planted
from xsparks.attributions import Saliency
from xsparks.concepts import CRAFT, Dictionary, KMeansConcepts, NMFConcepts
from xsparks.core.errors import ModelError, NotFittedError
from xsparks.models.access import Notice
from xsparks.numerics.dictionary_matching import match_atoms
from xsparks.numerics.nonnegative_encoding import nonnegative_codes
from xsparks.numerics.nonnegative_factorization import nonnegative_factorization
from xsparks.numerics.two_clusters import two_clusters
from xsparks.plots import plot_concept_crops, plot_concepts

X = pictures(30)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def craft(model=None, **options):
    given = {"layer": "cut", "number_of_concepts": 4, "patch_size": 8, **options}
    return CRAFT(planted() if model is None else model, **given)


@cache
def fitted():
    return craft().fit(X, 0)


def test_options():
    says(
        ValueError, "`number_of_concepts` must be an integer of at least 1, got 0", lambda: craft(number_of_concepts=0)
    )
    says(TypeError, "`patch_size` must be an integer of at least 1, got 0.5", lambda: craft(patch_size=0.5))
    says(ValueError, "`importance` must be one of 'auto', 'affine', 'sobol'", lambda: craft(importance="shapley"))
    says(ValueError, "`factorizer` must be one of 'nmf', 'semi_nmf'", lambda: craft(factorizer="nfm"))
    says(TypeError, "`factorizer` must be one of", lambda: craft(factorizer=NMFConcepts))
    says(ValueError, "`design` must be one of", lambda: craft(design="halton"))
    says(ValueError, "`starts` must be an integer of at least 1, got 0", lambda: NMFConcepts(starts=0))
    says(ValueError, "`iterations` must be an integer of at least 1", lambda: KMeansConcepts(iterations=0))
    says(ValueError, "`encoding` must be one of", lambda: Dictionary(atoms=np.eye(2), encoding="sparse"))
    presence = "`reduction` must be one of 'mean', 'max', got 'sum'"
    says(ValueError, presence, lambda: fitted().localize(X, 0, explainer=Saliency, reduction="sum"))


def test_nothing_was_fitted():
    for call in (lambda: craft().explain(X), lambda: craft().save("nowhere"), lambda: craft().dictionary_):
        says(
            NotFittedError,
            "`CRAFT`: `fit` must come first, got no concepts yet. Call craft.fit(images, class_id)",
            call,
        )


def test_layers_that_cannot_be_used():
    says(
        ModelError, "the layer must exist in the model, got 'cutt'. Nearest: cut", lambda: craft(layer="cutt").fit(X, 0)
    )
    says(
        ModelError,
        "the model must be a Keras model, which can be cut at a layer, got a function",
        lambda: craft(lambda x: x[:, 0, 0]).fit(X, 0),
    )
    inputs = keras.Input((24, 24, 4))
    first = keras.layers.Conv2D(8, 1, activation="relu", name="cut")(inputs)
    second = keras.layers.Conv2D(8, 1, activation="relu")(inputs)
    around = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([first, second]))
    model = keras.Model(inputs, keras.layers.Dense(2)(around))
    says(
        ModelError,
        "every path from the inputs to the outputs must pass through the layer, got a path around it",
        lambda: craft(model, predicted_only=False, number_of_concepts=2).fit(X, 0),
    )
    negative = planted(atoms=np.random.default_rng(0).normal(size=(4, 8)))
    negative.get_layer("cut").activation = keras.activations.linear
    error = says(
        ModelError,
        "the activations must not be negative for a non-negative factorization, got",
        lambda: craft(negative, predicted_only=False).fit(X, 0),
    )
    assert "Choose a layer that ends in a ReLU, or factorizer='semi_nmf'." in str(error)
    says(
        ModelError,
        "`CRAFT(importance='affine', layer='cut')`: the score must be an affine function of the layer's answer",
        lambda: craft(planted("curved"), importance="affine", predicted_only=False).fit(X, 0),
    )
    says(
        ModelError,
        "`CRAFT(layer='cut')`: the score must depend on the layer, got no gradient",
        lambda: craft(stopped(), predicted_only=False, number_of_concepts=2).fit(X, 0),
    )
    says(
        ModelError,
        "the layer must answer with (n, h, w, channels), or a vector, its channels last, got channels first",
        lambda: craft(channels_first(), layer="turned", patch_size=None).fit(np.moveaxis(X, -1, 1), 0),
    )


def stopped():
    """A network whose outputs use the layer without a gradient."""
    inputs = keras.Input((24, 24, 4))
    x = keras.layers.Conv2D(8, 1, activation="relu", name="cut")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(keras.ops.stop_gradient)(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def channels_first():
    """A network that reads its channels first."""
    inputs = keras.Input((4, 24, 24))
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_first")(keras.layers.ReLU(name="turned")(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def test_images_that_are_too_few_or_of_another_class():
    says(
        ValueError,
        "`CRAFT.fit(class_id=1)`: the model must predict this class for some of the images, got 6 images predicted as "
        "class 0. Look at `class_id` and `preprocess`, or pass predicted_only=False.",
        lambda: craft().fit(X[planted().predict(X, verbose=0).argmax(1) == 0][:6], 1),
    )
    says(ValueError, "`targets` must lie in [0, 1], the classes of the model, got 7", lambda: craft().fit(X, 7))
    says(
        ValueError,
        "there must be at least as many crops as concepts, 12, got 9. Pass more images",
        lambda: craft(number_of_concepts=12, predicted_only=False).fit(X[:1], 0),
    )
    says(
        ValueError,
        "number_of_concepts must be at most the rank of the activations, 4, got 6. Use 4 or fewer",
        lambda: craft(number_of_concepts=6).fit(X, 0),
    )
    with pytest.warns(Notice, match="18 crops are few for 4 concepts; 40 or more make them stable"):
        craft(predicted_only=False).fit(X[:2], 0)
    says(
        ValueError,
        "`CRAFT(patch_size=64)`: a patch must fit into the images, got images of 24 x 24 pixels. Use 8, or None",
        lambda: craft(patch_size=64).fit(X, 0),
    )
    table = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu", name="cut"), keras.layers.Dense(2)])
    rows = np.random.default_rng(0).random((20, 6), np.float32)
    says(
        ValueError,
        "`CRAFT(patch_size=8)`: crops are cut from images (h, w, c), got samples of shape (6,). Pass patch_size=None",
        lambda: craft(table, predicted_only=False).fit(rows, 0),
    )


def test_other_images_and_explainers():
    concepts, words = fitted(), "`images` must be those of `fit`, in the same order, got others from number"
    says(ValueError, f"`CRAFT.crops`: {words} 0 on", lambda: concepts.crops(X[::-1]))
    says(
        ValueError,
        f"`CRAFT.grow`: {words} 0 on",
        lambda: concepts.grow(pictures(30, seed=4), layers=["things"], share=0.3),
    )
    says(
        ValueError,
        "`CRAFT.grow`: `images` must be all 30 of `fit`, got 12",
        lambda: concepts.grow(X[:12], layers=["things"], share=0.3),
    )
    says(ValueError, "`CRAFT.crops`: `images` must be all 30 of `fit`, got 3", lambda: concepts.crops(X[:3]))
    says(
        ValueError,
        "`CRAFT.localize`: `explainer` must explain the model of these concepts, got an explainer of another model",
        lambda: concepts.localize(X, 0, explainer=Saliency(planted())),
    )
    says(
        ValueError,
        "`targets` must lie in [0, 3], the concepts of the model, got 4 at position 0",
        lambda: concepts.localize(X[:2], 4, explainer=Saliency),
    )
    says(
        ValueError,
        "`CRAFT.grow(layers=['pool'])`: layers must be laid out in space and come before cut, got pool",
        lambda: concepts.grow(X, layers=["pool"]),
    )
    found = concepts.explain(X[:2])
    fewer = craft(number_of_concepts=2).fit(X, 0)
    says(
        ValueError,
        "`CRAFT.importances`: what `explain` found must be of these concepts, layer cut, class_id 0, concepts 2, got "
        "layer cut, class_id 0, concepts 4. Pass what craft.explain(inputs) answered after the last fit, or the",
        lambda: fewer.importances(found),
    )
    says(ValueError, "concepts must come from crops", lambda: craft(patch_size=None).fit(X, 0).grow(X))
    for name, value in (("level", 0.0), ("share", 2.0), ("most", 1), ("depth", 0)):
        says(ValueError, f"`CRAFT.grow({name}={value})`", lambda: concepts.grow(X, **{name: value}))  # noqa: B023


def test_answers_that_are_not_finite():
    model = planted()
    concepts = craft(model).fit(X, 0)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias * np.nan])
    says(
        ModelError,
        "maps, scores and importances must be finite, got NaN or infinity. Look at `preprocess` and at the weights.",
        lambda: concepts.explain(X[:2]),
    )


def test_files(tmp_path):
    fitted().save(tmp_path / "concepts")
    says(
        ValueError,
        "the model must be the one that the concepts were found in, got other weights",
        lambda: CRAFT.load(tmp_path / "concepts", planted("curved")),
    )
    own = craft(preprocess=lambda x: x / 2).fit(X, 0)
    own.save(tmp_path / "own")
    for options in ({}, {"preprocess": "torch"}, {"preprocess": None}):
        says(
            ValueError,
            "options that a file cannot hold must be given again as they were, got another",
            lambda: CRAFT.load(tmp_path / "own", own.model, **options),  # noqa: B023
        )
    record = json.loads((tmp_path / "concepts.json").read_text())
    (tmp_path / "concepts.json").write_text(json.dumps({**record, "kind": "Score"}))
    says(
        ValueError,
        "the files must hold a saved CRAFT, got 'Score'",
        lambda: CRAFT.load(tmp_path / "concepts", fitted().model),
    )


def test_numerics():
    says(
        ValueError,
        "`nonnegative_codes`: activations must have 4 channels, as the atoms have, got shape (2, 3)",
        lambda: nonnegative_codes(np.ones((2, 3)), np.ones((2, 4))),
    )
    says(
        ValueError,
        "`match_atoms`: two dictionaries must have one shape (r, p), got (2, 3) and (3, 3)",
        lambda: match_atoms(np.ones((2, 3)), np.ones((3, 3))),
    )
    says(
        ValueError,
        "`activations` must not be negative, got a smallest value of -1",
        lambda: nonnegative_factorization(np.array([[1.0, -1.0], [1, 1]]), 1),
    )
    says(
        ValueError, "`rank` must be an integer in [1, 2], got 3", lambda: nonnegative_factorization(np.ones((5, 2)), 3)
    )
    says(ValueError, "`two_clusters`: there must be 8 points at least, got 5", lambda: two_clusters(np.ones((5, 2))))


def test_figures():
    maps = np.ones((2, 4, 4, 3))
    says(
        ValueError,
        "`maps` must be numbers (n, h, w, r), got float64 of shape (4, 3)",
        lambda: plot_concepts(maps[0, 0]),
    )
    says(ValueError, "`maps` must be finite and not negative, got values down to -1", lambda: plot_concepts(-maps))
    says(ValueError, "`maps` must be finite and not negative, got NaN", lambda: plot_concepts(maps * np.nan))
    says(
        ValueError,
        "`concepts` must be 1 to 6, as more colours cannot be told apart, got 7",
        lambda: plot_concepts(maps, concepts=range(7)),
    )
    says(ValueError, "`concepts` must be an integer in [0, 2], got 3", lambda: plot_concepts(maps, concepts=[3]))
    says(
        ValueError,
        "`names` must have as many entries as there are concepts, 3",
        lambda: plot_concepts(maps, names=["a"]),
    )
    says(ValueError, "each concept must have a crop at least, got none", lambda: plot_concept_crops([X[:2], X[:0]]))
