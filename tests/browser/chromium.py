"""A page in headless Chromium: a script plays the participant, and the page is read back or drawn."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Milliseconds that may pass in the page; Chromium skips the waiting, so they take no time.
_VIRTUAL = 120_000
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


def executable() -> str:
    """Chromium's path; skips the test with the reason where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return found


def played(page: str, script: str, folder: Path, query: str = "") -> str:
    """The address of a copy of the page in which the script runs once it is loaded."""
    copy = folder / "played.html"
    copy.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return f"{copy.as_uri()}{query}"


def document(address: str) -> str:
    """The page as it is when nothing happens any more."""
    return _run("--dump-dom", address)


def screenshot(address: str, file: Path, width: int = 1280, height: int = 900) -> Path:
    """Draws the page to a PNG file."""
    _run(f"--screenshot={file}", f"--window-size={width},{height}", address)
    return file


def _run(*arguments: str) -> str:
    command = executable()
    with tempfile.TemporaryDirectory(prefix="chromium_", ignore_cleanup_errors=True) as profile:
        ran = subprocess.run(
            [command, *_FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={_VIRTUAL}", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout
