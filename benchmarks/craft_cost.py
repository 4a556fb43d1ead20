"""One measurement of the cost of CRAFT in a process of its own; prints a line of JSON.

Called by `craft.py` as `python craft_cost.py fit | explain | weigh | sobol | maps | importances | pure SETTINGS`, with
the settings as JSON. For the peer it runs under the peer's own Python and needs nothing of xsparks. What a step finds
is left in a folder for the next one, and for the comparison of what was found.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from measuring import environment, imagenette, network, peak_megabytes, preprocess_of, seconds


def photographs_of(settings: dict[str, Any], split: str, count: int) -> np.ndarray:
    """Photographs as the network eats them."""
    images = imagenette(settings["class"], split, count).astype(np.float32)
    return images / 127.5 - 1 if preprocess_of(settings["network"]) == "tf" else images


def pure_passes(model: Any, images: np.ndarray, batch: int) -> Callable[[int], None]:
    """So many compiled forwards through the network and nothing else, the input ready."""
    inputs = tf.constant(images[np.arange(batch) % len(images)])
    run = tf.function(lambda given: model(given, training=False))
    run(inputs).numpy()

    def passes(count: int) -> None:
        for start in range(0, count, batch):
            # A slice is a copy: only where the batch is not full.
            run(inputs if count - start >= batch else inputs[: count - start]).numpy()

    passes(batch + 1)
    return passes


def crops_of(settings: dict[str, Any]) -> int:
    """How many crops both libraries show."""
    return settings["images"] * (1 + (224 - settings["patch"]) // int(0.8 * settings["patch"])) ** 2


# Photographs whose importances are computed alone.
WEIGHED = 60


class Own:
    """CRAFT of xsparks."""

    def __init__(self, settings: dict[str, Any], model: Any, importance: str = "auto"):
        from xsparks.concepts import CRAFT

        self.kind, self.settings = CRAFT, settings
        self.options: dict[str, Any] = {
            "layer": settings["layer"],
            "number_of_concepts": settings["concepts"],
            "patch_size": settings["patch"],
            "batch_size": settings["batch"],
            # The peer shows all images that it gets.
            "predicted_only": False,
            "importance": importance,
            "progress": False,
        }
        self.model, self.path = model, Path(settings["folder"]) / "xsparks_fitted"
        self.craft = CRAFT(model, **self.options)

    def fit(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The concepts, kept."""
        craft = self.craft.fit(images, self.settings["class"])
        if not self.path.with_suffix(".npz").exists():
            craft.save(self.path)
        return {"atoms": craft.dictionary_, "codes": craft.learned_.coefficients}

    def asked(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The concepts of images, their maps and importances at once."""
        craft = self.kind.load(self.path, self.model, batch_size=self.settings["batch"], progress=False)
        if self.options["importance"] != "auto":
            # What was fitted, asked in another way.
            other = craft.replace(importance=self.options["importance"])
            other._learn(craft.learned_)
            craft = other

        def ask(images: np.ndarray) -> dict[str, np.ndarray]:
            found = craft.explain(images)
            return {"maps": found.values, "importances": found.global_importances}

        return ask

    def weighed(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The mean importances of images whose coefficients are there, after a first call that finds these."""
        craft = self.kind.load(self.path, self.model, batch_size=self.settings["batch"], progress=False)
        found: list[Any] = []

        def weigh(images: np.ndarray) -> dict[str, np.ndarray]:
            if not found:
                found.append(craft.explain(images))
            return {"importances": craft.importances(found[0]).mean(axis=0)}

        return weigh


class Peer:
    """`CraftTf` of Xplique."""

    def __init__(self, settings: dict[str, Any], model: Any):
        from xplique.concepts import CraftTf

        cut = model.get_layer(settings["layer"]).output
        halves = keras.Model(model.inputs[0], cut), keras.Model(cut, model.outputs[0])
        sizes = {"batch_size": settings["batch"], "patch_size": settings["patch"]}
        self.craft = CraftTf(*halves, number_of_concepts=settings["concepts"], **sizes)
        self.settings, self.path = settings, Path(settings["folder"]) / "xplique_fitted.pickle"

    def fit(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The concepts, kept."""
        _, codes, atoms = self.craft.fit(images, class_id=self.settings["class"])
        if not self.path.exists():
            self.path.write_bytes(pickle.dumps(self.craft.factorization.reducer))
        return {"atoms": atoms, "codes": codes}

    def _fitted(self) -> Any:
        from xplique.concepts.craft import Factorization

        # Written by the step before, in the same folder.
        reducer = pickle.loads(self.path.read_bytes())
        atoms = reducer.components_.astype(np.float32)
        self.craft.factorization = Factorization(None, self.settings["class"], None, reducer, None, atoms)
        return self.craft

    def mapped(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The maps of images."""
        craft = self._fitted()
        return lambda images: {"maps": craft.transform(images)}

    def weighed(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """The mean importances over images."""
        craft = self._fitted()
        return lambda images: {"importances": craft.estimate_importance(images)}


def measured(what: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a step and of as many pure forwards, in turn, and the peak of its first run."""
    model, own = network(settings["network"]), settings["library"] == "xsparks"
    fits, alone = what in ("fit", "pure"), what == "weigh"
    count = WEIGHED if alone else settings["images" if fits else "explained"]
    # Of validation photographs there are fewer than are weighed.
    images = photographs_of(settings, "train" if fits or alone else "val", count)
    if what == "pure":
        pure_passes(model, images, settings["batch"])(crops_of(settings))
        return {"peak": peak_megabytes()}
    side = Own(settings, model, "sobol" if what == "sobol" else "auto") if own else Peer(settings, model)
    steps = {"explain": "asked", "sobol": "asked", "weigh": "weighed", "maps": "mapped", "importances": "weighed"}
    run = side.fit if fits else getattr(side, steps[what])()
    found = run(images)
    peak = peak_megabytes()
    np.savez(Path(settings["folder"]) / f"{settings['library']}_{what}.npz", **found)
    passes, forwards = pure_passes(model, images, settings["batch"]), crops_of(settings) if fits else count
    pairs, processor = [], []
    for _ in range(settings["repeats"]):
        both = [timed(lambda: run(images)), timed(lambda: passes(forwards))]
        pairs.append([wall for wall, _ in both])
        processor.append([used for _, used in both])
    found = {"pairs": pairs, "processor": processor, "peak": peak, "forwards": forwards}
    return {**found, "environment": environment()}


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Wall seconds of one call, and those of processors, which other work on the machine hardly changes."""
    start = time.process_time()
    wall = seconds(function)
    return wall, time.process_time() - start


def compared(settings: dict[str, Any]) -> dict[str, Any]:
    """What the libraries found, on the same photographs: errors on what was not shown, and C-Insertion."""
    from xsparks.concepts import Dictionary

    model, folder = network(settings["network"]), Path(settings["folder"])
    cut = model.get_layer(settings["layer"]).output
    before, after = keras.Model(model.inputs[0], cut), keras.Model(cut, model.outputs[0])
    images = photographs_of(settings, "val", settings["explained"])
    answers = before.predict(images, batch_size=settings["batch"], verbose=0)
    rows = answers.reshape(-1, answers.shape[-1])
    found: dict[str, Any] = {"logit": after.predict(answers, verbose=0)[:, settings["class"]].tolist()}
    for library, maps_of, weights_of in (
        ("xsparks", "explain", "explain"),
        ("xsparks, Sobol", "explain", "sobol"),
        ("xplique", "maps", "importances"),
    ):
        paths = [folder / f"{library.split(',')[0]}_{step}.npz" for step in ("fit", maps_of, weights_of)]
        if not all(path.exists() for path in paths):
            continue
        atoms, maps, weights = (np.load(path)[name] for path, name in zip(paths, NAMES, strict=True))
        exact = np.asarray(Dictionary(atoms=atoms).encode(rows)) @ atoms
        made = maps.reshape(len(rows), -1) @ atoms
        whole = np.linalg.norm(rows)
        errors = [float(np.linalg.norm(rows - each) / whole) for each in (made, exact)]
        curves = {}
        for name, inserts in (("insertion", True), ("deletion", False)):
            curve = []
            for step in range(len(atoms) + 1):
                strengths = np.full(len(atoms), float(not inserts), np.float32)
                strengths[np.argsort(-weights, kind="stable")[:step]] = inserts
                scores = after.predict((maps * strengths) @ atoms, batch_size=settings["batch"], verbose=0)
                curve.append(scores[:, settings["class"]])
            curves[name] = np.trapezoid(curve, dx=1 / len(atoms), axis=0).tolist()
        found[library] = {"error": errors[0], "exact": errors[1], **curves, "weights": np.asarray(weights).tolist()}
    return found


NAMES = ("atoms", "maps", "importances")


if __name__ == "__main__":
    chosen = json.loads(sys.argv[2])
    print(json.dumps(compared(chosen) if sys.argv[1] == "compare" else measured(sys.argv[1], chosen)))
