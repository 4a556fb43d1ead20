"""What a benchmark has measured so far: a line for each method and sample, in memory and in a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WriteError, wording
from ..core.files import write_arrays
from ..core.manifest import claim_folder

MANIFEST = "benchmark.json"
_SCHEMA = 1


class Records:
    """The measurements of one model, by method and sample.

    In a folder there are `records/METHOD.jsonl`, one line of JSON for each sample (further lines of the same sample add
    to the first), `samples.jsonl` with their targets, and `maps/METHOD/SAMPLE.npz`.

    Parameters
    ----------
    folder : made if it does not exist; None keeps all in memory alone.
    fingerprint : what all measurements depend on; a folder of another model is refused.
    keep_maps : keep the maps in the folder, so that a metric that is added later explains nothing again.

    Raises
    ------
    ValueError : a folder of another model.
    WriteError : the folder cannot be written.
    """

    def __init__(self, folder: Any, fingerprint: dict[str, Any], keep_maps: bool = True):
        self.folder = None if folder is None else Path(folder)
        self.keep_maps = keep_maps
        self._lines: dict[str, dict[str, dict[str, Any]]] = {}
        if self.folder is None:
            return
        claimed = {"kind": "Benchmark", "schema": _SCHEMA, **fingerprint}
        claim_folder(self.folder, MANIFEST, claimed, f"Benchmark.run(out={str(self.folder)!r})")

    def of(self, method: str, sample: str) -> dict[str, Any]:
        """What is known of a sample under a method, or of the sample itself under `""`; empty if nothing is."""
        return self._of_method(method).get(sample, {})

    def count(self, method: str) -> int:
        """How many samples are known under a method."""
        return len(self._of_method(method))

    def add(self, method: str, lines: dict[str, dict[str, Any]]) -> None:
        """Keeps what was measured, by sample.

        Raises
        ------
        WriteError : the disk refuses; earlier lines stay in the folder, and these in `error.kept`.
        """
        known = self._of_method(method)
        for sample, line in lines.items():
            _merge(known.setdefault(sample, {}), line)
        if self.folder is None or not lines:
            return
        text = "".join(json.dumps({"sample": key, **line}, separators=(",", ":")) + "\n" for key, line in lines.items())
        path = self._path(method)
        try:
            _append(path, text)
        except OSError as refused:
            error = WriteError(
                wording(
                    str(path),
                    expected="the file must be writable",
                    received=refused.strerror or str(refused),
                    remedy=f"Free space or choose another folder. All that was written before is kept in {self.folder}"
                    ", the last lines are in `error.kept`; the same call goes on from there.",
                )
            )
            error.kept = lines  # pyright: ignore[reportAttributeAccessIssue]
            raise error from refused

    def map_of(self, method: str, sample: str) -> np.ndarray | None:
        """The map of a sample on its grid, if it was kept."""
        path = self._map_path(method, sample)
        if path is None or not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                return stored["values"]
        except (ValueError, OSError, EOFError, KeyError):
            # Half a map is as good as none: it is made again.
            return None

    def keep_map(self, method: str, sample: str, values: np.ndarray) -> None:
        """Keeps the map of a sample, `(g, g, 1)` or `(h, w, 1)`."""
        path = self._map_path(method, sample)
        if path is not None and self.keep_maps:
            kept = f"All that was measured before is kept in {self.folder}; the same call goes on from there."
            write_arrays(path, {"values": values}, kept)

    def _of_method(self, method: str) -> dict[str, dict[str, Any]]:
        if method not in self._lines:
            self._lines[method] = {} if self.folder is None else _read(self._path(method))
        return self._lines[method]

    def _path(self, method: str) -> Path:
        folder = self.folder or Path()
        return folder / "records" / f"{method}.jsonl" if method else folder / "samples.jsonl"

    def _map_path(self, method: str, sample: str) -> Path | None:
        return None if self.folder is None else self.folder / "maps" / method / f"{sample}.npz"


def _merge(known: dict[str, Any], line: dict[str, Any]) -> None:
    for name, value in line.items():
        if isinstance(value, dict) and isinstance(known.get(name), dict):
            known[name].update(value)
        else:
            known[name] = value


def _read(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return found
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
            sample = line.pop("sample")
        except (ValueError, KeyError, TypeError, AttributeError):
            # Half a line, where a run was cut off, is as good as none.
            continue
        _merge(found.setdefault(sample, {}), line)
    return found


def _append(path: Path, text: str) -> None:
    """Adds whole lines to a file; if the disk refuses, the file is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        file.seek(max(0, before - 1))
        # A line that was cut off is closed, so that it spoils no other.
        broken = before > 0 and file.read(1) != b"\n"
        rest = memoryview((("\n" if broken else "") + text).encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise
