"""The tables of the EVA paper, smaller: every box, variant and bound of EVA beside other methods and controls.

python benchmarks/eva.py train [STUDY ...]                        # the networks, seconds to minutes
python benchmarks/eva.py estimate [STUDY ...] [--pictures N]      # passes, before anything is run
python benchmarks/eva.py run [STUDY ...] [--pictures N] [--methods PATTERN] [--batch N]
python benchmarks/eva.py table [STUDY ...]                        # of what is finished, in Markdown

Without names all studies: `mnist_dense` (500 pictures), `mnist_lipschitz` (500), which is the same network made
1-Lipschitz, and `cifar10_conv` (100). Kept in --out are the networks, the maps of each method by parts of 50 pictures,
and its row, so that a run that was stopped goes on; with more pictures only maps that are new are made, and all are
measured. --methods is a pattern searched for in the names, such as "own$|^Saliency". Means and intervals, one line a
method, go to --out/STUDY.jsonl.

Explained is the predicted class, on the first pictures of the test set that the network classifies rightly, in [0, 1].
Seconds are of calls after the first, so that no compilation is in them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from eva_controls import GRID, PictureAlone, SaliencyOfCells
from measuring import ROOT, environment, mean_interval, table
from small_networks import first_right, trained

from xsparks import attributions, metrics
from xsparks.attributions.eva_options import BOXES, VARIANTS

OUT = ROOT / "benchmarks" / "results" / "eva"
# Pictures that are explained in one call, and kept.
PART = 50
METRICS = ("Deletion, zero", "Insertion, zero", "Deletion, noise", "Insertion, noise", "MuFidelity", "RobustnessSr")
CONTROLS = ("picture alone", "picture inverted", "random pixels", "random cells")
EXTRAS = ("overlap", "attack", "margin", "epsilon", "negative", "certified")
# The bounds of one radius, from loose to tight, and the one relaxation for all cells beside them.
TIGHTNESS: dict[str, dict[str, Any]] = {
    "IBP": {"bounds": "ibp"},
    "CROWN-IBP own": {"bounds": "crown_ibp", "mode": "shared_bounds"},
    "CROWN own": {"mode": "shared_bounds"},
    "CROWN shared": {},
    "alpha-CROWN own": {"bounds": "alpha_crown", "mode": "shared_bounds"},
    "alpha-CROWN shared": {"bounds": "alpha_crown"},
}


class Study(NamedTuple):
    """How many pictures, and the radius at which bounds are compared."""

    pictures: int
    radius: float


STUDIES = {
    "mnist_dense": Study(500, 0.1),
    "mnist_lipschitz": Study(500, 0.1),
    "cifar10_conv": Study(100, 4 / 255),
}


def eva_rows(radius: float) -> dict[str, dict[str, Any]]:
    """Options of EVA by name: all boxes and variants, slopes of each cell's own, and all bounds at one radius."""
    rows: dict[str, dict[str, Any]] = {}
    for box, variant in itertools.product(BOXES, VARIANTS):
        rows[f"EVA {box} {variant}"] = {"box": box, "variant": variant}
    for box, variant in itertools.product(("clipped", "symmetric", "remove"), VARIANTS):
        rows[f"EVA {box} {variant} own"] = {"box": box, "variant": variant, "mode": "shared_bounds"}
    for box, (bounds, options) in itertools.product(("clipped", "symmetric", "remove"), TIGHTNESS.items()):
        rows[f"EVA {box} {radius:.3g} {bounds}"] = {"box": box, "epsilon": radius, **options}
    for bounds in ("IBP", "CROWN own", "CROWN shared"):
        rows[f"EVA symmetric 0.5 {bounds}"] = {"box": "symmetric", "epsilon": 0.5, **TIGHTNESS[bounds]}
    return rows


