"""CRAFT measured beside Xplique's `CraftTf`: time and memory of fit, maps and importances, errors and C-Insertion.

    python benchmarks/craft.py run --out DIR --peer PYTHON [--network mobilenet_v2] [--concepts 20] [--repeats 3]
    python benchmarks/craft.py table --out DIR      # of what `run` has finished

PYTHON is that of an environment which has xplique 2.0.2 (else XSPARKS_PEER); without one only xsparks is measured. Both
libraries show the same crops' worth of the same photographs to the same network, cut at the same layer, and each is
held against as many pure forwards in its own environment. Each measurement is a process of its own and leaves a file in
DIR, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_process, kept, mean_interval, table

COST = str(Path(__file__).with_name("craft_cost.py"))
LAYERS = {"resnet50": "stage5_block3_out", "mobilenet_v2": "out_relu"}
# The steps of each library, in their order: those after the first need what it found.
STEPS = {"xsparks": ("pure", "fit", "explain", "weigh", "sobol"), "xplique": ("pure", "fit", "maps", "importances")}
# What is beside what. Maps and importances are one call of xsparks; importances alone are of coefficients at hand.
ROWS = (
    ("fit", "fit", "fit"),
    ("maps", "explain", "maps"),
    ("importances, closed form, of 60 photographs' coefficients", "weigh", ""),
    ("importances, by a design", "sobol", "importances"),
)


def settings_of(library: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What a measurement depends on."""
    names = ("network", "concepts", "patch", "images", "explained", "batch", "repeats")
    chosen = {name: getattr(arguments, name) for name in names}
    return {**chosen, "library": library, "layer": LAYERS[arguments.network], "class": arguments.class_id}


def name_of(library: str, step: str, arguments: argparse.Namespace) -> Path:
    """The file of a measurement."""
    return arguments.out / f"{library}.{step}.json"


def record_of(library: str, step: str, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """What a measurement with these settings left."""
    record = kept(name_of(library, step, arguments), settings_of(library, arguments))
    return record["answer"] if record else None


def keep(library: str, step: str, arguments: argparse.Namespace, python: str | None = None) -> None:
    """Measures a step that is not measured yet."""
    if record_of(library, step, arguments) is not None:
        return
    settings = settings_of(library, arguments)
    where = {"python": python} if python else {}
    # Where things are left is no setting: no number depends on it.
    folder = str((arguments.out / "found").resolve())
    answer = in_process(COST, step, json.dumps({**settings, "folder": folder}), **where)
    half = name_of(library, step, arguments).with_suffix(".half")
    half.write_text(json.dumps({"settings": settings, "answer": answer}))
    half.replace(name_of(library, step, arguments))
    print(f"{library} {step}: done", flush=True)


def run(arguments: argparse.Namespace) -> None:
    """Measures what is not measured yet, the libraries in turn, so that both meet the same other work."""
    (arguments.out / "found").mkdir(parents=True, exist_ok=True)
    peer = {"xplique": arguments.peer} if arguments.peer else {}
    again = record_of("xsparks", "fit", arguments) is None
    for library in ("xsparks", *peer):
        if record_of(library, "fit", arguments) is None:
            for left in (arguments.out / "found").glob(f"{library}_*"):
                left.unlink()
    for steps in zip_longest(*(STEPS[library] for library in ("xsparks", *peer))):
        for library, step in zip(("xsparks", *peer), steps, strict=True):
            if step is not None:
                keep(library, step, arguments, peer.get(library))
    comparison = name_of("both", "compare", arguments)
    if again and comparison.exists():
        comparison.unlink()
    keep("both", "compare", arguments)


def cells(library: str, step: str, arguments: argparse.Namespace) -> list[str]:
    """Seconds by the clock and the ratio to pure forwards with its range, the same of processors, and the memory."""
    record, pure = (record_of(library, each, arguments) if each else None for each in (step, "pure"))
    if record is None or pure is None:
        return [""] * 5
    found = []
    # Rows of before processors were timed have none.
    for kind in ("pairs", "processor"):
        if kind not in record:
            found += ["", ""]
            continue
        pairs = np.array(record[kind])
        ratios = pairs[:, 0] / pairs[:, 1]
        found += [f"{np.median(pairs[:, 0]):.2f}", f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"]
    return [*found, f"{record['peak'] - pure['peak']:+.0f}"]


def report(arguments: argparse.Namespace) -> None:
    """The tables of what is finished, and what it was measured on."""
    for library in STEPS:
        record = record_of(library, "fit", arguments)
        if record is not None:
            print(f"{library}: {json.dumps(record['environment'])}, {record['forwards']} crops")
    print(json.dumps(settings_of("", arguments)), "\n")
    header = ["step"]
    for library in ("xsparks", "Xplique"):
        header += [f"{library} s", "over pure forwards", "processor s", "over pure forwards", "MB over pure forwards"]
    rows = [[label, *cells("xsparks", own, arguments), *cells("xplique", peer, arguments)] for label, own, peer in ROWS]
    print(table(header, rows), "\n")
    found = record_of("both", "compare", arguments)
    if found is None:
        return
    print(f"mean logit of the {len(found['logit'])} photographs: {np.mean(found['logit']):.3f}\n")
    libraries = [name for name in found if name != "logit"]
    rows = []
    for name in libraries:
        scores = [mean_interval(found[name][kind]) for kind in ("insertion", "deletion")]
        errors = [f"{found[name][kind]:.4f}" for kind in ("error", "exact")]
        rows.append([name, *errors, *(f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in scores)])
    header = ["library", "error of its codes", "error of exact codes", "C-Insertion ↑", "C-Deletion ↓"]
    print(table(header, rows))
    if "xplique" in libraries:
        gain = np.array(found["xsparks"]["insertion"]) - found["xplique"]["insertion"]
        mean, low, high = mean_interval(gain)
        print(f"\nC-Insertion, xsparks less Xplique, paired: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/craft"))
    parser.add_argument("--peer", default=os.environ.get("XSPARKS_PEER"), help="the Python that has xplique")
    parser.add_argument("--network", choices=tuple(LAYERS), default="mobilenet_v2")
    parser.add_argument("--class", dest="class_id", type=int, default=217)
    parser.add_argument("--images", type=int, default=34, help="training photographs, 16 crops each")
    parser.add_argument("--explained", type=int, default=50, help="validation photographs, at most 50")
    parser.add_argument("--concepts", type=int, default=10)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3, help="pairs of a step and pure forwards")
    chosen = parser.parse_args()
    if chosen.what == "run":
        run(chosen)
    else:
        report(chosen)
