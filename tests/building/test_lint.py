"""ruff and pyright are tests, so that the closing line of `make test` sums up everything."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.building.sources import ROOT


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--output-format", "concise", "."],
        ["ruff", "format", "--check", "--output-format", "concise", "."],
        ["pyright", "--pythonpath", sys.executable],
    ],
    ids=["ruff check", "ruff format", "pyright"],
)
def test_the_checkers_are_content(command: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *command], check=False, cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_pre_commit_runs_the_same_ruff() -> None:
    pins = {
        name: set(re.findall(r"ruff==([\d.]+)", (ROOT / name).read_text(encoding="utf-8")))
        for name in ("pyproject.toml", ".pre-commit-config.yaml")
    }
    assert len(set.union(*pins.values())) == 1, pins
