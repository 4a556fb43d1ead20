"""CRAFT finds what was planted, says how much it counts, and shows where it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from tests.truths.concept_models import ATOMS, CELL, COLLAPSED, HEAD, contents, pictures, planted
from xsparks.attributions import GradCAM, GradientInput, IntegratedGradients, Occlusion, Saliency
from xsparks.concepts import CRAFT, ConceptExplanation
from xsparks.concepts.importance import sobol_plan
from xsparks.concepts.tree import preferred_count
from xsparks.engine import Engine, Explanation
from xsparks.models.access import ModelAccess
from xsparks.models.operators import classification
from xsparks.numerics.dictionary_matching import match_atoms
from xsparks.numerics.sobol_designs import make_design

X = pictures(60)
NEW = pictures(7, seed=9)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def craft(model=None, **options):
    given = {"layer": "cut", "number_of_concepts": 4, "patch_size": CELL, **options}
    return CRAFT(planted() if model is None else model, **given)


@cache
def fitted(head="affine"):
    return craft(planted(head)).fit(X, class_id=0)


def order_of(concepts):
    """Which concept is which thing."""
    order, cosines = match_atoms(ATOMS, concepts.dictionary_)
    assert cosines.min() > 0.95
    return order


def test_planted_concepts_are_found_and_their_maps_lie_on_them():
    concepts = fitted()
    order = order_of(concepts)
    assert concepts.learned_.dictionary.stability > 0.95 and concepts.learned_.dictionary.relative_error < 0.05
    found = concepts.explain(NEW)
    assert isinstance(found, ConceptExplanation) and found.concepts == 4
    assert found.shape == (7, 24, 24, 4) and found.values.shape == (7, 3, 3, 4) and found.values.dtype == np.float32
    things, strength = contents(7, seed=9)
    sizes = np.linalg.norm(ATOMS, axis=1)
    wanted = np.eye(4)[things] * (strength * sizes[things])[..., None]
    np.testing.assert_allclose(found.values[..., order], wanted, atol=0.08)
    np.testing.assert_allclose(found.coefficients, found.values.mean((1, 2)), rtol=1e-5)


def test_only_images_of_the_class_are_shown_each_crop_once():
    concepts = fitted()
    model, learned = planted(), fitted().learned_
    wanted = np.flatnonzero(model.predict(X, verbose=0).argmax(1) == 0)
    assert 5 < len(wanted) < 60
    np.testing.assert_array_equal(learned.image, wanted.repeat(9))
    np.testing.assert_array_equal(learned.crop, np.tile(np.arange(9), len(wanted)))
    for row in (0, 10, 42):
        top, left, bottom, right = learned.box[row]
        alone = np.zeros((1, 24, 24, 4), np.float32) + X[learned.image[row], top, left]
        assert (bottom - top, right - left) == (8, 8)
        codes = concepts.explain(alone).coefficients
        np.testing.assert_allclose(codes[0], learned.coefficients[row], atol=1e-4)
    everything = craft(predicted_only=False).fit(X, 0).learned_
    assert len(everything.image) == 540 and len(everything.digests) == len(learned.digests) == 60


def test_closed_form_importances():
    concepts = fitted()
    found = concepts.explain(NEW, 1)
    assert concepts.learned_.affine
    model = planted()
    np.testing.assert_allclose(found.scores, model.predict(NEW, verbose=0)[:, 1], rtol=1e-5)
    wanted = found.coefficients * (concepts.dictionary_ @ HEAD[:, 1])
    np.testing.assert_allclose(found.contributions, wanted, atol=1e-5)
    np.testing.assert_allclose(found.importances, wanted**2 / (wanted**2).sum(1, keepdims=True), atol=1e-5)
    np.testing.assert_array_equal(found.importance_intervals[..., 0], found.importances)
    assert not np.allclose(found.importances, concepts.explain(NEW).importances)
    np.testing.assert_array_equal(concepts.explain(NEW).targets, np.zeros(7))
    np.testing.assert_allclose(found.global_importances, found.importances.mean(0))
    low, high = found.global_intervals.T
    assert (low <= found.global_importances).all() and (found.global_importances <= high).all()
    assert found.ranking[0] == found.global_importances.argmax()


def test_the_estimator_agrees_with_the_closed_form():
    exact = fitted().explain(NEW)
    estimated = craft(importance="sobol")
    estimated._learn(fitted().learned_)
    found = estimated.explain(NEW)
    assert np.abs(found.importances - exact.importances).max() < 0.05
    low, high = np.moveaxis(found.importance_intervals, -1, 0)
    inside = (low <= exact.importances + 0.02) & (exact.importances - 0.02 <= high)
    assert inside.mean() > 0.8 and (high > low).mean() > 0.9
    for change in ({"nb_design": 64}, {"design": "half_shift"}, {"seed": 1}):
        other = estimated.replace(**change)
        other._learn(fitted().learned_)
        assert not np.allclose(other.explain(NEW[:2]).importances, found.importances[:2], rtol=1e-4), change
    fewer = estimated.replace(nb_design=10)
    fewer._learn(fitted().learned_)
    few = fewer.explain(NEW[:2])
    np.testing.assert_array_equal(few.importance_intervals[..., 0], few.importances)


@pytest.mark.parametrize("concepts", [10, 25])
def test_in_random_affine_heads_the_top_concept_is_right(concepts):
    """By the estimator alone; each sample is a head, what it says of a concept the contribution."""
    contributions = np.random.default_rng(7).random((100, concepts), np.float32)
    options = craft(number_of_concepts=concepts)
    design = make_design(options.design, options.nb_design, concepts, options.seed)
    engine = Engine(ModelAccess(lambda u: tf.reduce_sum(u, axis=1, keepdims=True)), classification, 4096)
    engine.access.ensure_ready(contributions)
    found = engine.run(sobol_plan(design, options.blocks), contributions, np.zeros(100, np.int32))
    exact = contributions**2 / (contributions**2).sum(1, keepdims=True)
    indices = found["importances"].numpy()
    assert (indices.argmax(1) == exact.argmax(1)).mean() >= 0.995
    assert np.abs(indices - exact).max() < 0.05


def test_a_curved_head_is_seen_as_one_and_estimated():
    concepts = fitted("curved")
    assert not concepts.learned_.affine and fitted().learned_.affine
    found = concepts.explain(NEW[:3])
    assert "contributions" not in found.extras
    # A slow twin: total indices by brute force, with many plain draws.
    draw = np.random.default_rng(0)
    first, second = draw.random((2, 4000, 4), np.float32)
    model = planted("curved")
    weights = {name: model.get_layer(name).get_weights() for name in ("hidden", "logits")}

    def score(masks, coefficients):
        pooled = (coefficients * masks) @ concepts.dictionary_
        hidden = np.maximum(pooled @ weights["hidden"][0] + weights["hidden"][1], 0)
        return (hidden @ weights["logits"][0] + weights["logits"][1])[:, 0]

    for row in range(3):
        base = score(first, found.coefficients[row])
        for concept in range(4):
            mixed = first.copy()
            mixed[:, concept] = second[:, concept]
            index = ((base - score(mixed, found.coefficients[row])) ** 2).mean() / 2 / base.var()
            assert found.importances[row, concept] == pytest.approx(index, abs=0.06)


def test_on_an_affine_head_the_attributions_of_concepts_agree():
    """Gradient times input, integrated gradients and occlusion are the contributions."""
    concepts = fitted()
    wanted = concepts.explain(NEW).contributions
    zero = [
        GradientInput,
        lambda head: IntegratedGradients(head, baseline="zero", steps=4),
        lambda head: Occlusion(head, patch_size=1, patch_stride=1, baseline="zero"),
    ]
    for method in zero:
        np.testing.assert_allclose(concepts.importances(NEW, explainer=method), wanted, atol=2e-5)
    curved = fitted("curved")
    found = [curved.importances(NEW, explainer=method) for method in zero]
    assert not np.allclose(found[0], found[2], atol=1e-3)
    np.testing.assert_allclose(
        concepts.importances(NEW, 1, explainer=zero[0]), concepts.explain(NEW, 1).contributions, atol=2e-5
    )


def test_a_concept_in_pixels():
    concepts = fitted()
    order = order_of(concepts)
    things, _ = contents(7, seed=9)
    for explainer in (
        Saliency,
        GradientInput,
        Occlusion(concepts.model, patch_size=8, patch_stride=8, baseline="zero"),
    ):
        for thing in (0, 2):
            maps = concepts.localize(NEW, int(order[thing]), explainer=explainer)
            assert isinstance(maps, Explanation) and maps.shape == (7, 24, 24, 1)
            cells = maps.maps[..., 0].reshape(7, 3, 8, 3, 8).mean((2, 4))
            here = things == thing
            if explainer is not Saliency:  # whose slope is the same for every thing that is there
                assert np.abs(cells[~here]).max() < 0.1 * cells[here].min()
            assert cells[here].min() > 0
    presence = concepts.localize(NEW, explainer=GradientInput)
    assert presence.class_names == [f"concept {number}" for number in range(4)]
    np.testing.assert_array_equal(presence.targets, concepts.explain(NEW).coefficients.argmax(1))
    np.testing.assert_allclose(presence.scores, concepts.explain(NEW).coefficients.max(1), rtol=1e-4)
    # The score is linear in the pixels of what is there: gradient times input sums to it.
    np.testing.assert_allclose(presence.maps.sum((1, 2, 3)), presence.scores, rtol=1e-3)
    weights = np.zeros((7, 4), np.float32)
    weights[:, 1] = 2
    twice = concepts.localize(NEW, weights, explainer=GradientInput)
    np.testing.assert_allclose(
        twice.maps, 2 * concepts.localize(NEW, 1, explainer=GradientInput).maps, rtol=1e-4, atol=1e-7
    )
    strongest = concepts.localize(NEW, 1, explainer=GradientInput, reduction="max")
    assert not np.allclose(strongest.maps, concepts.localize(NEW, 1, explainer=GradientInput).maps)
    assert concepts.localize(NEW, 0, explainer=GradCAM(concepts.model, layer="things")).shape == (7, 24, 24, 1)


def test_results_do_not_depend_on_the_batch_size():
    found = []
    for size in (3, 64):
        one = craft(batch_size=size).fit(X[:20], 0)
        other = craft(planted("curved"), batch_size=size, nb_design=16, importance="sobol").fit(X[:20], 0)
        found.append((one, one.explain(NEW), other.explain(NEW)))
    for one, maps, curved in found[1:]:
        np.testing.assert_allclose(one.dictionary_, found[0][0].dictionary_, atol=1e-4)
        np.testing.assert_allclose(maps.values, found[0][1].values, atol=1e-4)
        np.testing.assert_allclose(maps.importances, found[0][1].importances, atol=1e-4)
        np.testing.assert_allclose(curved.importances, found[0][2].importances, atol=1e-3)
    alone = np.concatenate([found[0][0].explain(NEW[row : row + 1]).values for row in range(7)])
    np.testing.assert_allclose(alone, found[1][1].values, atol=1e-4)


def test_every_kind_of_data_gives_the_same_concepts():
    wanted = craft().fit(X[:20], 0)
    for data in (list(X[:20]), tf.constant(X[:20]), tf.data.Dataset.from_tensor_slices(X[:20]).batch(7)):
        found = craft().fit(data, 0)
        np.testing.assert_allclose(found.dictionary_, wanted.dictionary_, atol=1e-5)
        np.testing.assert_array_equal(found.learned_.digests, wanted.learned_.digests)
    pairs = tf.data.Dataset.from_tensor_slices((NEW, np.ones(7, np.int32))).batch(3)
    np.testing.assert_allclose(wanted.explain(pairs).importances, wanted.explain(NEW, 1).importances, atol=1e-5)
    np.testing.assert_allclose(wanted(NEW).values, wanted.explain(NEW).values, atol=1e-6)


def test_nothing_global_is_touched_and_the_seed_decides():
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    one, same = (craft(factorizer="nmf").fit(X[:20], 0).dictionary_ for _ in range(2))
    assert np.random.random() == expected
    np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("factorizer", ["semi_nmf", "convex_nmf", "kmeans", "pca", "ica"])
def test_other_extractors_stand_behind_the_same_interface(factorizer, tmp_path):
    concepts = craft(factorizer=factorizer).fit(X, 0)
    found = concepts.explain(NEW)
    learned = concepts.learned_.dictionary
    assert learned.relative_error < 0.35 and found.values.shape == (7, 3, 3, 4) and np.isfinite(found.values).all()
    back = np.asarray(learned.decode(found.values))
    signal = planted().get_layer("cut").get_weights()[0][0, 0]
    things, strength = contents(7, seed=9)
    answered = signal[things] * strength[..., None]
    assert np.linalg.norm(back - answered) < 0.45 * np.linalg.norm(answered)
    if factorizer in ("semi_nmf", "kmeans"):
        order_of(concepts)
    if factorizer == "kmeans":
        assert (found.values.sum(-1) == 1).all() and set(np.unique(found.values)) == {0, 1}
    assert (found.values.min() < 0) == learned.signed
    concepts.save(tmp_path / "concepts")
    again = CRAFT.load(tmp_path / "concepts", concepts.model).explain(NEW)
    np.testing.assert_array_equal(again.values, found.values)


def test_an_extractor_of_ones_own():
    class First:
        needs_nonnegative = True

        def extract(self, activations, number_of_concepts, seed):
            from xsparks.concepts import Dictionary

            return Dictionary(atoms=activations[:number_of_concepts], extractor="First")

    concepts = craft(factorizer=First(), number_of_concepts=2).fit(X, 0)
    np.testing.assert_allclose(concepts.learned_.coefficients[:2], np.eye(2), atol=1e-4)


def test_every_place_instead_of_crops():
    concepts = craft(patch_size=None).fit(X, 0)
    order_of(concepts)
    learned = concepts.learned_
    assert learned.box[:4].tolist() == [[0, 0, 8, 8], [0, 8, 8, 16], [0, 16, 8, 24], [8, 0, 16, 8]]
    codes = concepts.explain(X[learned.image[:1]]).values[0].reshape(9, 4)
    np.testing.assert_allclose(learned.coefficients[:9], codes, atol=1e-4)


def test_the_layer_is_found_where_none_is_named():
    concepts = craft(layer=None).fit(X, 0)
    assert concepts.learned_.layer == "cut" and concepts.explain(NEW).settings["layer"] == "cut"


def test_what_is_saved_is_what_is_loaded(tmp_path):
    concepts = fitted()
    path = concepts.save(tmp_path / "class0")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["class0.json", "class0.npz"] and path.suffix == ".npz"
    again = CRAFT.load(path, concepts.model)
    for name in ("coefficients", "image", "crop", "box", "digests"):
        np.testing.assert_array_equal(getattr(again.learned_, name), getattr(concepts.learned_, name))
    one, other = again.explain(NEW), concepts.explain(NEW)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.importances, other.importances)
    assert one.settings["number_of_concepts"] == 4 and again.learned_.affine
    found = other[:3]
    found.save(tmp_path / "found")
    loaded = ConceptExplanation.load(tmp_path / "found")
    np.testing.assert_array_equal(loaded.values, found.values)
    np.testing.assert_array_equal(loaded.global_importances, found.global_importances)

    def halved(images):
        return images / 2

    own = craft(preprocess=halved).fit(X, 0)
    own.save(tmp_path / "own")
    kept = CRAFT.load(tmp_path / "own", own.model, preprocess=halved)
    np.testing.assert_array_equal(kept.explain(NEW).values, own.explain(NEW).values)


def test_a_second_fit_replaces_the_first():
    concepts = craft().fit(X[:30], 0)
    before, compiled = concepts.explain(NEW).values, len(concepts.engine._cache)
    concepts.fit(X[30:], 1)
    # Crops are shown by what was compiled for the first time.
    assert len(concepts.engine._cache) == compiled
    assert concepts.learned_.class_id == 1 and not np.allclose(concepts.explain(NEW).values, before)


def test_the_best_crops_of_a_concept():
    concepts = fitted()
    order = order_of(concepts)
    crops = concepts.crops(X, count=6)
    assert sorted(crops) == [0, 1, 2, 3]
    for thing in range(4):
        some = crops[int(order[thing])]
        assert some.shape == (6, 8, 8, 4)
        assert (some.mean((1, 2)).argmax(1) == thing).all() and some.mean((1, 2)).max(1).min() > 0.9
    assert list(concepts.crops(X, 2, concepts=[1])) == [1]
    strengths = np.array([[5.0], [4], [0], [3], [2]])
    few = replace(concepts.learned_, coefficients=strengths, image=np.array([0, 0, 1, 1, 2]))
    assert few.best(0, 9).tolist() == [0, 3, 4, 1] and few.best(0, 2).tolist() == [0, 3]


def test_a_collapsed_concept_is_split_where_it_is_still_two():
    model = planted(atoms=COLLAPSED)
    concepts = craft(model, number_of_concepts=3).fit(X, 0)
    order, cosines = match_atoms(COLLAPSED[1:], concepts.dictionary_)
    assert cosines.min() > 0.95
    tree = concepts.grow(X, layers=["things"], share=0.2)
    assert list(tree.children) == [order[0]]
    child = tree.children[order[0]].craft
    assert child.learned_.layer == "things" and len(child.dictionary_) == 2
    _, alike = match_atoms(np.eye(4)[:2], child.dictionary_)
    assert alike.min() > 0.95
    assert tree.candidates[0].concept == order[0] and tree.candidates[0].p_value < 1e-6 < tree.candidates[1].p_value
    assert len(tree.candidates) == 3
    things, _ = contents(7, seed=9)
    which, _ = match_atoms(np.eye(4)[:2], child.dictionary_)
    maps = child.explain(NEW).values
    assert (maps[things == 0][:, which[0]] > 0.3).all() and (maps[things == 1][:, which[0]] < 0.05).all()
    assert "class 0: 3 concepts at cut" in tree.described() and f"concept {order[0]}: 2 concepts at things" in repr(
        tree
    )
    assert [name for name, _ in tree.walk()] == ["", str(order[0])]
    assert (
        concepts.grow(X, layers=["things"], share=0.2, level=1e-11).children == {} or tree.candidates[0].p_value < 1e-12
    )
    assert concepts.grow(X, layers=["things"], concepts=[order[1]], share=0.2).children == {}
    assert concepts.grow(X).children == {}


def test_where_every_concept_is_one_thing_nothing_is_split():
    tree = fitted().grow(X, layers=["things"], share=0.2)
    assert tree.children == {} and len(tree.candidates) == 4


def test_a_concept_is_split_at_the_layer_that_tells_its_crops_apart_best():
    """What all cells have in common is taken away by "things", and still there in "cells"."""
    model = planted(atoms=COLLAPSED)
    model.get_layer("things").set_weights([np.eye(4, dtype=np.float32)[None, None], np.full(4, -2.0, np.float32)])
    raised = X + 2
    concepts = craft(model, number_of_concepts=3).fit(raised, 0)
    order, _ = match_atoms(COLLAPSED[1:], concepts.dictionary_)
    tree = concepts.grow(raised, layers=["cells", "things"], concepts=[order[0]], share=0.2)
    assert {split.layer for split in tree.candidates} == {"cells", "things"}
    apart = {split.layer: split.separation for split in tree.candidates}
    assert apart["things"] > apart["cells"]
    assert tree.children[order[0]].craft.learned_.layer == "things"


def test_a_child_has_as_many_concepts_as_there_are_things_in_its_crops():
    draw = np.random.default_rng(0)
    for things in (2, 3, 4):
        points = np.eye(6)[draw.integers(0, things, 90)] + 0.05 * draw.random((90, 6))
        assert preferred_count(points / np.linalg.norm(points, axis=1, keepdims=True), 6, 0) == things
