"""Metrics of concepts, of their extraction and of their importances, against theory."""

from __future__ import annotations

from functools import cache, partial
from itertools import permutations
from typing import ClassVar

import numpy as np
import pytest

from tests.truths.concept_models import CELL, pictures, planted
from xsparks.attributions import GradientInput, IntegratedGradients, Occlusion, Saliency
from xsparks.concepts import CRAFT, ExtractionMetrics, KMeansConcepts, NMFConcepts, PCAConcepts
from xsparks.metrics import Deletion, Insertion, MuFidelity
from xsparks.numerics import dictionary_measures as measures
from xsparks.numerics.dictionary_matching import match_atoms

X, NEW = pictures(60), pictures(7, seed=9)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
EXACT = [
    GradientInput,
    lambda head: IntegratedGradients(head, baseline="zero", steps=4),
    lambda head: Occlusion(head, patch_size=1, patch_stride=1, baseline="zero"),
]


@cache
def fitted(head="affine"):
    return CRAFT(planted(head), layer="cut", number_of_concepts=4, patch_size=CELL).fit(X, class_id=0)


def activations(count=300, concepts=4, width=12, noise=0.02, seed=0):
    """Sparse sums of planted atoms."""
    draw = np.random.default_rng(seed)
    atoms = np.eye(concepts, width) + 0.1 * draw.random((concepts, width))
    codes = draw.random((count, concepts)) * (draw.random((count, concepts)) < 0.4)
    codes[:concepts] += np.eye(concepts)
    return (codes @ atoms + noise * draw.random((count, width))).astype(np.float32)


@pytest.mark.parametrize("head", ["affine", "curved"])
def test_deletion_and_insertion_of_concepts_against_a_slow_twin(head):
    craft = fitted(head)
    found = craft.explain(NEW)
    importances = np.random.default_rng(0).normal(size=(7, 4))
    after = craft._asking.head
    for metric, inserts in ((Deletion, False), (Insertion, True)):
        score = craft.evaluate(importances, NEW, metric=metric)
        for row in range(7):
            order = np.argsort(-importances[row])
            curve = []
            for step in range(5):
                strengths = np.ones(4) * (not inserts)
                strengths[order[:step]] = inserts
                curve.append(float(after(found.values[row : row + 1] * np.float32(strengths))[0, 0]))
            np.testing.assert_allclose(score.curve[1][row], curve, atol=1e-5)
            assert score.per_sample[row] == pytest.approx(np.trapezoid(curve, dx=0.25), abs=1e-5)
    assert score.better == "higher"


def test_on_an_affine_head_the_contributions_are_the_best_order_there_is():
    craft = fitted()
    orders = np.array(list(permutations(range(4)))).repeat(7, axis=0)
    inputs = np.tile(NEW, (24, 1, 1, 1))
    for target, metric, best in ((0, Deletion, np.min), (1, Insertion, np.max)):
        every = craft.evaluate(-orders, inputs, target, metric=metric).per_sample.reshape(24, 7)
        wanted = craft.importances(NEW, target, explainer=EXACT[0])
        own = craft.evaluate(wanted, NEW, target, metric=metric).per_sample
        np.testing.assert_allclose(own, best(every, axis=0), atol=1e-5)
        assert np.ptp(every, axis=0).min() > 0.01


def test_on_an_affine_head_the_fidelity_of_contributions_is_one():
    craft = fitted()
    for method in EXACT:
        importances = craft.importances(NEW, explainer=method)
        for correlation in ("pearson", "spearman"):
            fidelity = partial(MuFidelity, correlation=correlation, subset_fraction=0.5)
            assert float(craft.evaluate(importances, NEW, metric=fidelity)) > 0.999
    slopes = craft.importances(NEW, explainer=Saliency)
    assert float(craft.evaluate(slopes, NEW, metric=partial(MuFidelity, subset_fraction=0.5))) < 0.99
    curved = fitted("curved")
    gradients = curved.importances(NEW, explainer=GradientInput)
    pearson = partial(MuFidelity, correlation="pearson", subset_fraction=0.5)
    assert float(curved.evaluate(gradients, NEW, metric=pearson)) < 0.9999


def test_a_class_goes_one_concept_a_step_and_a_function_as_it_says():
    craft = fitted()
    importances = craft.explain(NEW).importances
    assert craft.evaluate(importances, NEW, metric=Deletion).curve[1].shape == (7, 5)
    assert craft.evaluate(importances, NEW, metric=partial(Deletion, steps=2)).curve[1].shape == (7, 3)
    targets = craft.evaluate(importances, NEW, 1, metric=Deletion)
    assert not np.allclose(targets.per_sample, craft.evaluate(importances, NEW, metric=Deletion).per_sample)


