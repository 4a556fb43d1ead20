"""Does fine-tuning with boxes or gaze bring a network of photographs nearer to people, and does it stay as accurate?

    python benchmarks/harmonized_imagenet.py run [--epochs 2] [--rate 3e-5] [--sources boxes gaze] [--repeats 1]
    python benchmarks/harmonized_imagenet.py show

MobileNetV2, fine-tuned for a few epochs of pictures and their mirror images, with its batch normalisation frozen. Human
maps are, coarsely, the boxes of 350 validation photographs of ImageNet (150 are held out; boxes of which less than a
quarter is in the crop do not count), or where people looked at 120 photographs of OSIE (55 are held out; labels are
what the original network answers). Each is done without maps and with each of --recipes. Measured on both held-out
sets: alignment of `Saliency` with the maps (Spearman, of pixels and of means over 16 x 16), the share of it in the
boxes, and how often the answer is right, on OSIE that of the original network. Values of every picture are kept in
--out, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
from measuring import data_folder, environment, kept, mean_interval, network, photographs, preprocess_of, table

from xsparks.alignment import Harmonization, HumanAlignment, heatmaps_of
from xsparks.attributions import Saliency
from xsparks.metrics import RelevanceMass

NETWORK, SIDE, BATCH = "mobilenet_v2", 224, 16
TRAINED = {"boxes": 350, "gaze": 120}
ORIGINAL, WITHOUT = "original", "without"
# A distance, a saliency and a weight of `Harmonization`.
RECIPES = ["pyramid/gradient/1", "soft_rank/absolute_gradient/30"]
BASELINES = ("centre", "edges", "null")
# Seconds, on two cores: of a picture and epoch with maps and without, of the first step, of measuring a network.
SECONDS, TRACING, MEASURING = (0.12, 0.06), 25, 45
OUT = Path(__file__).parent / "results" / "harmonized_imagenet"


class Pictures(NamedTuple):
    """Photographs with labels, and human maps of which some are empty."""

    images: np.ndarray
    labels: np.ndarray
    maps: np.ndarray

    def part(self, chosen: Any) -> Pictures:
        """Some of them."""
        return Pictures(*(values[chosen] for values in self))

    def mirrored(self) -> Pictures:
        """All of them, and each mirrored left to right."""
        images, maps = (np.concatenate([each, each[:, :, ::-1]]) for each in (self.images, self.maps))
        return Pictures(images, np.tile(self.labels, 2), maps)

    @property
    def mapped(self) -> np.ndarray:
        """Which have a map that says something, `(n,)` bool."""
        return np.ptp(self.maps.reshape(len(self.maps), -1), axis=1) > 0


def boxed(count: int) -> Pictures:
    """Validation photographs of ImageNet with the boxes of the labelled object."""
    _, images, labels, boxes = zip(*photographs(count), strict=True)
    given = [inside(each) for each in boxes]
    return Pictures(np.stack(images), np.array(labels), heatmaps_of(given, "boxes", (SIDE, SIDE)))


def inside(boxes: np.ndarray) -> np.ndarray | None:
    """The boxes as far as they lie in the crop; None without any."""
    boxes = np.clip(boxes, 0, SIDE)
    boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    return boxes if len(boxes) else None


def gazed(count: int) -> Pictures:
    """Photographs of OSIE and where people looked: the middle square, in the size of the network."""
    folder = data_folder() / "osie_gaze"
    with open(folder / "index.csv", newline="") as file:
        rows = list(csv.DictReader(file))[:count]
    pictures = [np.asarray(cv2.imread(str(folder / "images" / row["image"])))[..., ::-1] for row in rows]
    images = np.stack([square(each) for each in pictures])
    gaze = [cv2.imread(str(folder / "fixation_maps" / row["fixation_map"]), cv2.IMREAD_GRAYSCALE) for row in rows]
    maps = heatmaps_of([square(np.asarray(each)) for each in gaze], "maps", (SIDE, SIDE))
    answers = network(NETWORK).predict(as_fed(images), batch_size=BATCH, verbose=0).argmax(axis=1)
    return Pictures(images, answers, maps)


def square(image: np.ndarray) -> np.ndarray:
    """The middle of a picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = np.ascontiguousarray(image[top : top + side, left : left + side])
    return cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def as_fed(images: np.ndarray) -> np.ndarray:
    """What the network eats."""
    return images.astype(np.float32) / 127.5 - 1


