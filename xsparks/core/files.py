"""Writing results so that nothing already computed is lost."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .errors import WriteError, wording


def write_bytes(path: str | os.PathLike[str], content: bytes, kept: str = "The result is still in memory.") -> Path:
    """Writes a file wholly or not at all; `kept` tells where the result is if the disk refuses.

    Raises
    ------
    WriteError : no permission, no space, no such folder.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as refused:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise WriteError(
            wording(
                str(path),
                expected="the file must be writable",
                received=refused.strerror or str(refused),
                remedy=f"Free space or choose another folder. {kept}",
            )
        ) from refused
    return path


def write_arrays(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], kept: str = "The result is still in memory."
) -> Path:
    """Writes named arrays as a compressed `.npz` without pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return write_bytes(path, buffer.getvalue(), kept)


def write_json(path: str | os.PathLike[str], record: Any, kept: str = "The result is still in memory.") -> Path:
    """Writes a record as indented JSON."""
    return write_bytes(path, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode(), kept)


def pair_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The `.npz` and the `.json` that together hold a result; a suffix of either kind may be given.

    Example
    -------
    >>> [file.name for file in pair_of("maps.npz")]
    ['maps.npz', 'maps.json']
    """
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".npz", ".json") else path
    return stem.with_name(stem.name + ".npz"), stem.with_name(stem.name + ".json")


def read_pair(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the record of a saved result of this kind.

    Raises
    ------
    FileNotFoundError : one of the two files is missing.
    ValueError : the files hold something else, or are damaged.
    """
    arrays_path, record_path = pair_of(path)
    missing = [file.name for file in (arrays_path, record_path) if not file.exists()]
    if missing:
        raise FileNotFoundError(
            wording(
                str(path),
                expected="both the .npz and the .json must exist",
                received="no " + " and no ".join(missing),
                remedy="They are written together by save(); move them together.",
            )
        )
    try:
        record = json.loads(record_path.read_text())
        with np.load(arrays_path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as damaged:
        raise ValueError(
            wording(
                str(path),
                expected=f"the files must hold a saved {kind}",
                received=f"{type(damaged).__name__}: {damaged}",
                remedy="Save it again.",
            )
        ) from damaged
    found = record.get("kind") if isinstance(record, dict) else record
    if found != kind:
        raise ValueError(
            wording(
                str(path),
                expected=f"the files must hold a saved {kind}",
                received=repr(found),
                remedy="Load it with the class that saved it.",
            )
        )
    return arrays, record
