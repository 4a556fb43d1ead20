"""Whatever a user hands over is read once, in order, in groups of any size."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.messages.saying import network
from xsparks.attributions import SobolAttribution
from xsparks.core.digests import digests
from xsparks.core.inputs import Reader, leaves, map_leaves

X = models.images(11)
Y = np.arange(11) % 4
TABLE = np.arange(22, dtype=np.float32).reshape(11, 2)
PAIRS = tf.data.Dataset.from_tensor_slices((X, Y))
ALONE = tf.data.Dataset.from_tensor_slices(X)


def read_all(reader: Reader, size: int) -> tuple:
    """All that a reader gives, in groups of this size, with the sizes and the positions of the groups."""
    groups = []
    while (samples := reader.read(size)) is not None:
        groups.append(samples)
    assert reader.read(size) is None, "the end stays the end"
    columns = [
        np.concatenate([leaves(group.inputs)[place] for group in groups])
        for place in range(len(leaves(groups[0].inputs)))
    ]
    targets = None if groups[0].targets is None else np.concatenate([group.targets for group in groups])
    return columns, targets, [len(group) for group in groups], [group.start for group in groups]


KINDS = {
    "array": (X, Y),
    "tensor": (tf.constant(X), tf.constant(Y)),
    "variable": (tf.Variable(X), Y.tolist()),
    "list": (list(X), list(Y)),
    "list of tensors": ([tf.constant(image) for image in X], Y),
    "dataset": (PAIRS, None),
    "batched": (PAIRS.batch(3), None),
    "one batch": (PAIRS.batch(100), None),
    "prefetched": (PAIRS.batch(4).prefetch(2), None),
    "mapped": (PAIRS.map(lambda x, y: (x + 0.0, y)).batch(2), None),
    "batched beside": (ALONE.batch(5), Y),
    "unbatched beside": (ALONE, Y),
    "in tuples of one": (tf.data.Dataset.from_tensor_slices((X,)).batch(4), Y),
    "cached": (PAIRS.cache().batch(4), None),
    "drop": (PAIRS.batch(11, drop_remainder=True), None),
}


@pytest.mark.parametrize("size", [1, 4, 11, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_in_order_whatever_the_groups(kind, size):
    inputs, targets = KINDS[kind]
    reader = Reader(inputs, targets, sample_rank=3)
    np.testing.assert_array_equal(reader.peek(), X[:1])
    columns, found, sizes, starts = read_all(reader, size)
    np.testing.assert_array_equal(columns[0], X)
    np.testing.assert_array_equal(found, Y)
    assert sizes == [min(size, 11 - start) for start in range(0, 11, size)] and starts == list(range(0, 11, size))
    assert isinstance(columns[0], np.ndarray) and columns[0].dtype == np.float32


def test_no_targets_and_one_target_for_all():
    assert read_all(Reader(X), 4)[1] is None and not Reader(X).has_targets
    assert read_all(Reader(ALONE.batch(3), None, 3), 4)[1] is None
    np.testing.assert_array_equal(read_all(Reader(ALONE.batch(3), 7, 3), 4)[1], np.full(11, 7))
    assert Reader(X, 7).has_targets and Reader(PAIRS.batch(2)).has_targets


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float64", "bool"])
def test_types_are_kept(dtype):
    pixels = (X * 255).astype(dtype)
    for inputs in (pixels, list(pixels), tf.data.Dataset.from_tensor_slices(pixels).batch(3)):
        (column,), *_ = read_all(Reader(inputs, None, 3), 4)
        assert column.dtype == dtype
        np.testing.assert_array_equal(column, pixels)


def several(kind: str):
    """Two inputs a sample, and the order in which `leaves` gives them."""
    named = {"picture": X, "table": TABLE}
    return {
        "dict": (named, Y, (X, TABLE)),
        "dict that is not sorted": ({"z": X, "a": TABLE}, Y, (TABLE, X)),
        "tuple": ((X, TABLE), Y, (X, TABLE)),
        "dataset of dicts": (tf.data.Dataset.from_tensor_slices((named, Y)).batch(3), None, (X, TABLE)),
        "dataset of dicts alone": (tf.data.Dataset.from_tensor_slices(named).batch(3), Y, (X, TABLE)),
        "dataset of tuples": (tf.data.Dataset.from_tensor_slices(((X, TABLE), Y)).batch(3), None, (X, TABLE)),
        "unbatched": (tf.data.Dataset.from_tensor_slices(((X, TABLE), Y)), None, (X, TABLE)),
        "tuples in tuples": (tf.data.Dataset.from_tensor_slices(((X, TABLE),)).batch(4), Y, (X, TABLE)),
    }[kind]


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize(
    "kind",
    ["dict", "dict that is not sorted", "tuple", "dataset of dicts", "dataset of dicts alone", "dataset of tuples",
     "unbatched", "tuples in tuples"],
)  # fmt: skip
def test_several_inputs_stay_together(kind, size):
    inputs, targets, wanted = several(kind)
    rank = 1 if wanted[0] is TABLE else 3
    columns, found, *_ = read_all(Reader(inputs, targets, sample_rank=rank), size)
    for column, values in zip(columns, wanted, strict=True):
        np.testing.assert_array_equal(column, values)
    np.testing.assert_array_equal(found, Y)


@pytest.mark.parametrize("batch", [None, 3], ids=["unbatched", "batched"])
@pytest.mark.parametrize("rank", [3, None], ids=["told", "untold"])
def test_a_dataset_that_cannot_tell_its_rank(batch, rank):
    """Images decoded from files have no known shape before they are decoded."""

    def generate():
        yield from zip(
            X if batch is None else np.array_split(X, 4), Y if batch is None else np.array_split(Y, 4), strict=True
        )

    signature = (tf.TensorSpec(None, tf.float32), tf.TensorSpec(None, tf.int64))
    reader = Reader(tf.data.Dataset.from_generator(generate, output_signature=signature), None, rank)
    columns, found, *_ = read_all(reader, 4)
    np.testing.assert_array_equal(columns[0], X)
    np.testing.assert_array_equal(found, Y)


def test_the_model_decides_what_a_batch_is():
    """Series `(t, f)`: two axes are a sample, three a batch, though an image has three as well."""
    series = np.ones((6, 5, 2), np.float32)
    dataset = tf.data.Dataset.from_tensor_slices(series)
    for inputs in (dataset, dataset.batch(2), dataset.batch(2, drop_remainder=True)):
        assert read_all(Reader(inputs, None, sample_rank=2), 4)[0][0].shape == (6, 5, 2)


def test_the_count_is_known_where_it_is():
    assert Reader(X).count == 11 and Reader(PAIRS, None, 3).count == 11
    assert Reader(PAIRS.batch(2), None, 3).count is None
    assert Reader(PAIRS.filter(lambda x, y: True), None, 3).count is None


def test_batches_that_hold_nothing_are_passed_over():
    def generate():
        yield from (X[:0], X[:4], X[4:4], X[4:])

    dataset = tf.data.Dataset.from_generator(
        generate, output_signature=tf.TensorSpec((None, *models.SHAPE), tf.float32)
    )
    np.testing.assert_array_equal(Reader(dataset, Y, 3).peek(), X[:1])
    np.testing.assert_array_equal(read_all(Reader(dataset, Y, 3), 3)[0][0], X)


def counting_passes() -> tuple[tf.data.Dataset, list[int]]:
    """A dataset that notes every pass over it, and every sample that it was asked for."""
    asked: list[int] = []

    def generate():
        asked.append(-1)
        for position in range(len(X)):
            asked.append(position)
            yield X[position], Y[position]

    signature = (tf.TensorSpec(models.SHAPE, tf.float32), tf.TensorSpec((), tf.int64))
    return tf.data.Dataset.from_generator(generate, output_signature=signature), asked


@pytest.mark.parametrize("batch", [None, 3])
def test_a_dataset_is_read_once(batch):
    dataset, asked = counting_passes()
    explainer = SobolAttribution(network(), grid_size=2, nb_design=2, smooth=False)
    maps = explainer.explain(dataset if batch is None else dataset.batch(batch))
    assert len(maps) == 11 and asked == [-1, *range(11)]


def test_only_what_is_asked_for_is_read():
    dataset, asked = counting_passes()
    reader = Reader(dataset, None, 3)
    reader.peek()
    reader.read(2)
    # TensorFlow itself fetches a few samples ahead.
    assert max(asked) < 6


def test_arrays_are_not_copied():
    group = Reader(X, Y).read(4)
    assert group is not None and np.shares_memory(group.inputs, X)


def test_leaves_and_map_leaves_agree():
    tree = {"b": np.ones(2), "a": np.zeros(2)}
    doubled = map_leaves(lambda leaf: leaf + 1, tree)
    assert list(doubled) == ["b", "a"] and [leaf[0] for leaf in leaves(doubled)] == [1, 2]
    assert map_leaves(len, (np.ones(2), np.ones(3))) == (2, 3)


def test_fingerprints_tell_values_shapes_and_inputs_apart():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    marks = digests([images])
    assert marks.dtype == np.uint64 and marks[0] != marks[1]
    np.testing.assert_array_equal(marks, digests([images.astype(np.float64)]))
    np.testing.assert_array_equal(marks[::-1], digests([images[::-1]]))
    assert digests([images.reshape(2, 4, 3)])[0] != marks[0], "the shape counts"
    assert digests([images, images])[0] != marks[0], "every input counts"
    assert digests([images + 1])[0] != marks[0]
