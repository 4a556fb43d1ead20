"""MACO measured: seconds a picture and peak memory, over the pure passes of its crops, beside Xplique.

    python benchmarks/maco.py [--peer PYTHON] [--out DIR] [--steps 32] [--crops 8] [--targets 1 10] [--repeats 3]

PYTHON is that of an environment which has xplique 2.0.2 (else XSPARKS_PEER); without one only xsparks is measured. Both
draw the same classes of MobileNetV2 in as many steps of as many crops, pictures of 512 pixels, and each is held against
the forward and backward passes of these crops in its own environment. It says first how long it will take, and prints
the table at the end. Each measurement is a process of its own and leaves a file in DIR, so that a run that was stopped
goes on; one with other numbers is measured anew.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_process, kept, table

COST = str(Path(__file__).with_name("maco_cost.py"))
OUT = Path(__file__).parent / "results" / "maco"
LIBRARIES = ("xsparks", "xplique")
# For the estimate only: seconds that a process needs before it measures.
START = 25
PROCESSES = {"time": 1, "memory": 3, "pure": 3}


def jobs(arguments: argparse.Namespace) -> list[tuple[Path, str, dict[str, Any]]]:
    """The file, the kind and the settings of each measurement, those of the libraries in turn."""
    found = []
    # Times first: what comes after them needs no quiet machine.
    for what in PROCESSES:
        for targets in arguments.targets:
            for library in LIBRARIES if arguments.peer else LIBRARIES[:1]:
                settings = {"library": library, "targets": targets, "crops": arguments.crops, "size": arguments.size}
                settings["steps"] = arguments.steps if what == "time" else min(arguments.steps, 8)
                if what == "time":
                    settings["repeats"] = arguments.repeats
                found.append((arguments.out / f"{library}.{targets}.{what}.json", what, settings))
    return found


def run(arguments: argparse.Namespace) -> None:
    """Measures what is not measured yet."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    todo = [job for job in jobs(arguments) if kept(job[0], job[2]) is None]
    if not todo:
        return
    rate = in_process(COST, "speed", json.dumps({"library": "xsparks", "targets": 1, "steps": 8, "crops": 8}))
    needed = 0.0
    for _, what, settings in todo:
        calls = 1 + 2 * settings["repeats"] if what == "time" else PROCESSES[what]
        number = settings["targets"] * settings["steps"] * settings["crops"] * calls
        # The peer compiles anew for every picture.
        compiled = 10 * settings["targets"] * calls if settings["library"] == "xplique" else 0
        needed += PROCESSES[what] * START + compiled + 1.3 * number * rate["seconds"]
    print(
        f"{len(todo)} measurements, about {needed / 60:.0f} minutes ({1000 * rate['seconds']:.0f} ms a crop)",
        flush=True,
    )
    for number, (path, what, settings) in enumerate(todo, start=1):
        python = {"python": arguments.peer} if settings["library"] == "xplique" else {}
        try:
            answers = [in_process(COST, what, json.dumps(settings), **python) for _ in range(PROCESSES[what])]
            record: dict[str, Any] = {"answers": answers}
        except SystemExit as failed:
            record = {"error": str(failed)[-2000:]}
        # Renamed when it is whole, so that a run that is stopped leaves no half of a file.
        half = path.with_suffix(".half")
        half.write_text(json.dumps({"settings": settings, **record}))
        half.replace(path)
        print(f"{number}/{len(todo)} {path.stem}: {'FAILED' if 'error' in record else 'done'}", flush=True)


def report(folder: Path) -> None:
    """The table of what is finished, and what it was measured on."""
    rows, seen = [], {}
    numbers = {int(path.name.split(".")[1]) for path in folder.glob("*.time.json")}
    for targets in sorted(numbers):
        for library in LIBRARIES:
            record = kept(folder / f"{library}.{targets}.time.json")
            if record is None:
                continue
            answer, settings = record["answers"][0], record["settings"]
            seen[library] = answer["environment"]
            pairs = np.array(answer["pairs"]) / targets
            ratios = pairs[:, 0] / pairs[:, 1]
            made, floor = np.median(pairs, axis=0)
            ratio = f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"
            first = f"{answer['first'] / targets:.2f}"
            work = f"{settings['steps']} x {settings['crops']}"
            memory = [peak(folder / f"{library}.{targets}.{what}.json") for what in ("memory", "pure")]
            over = "" if None in memory else f"{memory[0] - memory[1]:+.0f}"
            shown = ["" if each is None else f"{each:.0f}" for each in memory[:1]]
            rows.append([library, targets, work, first, f"{made:.2f}", f"{floor:.2f}", ratio, *shown, over])
    header = ["library", "targets", "steps x crops", "first call, s a picture", "later, s a picture", "pure passes, s"]
    print(table([*header, "ratio", "peak MB", "over pure passes"], rows))
    for library, found in seen.items():
        print(library, json.dumps(found))


def peak(path: Path) -> float | None:
    """The median peak of the processes, in MB."""
    record = kept(path)
    return None if record is None else float(np.median([answer["peak"] for answer in record["answers"]]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("XSPARKS_PEER"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--crops", type=int, default=8)
    parser.add_argument("--size", type=int, default=512, help="pixels of a side of the pictures")
    parser.add_argument("--targets", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    run(given)
    report(given.out)
