"""The folder of the results: a few files for each image, the record last, so that what is finished is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..core.errors import WriteError
from ..core.files import write_bytes, write_json
from ..plots import overlay
from .colours import scale_of

if TYPE_CHECKING:
    from ..engine import Explanation

SCHEMA = 1
PAGE, RECORD = "index.html", "results.json"


def fingerprint_of(what: Mapping[str, Any]) -> str:
    """A short text that changes with anything that can change a result."""
    return blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=8).hexdigest()


class Results:
    """One folder; each image has a picture, an overlay, a map and a record under its own name.

    Parameters
    ----------
    folder : made if it does not exist; written to at once, so that a refusing disk is found before the work.

    Raises
    ------
    WriteError : the folder cannot be written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        probe = write_bytes(folder / ".probe", b"", kept="Nothing was computed yet.")
        probe.unlink()

    @staticmethod
    def paths(name: str) -> dict[str, str]:
        """Where the files of an image are, relative to the folder."""
        return {
            "picture": f"pictures/{name}.jpg",
            "overlay": f"overlays/{name}.png",
            "map": f"maps/{name}.npz",
            "map_record": f"maps/{name}.json",
        }

    def finished(self, name: str, fingerprint: str) -> dict[str, Any] | None:
        """The record of an image, if an earlier run finished it in the same way and all its files are there."""
        try:
            record = json.loads(self._record(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = all((self.folder / path).is_file() for path in self.paths(name).values())
        return record if whole and record.get("fingerprint") == fingerprint else None

    def write(self, name: str, record: dict[str, Any], picture: np.ndarray, part: Explanation) -> dict[str, Any]:
        """Writes all files of one image and returns its record with their paths.

        Parameters
        ----------
        picture : `(h, w, 3)` uint8, as people see it.
        part : the explanation of this image alone.

        Raises
        ------
        WriteError : the disk refuses; the message says where this image's results are, and what the folder has.
        """
        try:
            return self._write(self.folder, name, record, picture, part)
        except WriteError as refused:
            # The process ends with this error, and its memory with it.
            said = str(refused).removesuffix("The result is still in memory.").rstrip()
            raise WriteError(f"{said} {self._rescued(name, record, picture, part)}") from refused

    def _write(
        self, folder: Path, name: str, record: dict[str, Any], picture: np.ndarray, part: Explanation
    ) -> dict[str, Any]:
        paths = self.paths(name)
        values = part.maps[0]
        record = {**record, **paths, "size": list(picture.shape[:2]), "scale": scale_of(values)}
        write_bytes(folder / paths["picture"], encoded(".jpg", picture))
        write_bytes(folder / paths["overlay"], encoded(".png", overlay(values, picture)))
        part.save(folder / paths["map"])
        write_json(self._record(name, folder), record)
        return record

    def _rescued(self, name: str, record: dict[str, Any], picture: np.ndarray, part: Explanation) -> str:
        """Keeps what was computed and could not be written, in the system's folder for temporary files."""
        count = len(list((self.folder / "records").glob("*.json"))) if self.folder.is_dir() else 0
        text = f"{count} finished image{' of this folder is' if count == 1 else 's of this folder are'} kept"
        try:
            safe = Path(tempfile.mkdtemp(prefix="xsparks-kept-"))
            self._write(safe, name, record, picture, part)
        except OSError:
            return f"{text}; {name} is lost, because no other folder took it. The same command goes on from there."
        return f"{text}; {name} is in {safe}. The same command goes on from there."

    def _record(self, name: str, folder: Path | None = None) -> Path:
        return (folder or self.folder) / "records" / f"{name}.json"

    def write_overview(self, record: dict[str, Any], page: str) -> Path:
        """Writes the record of the whole run and its page; returns the page's path."""
        kept = "The maps of all finished images are in its folders."
        write_json(self.folder / RECORD, record, kept)
        return write_bytes(self.folder / PAGE, page.encode(), kept)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    """A picture `(h, w, 3)` uint8, RGB, as the bytes of an image file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    return cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()
