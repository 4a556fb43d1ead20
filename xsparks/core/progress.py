"""A progress bar that can be silenced."""

from __future__ import annotations

import os
import sys
from typing import Any

from tqdm import tqdm


def progress_bar(total: int | None, label: str, shown: bool | None, unit: str = "forward") -> Any:
    """A tqdm bar; `shown=None` draws it on a terminal or in a notebook only.

    The environment variable `XSPARKS_PROGRESS` (0 or 1) decides where `shown` is None.
    """
    if shown is None:
        asked = os.environ.get("XSPARKS_PROGRESS")
        shown = asked not in ("0", "false", "no") if asked is not None else _watched()
    return tqdm(total=total, desc=label, unit=unit, disable=not shown, leave=False)


def _watched() -> bool:
    """Whether a person is likely to see the bar: on a terminal, or in the process of a notebook's kernel."""
    shell = sys.modules.get("IPython")
    session = shell.get_ipython() if shell is not None else None
    return sys.stderr.isatty() or hasattr(session, "kernel")
