"""One measurement of a metric in a process of its own; prints a line of JSON.

Called by `metrics.py` as `python metrics_cost.py time | values | memory | pure SETTINGS`, with the settings as
JSON. For the peer it runs under the peer's own Python and needs nothing of xsparks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from attributions_cost import NETWORK, SIZE, PurePasses, photographs_of
from measuring import environment, network, peak_megabytes


def maps_of(count: int) -> np.ndarray:
    """Maps without ties, so that there is one order of their pixels; the same in both libraries."""
    draw = np.random.default_rng(0)
    orders = np.stack([draw.permutation(SIZE * SIZE) for _ in range(count)]).astype(np.float32)
    return orders.reshape(-1, SIZE, SIZE) / SIZE**2


def subsets_of(settings: dict[str, Any]) -> np.ndarray:
    """Subsets of the cells of a grid, all of one size, `(samples, grid * grid)`: for the comparison of values."""
    cells, draw = settings["options"]["grid_size"] ** 2, np.random.default_rng(1)
    rows = np.zeros((settings["options"]["samples"], cells), bool)
    for row in rows:
        row[draw.permutation(cells)[: round(0.2 * cells)]] = True
    return rows


def ours(settings: dict[str, Any], model: Any, images: Any, labels: Any) -> tuple[Callable[[], float], dict[str, int]]:
    """A function that measures once, and how many passes of either kind that takes."""
    from xsparks import metrics
    from xsparks.attributions import Saliency

    shared = {"batch_size": settings["batch"], "progress": False}
    metric = getattr(metrics, settings["metric"])(model, images, labels, **shared, **settings["options"])
    number = len(images)
    if settings["metric"] == "AverageStability":
        explainer = Saliency(model, **shared)
        # Each image and its neighbours, and a forward of each to find out which of them are of the same class.
        each = number * (settings["options"]["neighbours"] + 1)
        return lambda: float(metric.evaluate(explainer)), {"gradient": each, "forward": each}
    maps = maps_of(number)
    # One more for the target of each image.
    return lambda: float(metric.evaluate(maps)), {"forward": number * (metric.forwards(images[:1]) + 1)}


def peer(settings: dict[str, Any], model: Any, images: Any, labels: Any) -> tuple[Callable[[], float], dict[str, int]]:
    """The same of Xplique."""
    from xplique import attributions, metrics

    options, number = settings["options"], len(images)
    targets = tf.one_hot(labels, 1000)
    found = getattr(metrics, settings["metric"])
    if settings["metric"] == "AverageStability":
        metric = found(model, images, targets, batch_size=settings["batch"], nb_samples=options["neighbours"])
        explainer = attributions.Saliency(model, batch_size=settings["batch"])
        return lambda: float(metric(explainer)), {"gradient": number * (options["neighbours"] + 1)}
    names = {"samples": "nb_samples"}
    metric = found(
        model,
        images,
        targets,
        batch_size=settings["batch"],
        activation="softmax",
        **{names.get(name, name): value for name, value in options.items()},
    )
    passes = options["samples"] if "samples" in options else options["steps"] + 1
    maps = maps_of(number)
    return lambda: float(metric(maps)), {"forward": number * passes}


LIBRARIES = {"xsparks": ours, "xplique": peer}


def clocked(function: Callable[[], Any]) -> list[float]:
    """Wall seconds of one call, and the seconds of all cores, which other work on the machine hardly changes."""
    wall, cores = time.perf_counter(), time.process_time()
    function()
    return [time.perf_counter() - wall, time.process_time() - cores]


def timed(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of measuring and of as many pure passes, in turn, after one call of each that compiles."""
    model, (images, labels) = network(NETWORK), photographs_of(settings["images"])
    measure, passes = LIBRARIES[settings["library"]](settings, model, images, labels)
    measure()
    pure = PurePasses(model, images, labels, settings["batch"])
    pure.run(**{kind: min(number, 2 * settings["batch"]) for kind, number in passes.items()})
    pairs = [(clocked(measure), clocked(lambda: pure.run(**passes))) for _ in range(settings["repeats"])]
    return {"pairs": pairs, "passes": passes, "environment": environment()}


def values(settings: dict[str, Any]) -> dict[str, Any]:
    """What the metric says of the maps, both libraries having been given the same subsets where there are any."""
    model, (images, labels) = network(NETWORK), photographs_of(settings["images"])
    own = settings["library"] == "xsparks"
    if "samples" in settings["options"]:
        _give_subsets(subsets_of(settings), settings["options"]["grid_size"], own)
    measure, _ = LIBRARIES[settings["library"]](settings, model, images, labels)
    return {"value": measure()}


def _give_subsets(members: np.ndarray, grid: int, own: bool) -> None:
    """Puts these subsets in the place of those that either library draws."""
    if own:
        from xsparks.metrics import mu_fidelity

        mu_fidelity.subset_design = lambda *arguments: members
        return
    from xplique.metrics import MuFidelity

    taken = [0]

    def perturbed(self: Any, inputs: Any, number: int) -> tuple[Any, Any]:
        # It asks in batches of one group of images after the other.
        rows = np.arange(taken[0], taken[0] + number) % len(members)
        taken[0] += number
        kept = tf.constant(1.0 - members[rows].reshape(-1, grid, grid, 1), tf.float32)
        masks = tf.image.resize(kept, inputs.shape[1:-1], method="nearest")
        masks = tf.repeat(masks[None], inputs.shape[0], axis=0)
        return tf.reshape(inputs[:, None] * masks, (-1, *inputs.shape[1:])), masks

    MuFidelity._perturb_samples = perturbed


def memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of measuring once."""
    images, labels = photographs_of(settings["images"])
    measure, _ = LIBRARIES[settings["library"]](settings, network(NETWORK), images, labels)
    measure()
    return {"peak": peak_megabytes()}


def pure_memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Peak of pure passes at the same batch, with the same photographs and maps in memory and the library imported."""
    if settings["library"] == "xsparks":
        import xsparks.attributions
        import xsparks.metrics  # noqa: F401
    else:
        import xplique.attributions
        import xplique.metrics  # noqa: F401
    images, labels = photographs_of(settings["images"])
    maps = maps_of(settings["images"])
    PurePasses(network(NETWORK), images, labels, settings["batch"]).run(**{settings["kind"]: 4 * settings["batch"]})
    return {"peak": peak_megabytes(), "maps": maps.nbytes}


if __name__ == "__main__":
    kinds = {"time": timed, "values": values, "memory": memory, "pure": pure_memory}
    print(json.dumps(kinds[sys.argv[1]](json.loads(sys.argv[2]))))
