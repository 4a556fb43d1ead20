"""Metrics measured: time and memory over the pure passes that they need, and their values, beside Xplique.

python benchmarks/metrics.py run --out DIR --peer PYTHON [--metrics deletion mufidelity] [--repeats 5]
python benchmarks/metrics.py table --out DIR      # of what `run` has finished

PYTHON is that of an environment which has xplique 2.0.2 (else XSPARKS_PEER); without one only xsparks is measured. Each
measurement is a process of its own and leaves a file in DIR, so that a run that was stopped goes on. Both libraries
get MobileNetV2, the same photographs in [-1, 1], the same maps (random orders of all pixels, without ties), baseline 0,
the probability, and batches of at most 16. Ratios are of wall seconds, and of the seconds of all cores together,
which other work on the machine hardly changes.

Values are compared where the definition is the same. Deletion and Insertion: 16 steps, as 224 x 224 is a multiple of
16 and the libraries round the pixels of a step differently. MuFidelity: both are given the same subsets, as one draws
cells by a coin and the other an exact number. The stability of Xplique has noise on one side, and maps that are not
normalised: no value is compared.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import in_process, table

COST = str(Path(__file__).with_name("metrics_cost.py"))
LIBRARIES = ("xsparks", "xplique")


class Case(NamedTuple):
    """A row of the table."""

    metric: str
    images: int
    options: dict[str, Any]
    kind: str = "forward"


CASES = (
    Case("Deletion", 16, {"steps": 16}),
    Case("Insertion", 16, {"steps": 16}),
    Case("MuFidelity", 2, {"grid_size": 9, "samples": 200}),
    Case("AverageStability", 4, {"neighbours": 20}, "gradient"),
)
MEASUREMENTS = ("time", "values", "memory", "pure")


def path_of(folder: Path, case: Case, library: str, what: str) -> Path:
    """The file of a measurement."""
    return folder / f"{case.metric.lower()}.{library}.{what}.json"


def kept(path: Path, settings: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What a measurement with these settings left, if it is finished and did not fail."""
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    return record if "error" not in record and settings in (None, record["settings"]) else None


def run(arguments: argparse.Namespace) -> None:
    """Measures what is not measured yet."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    libraries = LIBRARIES if arguments.peer else LIBRARIES[:1]
    for case in CASES:
        if arguments.metrics and case.metric.lower() not in arguments.metrics:
            continue
        for what in MEASUREMENTS:
            if what == "values" and case.kind != "forward":
                continue
            for library in libraries:
                _measure(case, library, what, arguments)


def _measure(case: Case, library: str, what: str, arguments: argparse.Namespace) -> None:
    settings = {**case._asdict(), "library": library, "batch": 16, "repeats": arguments.repeats}
    path = path_of(arguments.out, case, library, what)
    if kept(path, settings) is not None:
        return
    python = {"python": arguments.peer} if library == "xplique" else {}
    try:
        record = {"settings": settings, **in_process(COST, what, json.dumps(settings), **python)}
    except SystemExit as failed:
        record = {"settings": settings, "error": str(failed)[-2000:]}
    # Renamed when it is whole, so that a run that is stopped leaves no half of a file.
    half = path.with_suffix(".half")
    half.write_text(json.dumps(record))
    half.replace(path)
    print(f"{path.stem}: {'FAILED' if 'error' in record else 'done'}", flush=True)


def cells_of(folder: Path, case: Case, library: str) -> dict[str, str]:
    """What is known of a metric of one library: passes, seconds, ratio, megabytes and value."""
    found = {what: kept(path_of(folder, case, library, what)) for what in MEASUREMENTS}
    cells = dict.fromkeys(("passes", "s", "over pure passes", "of all cores", "MB over pure passes", "value"), "")
    if found["time"]:
        pairs = np.array(found["time"]["pairs"])
        cells["passes"] = " + ".join(f"{number:,} {kind}s" for kind, number in found["time"]["passes"].items())
        cells["s"] = f"{np.median(pairs[:, 0, 0]):.1f}"
        for clock, name in enumerate(("over pure passes", "of all cores")):
            ratios = pairs[:, 0, clock] / pairs[:, 1, clock]
            cells[name] = f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"
    if found["memory"] and found["pure"]:
        cells["MB over pure passes"] = f"{found['memory']['peak'] - found['pure']['peak']:+.0f}"
    if found["values"]:
        cells["value"] = f"{found['values']['value']:.6f}"
    return cells


def report(folder: Path) -> None:
    """The table of what is finished, and what it was measured on."""
    for library in LIBRARIES:
        record = kept(path_of(folder, CASES[0], library, "time"))
        if record is not None:
            print(f"{library}: {json.dumps(record['environment'])}")
    rows = []
    for case in CASES:
        both = [cells_of(folder, case, library) for library in LIBRARIES]
        pairs = [cells[name] for name in both[0] for cells in both]
        rows.append([f"{case.metric}, {case.images} photographs", *pairs])
    names = list(cells_of(folder, CASES[0], "xsparks"))
    print(table(["metric", *(f"{label} {name}" for name in names for label in ("xsparks", "Xplique"))], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/metrics"))
    parser.add_argument("--peer", default=os.environ.get("XSPARKS_PEER"), help="the Python that has xplique")
    parser.add_argument("--metrics", nargs="*", default=[], type=str.lower, help="their names; all without it")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of measuring and pure passes")
    chosen = parser.parse_args()
    if chosen.what == "run":
        run(chosen)
    else:
        report(chosen.out)
