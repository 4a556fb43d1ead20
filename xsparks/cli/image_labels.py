"""What is known of each image beside its pixels: its class from a table, its object from a mask."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.errors import nearest, wording
from .image_files import SUFFIXES, ImageFile, decode, read_bytes
from .model_input import InputShape, centre_cut
from .paths import about_missing

_FILE = "file"
_LABEL = "label"


def read_labels(text: str) -> dict[str, int]:
    """The class id of each file of a CSV table.

    Parameters
    ----------
    text : `FILE` or `FILE:COLUMN`; the table has a header, the column `file` or else its first one holds the names of
        the files, and `label`, or the column named, their class ids.

    Raises
    ------
    FileNotFoundError : no such file.
    ValueError : no such column, or an entry that is no class id.
    """
    name, _, column = text.rpartition(":") if not Path(text).is_file() else (text, "", "")
    path = Path(name or text)
    where = f"--labels {text}"
    if not path.is_file():
        expected, remedy = "the table must exist", about_missing(path)
        raise FileNotFoundError(wording(where, expected=expected, received="no such file", remedy=remedy))
    with open(path, newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        header = list(table.fieldnames or [])
        rows = list(table)
    column = column or _LABEL
    if column not in header:
        remedy = f"Name the column: --labels {path.name}:COLUMN. {nearest(column, header)}"
        raise ValueError(
            wording(
                where,
                expected=f"the table must have a column {column!r}",
                received=", ".join(header) or "an empty file",
                remedy=remedy,
            )
        )
    files = _FILE if _FILE in header else header[0]
    labels = {}
    for number, row in enumerate(rows, start=2):
        entry = (row[column] or "").strip()
        if not entry.isdecimal():
            raise ValueError(
                wording(
                    where,
                    expected="every class must be an id, a number from 0 on",
                    received=f"{entry!r} in line {number}",
                    remedy="Name another column: --labels FILE:COLUMN.",
                )
            )
        labels[Path(row[files].strip()).name] = int(entry)
    return labels


def labels_of(files: Sequence[ImageFile], labels: dict[str, int], word: str) -> np.ndarray:
    """The class ids of the images, `(n,)`, by the names of their files.

    Raises
    ------
    ValueError : an image that the table does not name.
    """
    for file in files:
        if file.path.name not in labels:
            raise ValueError(
                wording(
                    f"--labels {word}",
                    expected="every image must have a class",
                    received=f"none for {file.path.name}",
                    remedy=f"Add it, or leave --labels out. {nearest(file.path.name, labels)}",
                )
            )
    return np.array([labels[file.path.name] for file in files])


def masks_of(files: Sequence[ImageFile], folder: Path, shape: InputShape, squash: bool) -> np.ndarray:
    """The masks of the images `(n, h, w)` bool, cut as the images are: what is not black belongs to the object.

    Raises
    ------
    FileNotFoundError : no folder, or no mask for an image.
    ValueError : a mask that is no image.
    """
    import cv2

    known = {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES}
    masks = []
    for file in files:
        if file.path.stem not in known:
            raise FileNotFoundError(
                wording(
                    f"--masks {folder}",
                    expected="every image must have a mask of its own name",
                    received=f"none for {file.path.name}",
                    remedy=nearest(file.path.stem, known) if known else "There is no image in the folder.",
                )
            )
        picture = decode(read_bytes(known[file.path.stem])).max(axis=-1)
        kept = picture if squash else centre_cut(picture, shape.height, shape.width)
        size = (shape.width, shape.height)
        masks.append(cv2.resize(np.ascontiguousarray(kept), size, interpolation=cv2.INTER_NEAREST) > 0)
    return np.stack(masks)
