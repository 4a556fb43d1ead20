"""Every attribution method measured: time and memory over the pure passes that it needs, beside Xplique.

python benchmarks/attributions.py run --out DIR --peer PYTHON [--methods saliency rise] [--repeats 5]
python benchmarks/attributions.py table --out DIR      # of what `run` has finished

PYTHON is that of an environment which has xplique 2.0.2 (else XSPARKS_PEER); without one only xsparks is measured.
`run` says first how long it will take. Each measurement is a process of its own and leaves a file in DIR, so that a run
that was stopped goes on. Both libraries do equal work on MobileNetV2 at 224 pixels: as many samples, the same patches,
grids and layer, and each is held against as many pure passes in its own environment.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from attribution_cases import Case, chosen_cases
from measuring import in_process, kept, table

COST = str(Path(__file__).with_name("attributions_cost.py"))
LIBRARIES = ("xsparks", "xplique")
# For the estimate only: seconds that a process needs before it measures, and a method over its pure passes.
START, OVERHEAD = 15, 1.5
# Images of a measurement of memory: methods of many passes are at their peak with one.
FEW, ONE = 32, 1


class Job(NamedTuple):
    """One file of results: so many processes of a kind."""

    path: Path
    what: str
    settings: dict[str, Any]
    processes: int
    passes: float


def name_of(case: Case, library: str) -> str:
    """The beginning of the names of a case's files."""
    return f"{re.sub('[^a-z0-9]+', '_', case.label.lower())}.{library}"


def jobs(cases: list[Case], arguments: argparse.Namespace) -> list[Job]:
    """All measurements, those of the two libraries in turn, so that both meet the same other work."""
    found: dict[Path, Job] = {}
    for case in cases:
        for library in LIBRARIES:
            if library == "xplique" and not (arguments.peer and case.peer):
                continue
            for job in _jobs_of(case, library, arguments):
                found[job.path] = job
    return [job for job in found.values() if job.processes]


def _jobs_of(case: Case, library: str, arguments: argparse.Namespace) -> list[Job]:
    own = library == "xsparks"
    settings = {
        "library": library,
        "method": case.method if own else case.peer,
        "options": case.options if own else case.peer_options,
        "kind": case.kind,
        "images": min(case.images, arguments.images or case.images),
        "passes": case.passes,
        "batch": arguments.batch,
    }
    few = {**settings, "images": min(settings["images"], FEW if case.passes == 1 else ONE)}
    batch = min(arguments.batch, few["images"] * case.passes)
    pure = {**{key: few[key] for key in ("library", "kind", "images")}, "batch": batch}
    repeats, times = arguments.repeats, arguments.memory_repeats
    # One call that compiles, then pairs.
    passes = settings["images"] * case.passes * ((1 + repeats) * OVERHEAD + repeats)
    folder, name, base = arguments.out, name_of(case, library), pure_name(case, few)
    return [
        Job(
            folder / f"{name}.time.json",
            "time",
            {**settings, "repeats": repeats},
            int(case.timed and repeats > 0),
            passes,
        ),
        Job(folder / f"{base}.json", "pure", pure, times, 10 * batch),
        Job(folder / f"{name}.memory.json", "memory", few, times, few["images"] * case.passes * OVERHEAD),
    ]


def pure_name(case: Case, settings: dict[str, Any]) -> str:
    """The name of the file with the memory of pure passes for a measurement of memory with these settings."""
    batch = min(settings["batch"], settings["images"] * case.passes)
    return f"pure_{case.kind}_{settings['images']}_{batch}.{settings['library']}"


