"""Explanations of a data set on disk, a file for each group of samples, so that a stopped run goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.digests import digests as digests_of
from ..core.errors import WriteError, wording
from ..core.manifest import claim_folder
from .explanation import Explanation

MANIFEST = "explanation.json"
_GIVEN = "given_targets"


class Shards:
    """The folder of one run.

    Parameters
    ----------
    folder : made if it does not exist; written to at once, so that a refusing disk is found before the work.
    fingerprint : the method, its settings and the model; a folder of another run is refused.
    """

    def __init__(self, folder: Any, fingerprint: dict[str, Any]):
        self._written = 0
        self.folder = claim_folder(folder, MANIFEST, fingerprint, f"explain(out={str(Path(folder))!r})")

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
        marks = stored.extras.pop(_GIVEN, None)
        same = stored.digests is not None and np.array_equal(stored.digests, digests)
        if not same or not _same_targets(marks, targets):
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

    def write(self, number: int, part: Explanation, targets: Any = None) -> None:
        """Keeps the explanation of a group for these targets, as the user gave them.

        Raises
        ------
        WriteError : the disk refuses; earlier parts stay in the folder and this one is `error.kept`.
        """
        # What the targets were read as may depend on the model, so what was given is remembered beside it.
        marks = {} if targets is None else {_GIVEN: _marks_of(targets)}
        try:
            replace(part, extras={**part.extras, **marks}).save(self._path(number))
        except WriteError as refused:
            error = WriteError(
                f"{refused} The first {self._written} explanations are kept in {self.folder}, the {len(part)} after "
                "them in `error.kept`; the same call goes on from there."
            )
            error.kept = part  # pyright: ignore[reportAttributeAccessIssue]
            raise error from refused
        self._written += len(part)


def _same_targets(stored: np.ndarray | None, given: Any) -> bool:
    """Whether these targets were given before; their type and a trailing axis of 1 may differ."""
    return given is None or (stored is not None and np.array_equal(stored, _marks_of(given)))


def _marks_of(targets: Any) -> np.ndarray:
    targets = np.asarray(targets)
    if targets.dtype.kind not in "fiub":
        return targets.astype(str)
    return digests_of([targets.reshape(len(targets), -1)])