def test_a_planted_dictionary_scores_as_theory_says():
    data = activations()
    scores = ExtractionMetrics().evaluate(NMFConcepts(), data, 4)
    assert float(scores["stability"]) > 0.99 and float(scores["relative l2"]) < 0.06
    clean = ExtractionMetrics(folds=2).evaluate(NMFConcepts(), activations(noise=0), 4)
    assert float(scores["dead concepts"]) == 0 and 0.05 < float(clean["sparsity"]) < 0.75
    assert len(scores["relative l2"].per_sample) == 4 and len(scores["stability"].per_sample) == 6
    # What noise leaves over is lost, so that sums of atoms lie nearer to others than the activations do.
    assert float(scores["OOD score"]) < 0.95 < float(clean["OOD score"]) < 1.05
    clusters = ExtractionMetrics().evaluate(KMeansConcepts(), data, 4)
    assert float(clusters["sparsity"]) == 0.75
    assert float(clusters["relative l2"]) > float(scores["relative l2"])
    assert float(clusters["Wasserstein"]) > float(scores["Wasserstein"])
    axes = ExtractionMetrics().evaluate(PCAConcepts(), data, 4)
    assert float(axes["sparsity"]) == 0 and float(axes["coherence"]) < 1e-4
    # Of noise alone nothing is stable.
    noise = np.random.default_rng(1).random((300, 12)).astype(np.float32)
    assert float(ExtractionMetrics().evaluate(NMFConcepts(starts=1), noise, 4)["stability"]) < 0.97


def test_every_run_has_activations_and_a_start_of_its_own():
    class Recording:
        needs_nonnegative = False
        shown: ClassVar[list] = []

        def extract(self, activations, number_of_concepts, seed):
            self.shown.append((activations, seed))
            return KMeansConcepts().extract(activations, number_of_concepts, seed)

    data, groups = activations(40), np.repeat(np.arange(10), 4)
    ExtractionMetrics(folds=5).evaluate(Recording(), data, 3, groups)
    assert len({seed for _, seed in Recording.shown}) == 5
    held = [np.flatnonzero(~(data[:, None] == shown[None]).all(-1).any(1)) for shown, _ in Recording.shown]
    assert sorted(np.concatenate(held)) == list(range(40))
    for rows in held:  # whole images
        assert (np.bincount(groups[rows], minlength=10) % 4 == 0).all()
    plain = {"folds": 2, "neighbors": 3, "seed": 0}
    quick = KMeansConcepts(starts=1)
    before = ExtractionMetrics(**plain).evaluate(quick, data, 3)
    for change, name in (({"folds": 3}, "relative l2"), ({"seed": 1}, "relative l2"), ({"neighbors": 9}, "OOD score")):
        other = ExtractionMetrics(**{**plain, **change}).evaluate(quick, data, 3)
        assert float(other[name]) != float(before[name]), change


def test_measures_against_slow_twins():
    draw = np.random.default_rng(0)
    known, data, made = draw.random((30, 5)), draw.random((20, 5)), draw.random((20, 5))
    assert measures.relative_distance(data, made) == pytest.approx(
        np.sqrt(((data - made) ** 2).sum() / (data**2).sum())
    )
    assert measures.relative_distance(0 * data, made) == 0
    wanted = np.mean([np.abs(np.sort(data[:, j]) - np.sort(made[:, j])).mean() for j in range(5)])
    assert measures.mean_wasserstein(data, made) == pytest.approx(wanted)
    assert measures.mean_wasserstein(data, data[::-1]) == 0

    def kth(row, k):
        unit = known / np.linalg.norm(known, axis=1)[:, None]
        return np.sort(np.linalg.norm(unit - row / np.linalg.norm(row), axis=1))[k - 1]

    for k in (1, 4):
        wanted = sum(kth(row, k) for row in made) / sum(kth(row, k) for row in data)
        assert measures.out_of_distribution(known, data, made, k) == pytest.approx(wanted)
    assert measures.out_of_distribution(known, data, data) == 1
    wanted = max(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for i, a in enumerate(data) for b in data[:i])
    assert measures.coherence(data) == pytest.approx(wanted) and measures.coherence(data[:1]) == 0
    codes = np.array([[0, -1, 0], [0, 2, 0], [0, 0, 0.0], [3, 0, 0]])
    assert measures.zero_share(codes) == 0.75 and measures.dead_share(codes) == pytest.approx(1 / 3)


def test_axes_have_no_sign():
    atoms = np.random.default_rng(0).normal(size=(3, 6))
    assert match_atoms(atoms, -atoms[::-1], signed=False).cosines.min() > 0.999
    assert match_atoms(atoms, -atoms[::-1]).cosines.max() < 0.999
