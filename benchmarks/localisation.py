"""Where the truth is known to the pixel: how much of every method's map lies on the object?

python benchmarks/localisation.py run --out DIR [--images 200] [--methods rise lime] [--most 256]
python benchmarks/localisation.py table --out DIR      # of what `run` has finished

On the pictures of `xsparks.datasets.shapes` and the network that ships with them, the logit of the true class:

- pointing: whether the maximum of the map lies on the object;
- mass: the share of the positive part of the map that lies on the object (relevance mass accuracy);
- rank: the share of the k highest pixels that lie on the object, which has k (relevance rank accuracy);

the last two after Arras, Osman, Samek, "CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural
network explanations", 2022, https://arxiv.org/abs/2003.07258. Of equal values, as many count as by chance. Beside the
methods: the distance from the centre, chance (the share of the picture that is object, exactly) and blurred edges. A
method is a file in DIR, so a run that was stopped goes on; `--most` limits the samples of each for a quick look.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from measuring import environment, table

SEED = 11
MEASURES = ("pointing", "mass", "rank")
BASELINES = ("centre", "chance", "edges")
# What differs from the defaults of a method; all maps of the shapes' network cost less than a second a picture.
OPTIONS: dict[str, dict[str, Any]] = {
    "expectedgradients": {"samples": 64},
    "rise": {"samples": 1000},
    "lime": {"samples": 512},
    "kernelshap": {"samples": 512},
    "hsic": {"samples": 512},
}
# The options that say how often a method asks the network, and the fewest samples that some need.
SAMPLES = ("samples", "steps", "channels")
LEAST = {"kernelshap": 128}
# What a method decides by itself, worth telling.
DECIDED = ("layer", "layers", "cutoff")


def measures_of(maps: np.ndarray, masks: np.ndarray) -> list[list[float]]:
    """Pointing, mass and rank of each map `(n, h, w)`."""
    from xsparks.metrics import PointingGame, RelevanceMass, RelevanceRank

    scores = [metric(masks).evaluate(maps).per_sample for metric in (PointingGame, RelevanceMass, RelevanceRank)]
    return np.stack(scores, axis=1).tolist()


def baseline(name: str, data: Any) -> list[list[float]]:
    """The measures of what knows nothing of the network."""
    height, width = data.images.shape[1:3]
    if name == "chance":
        return [[float(mask.mean())] * len(MEASURES) for mask in data.masks]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    maps = [distance.max() - distance] * len(data) if name == "centre" else [edges(image) for image in data.images]
    return measures_of(np.stack(maps), data.masks)


def edges(image: np.ndarray) -> np.ndarray:
    """The strength of edges, blurred to a sixteenth of the picture."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return cv2.GaussianBlur(strength, (0, 0), image.shape[0] / 16)


