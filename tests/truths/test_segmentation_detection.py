"""Explainers, metrics, runs on disk and figures of segmentation networks and detectors, on the host and in a graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import X, sobol
from tests.zones_and_objects import (
    BOXES,
    convolution,
    some_objects,
    squares,
)
from xsparks.attributions import Saliency
from xsparks.engine import Explanation
from xsparks.metrics import Deletion
from xsparks.models.detection import Detection, detection
from xsparks.models.operators import as_operator
from xsparks.models.segmentation import segmentation

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")

RANDOM = np.random.default_rng(5)
TASKS = {
    "segmentation": (convolution, "segmentation", np.array([1, 2, 2, 1, 2])),
    "labels": (convolution, "segmentation", RANDOM.integers(-1, 3, (5, 8, 12))),
    "detection": (lambda: squares, "detection", BOXES),
    "objects": (lambda: squares, Detection(("box", "class")), some_objects(2)),
}


@pytest.mark.parametrize("with_targets", [False, True], ids=["none", "targets"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", ["saliency", "sobol"])
def test_a_graph_gives_what_the_host_gives(method, task, with_targets):
    model, operator, targets = TASKS[task]
    make = sobol if method == "sobol" else Saliency
    explainer = make(model(), operator=operator)
    host = explainer.explain(X, targets if with_targets else None)
    assert np.ptp(host.values) > 0 or (method, task, with_targets) == ("saliency", "objects", False)
    given = tf.constant(targets) if with_targets else None
    graph = explainer.as_function()(tf.constant(X), given)
    np.testing.assert_allclose(graph["scores"], host.scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(graph["attributions"], host.maps, rtol=1e-3, atol=1e-5)
    called = tf.function(lambda x: explainer.explain(x, given))(tf.constant(X))
    np.testing.assert_allclose(called, host.maps, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_map_does_not_depend_on_its_neighbours(task):
    model, operator, targets = TASKS[task]
    together = sobol(model(), operator=operator).explain(X, targets)
    alone = sobol(model(), operator=operator, batch_size=3).explain(X[3:4], targets[3:4])
    np.testing.assert_allclose(alone.values, together.values[3:4], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(alone.targets, together.targets[3:4], rtol=1e-6)


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_a_model_that_always_answers_the_same_has_a_zero_map(task):
    model, operator, _ = TASKS[task]
    answer = model()(tf.constant(X[:1]))
    maps = sobol(
        lambda x: answer + 0 * x[:, :1, :1, 0, None] if task == "segmentation" else answer + 0 * x[:, :1, :1, 0],
        operator=operator,
    )
    np.testing.assert_array_equal(maps.explain(X).values, 0)


@pytest.mark.parametrize("task", TASKS)
def test_a_stopped_run_goes_on(task, tmp_path):
    model, operator, targets = TASKS[task]
    explainer, images = sobol(model(), operator=operator), np.concatenate([X] * 3)
    targets = np.concatenate([targets] * 3)
    wanted = explainer.explain(images, targets)
    running = explainer.stream(images, targets, out=tmp_path)
    next(running)
    running.close()
    resumed = explainer.explain(images, targets, out=tmp_path)
    np.testing.assert_allclose(resumed.values, wanted.values, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(resumed.targets, wanted.targets)
    assert set(resumed.extras) == set(wanted.extras)
    again = explainer.explain(images, targets.astype(np.float64), out=tmp_path)
    np.testing.assert_array_equal(again.values, resumed.values)
    with pytest.raises(ValueError, match="the same inputs and targets"):
        explainer.explain(images, np.roll(targets, 1, axis=0), out=tmp_path)


def test_titles_and_figures_of_zones_and_objects():
    def title(task, targets):
        model, operator, _ = TASKS[task]
        maps = Saliency(model(), operator=operator).explain(X, targets)
        figure, _ = maps.plot(X)
        assert figure
        return maps.titles()[1].split(" (")[0]

    assert title("segmentation", None) == "zone"
    assert title("segmentation", np.ones((5, 8, 12, 3)) / 7) == "weights"
    assert title("detection", None) == "object" and title("objects", some_objects()) == "object"
    assert title("objects", some_objects(2)) == "objects"


def test_settings_tell_the_parts_and_the_function(tmp_path):
    maps = Saliency(squares, operator=Detection(("box",), read=unpacked)).explain(X)
    wanted = {"name": "Detection", "parts": ["box"], "read": "unpacked"}
    assert maps.settings["operator"] == wanted
    maps.save(tmp_path / "maps")
    assert Explanation.load(tmp_path / "maps").settings["operator"] == wanted
    assert json.loads((tmp_path / "maps.json").read_text())["settings"]["operator"] == wanted


def unpacked(outputs):
    """The parts of an answer of `squares`."""
    return outputs[..., :4], outputs[..., 4], outputs[..., 5:]


@pytest.mark.parametrize("task", TASKS)
def test_a_metric_measures_a_zone_and_an_object(task):
    model, operator, targets = TASKS[task]
    explainer = sobol(model(), operator=operator)
    metric = Deletion(model(), X, targets, steps=4, operator=operator)
    at_once, stored = metric.evaluate(explainer), metric.evaluate(explainer.explain(X, targets))
    np.testing.assert_allclose(at_once.per_sample, stored.per_sample, rtol=1e-5)
    np.testing.assert_allclose(stored.curve[1][:, 0], explainer.explain(X, targets).scores, rtol=1e-4)


def test_an_object_of_the_users_own_reads_its_targets():
    class Contrast:
        """A class against the strongest other one; needs the image turned round as well."""

        def __call__(self, forward, inputs, targets):
            outputs = forward(inputs) + forward(inputs[:, :, ::-1])
            return tf.gather(outputs, targets[:, 0], batch_dims=1) - tf.gather(outputs, targets[:, 1], batch_dims=1)

        def resolve(self, targets, outputs, where, start):
            return np.argsort(-outputs, axis=1)[:, :2]

        def symbolic(self, targets, outputs, where):
            return tf.argsort(-outputs, axis=1)[:, :2]

    model = models.convolutional()
    outputs = model(X).numpy()
    both = outputs + model(X[:, :, ::-1]).numpy()
    first, second = np.argsort(-outputs, axis=1)[:, :2].T
    explainer = sobol(model, operator=Contrast())
    maps = explainer.explain(X)
    np.testing.assert_allclose(
        maps.scores, both[np.arange(5), first] - both[np.arange(5), second], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(maps.targets, np.stack([first, second], 1))
    graph = explainer.as_function()(tf.constant(X), None)
    np.testing.assert_allclose(graph["scores"], maps.scores, rtol=1e-3, atol=1e-4)


def test_operators_are_known_by_name():
    assert as_operator("segmentation", "test") is segmentation and as_operator("detection", "test") is detection
