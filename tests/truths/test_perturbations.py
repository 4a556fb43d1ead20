"""What a mask does to an image, and what a pixel becomes when it is taken away."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tests import models
from tests.messages.saying import sobol
from xsparks.attributions import SobolAttribution
from xsparks.core.layout import Layout
from xsparks.perturbations import Amplitude, Blur, Inpainting, as_baseline, as_perturbation, cells_to_pixels
from xsparks.perturbations.baselines import blurred
from xsparks.perturbations.orderings import importance_ranks

X = models.images(4)
LAST, FIRST = Layout((8, 12, 3)), Layout((3, 8, 12), channels_first=True)
TURNED = np.ascontiguousarray(np.transpose(X, (0, 3, 1, 2)))


def baseline_of(kind, layout=LAST, images=X, seed=0, input_range=None) -> np.ndarray:
    return np.asarray(as_baseline(kind, layout, seed, input_range, "Test")(tf.constant(images)))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.3, 10.0])
@pytest.mark.parametrize("size", [(8, 12), (5, 3), (1, 7)])
def test_blur_is_a_gaussian_that_continues_edges_by_their_mirror(sigma, size):
    images = models.images(2, (*size, 3))
    wanted = ndimage.gaussian_filter(images.astype(float), (0, sigma, sigma, 0), mode="reflect")
    found = blurred(tf.constant(images), Layout((*size, 3)), sigma)
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    turned = blurred(tf.constant(np.transpose(images, (0, 3, 1, 2))), Layout((3, *size), True), sigma)
    np.testing.assert_allclose(np.transpose(turned, (0, 2, 3, 1)), found, atol=1e-6)


def test_blur_keeps_the_mean_colour():
    found = blurred(tf.constant(X), LAST, 3.0).numpy()
    np.testing.assert_allclose(found.mean((1, 2)), X.mean((1, 2)), rtol=1e-3)
    assert found.std() < 0.2 * X.std()


def test_zero_number_colour_and_array():
    np.testing.assert_array_equal(baseline_of("zero"), np.zeros_like(X))
    np.testing.assert_array_equal(baseline_of(0.5), np.full_like(X, 0.5))
    colour = np.array([0.1, 0.2, 0.3], np.float32)
    np.testing.assert_array_equal(baseline_of(colour), np.broadcast_to(colour, X.shape))
    np.testing.assert_array_equal(baseline_of(colour.tolist()), np.broadcast_to(colour, X.shape))
    np.testing.assert_array_equal(baseline_of(X[1]), np.broadcast_to(X[1], X.shape))


def test_middle_is_that_of_the_declared_range():
    np.testing.assert_array_equal(baseline_of("middle", input_range=(0.0, 255.0)), np.full_like(X, 127.5))
    np.testing.assert_array_equal(baseline_of("middle", input_range=(-1.0, 1.0)), np.zeros_like(X))
    np.testing.assert_array_equal(baseline_of("middle"), np.zeros_like(X))
    grey = perturbed(Inpainting(), MASK, input_range=(0.0, 255.0))
    np.testing.assert_allclose(grey, X * MASK + 127.5 * (1 - MASK), atol=1e-3)


def test_mean_is_the_colour_of_each_image():
    wanted = np.broadcast_to(X.mean((1, 2), keepdims=True), X.shape)
    np.testing.assert_allclose(baseline_of("mean"), wanted, rtol=1e-5)
    np.testing.assert_allclose(baseline_of("mean", FIRST, TURNED), np.transpose(wanted, (0, 3, 1, 2)), rtol=1e-5)
    series = models.images(3, (7, 2))
    np.testing.assert_allclose(
        baseline_of("mean", Layout((7, 2)), series),
        np.broadcast_to(series.mean(1, keepdims=True), series.shape),
        rtol=1e-5,
    )


def test_noise_is_reproducible_shared_and_within_the_range():
    noise = baseline_of("noise", input_range=(0.0, 255.0), images=np.tile(X, (30, 1, 1, 1)))
    assert noise.min() >= 0 and noise.max() <= 255 and np.ptp(noise) > 240 and abs(noise[0].mean() - 127) < 12
    np.testing.assert_array_equal(noise, np.broadcast_to(noise[0], noise.shape), "one noise for all images")
    np.testing.assert_array_equal(noise[:4], baseline_of("noise", input_range=(0.0, 255.0)))
    assert not np.allclose(noise[:4], baseline_of("noise", input_range=(0.0, 255.0), seed=1))


def test_noise_without_a_declared_range_spans_each_image():
    noise = baseline_of("noise", images=X * np.array([1, 10, 100, 1000], np.float32)[:, None, None, None])
    for position, scale in enumerate([1, 10, 100, 1000]):
        image = X[position] * scale
        assert noise[position].min() >= image.min() - 1e-3 * scale and noise[position].max() <= image.max() * 1.001
        assert np.ptp(noise[position]) > 0.9 * np.ptp(image)


def test_blur_as_a_baseline_is_five_percent_of_the_shorter_side():
    images = models.images(2, (40, 60, 3))
    wanted = ndimage.gaussian_filter(images.astype(float), (0, 2.0, 2.0, 0), mode="reflect")
    np.testing.assert_allclose(baseline_of("blur", Layout((40, 60, 3)), images), wanted, atol=2e-4)


def test_a_function_as_a_baseline():
    np.testing.assert_allclose(baseline_of(lambda inputs: inputs[:, ::-1]), X[:, ::-1])
    # One colour, or one image for all, spreads over the batch.
    np.testing.assert_allclose(baseline_of(lambda inputs: np.array([0.1, 0.2, 0.3])), baseline_of([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(baseline_of(lambda inputs: inputs[0]), np.broadcast_to(X[0], X.shape))


@pytest.mark.parametrize("grid", [(2, 3), (8, 12), (3, 5), (1, 1), (1, 12), (8, 1), (7, 11)])
def test_every_pixel_has_the_value_of_its_cell(grid):
    rows, columns = grid
    cells = np.random.default_rng(0).random((2, rows * columns)).astype(np.float32)
    mask = cells_to_pixels(tf.constant(cells), grid, LAST).numpy()
    assert mask.shape == (2, 8, 12, 1)
    for y in range(8):
        for x in range(12):
            # The cell under the centre of the pixel.
            cell = int((y + 0.5) / 8 * rows) * columns + int((x + 0.5) / 12 * columns)
            np.testing.assert_array_equal(mask[:, y, x, 0], cells[:, cell])
    if not (8 % rows or 12 % columns):
        whole = np.kron(cells.reshape(2, rows, columns), np.ones((1, 8 // rows, 12 // columns)))
        np.testing.assert_array_equal(mask[..., 0], whole)
    turned = cells_to_pixels(tf.constant(cells), grid, FIRST).numpy()
    assert turned.shape == (2, 1, 8, 12)
    np.testing.assert_array_equal(turned[:, 0], mask[..., 0])


def perturbed(perturbation, mask, images=X, layout=LAST, input_range=None) -> np.ndarray:
    inputs = tf.constant(images)
    reference = perturbation.reference(inputs, layout, 0, input_range)
    return np.asarray(perturbation(inputs, tf.constant(mask, tf.float32), reference))


MASK = np.random.default_rng(3).random((4, 8, 12, 1)).astype(np.float32)


def test_inpainting_leads_from_the_baseline_to_the_image():
    np.testing.assert_allclose(perturbed(Inpainting(), MASK), X * MASK, rtol=1e-6)
    for baseline in ("mean", "blur", "noise", 0.5, [0.1, 0.2, 0.3]):
        wanted = X * MASK + baseline_of(baseline) * (1 - MASK)
        np.testing.assert_allclose(perturbed(Inpainting(baseline), MASK), wanted, atol=1e-6)
    np.testing.assert_allclose(perturbed(Inpainting("mean"), np.ones_like(MASK)), X, atol=1e-6)
    np.testing.assert_allclose(perturbed(Inpainting("mean"), np.zeros_like(MASK)), baseline_of("mean"), atol=1e-6)


def test_blur_leads_from_the_blurred_copy_to_the_image():
    copy = ndimage.gaussian_filter(X.astype(float), (0, 2.0, 2.0, 0), mode="reflect")
    np.testing.assert_allclose(perturbed(Blur(2.0), MASK), X * MASK + copy * (1 - MASK), atol=2e-4)


@pytest.mark.parametrize("layout", [LAST, FIRST], ids=["last", "first"])
def test_amplitude_adds_a_part_of_the_input_range(layout):
    images, mask = (X, MASK) if layout is LAST else (TURNED, np.transpose(MASK, (0, 3, 1, 2)))
    wide = perturbed(Amplitude(0.4), mask, images, layout, (0.0, 2.0))
    np.testing.assert_allclose(wide, images + (mask - 0.5) * 0.4 * 2.0, atol=1e-6)
    own = np.ptp(images, axis=(1, 2, 3))[:, None, None, None]
    np.testing.assert_allclose(perturbed(Amplitude(1.0), mask, images, layout), images + (mask - 0.5) * own, atol=1e-6)


def test_names_instances_and_functions():
    assert as_perturbation("inpainting", "Test") == Inpainting()
    assert as_perturbation("blur", "Test") == Blur() and as_perturbation("amplitude", "Test") == Amplitude()
    assert as_perturbation(Blur(3), "Test") == Blur(3)
    custom = as_perturbation(lambda inputs, mask: inputs + mask, "Test")
    np.testing.assert_allclose(perturbed(custom, MASK), X + MASK, rtol=1e-6)


def test_a_users_function_sees_images_and_masks_of_one_batch():
    seen = []

    def darkened(inputs, mask):
        seen.append((inputs.shape[1:], mask.shape[1:]))
        return inputs * mask**2

    model = models.additive(np.ones((8, 12)))
    maps = sobol(model, perturbation=darkened).explain(X)
    squared = sobol(model, perturbation=lambda inputs, mask: inputs * mask * mask).explain(X)
    assert set(seen) == {((8, 12, 3), (8, 12, 1))}
    np.testing.assert_allclose(maps.values, squared.values, rtol=1e-5)
    assert not np.allclose(maps.values, sobol(model).explain(X).values, rtol=1e-3)


def test_ranks_order_pixels_by_value():
    maps = np.array([[[0.1, 0.9], [-3.0, 0.5]], [[4.0, 1.0], [2.0, 3.0]]], np.float32)
    np.testing.assert_array_equal(importance_ranks(tf.constant(maps), 0), [[2, 0, 3, 1], [0, 3, 2, 1]])


def test_equal_pixels_stand_in_an_order_that_the_seed_fixes():
    flat = tf.zeros((2, 8, 12))
    first, again, other = (importance_ranks(flat, seed).numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(np.sort(first, axis=1), np.tile(np.arange(96), (2, 1)))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[1], "the order does not depend on the place in the batch")
    assert (first != other).any() and (first[0] != np.arange(96)).any()
    two = np.where(np.arange(96) % 2, 1.0, 0.0).reshape(1, 8, 12)
    ranks = importance_ranks(tf.constant(two, tf.float32), 0).numpy()[0]
    assert set(ranks[1::2]) == set(range(48)), "ties do not mix with what is larger"


def test_the_middle_is_what_zero_is_to_a_network_that_eats_minus_one_to_one():
    """The same map whether a picture is handed over in 0..255 with preprocessing, or already scaled."""
    model, pixels = models.convolutional(), (models.images(2) * 255).round().astype(np.float32)
    options = {"grid_size": 2, "nb_design": 2, "progress": False}
    outside = SobolAttribution(model, preprocess="tf", **options).explain(pixels, 0)
    inside = SobolAttribution(model, **options).explain(pixels / 127.5 - 1, 0)
    np.testing.assert_allclose(outside.raw, inside.raw, rtol=1e-3, atol=1e-5)
    black = SobolAttribution(model, preprocess="tf", perturbation=Inpainting("zero"), **options).explain(pixels, 0)
    assert not np.allclose(outside.raw, black.raw, rtol=0.05)
