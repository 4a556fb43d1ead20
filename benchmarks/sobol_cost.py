"""One measurement of the cost of Sobol attribution in a process of its own; prints a line of JSON.

Called by `sobol.py` as `python sobol_cost.py time | pure | memory | peer ROWS IMAGES BATCH`. `peer` runs under the
peer's own Python and needs nothing of xsparks.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata

import numpy as np
import tensorflow as tf
from measuring import environment, network, peak_megabytes, photographs

GRID = 8


def images_of(count: int) -> np.ndarray:
    """Photographs in [-1, 1]."""
    return np.stack([image for _, image, _, _ in photographs(count)]).astype(np.float32) / 127.5 - 1


def forwards(model, count: int, batch: int) -> float:
    """Seconds of `count` pure forwards in batches of `batch`, the input ready and the graph compiled."""
    run = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec((None, 224, 224, 3))])
    inputs = tf.constant(np.repeat(images_of(1), batch, axis=0))
    run(inputs).numpy()
    start = time.perf_counter()
    done = 0
    while done < count:
        size = min(batch, count - done)
        run(inputs if size == batch else inputs[:size]).numpy()
        done += size
    return time.perf_counter() - start


def timed(rows: int, count: int, batch: int) -> dict:
    """Seconds of explaining and of as many pure forwards, in turn."""
    from xsparks.attributions import SobolAttribution

    model, images = network("mobilenet_v2"), images_of(count)
    explainer = SobolAttribution(model, grid_size=GRID, nb_design=rows, batch_size=batch, progress=False)
    targets = np.zeros(count, int)
    explainer.explain(images[:1], targets[:1])
    pairs = []
    for _ in range(5):
        start = time.perf_counter()
        maps = explainer.explain(images, targets)
        explained = time.perf_counter() - start
        # The forward that finds the scores is charged to the explanation, not added to the pure ones.
        pairs.append((explained, forwards(model, int(maps.forwards.sum()), batch)))
    return {"pairs": pairs, "forwards": int(maps.forwards.sum()), "environment": environment()}


def timed_peer(rows: int, count: int, batch: int) -> dict:
    """The same of Xplique, in its own environment."""
    from xplique.attributions import SobolAttributionMethod

    model, images = network("mobilenet_v2"), images_of(count)
    explainer = SobolAttributionMethod(model, grid_size=GRID, nb_design=rows, batch_size=batch)
    targets = tf.one_hot(np.zeros(count, int), 1000)
    explainer(images[:1], targets[:1])
    number = count * rows * (GRID * GRID + 2)
    pairs = []
    for _ in range(5):
        start = time.perf_counter()
        explainer(images, targets)
        explained = time.perf_counter() - start
        pairs.append((explained, forwards(model, number, batch)))
    found = {**environment(), "xplique": metadata.version("xplique")}
    return {"pairs": pairs, "forwards": number, "peak": peak_megabytes(), "environment": found}


def streamed(count: int) -> tf.data.Dataset:
    """Photographs one after the other, never all in memory."""

    def read():
        for _, image, _, _ in photographs(count):
            yield image.astype(np.float32) / 127.5 - 1

    return tf.data.Dataset.from_generator(read, output_signature=tf.TensorSpec((224, 224, 3))).batch(1)


def memory(rows: int, count: int, batch: int) -> dict:
    """Peak of explaining streamed photographs, less the maps that are returned."""
    from xsparks.attributions import SobolAttribution

    explainer = SobolAttribution(
        network("mobilenet_v2"), grid_size=GRID, nb_design=rows, batch_size=batch, progress=False
    )
    maps = explainer.explain(streamed(count))
    returned = (maps.values.nbytes + sum(extra.nbytes for extra in maps.extras.values())) / 2**20
    return {"peak": peak_megabytes() - returned}


def pure(rows: int, count: int, batch: int) -> dict:
    """Peak of pure forwards at the same batch, with the package imported as well."""
    import xsparks.attributions  # noqa: F401

    forwards(network("mobilenet_v2"), 20 * batch, batch)
    return {"peak": peak_megabytes()}


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    measured = {"time": timed, "peer": timed_peer, "memory": memory, "pure": pure}[kind](*map(int, numbers))
    print(json.dumps(measured))
