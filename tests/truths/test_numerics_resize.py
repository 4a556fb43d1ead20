"""Resizing as matrix products against TensorFlow's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.building.sources import ROOT
from xsparks.numerics.resize import enlarge, interpolation_matrix

MAPS = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(224, 160), (7, 5), (14, 5), (56, 320)])
def test_enlarged_as_tensorflow_does(kind, size):
    expected = tf.image.resize(MAPS, size, method=kind, antialias=False).numpy()
    np.testing.assert_allclose(enlarge(MAPS, size, kind), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(100, 61), (33, 224), (8, 6)])
def test_enlarged_by_any_factor(kind, size):
    # TensorFlow's bicubic kernel without antialiasing is a table of 1024 steps, exact only for factors like 32. The one
    # with it is computed, and does not blur what is enlarged.
    expected = tf.image.resize(MAPS, size, method=kind, antialias=True).numpy()
    np.testing.assert_allclose(enlarge(MAPS, size, kind), expected, atol=1e-5)
    plain = tf.image.resize(MAPS, size, method=kind, antialias=False).numpy()
    np.testing.assert_allclose(enlarge(MAPS, size, kind), plain, atol=5e-3)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
def test_made_smaller_without_a_blur(kind):
    maps = np.random.default_rng(0).normal(size=(1, 32, 16, 1)).astype(np.float32)
    expected = tf.image.resize(maps, (8, 8), method=kind, antialias=False).numpy()
    np.testing.assert_allclose(enlarge(maps, (8, 8), kind), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
def test_arrays_and_tensors_alike(kind):
    size = (224, 100)
    array = enlarge(MAPS, size, kind)
    tensor = enlarge(tf.constant(MAPS), size, kind)
    assert isinstance(array, np.ndarray) and tf.is_tensor(tensor)
    np.testing.assert_allclose(array, tensor, atol=1e-6)
    function = tf.function(lambda maps: enlarge(maps, size, kind), autograph=False)
    traced = function.get_concrete_function(tf.TensorSpec((None, 7, 5, 3), tf.float32))
    assert traced.output_shapes.as_list() == [None, 224, 100, 3]
    np.testing.assert_allclose(traced(tf.constant(MAPS)), array, atol=1e-6)
    assert traced(tf.zeros((0, 7, 5, 3))).shape == enlarge(MAPS[:0], size, kind).shape == (0, 224, 100, 3)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("float16", "float16"), ("float32", "float32"), ("float64", "float64"), ("int32", "float32"), ("bool", "float32")],
)
def test_types(given, kept):
    maps = (10 * MAPS).astype(given)
    assert enlarge(maps, (14, 10)).dtype == kept
    assert enlarge(tf.constant(maps), (14, 10)).dtype == kept
    np.testing.assert_allclose(enlarge(maps, (14, 10)), enlarge(tf.constant(maps), (14, 10)), rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize(("size_in", "size_out"), [(1, 9), (2, 224), (7, 100), (9, 4)])
def test_weights_keep_a_constant_and_the_mirror(kind, size_in, size_out):
    weights = interpolation_matrix(size_in, size_out, kind)
    assert weights.shape == (size_out, size_in)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    if kind != "nearest":  # a centre on the border of two cells falls to the later
        np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 0


def test_arrays_are_enlarged_without_tensorflow():
    code = (
        "import sys, numpy as np\nfrom xsparks.numerics.resize import enlarge\n"
        "from xsparks.numerics.sobol_designs import make_design\nmake_design('half_shift', 8, 49)\n"
        "enlarge(np.ones((1, 2, 2, 1)), (4, 4))\nsys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
