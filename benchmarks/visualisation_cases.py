"""Which pictures `visualisation.py` draws: networks, classes, canvases and options. Nothing is picked by hand."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

# Every fiftieth class; fewer are spread over these.
CLASSES = tuple(range(0, 1000, 50))
NETWORKS = ("mobilenet_v2", "resnet50")
CANVASES = ("MACO", "Fourier", "pixels")
# Of each network on each canvas.
NUMBERS = {"mobilenet_v2": (20, 20, 20), "resnet50": (8, 4, 4)}
FEW, VARIANTS = 4, 4
# Black and white, as both networks are asked.
RANGE = (0.0, 255.0)


@dataclass(frozen=True)
class Case:
    """Pictures of some classes that are made in the same way.

    `options` are those of the method, `canvas_options` those of the canvas; `rate` is that of Nadam, or None for the
    canvas's own optimizer.
    """

    network: str
    label: str
    classes: tuple[int, ...]
    canvas: str
    options: dict[str, Any] = field(default_factory=dict)
    canvas_options: dict[str, Any] = field(default_factory=dict)
    rate: float | None = None
    variants: int = 1

    @property
    def folder(self) -> str:
        """Where its pictures are kept."""
        return f"{self.network}/{re.sub('[^a-z0-9]+', '_', self.label.lower()).strip('_')}"


def spread(number: int) -> tuple[int, ...]:
    """So many classes, spread over all."""
    return tuple(CLASSES[place * len(CLASSES) // number] for place in range(number))


def canvases(network: str) -> list[Case]:
    """The three canvases with their defaults."""
    return [
        Case(network, canvas, spread(number), canvas) for canvas, number in zip(CANVASES, NUMBERS[network], strict=True)
    ]


def variants(network: str) -> list[Case]:
    """Several pictures of a class on each canvas: how different are they?"""
    return [Case(network, f"{canvas}, variants", spread(FEW), canvas, variants=VARIANTS) for canvas in CANVASES]


def sweep(network: str) -> list[Case]:
    """Choices that differ from the published ones, and those that cost most, one at a time."""
    few = spread(FEW)
    even = {"phase_spread": math.pi}

    def maco(label: str, **fields: Any) -> Case:
        return Case(network, f"MACO, {label}", few, "MACO", **fields)

    return [
        # Its pictures are those of `canvases`.
        Case(network, "MACO", few, "MACO"),
        maco("1 step", options={"steps": 1}),
        maco("256 steps", options={"steps": 256}),
        maco("512 steps", options={"steps": 512}),
        maco("32 crops", options={"crops": 32}),
        maco("spread 0.5", canvas_options={"phase_spread": 0.5}),
        maco("spread pi", canvas_options=even),
        maco("rate 0.3", rate=0.3),
        maco("spread pi, rate 0.3", canvas_options=even, rate=0.3),
        maco("spread pi, rate 3", canvas_options=even, rate=3.0),
        maco("crops 0.25 (paper)", options={"crop_size": 0.25, "crop_spread": 0.1}),
        maco("crops 1 to 0.25", options={"crop_size": (1.0, 0.25)}),
        maco("noise 0.1", options={"noise": 0.1}),
        Case(network, "Fourier", few, "Fourier"),
        Case(network, "Fourier, 512 steps", few, "Fourier", {"steps": 512}),
        Case(network, "Fourier, crops 1 to 0.25", few, "Fourier", {"crop_size": (1.0, 0.25)}),
        Case(network, "pixels", few, "pixels"),
    ]


STUDIES = {"canvases": canvases, "variants": variants, "sweep": sweep}


def cases(study: str, networks: list[str], labels: list[str], number: int | None) -> list[Case]:
    """The cases of a study; of some labels alone, and with fewer classes, where that is asked for."""
    found = [case for network in networks for case in STUDIES[study](network)]
    chosen = [case for case in found if not labels or case.label in labels]
    return [replace(case, classes=case.classes[: number or None]) for case in chosen]
