"""Pictures of what real networks look for, on three canvases, and how good they are.

    python benchmarks/visualisation.py draw canvases --out DIR [--networks mobilenet_v2] [--labels MACO] [--minutes 9]
    python benchmarks/visualisation.py draw variants | sweep --out DIR --networks mobilenet_v2
    python benchmarks/visualisation.py measure --out DIR      # of all that is drawn; needs both networks
    python benchmarks/visualisation.py table --out DIR
    python benchmarks/visualisation.py sheet --out DIR --labels MACO Fourier pixels    # DIR/NETWORK.png

Every class leaves a picture (its transparency is the alpha channel), a row of how it was made and a row of measures, so
that a run that was stopped goes on; within a batch of classes it goes on from a state of some seconds ago. `--minutes`
begins no batch that would end later. `draw` reads XSPARKS_DATA/models/NETWORK.keras and nothing else; `measure` reads
imagenet_val_500 and imagenet_sample_1000 as well. Works on whatever device TensorFlow finds.

Each picture is judged by both networks, in three views: whole; in crops half as wide; and whole with each pixel as
opaque as it is transparent, over mid-grey. The network that did not draw it is the fair judge. One photograph of each
class, of imagenet_sample_1000, is judged in the same views (without transparency).
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import class_names, environment, mean_interval, network, preprocess_of, table
from visualisation_cases import NETWORKS, RANGE, STUDIES, Case, cases
from visualisation_files import drawn, read, write
from visualisation_judges import measure

STEPS, CROPS = 128, 8
VIEWS = ("whole", "crops", "weighted")


def method(case: Case, steps: int, crops: int) -> Any:
    """What draws the pictures of a case."""
    import keras

    from xsparks.features import FeatureVisualisation, FourierCanvas, MACOCanvas, PixelCanvas

    canvas = {"MACO": MACOCanvas, "Fourier": FourierCanvas, "pixels": PixelCanvas}[case.canvas](**case.canvas_options)
    options = {"steps": steps, "crops": crops, "values_range": RANGE, "variants": case.variants, **case.options}
    return FeatureVisualisation(
        _network(case.network),
        canvas=canvas,
        preprocess=preprocess_of(case.network),
        optimizer=None if case.rate is None else keras.optimizers.Nadam(case.rate),
        progress=False,
        **options,
    )


@cache
def _network(name: str) -> Any:
    return network(name)


def made_with(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """What a picture depends on, beside its class."""
    options = {"steps": arguments.steps, "crops": arguments.crops, **case.options}
    record = {"canvas": case.canvas, "options": options, "canvas_options": case.canvas_options, "rate": case.rate}
    return json.loads(json.dumps(record))


def files_of(case: Case, out: Path, class_id: int) -> list[Path]:
    """The pictures of a class."""
    return [out / case.folder / f"{class_id:03d}.{variant}.png" for variant in range(case.variants)]


def draw(arguments: argparse.Namespace) -> None:
    """Draws what is not drawn yet."""
    start, longest, left = time.perf_counter(), 0.0, 0
    for case in cases(arguments.study, arguments.networks, arguments.labels, arguments.classes):
        asked = made_with(case, arguments)
        rows = {number: [drawn(path) for path in files_of(case, arguments.out, number)] for number in case.classes}
        if any(row is not None and row["made"] != asked for found in rows.values() for row in found):
            raise SystemExit(f"{arguments.out / case.folder} has pictures of other options: use another folder")
        todo = [number for number, found in rows.items() if None in found]
        maker = method(case, arguments.steps, arguments.crops) if todo else None
        together = maker.engine.batch_size // (maker.crops * case.variants) if maker else 1
        together = max(1, arguments.together or together)
        for first in range(0, len(todo), together):
            chunk = todo[first : first + together]
            spent = time.perf_counter() - start
            if arguments.minutes and spent + longest > 60 * arguments.minutes:
                left += len(todo) - first
                break
            draw_chunk(case, maker, chunk, asked, arguments.out)
            longest = max(longest, time.perf_counter() - start - spent)
            print(f"{case.network}, {case.label}: {chunk}, {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{left} classes are left for another call" if left else "everything is drawn", json.dumps(environment()))


def draw_chunk(case: Case, maker: Any, chunk: list[int], asked: dict[str, Any], out: Path) -> None:
    """The pictures of some classes, which are optimised together."""
    from xsparks.plots import with_transparency

    state = out / "state" / f"{case.folder.replace('/', '_')}_{'_'.join(map(str, chunk))}"
    start = time.perf_counter()
    seen = maker.explain(targets=chunk, out=state)
    seconds = (time.perf_counter() - start) / len(seen)
    (out / case.folder).mkdir(parents=True, exist_ok=True)
    shown = with_transparency(seen.images, seen.transparency, value_range=RANGE, image_percentile=0)
    for row, path in enumerate(path for number in chunk for path in files_of(case, out, number)):
        pixels = np.round(255 * shown[row]).astype(np.uint8)
        write(path, cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))[1].tobytes())
        values = [round(float(value), 3) for value in seen.values[row]]
        record = {
            "network": case.network,
            "label": case.label,
            "class": chunk[row // case.variants],
            "made": asked,
            # That of the first batch of a case holds the compilation.
            "seconds": round(seconds, 3),
            "together": len(seen),
            "values": values,
        }
        write(path.with_suffix(".json"), json.dumps(record).encode())
    shutil.rmtree(state)


def report(out: Path) -> None:
    """Means over the pictures with 95 % bootstrap intervals, by the network that did not draw them."""
    for judge in NETWORKS:
        rows, seen = [], {}
        for folder in sorted({path.parent for path in out.glob("*/*/*.measures")}):
            if folder.parent.name == judge:
                continue
            paths = sorted(folder.glob("*.measures"))
            made = [drawn(path.with_suffix(".png")) for path in paths]
            values = {path.name: json.loads(path.read_text())[judge] for path in paths}
            label = folder.name if made[0] is None else made[0]["label"]
            seen[label] = values
            whole = json.loads((folder / "set.json").read_text())[judge]
            cells = [interval([value[view][name] for value in values.values()]) for view, name in COLUMNS]
            last = "" if made[0] is None else f"{np.mean([row['values'][-8:] for row in made]):.1f}"
            seconds = "" if made[0] is None else f"{np.median([row['seconds'] for row in made]):.2f}"
            diverse = f"{np.mean(whole['diversity']):.3f}" if "diversity" in whole else ""
            rows.append(
                [label, len(paths), *cells, f"{whole.get('kernel_distance', np.nan):.3f}", diverse, last, seconds]
            )
        if rows:
            header = ["pictures", "number", *(f"{name}, {view}" for view, name in COLUMNS)]
            print(f"\n## Judged by {judge}\n")
            print(table([*header, "kernel distance", "diversity", "last objective", "seconds a picture"], rows))
            differences(seen)


COLUMNS = [
    *((view, name) for view in VIEWS for name in ("top1", "probability")),
    *((view, "percentile") for view in VIEWS),
]


def interval(values: list[float]) -> str:
    """A mean and its interval."""
    return "{:.3g} [{:.3g}, {:.3g}]".format(*mean_interval(values))


def differences(seen: dict[str, dict[str, Any]]) -> None:
    """MACO less the other canvases, paired over the classes that both have."""
    rows = []
    for other in ("Fourier", "pixels"):
        both = sorted(set(seen.get("MACO", ())) & set(seen.get(other, ())))
        if both:
            cells = [
                "{:+.3g} [{:+.3g}, {:+.3g}]".format(
                    *mean_interval([seen["MACO"][one][view][name] - seen[other][one][view][name] for one in both])
                )
                for view, name in COLUMNS
            ]
            rows.append([f"MACO - {other}", len(both), *cells])
    if rows:
        print()
        print(table(["difference", "classes", *(f"{name}, {view}" for view, name in COLUMNS)], rows))


def sheet(out: Path, labels: list[str]) -> None:
    """A page for each network: a row a class, a column a case, contrast stretched and faded as plots show them.

    Of a single case the classes stand side by side.
    """
    from xsparks.plots import plot_transparent

    called = class_names()
    for name in NETWORKS:
        made = [(path, row) for path in sorted(out.glob(f"{name}/*/*.0.png")) if (row := drawn(path)) is not None]
        columns = labels or sorted({row["label"] for _, row in made})
        files = {(row["class"], row["label"]): path for path, row in made if row["label"] in columns}
        chosen = [(number, label) for number in sorted({key[0] for key in files}) for label in columns]
        chosen = [key for key in chosen if all((key[0], label) in files for label in columns)]
        if chosen:
            pictures, opacity = read([files[key] for key in chosen])
            several = len(columns) > 1
            titles = [f"{called[number]}: {label}" if several else called[number] for number, label in chosen]
            wide = len(columns) if several else 4
            page = plot_transparent(pictures, opacity, titles=titles, value_range=RANGE, columns=wide)
            page.figure.savefig(out / f"{name}.png", dpi=75 if several else 120)


def main() -> None:
    """Reads what to do from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("draw", "measure", "table", "sheet"))
    parser.add_argument("study", nargs="?", choices=STUDIES, default="canvases")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--labels", nargs="*", default=[], help="of the cases of the study; all without it")
    parser.add_argument("--classes", type=int, help="at most so many of each case")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--crops", type=int, default=CROPS)
    parser.add_argument("--together", type=int, help="classes of a batch; what fits the batch size without it")
    parser.add_argument("--minutes", type=float, help="begin no batch of classes that would end later")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "draw":
        draw(arguments)
    elif arguments.what == "measure":
        measure(arguments.out)
    elif arguments.what == "table":
        report(arguments.out)
    else:
        sheet(arguments.out, arguments.labels)


if __name__ == "__main__":
    main()
