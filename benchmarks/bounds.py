"""Verified bounds beside auto_LiRPA: the same networks, weights and boxes, how tight, how fast, how much memory.

python benchmarks/bounds.py run [NETWORK ...] --peer PYTHON [--methods ...] [--repeats N]
python benchmarks/bounds.py table

Six small networks trained here, and ResNet-20. Bounded are the margins of all classes over 20 boxes, one a picture, and
over the 145 boxes of EVA on one picture, each by itself as auto_LiRPA does it; `shared` and `own` are what EVA makes of
them, which has no counterpart. Each measurement is a process of its own, on one thread; a row is kept in --out, so that
a run that was stopped goes on. Times are medians of repeats after a first call, and say something on a quiet machine
only. --peer is a Python that has PyTorch and auto_LiRPA (`bounds_auto_lirpa.py`); without it ours are measured alone.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ROOT, environment, in_process, peak_megabytes, table

OUT = ROOT / "benchmarks" / "results" / "bounds"
GRID = 12
METHODS = ("ibp", "crown_ibp", "crown")
SMALL = ("mnist_dense", "mnist_conv", "mnist_normalised", "mnist_residual", "mnist_pooled", "cifar10_conv")
RADII = {name: (1 / 255, 4 / 255, 0.1) for name in SMALL}
# The network eats 0..255, and says nothing at a radius that one could see.
RADII["resnet20"] = (0.05,)
EVA_RADIUS = 4 / 255


def units(names: list[str], methods: list[str]) -> list[tuple[str, str, str]]:
    """What is measured: network, method, boxes."""
    found = [
        (name, method, boxes)
        for name in names
        for boxes in ("20", "eva")
        for method in (*METHODS, *(("crown shared", "crown own") if boxes == "eva" else ()))
    ]
    # Of ResNet-20 a picture by CROWN takes minutes, and 145 boxes a day.
    found = [unit for unit in found if unit[0] != "resnet20" or unit[2] == "20"]
    found = [(*unit[:2], "1") if unit[:2] == ("resnet20", "crown") else unit for unit in found]
    return [unit for unit in found if not methods or unit[1] in methods]


def loaded(name: str, out: Path) -> Any:
    """A network."""
    if name == "resnet20":
        from measuring import network

        return network("resnet20_cifar10")
    from small_networks import trained

    return trained(name, out)


def inputs_of(name: str, model: Any) -> tuple[np.ndarray, np.ndarray]:
    """The first 20 pictures that the network classifies rightly, and their labels."""
    from small_networks import RECIPES, pictures_of

    images, labels = pictures_of(RECIPES[name].pictures if name in RECIPES else "cifar10", "test")
    images, labels = images[:200] * (255 if name == "resnet20" else 1), labels[:200]
    right = np.flatnonzero(model.predict(images, 100, verbose=0).argmax(axis=1) == labels)[:20]
    return images[right], labels[right]


def exported(name: str, out: Path) -> Path:
    """The file of a network: its steps, weights and boxes, for whoever has no Keras."""
    path = out / f"{name}.npz"
    if path.exists():
        return path
    model = loaded(name, out)
    from bounds_steps import steps_of

    steps, arrays = steps_of(model)
    images, labels = inputs_of(name, model)
    outputs = np.asarray(model(images))
    rows = np.arange(images.shape[1]) * GRID // images.shape[1]
    cells = rows[:, None] * GRID + rows
    # The whole box first, then each cell frozen.
    free = np.ones((GRID**2 + 1, *images.shape[1:]), np.float32)
    free[1:] = (cells != np.arange(GRID**2)[:, None, None])[..., None]
    kept: dict[str, Any] = {"steps": json.dumps(steps), **arrays}
    for boxes, chosen, each in (
        ("20", np.arange(20), np.ones_like(images)),
        ("1", np.zeros(1, int), np.ones_like(images[:1])),
        ("eva", np.zeros(len(free), int), free),
    ):
        own = {"inputs": images[chosen], "targets": labels[chosen], "outputs": outputs[chosen], "free": each}
        kept |= {f"{boxes} {key}": value for key, value in own.items()}
    np.savez(path, **kept)
    return path


def ours(name: str, method: str, boxes: str, repeats: int, out: Path) -> dict[str, Any]:
    """Our bounds: seconds of each radius, and peak memory; the bounds go to a file."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from xsparks.engine import Engine, VerifiedBounds
    from xsparks.models.access import ModelAccess
    from xsparks.models.bounds import Around, Cells, read_network

    model, stored = loaded(name, out), np.load(exported(name, out))
    x, free = stored[f"{boxes} inputs"], stored[f"{boxes} free"]
    targets = stored[f"{boxes} targets"].astype(np.int32)
    kind, _, shared = method.partition(" ")
    family: Any = Around()
    if shared:
        # One picture; its cells are those that are not free.
        family = Cells(cell_of=np.argmin(free[1:], axis=0).astype(np.int32))
        x, free, targets = x[:1], free[:1], targets[:1]
    bounds = VerifiedBounds(
        network=read_network(model), family=family, method=kind, relaxation="own" if shared == "own" else "shared"
    )
    plans, engine = bounds.plans(), Engine(ModelAccess(model), None)
    before, first = peak_megabytes(), 0.0
    found, seconds = {}, []
    for radius in (EVA_RADIUS,) if boxes == "eva" else RADII[name]:
        timed = []
        for _ in range(repeats + (repeats > 1)):
            start = time.perf_counter()
            answer = engine.run(plans, x, targets, {"epsilon": (radius * free).astype(np.float32)})
            answer = {key: np.asarray(each) for key, each in answer.items()}
            timed.append(time.perf_counter() - start)
        first = first or timed[0]
        seconds.append(timed[-repeats:])
        # What the algorithm itself says, without the intersection that only ours has in the end.
        values = answer["interval" if kind == "ibp" else "linear"]
        found[f"{radius:.9g}"] = values[..., 0] if not shared else values[0].T
        found[f"{radius:.9g} upper"] = answer["upper"][..., 0] if not shared else answer["upper"][0].T
    np.savez(out / "ours.npz", **found)
    memory = {"megabytes": peak_megabytes(), "megabytes before": before}
    return {"seconds": seconds, "first": first, **memory}


