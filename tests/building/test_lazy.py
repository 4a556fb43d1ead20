"""`import xsparks` and `xsparks --help` answer at once: TensorFlow stays out of `sys.modules`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.building.sources import environment

HELP = """
import sys
from xsparks.cli import main
try:
    main({arguments})
except SystemExit as stop:
    if stop.code not in (0, None):
        raise
"""

REPORT = """
import sys
print("loaded:", *sorted({"tensorflow", "keras", "matplotlib", "sklearn", "cv2"} & set(sys.modules)))
"""


def heavy_after(code: str, folder: Path) -> set[str]:
    """Which of the slow packages are loaded after `code` ran in a fresh interpreter."""
    ran = subprocess.run(
        [sys.executable, "-c", code + REPORT],
        check=False,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.splitlines()[-1].split()[1:])


def test_importing_xsparks_loads_nothing_heavy(tmp_path: Path) -> None:
    assert heavy_after("import xsparks\nxsparks.__version__\ndir(xsparks)", tmp_path) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["demo", "--help"],
        ["explain", "--help"],
        ["evaluate", "--help"],
        ["doctor", "--help"],
    ],
)
def test_the_help_of_the_command_line_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    assert heavy_after(HELP.format(arguments=arguments), tmp_path) == set()


def test_the_check_sees_a_heavy_import(tmp_path: Path) -> None:
    assert "keras" in heavy_after("import sys, types\nsys.modules['keras'] = types.ModuleType('keras')", tmp_path)
