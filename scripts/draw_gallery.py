"""Draws the figures of the documentation on the embedded data set; nothing is picked by hand.

    python scripts/draw_gallery.py docs/images

The images are the first of seed 7; the network is the one that ships with the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

import xsparks
from xsparks.attributions import GradCAM, GuidedBackprop, Saliency, SmoothGrad, SobolAttribution
from xsparks.concepts import CRAFT
from xsparks.datasets import shapes
from xsparks.features import MACO
from xsparks.lipschitz import LipschitzCertificate, SoftHKR, TransportCounterfactuals, to_lipschitz
from xsparks.metrics import Deletion, Insertion, ModelRandomization
from xsparks.plots import plot_comparison, plot_concept_crops, plot_curves

SEED, COUNT = 7, 5
# Few masks do for pictures as small as these.
METHODS = {
    "methods_black_box": (["sobol", "hsic", "occlusion", "rise", "lime", "kernelshap"], {"samples": 600}),
    "methods_activation": (["gradcam", "gradcampp", "layercam", "scorecam", "fem", "sise"], {}),
    "methods_gradient": (
        ["saliency", "gradientinput", "integratedgradients", "smoothgrad", "squaregrad", "vargrad"],
        {"samples": 100},
    ),
    "methods_rules": (["guidedbackprop", "deconvnet"], {}),
}


def save(figure, folder: Path, name: str) -> None:
    """Writes a figure as a PNG of moderate size, without the date, so that the same figure is the same file."""
    figure.savefig(folder / name, dpi=110, metadata={"Software": None})


def draw(folder: Path) -> None:
    """All figures."""
    folder.mkdir(parents=True, exist_ok=True)
    model, data = shapes.load_model(), shapes.load(COUNT, seed=SEED)
    titles = [data.class_names[label] for label in data.labels]
    sobol = SobolAttribution(model, class_names=data.class_names, progress=False)
    maps = sobol.explain(data.images, data.labels)
    save(maps.plot(data.images, masks=data.masks, columns=COUNT).figure, folder, "sobol.png")

    kinds = {
        "smoothed": maps.maps,
        "unsmoothed": sobol.replace(smooth=False).explain(data.images, data.labels).maps,
        "published design": sobol.replace(design="paper", smooth=False).explain(data.images, data.labels).maps,
        "signed": sobol.replace(signed=True).explain(data.images, data.labels).maps,
    }
    metrics = {
        "Deletion": Deletion(model, data.images, data.labels, progress=False),
        "Insertion": Insertion(model, data.images, data.labels, progress=False),
    }
    scores = {kind: {name: float(metric(found)) for name, metric in metrics.items()} for kind, found in kinds.items()}
    comparison = plot_comparison(data.images, kinds, scores=scores, titles=titles, masks=data.masks)
    save(comparison.figure, folder, "sobol_kinds.png")

    for name, (methods, options) in METHODS.items():
        compared = xsparks.compare(model, data.images, data.labels, methods=methods, progress=False, **options)
        save(compared.plot(titles=titles, masks=data.masks, size=1.3).figure, folder, f"{name}.png")

    many = shapes.load(48, seed=SEED)
    deletion = Deletion(model, many.images, many.labels, progress=False)
    rows, columns = np.mgrid[: many.images.shape[1], : many.images.shape[2]]
    height, width = many.images.shape[1:3]
    centre = -np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    chance = np.random.default_rng(SEED).random(many.images.shape[:3])
    curves = {}
    for name, found in {
        "Sobol": sobol,
        "centre of the image": np.broadcast_to(centre, chance.shape),
        "random order": chance,
    }.items():
        score = deletion(found)
        curves[name] = (score.curve[0], score.curve[1].mean(axis=0), score.curve_interval())
    drawing = plot_curves(
        curves, xlabel="fraction of pixels deleted", ylabel="probability of the class", title="Deletion, 48 images"
    )
    save(drawing.figure, folder, "deletion.png")
    save(leaderboard(model, many).figure, folder, "leaderboard.png")
    save(randomization(model, many).figure, folder, "randomization.png")
    draw_concepts(model, folder)
    draw_features(model, many, folder)
    draw_lipschitz(folder)


def draw_features(model, data, folder: Path) -> None:
    """What each of six classes looks like to the network, beside images of it; and how one picture came to be."""
    named = {name: data.images[data.labels == number][:3] for number, name in enumerate(data.class_names[:6])}
    # Crops of half the picture at least, because this network reads 64 pixels.
    options = {"image_size": 96, "crop_size": (1.0, 0.5), "steps": 96, "crops": 8}
    maco = MACO(model, class_names=data.class_names, variants=3, stages=5, seed=SEED, progress=False, **options)
    seen = maco.explain(targets=list(range(6)))
    gallery = seen.plot_gallery(named, headings=("drawn by MACO", "images of the class"), size=1.0)
    save(gallery.figure, folder, "features.png")
    save(seen.plot_progress(3).figure, folder, "features_progress.png")


def draw_concepts(model, folder: Path) -> None:
    """What the network looks for in arrows: crops of each concept, and where the concepts are."""
    data = shapes.load(400, seed=SEED)
    arrow = data.class_names.index("arrow")
    images = data.images[data.labels == arrow]
    options = {"number_of_concepts": 5, "patch_size": 24, "class_names": data.class_names, "progress": False}
    craft = CRAFT(model, layer="block4", **options).fit(images, arrow)
    found = craft.explain(images)
    names = [f"concept {number}: {found.global_importances[number]:.0%}" for number in range(found.concepts)]
    crops = craft.crops(images, 10, found.ranking.tolist())
    rows = {names[number]: crops[number] for number in crops}
    save(plot_concept_crops(rows).figure, folder, "concept_crops.png")
    order = found.ranking.tolist()
    few, own = found[:COUNT], {"concepts": order, "names": [names[number] for number in order]}
    save(few.plot(images[:COUNT], columns=COUNT, size=1.6, **own).figure, folder, "concepts.png")


def draw_lipschitz(folder: Path) -> None:
    """Gradients of a conventional and of a 1-Lipschitz network, and what would make each see the other class."""
    data = shapes.load(4000, seed=SEED, size=(32, 32))
    data = data[np.isin(data.labels, [0, 4])]
    images, labels = data.masks[..., None].astype("float32"), (data.labels == 4).astype("int32")
    seen, maps, changes = images[:COUNT], {}, {}
    for kind in ("conventional", "1-Lipschitz"):
        network = silhouettes_network(kind, images[200:], labels[200:])
        certified = LipschitzCertificate(network).certify(images[:200], labels[:200])
        print(f"{kind}: {np.mean(certified.correct):.2f} right, median radius {np.median(certified.radii):.2f}")
        maps[f"gradient, {kind}"] = Saliency(network, progress=False).explain(seen, labels[:COUNT]).maps
        other = TransportCounterfactuals(network, strength=3.0, progress=False).explain(seen)
        changes[f"change, {kind}"] = other.images - seen
    titles = [("disc", "star")[label] for label in labels[:COUNT]]
    save(plot_comparison(seen, {**maps, **changes}, titles=titles, size=1.3).figure, folder, "lipschitz.png")


def silhouettes_network(kind: str, images, labels):
    """A small network that tells discs from stars."""
    keras.utils.set_random_seed(SEED)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(4),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    )
    loss, rate = keras.losses.SparseCategoricalCrossentropy(from_logits=True), 1e-3
    if kind == "1-Lipschitz":
        network = to_lipschitz(network, maxiter_bjorck=6)
        loss, rate = SoftHKR(alpha=5.0, min_margin=0.5, temperature=10.0), 1e-2
    network.compile(keras.optimizers.Adam(rate), loss)
    network.fit(images, labels, batch_size=64, epochs=10, verbose=0)
    return network


def leaderboard(model, data):
    """Eight methods by six metrics, beside maps that know nothing of the network."""
    methods = ["sobol", "rise", "kernelshap", "occlusion", "gradcam", "smoothgrad", "integratedgradients", "saliency"]
    metrics = ["deletion", "insertion", "mufidelity", "sparseness", "pointinggame", "relevancerank"]
    result = xsparks.evaluate(
        model, data.images, data.labels, methods, metrics, regions=data.masks, samples=600, progress=False
    )
    return result.plot()


def randomization(model, data):
    """How alike maps stay while the weights of the network are drawn anew, from the last layer down."""
    metric = ModelRandomization(model, data.images[:16], data.labels[:16], progress=False)
    curves = {}
    for method in (Saliency, SmoothGrad, GuidedBackprop, GradCAM):
        score = metric(method(model, progress=False))
        curves[method.__name__] = (score.curve[0], score.curve[1].mean(axis=0), score.curve_interval())
    return plot_curves(
        curves,
        xlabel="layers with new weights, the last first",
        ylabel="likeness of the maps",
        title="Model randomisation, 16 images",
    )


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
