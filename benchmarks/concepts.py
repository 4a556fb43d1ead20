"""Concepts of ten real classes: how exact they are, which importances rank them best, and what they look like.

    python benchmarks/concepts.py run --out DIR [--network resnet50] [--layer NAME] [--classes 0 217] [--images 100]
    python benchmarks/concepts.py table --out DIR [--network resnet50]

For each class of imagenette: CRAFT on training photographs that the network predicts as the class, then C-Deletion and
C-Insertion of every importance method on validation photographs, none of which was shown before. A class leaves a row
in DIR, so that a run that was stopped goes on, and in DIR/pictures its crops and its maps, which are to be looked at;
DIR/fitted holds its concepts. With --draw nothing else is done.
Every number is a logit, so that it can be compared only within a network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from measuring import class_names, environment, imagenette, mean_interval, network, preprocess_of, table

CLASSES = {
    0: "tench",
    217: "English springer",
    482: "cassette player",
    491: "chain saw",
    497: "church",
    566: "French horn",
    569: "garbage truck",
    571: "gas pump",
    574: "golf ball",
    701: "parachute",
}
# The last answer laid out in space; what follows is a mean and a dense layer.
LAYERS = {"resnet50": "stage5_block3_out", "mobilenet_v2": "out_relu"}
METRICS = ("C-Deletion", "C-Insertion", "C-µFidelity")
DRAWN, SHOWN_CROPS, SHOWN_MAPS = 6, 8, 6


def explainers() -> dict[str, Callable[..., Any]]:
    """Every attribution method that has a meaning on a row of strengths, absent being 0."""
    from xsparks import attributions as of
    from xsparks.evaluation.concept_tables import IMPORTANCES
    from xsparks.perturbations import Inpainting

    absent = Inpainting("zero")
    return {
        **IMPORTANCES,
        "SquareGrad": of.SquareGrad,
        "VarGrad": of.VarGrad,
        "RISE": lambda head: of.RISE(head, samples=256, baseline="zero"),
        "LIME": lambda head: of.LIME(head, samples=256, perturbation=absent),
        "KernelSHAP": lambda head: of.KernelSHAP(head, samples=256, perturbation=absent),
        "HSIC": lambda head: of.HSICAttribution(head, samples=256, perturbation=absent),
    }


def settings_of(class_id: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the numbers of a class depend on."""
    names = ("network", "layer", "concepts", "patch", "images", "explained")
    return {"class": class_id, **{name: getattr(arguments, name) for name in names}}


def row_of(class_id: int, arguments: argparse.Namespace) -> Path:
    """The file of the row of a class."""
    layer = "" if arguments.layer == LAYERS[arguments.network] else f"_{arguments.layer}"
    return arguments.out / f"{arguments.network}{layer}_{class_id}.json"


def kept(path: Path, settings: dict[str, Any]) -> bool:
    """Whether this row is there."""
    return path.exists() and json.loads(path.read_text())["settings"] == settings


