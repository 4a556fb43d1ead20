"""Known troubles of an installation, read from the list of what is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import metadata

_OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "tf-nightly", "tf-nightly-cpu")
# What TensorFlow is called where the plain wheel is not the one that runs.
_SAME_AS_TENSORFLOW = frozenset(_TENSORFLOW[1:])


def installed_distributions() -> dict[str, str]:
    """Every installed distribution with its version; names in lower case, with hyphens."""
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            # The first one on the path is the one that is imported.
            found.setdefault(_normal(name), distribution.version)
    return found


def requirements() -> list[str]:
    """What xsparks says it needs; nothing if it runs from its sources without being installed."""
    try:
        return metadata.requires("xsparks") or []
    except metadata.PackageNotFoundError:
        return []


def problems(installed: Mapping[str, str], required: Sequence[str] = ()) -> list[str]:
    """What is wrong with this installation, each with its remedy.

    Parameters
    ----------
    installed : name -> version, as `installed_distributions` gives them.
    required : requirements such as `"numpy>=2"`; those of extras are left out.

    Example
    -------
    >>> problems({"opencv-python": "4.12.0", "opencv-python-headless": "4.12.0"})[0].split(":")[0]
    'two builds of OpenCV are installed into one folder, opencv-python-headless 4.12.0 and opencv-python 4.12.0'
    """
    return [*_opencv_problems(installed), *_tensorflow_problems(installed), *_missing(installed, required)]


def _opencv_problems(installed: Mapping[str, str]) -> list[str]:
    found = [name for name in _OPENCV if name in installed]
    if len(found) < 2:
        return []
    # A contrib build holds everything of the plain one, and somebody asked for what is more in it.
    keep = next((name for name in found if "contrib" in name), "opencv-python-headless")
    remove = [name for name in found if name != keep]
    number = {2: "two", 3: "three"}.get(len(found), str(len(found)))
    listed = " and ".join(f"{name} {installed[name]}" for name in found)
    text = (
        f"{number} builds of OpenCV are installed into one folder, {listed}: files of one overwrite those of another. "
        f"Remove {' and '.join(remove)}, and install {keep} anew, because removing takes its files along: "
        f"pip uninstall -y {' '.join(found)} && pip install {keep}"
    )
    return [text]


def _tensorflow_problems(installed: Mapping[str, str]) -> list[str]:
    found = [name for name in _TENSORFLOW if name in installed]
    # The plain wheel for Windows was an empty one that asked for tensorflow-intel.
    if set(found) == {"tensorflow", "tensorflow-intel"} or len(found) < 2:
        return []
    listed = " and ".join(f"{name} {installed[name]}" for name in found)
    keep = found[0] if "tensorflow-cpu" not in found else "tensorflow-cpu"
    text = (
        f"{listed} are installed into one folder: files of one overwrite those of another. Keep one, for example by "
        f"pip uninstall -y {' '.join(found)} && pip install {keep}"
    )
    return [text]


def _missing(installed: Mapping[str, str], required: Sequence[str]) -> list[str]:
    found = []
    for requirement in required:
        named = re.match(r"[A-Za-z0-9._-]+", requirement)
        if named is None or "extra ==" in requirement:
            continue
        name = _normal(named[0])
        least = re.search(r">=\s*([\d.]+)", requirement)
        if name not in installed:
            if name == "tensorflow" and _SAME_AS_TENSORFLOW & set(installed):
                continue
            if name == "opencv-python-headless" and set(_OPENCV) & set(installed):
                continue
            found.append(f"{name} is not installed: pip install '{requirement}'")
        elif least and _numbers(installed[name]) < _numbers(least[1]):
            found.append(f"{name} {installed[name]} is too old: pip install '{requirement}'")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version for comparison: 2.18.0rc1 is taken as 2.18.0.

    >>> _numbers("2.18.0rc1") >= _numbers("2.18")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", re.match(r"[\d.]*", version)[0]))  # pyright: ignore


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
