"""The pointing game: how often does the maximum of a map lie in the box of the labelled object?

    python benchmarks/pointing.py mobilenet_v2 --photographs 100 --rows 8
    python benchmarks/pointing.py resnet50 --photographs 50 --rows 8

Beside the map: the centre of the picture, a random point (the share of the picture that the boxes cover, exactly), and
the maximum of a blurred edge detector. Resumes: one line of JSON a photograph in --out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from measuring import environment, mean_interval, network, photographs, preprocess_of, table


def inside(point: tuple[int, int], boxes: np.ndarray) -> bool:
    """Whether a point `(row, column)` lies in one of the boxes `(left, top, right, bottom)`."""
    row, column = point
    return any(left <= column + 0.5 <= right and top <= row + 0.5 <= bottom for left, top, right, bottom in boxes)


def peak(values: np.ndarray) -> tuple[int, int]:
    """The place of the maximum."""
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return int(row), int(column)


def covered(boxes: np.ndarray, size: int = 224) -> float:
    """The share of the picture that lies in a box."""
    canvas = np.zeros((size, size), bool)
    for left, top, right, bottom in np.round(boxes).astype(int):
        canvas[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return float(canvas.mean())


def edges(image: np.ndarray) -> np.ndarray:
    """The strength of edges, blurred to the size of a cell."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return cv2.GaussianBlur(strength, (0, 0), 14)


def measure(name: str, count: int, rows: int, out: Path) -> list[dict]:
    """One record a photograph that has a box, in order."""
    from xsparks.attributions import SobolAttribution

    out.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    if out.exists():
        known = {record["file"]: record for record in map(json.loads, out.read_text().splitlines())}
    explainer, records = None, []
    for file, image, label, boxes in photographs(500):
        if not len(boxes) or covered(boxes) == 0:
            continue
        if file not in known:
            if explainer is None:
                explainer = SobolAttribution(
                    network(name), nb_design=rows, preprocess=preprocess_of(name), batch_size=32, progress=False
                )
            maps = explainer.explain(image[None], [label])
            record = {
                "file": file,
                "map": inside(peak(maps.maps[0, ..., 0]), boxes),
                "unsmoothed": inside(peak(np.kron(maps.raw[0, ..., 0], np.ones((28, 28)))), boxes),
                "centre": inside((112, 112), boxes),
                "random": covered(boxes),
                "edges": inside(peak(edges(image)), boxes),
                "score": float(maps.scores[0]),
            }
            with out.open("a") as file_out:
                file_out.write(json.dumps(record) + "\n")
            known[file] = record
        records.append(known[file])
        if len(records) == count:
            break
    return records


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("mobilenet_v2", "resnet50"))
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    path = arguments.out or Path(f"benchmarks/results/pointing_{arguments.network}_{arguments.rows}.jsonl")
    found = measure(arguments.network, arguments.photographs, arguments.rows, path)
    print(json.dumps(environment()))
    lines = []
    for column in ("map", "unsmoothed", "centre", "random", "edges"):
        mean, low, high = mean_interval([record[column] for record in found])
        gain = "{:+.2f} [{:+.2f}, {:+.2f}]".format(
            *mean_interval([float(record["map"]) - float(record[column]) for record in found])
        )
        lines.append([column, f"{mean:.2f} [{low:.2f}, {high:.2f}]", gain])
    print(f"{arguments.network}, {len(found)} photographs, {arguments.rows * 65} forwards each")
    print(table(["maximum of", "share in the box", "map minus this, paired"], lines))
