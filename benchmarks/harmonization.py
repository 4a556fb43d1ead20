"""How much longer does a harmonized training step take than a plain one, and how much more memory?

    python benchmarks/harmonization.py [--side 64] [--batch 32] [--steps 10]

A network of three blocks of convolution, batch normalisation, ReLU and maximum pooling. Each kind of training runs in a
process of its own, because the peak of memory is that of a process; the time is that of the fastest of three epochs, by
the clock and by the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

KINDS: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "pyramid": {},
    "pyramid, by level": {"standardisation": "level"},
    "cosine": {"distance": "cosine"},
    "soft_rank": {"distance": "soft_rank"},
    "pyramid, inference": {"pass_of": "inference"},
}


def measure(kind: str, side: int, batch: int, steps: int) -> dict[str, float]:
    """Seconds of a step and MB of the process."""
    import keras
    import numpy as np

    from xsparks.alignment import Harmonization

    layers = keras.layers
    inputs = x = keras.Input((side, side, 3))
    for width in (16, 32, 64):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(x)))
        x = layers.MaxPooling2D()(x)
    model: Any = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    random, count = np.random.default_rng(0), batch * steps
    images = random.random((count, side, side, 3), dtype=np.float32)
    label, heatmap = random.integers(0, 10, count), random.random((count, side, side), dtype=np.float32)
    options = KINDS[kind]
    seconds: list[tuple[float, float]] = []

    class Timer(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = time.perf_counter(), time.process_time()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            now = time.perf_counter(), time.process_time()
            seconds.append(((now[0] - self.start[0]) / steps, (now[1] - self.start[1]) / steps))

    callbacks: list[Any] = [Timer()] if options is None else [Harmonization(**options), Timer()]
    targets = label if options is None else {"label": label, "heatmap": heatmap}
    model.fit(images, targets, batch_size=batch, epochs=4, verbose=0, callbacks=callbacks)
    clock, processor = (min(column) for column in zip(*seconds[1:], strict=True))
    return {"clock": clock, "processor": processor, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Prints the table, or one measurement for the process that asked for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--only", choices=KINDS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only, given.side, given.batch, given.steps)))
        return
    sizes = [f"--{name}={getattr(given, name)}" for name in ("side", "batch", "steps")]
    plain: dict[str, float] = {}
    print("| training | ms a step | over plain | processor ms | over plain | peak MB |\n|---|---:|---:|---:|---:|---:|")
    for kind in KINDS:
        ran = subprocess.run(
            [sys.executable, __file__, "--only", kind, *sizes], check=True, stdout=subprocess.PIPE, text=True
        )
        found = json.loads(ran.stdout.splitlines()[-1])
        plain = plain or found
        cells = [f"{1e3 * found[name]:.0f} | {found[name] / plain[name]:.2f}" for name in ("clock", "processor")]
        print(f"| {kind} | {' | '.join(cells)} | {found['memory']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