def compared(unit: tuple[str, str, str], options: argparse.Namespace) -> dict[str, Any]:
    """The row of a network, a method and boxes: both sides and how the bounds differ."""
    name, method, boxes = unit
    # Not in this process, whose memory its children would count as theirs.
    file = Path(in_process(__file__, "export", name, "--out", str(options.out)))
    repeats = 1 if unit[:2] == ("resnet20", "crown") else options.repeats
    radii = [f"{each:.9g}" for each in ((EVA_RADIUS,) if boxes == "eva" else RADII[name])]
    given = [name, "--methods", method, "--boxes", boxes, "--repeats", str(repeats), "--out", str(options.out)]
    row: dict[str, Any] = {"network": name, "method": method, "boxes": boxes, "radii": radii}
    row["ours"] = in_process(__file__, "ours", *given)
    mine = dict(np.load(options.out / "ours.npz"))
    row["mean"] = [_mean(mine[f"{each} upper"]) for each in radii]
    if options.peer and " " not in method:
        script = str(Path(__file__).with_name("bounds_auto_lirpa.py"))
        values = options.out / "peer.npz"
        asked = [str(file), method, boxes, str(repeats), str(values), *radii]
        try:
            row["peer"] = in_process(script, *asked, python=options.peer)
        except SystemExit as failed:
            # It does not have all layers in all modes; the rest goes on.
            row["peer failed"] = str(failed).strip().splitlines()[-1]
            print(row["peer failed"], flush=True)
        else:
            theirs = dict(np.load(values))
            row["peer mean"] = [_mean(theirs[each]) for each in radii]
            row |= differences(mine, theirs, np.load(file), boxes, radii)
            values.unlink()
    (options.out / "ours.npz").unlink()
    return row


