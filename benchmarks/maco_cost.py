"""One measurement of the cost of MACO in a process of its own; prints a line of JSON.

    python benchmarks/maco_cost.py time | memory TARGETS STEPS CROPS

`time` alternates pictures with the floor: as many forward and backward passes of crops that lie ready, in one compiled
loop, with the same batches. Seconds are per target; each is measured five times.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import tensorflow as tf
from measuring import environment, network, peak_megabytes

CLASSES = [207, 980, 130, 340, 817, 1, 292, 404, 985, 497]
REPEATS = 5


def passes(model, targets: int, steps: int, crops: int):
    """The floor: forward and backward passes of crops, nothing else."""
    number = targets * crops
    ids = tf.repeat(tf.constant(CLASSES[:targets]), crops)

    @tf.function(autograph=False)
    def run(views):
        def body(step, total):
            with tf.GradientTape() as tape:
                tape.watch(views)
                scores = tf.gather(model(views + total, training=False), ids, batch_dims=1)
            return step + 1, total + 1e-20 * tf.reduce_sum(tape.gradient(scores, views))

        return tf.while_loop(lambda step, _: step < steps, body, (0, 0.0), parallel_iterations=1)[1]

    views = tf.constant(np.random.default_rng(0).uniform(-1, 1, (number, 224, 224, 3)).astype(np.float32))
    return lambda: run(views).numpy()


def method(model, steps: int, crops: int):
    """MACO on one batch of all crops of all targets."""
    from xsparks.features import MACO

    return MACO(model, steps=steps, crops=crops, values_range=(-1, 1), batch_size=crops * len(CLASSES), progress=False)


def timed(targets: int, steps: int, crops: int) -> dict:
    """Seconds a target of pictures and of the floor, in turn."""
    model = network("mobilenet_v2")
    maco, floor = method(model, steps, crops), passes(model, targets, steps, crops)
    maco.explain(targets=CLASSES[:targets])
    floor()
    pairs = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        maco.explain(targets=CLASSES[:targets])
        middle = time.perf_counter()
        floor()
        pairs.append(((middle - start) / targets, (time.perf_counter() - middle) / targets))
    ratios = sorted(own / least for own, least in pairs)
    return {"pairs": pairs, "ratio": ratios[len(ratios) // 2], "environment": environment()}


def remembered(targets: int, steps: int, crops: int) -> dict:
    """The peak memory of the process."""
    maco = method(network("mobilenet_v2"), steps, crops)
    return {"megabytes": peak_megabytes(), "peak": (maco.explain(targets=CLASSES[:targets]), peak_megabytes())[1]}


def main() -> None:
    """Reads what to measure from the command line."""
    what, *numbers = sys.argv[1:]
    targets, steps, crops = map(int, numbers)
    found = {"time": timed, "memory": remembered}[what](targets, steps, crops)
    print(json.dumps({"what": what, "targets": targets, "steps": steps, "crops": crops, **found}))


if __name__ == "__main__":
    main()
