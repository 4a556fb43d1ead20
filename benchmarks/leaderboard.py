"""The leaderboard: every method by every metric on real networks and photographs, in one resumable command.

python benchmarks/leaderboard.py estimate [STUDY ...]              # forwards and hours, before anything is run
python benchmarks/leaderboard.py run [STUDY ...] [--photographs N] [--methods sobol rise] [--batch-size 128]
python benchmarks/leaderboard.py table [STUDY ...]                 # of what is finished, in Markdown

Without names all studies, one after the other. A line of JSON is kept for each method and photograph, so that a run
that was stopped goes on, and one with more photographs (or methods) computes only what is new. Several processes may
share a folder, each with methods of its own and all but one with --no-controls; a run of all then joins what they left.

Explained is the labelled class, on the first photographs that the network classifies rightly; those of ImageNet have at
least one box of the object. Every perturbation method asks the network at most 500 times; the methods of gradients and
activations ask as often as they do by default. Beside them: a random map, an edge detector, a blob at the centre.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import ROOT, data_folder, environment, network, photographs, preprocess_of, table

OUT = ROOT / "benchmarks" / "results" / "leaderboard"
# Neither changes a number: how much the network is asked at once, and how many photographs are explained at once.
BATCH, GROUP = 32, 4
FORWARDS = 500
REFERENCES = 8
# At most 500 forwards of a photograph, the logit of the picture as it is left out.
PERTURBATION: dict[str, dict[str, Any]] = {
    "sobol": {"grid_size": 7, "nb_design": 10},
    "hsic": {"grid_size": 7, "samples": 500},
    "rise": {"samples": 500},
    "lime": {"samples": 500},
    "kernelshap": {"samples": 498},
    "occlusion": {"patch_size": 35, "patch_stride": 9},
    "scorecam": {"channels": 498},
    "sise": {"channels": 100},
}
# Pictures of 32 pixels.
SMALL = {"occlusion": {"patch_size": 5, "patch_stride": 2}}
GRADIENT = (
    *("saliency", "gradientinput", "deconvnet", "guidedbackprop", "integratedgradients", "expectedgradients"),
    *("smoothgrad", "squaregrad", "vargrad", "gradcam", "gradcampp", "layercam", "fem"),
)
FAITHFULNESS: dict[str, dict[str, Any]] = {
    "deletion": {},
    "insertion": {},
    "lerfminusmorf": {},
    "mufidelity": {},
    "averagedrop": {},
    "averageincrease": {},
    "sparseness": {},
    "pointinggame": {},
    "relevancerank": {},
}
SENSITIVITY: dict[str, dict[str, Any]] = {
    "maxsensitivity": {"neighbours": 5},
    "averagestability": {"neighbours": 5},
    "modelrandomization": {"stages": 5},
    "randomlogit": {},
    "robustnesssr": {"levels": (0.1, 0.2, 0.3), "bisections": 8, "attack_steps": 10},
}


class Study(NamedTuple):
    """Which network, how many pictures, which methods, which metrics."""

    network: str
    pictures: int
    methods: tuple[str, ...]
    metrics: dict[str, dict[str, Any]]


STUDIES = {
    "mobilenet_v2": Study("mobilenet_v2", 100, (*PERTURBATION, *GRADIENT), FAITHFULNESS),
    "resnet50": Study("resnet50", 100, GRADIENT, FAITHFULNESS),
    "resnet50_perturbation": Study("resnet50", 25, tuple(PERTURBATION), FAITHFULNESS),
    "sensitivity_mobilenet_v2": Study("mobilenet_v2", 10, (*PERTURBATION, *GRADIENT), SENSITIVITY),
    "sensitivity_cifar10": Study("resnet20_cifar10", 200, (*PERTURBATION, *GRADIENT), SENSITIVITY),
}


class Pictures(NamedTuple):
    """What is explained: names, images, labels, and the boxes of the objects or None."""

    names: list[str]
    images: np.ndarray
    labels: np.ndarray
    boxes: list[np.ndarray] | None
    references: np.ndarray


def cifar10() -> tuple[np.ndarray, np.ndarray]:
    """All test pictures `(10000, 32, 32, 3)` uint8, and their labels."""
    import cv2

    with np.load(data_folder() / "cifar10" / "cifar10_test_10000.npz") as stored:
        jpeg, offsets, labels = stored["jpeg"], stored["offsets"], stored["labels"]
    pictures = [cv2.imdecode(jpeg[a:b], cv2.IMREAD_COLOR)[..., ::-1] for a, b in itertools.pairwise(offsets)]
    return np.stack(pictures), labels.astype(np.int64)


def in_sight(boxes: np.ndarray, size: int = 224) -> bool:
    """Whether a box covers a pixel of the picture."""
    return any(min(x1, size) - max(x0, 0) >= 1 and min(y1, size) - max(y0, 0) >= 1 for x0, y0, x1, y1 in boxes)


def pictures_of(name: str, model: Any, count: int) -> Pictures:
    """The first pictures that the network classifies rightly."""
    from xsparks.attributions import Saliency

    if name == "resnet20_cifar10":
        images, labels = cifar10()
        names = [f"cifar10_test_{number}" for number in range(len(images))]
        boxes, references = None, images[-REFERENCES:]
        images, labels, names = images[: 2 * count + 50], labels[: 2 * count + 50], names[: 2 * count + 50]
    else:
        # The last ones are kept as references of ExpectedGradients.
        found = [one for one in photographs(500 - REFERENCES) if in_sight(one[3])]
        names, boxes = [one[0] for one in found], [one[3] for one in found]
        images, labels = np.stack([one[1] for one in found]), np.array([one[2] for one in found])
        references = np.stack([one[1] for one in photographs(REFERENCES, start=500 - REFERENCES)])
    asked = Saliency(model, preprocess=preprocess_of(name), progress=False).engine
    chosen, start = [], 0
    while len(chosen) < count and start < len(images):
        rows = np.arange(start, min(start + BATCH, len(images)))
        answers = np.asarray(asked.predict(images[rows].astype(np.float32)))
        chosen += rows[answers.argmax(axis=1) == labels[rows]].tolist()
        start += BATCH
    chosen = chosen[:count]
    return Pictures(
        [names[row] for row in chosen],
        images[chosen],
        labels[chosen],
        None if boxes is None else [boxes[row] for row in chosen],
        references.astype(np.float32),
    )


def benchmark_of(
    study: Study,
    model: Any,
    pictures: Pictures,
    wanted: list[str],
    batch_size: int = BATCH,
    group: int = GROUP,
    controls: bool = True,
) -> Any:
    """The methods and metrics of a study, on its network."""
    from xsparks.attributions.catalogue import methods
    from xsparks.evaluation import Benchmark
    from xsparks.metrics.catalogue import make_metric, metrics

    known, measures = methods(), metrics()
    shared = {"preprocess": preprocess_of(study.network), "batch_size": batch_size, "progress": False}
    small = SMALL if study.network == "resnet20_cifar10" else {}
    explainers = []
    for name in study.methods:
        if name not in known:
            print(f"left out, as there is no such method: {name}")
        elif not wanted or name in wanted:
            options = small.get(name, PERTURBATION.get(name, {}))
            options = {"references": pictures.references} if name == "expectedgradients" else options
            explainers.append(known[name](model, **shared, **options))
    asked = []
    for name, own in study.metrics.items():
        if name not in measures:
            print(f"left out, as there is no such metric: {name}")
        elif name not in ("pointinggame", "relevancerank") or pictures.boxes is not None:
            options = {**shared, **own, "regions": pictures.boxes}
            asked.append(make_metric(measures[name], model, pictures.images, pictures.labels, options, "leaderboard"))
    about = {"network": study.network, "pictures": "classified rightly"}
    return Benchmark(explainers, asked, controls=controls, group=group, about=about)


def seconds_a_forward(bench: Any, pictures: Pictures) -> tuple[float, float]:
    """Seconds of a forward pass, and of a forward and a backward pass, in a full batch."""
    from xsparks.attributions import Saliency

    first = next(iter(bench.methods.values()))
    options = {"preprocess": first.preprocess, "batch_size": BATCH, "progress": False}
    gradient = Saliency(first.model, **options)
    images = np.resize(pictures.images, (BATCH, *pictures.images.shape[1:])).astype(np.float32)
    timed = []
    for call in (lambda: gradient.engine.predict(images), lambda: gradient.explain(images, 0)):
        call()
        start = time.perf_counter()
        call()
        timed.append((time.perf_counter() - start) / BATCH)
    return timed[0], max(timed[0], timed[1] - timed[0])


def estimate(name: str, count: int | None, wanted: list[str]) -> None:
    """Forwards and hours of a study."""
    from xsparks.engine import ExplainerMetric, MapMetric

    study = STUDIES[name]
    model = network(study.network)
    pictures = pictures_of(study.network, model, 1)
    bench = benchmark_of(study, model, pictures, wanted)
    sample = pictures.images.astype(np.float32)
    forward, both = seconds_a_forward(bench, pictures)
    rows, total = [], 0.0
    # Of maps alone, and explanations of each map; attacks go back, too.
    measured, explained = 0.0, 1
    for metric in bench.measures.values():
        if isinstance(metric, MapMetric):
            metric.access.ensure_ready(sample)
            passes = metric.forwards(sample) * (both if getattr(metric, "needs_gradients", False) else forward)
            measured += passes if any(each.of_maps for each in metric.measurements_for(sample)) else 0
        elif isinstance(metric, ExplainerMetric):
            explained += getattr(metric, "neighbours", None) or getattr(metric, "stages", None) or 1
    for label, method in bench.methods.items():
        forwards, backwards = method.cost(sample.shape[1:], method.engine.output_spec(sample))
        seconds = explained * ((forwards - backwards) * forward + backwards * both) + measured
        total += seconds
        rows.append([label, forwards, backwards, f"{seconds:.1f}"])
    total += 3 * measured
    number = count or study.pictures
    print(f"\n{name}: {1000 * forward:.1f} ms a forward pass, {1000 * both:.1f} ms with a backward pass")
    print(f"each map is made {explained} times, and measured in {measured:.1f} s")
    print(table(["method", "forwards", "backwards", "seconds a picture"], rows))
    print(f"{number} pictures: {number * total / 3600:.2f} hours, at most", flush=True)


def run(name: str, count: int | None, wanted: list[str], out: Path, **how: Any) -> None:
    """Runs a study, or goes on with it."""
    study = STUDIES[name]
    model = network(study.network)
    pictures = pictures_of(study.network, model, count or study.pictures)
    start = time.perf_counter()
    bench = benchmark_of(study, model, pictures, wanted, **how)
    result = bench.run(pictures.images, pictures.labels, out=out / name, names=pictures.names)
    print(f"{name}: {result!r} in {time.perf_counter() - start:.0f} s, on {environment()}", flush=True)


def report(name: str, out: Path) -> None:
    """The table of a study that was run."""
    from xsparks.evaluation import BenchmarkResult

    if not (out / name / "results.json").exists():
        print(f"\n{name}: not finished")
        return
    result = BenchmarkResult.load(out / name)
    print(f"\n## {name}, {len(result.samples)} pictures\n\n{result.table()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("estimate", "run", "table"))
    parser.add_argument("studies", nargs="*", help=f"of {', '.join(STUDIES)}; all without it")
    parser.add_argument("--photographs", type=int, help="pictures, in place of those of the study")
    parser.add_argument("--methods", nargs="*", default=[], help="names of the catalogue; all of the study without it")
    parser.add_argument("--batch-size", type=int, default=BATCH, help="samples the network is asked at once")
    parser.add_argument("--group", type=int, default=GROUP, help="photographs explained at once")
    parser.add_argument("--no-controls", dest="controls", action="store_false", help="left to another process")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.studies} - {*STUDIES}):
        parser.error(f"no such study: {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    for study_name in arguments.studies or STUDIES:
        if arguments.what == "estimate":
            estimate(study_name, arguments.photographs, arguments.methods)
        elif arguments.what == "run":
            how = {key: getattr(arguments, key) for key in ("batch_size", "group", "controls")}
            run(study_name, arguments.photographs, arguments.methods, arguments.out, **how)
        else:
            report(study_name, arguments.out)
