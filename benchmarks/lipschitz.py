"""A 1-Lipschitz network beside the conventional one of the same architecture, on Fashion-MNIST.

    python benchmarks/lipschitz.py cost                      # seconds of a training step of each, and what a run costs
    python benchmarks/lipschitz.py run --epochs 8 --pictures 10000
    python benchmarks/lipschitz.py show [--figure PATH]      # the tables of what is finished

Both are trained on the same pictures: the conventional one with cross-entropy, the other, `to_lipschitz` of it, with
the soft loss of Serrurier et al. 2023 (lambda 5, margin .5, temperature 10, as published). Measured on held-out
pictures: accuracy; how faithful a saliency map is (µFidelity with noise and with zeros); how far it moves with the
picture (1 - Spearman's correlation, normal noise); how far it is from SmoothGrad; how complex it is (bytes of a
JPEG); the length of gradients; accuracy that is certified. Networks and numbers are kept in --out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measuring import data_folder, environment, table

from xsparks import attributions, lipschitz, metrics
from xsparks.lipschitz.gradient_norm import LENGTHS

SIZE = (28, 28, 1)
KINDS = ("conventional", "1-Lipschitz")
DISTANCES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
# Optimal transport / conventional, of the paper, on Fashion-MNIST.
PUBLISHED = {
    "accuracy": "88.6 / 88.5 %",
    "fidelity_uniform": ".156 / -.001",
    "fidelity_zero": ".246 / .034",
    "stability": ".59 / .91",
    "smoothgrad": "7.5e-3 / 7e-2",
    "bytes": "",
    "length": "1 / -",
}
WORDS = {
    "accuracy": "accuracy",
    "fidelity_uniform": "µFidelity of Saliency, noise",
    "fidelity_zero": "µFidelity of Saliency, zero",
    "stability": "Spearman distance of maps under noise",
    "smoothgrad": "distance from Saliency to SmoothGrad",
    "bytes": "bytes of a map as JPEG",
    "length": "mean length of the gradient of the label's logit",
    "certified": "certified accuracy",
}


def pictures(part: str) -> tuple[np.ndarray, np.ndarray]:
    """`(images (n, 28, 28, 1) in [0, 1], labels (n,))` of `"train20k"` or `"t10k"`."""
    folder = data_folder() / "fashion_mnist"
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, *SIZE)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return images.astype(np.float32) / 255, labels


def network(kind: str, steps: int) -> Any:
    """A network, compiled."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model: Any = keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate: Any = 1e-3
    if kind == "1-Lipschitz":
        model = lipschitz.to_lipschitz(model, maxiter_bjorck=6)
        loss = lipschitz.SoftHKR(alpha=5.0, min_margin=0.5, temperature=10.0)
        rate = keras.optimizers.schedules.CosineDecay(5e-3, max(steps, 1), alpha=1e-3)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def trained(kind: str, options: argparse.Namespace) -> tuple[Any, float]:
    """The trained network and its seconds, from --out where it is there."""
    path = options.out / f"{kind}_{options.pictures}_{options.epochs}.keras"
    seconds = path.with_suffix(".json")
    if path.exists():
        return keras.models.load_model(path), json.loads(seconds.read_text())
    images, labels = pictures("train20k")
    model = network(kind, options.epochs * -(-options.pictures // 128))
    start = time.perf_counter()
    given = images[: options.pictures], labels[: options.pictures]
    model.fit(*given, epochs=options.epochs, batch_size=128, verbose=2)
    took = time.perf_counter() - start
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    seconds.write_text(json.dumps(took))
    return model, took


def measured(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """All numbers of a network."""
    path = options.out / f"row_{kind}_{options.pictures}_{options.epochs}_{options.explained}.json"
    if path.exists():
        return json.loads(path.read_text())
    model, seconds = trained(kind, options)
    images, labels = pictures("t10k")
    logits = model.predict(images, verbose=0, batch_size=500)
    certificate = lipschitz.LipschitzCertificate(model, batch_size=500)
    certified = certificate.certify(images, labels).certified(DISTANCES).mean(axis=0)
    x, y = images[: options.explained], labels[: options.explained]
    saliency = attributions.Saliency(model, batch_size=250)
    maps = saliency.explain(x, y)
    smooth = attributions.SmoothGrad(model, samples=25, noise=0.1, batch_size=250).explain(x, y)
    shares = [unit(np.asarray(each)) for each in (maps, smooth)]
    common: dict[str, Any] = {"batch_size": 250}
    fidelity = {
        baseline: metrics.MuFidelity(model, x, y, baseline=baseline, grid_size=7, samples=100, score="logit", **common)
        for baseline in ("noise", "zero")
    }
    stability = metrics.AverageStability(
        model, x, y, neighbours=8, radius=options.radius, noise="normal", distance="spearman", **common
    )
    row = {
        "accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "fidelity_uniform": float(fidelity["noise"](maps)),
        "fidelity_zero": float(fidelity["zero"](maps)),
        "stability": float(stability(saliency)),
        "smoothgrad": float(np.linalg.norm(shares[0] - shares[1], axis=1).mean()),
        "bytes": float(metrics.JPEGSize()(maps)),
        "length": float(np.mean(saliency.engine.run(LENGTHS, x, y.astype(np.int32)))),
        "certified": [float(each) for each in certified],
        "constant": certificate.constants.upper,
        "seconds": seconds,
    }
    path.write_text(json.dumps(row))
    return row


def unit(maps: np.ndarray) -> np.ndarray:
    """Maps of Euclidean length 1, `(n, places)`: the two networks have gradients of other lengths."""
    flat = maps.reshape(len(maps), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def cost() -> None:
    """Prints the seconds of a training step of each network."""
    images, labels = pictures("train20k")
    for kind in KINDS:
        model = network(kind, 10)
        model.fit(images[:128], labels[:128], batch_size=128, verbose=0)
        start = time.perf_counter()
        model.fit(images[:1280], labels[:1280], batch_size=128, verbose=0)
        print(f"{kind}: {(time.perf_counter() - start) / 10:.3f} s a step of 128 pictures")


def show(options: argparse.Namespace) -> None:
    """Prints the tables of what is finished."""
    found = {}
    for kind in KINDS:
        path = options.out / f"row_{kind}_{options.pictures}_{options.epochs}_{options.explained}.json"
        if path.exists():
            found[kind] = json.loads(path.read_text())
    print(environment())
    shown = [[WORDS[name], *(f"{row[name]:.4g}" for row in found.values()), PUBLISHED[name]] for name in PUBLISHED]
    shown.append(["upper bound of the Lipschitz constant", *(f"{row['constant']:.3g}" for row in found.values()), ""])
    shown.append(["seconds of training", *(f"{row['seconds']:.0f}" for row in found.values()), ""])
    print(table(["", *found, "published (1-Lipschitz / conventional)"], shown))
    print(table(["certified accuracy at", *(f"{each:g}" for each in DISTANCES)],
                [[kind, *(f"{each:.3f}" for each in row["certified"])] for kind, row in found.items()]))  # fmt: skip
    if options.figure:
        from xsparks.plots import plot_curves

        curves: dict[str, Any] = {
            kind: (np.array(DISTANCES), np.array(row["certified"])) for kind, row in found.items()
        }
        drawing = plot_curves(curves, xlabel="Euclidean distance", ylabel="certified accuracy", area=False)
        drawing.figure.savefig(options.figure, dpi=150)


def main() -> None:
    """Costs, runs or shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "run", "show"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=10000)
    parser.add_argument("--explained", type=int, default=200)
    parser.add_argument("--radius", type=float, default=0.05)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lipschitz")
    parser.add_argument("--figure", type=Path, help="where show draws certified accuracy by distance")
    options = parser.parse_args()
    if options.what == "cost":
        cost()
        return
    if options.what == "run":
        for kind in KINDS:
            measured(kind, options)
    show(options)


if __name__ == "__main__":
    main()