def methods(study: str, model: keras.Model, batch: int, pattern: str) -> dict[str, Any]:
    """The methods by the names of their rows, controls last but for EVA."""
    made: dict[str, Callable[..., Any]] = {
        "Saliency": attributions.Saliency,
        "Saliency of cells": SaliencyOfCells,
        "GradientInput": attributions.GradientInput,
        "SmoothGrad": attributions.SmoothGrad,
        "VarGrad": attributions.VarGrad,
        "IntegratedGradients": attributions.IntegratedGradients,
        "Occlusion": partial(attributions.Occlusion, patch_size=4, patch_stride=2, baseline="zero"),
        "RISE": partial(attributions.RISE, samples=1000, baseline="zero"),
        "SobolAttribution": attributions.SobolAttribution,
        "HSICAttribution": attributions.HSICAttribution,
        "KernelSHAP": attributions.KernelSHAP,
    }
    for box, robustness in (("clipped", "overlap"), ("remove", "overlap"), ("clipped", "distance")):
        options = {"grid_size": GRID, "value_range": (0.0, 1.0), "samples": 256, "box": box, "robustness": robustness}
        made[f"GreedyAO {box} {robustness}"] = partial(attributions.GreedyAO, **options)
    if study == "cifar10_conv":
        made |= {"GradCAM": attributions.GradCAM, "GradCAMPP": attributions.GradCAMPP}
    blind = [PictureAlone, partial(PictureAlone, inverted=True), metrics.RandomMap]
    made |= dict(zip(CONTROLS, [*blind, partial(metrics.RandomMap, grid_size=GRID)], strict=True))
    # The batch of EVA is that of its default: work items are chunks of rows of a picture.
    made = {name: partial(each, batch_size=batch) for name, each in made.items()}
    for name, options in eva_rows(STUDIES[study].radius).items():
        made[name] = partial(attributions.EVA, grid_size=GRID, value_range=(0.0, 1.0), **options)
    return {name: each(model, progress=False) for name, each in made.items() if re.search(pattern, name)}


def measures(model: keras.Model, images: Any, labels: Any, batch: int) -> dict[str, Any]:
    """The metrics by the names of their columns."""
    shared: dict[str, Any] = {"batch_size": batch, "progress": False}
    given = (model, images, labels)
    levels = (0.05, 0.15, 0.25, 0.35, 0.45)
    return {
        "Deletion, zero": metrics.Deletion(*given, baseline="zero", **shared),
        "Insertion, zero": metrics.Insertion(*given, baseline="zero", **shared),
        "Deletion, noise": metrics.Deletion(*given, baseline="noise", **shared),
        "Insertion, noise": metrics.Insertion(*given, baseline="noise", **shared),
        "MuFidelity": metrics.MuFidelity(*given, baseline="noise", **shared),
        "RobustnessSr": metrics.RobustnessSr(*given, levels=levels, attack_steps=10, value_range=(0.0, 1.0), **shared),
    }


def explained(method: Any, images: np.ndarray, labels: np.ndarray, folder: Path) -> dict[str, Any]:
    """The maps, the seconds of a picture and what the bounds say, each part from its file where there is one."""
    parts: list[dict[str, np.ndarray]] = []
    cold = True
    for start in range(0, len(images), PART):
        part = slice(start, min(start + PART, len(images)))
        path = folder / f"{part.start}_{part.stop}.npz"
        if not path.exists():
            # What is compiled is compiled in the first call.
            calls = 2 if cold and len(images) <= PART else 1
            for _ in range(calls):
                begun = time.perf_counter()
                explanation = method.explain(images[part], labels[part])
            found = {"values": explanation.values, "seconds": (time.perf_counter() - begun) / (part.stop - part.start)}
            found |= {key: explanation.extras[key] for key in EXTRAS if key in explanation.extras}
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path.with_name("unfinished.npz"), **found, cold=cold and calls == 1)
            path.with_name("unfinished.npz").rename(path)
            cold = False
        parts.append(dict(np.load(path)))
    warm = [float(part["seconds"]) for part in parts if not part["cold"]]
    row = {key: np.concatenate([part[key] for part in parts]) for key in ("values", *EXTRAS) if key in parts[0]}
    return {**row, "seconds": float(np.median(warm)) if warm else None}


def run(study: str, options: argparse.Namespace) -> None:
    """Runs a study, or goes on with it."""
    model = trained(study, options.out)
    images, labels, _ = first_right(study, model, options.pictures or STUDIES[study].pictures)
    asked = measures(model, images, labels, options.batch)
    for name, method in methods(study, model, options.batch, options.methods).items():
        folder = options.out / study / re.sub(r"[^A-Za-z0-9.]+", "_", name)
        path = folder / f"row_{len(images)}.json"
        if not path.exists():
            start = time.perf_counter()
            row: dict[str, Any] = {"method": name, "pictures": len(images)}
            row |= explained(method, images, labels, folder)
            maps = row.pop("values")
            row |= {key: metric(maps).per_sample for key, metric in asked.items()}
            layout = method.access.layout(images.shape[1:])
            row["forwards"], row["backwards"] = method.cost(layout.shape, method.engine.output_spec(images[:1]))
            row = {key: each.tolist() if isinstance(each, np.ndarray) else each for key, each in row.items()}
            path.write_text(json.dumps({**row, "device": device(), "environment": environment()}))
            print(f"{study}: {name} in {time.perf_counter() - start:.0f} s", flush=True)
    summarise(study, options.out)
    print(f"{study}: on {device()}, {environment()}", flush=True)


def device() -> str:
    """What the passes ran on."""
    found = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU") if found else "CPU"