def fitted(class_id: int, model: Any, arguments: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The concepts of a class and what is known of them, from their files where there are some."""
    from xsparks.concepts import CRAFT

    options: dict[str, Any] = {"preprocess": preprocess_of(arguments.network), "batch_size": arguments.batch}
    options |= {"class_names": class_names(), "progress": False}
    path = arguments.out / "fitted" / row_of(class_id, arguments).stem
    facts, settings = path.with_suffix(".facts.json"), settings_of(class_id, arguments)
    if facts.exists() and (known := json.loads(facts.read_text()))["settings"] == settings:
        return CRAFT.load(path, model, **options), known["facts"]
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"number_of_concepts": arguments.concepts, "patch_size": arguments.patch}
    craft = CRAFT(model, layer=arguments.layer, **sizes, **options)
    shown = imagenette(class_id, "train", arguments.images)
    start = time.perf_counter()
    learned = craft.fit(shown, class_id).learned_
    took = time.perf_counter() - start
    craft.save(path)
    new = imagenette(class_id, "val", 50)
    right = np.flatnonzero(predicted(arguments.network, model, new) == class_id)
    right = right[: arguments.explained]
    found = craft.explain(new[right])
    draw(craft, class_id, shown, new[right], found, arguments)
    known = {
        "crops": len(learned.image),
        "images": len(np.unique(learned.image)),
        "explained": right.tolist(),
        "affine": bool(learned.affine),
        "relative_error": learned.dictionary.relative_error,
        "stability": learned.dictionary.stability,
        "importances": found.global_importances.astype(float).round(4).tolist(),
        "logit": float(found.scores.mean()),
        "seconds of fit": round(took, 1),
    }
    facts.write_text(json.dumps({"settings": settings, "facts": known}))
    return craft, known


def predicted(name: str, model: Any, images: np.ndarray) -> np.ndarray:
    """The class that the network names for each image."""
    pixels = images.astype(np.float32)
    pixels = pixels / 127.5 - 1 if preprocess_of(name) == "tf" else pixels
    return model.predict(pixels, batch_size=32, verbose=0).argmax(axis=1)


class Fixed:
    """One order of concepts for all images, in the place of a method."""

    def __init__(self, order: np.ndarray):
        self.order = order

    def replace(self, **options: Any) -> Fixed:
        """Nothing can be changed."""
        return self

    def explain(self, inputs: Any, targets: Any) -> Any:
        """The same importances for every image."""
        return SimpleNamespace(values=np.broadcast_to(self.order, (len(targets), len(self.order))))


def compared(craft: Any, images: np.ndarray, found: Any) -> dict[str, dict[str, list[float]]]:
    """The scores of each method by each metric, one for each image."""
    from xsparks.evaluation import compare_importances

    # As published: by the mean index of all images, and by the share of images whose class a concept speaks for.
    orders = {"CRAFT, mean over images": found.global_importances}
    if "contributions" in found.extras:
        orders["TCAV"] = (found.contributions > 0).mean(axis=0)
    fixed = {name: partial(lambda order, head: Fixed(order), order) for name, order in orders.items()}
    result = compare_importances(craft, images, explainers={**explainers(), **fixed})
    return {
        name: {metric: score.per_sample.astype(float).round(4).tolist() for metric, score in own.items()}
        for name, own in result.scores.items()
    }


def draw(
    craft: Any, class_id: int, shown: np.ndarray, new: np.ndarray, found: Any, arguments: argparse.Namespace
) -> None:
    """The best crops of the most important concepts, and their maps on photographs that were not shown before."""
    from xsparks.plots import plot_concept_crops

    folder = arguments.out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{row_of(class_id, arguments).stem}_{CLASSES[class_id].replace(' ', '_')}"
    save = partial(dict, dpi=100, metadata={"Software": None})
    ranking = found.ranking[:DRAWN]
    best = craft.crops(shown, SHOWN_CROPS, ranking.tolist())
    rows = {f"concept {number}: {found.global_importances[number]:.0%}": best[number] for number in best}
    plot_concept_crops(rows, columns=SHOWN_CROPS).figure.savefig(folder / f"{name}_crops.png", **save())
    maps = found[:SHOWN_MAPS].plot(new[:SHOWN_MAPS], concepts=ranking[:5].tolist(), columns=3, scale="each")
    maps.figure.savefig(folder / f"{name}_maps.png", **save())


def run(arguments: argparse.Namespace) -> None:
    """Measures the classes that have no row yet."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    wanted = arguments.classes or list(CLASSES)
    todo = [one for one in wanted if not kept(row_of(one, arguments), settings_of(one, arguments))]
    model = network(arguments.network)
    print(f"{len(todo)} of {len(wanted)} classes to do", flush=True)
    # What is to be looked at comes first.
    for class_id in todo:
        _, facts = fitted(class_id, model, arguments)
        print(f"{CLASSES[class_id]}: fitted in {facts['seconds of fit']} s, drawn", flush=True)
    for class_id in () if arguments.draw else todo:
        start = time.perf_counter()
        craft, facts = fitted(class_id, model, arguments)
        images = imagenette(class_id, "val", 50)[facts["explained"]]
        scores = compared(craft, images, craft.explain(images))
        row = {"settings": settings_of(class_id, arguments), **facts, "scores": scores, "environment": environment()}
        half = row_of(class_id, arguments).with_suffix(".half")
        half.write_text(json.dumps(row))
        half.replace(row_of(class_id, arguments))
        print(f"{CLASSES[class_id]}: {len(images)} photographs in {time.perf_counter() - start:.0f} s", flush=True)


def report(arguments: argparse.Namespace) -> None:
    """A table of the classes, and one of the methods over all classes."""
    rows = [json.loads(row_of(one, arguments).read_text()) for one in CLASSES if row_of(one, arguments).exists()]
    if not rows:
        raise SystemExit(f"no row in {arguments.out}: `run` comes first")
    print(json.dumps({"settings": rows[0]["settings"], **rows[0]["environment"]}), "\n")
    header = ["class", "crops", "relative error", "stability", "logit", "largest importances", "best by C-Insertion"]
    lines = []
    for row in rows:
        largest = ", ".join(f"{share:.0%}" for share in sorted(row["importances"], reverse=True)[:3])
        means = {name: np.mean(own["C-Insertion"]) for name, own in row["scores"].items()}
        best = [name for name in means if means[name] >= max(means.values()) - 1e-3]
        cells = [f"{row['relative_error']:.3f}", f"{row['stability']:.2f}", f"{row['logit']:.2f}", largest]
        lines.append([CLASSES[row["settings"]["class"]], row["crops"], *cells, ", ".join(best)])
    print(table(header, lines), "\n")
    # All photographs of all classes weigh the same; differences to the first are paired.
    names = list(rows[0]["scores"])
    values = {
        name: {
            metric: np.concatenate([row["scores"][name][metric] for row in rows])
            for metric in METRICS
            if metric in rows[0]["scores"][name]
        }
        for name in names
    }
    names.sort(key=lambda name: -values[name]["C-Insertion"].mean())
    first = values[names[0]]
    lines = []
    for name in names:
        cells = []
        for metric in METRICS:
            if metric not in values[name]:
                cells.append("")
                continue
            mean, low, high = mean_interval(values[name][metric])
            cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
            if metric != METRICS[2]:
                mean, low, high = mean_interval(values[name][metric] - first[metric])
                cells.append("" if name == names[0] else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append([name, *cells])
    header = ["importance", "C-Deletion ↓", "to the first", "C-Insertion ↑", "to the first", "C-µFidelity ↑"]
    print(f"{len(first['C-Insertion'])} photographs of {len(rows)} classes")
    print(table(header, lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/concepts"))
    parser.add_argument("--network", choices=tuple(LAYERS), default="resnet50")
    parser.add_argument("--layer", help="where the network is cut; its last answer laid out in space without it")
    parser.add_argument("--classes", nargs="*", type=int, choices=tuple(CLASSES), default=[])
    parser.add_argument("--images", type=int, default=100, help="training photographs of a class, at most 200")
    parser.add_argument("--explained", type=int, default=50, help="validation photographs of a class, at most 50")
    parser.add_argument("--concepts", type=int, default=10)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--draw", action="store_true", help="find and draw the concepts, and measure no importances")
    chosen = parser.parse_args()
    chosen.layer = chosen.layer or LAYERS[chosen.network]
    if chosen.what == "run":
        run(chosen)
    else:
        report(chosen)
