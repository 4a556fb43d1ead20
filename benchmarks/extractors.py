"""Concept extractors on crops of real photographs: how exact, sparse, stable and plausible is what each finds?

    python benchmarks/extractors.py run --out DIR [--network mobilenet_v2] [--classes 217 491 497] [--images 40]
    python benchmarks/extractors.py table --out DIR [--network mobilenet_v2]

For each class of imagenette the crops of training photographs are shown once; then each extractor finds its concepts in
all folds of photographs but one and is measured on that one. A class and extractor leave a row in DIR, so that a run
that was stopped goes on. The table has the mean over classes, and the interval over the runs of all classes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from concepts import CLASSES, LAYERS
from measuring import environment, imagenette, kept, mean_interval, network, preprocess_of, table

# In the order in which the paper goes from one concept a place to any number with any sign.
NAMES = ("kmeans", "nmf", "semi_nmf", "convex_nmf", "ica", "pca")


def settings_of(class_id: int, extractor: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the numbers of a row depend on."""
    names = ("network", "concepts", "patch", "images", "folds")
    chosen = {name: getattr(arguments, name) for name in names}
    return {**chosen, "layer": LAYERS[arguments.network], "class": class_id, "extractor": extractor}


def row_of(class_id: int, extractor: str, arguments: argparse.Namespace) -> Path:
    """The file of a row."""
    return arguments.out / f"{arguments.network}_{class_id}_{extractor}.json"


def finished(class_id: int, extractor: str, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The row of a class and extractor with these settings."""
    return kept(row_of(class_id, extractor, arguments), settings_of(class_id, extractor, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Measures the rows that are missing."""
    from xsparks.concepts import CRAFT, ExtractionMetrics
    from xsparks.concepts.catalogue import EXTRACTORS
    from xsparks.concepts.learning import shown

    arguments.out.mkdir(parents=True, exist_ok=True)
    # Crops of photographs that the network names otherwise would be of other concepts.
    options: dict[str, Any] = {"preprocess": preprocess_of(arguments.network), "progress": False}
    options |= {"number_of_concepts": arguments.concepts, "patch_size": arguments.patch}
    craft = CRAFT(network(arguments.network), layer=LAYERS[arguments.network], **options)
    measures = ExtractionMetrics(folds=arguments.folds)
    for class_id in arguments.classes:
        todo = [name for name in NAMES if finished(class_id, name, arguments) is None]
        if not todo:
            continue
        gathered = shown(craft, imagenette(class_id, "train", arguments.images), class_id)
        print(f"{CLASSES[class_id]}: {len(gathered.image)} crops of {gathered.shown} photographs", flush=True)
        for name in todo:
            start = time.process_time()
            found = measures.evaluate(
                EXTRACTORS[name](), gathered.activations[0], arguments.concepts, groups=gathered.image
            )
            row = {
                "settings": settings_of(class_id, name, arguments),
                "crops": len(gathered.image),
                "photographs": gathered.shown,
                "processor seconds": round(time.process_time() - start, 1),
                "scores": {measure: score.per_sample.astype(float).tolist() for measure, score in found.items()},
                "environment": environment(),
            }
            half = row_of(class_id, name, arguments).with_suffix(".half")
            half.write_text(json.dumps(row))
            half.replace(row_of(class_id, name, arguments))
            print(f"{CLASSES[class_id]}, {name}: {row['processor seconds']} s", flush=True)


def report(arguments: argparse.Namespace) -> None:
    """The table of what is finished."""
    from xsparks.concepts.extraction_metrics import BETTER

    rows: dict[str, list[dict[str, Any]]] = {}
    for name in NAMES:
        found = [finished(class_id, name, arguments) for class_id in arguments.classes]
        rows[name] = [row for row in found if row is not None]
    if not any(rows.values()):
        raise SystemExit(f"no row in {arguments.out}: `run` comes first")
    one = next(row for some in rows.values() for row in some)
    print(json.dumps({"settings": one["settings"], **one["environment"]}))
    for class_id in arguments.classes:
        row = finished(class_id, NAMES[0], arguments)
        if row is not None:
            print(f"{CLASSES[class_id]}: {row['crops']} crops of {row['photographs']} photographs")
    arrows = {"lower": "↓", "higher": "↑"}
    lines = []
    for name, some in rows.items():
        if not some:
            continue
        cells = []
        for measure in BETTER:
            values = np.concatenate([row["scores"][measure] for row in some])
            mean, low, high = mean_interval(values)
            cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
        seconds = sum(row["processor seconds"] for row in some)
        lines.append([name, len(some), *cells, f"{seconds:.1f}"])
    header = ["extractor", "classes", *(f"{name} {arrows[better]}" for name, better in BETTER.items()), "s"]
    print(table(header, lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/extractors"))
    parser.add_argument("--network", choices=tuple(LAYERS), default="mobilenet_v2")
    parser.add_argument("--classes", nargs="+", type=int, choices=tuple(CLASSES), default=[217, 491, 497])
    parser.add_argument("--images", type=int, default=40, help="training photographs of a class, at most 200")
    parser.add_argument("--concepts", type=int, default=10)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--folds", type=int, default=4, help="and runs")
    chosen = parser.parse_args()
    if chosen.what == "run":
        run(chosen)
    else:
        report(chosen)
