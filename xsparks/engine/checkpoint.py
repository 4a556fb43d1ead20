"""Where a long run stands, on disk, so that the same call goes on from there."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.files import write_bytes
from ..core.manifest import claim_folder

MANIFEST = "run.json"
# A state is written at most this often, so that writing costs little beside the steps.
SECONDS_BETWEEN = 10.0


class Stand(NamedTuple):
    """Where some samples stand: the number of the sample after them, the steps that were taken, and their state."""

    stop: int
    taken: int
    leaves: list[np.ndarray]


class Checkpoint:
    """The folder of one run; samples that are worked on together share a file.

    Parameters
    ----------
    folder : made if it does not exist; written to at once, so that a refusing disk is found before the work.
    fingerprint : everything that makes the run what it is; a folder of another run is refused.
    where : the call, for errors.

    Raises
    ------
    ValueError : the folder belongs to another run.
    WriteError : it cannot be written.
    """

    def __init__(self, folder: Any, fingerprint: dict[str, Any], where: str):
        self._folder = claim_folder(folder, MANIFEST, fingerprint, where)
        self._written = time.monotonic()

    def read(self, start: int) -> Stand | None:
        """Where the samples from `start` on stand; None where nothing, or only half of a file, was kept."""
        try:
            with np.load(self._path(start), allow_pickle=False) as stored:
                stop, taken = (int(number) for number in stored["stand"])
                return Stand(stop, taken, [stored[f"leaf{number}"] for number in range(len(stored.files) - 1)])
        except (FileNotFoundError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, start: int, stop: int, taken: int, state: Any, last: bool) -> None:
        """Keeps the state of the samples `start` to `stop`, unless another was kept a moment ago and more follow.

        Raises
        ------
        WriteError : the disk refuses; the state that was kept before is still there.
        """
        if not last and time.monotonic() - self._written < SECONDS_BETWEEN:
            return
        leaves = {f"leaf{number}": np.asarray(leaf) for number, leaf in enumerate(tf.nest.flatten(state))}
        buffer = io.BytesIO()
        # Uncompressed: the digits of such states are as good as random.
        np.savez(buffer, stand=np.array([stop, taken]), **leaves)  # pyright: ignore[reportArgumentType]
        write_bytes(self._path(start), buffer.getvalue(), kept="The steps before are in the folder.")
        self._written = time.monotonic()

    def _path(self, start: int) -> Path:
        return self._folder / f"samples-{start:05d}.npz"
