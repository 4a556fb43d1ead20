"""Sobol attribution measured: time and memory over pure forwards, and quality against the number of forwards.

python benchmarks/sobol.py time [--peer PYTHON]     # PYTHON: of an environment that has xplique 2.0.2
python benchmarks/sobol.py memory
python benchmarks/sobol.py quality --out DIR [--photographs 24]      # about 80 s a photograph; resumes
python benchmarks/sobol.py table --out DIR          # of what `quality` has finished
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from measuring import environment, in_process, mean_interval, network, photographs, table
from scipy.stats import spearmanr

COST = str(Path(__file__).with_name("sobol_cost.py"))
GRID, CELLS = 7, 49
ROWS = (2, 4, 8, 16, 32)
# (label, options, rows): what is compared, all at 7 x 7 cells.
DESIGNS = [
    *[("half_shift, smooth (default)", {}, rows) for rows in ROWS],
    *[("half_shift, smooth, all outputs", {"assist": "outputs"}, rows) for rows in (4, 8)],
    *[("paper (reference)", {"design": "paper", "smooth": False}, rows) for rows in (4, 8, 16, 32)],
    *[("scrambled_sobol", {"design": "scrambled_sobol", "smooth": False, "replicates": 1}, rows) for rows in (8, 16)],
    ("latin_hypercube", {"design": "latin_hypercube", "smooth": False, "replicates": 1}, 8),
    ("binary_flip", {"design": "binary_flip", "smooth": False, "replicates": 4}, 8),
    ("gradients, 32 masks", {"assist": "gradients", "gradient_masks": 32}, 1),
    ("mixed, 32 masks", {"assist": "mixed", "gradient_masks": 32}, 4),
]


def cost(peer: str | None) -> None:
    """Time over the pure forwards of the same number and batch size."""
    rows = []
    for batch in (16, 32, 64):
        found = in_process(COST, "time", "8", "2", str(batch))
        rows.append(["xsparks", batch, found["forwards"], *_ratio(found["pairs"])])
    print(json.dumps(found["environment"]))
    if peer:
        for batch in (32, 256):
            found = in_process(COST, "peer", "8", "2", str(batch), python=peer)
            rows.append(["Xplique", batch, found["forwards"], *_ratio(found["pairs"])])
        print(json.dumps(found["environment"]))
    print(table(["library", "batch", "forwards", "seconds", "pure forwards", "ratio (5 pairs)"], rows))


def _ratio(pairs: list[list[float]]) -> list[str]:
    ratios = [explained / pure for explained, pure in pairs]
    explained, pure = np.median(np.array(pairs), axis=0)
    return [f"{explained:.2f}", f"{pure:.2f}", f"{np.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"]


def memory() -> None:
    """Peak of the process over that of pure forwards, less the returned maps: median of three."""
    rows = []
    base = np.median([in_process(COST, "pure", "0", "0", "32")["peak"] for _ in range(3)])
    for label, masks, count in (
        ("8 images, 4 rows", 4, 8),
        ("8 images, 8 rows", 8, 8),
        ("8 images, 2 rows", 2, 8),
        ("80 images, 2 rows", 2, 80),
    ):
        peaks = [in_process(COST, "memory", str(masks), str(count), "32")["peak"] for _ in range(3)]
        rows.append([label, f"{np.median(peaks):.0f}", f"{np.median(peaks) - base:+.0f}"])
    print(table(["run", "peak MB", f"over pure forwards ({base:.0f} MB)"], rows))


def quality(out: Path, count: int) -> None:
    """Maps of every design on each photograph, and their agreement, Insertion and Deletion; a file each."""
    from xsparks.attributions import SobolAttribution
    from xsparks.metrics import Deletion, Insertion

    out.mkdir(parents=True, exist_ok=True)
    model, explainers, kept = network("mobilenet_v2"), {}, 0
    # The metrics read these arrays anew for each photograph, so that they are compiled once.
    number = 1 + len(DESIGNS) + len(ROWS)
    shown, asked = np.zeros((number, 224, 224, 3), np.float32), np.zeros(number, int)
    metrics = [metric(model, shown, asked, steps=CELLS, progress=False) for metric in (Insertion, Deletion)]
    for name, image, label, _ in photographs(500):
        if kept == count:
            break
        path, x = out / f"{Path(name).stem}.json", image[None].astype(np.float32) / 127.5 - 1
        if path.exists():
            kept += 1
            continue
        if int(np.argmax(model(x))) != label:
            continue
        kept += 1

        def explain(options: dict, rows: int, seed: int, x=x, label=label):
            key = json.dumps([options, rows, seed])
            if key not in explainers:
                explainers[key] = SobolAttribution(
                    model, grid_size=GRID, nb_design=rows, seed=seed, progress=False, **options
                )
            return explainers[key].explain(x, [label])

        plain = {"design": "scrambled_sobol", "smooth": False, "replicates": 1}
        halves = [explain(plain, 64, seed).values[0, ..., 0] for seed in (101, 102)]
        reference = (halves[0] + halves[1]) / 2
        record = {"halves": float(spearmanr(halves[0].ravel(), halves[1].ravel())[0]), "rows": []}
        maps = [("converged", 128, 128 * (CELLS + 1), reference)]
        for name_of, options, rows in DESIGNS:
            found = explain(options, rows, 0)
            forwards = int(found.forwards[0]) + 2 * int(found.extras.get("backwards", np.zeros(1))[0])
            maps.append((name_of, rows, forwards, found.values[0, ..., 0]))
            if not options:
                # The unsmoothed map of the same forwards.
                maps.append(("half_shift", rows, forwards, found.raw[0, ..., 0]))
        shown[:], asked[:] = x, label
        squares = np.stack([np.kron(cells, np.ones((32, 32))) for *_, cells in maps])
        scores = [metric(squares).per_sample.tolist() for metric in metrics]
        for (name_of, rows, forwards, cells), *values in zip(maps, *scores, strict=True):
            top = len(set(np.argsort(cells.ravel())[-10:]) & set(np.argsort(reference.ravel())[-10:])) / 10
            agreement = float(spearmanr(cells.ravel(), reference.ravel())[0])
            record["rows"].append([name_of, rows, forwards, agreement, top, *values])
        record["rows"].sort(key=lambda row: (row[0], row[1]))
        path.write_text(json.dumps(record))
        print(name, flush=True)


def report(out: Path) -> None:
    """Means over the photographs, and the differences to the reference design at 32 rows, with intervals."""
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    values = np.array([[row[3:] for row in record["rows"]] for record in records])
    labels = [row[:3] for row in records[0]["rows"]]
    base = next(i for i, row in enumerate(labels) if row[0].startswith("paper") and row[1] == 32)
    print(json.dumps(environment()), f"{len(records)} photographs")
    print(
        "agreement of the halves of the converged map:",
        "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval([r["halves"] for r in records])),
    )
    rows = []
    for position, (label, _, forwards) in enumerate(labels):
        cells = [f"{values[:, position, k].mean():.3f}" for k in range(4)]
        paired = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*mean_interval(values[:, position, k] - values[:, base, k]))
            for k in (0, 2, 3)
        ]
        rows.append([label, forwards, *cells, *paired])
    header = ["design", "forwards", "agreement", "top 10", "insertion", "deletion"]
    print(table([*header, *(f"{name} - reference at 1,600" for name in ("agreement", "insertion", "deletion"))], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("time", "memory", "quality", "table"))
    parser.add_argument("--peer")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sobol"))
    parser.add_argument("--photographs", type=int, default=24)
    arguments = parser.parse_args()
    if arguments.what == "time":
        cost(arguments.peer)
    elif arguments.what == "memory":
        memory()
    elif arguments.what == "quality":
        quality(arguments.out, arguments.photographs)
    else:
        report(arguments.out)
