"""HybridEVA on networks of photographs: do replicates agree, does an attack leave the box, is the map worth its price?

python benchmarks/hybrid_eva.py run [NETWORK ...] [--photographs N] [--methods PATTERN]
python benchmarks/hybrid_eva.py table [NETWORK ...]                 # of what is finished, in Markdown
python benchmarks/hybrid_eva.py sheet [NETWORK ...] --figure FOLDER  # the maps over photographs, to look at

Without names mobilenet_v2 (12 photographs) and resnet50 (5): the first validation photographs that have a box and that
the network names rightly. Explained is the label. A line of JSON is kept for each method and photograph in --out, so
that a run that was stopped goes on; --methods is a pattern searched for in the names, such as "Hybrid|centre".

HybridEVA has its defaults, and other radii where the name says so: gray levels of 255, or "first order", for each
photograph that at which a linear model would have an overlap, where the search of EVA starts. Beside it
SobolAttribution and GradCAM with their defaults, and what it has to beat: random cells, a blob in the centre, and the
gradient of the margin that the label has before its rival, summed over the same cells, for one pass. Deletion and
Insertion in 20 steps and MuFidelity with 200 subsets are of the probability, hidden pixels black. Seconds are of the
processor, so that other work counts little; those of the first photograph have the compilation in them.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from eva_controls import SaliencyOfCells
from measuring import ROOT, class_names, environment, mean_interval, network, photographs, preprocess_of, table
from pointing import covered, inside, peak

from xsparks import attributions, metrics
from xsparks.engine.measurement import Answers

OUT = ROOT / "benchmarks" / "results" / "hybrid_eva"
COUNTS = {"mobilenet_v2": 12, "resnet50": 5}
GRID = attributions.HybridEVA.grid_size
# Beside the default.
RADII = ("first order", "5", "16")
CONTROLS = ("random cells", "centre")
MEASURES = ("Deletion", "Insertion", "MuFidelity")
COLUMNS = (*MEASURES, "pointing")
EXTRAS = ("agreement", "refused", "overlap", "attack", "gap", "epsilon", "margin", "negative")
YARDSTICK = "random cells"


def methods(model: Any, options: dict[str, Any], pattern: str) -> dict[str, Any]:
    """The methods by the names of their rows."""
    made: dict[str, Any] = {
        YARDSTICK: metrics.RandomMap(model, grid_size=GRID, **options),
        "centre": metrics.CentreBlob(model, **options),
        "gradient of cells": SaliencyOfCells(model, grid_size=GRID, **options),
        "GradCAM": attributions.GradCAM(model, **options),
        "SobolAttribution": attributions.SobolAttribution(model, **options),
    }
    made["HybridEVA"] = attributions.HybridEVA(model, **options)
    for radius in RADII:
        made[f"HybridEVA {radius}"] = partial(attributions.HybridEVA, model, **options)
    return {name: each for name, each in made.items() if re.search(pattern, name)}


def right_ones(name: str, model: Any, count: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The first photographs with a box that the network names rightly, each with its logits."""
    asked = attributions.Saliency(model, **options).engine
    found = []
    for file, image, label, boxes in photographs(500):
        if len(boxes) and covered(boxes) > 0:
            logits = np.asarray(asked.predict(image[None].astype(np.float32)))[0]
            if logits.argmax() == label:
                found.append((file, image, label, boxes, logits))
        if len(found) == count:
            break
    return found


