"""One measurement of the cost of an attribution method in a process of its own; prints a line of JSON.

Called by `attributions.py` as `python attributions_cost.py time | memory | pure | speed SETTINGS`, with the settings as
JSON. For the peer it runs under the peer's own Python and needs nothing of xsparks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attribution_cases import LAYER
from measuring import environment, network, peak_megabytes, photographs, seconds

NETWORK, SIZE = "mobilenet_v2", 224


def photographs_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Photographs in [-1, 1] and their labels."""
    _, images, labels, _ = zip(*photographs(count), strict=True)
    return np.stack(images).astype(np.float32) / 127.5 - 1, np.array(labels)


class PurePasses:
    """Compiled passes through a network and nothing else, the input ready.

    `"forward"` is the logits, `"gradient"` the logits and the gradient of the label's logit by the input, `"layer"`
    the same by the answer of the layer that class activation maps read.
    """

    def __init__(self, model: Any, images: np.ndarray, labels: np.ndarray, batch: int):
        number = np.arange(batch) % len(images)
        self.inputs, self.labels, self.batch = tf.constant(images[number]), tf.constant(labels[number]), batch
        both = keras.Model(model.inputs[0], [model.get_layer(LAYER).output, model.output])

        def gradient(inputs: Any, labels: Any, of_layer: bool) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                answer, outputs = both(inputs, training=False)
                score = tf.reduce_sum(tf.gather(outputs, labels, batch_dims=1))
            return tape.gradient(score, answer if of_layer else inputs)

        kinds = {
            "forward": lambda inputs, labels: model(inputs, training=False),
            "gradient": lambda inputs, labels: gradient(inputs, labels, of_layer=False),
            "layer": lambda inputs, labels: gradient(inputs, labels, of_layer=True),
        }
        signature = [tf.TensorSpec((None, SIZE, SIZE, 3)), tf.TensorSpec((None,), self.labels.dtype)]
        self.compiled = {kind: tf.function(run, input_signature=signature) for kind, run in kinds.items()}

    def run(self, **counts: int) -> None:
        """So many passes of each kind, in batches."""
        for kind, count in counts.items():
            for done in range(0, count, self.batch):
                size = min(self.batch, count - done)
                # A slice is a copy: only where the batch is not full.
                whole = size == self.batch
                inputs, labels = (self.inputs, self.labels) if whole else (self.inputs[:size], self.labels[:size])
                self.compiled[kind](inputs, labels).numpy()


def ours(settings: dict[str, Any], model: Any) -> tuple[Callable[..., Any], Callable[..., dict[str, int]]]:
    """A function that explains, and one that tells from its answer how many passes that took."""
    from xsparks.attributions.catalogue import method_named

    options = dict(settings["options"])
    if "references" in options:
        options["references"] = photographs_of(options["references"])[0]
    method = method_named(settings["method"], "the benchmark")
    explainer = method(model, batch_size=settings["batch"], progress=False, **options)

    def passes(explanation: Any) -> dict[str, int]:
        number = len(explanation)
        forwards, backwards = explainer.cost((SIZE, SIZE, 3))
        counts = {"forward": (forwards - backwards) * number}
        if "masks" in explanation.extras:
            # Only the answer tells how many there were; the first forward has none.
            counts["forward"] = int(explanation.masks.sum()) + number
        if backwards:
            counts[settings["kind"]] = backwards * number
        return {kind: count for kind, count in counts.items() if count}

    def explain(images: np.ndarray, labels: np.ndarray) -> Any:
        found = explainer.explain(images, labels)
        # At the size of the image, as the peer returns them.
        np.asarray(found)
        return found

    return explain, passes


def peer(settings: dict[str, Any], model: Any) -> tuple[Callable[..., Any], Callable[..., dict[str, int]]]:
    """The same of Xplique."""
    from xplique import attributions

    options = dict(settings["options"])
    if "grid" in options:
        # The cells of a grid in place of its segmentation, and mid-grey as ours, so that the work is the same.
        cell = np.arange(SIZE) // (SIZE // options["grid"])
        labels = tf.constant(cell[:, None] * options.pop("grid") + cell, tf.int32)
        options |= {"map_to_interpret_space": lambda image: labels, "ref_value": np.zeros(3, np.float32)}
    explainer = getattr(attributions, settings["method"])(model, batch_size=settings["batch"], **options)

    def explain(images: np.ndarray, labels: np.ndarray) -> Any:
        return np.asarray(explainer(images, tf.one_hot(labels, 1000)))

    return explain, lambda maps: {settings["kind"]: settings["passes"] * len(maps)}


LIBRARIES = {"xsparks": ours, "xplique": peer}


def timed(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of explaining and of as many pure passes, in turn, after one call of each that compiles."""
    model, (images, labels) = network(NETWORK), photographs_of(settings["images"])
    explain, passes = LIBRARIES[settings["library"]](settings, model)
    counts = passes(explain(images, labels))
    pure = PurePasses(model, images, labels, settings["batch"])
    pure.run(**{kind: min(number, 2 * settings["batch"]) for kind, number in counts.items()})
    pairs = [
        (seconds(lambda: explain(images, labels)), seconds(lambda: pure.run(**counts)))
        for _ in range(settings["repeats"])
    ]
    return {"pairs": pairs, "passes": counts, "environment": environment()}


def memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of explaining once, less the maps that are returned."""
    images, labels = photographs_of(settings["images"])
    explain, _ = LIBRARIES[settings["library"]](settings, network(NETWORK))
    found = explain(images, labels)
    extras = getattr(found, "extras", {})
    returned = getattr(found, "values", found).nbytes + sum(extra.nbytes for extra in extras.values())
    return {"peak": peak_megabytes() - returned / 2**20}


def pure_memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of pure passes at the same batch, with the same photographs in memory and the library imported as well."""
    if settings["library"] == "xsparks":
        import xsparks.attributions  # noqa: F401
    else:
        import xplique.attributions  # noqa: F401
    images, labels = photographs_of(settings["images"])
    PurePasses(network(NETWORK), images, labels, settings["batch"]).run(**{settings["kind"]: 10 * settings["batch"]})
    return {"peak": peak_megabytes()}


def speed(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of one pure pass of each kind, from two batches."""
    images, labels = photographs_of(settings["batch"])
    pure, number = PurePasses(network(NETWORK), images, labels, settings["batch"]), 2 * settings["batch"]
    found = {}
    for kind in pure.compiled:
        pure.run(**{kind: settings["batch"]})
        found[kind] = seconds(lambda kind=kind: pure.run(**{kind: number})) / number
    return found


if __name__ == "__main__":
    kinds = {"time": timed, "memory": memory, "pure": pure_memory, "speed": speed}
    print(json.dumps(kinds[sys.argv[1]](json.loads(sys.argv[2]))))
