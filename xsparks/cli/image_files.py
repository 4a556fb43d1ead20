"""Which files a user means, and what is in them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core.errors import wording
from .paths import about_missing

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_TOLD = 5
_JPEG = b"\xff\xd8"


class ImageFile(NamedTuple):
    """A file that was read without trouble; `digest` is that of its bytes."""

    path: Path
    digest: str
    height: int
    width: int


class Unreadable(NamedTuple):
    """A file that was not, and why."""

    path: Path
    reason: str


def find_images(given: Sequence[str], out: Path) -> list[Path]:
    """The image files that these words mean, each once: files as they are, folders and patterns in natural order.

    Hidden files, and what lies in the folder of the results, are left out of folders and patterns.

    Raises
    ------
    FileNotFoundError : a path that does not exist.
    ValueError : a folder or a pattern without images.
    """
    found: dict[Path, Path] = {}
    for text in given:
        for path in _meant(text, out):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _meant(text: str, out: Path) -> list[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        images = _images_among(path.rglob("*"), path, out)
        if not images:
            raise ValueError(
                wording(
                    text,
                    expected="the folder must hold images (" + " ".join(SUFFIXES) + ")",
                    received="none",
                    remedy="Look at the path; a file with another ending can be named itself.",
                )
            )
        return images
    if glob.has_magic(text):
        images = _images_among((Path(match) for match in glob.iglob(text, recursive=True)), Path(), out)
        if not images:
            raise ValueError(
                wording(
                    text,
                    expected="the pattern must match image files",
                    received="no match",
                    remedy="** stands for any folders; put it in quotes if the shell changes it.",
                )
            )
        return images
    expected, remedy = "the image file or folder must exist", about_missing(path)
    raise FileNotFoundError(wording(text, expected=expected, received="no such path", remedy=remedy))


def _images_among(paths: Iterable[Path], folder: Path, out: Path) -> list[Path]:
    own = out.resolve()
    images = []
    for path in paths:
        hidden = any(part.startswith(".") and part != ".." for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in SUFFIXES and path.is_file() and own not in path.resolve().parents:
            images.append(path)
    return sorted(images, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Numbers in names by value: 2.jpg before 10.jpg."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def check_images(paths: Sequence[Path], skip: bool) -> tuple[list[ImageFile], list[Unreadable]]:
    """Every file is read once before any work starts, so that the last one cannot spoil a night's run.

    Raises
    ------
    ValueError : files that cannot be read, unless `skip`; or none that can.
    """
    readable: list[ImageFile] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        try:
            content = read_bytes(path)
            height, width = decode(content).shape[:2]
        except ValueError as error:
            unreadable.append(Unreadable(path, str(error)))
        else:
            readable.append(ImageFile(path, blake2b(content, digest_size=8).hexdigest(), height, width))
    if unreadable and (not skip or not readable):
        first, others = unreadable[0], unreadable[1:]
        told = ", ".join(str(one.path) for one in others[:_TOLD]) + (", ..." if len(others) > _TOLD else "")
        more = f" So are {len(others)} more: {told}." if others else ""
        remedy = "No image is left." if skip else "Mend or remove it, or pass --skip-unreadable to go on without."
        raise ValueError(
            wording(
                str(first.path), expected="every image must be readable", received=first.reason, remedy=remedy + more
            )
        )
    return readable, unreadable


def read_bytes(path: Path) -> bytes:
    """The content of a file; a ValueError says why it cannot be had."""
    try:
        return path.read_bytes()
    except OSError as refused:
        raise ValueError(f"{refused.strerror or refused}") from refused


def decode(content: bytes) -> np.ndarray:
    """A picture `(h, w, 3)` uint8, RGB, as a viewer shows it.

    The camera's orientation is respected, gray becomes three equal channels, and transparent pixels lie on white.

    Raises
    ------
    ValueError : why the content is no picture.
    """
    import cv2

    if not content:
        raise ValueError("an empty file (0 bytes)")
    buffer = np.frombuffer(content, np.uint8)
    try:
        picture = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
        whole = None if content.startswith(_JPEG) else cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"an image that OpenCV refuses ({error.err})") from error
    if picture is None:
        raise ValueError("a file that is damaged, cut off or no image")
    if whole is not None and _has_opacity(whole, picture):
        opacity = whole[..., 3:].astype(np.float32) / (255 if whole.dtype == np.uint8 else 65535)
        picture = np.round(opacity * picture + (1 - opacity) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def _has_opacity(whole: np.ndarray, picture: np.ndarray) -> bool:
    # A picture that was turned is not: orientation is a matter of photographs, which have no opacity.
    fits = whole.ndim == 3 and whole.shape[-1] == 4 and whole.shape[:2] == picture.shape[:2]
    return fits and whole.dtype in (np.uint8, np.uint16)


def names_for(files: Sequence[ImageFile]) -> list[str]:
    """A name for each file's results: its own without the ending, and its digest where two have the same.

    Example
    -------
    >>> found = [("a/x.jpg", "01"), ("b/X.png", "02"), ("y.jpg", "03")]
    >>> names_for([ImageFile(Path(path), digest, 1, 1) for path, digest in found])
    ['x-01', 'X-02', 'y']
    """
    stems = [file.path.stem for file in files]
    # Compared without case: some file systems do not tell x from X.
    folded = [stem.casefold() for stem in stems]
    named = [
        stem if folded.count(key) == 1 else f"{stem}-{file.digest}"
        for stem, key, file in zip(stems, folded, files, strict=True)
    ]
    seen: dict[str, int] = {}
    for position, name in enumerate(named):
        seen[name.casefold()] = seen.get(name.casefold(), 0) + 1
        if seen[name.casefold()] > 1:
            named[position] = f"{name}-{seen[name.casefold()]}"
    return named


def display_path(path: Path) -> str:
    """A path with forward slashes, for pages and records."""
    return str(path).replace(os.sep, "/")
