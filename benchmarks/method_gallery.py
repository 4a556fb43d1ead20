"""Draws the maps of every method on eight photographs, for two real networks, and on pictures that are not square.

    python benchmarks/method_gallery.py OUT [--networks mobilenet_v2 resnet50 wide] [--methods rise sobol] [--again]

The photographs are the first that both networks name rightly and whose labelled object fills between 5 and 45 percent
of the picture, one of each class; nothing is picked by hand. `wide` is MobileNetV2 at 192 x 256 pixels: it is built
anew and has the same weights, as none of them knows the size of the input. The true box is drawn on every map. Maps are
kept in OUT/maps, so that a stopped run goes on; `--again` makes them anew.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import class_names, environment, network, photographs, preprocess_of

COUNT, WIDE_COUNT, COLUMNS = 8, 2, 8
SQUARE, WIDE = (224, 224), (192, 256)
NETWORKS = {
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet-50",
    "wide": "MobileNetV2 at 192 x 256",
}
# From fast and local to slow and regional, so that figures can be read from left to right.
ORDER = (
    *("saliency", "gradientinput", "guidedbackprop", "deconvnet"),
    *("smoothgrad", "squaregrad", "vargrad", "integratedgradients", "expectedgradients"),
    *("gradcam", "gradcampp", "layercam", "fem", "scorecam", "sise"),
    *("occlusion", "rise", "lime", "kernelshap", "hsic", "sobol"),
)
# A pass of ResNet-50 takes eight times as long, so it gets fewer: a quarter of an hour on two cores in all.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "mobilenet_v2": {
        "integratedgradients": {"steps": 24},
        "expectedgradients": {"samples": 32},
        **{name: {"samples": 24} for name in ("smoothgrad", "squaregrad", "vargrad")},
        "scorecam": {"channels": 128},
        "sise": {"channels": 32},
        "rise": {"samples": 500},
        "lime": {"samples": 300},
        "kernelshap": {"samples": 400},
        "hsic": {"samples": 400},
    },
    "resnet50": {
        "integratedgradients": {"steps": 12},
        "expectedgradients": {"samples": 12},
        **{name: {"samples": 10} for name in ("smoothgrad", "squaregrad", "vargrad")},
        "scorecam": {"channels": 32},
        "sise": {"channels": 8},
        "occlusion": {"patch_size": 48, "patch_stride": 30},
        "rise": {"samples": 128},
        "lime": {"samples": 80, "grid_size": 6},
        "kernelshap": {"samples": 96, "grid_size": 6},
        "hsic": {"samples": 96, "grid_size": 6},
        "sobol": {"grid_size": 6, "nb_design": 3},
    },
}


class Pictures:
    """Photographs, their labels, and their true boxes as masks."""

    def __init__(self, names: list[str], size: tuple[int, int]):
        kept = [one for one in photographs(500, size=size) if one[0] in names]
        self.names = [name for name, *_ in kept]
        self.images = np.stack([image for _, image, _, _ in kept])
        self.labels = np.array([label for _, _, label, _ in kept])
        self.masks = np.stack([inside(boxes, size) for *_, boxes in kept])


def inside(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which pixels lie in a box, `(h, w)`."""
    mask = np.zeros(size, bool)
    for left, top, right, bottom in np.round(boxes).astype(int):
        mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return mask


def chosen_photographs(count: int) -> list[str]:
    """The files of the first photographs that suit."""
    models = {name: network(name) for name in ("mobilenet_v2", "resnet50")}
    files, classes = [], set()
    for file, image, label, boxes in photographs(500):
        if label in classes or not 0.05 <= inside(boxes, SQUARE).mean() <= 0.45:
            continue
        pictures = {"mobilenet_v2": image / 127.5 - 1, "resnet50": image}
        if all(np.argmax(model(pictures[name][None].astype(np.float32))) == label for name, model in models.items()):
            files.append(file)
            classes.add(label)
        if len(files) == count:
            break
    return files


