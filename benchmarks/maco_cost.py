"""One measurement of the cost of MACO in a process of its own; prints a line of JSON.

Called by `maco.py` as `python maco_cost.py time | memory | pure SETTINGS`, with the settings as JSON. For the peer it
runs under the peer's own Python and needs nothing of xsparks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from measuring import environment, network, peak_megabytes, seconds

NETWORK = "mobilenet_v2"
CLASSES = [207, 980, 130, 340, 817, 1, 292, 404, 985, 497]


def passes(model: Any, settings: dict[str, Any]) -> Callable[[], Any]:
    """The floor: forward and backward passes of crops that lie ready, in one compiled loop.

    Each of `targets` targets has `crops` of them in each of `steps` steps. xsparks shows those of all targets together,
    Xplique knows one target at a time, and each is held against passes in batches like its own.
    """
    together = settings["targets"] if settings["library"] == "xsparks" else 1
    calls, number = settings["targets"] // together, together * settings["crops"]
    ids = tf.repeat(tf.constant(CLASSES[:together]), settings["crops"])

    @tf.function(autograph=False)
    def run(views: Any) -> Any:
        def body(step: Any, total: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(views)
                # The sum hides from the compiler that the passes are alike.
                scores = tf.gather(model(views + total, training=False), ids, batch_dims=1)
            return step + 1, total + 1e-20 * tf.reduce_sum(tape.gradient(scores, views))

        start = (tf.constant(0), tf.constant(0.0))
        return tf.while_loop(lambda step, _: step < settings["steps"], body, start, parallel_iterations=1)[1]

    views = tf.constant(np.random.default_rng(0).uniform(-1, 1, (number, 224, 224, 3)).astype(np.float32))
    return lambda: [run(views).numpy() for _ in range(calls)]


def ours(model: Any, settings: dict[str, Any]) -> Callable[[], Any]:
    """MACO on one batch of all crops of all targets."""
    from xsparks.features import MACO

    targets = CLASSES[: settings["targets"]]
    options = {"steps": settings["steps"], "crops": settings["crops"], "image_size": settings["size"]}
    maco = MACO(model, values_range=(-1, 1), batch_size=settings["crops"] * len(targets), progress=False, **options)
    return lambda: maco.explain(targets=targets).images


def peer(model: Any, settings: dict[str, Any]) -> Callable[[], Any]:
    """Xplique's, a target at a time."""
    from xplique.features_visualizations import Objective
    from xplique.features_visualizations import maco as draw

    objectives = [Objective.neuron(model, -1, number) for number in CLASSES[: settings["targets"]]]
    options = {"nb_steps": settings["steps"], "nb_crops": settings["crops"], "values_range": (-1, 1)}
    shape = (settings["size"], settings["size"])
    return lambda: np.stack([np.asarray(draw(each, custom_shape=shape, **options)[0]) for each in objectives])


LIBRARIES = {"xsparks": ours, "xplique": peer}


def timed(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the first call, and of later ones and as many pure passes, in turn."""
    model = network(NETWORK)
    draw, floor = LIBRARIES[settings["library"]](model, settings), passes(model, settings)
    first = seconds(draw)
    floor()
    pairs = [(seconds(draw), seconds(floor)) for _ in range(settings["repeats"])]
    return {"first": first, "pairs": pairs, "environment": environment()}


def memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of drawing once, less the pictures that are returned."""
    pictures = LIBRARIES[settings["library"]](network(NETWORK), settings)()
    return {"peak": peak_megabytes() - pictures.nbytes / 2**20}


def pure(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of the passes alone, the library imported as well."""
    if settings["library"] == "xsparks":
        import xsparks.features  # noqa: F401
    else:
        import xplique.features_visualizations  # noqa: F401
    passes(network(NETWORK), settings)()
    return {"peak": peak_megabytes()}


def speed(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a pass of a crop."""
    floor = passes(network(NETWORK), settings)
    floor()
    return {"seconds": seconds(floor) / (settings["targets"] * settings["steps"] * settings["crops"])}


if __name__ == "__main__":
    kinds = {"time": timed, "memory": memory, "pure": pure, "speed": speed}
    print(json.dumps(kinds[sys.argv[1]](json.loads(sys.argv[2]))))
