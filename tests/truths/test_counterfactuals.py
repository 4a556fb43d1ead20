"""Counterfactuals of concepts are the smallest ones: against quadratic programming and brute force."""

from __future__ import annotations

from functools import cache
from itertools import product

import keras
import numpy as np
import pytest
from scipy.optimize import minimize

from tests.truths.concept_models import CELL, pictures, planted
from xsparks.concepts import CRAFT, ConceptCounterfactuals
from xsparks.numerics.smallest_change import smallest_change

X, NEW = pictures(60), pictures(7, seed=9)
pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


@cache
def fitted(head="affine", factorizer="nmf"):
    # Without a bias that decides for a class whatever the concepts are.
    model = planted(head)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, 0 * bias])
    return CRAFT(model, layer="cut", number_of_concepts=4, patch_size=CELL, factorizer=factorizer).fit(X, 0)


def outputs(craft, coefficients):
    return np.asarray(craft._asking.head(np.asarray(coefficients, np.float32)))


def nearest(origin, slope, least, lower):
    """By a solver that knows nothing of the form of the answer."""
    found = minimize(
        lambda point: ((point - origin) ** 2).sum() / 2,
        np.clip(origin - slope, lower, None),
        jac=lambda point: point - origin,
        bounds=[(lower, None)] * len(origin),
        constraints={
            "type": "ineq",
            "fun": lambda point: slope @ (origin - point) - least,
            "jac": lambda point: -slope,
        },
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return found.x


def smallest_of_all(along, toward):
    """The least change of strengths with which the class is ahead of every other one."""
    rivals = [other for other in range(along.shape[1]) if other != toward]
    found = minimize(
        lambda strengths: ((strengths - 1) ** 2).sum(),
        np.where(along[:, toward] > 1e-3, 2.5, 0.1),
        bounds=[(0, 3)] * len(along),
        constraints=[
            {"type": "ineq", "fun": lambda strengths, other=other: strengths @ (along[:, toward] - along[:, other])}
            for other in rivals
        ],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return np.sqrt(found.fun)


def test_the_smallest_change_within_bounds():
    draw = np.random.default_rng(0)
    origin, slope = draw.random((20, 5)), draw.normal(size=(20, 5))
    most = (np.maximum(slope, 0) * origin).sum(1)
    least = most * draw.uniform(0.1, 0.9, 20)
    found = smallest_change(origin, slope, least, 0.0).numpy()
    assert found.dtype == np.float64 and found.min() >= 0
    for row in range(20):
        wanted = nearest(origin[row], slope[row], least[row], 0.0)
        np.testing.assert_allclose(found[row], wanted, atol=1e-5)
    np.testing.assert_allclose((slope * (origin - found)).sum(1), least, rtol=1e-9)
    free = smallest_change(origin, slope, least).numpy()
    np.testing.assert_allclose(free, origin - (least / (slope**2).sum(1))[:, None] * slope, rtol=1e-9)
    np.testing.assert_array_equal(smallest_change(origin, slope, 0 * least - 1, 0.0), origin)
    capped = smallest_change(origin, slope, least, 0.0, 1.2).numpy()
    clipped = np.clip(capped, 0, 1.2)
    np.testing.assert_array_equal(capped, clipped)
    assert ((capped - origin) ** 2).sum() > ((found - origin) ** 2).sum()
    np.testing.assert_allclose((slope * (origin - capped)).sum(1), least, rtol=1e-9)
    # What cannot be met goes as far as it can.
    far = smallest_change(origin, np.abs(slope), 10 * np.abs(most) + 10, 0.0).numpy()
    np.testing.assert_array_equal(far, 0 * origin)
    np.testing.assert_array_equal(smallest_change(origin, 0 * slope, least, 0.0), origin)


@pytest.mark.parametrize("vary", ["strengths", "coefficients"])
def test_on_an_affine_head_the_change_is_the_smallest(vary):
    craft = fitted()
    found = ConceptCounterfactuals(craft, vary=vary).explain(NEW)
    coefficients = craft.explain(NEW).values
    atoms = craft.dictionary_
    kernel = craft.model.get_layer("logits").get_weights()[0]
    logits = outputs(craft, coefficients)
    np.testing.assert_array_equal(found.predicted, logits.argmax(1))
    assert found.flipped.sum() >= 6  # in one picture everything speaks for the class
    for row in np.flatnonzero(found.flipped):
        own, other = found.predicted[row], 1 - found.predicted[row]
        along = atoms @ (kernel[:, own] - kernel[:, other]) / 9
        if vary == "strengths":
            origin, slope = np.ones(4), coefficients[row].sum((0, 1)) * along
        else:
            origin, slope = coefficients[row].ravel().astype(float), np.tile(along, 9)
        margin = logits[row, own] - logits[row, other]
        assert (np.maximum(slope, 0) * origin).sum() > 1.01 * margin or (slope < -1e-3).any()
        wanted = nearest(origin, slope, float(margin), 0.0)
        np.testing.assert_allclose(found.values[row].ravel(), wanted, atol=5e-3)
        assert found.distances[row] == pytest.approx(np.linalg.norm(wanted - origin), rel=5e-3)
    changed = coefficients * found.values[:, None, None] if vary == "strengths" else found.values
    after = outputs(craft, changed)
    np.testing.assert_array_equal(found.reached, after.argmax(1))
    np.testing.assert_array_equal(found.flipped, found.reached != found.predicted)
    before = coefficients.mean((1, 2))
    np.testing.assert_allclose(found.changes, changed.mean((1, 2)) - before, atol=1e-6)
    np.testing.assert_allclose(found.strengths * before, changed.mean((1, 2)), atol=1e-5)


def test_on_a_curved_head_no_point_of_a_grid_is_nearer():
    craft = fitted("curved")
    found = ConceptCounterfactuals(craft).explain(NEW)
    coefficients = craft.explain(NEW).values
    grid = np.array(list(product(np.linspace(0, 2, 13), repeat=4)), np.float32)
    assert found.flipped.sum() >= 3
    for row in np.flatnonzero(found.flipped):
        # The head sees the mean over places alone.
        mean = coefficients[row].mean((0, 1))
        decided = outputs(craft, (grid * mean)[:, None, None]).argmax(1)
        nearest_of_grid = np.linalg.norm(grid - 1, axis=1)[decided != found.predicted[row]].min()
        assert found.distances[row] <= 1.1 * nearest_of_grid
    assert found.distances[~found.flipped].sum() == 0
    np.testing.assert_array_equal(found.values[~found.flipped], 1)


def test_a_class_that_is_asked_for():
    inputs = keras.Input((24, 24, 4))
    body = planted()
    cut = keras.Model(body.input, body.get_layer("cut").output)(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(cut)
    model = keras.Model(inputs, keras.layers.Dense(3, use_bias=False, name="three")(pooled))
    kernel = np.zeros((8, 3), np.float32)
    kernel[[0, 1, 2], [0, 1, 2]] = 1
    model.get_layer("three").set_weights([kernel])
    name = next(layer.name for layer in model.layers if isinstance(layer, keras.Model))
    craft = CRAFT(model, layer=name, number_of_concepts=4, patch_size=CELL, predicted_only=False).fit(X, 0)
    maker = ConceptCounterfactuals(craft)
    anything = maker.explain(NEW)
    for toward in (0, 1, 2):
        found = maker.explain(NEW, toward)
        # What is not in the picture cannot be made stronger.
        possible = (craft.explain(NEW).coefficients * (craft.dictionary_[:, toward] > 0.5)).max(1) > 1e-3
        np.testing.assert_array_equal(found.flipped, possible)
        assert (found.reached[found.flipped] == toward).all() and possible.sum() >= 5
        there = found.predicted == toward
        np.testing.assert_array_equal(found.distances[there], 0)
        np.testing.assert_array_equal(found.strengths[there], 1)
        changed = found.flipped & ~there
        assert (found.distances[changed] >= anything.distances[changed] - 2e-2).all()
        along = craft.explain(NEW).coefficients[..., None] * (craft.dictionary_ @ kernel)
        for row in np.flatnonzero(changed):
            wanted = smallest_of_all(along[row], toward)
            assert wanted - 1e-2 <= found.distances[row] <= 1.15 * wanted
    each = maker.explain(NEW, np.arange(7) % 3)
    np.testing.assert_array_equal(each.reached[each.flipped], (np.arange(7) % 3)[each.flipped])


def test_options_and_batches():
    craft = fitted()
    plain = ConceptCounterfactuals(craft).explain(NEW)
    farther = ConceptCounterfactuals(craft, overshoot=0.3).explain(NEW)
    both = plain.flipped & farther.flipped
    assert both.sum() >= 3 and (farther.distances >= plain.distances)[both].all()
    high = ConceptCounterfactuals(craft, most=10).explain(NEW)
    low = ConceptCounterfactuals(craft, most=1).explain(NEW)
    assert low.values.max() <= 1 < high.values.max() and (low.distances >= high.distances - 1e-4)[low.flipped].all()
    curved = fitted("curved")
    one, many = (ConceptCounterfactuals(curved, steps=steps).explain(NEW) for steps in (1, 20))
    assert one.flipped.sum() < many.flipped.sum() or not np.allclose(one.distances, many.distances)
    small = craft.replace(batch_size=2)
    small._learn(craft.learned_)
    np.testing.assert_allclose(ConceptCounterfactuals(small).explain(NEW).values, plain.values, atol=1e-4)
    signed = ConceptCounterfactuals(fitted("affine", "pca"), vary="coefficients").explain(NEW)
    assert signed.flipped.all() and signed.values.min() < 0