def differences(mine: Any, theirs: Any, stored: Any, boxes: str, radii: list[str]) -> dict[str, Any]:
    """By how much our bounds are above and below, at most, and in the median.

    Relative to 1 + |bound|, and to that and the rise of the bound above the margin of the picture: we add what rounding
    may take away, and a bound near zero can be the difference of large numbers.
    """
    outputs, targets = stored[f"{boxes} outputs"], stored[f"{boxes} targets"]
    margins = outputs - np.take_along_axis(outputs, targets[:, None], axis=1)
    found: dict[str, Any] = {"looser": [], "tighter": [], "median": [], "looser to rise": [], "tighter to rise": []}
    for each in radii:
        rivals = np.arange(outputs.shape[1]) != targets[:, None]
        apart = (mine[each] - theirs[each])[rivals]
        bound, rise = (np.abs(one)[rivals] for one in (theirs[each], theirs[each] - margins))
        for scale, suffix in ((1 + bound, ""), (1 + bound + rise, " to rise")):
            found[f"looser{suffix}"].append(float((apart / scale).max()))
            found[f"tighter{suffix}"].append(float(-(apart / scale).min()))
        found["median"].append(float(np.median(np.abs(apart) / (1 + bound))))
    return found


def _mean(bounds: np.ndarray) -> float:
    """The mean over the rivals; the row of the class itself is zero on both sides."""
    return float(bounds.sum() / (len(bounds) * (bounds.shape[1] - 1)))


def report(out: Path) -> None:
    """The rows in Markdown."""
    lines = []
    for path in sorted(out.glob("*.*.*.json")):
        row = json.loads(path.read_text())
        peer, mine = row.get("peer"), row["ours"]
        for number, radius in enumerate(row["radii"]):
            own = float(np.median(mine["seconds"][number]))
            cells = [row["network"], row["boxes"], row["method"], f"{float(radius):.3g}", f"{row['mean'][number]:.5g}"]
            if peer:
                other = float(np.median(peer["seconds"][number]))
                keys = ("looser", "looser to rise", "tighter to rise")
                cells += [f"{row['peer mean'][number]:.5g}", *(f"{max(0, row[key][number]):.1g}" for key in keys)]
                cells += [f"{own:.4g}", f"{other:.4g}", f"{own / other:.2f}"]
            else:
                cells += ["", "", "", "", f"{own:.4g}", "", ""]
            lines.append([*cells, f"{mine['megabytes']:.0f}", f"{peer['megabytes']:.0f}" if peer else ""])
    header = ["network", "boxes", "method", "radius", "mean bound", "auto_LiRPA", "looser", "looser, to the rise"]
    header += ["tighter, to the rise", "seconds", "auto_LiRPA", "ratio", "peak MB", "auto_LiRPA"]
    print(table(header, lines) if lines else "nothing is finished")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table", "export", "ours"))
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(RADII)}; all without it")
    parser.add_argument("--methods", nargs="*", default=[])
    parser.add_argument("--boxes", default="20", help="for `ours` alone")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", help="a Python with PyTorch and auto_LiRPA")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if unknown := sorted({*options.networks} - {*RADII}):
        parser.error(f"no such network: {', '.join(unknown)}; there are {', '.join(RADII)}")
    if options.what == "ours":
        print(json.dumps(ours(options.networks[0], options.methods[0], options.boxes, options.repeats, options.out)))
    elif options.what == "export":
        print(json.dumps(str(exported(options.networks[0], options.out))))
    elif options.what == "table":
        report(options.out)
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        for unit in units(options.networks or list(RADII), options.methods):
            path = options.out / f"{'.'.join(unit).replace(' ', '_')}.json"
            if not path.exists() or (
                options.peer and " " not in unit[1] and "peer" not in json.loads(path.read_text())
            ):
                row = {**compared(unit, options), "environment": environment()}
                path.write_text(json.dumps(row))
                print(json.dumps({key: row[key] for key in row if key != "environment"}), flush=True)
        report(options.out)


if __name__ == "__main__":
    main()
