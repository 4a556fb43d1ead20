"""Does harmonized training free a model of a cue that lies, and what does that cost?

    python benchmarks/harmonized_cue.py run [--weights 0 1 4] [--repeats 3] [--epochs 12] [--score logit] [--head mean]
    python benchmarks/harmonized_cue.py figures --to docs/images
    python benchmarks/harmonized_cue.py show

Pictures of `xsparks.datasets.shapes` whose corner holds a patch that always has the colour of the class. Training on
them, a network can read the patch instead of the shape. Masks of the shapes are the human maps of a share of the
pictures. On held-out pictures without a patch, and with the patch of another class: accuracy, alignment with the masks
(Spearman), and how much of the gradient lies on the patch. A network trained without patches shows what the shapes
alone give. A head that reads every place by itself ("places") can look at the corners alone; one that takes the
mean over all places ("mean") has the same gradient everywhere. What is finished is kept in --out, so that a run that
was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from measuring import environment

from xsparks.alignment import Harmonization, HumanAlignment, WeightSweep, heatmaps_of, sweep_weights
from xsparks.attributions import Saliency
from xsparks.core.files import write_json
from xsparks.datasets import shapes
from xsparks.metrics import RelevanceMass

SIDE, MEASURED = 32, 300
OUT = Path(__file__).parent / "results" / "harmonized_cue"


@cache
def pictures(count: int, seed: int, classes: tuple[str, ...], cue: float | None) -> shapes.Shapes:
    """About `count` pictures of these classes."""
    drawn = -(-count * len(shapes.CLASS_NAMES) // len(classes))
    data = shapes.load(drawn, seed=seed, difficulty=0.0, cue=cue, size=(SIDE, SIDE))
    return data[np.isin(data.labels, [shapes.CLASS_NAMES.index(name) for name in classes])]


def ids(data: shapes.Shapes, classes: tuple[str, ...]) -> np.ndarray:
    """The numbers of the labels among these classes."""
    return np.array([classes.index(shapes.CLASS_NAMES[label]) for label in data.labels])


def build(classes: int, head: str) -> Any:
    """Three convolutions with batch normalisation and a head, from pictures in [0, 255] to logits."""
    layers = keras.layers
    model: Any = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 127.5, offset=-1)])
    for filters, width in ((16, 5), (32, 3), (64, 3)):
        model.add(layers.Conv2D(filters, width, padding="same", kernel_initializer="he_normal"))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.AveragePooling2D(2))
    of_places = [layers.Flatten(), layers.Dense(64, activation="relu")]
    for layer in (*(of_places if head == "places" else [layers.GlobalAveragePooling2D()]), layers.Dense(classes)):
        model.add(layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3 if head == "places" else 3e-3), loss, metrics=["accuracy"])
    return model


class Curves(keras.callbacks.Callback):
    """Accuracy on pictures without the patch after each epoch."""

    def __init__(self, held_out: shapes.Shapes, labels: np.ndarray) -> None:
        super().__init__()
        self.held_out, self.labels, self.rows = held_out, labels, []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        found = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({**found, "uncued": accuracy(self.model, self.held_out, self.labels)})
        print(epoch, {name: round(value, 3) for name, value in self.rows[-1].items()}, flush=True)


def accuracy(model: Any, data: shapes.Shapes, labels: np.ndarray) -> float:
    """The share of pictures whose highest logit is that of their class."""
    return float((model.predict(data.images.astype("float32"), batch_size=200, verbose=0).argmax(1) == labels).mean())


class Experiment:
    """One sweep over the weight, and what it needs."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.classes = given, tuple(given.classes)
        self.seconds: dict[str, float] = {}

    def train(self, weight: float, repeat: int, cue: float | None = 1.0) -> Any:
        """A model trained with this weight; all weights of a repeat start alike and see the pictures in one order."""
        data = pictures(self.given.pictures, 1 + repeat, self.classes, cue)
        keras.utils.set_random_seed(repeat)
        model, labels = build(len(self.classes), self.given.head), ids(data, self.classes)
        held_out = pictures(self.given.held_out, 1000, self.classes, None)
        curves = Curves(held_out, ids(held_out, self.classes))
        targets: Any = labels
        callbacks: list[Any] = [curves]
        if weight > 0:
            heatmaps = heatmaps_of(data.masks, "masks", (SIDE, SIDE), blur=1.0)
            with_map = np.arange(len(data)) % 100 < 100 * self.given.share
            targets = {"label": labels, "heatmap": heatmaps, "has_heatmap": with_map.astype("float32")}
            # Gradients by inputs in [0, 255] are small: epsilon must be small against them.
            options = {"saliency": self.given.saliency, "score": self.given.score, "epsilon": 1e-8}
            callbacks = [Harmonization(weight=weight, **options), curves]
        start = time.perf_counter()
        model.fit(
            data.images.astype("float32"), targets, batch_size=64, epochs=self.given.epochs, verbose=0,
            callbacks=callbacks,
        )  # fmt: skip
        name = f"{weight:g}/{repeat}" if cue is not None else f"none/{repeat}"
        rows = {"seconds": time.perf_counter() - start, "epochs": curves.rows}
        write_json(self.given.out / f"curve_{name.replace('/', '_')}.json", rows)
        return model

    def measure(self, model: Any) -> Mapping[str, float]:
        """Accuracy and maps on held-out pictures."""
        plain = pictures(self.given.held_out, 1000, self.classes, None)
        misled = pictures(self.given.held_out, 1000, self.classes, 0.0)
        cued = pictures(self.given.held_out, 1000, self.classes, 1.0)
        labels = ids(plain, self.classes)
        some, images = slice(MEASURED), plain.images[:MEASURED].astype("float32")
        maps = Saliency(model).explain(images, labels[some])
        of_cue = Saliency(model).explain(cued.images[some].astype("float32"), labels[some])
        human = HumanAlignment(plain.masks[some], inputs=images, scales=(1, 2, 4))
        found = human.evaluate(maps)
        return {
            "accuracy": accuracy(model, plain, labels),
            "alignment": float(found),
            "misled": accuracy(model, misled, labels),
            "cued": accuracy(model, cued, labels),
            "on object": float(RelevanceMass(plain.masks[some])(maps)),
            "on patch": float(RelevanceMass(cued.cue_masks[some])(of_cue)),
            "centre": float(found.centre.mean()),
            "edges": float(found.edges.mean()),
            "null": float(found.null.mean()),
        }

    def run(self) -> None:
        """The sweep, and the network trained without patches."""
        given = self.given
        setting = {name: value for name, value in vars(given).items() if name not in ("what", "out", "to")}
        write_json(given.out / "setting.json", {**setting, **environment()})
        sweep_weights(self.train, self.measure, given.weights, given.repeats, out=given.out / "sweep.json")

        def without(weight: float, repeat: int) -> Any:
            return self.train(0.0, repeat, cue=None)

        sweep_weights(without, self.measure, [0.0], given.repeats, out=given.out / "without.json")
        show(given.out)


