"""Pictures of what real networks look for, on three canvases, and how good they are.

    python benchmarks/visualisation.py draw canvases --out DIR [--networks mobilenet_v2] [--labels MACO] [--minutes 9]
    python benchmarks/visualisation.py draw variants | sweep --out DIR --networks mobilenet_v2
    python benchmarks/visualisation.py measure --out DIR      # of all that is drawn; needs both networks
    python benchmarks/visualisation.py table                  # of all that was measured, pictures there or not
    python benchmarks/visualisation.py sheet --out DIR --labels MACO Fourier pixels    # DIR/NETWORK.png

Every class leaves a picture (its transparency is the alpha channel), a row of how it was made and a row of measures, so
that a run that was stopped goes on; within a batch of classes it goes on from a state of some seconds ago. `--minutes`
begins no batch that would end later. Measures are kept in --kept, beside those of other pictures. `draw` reads
XSPARKS_DATA/models/NETWORK.keras and nothing else; `measure` reads imagenet_val_500 and imagenet_sample_1000 as well.
Works on whatever device TensorFlow finds.

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
from measuring import ROOT, class_names, environment, mean_interval, network, preprocess_of, table
from visualisation_cases import NETWORKS, RANGE, STUDIES, Case, cases
from visualisation_files import drawn, read, write
from visualisation_judges import PHOTOGRAPHS, measure

STEPS, CROPS = 128, 8
KEPT = ROOT / "benchmarks" / "results" / "visualisation" / "measures.json"
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


def keep(out: Path, kept: Path) -> None:
    """Adds what was measured of the pictures in a folder to what is kept of all, which needs no pictures."""
    record = json.loads(kept.read_text()) if kept.exists() else {}
    for place in sorted(out.glob("*/*/set.json")):
        paths = sorted(place.parent.glob("*.measures"))
        made = [row for path in paths if (row := drawn(path.with_suffix(".png"))) is not None]
        found: dict[str, Any] = {"label": made[0]["label"] if made else place.parent.name}
        if made:
            found["last objective"] = round(float(np.mean([row["values"][-8:] for row in made])), 3)
            found["seconds a picture"] = round(float(np.median([row["seconds"] for row in made])), 1)
        found["set"] = json.loads(place.read_text())
        found["pictures"] = {path.stem: json.loads(path.read_text()) for path in paths}
        record[str(place.parent.relative_to(out))] = found
    kept.parent.mkdir(parents=True, exist_ok=True)
    write(kept, json.dumps(record, sort_keys=True).encode())


def report(kept: Path) -> None:
    """Means over the pictures with 95 % bootstrap intervals, by the network that did not draw them."""
    record = json.loads(kept.read_text())
    for judge in NETWORKS:
        rows, seen = [], {}
        for folder, found in record.items():
            if folder.startswith(judge):
                continue
            values = {name: each[judge] for name, each in found["pictures"].items()}
            seen[found["label"]] = values
            whole = found["set"].get(judge, {})
            cells = [interval([value[view][name] for value in values.values()]) for view, name in COLUMNS]
            cells += [f"{whole['kernel_distance']:.3g}" if "kernel_distance" in whole else ""]
            cells += [interval(whole["diversity"]) if "diversity" in whole else ""]
            rows.append([found["label"], len(values), *cells, found.get("last objective", "")])
        header = ["pictures", "number", *(f"{name}, {view}" for view, name in COLUMNS)]
        print(f"\n## Judged by {judge}\n")
        print(table([*header, "kernel distance", "diversity", "last objective"], rows))
        differences(seen)


COLUMNS = [
    *((view, name) for view in VIEWS for name in ("top1", "probability")),
    *((view, "percentile") for view in VIEWS),
]


def interval(values: list[float]) -> str:
    """A mean and its interval."""
    return "{:.3g} [{:.3g}, {:.3g}]".format(*mean_interval(values))


def differences(seen: dict[str, dict[str, Any]]) -> None:
    """MACO less the other pictures, paired over the classes that both have."""
    rows, first = [], seen.get("MACO", {})
    for other, values in seen.items():
        both = sorted(set(first) & set(values))
        if both and other not in ("MACO", PHOTOGRAPHS):
            cells = [
                "{:+.3g} [{:+.3g}, {:+.3g}]".format(
                    *mean_interval([first[one][view][name] - values[one][view][name] for one in both])
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
    parser.add_argument("--out", type=Path, help="folder of the pictures")
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of the measures")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--labels", nargs="*", default=[], help="of the cases of the study; all without it")
    parser.add_argument("--classes", type=int, help="at most so many of each case")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--crops", type=int, default=CROPS)
    parser.add_argument("--together", type=int, help="classes of a batch; what fits the batch size without it")
    parser.add_argument("--minutes", type=float, help="begin no batch of classes that would end later")
    arguments = parser.parse_args()
    if arguments.what == "table":
        report(arguments.kept)
        return
    if arguments.out is None:
        parser.error("--out is needed: the folder of the pictures")
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.what == "draw":
        draw(arguments)
    elif arguments.what == "measure":
        measure(arguments.out)
        keep(arguments.out, arguments.kept)
    else:
        sheet(arguments.out, arguments.labels)


if __name__ == "__main__":
    main()