def built(name: str) -> Any:
    """The network of this name."""
    if name != "wide":
        return network(name)
    import keras

    wide = keras.applications.MobileNetV2(input_shape=(*WIDE, 3), weights=None, classifier_activation=None)
    wide.set_weights(network("mobilenet_v2").get_weights())
    return wide


def explained(name: str, model: Any, method: str, pictures: Pictures, folder: Path, again: bool) -> Any:
    """The explanation of one method, from its file where there is one."""
    from xsparks.attributions.catalogue import methods
    from xsparks.engine import Explanation

    base = "mobilenet_v2" if name == "wide" else name
    options = dict(SETTINGS[base].get(method, {}))
    if name == "wide":
        # Cells of the same height and width.
        options |= {"grid_size": (6, 8)} if method in ("rise", "lime", "kernelshap", "hsic", "sobol") else {}
    path, marks = folder / f"{name}_{method}", folder / f"{name}_{method}.settings.json"
    settings = json.dumps({"options": options, "photographs": pictures.names}, sort_keys=True)
    if not again and marks.exists() and marks.read_text() == settings:
        return Explanation.load(path)
    if method == "expectedgradients":
        size = WIDE if name == "wide" else SQUARE
        others = [image for file, image, _, _ in photographs(40, start=100, size=size) if file not in pictures.names]
        options["references"] = np.stack(others[:32]).astype(np.float32)
    start = time.perf_counter()
    explainer = methods()[method](
        model, preprocess=preprocess_of(base), class_names=class_names(), progress=False, **options
    )
    maps = explainer.explain(pictures.images, pictures.labels)
    maps.save(path)
    marks.write_text(settings)
    print(f"{name} {method}: {time.perf_counter() - start:.0f} s", flush=True)
    return maps


def draw(name: str, pictures: Pictures, wanted: list[str], out: Path, again: bool) -> None:
    """The figures of one network, at most eight methods each."""
    from xsparks.plots import plot_comparison

    folder = out / "maps"
    folder.mkdir(parents=True, exist_ok=True)
    model = built(name)
    found = {method: explained(name, model, method, pictures, folder, again) for method in wanted}
    titles = next(iter(found.values())).titles()
    # As even as can be.
    sheets = np.array_split(np.array(wanted), -(-len(wanted) // COLUMNS))
    for number, sheet in enumerate(sheets, start=1):
        maps = {found[method].method: found[method].maps for method in sheet}
        drawing = plot_comparison(pictures.images, maps, titles=titles, masks=pictures.masks)
        file = out / f"{name}_{number}.png"
        drawing.figure.savefig(file, dpi=110, metadata={"Software": None})
        print(f"wrote {file}: {NETWORKS[name]}, {', '.join(maps)}", flush=True)


def main(arguments: argparse.Namespace) -> None:
    """All figures that are asked for."""
    from xsparks.attributions.catalogue import methods

    known = methods()
    ordered = [name for name in ORDER if name in known] + [name for name in known if name not in ORDER]
    unknown = sorted({*arguments.methods} - {*known})
    if unknown:
        raise SystemExit(f"no such method: {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = [name for name in ordered if not arguments.methods or name in arguments.methods]
    print(json.dumps(environment()))
    start = time.perf_counter()
    files = chosen_photographs(arguments.photographs)
    print("photographs:", ", ".join(files))
    for name in arguments.networks:
        few = files[:WIDE_COUNT] if name == "wide" else files
        draw(name, Pictures(few, WIDE if name == "wide" else SQUARE), wanted, arguments.out, arguments.again)
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", nargs="*", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--methods", nargs="*", default=[], help="names of the catalogue; all without it")
    parser.add_argument("--photographs", type=int, default=COUNT)
    parser.add_argument("--again", action="store_true", help="make all maps anew")
    main(parser.parse_args())
