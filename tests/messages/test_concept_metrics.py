"""The words of what is done with concepts: metrics, vectors, counterfactuals, strategies, tables, figures."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest

from tests.messages.saying import says
from tests.truths.concept_models import pictures, planted
from xsparks.concepts import (
    CRAFT,
    TCAV,
    ConceptCounterfactuals,
    ConceptStrategies,
    ExtractionMetrics,
    KMeansConcepts,
    concept_activation_vector,
)
from xsparks.core.errors import ModelError, NotFittedError
from xsparks.evaluation import compare_extractors, compare_importances
from xsparks.metrics import Deletion
from xsparks.numerics import dictionary_measures as measures
from xsparks.plots import plot_clusters, plot_tree

X = pictures(30)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


@cache
def fitted():
    return CRAFT(planted(), layer="cut", number_of_concepts=4, patch_size=8).fit(X, 0)


def test_measures_of_dictionaries():
    two, three = np.zeros((2, 3)), np.zeros((3, 3))
    shapes = "activations and their reconstruction must have one shape (n, p), got (2, 3) and (3, 3)"
    for measure in (measures.relative_distance, measures.mean_wasserstein):
        says(ValueError, shapes, lambda measure=measure: measure(two, three))
    says(ValueError, "`neighbors` must be an integer in [1, 3]", lambda: measures.out_of_distribution(three, two, two))
    says(
        ValueError,
        "`activations` must lie apart from `reference`, got distances of 0. Hold some rows out",
        lambda: measures.out_of_distribution(np.eye(3), np.eye(3), np.eye(3), 1),
    )


def test_extraction_metrics():
    says(ValueError, "`folds` must be an integer of at least 2, got 1", lambda: ExtractionMetrics(folds=1))
    says(ValueError, "`neighbors` must be an integer of at least 1", lambda: ExtractionMetrics(neighbors=0))
    says(ValueError, "`seed` must be an integer of at least 0", lambda: ExtractionMetrics(seed=-1))
    rows = np.random.default_rng(0).random((20, 4))
    says(
        ValueError,
        "`ExtractionMetrics.evaluate`: there must be a group for each of the 20 activations, and 4 groups, got 20 in 2 "
        "groups. Pass more images, or use fewer folds.",
        lambda: ExtractionMetrics().evaluate(KMeansConcepts(), rows, 2, np.arange(20) % 2),
    )
    says(
        ValueError,
        "number_of_concepts must be at most the rank of the activations, 4, got 5. Use 4 or fewer",
        lambda: ExtractionMetrics().evaluate(KMeansConcepts(), rows, 5),
    )


def test_importances_of_other_inputs():
    says(
        ValueError,
        "`CRAFT.evaluate`: `importances` must have shape (5, 4), one for each concept, got (4, 4). Pass",
        lambda: fitted().evaluate(np.ones((4, 4)), X[:5], metric=Deletion),
    )


def test_concept_activation_vectors():
    says(ValueError, "`runs` must be an integer of at least 2, got 1", lambda: TCAV(planted(), layer="cut", runs=1))
    says(ValueError, "`pooling` must be one of 'mean', 'flatten'", lambda: TCAV(planted(), layer="cut", pooling="max"))
    negative = {"regularization": -1.0}
    says(ValueError, "`regularization` must be a number in", lambda: TCAV(planted(), layer="cut", **negative))
    rows = np.eye(4)
    says(ValueError, "`regularization` must be", lambda: concept_activation_vector(rows, rows, **negative))
    says(
        NotFittedError,
        "`TCAV`: `fit` must come first, got no vectors yet. Call tcav.fit(images_of_the_concept, random_images).",
        lambda: TCAV(planted(), layer="cut").evaluate(X),
    )
    says(
        ValueError,
        "`TCAV.fit`: there must be 3 images of the concept at least, and twice as many random ones, got 20 and 30.",
        lambda: TCAV(planted(), layer="cut").fit(X[:20], X),
    )


def test_counterfactuals():
    says(ValueError, "`vary` must be one of", lambda: ConceptCounterfactuals(fitted(), vary="atoms"))
    says(ValueError, "`most` must be a number in", lambda: ConceptCounterfactuals(fitted(), most=0.5))
    says(ValueError, "`overshoot` must be a number in", lambda: ConceptCounterfactuals(fitted(), overshoot=0))
    says(ValueError, "`steps` must be an integer of at least 1", lambda: ConceptCounterfactuals(fitted(), steps=0))
    says(ValueError, "`targets` must lie in [0, 1]", lambda: ConceptCounterfactuals(fitted()).explain(X[:2], 5))
    body = planted()
    one = keras.Model(body.input, keras.layers.Dense(1)(body.get_layer("pool").output))
    craft = CRAFT(one, layer="cut", operator="regression", number_of_concepts=4, patch_size=8).fit(X, 0)
    says(
        ModelError,
        "the model must answer with the scores of two classes or more, (n, classes), got shape (2, 1). Pass a model",
        lambda: ConceptCounterfactuals(craft).explain(X[:2]),
    )


def test_strategies():
    values = np.random.default_rng(0).random((5, 3))
    says(ValueError, "`embedding` must be one of 'tsne', 'pca'", lambda: ConceptStrategies.of(values, embedding="umap"))
    finite = "`importances` must be finite numbers (n, r), got"
    says(ValueError, finite + " shape (3,)", lambda: ConceptStrategies.of(values[0, :]))
    says(ValueError, finite + " NaN or infinity", lambda: ConceptStrategies.of(values * np.nan))
    booleans = "`right` must be (5,) booleans, one for each image, got"
    says(ValueError, booleans + " int64 of shape (5,)", lambda: ConceptStrategies.of(values, np.arange(5)))
    says(ValueError, booleans + " bool of shape (4,)", lambda: ConceptStrategies.of(values, np.ones(4, bool)))


def test_tables():
    says(
        ValueError,
        "`compare_extractors(extractors=...)`: `extractors` must hold at least one, got none. Pass them by name",
        lambda: compare_extractors(fitted(), X, 0, {}),
    )
    for option in ("explainers", "metrics"):
        says(
            ValueError,
            f"`compare_importances({option}=...)`: `{option}` must hold at least one",
            lambda option=option: compare_importances(fitted(), X[:2], **{option: {}}),
        )


def test_figures():
    points = np.eye(3, 2)
    plane = "`points` must be finite numbers (n, 2), got"
    says(ValueError, plane + " shape (3, 3)", lambda: plot_clusters(np.eye(3), [0, 0, 0]))
    says(ValueError, plane + " NaN or no point", lambda: plot_clusters(points * np.nan, [0, 0, 0]))
    says(ValueError, "`groups` must be integers from 0", lambda: plot_clusters(points, [0, -1, 0]))
    says(ValueError, "`names` must hold 2, got 1", lambda: plot_clusters(points, [0, 1, 0], names=["a"]))
    says(ValueError, "`size` must be a number in [1, 50]", lambda: plot_clusters(points, [0, 1, 0], size=0))
    says(ValueError, "`thumbnails` must be an integer", lambda: plot_clusters(points, [0, 1, 0], thumbnails=-1))
    says(ValueError, "3", lambda: plot_clusters(points, [0, 1]))
    says(ValueError, "3", lambda: plot_clusters(points, [0, 1, 1], crossed=[True]))
    says(
        ValueError,
        "each node must come after its parent, and there must be one, got parents [1, -1]. List the nodes",
        lambda: plot_tree(["a", "b"], [1, -1]),
    )
    says(ValueError, "there must be one, got parents []", lambda: plot_tree([], []))
    says(ValueError, "`columns` must be an integer of at least 1", lambda: plot_tree(["a"], [-1], columns=0))
    says(ValueError, "`size` must be a number", lambda: plot_tree(["a"], [-1], size=0))
    says(ValueError, "2", lambda: plot_tree(["a", "b"], [-1]))
