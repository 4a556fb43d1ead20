"""What the benchmarks share: real networks, photographs, seconds, peak memory, and intervals."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """The folder of networks and photographs: XSPARKS_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("XSPARKS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(f"no real data in {folder}: set XSPARKS_DATA to the folder that holds it")
    return folder


def network(name: str) -> Any:
    """A real network, `mobilenet_v2` or `resnet50`, by its file."""
    import keras

    return keras.models.load_model(data_folder() / "models" / f"{name}.keras")


def preprocess_of(name: str) -> str | None:
    """What the network's caller must do; both eat 0..255 then."""
    return "tf" if name == "mobilenet_v2" else None


def photographs(
    count: int, start: int = 0, size: tuple[int, int] = (224, 224)
) -> Iterator[tuple[str, np.ndarray, int, np.ndarray]]:
    """`(file, image (224, 224, 3) uint8, label, boxes (k, 4) in pixels of the crop)` of the validation photographs.

    `size` is that of the central crop of their 256 x 256 pixels.
    """
    import cv2

    (height, width), (top, left) = size, ((256 - size[0]) // 2, (256 - size[1]) // 2)
    folder = data_folder() / "imagenet_val_500"
    boxes: dict[str, list[list[float]]] = {}
    with open(folder / "boxes.csv", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["visible_fraction"]) >= 0.25:
                sides = (("xmin", left), ("ymin", top), ("xmax", left), ("ymax", top))
                corners = [float(row[f"{side}256"]) - first for side, first in sides]
                boxes.setdefault(row["file"], []).append(corners)
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))[start : start + count]
    for row in rows:
        image = cv2.imread(str(folder / "images" / row["file"]))[top : top + height, left : left + width, ::-1]
        label = int(row["class_index_0_999"])
        yield row["file"], np.ascontiguousarray(image), label, np.array(boxes.get(row["file"], [])).reshape(-1, 4)


def class_names() -> list[str]:
    """The first name of every class of ImageNet."""
    lines = (data_folder() / "imagenet_meta" / "imagenet_classes_1000.txt").read_text().splitlines()
    return [line.split("\t")[2].split(",")[0] for line in lines]


def imagenette(class_id: int, split: str, count: int) -> np.ndarray:
    """The first photographs of a class, `(n, 224, 224, 3)` uint8; of `"train"` there are 200, of `"val"` 50."""
    import cv2

    folder = data_folder() / "imagenette"
    with open(folder / "labels.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    files = [row["file"] for row in rows if int(row["class_index_0_999"]) == class_id][:count]
    return np.stack([cv2.imread(str(folder / file))[..., ::-1] for file in files])


def environment() -> dict[str, Any]:
    """The machine and the versions that a figure depends on."""
    from importlib import metadata

    versions = {}
    for name in ("xsparks", "xplique", "tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count(), **versions}


def seconds(function: Callable[[], Any]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_megabytes() -> float:
    """The largest resident set of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_process(script: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
    """What a script prints as its last line of JSON, run in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "XSPARKS_PROGRESS": "0"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def kept(path: Path, settings: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What a measurement with these settings left, if it is finished and did not fail."""
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    same = settings is None or record["settings"] == settings
    return record if same and "error" not in record else None


def mean_interval(values: Any, seed: int = 0, resamples: int = 4000) -> tuple[float, float, float]:
    """Mean and 95 % percentile bootstrap interval over photographs."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])