def lines_of(name: str, out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What is finished, by photograph and method."""
    path = out / f"{name}.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {(line["file"], line["method"]): line for line in lines}


def run(name: str, out: Path, count: int | None, pattern: str) -> None:
    """Explains and measures what is not finished."""
    out.mkdir(parents=True, exist_ok=True)
    model, known = network(name), lines_of(name, out)
    options: dict[str, Any] = {"preprocess": preprocess_of(name), "batch_size": 32, "progress": False}
    found = methods(model, options, pattern)
    gradient = attributions.Saliency(model, reducer="sum", **options)
    for file, image, label, boxes, logits in right_ones(name, model, count or COUNTS[name], options):
        inputs, answers = image[None].astype(np.float32), Answers()
        measures = {each: getattr(metrics, each)(model, inputs, [label], **options) for each in MEASURES}
        rival = int(np.argsort(logits)[-2])
        against = np.zeros((1, len(logits)), np.float32)
        against[0, [label, rival]] = 1.0, -1.0
        for title, method in found.items():
            if (file, title) in known:
                continue
            target: Any = against if title == "gradient of cells" else [label]
            if isinstance(method, partial):
                radius = title.removeprefix("HybridEVA ")
                slope = gradient.explain(inputs, against).values.sum() if radius == "first order" else 1.0
                linear = float((logits[label] - logits[rival]) / slope)
                method = method(epsilon=linear if radius == "first order" else float(radius))
            begun, processor = time.perf_counter(), time.process_time()
            explained = method.explain(inputs, target)
            line: dict[str, Any] = {"file": file, "method": title, "label": label}
            line |= {"processor seconds": round(time.process_time() - processor, 2)}
            line |= {"seconds": round(time.perf_counter() - begun, 2)}
            layout = method.access.layout(inputs.shape[1:])
            line["forwards"], line["backwards"] = method.cost(layout.shape, method.engine.output_spec(inputs))
            line |= {key: float(explained.extras[key][0]) for key in EXTRAS if key in explained.extras}
            line |= {"pointing": float(inside(peak(explained.maps[0, ..., 0]), boxes)), "chance": covered(boxes)}
            for key, metric in measures.items():
                # What it asks is the same for all maps.
                shared = answers if key == "MuFidelity" else None
                value = metric.measure(inputs, np.array([label]), explained.maps[..., 0], shared)
                line[key] = metric.scored(value).per_sample[0]
            line["values"] = [[float(f"{each:.5g}") for each in row] for row in coarse(explained)]
            with (out / f"{name}.jsonl").open("a") as file_out:
                file_out.write(json.dumps(line) + "\n")
            print(name, {key: each for key, each in line.items() if key != "values"}, flush=True)
    print(f"{name}: on {environment()}", flush=True)


def coarse(explained: Any) -> np.ndarray:
    """A map as it was made, or means over 16 x 16 pixels where it was not made on a grid."""
    values = np.asarray(explained.raw if "raw" in explained.extras else explained.values)[0, ..., 0]
    return values if len(values) < 32 else values.reshape(14, 16, 14, 16).mean(axis=(1, 3))


def report(name: str, out: Path) -> None:
    """The tables of a network."""
    known = lines_of(name, out)
    by_method: dict[str, dict[str, dict[str, Any]]] = {}
    for (file, title), line in known.items():
        by_method.setdefault(title, {})[file] = line
    print(f"\n## {name}, of {len({file for file, _ in known})} photographs, 95 % bootstrap intervals\n")
    rows, differences, boxes = [], [], []
    for title, lines in by_method.items():
        shown = f"*{title}*" if title in CONTROLS else title
        cells = [spread([line[key] for line in lines.values()]) for key in COLUMNS]
        took = np.median([line["processor seconds"] for line in lines.values()])
        first = next(iter(lines.values()))
        rows.append([shown, len(lines), *cells, first["forwards"], first["backwards"], f"{took:.3g}"])
        both = [file for file in lines if file in by_method.get(YARDSTICK, {})]
        if both and title != YARDSTICK:
            own, other = ([found[file] for file in both] for found in (lines, by_method[YARDSTICK]))
            gains = ([one[key] - two[key] for one, two in zip(own, other, strict=True)] for key in COLUMNS)
            differences.append([shown, len(both), *(spread(gain, "+.3f") for gain in gains)])
        if "agreement" in first:
            values = {key: np.array([line[key] for line in lines.values()]) for key in EXTRAS}
            agreement = f"{values['agreement'].mean():.2f}, least {values['agreement'].min():.2f}"
            medians = [f"{np.median(values[key]):.3g}" for key in ("epsilon", "margin", "overlap", "attack")]
            counts = [f"{int(each.sum())} of {len(each)}" for each in (values["refused"], values["gap"] < 0)]
            boxes.append([shown, agreement, *counts, *medians])
    chance = [line["chance"] for line in by_method.get(YARDSTICK, {}).values()]
    head = ["method", "n", *COLUMNS, "forwards", "backwards", "processor s"]
    print(table(head, rows))
    print(f"\nA random point is in a box for {np.mean(chance):.2f}." if chance else "")
    print(f"\nDifferences to {YARDSTICK}, paired\n\n{table(['method', 'n', *COLUMNS], differences)}")
    print("\nThe sampled box; medians\n")
    print(table(["", "agreement", "refused", "left by an attack", "epsilon", "margin", "overlap", "attack"], boxes))


def spread(values: list[float], form: str = ".3f") -> str:
    """A mean and its interval; of less than three photographs no interval."""
    mean, low, high = mean_interval(values)
    return format(mean, form) + (f" [{low:{form}}, {high:{form}}]" if len(values) > 2 else "")


def sheet(name: str, out: Path, figure: Path, pattern: str) -> None:
    """A row for each of six photographs, a column for each method that explained them all."""
    import matplotlib

    matplotlib.use("Agg")
    from xsparks.plots import plot_comparison

    known, names = lines_of(name, out), class_names()
    titles = [each for each in dict.fromkeys(title for _, title in known) if re.search(pattern, each)]
    files = [file for file in dict.fromkeys(file for file, _ in known) if all((file, each) in known for each in titles)]
    shown = [one for one in photographs(500) if one[0] in files[:6]]
    maps = {title: [np.array(known[one[0], title]["values"], np.float32) for one in shown] for title in titles}
    for title in titles:
        if "agreement" in known[shown[0][0], title]:
            least = min(known[one[0], title]["agreement"] for one in shown)
            maps[f"{title}, agree {least:.2f}"] = maps.pop(title)
    drawing, _ = plot_comparison([one[1] for one in shown], maps, titles=[names[one[2]] for one in shown], size=2)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=90)
    print(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table", "sheet"))
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(COUNTS)}; all without it")
    parser.add_argument("--photographs", type=int, help="in place of those of the network")
    parser.add_argument("--methods", default="", help="a pattern of names; all without it")
    parser.add_argument("--figure", type=Path, help="the folder of NETWORK.png, outside the repository")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.networks} - {*COUNTS}):
        parser.error(f"no such network: {', '.join(unknown)}; there are {', '.join(COUNTS)}")
    if arguments.what == "sheet" and arguments.figure is None:
        parser.error("sheet needs --figure FOLDER")
    for chosen in arguments.networks or COUNTS:
        if arguments.what == "run":
            run(chosen, arguments.out, arguments.photographs, arguments.methods)
        elif arguments.what == "table":
            report(chosen, arguments.out)
        else:
            sheet(chosen, arguments.out, arguments.figure / f"{chosen}.png", arguments.methods)
