"""`xsparks doctor` finds what is wrong, says what to do, and is silent about what is right."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import keras
import pytest

from tests.command_line import run
from xsparks.cli import doctor as doctor_module
from xsparks.cli import machine
from xsparks.cli.doctor import doctor
from xsparks.cli.installed import installed_distributions, problems

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Everything that xsparks itself requires, for `doctor` asks its metadata what has to be there: the lowest version of
# each, but for those that are named below.
HEALTHY = {
    **dict(requirement.split(">=") for requirement in PROJECT["dependencies"]),
    "tensorflow": "2.21.0",
    "opencv-python-headless": "4.12.0.88",
}


def test_a_healthy_installation_has_no_problem() -> None:
    assert problems(HEALTHY, ["tensorflow>=2.18", "opencv-python-headless>=4.10", "numpy>=2"]) == []


def test_two_builds_of_opencv_and_which_to_remove() -> None:
    (found,) = problems({**HEALTHY, "opencv-python": "4.13.0.90"})
    assert found == (
        "two builds of OpenCV are installed into one folder, opencv-python-headless 4.12.0.88 and opencv-python "
        "4.13.0.90: files of one overwrite those of another. Remove opencv-python, and install opencv-python-headless "
        "anew, because removing takes its files along: pip uninstall -y opencv-python-headless opencv-python && pip "
        "install opencv-python-headless"
    )
    (found,) = problems({**HEALTHY, "opencv-contrib-python": "4.12", "opencv-python": "4.12"})
    assert found.startswith("three builds of OpenCV")
    # What is more in the contrib build was asked for by somebody.
    assert "Remove opencv-python-headless and opencv-python, and install opencv-contrib-python anew" in found


def test_two_tensorflows() -> None:
    (found,) = problems({**HEALTHY, "tensorflow-cpu": "2.20.0"})
    assert found.startswith("tensorflow 2.21.0 and tensorflow-cpu 2.20.0 are installed into one folder")
    assert found.endswith("pip uninstall -y tensorflow tensorflow-cpu && pip install tensorflow-cpu")
    assert problems({**HEALTHY, "tensorflow-intel": "2.18.0"}) == []


def test_what_is_missing_or_too_old() -> None:
    required = [
        "numpy>=2",
        "scipy>=1.15",
        "tensorflow>=2.18",
        "opencv-python-headless>=4.10",
        "mlflow>=3; extra == 'x'",
    ]
    found = problems({"tensorflow-cpu": "2.21.0", "opencv-python": "4.12", "numpy": "1.26.4"}, required)
    assert found == [
        "numpy 1.26.4 is too old: pip install 'numpy>=2'",
        "scipy is not installed: pip install 'scipy>=1.15'",
    ]
    assert problems({"numpy": "2.18.0rc1"}, ["numpy>=2.18"]) == []
    assert problems({"scikit-learn": "1.9"}, ["scikit_learn>=1.5"]) == []


def test_what_is_installed_here_is_found() -> None:
    assert installed_distributions()["numpy"].split(".")[0] == "2"


def test_a_healthy_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(HEALTHY) == 0
    said = capsys.readouterr().out
    assert said.endswith("All is well.\n")
    for word in (
        "xsparks",
        "tensorflow",
        "opencv",
        "processors",
        "memory",
        "devices       CPU",
        "backend       tensorflow",
    ):
        assert word in said
    assert "times denser in the object than on average" in said


def test_a_problem_is_told_and_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {**HEALTHY, "opencv-python": "4.13.0.90"}
    monkeypatch.setattr(doctor_module, "installed_distributions", lambda: both)
    monkeypatch.setattr(doctor_module, "smoke_test", lambda: 5.0)
    assert run("doctor") == 1
    said = capsys.readouterr().out
    assert "PROBLEM  two builds of OpenCV are installed into one folder" in said
    assert said.endswith("1 problem found.\n")


def test_another_backend_a_broken_library_and_wrong_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = importlib.import_module

    def without_scipy(name: str, package: str | None = None):
        if name == "scipy":
            raise ImportError("no such symbol")
        return original(name, package)

    monkeypatch.setattr(importlib, "import_module", without_scipy)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(doctor_module, "smoke_test", lambda: 1.1)
    assert doctor(HEALTHY) == 1
    said = capsys.readouterr().out
    assert "scipy cannot be imported: no such symbol. Install it anew: pip install --force-reinstall scipy" in said
    assert "Keras runs on jax: set KERAS_BACKEND=tensorflow" in said
    assert (
        "the maps of a small test miss the objects (1.10 times the density of an even map, expected at least 1.3)"
        in said
    )
    assert said.endswith("3 problems found.\n")


def test_a_small_test_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def failing() -> float:
        raise RuntimeError("no device\nat all")

    monkeypatch.setattr(doctor_module, "smoke_test", failing)
    assert doctor(HEALTHY) == 1
    assert "a small explanation failed: RuntimeError: no device at all" in capsys.readouterr().out


def test_a_card_that_is_not_used_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor_module, "smoke_test", lambda: 5.0)
    monkeypatch.setattr(machine, "unused_card", lambda: True)
    assert doctor(HEALTHY) == 0
    assert "pip install 'tensorflow[and-cuda]'" in capsys.readouterr().out


def test_memory_and_processors_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_stated_memory", lambda: {"MemTotal": 16_000_000_000, "MemAvailable": 9_500_000_000})
    monkeypatch.setattr(machine, "_limit", lambda: None)
    assert machine.memory() == "16.0 GB, 9.5 GB free"
    monkeypatch.setattr(machine, "_limit", lambda: 4_000_000_000)
    assert machine.memory() == "16.0 GB, 9.5 GB free, at most 4.0 GB for this process"
    monkeypatch.setattr(machine, "_stated_memory", dict)
    assert machine.memory() == "unknown"
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1, 5}, raising=False)
    assert machine.processors() == "2 of 64"
