"""Strategies, tables of concepts, and their figures."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from tests.truths.concept_models import CELL, COLLAPSED, pictures, planted
from xsparks.attributions import GradientInput, VarGrad
from xsparks.concepts import CRAFT, ConceptStrategies, ExtractionMetrics, KMeansConcepts, NMFConcepts
from xsparks.evaluation import compare_extractors, compare_importances
from xsparks.metrics import Deletion, Insertion, MuFidelity
from xsparks.plots import plot_clusters, plot_tree
from xsparks.plots.clusters import COLORS

X, NEW = pictures(60), pictures(12, seed=9)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


@cache
def fitted():
    return CRAFT(planted(), layer="cut", number_of_concepts=4, patch_size=CELL).fit(X, class_id=0)


def test_prevalence_and_reliability_are_shares():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(40, 4))
    values[:, 3] = -9
    right = draw.random(40) < 0.7
    found = ConceptStrategies.of(values, right, embedding="pca")
    np.testing.assert_array_equal(found.top, values.argmax(1))
    for concept in range(3):
        own = values.argmax(1) == concept
        assert found.prevalence[concept] == own.mean() and found.reliability[concept] == right[own].mean()
        low, high = found.reliability_intervals[concept]
        assert low <= right[own].mean() <= high
        # Wilson's formula.
        n, p, z = own.sum(), right[own].mean(), 1.959964
        centre, half = p + z**2 / 2 / n, z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
        np.testing.assert_allclose([low, high], np.array([centre - half, centre + half]) / (1 + z**2 / n), atol=1e-5)
        members = found.members(concept)
        assert sorted(members) == list(np.flatnonzero(own)) and (np.diff(values[members, concept]) <= 0).all()
    assert found.prevalence[3] == 0 and found.reliability[3] == 0
    np.testing.assert_array_equal(found.reliability_intervals[3], [0, 1])
    assert ConceptStrategies.of(
        values, embedding="pca"
    ).reliability is None and found.prevalence.sum() == pytest.approx(1)


def test_images_that_are_recognised_alike_lie_together():
    draw = np.random.default_rng(0)
    values = np.eye(3)[np.arange(60) % 3] + 0.05 * draw.normal(size=(60, 3))
    for embedding in ("tsne", "pca"):
        found = ConceptStrategies.of(values, embedding=embedding)
        assert found.points.shape == (60, 2)
        centres = np.stack([found.points[found.top == group].mean(0) for group in range(3)])
        distances = np.linalg.norm(found.points[:, None] - centres, axis=-1)
        np.testing.assert_array_equal(distances.argmin(1), found.top)
    reversed_points = ConceptStrategies.of(values[:, ::-1], embedding="pca").points
    np.testing.assert_allclose(np.abs(reversed_points), np.abs(found.points), atol=1e-6)
    assert ConceptStrategies.of(values[:1]).points.tolist() == [[0, 0]]
    np.testing.assert_array_equal(ConceptStrategies.of(np.ones((9, 3))).points, 0)


def test_contributions_count_where_they_are_known():
    found = fitted().explain(NEW)
    np.testing.assert_array_equal(ConceptStrategies.of(found, embedding="pca").importances, found.contributions)
    del found.extras["contributions"]
    np.testing.assert_array_equal(ConceptStrategies.of(found, embedding="pca").importances, found.importances)
    of = ConceptStrategies.of(found, np.arange(12) % 2 == 0, embedding="pca")
    axes = of.plot(images=NEW[..., :3]).axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words[0].startswith("concept ") and "of images, " in words[0] and words[-1] == "predicted wrongly"


def test_extractors_in_one_table():
    class Refusing:
        needs_nonnegative = True

        def extract(self, activations, number_of_concepts, seed):
            from xsparks.core.errors import ModelError

            raise ModelError("not these")

    craft = CRAFT(planted(), layer="cut", number_of_concepts=4, patch_size=CELL)
    extractors = {"NMF": NMFConcepts(), "k-means": KMeansConcepts(), "other": Refusing()}
    result = compare_extractors(craft, X, 0, extractors, ExtractionMetrics(folds=3))
    assert result.best("relative l2") == "NMF" and result.best("sparsity") == "k-means"
    assert result.failures == {"other": "not these"} and set(result.scores) == {"NMF", "k-means"}
    assert "| NMF |" in result.table() and "sparsity ↑" in result.table() and len(result.samples) == 3
    learned = craft.fit(X, 0).learned_
    assert float(result.scores["NMF"]["relative l2"]) == pytest.approx(learned.dictionary.relative_error, abs=0.02)


def test_importances_in_one_table():
    pearson = partial(MuFidelity, subset_fraction=0.5, correlation="pearson")
    metrics = {"C-Deletion": Deletion, "C-Insertion": Insertion, "C-µFidelity": pearson}
    methods = {"GradientInput": GradientInput, "VarGrad": VarGrad}
    result = compare_importances(fitted(), NEW, None, methods, metrics)
    assert result.metrics == list(metrics) and set(result.scores) == {"CRAFT", "random", *methods}
    assert [result.best(metric) for metric in metrics] == ["GradientInput"] * 3
    assert float(result.scores["GradientInput"]["C-µFidelity"]) > 0.999
    assert result.beaten_controls("C-Deletion", "GradientInput") == ["random"]
    # On an affine head the slope is the same everywhere, and its variance nothing.
    assert abs(float(result.scores["VarGrad"]["C-µFidelity"])) < 0.2
    assert len(result.samples) == 12 and "*random*" in result.table()
    # The control's order is that of the image.
    turned = compare_importances(fitted(), NEW[::-1], None, {"GradientInput": GradientInput}, {"C-Deletion": Deletion})
    np.testing.assert_allclose(
        turned.scores["random"]["C-Deletion"].per_sample[::-1],
        result.scores["random"]["C-Deletion"].per_sample,
        atol=1e-5,
    )


def test_the_tree_is_drawn_with_what_a_concept_holds_below_it():
    body = planted(atoms=COLLAPSED)
    craft = CRAFT(body, layer="cut", number_of_concepts=3, patch_size=CELL).fit(X, class_id=0)
    tree = craft.grow(X, ["things"])
    assert tree.children
    names = [f"concept {path}" for path, _ in tree._preorder()]
    (split,) = tree.children
    assert names.index(f"concept {split}.0") == names.index(f"concept {split}") + 1
    assert len(names) == 3 + sum(len(child.craft.learned_.dictionary) for child in tree.children.values())


def test_a_drawn_tree():
    shown = [np.zeros((2, 8, 8, 3)), np.ones((1, 8, 8, 3)), np.zeros((0, 8, 8, 3)), np.ones((3, 8, 8, 3))]
    figure, axes = plot_tree(["arrow", "shaft", "end", "head"], [-1, 0, 1, 0], shown, columns=2, title="Parts")
    assert axes.shape == (4, 2) and axes[1, 1] is None and axes[2, 0] is None and axes[3, 1] is not None
    places = {text.get_text(): text.get_position() for text in figure.texts}
    assert places["arrow"][0] < places["shaft"][0] == places["head"][0] < places["end"][0]
    assert places["arrow"][1] > places["shaft"][1] > places["end"][1] > places["head"][1]
    assert axes[1, 0].get_position().x0 == axes[0, 0].get_position().x0 > places["end"][0]
    np.testing.assert_allclose(axes[1, 0].images[0].get_array(), 1)


def test_drawn_clusters():
    points = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [5.01, 5]], float)
    _, axes = plot_clusters(points, [2, 2, 2, 0, 0], crossed=[0, 0, 1, 0, 0], images=np.zeros((5, 8, 8, 3)))
    dots, crosses = axes.lines[0], axes.lines[1]
    np.testing.assert_array_equal(dots.get_xydata(), points[:2])
    np.testing.assert_array_equal(crosses.get_xydata(), points[2:3])
    assert to_rgba(dots.get_color()) == to_rgba(COLORS[0]) and crosses.get_marker() == "x"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "concept 2",
        "concept 0",
        "predicted wrongly",
    ]
    assert len(axes.artists) == 4  # one of the two that lie on each other
    _, bare = plot_clusters(points, [2, 2, 2, 0, 0], images=np.zeros((5, 8, 8, 3)), thumbnails=2, title="Strategies")
    assert len(bare.artists) == 2
