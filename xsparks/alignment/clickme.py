"""ClickMe: photographs with the places that people found telling, read, written and fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..core.download import cache_folder, check_kept, download
from ..core.errors import WriteError, wording
from ..core.progress import progress_bar
from ..numerics.click_blur import click_blur
from .human_maps import HAS_HEATMAP, HEATMAP, LABEL

BLURS = ("published", "symmetric", "none")
_SIDE, _BLURRED_SIDE = 256, 64
_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "heatmap": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class ClickMe:
    """Where do people look in the photographs of ImageNet?

    ClickMe's photographs with their maps, as a dataset for `Harmonization`. Shards that are not there are fetched, one
    after the other, into a folder that is kept; a transfer that broke off goes on.

    Parameters
    ----------
    split : `"train"`, 319 shards, or `"val"`, 18.
    shards : the numbers of those to take; None for all, the last included, which the published loader leaves out.
    folder : where they are kept, in `train` and `val`; None for `clickme` below XSPARKS_CACHE or ~/.cache/xsparks.
    size : sides of the images and maps; the published loader's are 224.
    blur : `"published"`, bit for bit, which moves maps by some 2 pixels to the top left; `"symmetric"`, which does not;
        or `"none"`.
    verify : compare each file with the sum that was kept when it arrived, before it is read.
    base_url : where the shards lie.

    Returns
    -------
    dataset : of `dataset()`, of `(image, {"label": ..., "heatmap": ..., "has_heatmap": ...})`: `(size, size, 3)`
        float32 in [0, 255], int64 of 0 to 999, `(size, size)` float32, and 1.

    Raises
    ------
    ValueError, TypeError : options out of range, a shard that there is not, a file that changed.
    ConnectionError : a shard that is not there and cannot be fetched.

    Cost
    ----
    A photograph of 256 x 256 pixels and its map, some tens of kB, for each sample that is fetched, once.

    Departs
    -------
    The published loader leaves out the last shard of each part, and the last samples that fill no batch.

    Example
    -------
    >>> ClickMe(split="val", shards=[0, 17], folder="clickme").paths()[1].as_posix()
    'clickme/val/val-17.tfrecords'

    Source
    ------
    D. Linsley, D. Shiebler, S. Eberhardt, T. Serre, "Learning what and where to attend", ICLR 2019,
    https://arxiv.org/abs/1805.08819; files of https://github.com/serre-lab/Harmonization
    """

    split: str = "train"
    shards: Sequence[int] | None = None
    folder: Any = None
    size: int = 224
    blur: str = "published"
    verify: bool = False
    base_url: str = "https://storage.googleapis.com/serrelab/prj_harmonization/dataset/click-me"

    counts: ClassVar[dict[str, int]] = {"train": 319, "val": 18}

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_choice(where, "split", self.split, self.counts)
        check_choice(where, "blur", self.blur, BLURS)
        check_integer(where, "size", self.size, 1, "Use 224.")
        last = self.counts[self.split] - 1
        for shard in self.shards if self.shards is not None else ():
            check_integer(where, "shards", shard, 0, f"{self.split!r} has the shards 0 to {last}.", last)

    def paths(self) -> list[Path]:
        """Where the files are or will be, in the order of `shards`."""
        folder = cache_folder("clickme") if self.folder is None else Path(self.folder)
        numbers = range(self.counts[self.split]) if self.shards is None else self.shards
        return [folder / self.split / f"{self.split}-{number}.tfrecords" for number in numbers]

    def fetch(self) -> list[Path]:
        """The files, those that are missing fetched."""
        paths = self.paths()
        with progress_bar(len(paths), "ClickMe", None, unit="shard") as bar:
            for path in paths:
                download(f"{self.base_url}/{self.split}/{path.name}", path)
                bar.update(1)
        return paths

    def dataset(self) -> Any:
        """The samples, one by one; call `.batch(32)` on it."""
        paths = self.fetch()
        if self.verify:
            for path in paths:
                check_kept(path)
        return read_clickme(paths, self.size, self.blur)


def read_clickme(paths: Iterable[Any], size: int = 224, blur: str = "published") -> Any:
    """The dataset of TFRecord files of ClickMe; see `ClickMe` for its elements, `size` and `blur`.

    Example
    -------
    >>> import tempfile
    >>> images, heatmaps = np.zeros((2, 256, 256, 3), "uint8"), np.zeros((2, 256, 256), "uint8")
    >>> path = write_clickme(Path(tempfile.mkdtemp()) / "val-0.tfrecords", images, heatmaps, [5, 7])
    >>> [int(targets["label"]) for _, targets in read_clickme([path])]
    [5, 7]
    """
    check_choice("read_clickme", "blur", blur, BLURS)
    check_integer("read_clickme", "size", size, 1, "Use 224.")
    files = [str(path) for path in paths]
    missing = [file for file in files if not Path(file).exists()]
    if missing or not files:
        raise FileNotFoundError(
            wording(
                "read_clickme",
                expected="`paths` must name files that are there",
                received=missing[0] if missing else "none",
                remedy="ClickMe(split='val').fetch() gets them.",
            )
        )

    def sample(record: Any) -> tuple[Any, dict[str, Any]]:
        found: Any = tf.io.parse_single_example(record, _FEATURES)
        image = tf.cast(tf.io.decode_jpeg(found["image"], channels=3), tf.float32)
        image = tf.image.resize(tf.ensure_shape(image, (_SIDE, _SIDE, 3)), (size, size))
        heatmap = tf.cast(tf.io.decode_jpeg(found["heatmap"], channels=1), tf.float32)
        heatmap = tf.ensure_shape(heatmap, (_SIDE, _SIDE, 1))
        if blur != "none":
            small = tf.image.resize(heatmap, (_BLURRED_SIDE, _BLURRED_SIDE))
            heatmap = click_blur(small[None, ..., 0], symmetric=blur == "symmetric")[0, ..., None]
        heatmap = tf.image.resize(heatmap, (size, size))[..., 0]
        return image, {LABEL: found["label"], HEATMAP: heatmap, HAS_HEATMAP: tf.ones(())}

    return tf.data.TFRecordDataset(files).map(sample, num_parallel_calls=tf.data.AUTOTUNE)


def write_clickme(path: Any, images: Any, heatmaps: Any, labels: Any, quality: int = 95) -> Path:
    """Writes a TFRecord file in the format of ClickMe, for maps of your own.

    Parameters
    ----------
    path : of the file; its folder must be there.
    images : `(n, 256, 256, 3)` uint8, or an iterable of such.
    heatmaps : `(n, 256, 256)` uint8.
    labels : `(n,)` integers.
    quality : of the JPEG bytes, 1 to 100.

    Returns
    -------
    path : of the file.

    Raises
    ------
    ValueError : other sizes or types, or other numbers of images, maps and labels.
    WriteError : the disk refuses.
    """
    path = Path(path)
    check_integer("write_clickme", "quality", quality, 1, "Use 95.", 100)
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for image, heatmap, label in zip(images, heatmaps, labels, strict=True):
                image, heatmap = np.asarray(image), np.asarray(heatmap)
                _check_written(image, (_SIDE, _SIDE, 3))
                _check_written(heatmap, (_SIDE, _SIDE))
                pictures = {"image": image, "heatmap": heatmap[..., None]}
                features: dict[str, Any] = {
                    name: _bytes(tf.io.encode_jpeg(each, quality=quality)) for name, each in pictures.items()
                }
                features["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)]))
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    except (OSError, tf.errors.OpError) as refused:
        raise WriteError(
            wording(
                str(path),
                expected="the file must be writable",
                received=str(refused).splitlines()[0],
                remedy="Choose a folder that is there.",
            )
        ) from refused
    return path


def _bytes(content: Any) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content.numpy()]))


def _check_written(picture: np.ndarray, shape: tuple[int, ...]) -> None:
    if picture.shape == shape and picture.dtype == np.uint8:
        return
    raise ValueError(
        wording(
            "write_clickme",
            expected=f"images and heatmaps must be uint8, this one of shape {shape}",
            received=f"{picture.dtype} of shape {picture.shape}",
            remedy="Resize them, and scale maps so that the largest value is 255.",
        )
    )