def summarise(study: str, out: Path) -> None:
    """One line a method: means, 95 % bootstrap intervals, and paired differences to Saliency on the same pictures.

    Of a method that was run on several numbers of pictures it is the row of the most.
    """
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted((out / study).glob("*/row_*.json"), key=lambda path: int(path.stem.split("_")[1])):
        row = json.loads(path.read_text())
        rows[row["method"]] = row
    lines = []
    for name, row in rows.items():
        line: dict[str, Any] = {"method": name}
        yardstick = rows.get("Saliency", {})
        for key, each in row.items():
            line[key] = rounded(mean_interval(each)) if isinstance(each, list) else each
            if key in METRICS and name != "Saliency" and yardstick.get("pictures") == row["pictures"]:
                line[f"{key} to Saliency"] = rounded(mean_interval(np.subtract(each, yardstick[key])))
        if "epsilon" in row:
            line["median epsilon"] = rounded([np.median(row["epsilon"])])[0]
        lines.append(json.dumps(line) + "\n")
    (out / f"{study}.jsonl").write_text("".join(lines))


def rounded(values: Any) -> list[float]:
    """Five digits of each number."""
    return [float(f"{float(each):.5g}") for each in values]


def estimate(study: str, options: argparse.Namespace) -> None:
    """Passes of a picture by each method, and of the metrics, before anything is run."""
    model = trained(study, options.out)
    count = options.pictures or STUDIES[study].pictures
    images, labels, _ = first_right(study, model, 1)
    found = methods(study, model, options.batch, options.methods)
    rows, total, measured = [], np.zeros(2), np.zeros(2)
    for name, method in found.items():
        method.access.ensure_ready(images)
        passes = method.cost(images.shape[1:], method.engine.output_spec(images))
        total += passes
        rows.append([name, *passes])
    for name, metric in measures(model, images, labels, options.batch).items():
        metric.access.ensure_ready(images)
        forwards = metric.forwards(images)
        passes = forwards, forwards if metric.needs_gradients else 0
        measured += passes
        rows.append([f"measured by {name}", *passes])
    print(f"\n{study}, of one picture, at most; bounds count as their attack and what they report")
    print(table(["", "forwards", "backwards"], rows))
    forwards, backwards = count * (total + len(found) * measured)
    print(f"{count} pictures: {forwards:.3g} forwards and {backwards:.3g} backwards, at most", flush=True)


def report(study: str, out: Path) -> None:
    """The tables of a study."""
    path = out / f"{study}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if not lines:
        print(f"\n{study}: nothing is finished")
        return
    counts = " or ".join(map(str, sorted({line["pictures"] for line in lines})))
    print(f"\n## {study}, {counts} pictures, 95 % bootstrap intervals\n")
    rows = []
    for line in sorted(lines, key=lambda line: (line["method"] in CONTROLS, line["Deletion, zero"][0])):
        title = f"*{line['method']}*" if line["method"] in CONTROLS else line["method"]
        took = "" if line["seconds"] is None else f"{1000 * line['seconds']:.3g}"
        rows.append([title, *(spread(line[name]) for name in METRICS), took])
    print(table(["method", *METRICS, "ms a picture"], rows))
    rows = [
        [line["method"], *(spread(line[f"{name} to Saliency"], "+.3f") for name in METRICS)]
        for line in lines
        if "MuFidelity to Saliency" in line
    ]
    print(f"\nDifferences to Saliency, paired\n\n{table(['method', *METRICS], rows)}")
    shown = ("overlap", "attack", "margin", "negative", "certified")
    rows = [
        [line["method"], *(spread(line[key], ".3g") for key in shown), f"{line['median epsilon']:.3g}"]
        for line in lines
        if "overlap" in line
    ]
    print(f"\nBounds\n\n{table(['method', *shown, 'median epsilon'], rows)}")


def spread(values: list[float] | None, form: str = ".3f") -> str:
    """A mean and its interval."""
    return "" if values is None else "{} [{}, {}]".format(*(format(each, form) for each in values))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "estimate", "run", "table"))
    parser.add_argument("studies", nargs="*", help=f"of {', '.join(STUDIES)}; all without it")
    parser.add_argument("--pictures", type=int, help="in place of those of the study")
    parser.add_argument("--methods", default="", help="a pattern of names; all without it")
    parser.add_argument("--batch", type=int, default=256, help="of everything but EVA")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.studies} - {*STUDIES}):
        parser.error(f"no such study: {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    for chosen in arguments.studies or STUDIES:
        if arguments.what == "train":
            trained(chosen, arguments.out)
        elif arguments.what == "estimate":
            estimate(chosen, arguments)
        elif arguments.what == "run":
            run(chosen, arguments)
        else:
            report(chosen, arguments.out)
