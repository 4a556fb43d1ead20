"""Every option of Sobol attribution changes its numbers in the way that it says."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network
from xsparks.attributions import SobolAttribution
from xsparks.perturbations import Blur, Inpainting

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")

IMAGES, OF = X[:2], TARGETS[:2]
BASE = {"grid_size": (4, 6), "nb_design": 8}
# Options that need another one to make sense are compared with the case that has the other alone.
CASES = {
    "default": {},
    "grid_size": {"grid_size": (2, 3)},
    "nb_design": {"nb_design": 16},
    "seed": {"seed": 1},
    "scrambled_sobol": {"design": "scrambled_sobol"},
    "latin_hypercube": {"design": "latin_hypercube"},
    "binary_flip": {"design": "binary_flip"},
    "paper": {"design": "paper"},
    "smooth": {"smooth": False},
    "homma": {"smooth": False, "estimator": "homma"},
    "saltelli": {"smooth": False, "estimator": "saltelli"},
    "janon": {"smooth": False, "estimator": "janon"},
    "glen": {"smooth": False, "estimator": "glen"},
    "first": {"smooth": False, "order": "first", "design": "scrambled_sobol"},
    "mean": {"perturbation": Inpainting("mean")},
    "blur": {"perturbation": "blur"},
    "less blur": {"perturbation": Blur(1.0)},
    "amplitude": {"perturbation": "amplitude"},
    "function": {"perturbation": lambda inputs, mask: inputs * (1 - mask)},
    "signed": {"signed": True},
    "outputs": {"assist": "outputs"},
    "gradients": {"assist": "gradients"},
    "gradient_masks": {"assist": "gradients", "gradient_masks": 8},
    "mixed": {"assist": "mixed"},
    "output_layer": {"output_layer": "flatten", "operator": "regression"},
    "preprocess": {"preprocess": lambda inputs: 2.0 * inputs - 1.0},
    "operator": {"operator": lambda forward, inputs, targets: tf.reduce_sum(forward(inputs) ** 2, -1)},
}


@cache
def explained(name: str):
    """The maps of a case; each is computed once."""
    return SobolAttribution(network(), **{**BASE, **CASES[name]}).explain(IMAGES, OF)


def test_each_option_changes_the_number():
    shares = {}
    for name in CASES:
        values = explained(name).maps.astype(np.float64)
        shares[name] = values / np.abs(values).sum()
        assert np.isfinite(values).all() and np.ptp(values) > 0, name
    for one, other in combinations(CASES, 2):
        difference = np.abs(shares[one] - shares[other]).sum()
        assert difference > 1e-3, f"{one} and {other} give the same map"


@pytest.mark.parametrize("options", [{}, {"assist": "gradients"}], ids=str)
def test_a_map_does_not_depend_on_where_the_preprocessing_stands(options):
    """Pictures in 0..255 with `preprocess="tf"`, and the same pictures in [-1, 1] without."""
    scaled = 2 * IMAGES - 1
    within = SobolAttribution(network(), **BASE, preprocess="tf", **options).explain(255 * IMAGES, OF)
    before = SobolAttribution(network(), **BASE, **options).explain(scaled, OF)
    for inside, outside in zip(within.values, before.values, strict=True):
        np.testing.assert_allclose(inside / inside.sum(), outside / outside.sum(), rtol=1e-2, atol=1e-4)


def test_order_both_gives_total_maps_with_first_order_beside():
    both = SobolAttribution(network(), **BASE, design="scrambled_sobol", order="both", smooth=False).explain(IMAGES, OF)
    total = SobolAttribution(network(), **BASE, design="scrambled_sobol", smooth=False).explain(IMAGES, OF)
    np.testing.assert_allclose(both.values, total.values, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(both.first, explained("first").values, rtol=1e-4, atol=1e-6)


def test_what_is_not_smoothed_is_kept_beside_the_map():
    smooth, raw = explained("default"), explained("smooth")
    np.testing.assert_allclose(smooth.raw, raw.values, rtol=1e-5)
    np.testing.assert_array_equal(raw.raw, raw.values)
    np.testing.assert_allclose(smooth.values.sum((1, 2, 3)), raw.values.sum((1, 2, 3)), rtol=1e-4)
    roughness = [np.abs(np.diff(maps.values, axis=2)).mean() for maps in (smooth, raw)]
    assert roughness[0] < roughness[1]
    np.testing.assert_array_equal(smooth.forwards, raw.forwards)


def test_smoothing_brings_few_rows_nearer_to_many():
    """On a smooth truth: bumps of weights with pairwise interactions, ranked by 4 rows."""
    rows, columns = np.mgrid[0:8, 0:12]
    bump = np.exp(-((rows - 3) ** 2 + (columns - 6) ** 2) / 8).astype(np.float32)

    def model(inputs):
        seen = tf.reduce_sum(inputs[..., 0] * bump, axis=(1, 2))
        return (seen**2 + 4 * tf.sin(3 * seen))[:, None]

    images = np.ones((1, 8, 12, 1), np.float32) * np.linspace(0.6, 1, 12)[:, None, None, None].astype(np.float32)
    few = SobolAttribution(model, grid_size=(8, 12), nb_design=4).explain(images, 0)
    many = SobolAttribution(model, grid_size=(8, 12), nb_design=256, smooth=False, batch_size=2048).explain(images, 0)

    def error(values):
        shares = [maps / maps.sum((1, 2, 3), keepdims=True) for maps in (values, many.values)]
        return np.abs(shares[0] - shares[1]).sum((1, 2, 3)).mean()

    assert error(few.values) < error(few.raw)


def test_signs_say_whether_showing_a_cell_raises_the_score():
    weights = np.random.default_rng(0).normal(size=(8, 12))
    cells = weights.reshape(4, 2, 6, 2).sum((1, 3))
    maps = SobolAttribution(models.additive(weights), **BASE, signed=True, smooth=False).explain(
        np.ones((1, 8, 12, 3)), 0
    )
    np.testing.assert_array_equal(np.sign(maps.values[0, :, :, 0]), np.sign(cells))
    np.testing.assert_allclose(maps.values[0, :, :, 0] ** 2, maps.raw[0, :, :, 0], rtol=1e-3)
    assert (maps.raw >= 0).all()


@pytest.mark.parametrize("replicates, wider", [(1, None), (2, True), (4, False), (8, False)])
def test_replicates_change_the_interval_alone(replicates, wider):
    maps = SobolAttribution(network(), **BASE, replicates=replicates, smooth=False, design="half_shift").explain(
        IMAGES, OF
    )
    if replicates == 1:
        assert "interval" not in maps.extras
        return
    width = np.ptp(maps.interval, axis=-1)
    assert maps.interval.shape == (2, 4, 6, 2) and (width >= 0).all()
    assert (np.median(width) > 2 * np.median(np.ptp(explained("smooth").interval, axis=-1))) == wider
    assert (maps.interval[..., 0:1] <= maps.raw).all() and (maps.raw <= maps.interval[..., 1:2]).all()


def test_gradients_of_an_additive_function_are_its_weights():
    weights = np.random.default_rng(3).normal(size=(8, 12))
    cells = weights.reshape(4, 2, 6, 2).sum((1, 3))
    explainer = SobolAttribution(models.additive(weights), **BASE, assist="gradients", gradient_masks=6)
    maps = explainer.explain(np.ones((1, 8, 12, 3)), 0)
    np.testing.assert_allclose(maps.raw[0, :, :, 0], cells**2, rtol=1e-3)
    np.testing.assert_array_equal(maps.forwards, 6)
    np.testing.assert_array_equal(maps.backwards, 6)
    assert "interval" not in maps.extras


def test_what_each_assist_spends_and_keeps():
    rows = 8 * 25
    plain, outputs, mixed = (explained(name) for name in ("default", "outputs", "mixed"))
    np.testing.assert_array_equal(outputs.forwards, rows)
    np.testing.assert_array_equal(mixed.forwards, rows + 32)
    np.testing.assert_array_equal(mixed.backwards, 32)
    for assisted in (outputs, mixed):
        np.testing.assert_allclose(assisted.raw, plain.raw, rtol=1e-4, err_msg="the rows are the same")
        np.testing.assert_allclose(assisted.interval, plain.interval, rtol=1e-3, atol=1e-6)
    few = explained("gradient_masks")
    np.testing.assert_array_equal(few.forwards, 8)


def test_all_outputs_guide_the_map_of_one():
    """The map of a class moves when only the other classes change, and not without the assist."""
    one, all_of_them = np.eye(4, dtype=np.float32)[0], np.array([1.0, 8.0, 8.0, 8.0], np.float32)
    models_of = [lambda x: network()(x) * one, lambda x: network()(x) * all_of_them]
    for assist, same in ((None, True), ("outputs", False)):
        maps = [SobolAttribution(model, **BASE, assist=assist).explain(IMAGES, 0).values for model in models_of]
        assert np.allclose(maps[0], maps[1], rtol=1e-2) == same


ESTIMANDS = {
    "default": ("smoothed half-shift effect of a cell", "total Sobol index of"),
    "smooth": ("half-shift effect of a cell", "total Sobol index of"),
    "signed": ("signed effect rho sqrt(T), T the half-shift effect", "total Sobol index of"),
    "scrambled_sobol": ("smoothed total Sobol index of a cell", "half-shift"),
    "latin_hypercube": ("smoothed total Sobol index of a cell", "half-shift"),
    "binary_flip": ("smoothed total Sobol index of a cell under masks of zeros and ones", "half-shift"),
    "paper": ("smoothed total Sobol index of a cell, by the published design", "half-shift"),
    "first": ("first-order Sobol index of a cell", "total"),
    "outputs": ("smoothed half-shift effect", "total Sobol index of"),
    "gradients": ("smoothed strength of the derivative", "Sobol"),
}


@pytest.mark.parametrize("name", ESTIMANDS)
def test_the_estimand_is_named(name):
    start, never = ESTIMANDS[name]
    estimand = explained(name).estimand
    assert estimand.startswith(start) and never not in estimand
