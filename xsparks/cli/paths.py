"""What to say about a path that does not exist."""

from __future__ import annotations

import difflib
from pathlib import Path


def about_missing(path: Path) -> str:
    """Where the path breaks off, or which names beside it are alike.

    Example
    -------
    >>> about_missing(Path("no_such_folder/cat.jpg"))
    'There is no folder `no_such_folder`.'
    """
    if not path.parent.is_dir():
        return f"There is no folder `{path.parent}`."
    beside = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    alike = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.6)
    return "Nearest: " + ", ".join(alike) + "." if alike else "Look at the spelling, and at the current folder."
