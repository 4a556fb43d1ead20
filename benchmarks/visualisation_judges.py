"""How good the pictures of `visualisation.py` are, in the eyes of two networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import data_folder, network, photographs, preprocess_of
from visualisation_cases import CLASSES, NETWORKS, RANGE
from visualisation_files import drawn, read, write

SEEN_CROPS, GREY = 8, 127.5
PHOTOGRAPHS = "photographs"


def views_of(pictures: np.ndarray, opacity: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures `(n, h, w, 3)` in 0..255 as judges see them; of crops `(n * 8, 224, 224, 3)`."""
    import tensorflow as tf

    from xsparks.features import Views

    cut = Views(size=(224, 224), count=SEEN_CROPS, crop_size=np.full(1, 0.5), noise=np.zeros(1))
    crops = cut(tf.constant(pictures), tf.constant(0), tf.range(SEEN_CROPS)).numpy()
    return {"whole": pictures, "crops": crops, "weighted": opacity * pictures + (1 - opacity) * GREY}


def judges() -> dict[str, tuple[Any, Any, Any]]:
    """Both networks: whether they see the class, how near to photographs, how different."""
    from xsparks.features import Diversity, Plausibility, Transferability

    known = np.stack([image for _, image, _, _ in photographs(500, size=(256, 256))]).astype(np.float32)
    found = {}
    for name in NETWORKS:
        shared = {"values_range": RANGE, "preprocess": preprocess_of(name), "progress": False}
        model = network(name)
        found[name] = (
            Transferability(model, **shared),
            Plausibility(model, photographs=known, **shared),
            Diversity(model, **shared),
        )
    return found


def judged(judge: tuple[Any, Any, Any], views: dict[str, np.ndarray], classes: np.ndarray) -> list[dict[str, Any]]:
    """The measures of each picture by one network."""
    transfer, plausible, _ = judge
    rows: list[dict[str, Any]] = [{} for _ in classes]
    for view, pictures in views.items():
        each = len(pictures) // len(classes)
        seen = transfer.evaluate(pictures, np.repeat(classes, each))
        near = plausible.evaluate(pictures)
        columns = {"top1": seen.per_sample, "probability": seen.probability, "percentile": near.per_sample}
        for name, values in columns.items():
            for row, value in zip(rows, np.reshape(values, (len(classes), each)).mean(axis=1), strict=True):
                row.setdefault(view, {})[name] = round(float(value), 5)
    return rows


def measure(out: Path) -> None:
    """Measures all pictures that are not measured yet, and the photographs."""
    asked = judges()
    photographs_of_classes(out)
    for folder in sorted(path.parent for path in out.glob("*/*/000.0.png")):
        paths = sorted(path for path in folder.glob("*.png") if drawn(path) or folder.parent.name == PHOTOGRAPHS)
        todo = [path for path in paths if not path.with_suffix(".measures").exists()]
        for first in range(0, len(todo), 4):
            chunk = todo[first : first + 4]
            classes = np.array([int(path.name[:3]) for path in chunk])
            views = views_of(*read(chunk))
            rows = {name: judged(judge, views, classes) for name, judge in asked.items()}
            for place, path in enumerate(chunk):
                content = json.dumps({name: found[place] for name, found in rows.items()})
                write(path.with_suffix(".measures"), content.encode())
        if todo or not (folder / "set.json").exists():
            record = {name: of_set(judge, paths) for name, judge in asked.items()}
            write(folder / "set.json", json.dumps(record).encode())
        print(folder.relative_to(out), len(todo), "measured", flush=True)


def of_set(judge: tuple[Any, Any, Any], paths: list[Path]) -> dict[str, Any]:
    """The measures of all pictures of a case together."""
    _, plausible, diverse = judge
    pictures, names = read(paths)[0], [path.name[:3] for path in paths]
    found: dict[str, Any] = {"pictures": len(paths)}
    if len(paths) > 1:
        found["kernel_distance"] = float(plausible.evaluate(pictures).kernel_distance)
    if min(names.count(name) for name in names) > 1:
        found["diversity"] = diverse.evaluate(pictures, names).per_sample.tolist()
    return found


def photographs_of_classes(out: Path) -> None:
    """One photograph of each class, opaque, where pictures are."""
    folder = out / PHOTOGRAPHS / PHOTOGRAPHS
    folder.mkdir(parents=True, exist_ok=True)
    source = data_folder() / "imagenet_sample_1000"
    lines = (source / "labels.csv").read_text().splitlines()[1:]
    file_of = {int(line.split(",")[1]): line.split(",")[0] for line in lines}
    for number in CLASSES:
        pixels = cv2.cvtColor(cv2.imread(str(source / "images" / file_of[number])), cv2.COLOR_BGR2BGRA)
        write(folder / f"{number:03d}.0.png", cv2.imencode(".png", pixels)[1].tobytes())
