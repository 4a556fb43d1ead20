"""ClickMe: its format, its blur bit for bit, its shards, and files that are fetched, gone on with and checked."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.truths.served import Served
from xsparks.alignment import ClickMe, Harmonization, read_clickme, write_clickme
from xsparks.core.download import check_kept, download
from xsparks.numerics.click_blur import click_blur, click_kernel

RANDOM = np.random.default_rng(0)


def smooth(shape):
    """Pictures that JPEG keeps well."""
    y, x = np.mgrid[:256, :256] / 255
    picture = (255 * (y * RANDOM.random() + x * RANDOM.random()) / 2).astype("uint8")
    return np.broadcast_to(picture[..., None], (256, 256, 3)) if len(shape) == 3 else picture


def written(path, count=3):
    images, heatmaps = (np.stack([smooth(shape) for _ in range(count)]) for shape in ((256, 256, 3), (256, 256)))
    labels = RANDOM.integers(0, 1000, count)
    return write_clickme(path, images, heatmaps, labels), images, heatmaps, labels


def published_blur(heatmap):
    """The published recipe, in its own order of operations and types."""
    xs, ys = np.meshgrid(np.arange(-5, 5), np.arange(4, -6, -1))
    weights = np.exp(-(xs**2 + ys**2) / 200) / (2 * np.pi * 100)
    kernel = tf.constant((weights / weights.sum()).astype("float32")[..., None, None])
    small = tf.image.resize(tf.cast(heatmap[..., None], tf.float32), (64, 64))
    return tf.image.resize(tf.nn.conv2d(small[None], kernel, 1, "SAME")[0], (224, 224))[..., 0]


def test_the_kernel_is_the_published_one():
    kernel = click_kernel().astype(float)
    assert kernel.max() == pytest.approx(0.01087, abs=5e-6) and kernel.min() == pytest.approx(0.00847, abs=5e-6)
    rows, columns = np.arange(4, -6, -1), np.arange(-5, 5)
    assert (kernel.sum(axis=1) * rows).sum() == pytest.approx(-0.460, abs=5e-4)
    assert (kernel.sum(axis=0) * columns).sum() == pytest.approx(-0.460, abs=5e-4)
    impulse = np.zeros((1, 41, 41), "float32")
    impulse[0, 20, 20] = 1
    moved = click_blur(impulse).numpy()[0]
    centre = [float((moved.sum(axis=1 - axis) * np.arange(41)).sum()) - 20 for axis in (0, 1)]
    assert centre == pytest.approx([-0.460, -0.540], abs=5e-4)
    symmetric = click_kernel(symmetric=True)
    np.testing.assert_array_equal(symmetric, symmetric[::-1, ::-1])
    assert not np.allclose(click_kernel(sigma=3), click_kernel()) and click_kernel(7, symmetric=True).shape == (7, 7)
    assert click_blur(impulse.astype("float64")).dtype == tf.float64


def test_what_is_written_is_read(tmp_path):
    path, images, heatmaps, labels = written(tmp_path / "val-0.tfrecords")
    found = list(read_clickme([path], size=256, blur="none").as_numpy_iterator())
    assert len(found) == 3
    for i, (image, targets) in enumerate(found):
        assert image.shape == (256, 256, 3) and np.abs(image - images[i]).max() <= 4
        assert targets["label"] == labels[i] and targets["has_heatmap"] == 1
        assert np.abs(targets["heatmap"] - heatmaps[i]).max() <= 4
    stored = tf.train.Example.FromString(next(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))
    assert set(stored.features.feature) == {"image", "heatmap", "label"}


def test_the_blur_is_the_published_one_bit_for_bit(tmp_path):
    path, *_ = written(tmp_path / "val-0.tfrecords", 1)
    stored = tf.train.Example.FromString(next(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))
    decoded = tf.io.decode_jpeg(stored.features.feature["heatmap"].bytes_list.value[0]).numpy()[..., 0]
    maps = {}
    for blur in ("published", "symmetric", "none"):
        maps[blur] = next(iter(read_clickme([path], blur=blur)))[1]["heatmap"].numpy()
    # In a dataset, as the published one: the same convolution run eagerly rounds otherwise.
    published = next(iter(tf.data.Dataset.from_tensors(decoded).map(published_blur))).numpy()
    np.testing.assert_array_equal(maps["published"], published)
    assert maps["published"].shape == (224, 224)
    for other in ("symmetric", "none"):
        assert np.abs(maps[other] - maps["published"]).max() > 0.5


def test_all_shards_are_there_the_last_included():
    train, val = ClickMe().paths(), ClickMe(split="val").paths()
    assert (train[0].name, train[-1].name, len(train)) == ("train-0.tfrecords", "train-318.tfrecords", 319)
    assert (val[-1].name, len(val)) == ("val-17.tfrecords", 18)
    assert [path.name for path in ClickMe(shards=[3, 318]).paths()] == ["train-3.tfrecords", "train-318.tfrecords"]


@pytest.fixture
def served():
    found = Served()
    yield found
    found.close()


def test_a_file_is_fetched_once_and_checked(served, tmp_path):
    served.files["/a"] = bytes(range(256)) * 5000
    sizes = []
    path = download(f"{served.address}/a", tmp_path / "kept" / "a", progress=sizes.append)
    assert path.read_bytes() == served.files["/a"] and sum(sizes) == len(served.files["/a"])
    assert download(f"{served.address}/a", path) == path and len(served.asked) == 1
    check_kept(path)
    path.write_bytes(b"x" + served.files["/a"][1:])
    with pytest.raises(ValueError):
        check_kept(path)
    check_kept(tmp_path / "by_hand")


def test_a_transfer_that_broke_off_goes_on(served, tmp_path):
    served.files["/a"], served.stop_after = bytes(range(256)) * 5000, 700_000
    with pytest.raises(ConnectionError):
        download(f"{served.address}/a", tmp_path / "a")
    served.stop_after = None
    sizes = []
    path = download(f"{served.address}/a", tmp_path / "a", progress=sizes.append)
    assert path.read_bytes() == served.files["/a"] and sum(sizes) == 580_000
    assert served.asked[-1] == ("/a", "bytes=700000-") and not (tmp_path / "a.part").exists()
    check_kept(path)


def test_a_file_that_changed_meanwhile_starts_anew(served, tmp_path):
    served.files["/a"], served.stop_after = bytes(range(256)) * 5000, 700_000
    with pytest.raises(ConnectionError):
        download(f"{served.address}/a", tmp_path / "a")
    served.stop_after, served.files["/a"] = None, b"another" * 1000
    assert download(f"{served.address}/a", tmp_path / "a").read_bytes() == served.files["/a"]


def test_the_dataset_fetches_what_is_missing_and_trains(served, tmp_path):
    path, *_ = written(tmp_path / "val-17.tfrecords", 2)
    served.files["/val/val-17.tfrecords"] = path.read_bytes()
    clickme = ClickMe(split="val", shards=[17], folder=tmp_path / "kept", base_url=served.address, size=16, verify=True)
    data = clickme.dataset()
    assert len(list(clickme.dataset())) == 2 and len(served.asked) == 1
    kernel = tf.keras.initializers.Constant(0.01)
    network = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(1000, kernel_initializer=kernel)])
    network.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    history = network.fit(data.batch(2), verbose=0, callbacks=[Harmonization(levels=3)]).history
    assert np.isfinite(history["harmonization_loss"][0])
    clickme.paths()[0].write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError):
        clickme.dataset()
