"""Algorithmic stability on Fashion-MNIST: MeGe and ReCo of seven methods, a random map and the picture itself.

    python benchmarks/mege.py table                          # the nine rows; says first what it costs
    python benchmarks/mege.py degrade --share 0.05 0.1 0.3   # the same networks made worse: both measures must fall
    python benchmarks/mege.py table --network lipschitz      # the 1-Lipschitz network, beside --network plain
    python benchmarks/mege.py compare                        # both of these beside the published figures
    python benchmarks/mege.py show                           # what is finished so far

The setting is that of Fel et al. 2022 made smaller: 3 folds, 6 epochs, 500 held-out pictures explained a fold, RISE
with 500 masks, integrated gradients of 32 steps and SmoothGrad of 50 pictures (the paper has 60 of both). Everything is
kept in --out: networks, maps, and a row a method, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measuring import data_folder, environment, table
from measuring import seconds as seconds_of
from mege_networks import NETWORKS, SIZE
from scipy.stats import spearmanr

from xsparks import attributions, lipschitz, metrics
from xsparks.core.randomness import generator
from xsparks.engine.record import model_digest

# Small pictures need large batches to keep two cores busy.
BATCH = 256
# Pictures of a training step.
STEP = 64
# The methods of the paper, then two controls: a map drawn for each network, and one that asks no network.
METHODS: dict[str, Callable[[Any], Any]] = {
    "Saliency": partial(attributions.Saliency, batch_size=BATCH),
    "GradientInput": partial(attributions.GradientInput, batch_size=BATCH),
    "IntegratedGradients": partial(
        attributions.IntegratedGradients, steps=32, quadrature="trapezoid", batch_size=BATCH
    ),
    "SmoothGrad": partial(attributions.SmoothGrad, samples=50, noise=0.2, batch_size=BATCH),
    "GradCAM": partial(attributions.GradCAM, batch_size=BATCH),
    "GradCAMPP": partial(attributions.GradCAMPP, batch_size=BATCH),
    "RISE": partial(attributions.RISE, samples=500, baseline="zero", batch_size=BATCH),
    "random map": lambda model: metrics.RandomMap(model, seed=int(model_digest(model)[:7], 16)),
    "picture alone": metrics.InputMap,
}
# Passes a picture and network, a gradient counted as three, for the estimate alone.
PASSES = {
    "Saliency": 3,
    "GradientInput": 3,
    "IntegratedGradients": 180,
    "SmoothGrad": 180,
    "GradCAM": 3,
    "GradCAMPP": 3,
}
PASSES |= {"RISE": 500}
# MeGe and ReCo (equation 6) of ResNet-18 and of a 1-Lipschitz network on CIFAR-10, of the paper.
PUBLISHED = {
    "Saliency": ((0.45, 0.58), (0.15, 0.81)),
    "GradientInput": ((0.55, 0.67), (0.09, 0.50)),
    "IntegratedGradients": ((0.58, 0.72), (0.11, 0.60)),
    "SmoothGrad": ((0.46, 0.60), (0.15, 0.90)),
    "GradCAM": ((0.72, 0.75), (0.64, 0.67)),
    "GradCAMPP": ((0.83, 0.54), (0.49, 0.24)),
    "RISE": ((0.57, 0.85), (0.52, 0.84)),
}
# Methods whose maps of degraded networks are cheap enough to be measured for six settings.
DEGRADED = ("GradientInput", "GradCAM", "Saliency")


def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`(images (n, 28, 28, 1) uint8, labels (n,))`, the first of the training set, in its shuffled order."""
    folder = data_folder() / "fashion_mnist"
    with gzip.open(folder / "train20k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, *SIZE)
    with gzip.open(folder / "train20k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return images[:count], labels[:count]


def training(network: str, epochs: int, kind: str = "", share: float = 0.0) -> Callable[..., keras.Model]:
    """The function that trains, with a share of the labels shuffled or of the layers randomised."""

    def whole(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> keras.Model:
        build = partial(NETWORKS[network], epochs * -(-len(x_train) // STEP))
        model = metrics.KerasTraining(build, epochs=epochs, batch_size=STEP)(x_train, y_train, x_test, y_test)
        # What is explained is the network as it would be served: its constraints are kept by then.
        return lipschitz.vanilla_model(model) if network == "lipschitz" else model

    def train(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> keras.Model:
        # Each network is made worse in its own way, as each part is trained apart.
        draw = generator(7, int(x_test.sum(dtype=np.int64)) % 2**31)
        if kind == "labels":
            chosen = draw.choice(len(y_train), round(share * len(y_train)), replace=False)
            y_train = y_train.copy()
            y_train[chosen] = draw.permutation(y_train[chosen])
        model = whole(x_train, y_train, x_test, y_test)
        if kind == "weights":
            layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
            for number in draw.choice(len(layers), math.ceil(share * len(layers)), replace=False):
                kernel = layers[number].kernel
                kernel.assign(kernel + draw.normal(0, 0.5, kernel.shape).astype("float32"))
        return model

    return train if kind else whole


def trained(options: argparse.Namespace, kind: str = "", share: float = 0.0) -> metrics.CrossTraining:
    """The networks of all folds, from --out where they are there."""
    images, labels = pictures(options.pictures)
    name = f"{options.network}_{options.pictures}_{options.epochs}" + (f"_{kind}_{share:g}" if kind else "")
    return metrics.CrossTraining(
        training(options.network, options.epochs, kind, share),
        images,
        labels,
        k_splits=options.folds,
        samples=options.samples,
        folder=options.out / name,
        tolerance=1.0 if kind else 0.03,
    )


def row_file(cross: metrics.CrossTraining, name: str, explained_class: str) -> Path:
    """Where the row of a method is kept."""
    kind = "" if explained_class == "true" else f"_{explained_class}"
    return Path(cross.folder) / f"row_{name.replace(' ', '_')}_{cross.samples}{kind}.json"


def measured(cross: metrics.CrossTraining, name: str, explained_class: str) -> dict[str, Any]:
    """The row of a method, computed unless it is there."""
    path = row_file(cross, name, explained_class)
    if path.exists():
        return json.loads(path.read_text())
    start = time.perf_counter()
    mege = metrics.MeGe(cross, explained_class=explained_class).evaluate(METHODS[name])
    seconds = time.perf_counter() - start
    reco = metrics.ReCo(cross, explained_class=explained_class).evaluate(METHODS[name])
    row = {
        "method": name,
        "mege": [float(mege), *mege.interval],
        "reco": [float(reco), *reco.interval],
        "seconds": seconds,
        "accuracies": mege.accuracies.tolist(),
        **{key: float(reco.extras[key]) for key in ("precision", "auc", "auroc", "p_value_images")},
        **{key: int(reco.extras[key]) for key in ("same_pairs", "different_pairs", "dropped_pairs", "constant_maps")},
    }
    path.write_text(json.dumps(row))
    return row


def estimate(options: argparse.Namespace, methods: list[str]) -> None:
    """Says how long it will take, by passes timed on the spot."""
    images, labels = pictures(1024)
    model = NETWORKS[options.network](1000)
    engine = attributions.Saliency(model, batch_size=BATCH).engine
    x = images[:512].astype("float32")
    engine.predict(x)
    forward = seconds_of(lambda: engine.predict(x)) / len(x)
    model.fit(images, labels, batch_size=STEP, verbose=0)
    step = seconds_of(lambda: model.fit(images, labels, batch_size=STEP, verbose=0)) / len(images)
    training_seconds = step * options.pictures * (options.folds - 1) * options.epochs
    explained = options.samples * options.folds**2
    explaining = forward * explained * sum(PASSES.get(name, 0) for name in methods)
    print(
        f"about {training_seconds / 60:.1f} minutes of training and {explaining / 60:.1f} of explaining here: "
        f"{step * 1e3:.2f} ms a training step of a picture, {forward * 1e3:.3f} ms a forward",
        flush=True,
    )


def shown(cross: metrics.CrossTraining, rows: list[dict[str, Any]]) -> str:
    """The table of the rows."""
    header = ["method", "MeGe", "ReCo (recall)", "ReCo (eq. 6)", "ReCo (mean)", "AUROC", "p", "constant", "seconds"]
    lines = []
    for row in rows:
        mege, reco = ("{:.3f} [{:.3f}, {:.3f}]".format(*row[key]) for key in ("mege", "reco"))
        forms = [f"{row[key]:.3f}" for key in ("precision", "auc", "auroc")]
        p = f"{row['p_value_images']:.1g}"
        lines.append([row["method"], mege, reco, *forms, p, row["constant_maps"], f"{row['seconds']:.0f}"])
    first = rows[0]
    counts = (("same_pairs", "pairs agree"), ("different_pairs", "contradict"), ("dropped_pairs", "are both wrong"))
    pairs = ", ".join(f"{first[key]} {words}" for key, words in counts)
    accuracies = " / ".join(f"{100 * accuracy:.1f}" for accuracy in first["accuracies"])
    return f"{Path(cross.folder).name}: accuracies {accuracies} %; {pairs}\n\n" + table(header, lines)


def compare(options: argparse.Namespace) -> None:
    """The conventional network and the 1-Lipschitz one of its architecture, and how alike the published order is."""
    kind, networks, lines = options.explained_class, ("plain", "lipschitz"), []
    rows = {}
    for network in networks:
        cross = trained(argparse.Namespace(**{**vars(options), "network": network}))
        rows[network] = {name: json.loads(row_file(cross, name, kind).read_text()) for name in METHODS}
    for name in METHODS:
        line = [name]
        for number, key in enumerate(("mege", "reco")):
            line.append(
                " -> ".join("{:.3f} [{:.3f}, {:.3f}]".format(*rows[network][name][key]) for network in networks)
            )
            line.append(" -> ".join(f"{value:.2f}" for value in PUBLISHED[name][number]) if name in PUBLISHED else "")
        lines.append(line)
    print(table(["method", "MeGe", "published", "ReCo (recall)", "published"], lines))
    for without in ((), ("GradCAM",)):
        names, found = [name for name in PUBLISHED if name not in without], []
        for number, key in enumerate(("mege", "reco")):
            for place, network in enumerate(networks):
                own = [rows[network][name][key][0] for name in names]
                rank = spearmanr(own, [PUBLISHED[name][number][place] for name in names])
                found.append(f"{key} {network} {float(rank.statistic):.2f}")
        print(f"rank correlation with the published, {len(names)} methods: " + ", ".join(found))


def degrade(options: argparse.Namespace) -> None:
    """One line a network: what share of what was destroyed, and what is left of both measures."""
    methods = options.methods or list(DEGRADED)
    lines = []
    for kind, share in [("", 0.0), *((kind, share) for kind in ("labels", "weights") for share in options.share)]:
        cross = trained(options, kind, share).fit()
        rows = [measured(cross, name, options.explained_class) for name in methods]
        values = [f"{row['mege'][0]:.3f} / {row['reco'][0]:.3f}" for row in rows]
        accuracy = 100 * float(np.mean(rows[0]["accuracies"]))
        lines.append([kind or "none", f"{100 * share:.0f} %", f"{accuracy:.1f}", *values])
        print(json.dumps(lines[-1]), flush=True)
    print(table(["shuffled or randomised", "share", "accuracy", *(f"{name}: MeGe / ReCo" for name in methods)], lines))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("table", "degrade", "compare", "show"))
    parser.add_argument("--network", choices=list(NETWORKS), default="residual")
    parser.add_argument("--pictures", type=int, default=20000, help="of the training set, all folds together")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=500, help="held-out pictures explained a fold")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=None)
    parser.add_argument("--explained-class", choices=("true", "predicted"), default="true")
    parser.add_argument("--share", nargs="+", type=float, default=[0.05, 0.1, 0.3])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mege"))
    options = parser.parse_args()
    if options.what in ("degrade", "compare"):
        {"degrade": degrade, "compare": compare}[options.what](options)
        return
    cross, methods, kind = trained(options), options.methods or list(METHODS), options.explained_class
    if options.what == "table":
        estimate(options, methods)
        print(f"training: {seconds_of(cross.fit):.0f} seconds", flush=True)
        for name in methods:
            print(json.dumps(measured(cross, name, kind)), flush=True)
        print(json.dumps(environment()))
    found = [name for name in methods if row_file(cross, name, kind).exists()]
    print(shown(cross, [measured(cross, name, kind) for name in found]) if found else "nothing is finished yet")


if __name__ == "__main__":
    main()
