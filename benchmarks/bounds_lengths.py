"""How much do bounds by Euclidean length tighten those of a 1-Lipschitz network?

python benchmarks/bounds_lengths.py [--pictures 20] [--radii 0.03 0.1 0.3]

The network `mnist_lipschitz` of `small_networks.py`, trained where it is not kept. For boxes in [0, 1] about the first
test pictures that it names rightly: the mean bound of the adversarial overlap with lengths and without, the highest
overlap that an attack finds, and the share of pictures that are certified.
"""

from __future__ import annotations

import argparse

import numpy as np
from eva import OUT
from measuring import environment, table
from small_networks import first_right, trained

from xsparks.attributions import EVA
from xsparks.engine import Engine, VerifiedBounds
from xsparks.models.access import ModelAccess
from xsparks.models.bounds import Around, read_network

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--radii", type=float, nargs="+", default=[0.03, 0.1, 0.3])
    options = parser.parse_args()
    model = trained("mnist_lipschitz", OUT)
    images, labels, _ = first_right("mnist_lipschitz", model, options.pictures)
    network, engine, rows = read_network(model), Engine(ModelAccess(model), None), []
    for radius in options.radii:
        given = {"epsilon": np.full(len(images), radius, "float32")}
        upper = {}
        for lengths in (True, False):
            plans = VerifiedBounds(network=network, family=Around(valid_range=(0.0, 1.0)), lengths=lengths).plans()
            margins = np.array(engine.run(plans, images, labels.astype("int32"), given)["upper"][..., 0])
            margins[np.arange(len(labels)), labels] = -np.inf
            upper[lengths] = margins.max(axis=1)
        maps = EVA(model, epsilon=radius, value_range=(0.0, 1.0), progress=False).explain(images, labels)
        certified = [f"{100 * (each <= 0).mean():.0f} %" for each in upper.values()]
        rows.append([radius, *(f"{each.mean():.2f}" for each in (*upper.values(), maps.attack)), *certified])
    header = ["radius", "with lengths", "without", "attack", "certified with", "certified without"]
    print(table(header, rows), environment(), sep="\n")
