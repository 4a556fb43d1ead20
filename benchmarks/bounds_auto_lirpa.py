"""What auto_LiRPA bounds, for `benchmarks/bounds.py`; run by the Python that has PyTorch and auto_LiRPA.

    PYTHON benchmarks/bounds_auto_lirpa.py NETWORK.npz METHOD BOXES REPEATS VALUES.npz RADIUS ...

Prints one line of JSON: seconds of each radius, peak memory, versions; the bounds are in VALUES.npz.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import auto_LiRPA
import numpy as np
import torch
from auto_LiRPA import BoundedModule, BoundedTensor
from auto_LiRPA.perturbations import PerturbationLpNorm

METHODS = {"ibp": "IBP", "crown_ibp": "CROWN-IBP", "crown": "CROWN"}


class Network(torch.nn.Module):
    """The steps that `benchmarks/bounds.py` has written, channels first."""

    def __init__(self, steps: list[dict[str, Any]], arrays: Any):
        super().__init__()
        self.steps = steps
        self.layers = torch.nn.ModuleList([self._layer(step, arrays) for step in steps])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs of a batch."""
        known = [x]
        for step, layer in zip(self.steps, self.layers, strict=True):
            given = [known[number] for number in step["inputs"]]
            known.append(given[0] + given[1] if step["kind"] == "add" else layer(given[0]))
        return known[-1]

    @staticmethod
    def _layer(step: dict[str, Any], arrays: Any) -> torch.nn.Module:
        own = [torch.from_numpy(arrays[name]) for name in step["arrays"]]
        kind = step["kind"]
        if kind == "convolution":
            kernel = own[0].permute(3, 2, 0, 1).contiguous()
            layer: Any = torch.nn.Conv2d(*kernel.shape[1::-1], kernel.shape[2:], step["stride"], step["padding"])
            layer.weight.data, layer.bias.data = kernel, own[1]
        elif kind == "dense":
            layer = torch.nn.Linear(*own[0].shape)
            layer.weight.data, layer.bias.data = own[0].T.contiguous(), own[1]
        elif kind == "normalisation":
            layer = torch.nn.BatchNorm2d(len(own[0]), eps=step["epsilon"])
            layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var = own
        elif kind == "scaling":
            layer = Scaling(*(each.reshape(-1, 1, 1) for each in own))
        else:
            makers = {"maximum": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}
            plain = {"relu": torch.nn.ReLU, "flatten": torch.nn.Flatten, "add": torch.nn.Identity}
            layer = makers[kind](step["size"]) if kind in makers else plain[kind]()
        return layer


class Scaling(torch.nn.Module):
    """`scale x + offset`, by channel."""

    def __init__(self, scale: torch.Tensor, offset: torch.Tensor):
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("offset", offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The inputs scaled."""
        return x * self.scale + self.offset


def main() -> None:
    """Bounds the boxes of a file at each radius, and times it."""
    path, method, boxes, repeats, values, *radii = sys.argv[1:]
    torch.set_num_threads(1)
    stored = np.load(path)
    network = Network(json.loads(str(stored["steps"])), stored).eval()
    x = torch.from_numpy(stored[f"{boxes} inputs"]).permute(0, 3, 1, 2).contiguous()
    free = torch.from_numpy(stored[f"{boxes} free"]).permute(0, 3, 1, 2)
    targets = torch.from_numpy(stored[f"{boxes} targets"])
    with torch.no_grad():
        outputs = network(x)
    worst = float((outputs - torch.from_numpy(stored[f"{boxes} outputs"])).abs().max())
    bounded = BoundedModule(network, x[:1], bound_opts={"conv_mode": "patches"})
    classes = outputs.shape[1]
    rows = torch.eye(classes)[None] - torch.eye(classes)[targets][:, None]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def once(radius: float) -> np.ndarray:
        box = PerturbationLpNorm(norm=float("inf"), x_L=x - radius * free, x_U=x + radius * free)
        with torch.no_grad():
            _, upper = bounded.compute_bounds(
                x=(BoundedTensor(x, box),), method=METHODS[method], C=rows, bound_lower=False
            )
        return upper.numpy()

    found, seconds = {}, []
    for radius in radii:
        timed = []
        # The first call is left out, where there are several.
        for _ in range(int(repeats) + (int(repeats) > 1)):
            start = time.perf_counter()
            found[radius] = once(float(radius))
            timed.append(time.perf_counter() - start)
        seconds.append(timed[-int(repeats) :])
    np.savez(values, **found)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    versions = {"auto_LiRPA": auto_LiRPA.__version__, "torch": torch.__version__}
    memory = {"megabytes": after / 1024, "megabytes before": before / 1024}
    print(json.dumps({"seconds": seconds, **memory, "outputs differ by": worst, "versions": versions}))


if __name__ == "__main__":
    main()