def run(arguments: argparse.Namespace) -> None:
    """Measures what is not measured yet."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    cases = chosen_cases(arguments.methods)
    todo = [job for job in jobs(cases, arguments) if kept(job.path, job.settings) is None]
    if not todo:
        print("everything is measured")
        return
    rates = in_process(COST, "speed", json.dumps({"batch": arguments.batch}))
    needed = [job.processes * (START + job.passes * rates[job.settings["kind"]]) for job in todo]
    each = ", ".join(f"{kind} {1000 * rate:.0f} ms" for kind, rate in rates.items())
    print(f"{len(todo)} measurements, about {sum(needed) / 60:.0f} minutes (one pure pass: {each})", flush=True)
    for number, (job, estimate) in enumerate(zip(todo, needed, strict=True), start=1):
        python = {"python": arguments.peer} if job.settings["library"] == "xplique" else {}
        settings = json.dumps(job.settings)
        try:
            answers = [in_process(COST, job.what, settings, **python) for _ in range(job.processes)]
            record: dict[str, Any] = {"answers": answers}
        except SystemExit as failed:
            record = {"error": str(failed)[-2000:]}
        # Renamed when it is whole, so that a run that is stopped leaves no half of a file.
        half = job.path.with_suffix(".half")
        half.write_text(json.dumps({"settings": job.settings, **record}))
        half.replace(job.path)
        outcome = "FAILED" if "error" in record else "done"
        print(f"{number}/{len(todo)} {job.path.stem}: {outcome} (about {estimate:.0f} s)", flush=True)


def time_cells(path: Path) -> tuple[str, str, str]:
    """Passes, seconds, and the ratio to pure passes with the smallest and the largest."""
    record = kept(path)
    if record is None:
        return "", "", "failed" if path.exists() else ""
    answer = record["answers"][0]
    pairs = np.array(answer["pairs"])
    ratios = pairs[:, 0] / pairs[:, 1]
    passes = " + ".join(f"{number:,} {kind}" for kind, number in answer["passes"].items())
    ratio = f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"
    return passes, f"{np.median(pairs[:, 0]):.2f}", ratio


def memory_cell(case: Case, library: str, folder: Path) -> str:
    """Megabytes over those of pure passes, medians over processes."""
    path = folder / f"{name_of(case, library)}.memory.json"
    record = kept(path)
    if record is None:
        return "failed" if path.exists() else ""
    base = kept(folder / f"{pure_name(case, record['settings'])}.json")
    if base is None:
        return ""
    peaks, pure = ([answer["peak"] for answer in kind["answers"]] for kind in (record, base))
    return f"{np.median(peaks) - np.median(pure):+.0f}"


def report(folder: Path, wanted: list[str]) -> None:
    """The table of what is finished, and what it was measured on."""
    rows, seen = [], {}
    for case in chosen_cases(wanted):
        times = {library: folder / f"{name_of(case, library)}.time.json" for library in LIBRARIES}
        for library, path in times.items():
            record = kept(path)
            if record is not None:
                seen[library] = {**record["answers"][0]["environment"], "batch": record["settings"]["batch"]}
        (passes, own_seconds, own), (_, peer_seconds, peer) = (time_cells(path) for path in times.values())
        memory = [memory_cell(case, library, folder) for library in LIBRARIES]
        row = [case.label, passes, own, peer, own_seconds, peer_seconds, *memory]
        if any(row[1:]):
            rows.append(row)
    for library, machine in seen.items():
        print(f"{library}: {json.dumps(machine)}")
    ratio, memory = "over pure passes", "MB over pure passes"
    header = ["method", "passes", f"xsparks {ratio}", f"Xplique {ratio}", "xsparks s", "Xplique s"]
    print(table([*header, f"xsparks {memory}", f"Xplique {memory}"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/attributions"))
    parser.add_argument("--peer", default=os.environ.get("XSPARKS_PEER"), help="the Python that has xplique")
    parser.add_argument("--methods", nargs="*", default=[], help="names of the catalogue; all without it")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5, help="pairs of explaining and pure passes; 0 for no times")
    parser.add_argument("--memory-repeats", type=int, default=3, help="processes for each peak; 0 for no memory")
    parser.add_argument("--images", type=int, default=None, help="explained at once, at most; for a quick try")
    chosen = parser.parse_args()
    if chosen.what == "run":
        run(chosen)
    else:
        report(chosen.out, chosen.methods)
