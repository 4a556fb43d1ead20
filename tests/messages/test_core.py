"""The words of `xsparks.core`, provoked as a user would: data that cannot be read, options, files."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import TARGETS, X, says, sobol
from xsparks.core.errors import NotFittedError, WriteError, nearest
from xsparks.engine import Explanation, Score

SET = tf.data.Dataset.from_tensor_slices(X)
PAIRS = tf.data.Dataset.from_tensor_slices((X, TARGETS))
NONE = "`SobolAttribution.explain`: `inputs` must hold at least one sample, got none. Look at the path or the filter"


@pytest.mark.parametrize(
    "inputs",
    [X[:0], [], {}, (), SET.take(0), SET.filter(lambda x: False), SET.batch(2).take(0), PAIRS.batch(5).take(0)],
    ids=["array", "list", "dict", "tuple", "dataset", "filtered", "batched", "pairs"],
)
def test_an_empty_set(inputs):
    says(ValueError, NONE, lambda: sobol().explain(inputs))


def targets_text(samples: str, entries: int) -> str:
    return (
        f"`SobolAttribution.explain`: `targets` must have one entry for each of the {samples}, got {entries} entries. "
        "Pass as many targets as inputs, one integer for all, or None for the predicted class."
    )


def test_targets_of_another_length_than_an_array():
    says(ValueError, targets_text("5 samples", 3), lambda: sobol().explain(X, TARGETS[:3]))
    says(ValueError, targets_text("5 samples", 6), lambda: sobol().explain(list(X), [0] * 6))


def test_targets_of_another_length_than_a_dataset():
    batched = SET.batch(2)
    says(ValueError, targets_text("at least 5 samples", 3), lambda: sobol().explain(batched, TARGETS[:3]))
    says(ValueError, targets_text("5 samples", 9), lambda: sobol().explain(batched, [0] * 9))


def test_targets_given_twice():
    says(
        ValueError,
        "`SobolAttribution.explain`: targets must come from the dataset or from `targets`, got both. "
        "Pass targets=None, or dataset.map(lambda x, y: x).",
        lambda: sobol().explain(PAIRS.batch(2), TARGETS),
    )


def test_an_infinite_dataset():
    says(
        ValueError,
        "`SobolAttribution.explain`: `inputs` must be a dataset that ends, got an infinite dataset. "
        "Call .take(count) after .repeat().",
        lambda: sobol().explain(SET.repeat()),
    )


def test_a_dataset_with_sample_weights():
    says(
        ValueError,
        "an element of a dataset must be the inputs or (inputs, targets), got a tuple of 3. "
        "Drop sample weights: dataset.map(lambda x, y, w: (x, y)).",
        lambda: sobol().explain(tf.data.Dataset.from_tensor_slices((X, TARGETS, np.ones(5))).batch(2)),
    )


def test_several_inputs_of_different_lengths():
    inputs = {"picture": X, "table": np.ones((4, 2), "float32")}
    says(
        ValueError,
        "all inputs must have the same number of samples, got [4, 5]. Slice them to the same length.",
        lambda: sobol(models.two_inputs(), explain_input="picture").explain(inputs),
    )


def test_a_list_of_different_shapes():
    says(
        ValueError,
        "`SobolAttribution.explain`: all samples of a list must have one shape, got (8, 12, 3), (8, 13, 3). "
        "Resize them, or explain each size in a call of its own.",
        lambda: sobol().explain([np.ones((8, 12, 3)), np.ones((8, 13, 3))]),
    )


@pytest.mark.parametrize("batch", [0, 1])
def test_a_dataset_of_different_shapes(batch):
    def generate():
        for width in (12, 13, 12):
            yield np.ones((1,) * batch + (8, width, 3), np.float32)

    signature = tf.TensorSpec((None,) * batch + (None, None, 3), tf.float32)
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    any_size = keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()])
    says(
        ValueError,
        "all samples of a dataset must have one shape, got (8, 12, 3), (8, 13, 3). Resize them in dataset.map.",
        lambda: sobol(any_size).explain(dataset),
    )


@pytest.mark.parametrize(
    "inputs, received",
    [
        ("photographs/cat.png", "str"),
        (Path("cat.png"), type(Path()).__name__),
        (["cat.png", "dog.png"], "an array of <U7"),
        (iter([X]), "list_iterator"),
        (3.5, "float"),
        (np.float32(3), "an array of float32"),
        (np.array([object()]), "an array of object"),
    ],
    ids=["path", "Path", "paths", "iterator", "number", "scalar", "objects"],
)
def test_inputs_of_no_accepted_kind(inputs, received):
    error = says(
        TypeError,
        "`SobolAttribution.explain`: `inputs` must be a NumPy array, a tensor, a list of samples, a tf.data.Dataset, "
        "or a dict or tuple of arrays for several inputs",
        lambda: sobol().explain(inputs),
    )
    remedies = ("Load the data first; `xsparks explain` reads image files.", "Convert it to numbers with a leading")
    assert f", got {received}. " in str(error) and any(remedy in str(error) for remedy in remedies)


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"nb_design": 0}, ValueError, "`nb_design` must be an integer of at least 1, got 0. Use 8;"),
        ({"nb_design": 2.5}, TypeError, "`nb_design` must be an integer of at least 1, got 2.5. Use 8;"),
        ({"nb_design": True}, TypeError, "`nb_design` must be an integer of at least 1, got True. Use 8;"),
        ({"seed": -1}, ValueError, "`SobolAttribution(seed=-1)`: `seed` must be an integer of at least 0, got -1."),
        ({"stop_when": 1.5}, ValueError, "`stop_when` must be a number in [1e-06, 0.999999], got 1.5. Use"),
        ({"stop_when": float("nan")}, ValueError, "`stop_when` must be a number in [1e-06, 0.999999], got nan. Use"),
        ({"stop_when": "early"}, TypeError, "`stop_when` must be a number in [1e-06, 0.999999], got 'early'. Use"),
        ({"design": "half"}, ValueError, "`SobolAttribution(design='half')`: `design` must be one of 'half_shift', "),
        ({"design": "half"}, ValueError, ", got 'half'. Nearest: half_shift."),
        ({"design": 3}, TypeError, "`design` must be one of half_shift, "),
        ({"batch_size": 0}, ValueError, "`batch_size` must be an integer of at least 1, got 0. Use 'auto' to have it"),
    ],
)
def test_options_out_of_range(options, kind, text):
    says(kind, text, lambda: sobol(**options))


def test_the_nearest_names_or_all_of_them():
    assert nearest("blok5", ["block5", "block4", "head"]) == "Nearest: block5, block4."
    assert nearest("zzz", ["block5", "head"]) == "Known: block5, head."
    assert nearest("zzz", [f"layer{i}" for i in range(20)]).count("layer") == 8


def test_order_errors_are_runtime_errors():
    assert issubclass(NotFittedError, RuntimeError) and issubclass(WriteError, OSError)


def explanation() -> Explanation:
    return Explanation(np.ones((2, 4, 4, 1), "float32"), method="Demo")


def score() -> Score:
    return Score.from_samples(np.array([0.2, 0.4]), "lower", "Deletion")


def refusing(code: int):
    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("result", [explanation, score])
@pytest.mark.parametrize("module, name", [(tempfile, "mkstemp"), (os, "replace")])
@pytest.mark.parametrize(
    "code, words", [(errno.ENOSPC, "No space left on device"), (errno.EACCES, "Permission denied")]
)
def test_a_disk_that_refuses(result, module, name, code, words, monkeypatch, tmp_path):
    monkeypatch.setattr(module, name, refusing(code))
    says(
        WriteError,
        f"`{tmp_path / 'kept.npz'}`: the file must be writable, got {words}. Free space or choose another folder. "
        "The result is still in memory.",
        lambda: result().save(tmp_path / "kept"),
    )
    assert list(tmp_path.iterdir()) == [], "half a file was left"


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("something else")
    says(WriteError, "the file must be writable, got ", lambda: explanation().save(tmp_path / "taken" / "maps"))
    assert (tmp_path / "taken").read_text() == "something else"


@pytest.mark.parametrize("kind, result", [(Explanation, explanation), (Score, score)])
def test_missing_files(kind, result, tmp_path):
    says(
        FileNotFoundError,
        "both the .npz and the .json must exist, got no nothing.npz and no nothing.json. They are written together by",
        lambda: kind.load(tmp_path / "nothing.npz"),
    )
    result().save(tmp_path / "half")
    (tmp_path / "half.json").unlink()
    says(FileNotFoundError, "got no half.json. They are written together", lambda: kind.load(tmp_path / "half"))


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "record", "flipped"])
def test_damaged_files(damage, tmp_path):
    arrays = explanation().save(tmp_path / "maps")
    content = arrays.read_bytes()
    middle = len(content) // 3
    spoilt = {
        "cut": content[:middle],
        "garbage": b"no archive",
        "empty": b"",
        "flipped": content[:middle]
        + bytes(255 - byte for byte in content[middle : middle + 20])
        + content[middle + 20 :],
    }
    if damage == "record":
        (tmp_path / "maps.json").write_text('{"kind": "Expl')
    else:
        arrays.write_bytes(spoilt[damage])
    error = says(
        ValueError,
        f"`{tmp_path / 'maps'}`: the files must hold a saved Explanation",
        lambda: Explanation.load(tmp_path / "maps"),
    )
    assert str(error).endswith("Save it again.")


def test_files_of_another_kind(tmp_path):
    score().save(tmp_path / "score")
    says(
        ValueError,
        "the files must hold a saved Explanation, got 'Score'. Load it with the class that saved it.",
        lambda: Explanation.load(tmp_path / "score"),
    )
    (tmp_path / "score.json").write_text(json.dumps(["Score"]))
    says(ValueError, "must hold a saved Score, got ['Score']. Load it", lambda: Score.load(tmp_path / "score"))