def kept(out: Path, name: str) -> WeightSweep:
    """A sweep from its file, with the repeats that every weight has."""
    models = json.loads((out / f"{name}.json").read_text())["models"]
    found = [key.split("/")[0] for key in models]
    weights = sorted({float(weight) for weight in found})
    repeats = min(found.count(weight) for weight in found)

    def refuse(weight: float, repeat: int) -> Any:
        raise SystemExit(f"weight {weight:g} of repeat {repeat} is not finished")

    return sweep_weights(refuse, lambda model: {}, weights, repeats, out=out / f"{name}.json", progress=False)


def show(out: Path) -> None:
    """The table, in Markdown; means over the repeats."""
    columns = {"accuracy": "no patch", "misled": "wrong patch", "cued": "right patch", "alignment": "alignment"}
    columns |= {"on object": "on the object", "on patch": "on the patch"}
    print("| training | networks | " + " | ".join(columns.values()) + " |")
    print("|---|" + "---:|" * (len(columns) + 1))
    for name, label in (("sweep", "with patches, weight {}"), ("without", "without patches")):
        models = json.loads((out / f"{name}.json").read_text())["models"]
        for weight in sorted({key.split("/")[0] for key in models}, key=float):
            rows = [row for key, row in models.items() if key.split("/")[0] == weight]
            cells = [f"{np.mean([row[column] for row in rows]):.3f}" for column in columns]
            print(f"| {label.format(weight)} | {len(rows)} | " + " | ".join(cells) + " |")
    sweep = kept(out, "sweep")
    print({name: round(float((sweep.others or {})[name].mean()), 3) for name in ("centre", "edges", "null")})
    print("knee:", sweep.knee, "front:", sweep.front.tolist())


def figures(out: Path, folder: Path) -> None:
    """The trade-off, and the curves of training."""
    from xsparks.plots import plot_curves

    sweep = kept(out, "sweep")
    trade = sweep.plot(xlabel="accuracy without the patch", ylabel="alignment with the masks")
    trade.figure.savefig(folder / "harmonized_trade_off.png", dpi=150)
    curves: dict[str, Any] = {}
    for weight in sweep.weights:
        files = sorted(out.glob(f"curve_{weight:g}_*.json"))
        rows = [[each["uncued"] for each in json.loads(file.read_text())["epochs"]] for file in files]
        curves[f"weight {weight:g}"] = (np.arange(1, len(rows[0]) + 1), np.mean(rows, axis=0))
    drawing = plot_curves(curves, xlabel="epoch", ylabel="accuracy without the patch", area=False)
    drawing.figure.savefig(folder / "harmonized_curves.png", dpi=150)


def main() -> None:
    """Runs, draws or shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "figures", "show"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--to", type=Path, default=Path("docs/images"))
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0, 4.0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--held-out", type=int, default=600)
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures that have a map")
    parser.add_argument("--saliency", default="absolute_gradient")
    parser.add_argument("--score", default="log_odds", help="what is explained: logit or log_odds")
    parser.add_argument("--head", choices=("places", "mean"), default="places")
    parser.add_argument("--classes", nargs="+", default=["disc", "ring", "square", "triangle"])
    given = parser.parse_args()
    if given.what == "run":
        Experiment(given).run()
    elif given.what == "show":
        show(given.out)
    else:
        figures(given.out, given.to)


if __name__ == "__main__":
    main()