def options_of(name: str, method: Any, most: int | None, hidden: str | None) -> dict[str, Any]:
    """The options of a method, its samples at most `most`, and what stands for hidden pixels."""
    options = dict(OPTIONS.get(name, {}))
    fields = {field.name for field in dataclasses.fields(method)}
    if hidden is not None:
        options |= {field: hidden for field in ("baseline", "perturbation") if field in fields}
    if most is None:
        return options
    for field in dataclasses.fields(method):
        if field.name in SAMPLES:
            usual = options.get(field.name) or field.default
            options[field.name] = max(LEAST.get(name, 2), min(usual or most, most))
    if name == "sobol":
        options["nb_design"] = max(2, min(8, most // 65))
    return options


def explainer_of(name: str, method: Any, model: Any, options: dict[str, Any]) -> Any:
    """The method, and what it needs beside its options, from pictures that are not measured."""
    from xsparks.attributions import Saliency
    from xsparks.datasets import shapes
    from xsparks.metrics import Insertion

    if name == "forgrad":
        other = shapes.load(32, seed=SEED + 1)
        return method(Saliency(model, progress=False), score=Insertion(model, other.images, other.labels), **options)
    if name == "expectedgradients":
        options = {**options, "references": shapes.load(64, seed=SEED + 1).images.astype(np.float32)}
    return method(model, progress=False, **options)


def kept(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What a method left, if it ran with these settings."""
    record = json.loads(path.read_text()) if path.exists() else {}
    return record if record.get("settings") == settings else None


def run(out: Path, count: int, wanted: list[str], most: int | None, hidden: str | None) -> None:
    """Measures every method that is not measured yet."""
    from xsparks.attributions import FORGrad
    from xsparks.attributions.catalogue import methods
    from xsparks.datasets import shapes

    out.mkdir(parents=True, exist_ok=True)
    data, model = shapes.load(count, seed=SEED), shapes.load_model()
    for name in BASELINES:
        (out / f"{name}.baseline.json").write_text(
            json.dumps({"settings": {"images": count}, "values": baseline(name, data)})
        )
    known = {**methods(), "forgrad": FORGrad}
    unknown = sorted({*wanted} - {*known})
    if unknown:
        raise SystemExit(f"no such method: {', '.join(unknown)}; there are {', '.join(known)}")
    failed = []
    for name, method in known.items():
        options = options_of(name, method, most, hidden)
        settings, path = {"images": count, "options": options}, out / f"{name}.json"
        if (wanted and name not in wanted) or kept(path, settings):
            continue
        start = time.perf_counter()
        try:
            explainer = explainer_of(name, method, model, options)
            maps = explainer.explain(data.images, data.labels)
        except (ValueError, TypeError, RuntimeError, tf.errors.OpError) as error:
            # The other methods are worth having.
            failed.append(name)
            print(f"{name}: FAILED, {error}", flush=True)
            continue
        seconds = time.perf_counter() - start
        forwards, backwards = (explainer if name != "forgrad" else explainer.explainer).cost(data.images.shape[1:])
        record = {
            "settings": settings,
            "values": measures_of(maps.maps[..., 0], data.masks),
            "method": "FORGrad of Saliency" if name == "forgrad" else method.__name__,
            "passes": [forwards, backwards],
            "seconds": seconds / count,
            "decided": {name: maps.settings[name] for name in DECIDED if name in maps.settings},
            "environment": environment(),
        }
        path.write_text(json.dumps(record))
        print(f"{name}: {seconds:.1f} s", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def report(out: Path) -> None:
    """Methods from the best to the worst by rank, with 95 % bootstrap intervals over pictures."""
    from xsparks.engine.score import bootstrap_interval

    found = {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    counts = {record["settings"]["images"] for record in found.values()}
    if len(counts) != 1:
        raise SystemExit(f"the files in {out} are of different numbers of pictures: {sorted(counts)}")
    rows = []
    for name, record in sorted(found.items(), key=lambda item: -np.mean(np.array(item[1]["values"])[:, 2])):
        columns = np.array(record["values"]).T
        cells = []
        for values in columns:
            low, high = bootstrap_interval(values, seed=0)
            cells.append(f"{values.mean():.3f} [{low:.3f}, {high:.3f}]")
        forwards, backwards = record.get("passes", (0, 0))
        passes = f"{forwards:,}" + (f" and {backwards:,} back" if backwards else "") if forwards else ""
        told = {**record["settings"].get("options", {}), **record.get("decided", {})}
        told = {key: round(value, 3) if isinstance(value, float) else value for key, value in told.items()}
        options = ", ".join(f"{key} {value}" for key, value in told.items() if value is not None)
        rows.append([record.get("method", f"*{name}*"), options, passes, *cells])
    machines = {json.dumps(record["environment"]) for record in found.values() if "environment" in record}
    print(*sorted(machines), f"{counts.pop()} pictures of shapes, seed {SEED}", sep="\n")
    print(table(["method", "settings", "forwards, at most", *MEASURES], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/localisation"))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--methods", nargs="*", default=[], help="names of the catalogue; all without it")
    parser.add_argument("--hidden", choices=("mean", "blur"), help="what stands for hidden pixels, not the default")
    parser.add_argument("--most", type=int, default=None, help="samples of each method, at most")
    arguments = parser.parse_args()
    if arguments.what == "run":
        run(arguments.out, arguments.images, arguments.methods, arguments.most, arguments.hidden)
    else:
        report(arguments.out)
