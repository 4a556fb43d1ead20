"""Files from the web: kept, gone on with where a transfer broke off, and checked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .errors import WriteError, wording

_BLOCK = 2**20


def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], None] = lambda size: None,
    timeout: float = 30.0,
) -> Path:
    """The file at an address, kept at a path; nothing is asked where it is there already.

    What has arrived stays in `path` + ".part". A transfer that broke off is gone on with by the next call, from the
    byte where it ended, as long as the server has the same file. The size, and the MD5 sum where the server tells one
    as Google's storage does, are checked; the sum is kept beside the file, for `check_kept`.

    Parameters
    ----------
    url : http or https.
    path : where the file is kept; its folder is made.
    progress : called with the number of bytes that arrived.
    timeout : seconds without an answer.

    Returns
    -------
    path : of the whole file.

    Raises
    ------
    ConnectionError : no network, no such file, a transfer that broke off, other content than the server announced.
    WriteError : the disk refuses.
    """
    path = Path(path)
    if path.exists():
        return path
    part, record = Path(f"{path}.part"), Path(f"{path}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        had = part.stat().st_size if part.exists() else 0
        etag = json.loads(record.read_text()).get("etag") if had and record.exists() else None
    except (OSError, ValueError) as refused:
        raise _unwritable(path, refused) from refused
    headers = {"Range": f"bytes={had}-", "If-Range": etag} if had and etag else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=timeout) as answer:
            had = had if answer.status == 206 else 0
            known = {"url": url, "etag": answer.headers.get("ETag"), "md5": _md5_of(answer.headers)}
            known["size"] = had + int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
            _store(answer, part, record, known, had, progress)
    except HTTPError as refused:
        raise _unreachable(url, path, f"HTTP status {refused.code}, {refused.reason}") from refused
    except WriteError:
        raise
    except (OSError, HTTPException) as refused:
        raise _unreachable(url, path, str(getattr(refused, "reason", refused))) from refused
    found, size = _md5(part), part.stat().st_size
    if known["size"] is not None and size < known["size"]:
        raise _unreachable(url, path, f"{size} of {known['size']} bytes")
    if known["md5"] is not None and found != known["md5"]:
        part.unlink()
        raise _unreachable(url, path, f"content of the MD5 sum {found}, where the server announced {known['md5']}")
    record.write_text(json.dumps({**known, "md5": found, "size": size}, indent=2))
    os.replace(part, path)
    return path


def check_kept(path: str | os.PathLike[str]) -> None:
    """Refuses a downloaded file that is no longer what arrived; a file that was put there by hand is taken as it is.

    Raises
    ------
    ValueError : the size or the MD5 sum differ.
    """
    path = Path(path)
    record = Path(f"{path}.json")
    if not record.exists():
        return
    known = json.loads(record.read_text())
    if path.stat().st_size == known.get("size") and _md5(path) == known.get("md5"):
        return
    raise ValueError(
        wording(
            str(path),
            expected="the file must be the one that was downloaded",
            received="other content",
            remedy=f"Delete it, and it is fetched again from {known.get('url')}.",
        )
    )


def cache_folder(name: str) -> Path:
    """Where downloads of a kind are kept: below XSPARKS_CACHE, else below ~/.cache/xsparks.

    Example
    -------
    >>> cache_folder("clickme").name
    'clickme'
    """
    return Path(os.environ.get("XSPARKS_CACHE", Path.home() / ".cache" / "xsparks")) / name


def _store(
    answer: Any, part: Path, record: Path, known: dict[str, Any], had: int, progress: Callable[[int], None]
) -> None:
    try:
        record.write_text(json.dumps(known, indent=2))
        # Unbuffered: what the disk refuses is told here, and not again where the file is closed.
        file = part.open("ab" if had else "wb", buffering=0)
    except OSError as refused:
        raise _unwritable(part, refused) from refused
    with file:
        while block := answer.read(_BLOCK):
            rest = memoryview(block)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError as refused:
                raise _unwritable(part, refused) from refused
            progress(len(block))


def _md5_of(headers: Message) -> str | None:
    """The sum that Google's storage tells: `x-goog-hash: crc32c=...,md5=<base64>`."""
    for entry in ",".join(headers.get_all("x-goog-hash", [])).split(","):
        if entry.strip().startswith("md5="):
            return base64.b64decode(entry.strip()[len("md5=") :]).hex()
    return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unreachable(url: str, path: Path, received: str) -> ConnectionError:
    return ConnectionError(
        wording(
            url,
            expected="the file must be reachable",
            received=received,
            remedy=f"Call again to go on where it ended, or put the file at {path} by hand.",
        )
    )


def _unwritable(path: Path, refused: Exception) -> WriteError:
    return WriteError(
        wording(
            str(path),
            expected="the folder must be writable",
            received=getattr(refused, "strerror", None) or str(refused),
            remedy="Free space, or set XSPARKS_CACHE to another folder.",
        )
    )
