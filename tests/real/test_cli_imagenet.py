"""`xsparks explain` on real photographs with both ImageNet networks."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import results, run
from xsparks.engine import Explanation

SIDE = 256  # of the photographs


def photographs(folder: Path, count: int) -> list[dict[str, str]]:
    """The first photographs whose object is well within the picture and not most of it, with their labels."""
    rows = {row["file"]: row for row in csv.DictReader((folder / "imagenet_val_500" / "labels.csv").open())}
    seen = boxes(folder)
    areas = {file: mask_of(found).mean() for file, found in seen.items()}
    return [row for file, row in rows.items() if 0.05 < areas.get(file, 0) < 0.5][:count]


def boxes(folder: Path) -> dict[str, list[list[float]]]:
    """The objects' boxes in the photographs' pixels."""
    found: dict[str, list[list[float]]] = {}
    for row in csv.DictReader((folder / "imagenet_val_500" / "boxes.csv").open()):
        if float(row["visible_fraction"]) >= 0.25:
            box = [float(row[key]) for key in ("xmin256", "ymin256", "xmax256", "ymax256")]
            found.setdefault(row["file"], []).append(box)
    return found


def mask_of(found: list[list[float]]) -> np.ndarray:
    """All boxes of a photograph as one region."""
    mask = np.zeros((SIDE, SIDE), bool)
    for left, top, right, bottom in found:
        mask[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
    return mask


def explained(folder: Path, network: str, count: int, out: Path, *options: object) -> list[float]:
    """How many times denser each map is in the boxes of the labelled object than over the whole picture.

    The predicted class is explained, which is not always the label: a maximum may rightly lie elsewhere.
    """
    chosen = photographs(folder, count)
    files = [folder / "imagenet_val_500" / "images" / row["file"] for row in chosen]
    names = folder / "imagenet_meta" / "imagenet_classes_1000.txt"
    model = folder / "models" / f"{network}.keras"
    assert run("explain", model, *files, "--class-names", names, "--out", out, "--quiet", *options) == 0
    record = results(out)
    assert [Path(image["file"]).name for image in record["images"]] == [row["file"] for row in chosen]
    masks = boxes(folder)
    densities = []
    for image, row in zip(record["images"], chosen, strict=True):
        assert image["class_name"] and 0 < image["probability"] <= 1
        values = Explanation.load(out / image["map"]).maps[0, ..., 0]
        assert values.shape == (224, 224) and np.isfinite(values).all()
        # The square photographs are resized as a whole, so that places are fractions of the side.
        places = ((np.arange(224) + 0.5) * SIDE / 224).astype(int)
        inside = mask_of(masks[row["file"]])[np.ix_(places, places)]
        densities.append(float(values[inside].mean() / values.mean()))
    return densities


@pytest.mark.imagenet
@pytest.mark.slow
def test_mobilenet_looks_at_the_objects(data_folder: Path, tmp_path: Path) -> None:
    """Slow: 1,600 forwards of a real network."""
    densities = explained(data_folder, "mobilenet_v2", 4, tmp_path, "--preprocess", "tf", "--set", "grid_size=7")
    assert min(densities) > 1 and np.mean(densities) > 1.8, densities


@pytest.mark.imagenet
@pytest.mark.slow
def test_resnet_looks_at_the_objects(data_folder: Path, tmp_path: Path) -> None:
    """Slow: the file of 51 MB, and 200 forwards of a large network."""
    densities = explained(data_folder, "resnet50", 2, tmp_path, "--set", "grid_size=7", "--set", "nb_design=2")
    assert min(densities) > 1 and np.mean(densities) > 1.3, densities
    assert results(tmp_path)["images"][0]["forwards"] == 2 * 50
