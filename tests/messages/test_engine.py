"""The words of `xsparks.engine`, provoked as a user would: inputs, memory, results, resumable runs."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.core.errors import ModelError, WriteError
from xsparks.engine import Explainer, Explanation, Score
from xsparks.metrics import Deletion

MANY, MANY_TARGETS = models.images(20), np.arange(20) % 4


@cache
def quick():
    """One explainer, compiled once."""
    return sobol()


@pytest.mark.parametrize(
    "inputs, remedy",
    [
        (X[0], "Add the batch axis: inputs[None]."),
        (X[..., 0], "Add the batch axis: inputs[None]."),
        (X[None], "Look at the axes of the inputs."),
        (X[:, :7], "Resize or crop them to what the model reads."),
        (X[..., :1], "Resize or crop them to what the model reads."),
    ],
    ids=["one image", "no channel", "rank 5", "size", "channels"],
)
def test_inputs_of_another_shape(inputs, remedy):
    for where, call in [
        ("SobolAttribution", lambda: sobol().explain(inputs)),
        ("Deletion", lambda: Deletion(network(), inputs).evaluate(np.ones((len(inputs), 8, 12)))),
    ]:
        error = says(ValueError, f"`{where}`: `inputs` must have shape (n, 8, 12, 3), got (", call)
        assert str(error).endswith(remedy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_that_are_not_finite_are_counted_over_the_whole_data_set(value):
    images = models.images(20)
    images[13, 2, 3, 1] = value
    text = "`inputs` must be finite, got NaN or infinity in sample 13. Look at how it was read or normalised."
    says(ValueError, f"`SobolAttribution`: {text}", lambda: sobol().explain(images, 0))
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(3)
    says(ValueError, f"`Deletion`: {text}", lambda: Deletion(network(), dataset, 0).evaluate(np.ones((20, 8, 12))))


def test_a_model_that_answers_with_nan():
    says(
        ModelError,
        "`SobolAttribution`: the model must answer with finite numbers, got NaN or infinity. Look at `preprocess` and",
        lambda: sobol(lambda x: tf.math.log(-x[:, 0, 0])).explain(X),
    )


def test_a_model_that_answers_with_nan_to_variants_alone():
    """The logarithm of the darkest pixel: finite for the image, not for masks that reach zero."""

    def darkest(inputs):
        return tf.math.log(tf.reduce_min(inputs, (1, 2)) - 0.01)

    says(
        ModelError,
        "`SobolAttribution`: maps must be finite, got NaN or infinity. The model answered so for a variant of the",
        lambda: sobol(darkest).explain(X + 0.02, 0),
    )


def test_the_explained_one_of_several_inputs():
    inputs = {"picture": X, "table": np.ones((5, 2), "float32")}
    text = "`explain_input` must name one of the inputs 'picture', 'table', got {}. The other inputs stay as they are."
    for asked in (None, "image", 0):
        says(
            ValueError,
            f"`SobolAttribution(explain_input={asked!r})`: " + text.format(repr(asked)),
            lambda: sobol(models.two_inputs(), explain_input=asked).explain(inputs),  # noqa: B023
        )
    explainer = sobol(lambda x: x[0][:, 0, 0] * x[1][:, :1], explain_input=2)
    pair = (inputs["picture"], inputs["table"])
    says(ValueError, "one of the inputs 0, 1, got 2.", lambda: explainer.explain(pair))


def exhausted(forward, inputs, targets):
    def refuse(values):
        raise MemoryError

    return tf.ensure_shape(tf.numpy_function(refuse, [forward(inputs)[:, 0]], tf.float32), [None])


def test_a_batch_that_never_fits():
    text = "a batch must fit into the memory of the device, got ResourceExhaustedError. Pass a smaller batch_size, or"
    says(ModelError, f"(batch_size=4)`: {text}", lambda: sobol(operator=exhausted, batch_size=4).explain(X))
    says(ModelError, f"(batch_size=1)`: {text}", lambda: sobol(operator=exhausted).explain(X))


def test_a_score_without_a_gradient():
    says(
        ModelError,
        "`gradient`: the score must depend on the inputs by operations that have gradients, got no gradient. Look for",
        lambda: sobol(preprocess=tf.round, smooth=True, assist="gradients").explain(X),
    )


class OnTheHost(Explainer):
    """A method that cannot run in a graph."""

    traceable = False

    def plan(self, layout, outputs):
        """None."""
        raise RuntimeError


def test_a_method_with_a_step_on_the_host():
    says(
        ModelError,
        "`OnTheHost`: the method must run within a graph, got a step on the host. Call explain outside of tf.function",
        lambda: OnTheHost(network()).as_function()(tf.constant(X)),
    )


def test_an_unknown_attribute_of_an_explanation_lists_the_nearest():
    maps = Explanation(np.ones((1, 2, 2, 1)), method="SobolAttribution", extras={"interval": np.ones((1, 2, 2, 2))})
    says(
        AttributeError,
        "`SobolAttribution.intervals`: the name must be an attribute of these maps, got 'intervals'. Nearest: interval",
        lambda: maps.intervals,
    )
    says(AttributeError, "`Explanation.raw`: ", lambda: Explanation(np.ones((1, 2, 2, 1))).raw)
    error = says(AttributeError, "__wrapped__", lambda: maps.__wrapped__)
    assert str(error) == "__wrapped__", "Python asks for such names; there is nothing to tell a user"


def test_a_score_without_a_curve():
    score = Score.from_samples(np.ones(3), "higher", "Agreement")
    says(ValueError, "`Agreement.plot`: ", score.plot)
    says(ValueError, "no curve", score.plot)
    says(ValueError, "`Agreement.curve_interval`: ", score.curve_interval)
    says(ValueError, "no curve", score.curve_interval)


def test_a_folder_of_another_run(tmp_path):
    sobol().explain(X, TARGETS, out=tmp_path)
    start = f"`explain(out={str(tmp_path)!r})`: the folder must belong to the same run, got another "
    end = ". Choose an empty folder, or delete this one."
    others = {
        "settings": lambda: sobol(seed=3).explain(X, TARGETS, out=tmp_path),
        "model": lambda: sobol(models.convolutional(seed=2)).explain(X, TARGETS, out=tmp_path),
        "targets": lambda: sobol().explain(X, out=tmp_path),
    }
    for name, call in others.items():
        says(ValueError, start + name + end, call)
    (tmp_path / "explanation.json").write_text("{")
    says(
        ValueError,
        "the same run, got a damaged explanation.json. Choose an empty folder, or delete this one.",
        lambda: sobol().explain(X, TARGETS, out=tmp_path),
    )


def test_a_resumed_run_with_other_inputs(tmp_path):
    quick().explain(MANY, MANY_TARGETS, out=tmp_path)
    text = (
        f"`explain(out={str(tmp_path)!r})`: a resumed run must see the same inputs and targets in the same order, "
        "got others in part 1. Choose an empty folder, or do not shuffle the dataset."
    )
    order = np.r_[0:9, 10, 9, 11:20]
    says(ValueError, text, lambda: quick().explain(MANY[order], MANY_TARGETS[order], out=tmp_path))
    other = np.where(np.arange(20) == 12, 3, MANY_TARGETS)
    says(ValueError, text, lambda: quick().explain(MANY, other, out=tmp_path))


@pytest.mark.parametrize("damage", ["cut", "missing", "record"])
def test_a_damaged_part_is_computed_again(damage, tmp_path):
    wanted = quick().explain(MANY, MANY_TARGETS, out=tmp_path).values
    part, kept = tmp_path / "part-00001.npz", tmp_path / "part-00000.npz"
    stamp, content = kept.stat().st_mtime_ns, part.read_bytes()
    if damage == "missing":
        part.unlink()
    elif damage == "cut":
        part.write_bytes(content[:100])
    else:
        part.with_suffix(".json").write_text("[]")
    np.testing.assert_array_equal(quick().explain(MANY, MANY_TARGETS, out=tmp_path).values, wanted)
    assert kept.stat().st_mtime_ns == stamp and Explanation.load(part).values.shape == (8, 2, 3, 1)


@pytest.mark.parametrize("kind", ["column", "one-hot", "fractions", "floats", "dataset"])
def test_targets_of_every_kind_are_recognised_in_a_resumed_run(kind, tmp_path):
    weights = np.random.default_rng(0).random((5, 4))
    given = {"column": TARGETS[:, None], "one-hot": np.eye(4)[TARGETS], "fractions": weights, "floats": TARGETS * 1.0}
    pairs = tf.data.Dataset.from_tensor_slices((X, TARGETS[:, None])).batch(2)
    arguments = (pairs,) if kind == "dataset" else (X, given[kind])
    wanted = quick().explain(*arguments, out=tmp_path).values
    np.testing.assert_array_equal(quick().explain(*arguments, out=tmp_path).values, wanted)


def refuse_after(count: int, original):
    """Writes `count` files, then the disk is full."""
    done = []

    def write(*arguments, **options):
        if len(done) == count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done.append(arguments)
        return original(*arguments, **options)

    return write


@pytest.mark.parametrize("module, name", [(os, "replace"), (tempfile, "mkstemp")])
@pytest.mark.parametrize("files", [3, 4], ids=["arrays", "record"])
def test_a_full_disk_keeps_what_was_computed(module, name, files, tmp_path, monkeypatch):
    """The manifest and the two files of part 0 are written; then, in part 1, the first or the second file is not."""
    wanted = quick().explain(MANY, MANY_TARGETS).values
    with monkeypatch.context() as patch:
        patch.setattr(module, name, refuse_after(files, getattr(module, name)))
        error = says(
            WriteError,
            f"No space left on device. Free space or choose another folder. The result is still in memory. The first 8 "
            f"explanations are kept in {tmp_path / 'out'}, the 8 after them in `error.kept`; the same call goes on",
            lambda: quick().explain(MANY, MANY_TARGETS, out=tmp_path / "out"),
        )
    np.testing.assert_array_equal(error.kept.values, wanted[8:16])
    np.testing.assert_array_equal(Explanation.load(tmp_path / "out" / "part-00000").values, wanted[:8])
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.startswith(".")], "half a file was left"
    stamp = (tmp_path / "out" / "part-00000.npz").stat().st_mtime_ns
    np.testing.assert_array_equal(quick().explain(MANY, MANY_TARGETS, out=tmp_path / "out").values, wanted)
    assert (tmp_path / "out" / "part-00000.npz").stat().st_mtime_ns == stamp


def test_a_disk_that_refuses_at_once_is_found_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    calls = []
    says(
        WriteError,
        "Free space or choose another folder. Nothing was computed yet.",
        lambda: sobol(lambda x: calls.append(1) or models.constant(x)).explain(X, out=tmp_path / "file" / "out"),
    )
    assert calls == []


def test_the_manifest_can_be_read_by_others(tmp_path):
    sobol().explain(X, TARGETS, out=tmp_path)
    manifest = json.loads((tmp_path / "explanation.json").read_text())
    assert manifest["method"] == "SobolAttribution" and manifest["settings"]["nb_design"] == 4
    shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    assert sobol().explain(X, TARGETS, out=tmp_path.with_name("moved")).shape == (5, 8, 12, 1)