def fine_tuned(data: Pictures, recipe: str, repeat: int, given: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The network after some epochs, and its curves; all recipes see the pictures in the same order."""
    keras.utils.set_random_seed(repeat)
    model = network(NETWORK)
    for layer in model.layers:
        # So few pictures would spoil its means, and frozen it is in inference mode.
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(given.rate), loss, metrics=["accuracy"])
    targets: Any = data.labels
    callbacks = []
    if recipe != WITHOUT:
        distance, saliency, weight = recipe.split("/")
        heatmaps = heatmaps_of(data.maps, "maps", (SIDE, SIDE), blur=given.blur)
        targets = {"label": data.labels, "heatmap": heatmaps, "has_heatmap": data.mapped.astype(np.float32)}
        callbacks = [Harmonization(weight=float(weight), distance=distance, saliency=saliency, epsilon=1e-8)]
    history = model.fit(
        as_fed(data.images), targets, batch_size=BATCH, epochs=given.epochs, verbose=2, callbacks=callbacks
    )
    return model, {name: [float(value) for value in values] for name, values in history.history.items()}


def measured(model: Any, held_out: dict[str, Pictures], baselines: bool) -> dict[str, Any]:
    """What is measured of each held-out picture that has a map, and whether the answer to each is right."""
    found: dict[str, Any] = {}
    for name, data in held_out.items():
        answers = model.predict(as_fed(data.images), batch_size=BATCH, verbose=0).argmax(axis=1)
        found[name] = {"right": (answers == data.labels).astype(int).tolist()}
        seen = data.part(data.mapped)
        maps = Saliency(model, preprocess=preprocess_of(NETWORK), batch_size=BATCH).explain(seen.images, seen.labels)
        human = HumanAlignment(seen.maps, inputs=seen.images.astype(np.float32), scales=(), null_draws=5 * baselines)
        score = human.evaluate(maps)
        found[name]["alignment"] = score.per_sample.tolist()
        coarse = HumanAlignment(of_squares(seen.maps), scales=(), null_draws=0)
        found[name]["coarse"] = coarse.evaluate(of_squares(maps.maps[..., 0])).per_sample.tolist()
        if name == "boxes":
            found[name]["mass"] = RelevanceMass(seen.maps > 0)(maps).per_sample.tolist()
        if baselines:
            found[name] |= {each: getattr(score, each).tolist() for each in BASELINES}
    return found


def of_squares(maps: np.ndarray) -> np.ndarray:
    """Means over squares of 16 x 16 pixels."""
    side = SIDE // 16
    return maps.reshape(-1, side, 16, side, 16).mean(axis=(2, 4))


def run(given: argparse.Namespace) -> None:
    """All trainings that are not finished."""
    sizes = {name: min(TRAINED[name], given.most or TRAINED[name]) for name in given.sources}
    recipes = [WITHOUT, *given.recipes]
    wanted = [(source, recipe, repeat) for repeat in range(given.repeats) for source in sizes for recipe in recipes]
    settings = {name: getattr(given, name) for name in ("epochs", "rate", "blur", "most")}
    left = [each for each in wanted if kept(path_of(given, *each), settings) is None]
    passes = sum(sizes[source] * SECONDS[recipe == WITHOUT] for source, recipe, _ in left) * 2 * given.epochs
    minutes = (passes + len(left) * (TRACING + MEASURING)) / 60
    print(f"{len(left)} trainings are left, about {minutes:.0f} minutes on two cores", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    every = {"boxes": boxed(500), "gaze": gazed(175)}
    held_out = {
        name: data.part(slice(TRAINED[name], given.most and TRAINED[name] + given.most)) for name, data in every.items()
    }
    path = given.out / f"{ORIGINAL}.json"
    if kept(path, {"most": given.most}) is None:
        keep(path, {"most": given.most}, measured(network(NETWORK), held_out, baselines=True))
    for source, recipe, repeat in left:
        start = time.perf_counter()
        model, curves = fine_tuned(every[source].part(slice(sizes[source])).mirrored(), recipe, repeat, given)
        took = time.perf_counter() - start
        record = measured(model, held_out, baselines=False)
        keep(path_of(given, source, recipe, repeat), settings, {**record, "curves": curves, "seconds": took})
        print(f"{source} {recipe}: {took:.0f} s, {time.perf_counter() - start:.0f} s with measuring", flush=True)
        keras.backend.clear_session()
    show(given)


def path_of(given: argparse.Namespace, source: str, recipe: str, repeat: int) -> Path:
    """Where a training is kept."""
    return given.out / f"{source}-{recipe.replace('/', '-')}-{repeat}.json"


def keep(path: Path, settings: dict[str, Any], record: dict[str, Any]) -> None:
    """Writes what a training gave."""
    path.write_text(json.dumps({"settings": settings, "environment": environment(), **record}))


def show(given: argparse.Namespace) -> None:
    """The tables, in Markdown: means and 95 % bootstrap intervals over pictures."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))}
    print(records[ORIGINAL]["environment"])
    for name in TRAINED:
        original, rows = records[ORIGINAL][name], []
        columns = [column for column in ("alignment", "coarse", "mass", "right") if column in original]
        for training, record in records.items():
            control = records.get(control_of(training), records[ORIGINAL])[name]
            differences = [gained(record[name][column], control[column]) for column in columns]
            over = gained(record[name]["alignment"], original["centre"])
            cells = [interval(record[name][column]) for column in columns]
            rows.append([training, *cells, *([""] * len(columns) if training == ORIGINAL else differences), over])
        rows += [[f"*{each}*", interval(original[each]), *[""] * (2 * len(columns))] for each in BASELINES]
        print(f"\n{name}: {len(original['alignment'])} held-out maps, {len(original['right'])} pictures\n")
        differences = [f"{column} less control, paired" for column in columns]
        print(table(["network", *columns, *differences, "alignment less the centre, paired"], rows))


def control_of(training: str) -> str:
    """Fine-tuning without maps, of the same pictures in the same order; of that, the original network."""
    if training == ORIGINAL or WITHOUT in training:
        return ORIGINAL
    source, *_, repeat = training.split("-")
    return f"{source}-{WITHOUT}-{repeat}"


def interval(values: Any) -> str:
    """Mean and interval."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(values))


def gained(values: Any, others: Any) -> str:
    """Mean and interval of paired differences."""
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*mean_interval(np.subtract(values, others)))


def main() -> None:
    """Runs or shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--sources", nargs="+", choices=tuple(TRAINED), default=list(TRAINED))
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="distance/saliency/weight of Harmonization")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2, help="over the pictures and their mirror images")
    parser.add_argument("--rate", type=float, default=3e-5)
    parser.add_argument("--blur", type=float, default=8.0, help="of the maps in training, in pixels")
    parser.add_argument("--most", type=int, default=None, help="pictures to train and to measure, for a quick look")
    given = parser.parse_args()
    run(given) if given.what == "run" else show(given)


if __name__ == "__main__":
    main()
