"""Every rule of verified bounds: sound forwards and backwards, linear rules exact and adjoint, tiny radii kept."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from tests.truths.bound_models import SHAPE, logits, points, weighted
from xsparks import lipschitz
from xsparks.models.bounds import (
    Box,
    Largest,
    Length,
    Rectified,
    Sorted,
    curves,
    intersection,
    read_network,
    register_bound,
)
from xsparks.models.bounds.curves import Curve

IMAGE, VECTOR, SERIES, VOLUME = SHAPE, (6,), (7, 3), (4, 5, 3, 2)
LINEAR: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (lambda x: layers.Dense(5)(x), VECTOR),
    "dense on places": (lambda x: layers.Dense(5, use_bias=False)(x), IMAGE),
    "convolution": (lambda x: layers.Conv2D(3, 3)(x), IMAGE),
    "uneven strides": (lambda x: layers.Conv2D(3, (3, 2), strides=(3, 2), padding="same")(x), IMAGE),
    "grey": (lambda x: layers.Conv2D(3, 4, strides=2, padding="same")(x), (7, 6, 1)),
    "grey, cut off": (lambda x: layers.Conv2D(3, (2, 3), strides=3)(x), (10, 8, 1)),
    "dilation": (lambda x: layers.Conv2D(3, 2, dilation_rate=2)(x), IMAGE),
    "groups": (lambda x: layers.Conv2D(4, 3, groups=2, padding="same")(x), IMAGE),
    "channels first": (lambda x: layers.AveragePooling2D(2, data_format="channels_first")(x), IMAGE),
    "causal series": (lambda x: layers.Conv1D(3, 3, padding="causal", dilation_rate=2)(x), SERIES),
    "volume": (lambda x: layers.Conv3D(2, 2, strides=2, padding="same")(x), VOLUME),
    "transposed": (lambda x: layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x), IMAGE),
    "depthwise": (lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x), IMAGE),
    "separable": (lambda x: layers.SeparableConv2D(3, 3, strides=2, padding="same")(x), IMAGE),
    "batch normalisation": (lambda x: layers.BatchNormalization()(x), IMAGE),
    "normalisation": (lambda x: layers.Normalization(mean=[0.2, 0.5], variance=[2.0, 0.5])(x), IMAGE),
    "rescaling": (lambda x: layers.Rescaling([2.0, -0.5], offset=-1.0)(x), IMAGE),
    "average pooling": (lambda x: layers.AveragePooling2D(3, strides=2, padding="same")(x), IMAGE),
    "average pooling of series": (lambda x: layers.AveragePooling1D(2)(x), SERIES),
    "average pooling of volumes": (lambda x: layers.AveragePooling3D(2, padding="same")(x), VOLUME),
    "global average": (lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x), IMAGE),
    "padding": (lambda x: layers.ZeroPadding2D(((1, 0), (0, 2)))(x), IMAGE),
    "cropping": (lambda x: layers.Cropping2D(((1, 0), (0, 2)))(x), IMAGE),
    "bilinear": (lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x), IMAGE),
    "nearest": (lambda x: layers.UpSampling2D(2)(x), IMAGE),
    "permuted": (lambda x: layers.Reshape((-1, 4))(layers.Permute((3, 1, 2))(x)), IMAGE),
    "dropout": (lambda x: layers.SpatialDropout2D(0.5)(layers.Dropout(0.5)(x)), IMAGE),
    "sum": (lambda x: layers.Add()([x, layers.Dense(2)(x), x]), IMAGE),
    "difference": (lambda x: layers.Subtract()([layers.Dense(2)(x), x]), IMAGE),
    "broadcast sum": (lambda x: x + layers.GlobalAveragePooling2D(keepdims=True)(x), IMAGE),
    "concatenated": (lambda x: layers.Concatenate(axis=1)([x, layers.Dense(2)(x)]), IMAGE),
    "average of layers": (lambda x: layers.Average()([x, layers.Dense(2)(x)]), IMAGE),
    "constants": (lambda x: (1.0 - 2.0 * x) / 3.0 + np.linspace(-1, 1, 14, dtype="float32").reshape(7, 2), IMAGE),
    "operations": (lambda x: ops.transpose(ops.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0))), (0, 2, 1, 3))[:, 1:], IMAGE),
    "weighted mean": (lambda x: lipschitz.LipschitzResidual()([x, layers.Dense(2)(x)]), IMAGE),
    "scaled average": (lambda x: lipschitz.ScaledAveragePooling2D(2)(x), IMAGE),
    "places into channels": (lambda x: lipschitz.InvertibleDownSampling((2, 2))(x), (6, 4, 2)),
    "channels into places": (lambda x: lipschitz.InvertibleUpSampling((2, 2))(layers.Dense(8)(x)), IMAGE),
    "sums of axes": (lambda x: ops.concatenate([ops.mean(x, axis=1), -ops.sum(x, axis=2)], axis=1), IMAGE),
}
BENT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "relu": (lambda x: layers.ReLU()(x), IMAGE),
    "leaky": (lambda x: layers.LeakyReLU(0.2)(x), IMAGE),
    "capped": (lambda x: layers.ReLU(max_value=0.4)(x), IMAGE),
    "capped leaky": (lambda x: layers.ReLU(max_value=0.4, negative_slope=0.3)(x), IMAGE),
    "parametric": (lambda x: layers.PReLU(shared_axes=(1, 2))(x), IMAGE),
    "relu6 as an operation": (lambda x: ops.relu6(20 * x), IMAGE),
    "absolute": (lambda x: abs(x), VECTOR),
    "clipped": (lambda x: ops.clip(x, -0.3, 0.5), VECTOR),
    "hard sigmoid": (lambda x: layers.Activation("hard_sigmoid")(5 * x), VECTOR),
    "sigmoid": (lambda x: layers.Activation("sigmoid")(4 * x), IMAGE),
    "tanh": (lambda x: ops.tanh(3 * x), IMAGE),
    "softplus": (lambda x: layers.Activation("softplus")(5 * x), IMAGE),
    "swish": (lambda x: layers.Activation("silu")(6 * x), IMAGE),
    "gelu": (lambda x: layers.Activation("gelu")(3 * x), IMAGE),
    "gelu by tanh": (lambda x: ops.gelu(3 * x, approximate=True), IMAGE),
    "square": (lambda x: ops.square(x), VECTOR),
    "softmax": (lambda x: layers.Softmax()(6 * x), (5, 4)),
    "softmax along another axis": (lambda x: ops.softmax(6 * x, axis=1), (4, 3)),
    "product": (lambda x: layers.Multiply()([layers.Dense(2)(x), x]), IMAGE),
    "broadcast product": (lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x), IMAGE),
    "three factors": (lambda x: layers.Multiply()([x, layers.Dense(6)(x), x]), VECTOR),
    "max pooling": (lambda x: layers.MaxPooling2D(2)(x), IMAGE),
    "overlapping max pooling": (lambda x: layers.MaxPooling2D(3, strides=2, padding="same")(x), IMAGE),
    "max pooling, channels first": (lambda x: layers.MaxPooling2D(2, 1, data_format="channels_first")(x), IMAGE),
    "max pooling of series": (lambda x: layers.MaxPooling1D(2, strides=1, padding="same")(x), SERIES),
    "max pooling of volumes": (lambda x: layers.MaxPooling3D(2, padding="same")(x), VOLUME),
    "global maximum": (lambda x: layers.GlobalMaxPooling2D(keepdims=True)(x), IMAGE),
    "global maximum of series": (lambda x: layers.GlobalMaxPooling1D()(x), SERIES),
    "maximum": (lambda x: layers.Maximum()([x, layers.Dense(2)(x), -x]), IMAGE),
    "minimum": (lambda x: ops.minimum(x, layers.Dense(2)(x)), IMAGE),
    "maximum with a constant": (lambda x: ops.maximum(x, 0.2) + ops.minimum(0.1, x), IMAGE),
    "largest along an axis": (lambda x: ops.max(x, axis=(1, 3)), IMAGE),
    "smallest along an axis": (lambda x: ops.min(x, axis=-1, keepdims=True), IMAGE),
    "sorted pairs": (lambda x: ops.sort(ops.reshape(x, (-1, 3, 2)), axis=-1), VECTOR),
    "sorted": (lambda x: ops.sort(x, axis=1), SERIES),
    "GroupSort2": (lambda x: lipschitz.GroupSort2()(x), IMAGE),
    "GroupSort as an activation": (lambda x: layers.Dense(6, activation=lipschitz.GroupSort(n=3))(x), VECTOR),
    "FullSort, stretched": (lambda x: lipschitz.FullSort(k_coef_lip=0.5)(x), SERIES),
    "both halves": (lambda x: lipschitz.MaxMin()(x), IMAGE),
    "both halves, channels first": (lambda x: lipschitz.MaxMin(data_format="channels_first")(x), IMAGE),
    "length of windows": (lambda x: lipschitz.ScaledL2NormPooling2D((2, 3))(x), IMAGE),
    "length of windows, channels first": (
        lambda x: lipschitz.ScaledL2NormPooling2D(2, data_format="channels_first", k_coef_lip=0.5)(x), (2, 5, 4),
    ),
    "length of channels": (lambda x: lipschitz.ScaledGlobalL2NormPooling2D(k_coef_lip=2.0)(x), IMAGE),
}  # fmt: skip
ADAPTIVE = {
    "adaptive maximum": (lambda x: layers.AdaptiveMaxPooling2D((3, 2))(x), IMAGE),
    "adaptive average": (lambda x: layers.AdaptiveAveragePooling2D((3, 2))(x), IMAGE),
}
if hasattr(layers, "AdaptiveMaxPooling2D"):
    BENT["adaptive maximum"] = ADAPTIVE["adaptive maximum"]
    LINEAR["adaptive average"] = ADAPTIVE["adaptive average"]
ALL = {**LINEAR, **BENT}


def made(name: str) -> tuple[Any, Any]:
    """The model of a case, its answers flat, and its network."""
    build, shape = ALL[name]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layers.Flatten()(build(inputs)))
    weighted(model, 7)
    if name == "parametric":
        model.set_weights([np.array([[[1.5, -0.5]]])])
    return model, read_network(model)


def box_of(network: Any, radius: float, count: int = 4, seed: int = 3) -> Box:
    """Random boxes about zero, some entries of which stay where they are."""
    draw = np.random.default_rng(seed)
    shape = (count, *network.nodes[0].shape)
    spread = radius * draw.random(shape) * (draw.random(shape) < 0.8)
    return Box(tf.constant(draw.standard_normal(shape), tf.float32), tf.constant(spread, tf.float32))


def lines_of(network: Any, box: Box, boxes: dict[int, Box], weights: Any) -> np.ndarray:
    """Upper bounds `(n, s)` of `<weights, outputs>`, and of minus that, by linear relaxation."""
    arrived, constant = network.backward(network.output, weights, network.relaxations(boxes))
    slopes = tf.reshape(arrived[0], (*weights.shape[:2], -1))
    centre, radius = (tf.reshape(each, (len(each), 1, -1)) for each in box)
    return (tf.reduce_sum(slopes * centre + abs(slopes) * radius, -1) + constant[..., 0]).numpy()


def summed(values: Any) -> Any:
    """The sum over all axes but the first two."""
    return tf.reduce_sum(values, list(range(2, len(values.shape))))


@pytest.mark.parametrize("name", ALL)
def test_a_rule_is_sound(name: str) -> None:
    model, network = made(name)
    size = network.nodes[-1].size
    weights = np.random.default_rng(5).standard_normal((8, size)).astype("float32")
    rows = np.concatenate([weights, np.eye(size, dtype="float32")[:6], -np.eye(size, dtype="float32")[:6]])
    for radius in (1.0, 0.1, 0.0):
        box = box_of(network, radius)
        boxes = network.intervals(box)
        found = boxes[network.output]
        upper = lines_of(network, box, boxes, tf.tile(rows[None], (4, 1, 1)))
        inside = points(box.lower.numpy(), box.upper.numpy())
        outputs = logits(model, inside.reshape(-1, *inside.shape[2:])).reshape(*inside.shape[:2], size)
        slack = 2e-5 * (1 + np.abs(outputs))
        assert (outputs <= found.upper.numpy() + slack).all()
        assert (outputs >= found.lower.numpy() - slack).all()
        values = outputs @ rows.T
        assert (values <= upper + 2e-5 * (1 + np.abs(outputs) @ np.abs(rows.T))).all()
        if radius == 0.0:
            np.testing.assert_allclose(found.centre, outputs[0], atol=2e-5, rtol=2e-5)
            assert found.radius.numpy().max() < 1e-4
            np.testing.assert_allclose(upper, values[0], atol=2e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_rule_is_exact_and_adjoint(name: str) -> None:
    _, network = made(name)
    draw = np.random.default_rng(8)
    for node in network.nodes[1:]:
        assert node.rule.linear
        shapes = [network.nodes[source].shape for source in node.inputs]
        inputs = [tf.constant(draw.standard_normal((1, *shape)), tf.float32) for shape in shapes]
        weights = tf.constant(draw.standard_normal((1, 3, *node.shape)), tf.float32)
        parts, added = node.rule.backward((), weights, shapes)
        outputs = node.rule.interval([Box(each, 0 * each) for each in inputs]).centre
        there = summed(weights * outputs[:, None])
        back = sum(summed(part * each[:, None]) for part, each in zip(parts, inputs, strict=True))
        back += 0 if added is None else summed(added)
        np.testing.assert_allclose(there, back, rtol=1e-4, atol=1e-4)
        # |W| r: the reach of one output is what its row of W makes of the vertices.
        radii = [tf.ones((1, *shape)) for shape in shapes]
        rows = tf.reshape(tf.eye(node.size)[:5], (1, -1, *node.shape))
        slopes, _ = node.rule.backward((), rows, shapes)
        reached = sum(summed(abs(each)) for each in slopes)
        found = tf.reshape(node.rule.interval([Box(0 * each, each) for each in radii]).radius, (1, -1))[:, :5]
        np.testing.assert_allclose(found, reached, rtol=1e-4, atol=1e-5)


def test_the_lines_of_a_length_touch_it_where_the_box_is_a_point() -> None:
    centre = tf.constant([[3.0, 4.0, 0.0]])
    for radius in (0.0, 0.01, 1.0):
        upper, above, lower, below = (each.numpy() for each in Length().relax([Box(centre, radius * tf.ones((1, 3)))]))
        at_centre = upper[0] @ centre.numpy()[0] + above[0], lower[0] @ centre.numpy()[0] + below[0]
        np.testing.assert_allclose(at_centre, [[np.sqrt(25 + 3 * radius**2)], [5.0]], rtol=1e-5)


@pytest.mark.parametrize("name", BENT)
def test_intervals_grow_with_the_box(name: str) -> None:
    _, network = made(name)
    inner = box_of(network, 0.2)
    outer = Box(inner.centre + 0.1, inner.radius + 0.3)
    small, large = (network.intervals(box)[network.output] for box in (inner, outer))
    assert (small.upper <= large.upper + 1e-5).numpy().all() and (small.lower >= large.lower - 1e-5).numpy().all()


@pytest.mark.parametrize("name", BENT)
def test_a_tiny_radius_is_not_lost(name: str) -> None:
    _, network = made(name)
    box = box_of(network, 0.0)
    radii = [network.intervals(Box(box.centre, box.radius + radius))[network.output].radius for radius in (1e-9, 1e-3)]
    # In one piece of the function a radius a million times smaller is a million times smaller behind it.
    tiny, large = (each.numpy() for each in radii)
    moved = large > 1e-4
    assert moved.any() and (tiny[moved] > 1e-4 * 1e-6 * large[moved]).all()


def test_a_relu_keeps_a_radius_of_a_hundred_millionth_beside_one() -> None:
    found = Rectified().interval([Box(tf.constant([[1.0, -1.0, 0.0]]), tf.fill((1, 3), 1e-8))])
    np.testing.assert_allclose(found.radius, [[1e-8, 0.0, 5e-9]])
    np.testing.assert_allclose(found.centre, [[1.0, 0.0, 5e-9]])


CURVES = {
    "sigmoid": curves.sigmoid(), "tanh": curves.tanh(), "softplus": curves.softplus(), "swish": curves.swish(),
    "gelu": curves.gelu(), "gelu by tanh": curves.tanh_gelu(), "square": curves.square(),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CURVES)),
    centre=st.floats(-12, 12, width=32),
    exponent=st.floats(-6, 1, width=32),
)
def test_a_curve_lies_between_its_lines_and_in_its_interval(name: str, centre: float, exponent: float) -> None:
    curve: Curve = CURVES[name]
    box = Box(tf.constant([[centre]]), tf.constant([[10.0**exponent]], tf.float32))
    z = tf.linspace(box.lower[0], box.upper[0], 2001)[:, 0]
    values = curve._function(z)
    slack = 1e-6 * (1 + abs(values) + abs(z))
    lines = curve.lines(box)
    assert tf.reduce_all(values <= lines.upper_slope[0] * z + lines.upper_offset[0] + slack)
    assert tf.reduce_all(values >= lines.lower_slope[0] * z + lines.lower_offset[0] - slack)
    found = curve.interval([box])
    assert tf.reduce_all((values <= found.upper[0] + slack) & (values >= found.lower[0] - slack))


@pytest.mark.parametrize("name", CURVES)
def test_the_facts_about_a_curve(name: str) -> None:
    curve: Curve = CURVES[name]
    z = tf.constant(np.linspace(-8, 8, 160001))
    with tf.GradientTape() as outer:
        outer.watch(z)
        with tf.GradientTape() as inner:
            inner.watch(z)
            values = curve._function(z)
        slope = inner.gradient(values, z)
    bend = outer.gradient(slope, z).numpy()
    np.testing.assert_allclose(curve._derivative(z), slope, atol=1e-9)
    assert np.abs(bend).max() <= curve._curvature * (1 + 1e-12)
    for places, function in ((curve._inflections, bend), (curve._turns, slope.numpy())):
        big = np.abs(function) > 1e-12
        signs, at = np.sign(function[big]), z.numpy()[big]
        found = at[1:][signs[1:] != signs[:-1]]
        np.testing.assert_allclose(found, sorted(places), atol=2e-4)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("rule", [Largest(), Sorted()], ids=["largest", "sorted"])
def test_a_group_lies_between_its_planes(rule: Any, size: int) -> None:
    draw = np.random.default_rng(size)
    centre, radius = draw.standard_normal((400, size)), 0.5 * draw.random((400, size))
    box = Box(tf.constant(centre, tf.float32), tf.constant(radius, tf.float32))
    upper, over, lower, under = (each.numpy() for each in rule.relax([box]))
    x = points((centre - radius), (centre + radius), 300)
    truth = x.max(axis=-1, keepdims=True) if isinstance(rule, Largest) else np.sort(x, axis=-1)
    assert (truth <= np.einsum("gvk,pgk->pgv", upper, x) + over + 1e-5).all()
    assert (truth >= np.einsum("gvk,pgk->pgv", lower, x) + under - 1e-5).all()
    # Some of the groups are settled, and their planes are exact.
    exact = np.abs(upper - lower).max(axis=(1, 2)) + np.abs(over - under).max(axis=1) == 0
    assert 0.1 < exact.mean() < 0.9


def test_an_intersection_lies_in_both_and_holds_what_both_hold() -> None:
    draw = np.random.default_rng(2)
    centre = draw.standard_normal((500, 4)).astype("float32")
    first = Box(tf.constant(centre), tf.constant(draw.random((500, 4)), tf.float32))
    second = Box(
        tf.constant(centre + 0.2 * draw.standard_normal((500, 4)).astype("float32")),
        tf.constant(0.3 + draw.random((500, 4)), tf.float32),
    )
    both = intersection(first, second)
    lower, upper = tf.maximum(first.lower, second.lower), tf.minimum(first.upper, second.upper)
    meeting = (lower <= upper).numpy()
    assert meeting.mean() > 0.5
    for box in (first, second):
        within = (both.upper <= box.upper + 1e-6) & (both.lower >= box.lower - 1e-6)
        assert within.numpy()[meeting].all()
    assert ((both.lower <= lower + 1e-6) & (both.upper >= upper - 1e-6)).numpy()[meeting].all()
    tiny = Box(first.centre, first.radius * 1e-12)
    np.testing.assert_array_equal(intersection(first, tiny).radius, tiny.radius)


def test_others_can_register_a_bound() -> None:
    class Halving(layers.Layer):
        """Half of everything, by a function of its own."""

        def call(self, inputs: Any) -> Any:
            return inputs / 2

    @register_bound(Halving)
    def halving(layer: Any, site: Any) -> list[Any]:
        return [Rectified()] if layer.name == "rectified" else []

    inputs = keras.Input((3,))
    network = read_network(keras.Model(inputs, Halving(name="rectified")(inputs)))
    assert isinstance(network.nodes[1].rule, Rectified) and network.nodes[1].path == "rectified"
