"""Explanations of a data set on disk, a file for each group of samples, so that a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WriteError, wording
from ..core.files import write_json
from .explanation import Explanation

MANIFEST = "explanation.json"


class Shards:
    """The folder of one run.

    Parameters
    ----------
    folder : made if it does not exist; written to at once, so that a refusing disk is found before the work.
    fingerprint : the method, its settings and the model; a folder of another run is refused.
    """

    def __init__(self, folder: Any, fingerprint: dict[str, Any]):
        self.folder = Path(folder)
        self._written = 0
        manifest = self.folder / MANIFEST
        if manifest.exists():
            self._refuse_other_run(manifest, fingerprint)
        else:
            write_json(manifest, fingerprint, kept="Nothing was computed yet.")

    def _refuse_other_run(self, manifest: Path, fingerprint: dict[str, Any]) -> None:
        wanted = json.loads(json.dumps(fingerprint))
        try:
            found = json.loads(manifest.read_text())
            others = [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
            received = "another " + ", ".join(others)
        except (ValueError, TypeError, AttributeError):
            found, received = None, f"a damaged {MANIFEST}"
        if found != wanted:
            raise ValueError(
                wording(
                    f"explain(out={str(self.folder)!r})",
                    expected="the folder must belong to the same run",
                    received=received,
                    remedy="Choose an empty folder, or delete this one.",
                )
            )

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}"

    def finished(self, number: int, digests: np.ndarray, targets: Any) -> Explanation | None:
        """The explanation of a group, if an earlier run finished it for the same inputs and targets."""
        if not self._path(number).with_suffix(".json").exists():
            return None
        try:
            stored = Explanation.load(self._path(number))
        except (ValueError, FileNotFoundError):
            # Half a part is as good as none: it is computed again.
            return None
        same = stored.digests is not None and np.array_equal(stored.digests, digests)
        if not same or not _same_targets(stored.targets, targets):
            raise ValueError(
                wording(
                    f"explain(out={str(self.folder)!r})",
                    expected="a resumed run must see the same inputs and targets in the same order",
                    received=f"others in part {number}",
                    remedy="Choose an empty folder, or do not shuffle the dataset.",
                )
            )
        self._written += len(stored)
        return stored

    def write(self, number: int, part: Explanation) -> None:
        """Keeps the explanation of a group.

        Raises
        ------
        WriteError : the disk refuses; earlier parts stay in the folder and this one is `error.kept`.
        """
        try:
            part.save(self._path(number))
        except WriteError as refused:
            error = WriteError(
                f"{refused} The first {self._written} explanations are kept in {self.folder}, the {len(part)} after "
                "them in `error.kept`; the same call goes on from there."
            )
            error.kept = part  # pyright: ignore[reportAttributeAccessIssue]
            raise error from refused
        self._written += len(part)


def _same_targets(stored: Any, given: Any) -> bool:
    """Whether the given targets resolve to the stored ones; their type and a trailing axis of 1 may differ."""
    if given is None:
        return True
    given = np.asarray(given)
    if stored is None or given.size != stored.size:
        return False
    return np.array_equal(given.reshape(stored.shape).astype(np.float32), stored.astype(np.float32))
