"""A folder belongs to one run: what it was made for stands in it, and another run is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import wording
from .files import write_json


def claim_folder(folder: Any, manifest: str, fingerprint: dict[str, Any], where: str) -> Path:
    """Makes the folder, or finds it made by the same run; returns its path.

    It is written to at once, so that a refusing disk is found before the work.

    Parameters
    ----------
    folder : made if it does not exist.
    manifest : the name of the file that says whose folder it is.
    fingerprint : everything that makes the run what it is, fit for JSON.
    where : the call, for errors.

    Raises
    ------
    ValueError : the folder belongs to another run, or its manifest is damaged.
    WriteError : it cannot be written.
    """
    folder = Path(folder)
    path = folder / manifest
    if not path.exists():
        write_json(path, fingerprint, kept="Nothing was computed yet.")
        return folder
    wanted = json.loads(json.dumps(fingerprint))
    try:
        found = json.loads(path.read_text())
        others = [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
        received = "another " + ", ".join(others)
    except (ValueError, TypeError, AttributeError):
        found, received = None, f"a damaged {manifest}"
    if found != wanted:
        raise ValueError(
            wording(
                where,
                expected="the folder must belong to the same run",
                received=received,
                remedy="Choose an empty folder, or delete this one.",
            )
        )
    return folder
