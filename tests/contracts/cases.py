"""Every explainer that discovery finds, with options that make it quick on tiny images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.building.discovery import concrete
from xsparks.attributions import Saliency
from xsparks.core.errors import ModelError
from xsparks.models.bounds import Monotone, register_bound

# Segments of unequal sizes, their labels with gaps.
STRIPES = np.repeat(np.arange(8) * 8 // 11, 12).reshape(8, 12) * 3
# A new method needs an entry only where its defaults are slow or do not fit images of 8 x 12 pixels.
QUICK: dict[str, dict[str, Any]] = {
    "EVA": {"grid_size": (2, 3), "epsilon": 0.05, "bounds": "crown_ibp", "attack_steps": 3},
    "ExpectedGradients": {"references": models.images(3, seed=9), "samples": 4},
    "GreedyAO": {"grid_size": (2, 3), "samples": 12, "round_share": 0.4, "attack_steps": 2},
    "HSICAttribution": {"samples": 24, "grid_size": (2, 3), "permutations": 9},
    "HybridEVA": {"grid_size": (2, 3), "epsilon": 0.05, "attack_steps": 3, "least_agreement": -1},
    "IntegratedGradients": {"steps": 4},
    "KernelSHAP": {"samples": 24, "grid_size": (2, 3)},
    "LIME": {"samples": 24, "grid_size": (2, 3)},
    "Occlusion": {"patch_size": (3, 4)},
    "RISE": {"samples": 24, "grid_size": (2, 3)},
    "SmoothGrad": {"samples": 4},
    "SobolAttribution": {"grid_size": (2, 3), "nb_design": 4},
    "SquareGrad": {"samples": 4},
    "VarGrad": {"samples": 4},
}
# Further ways to build a method whose plans differ.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "EVA": [
        {"bounds": "crown", "mode": "shared_bounds", "variant": "release"},
        {"epsilon": "auto", "search_steps": 10, "mode": "exact", "bounds": "ibp", "box": "remove"},
    ],
    "GreedyAO": [{"robustness": "distance", "variant": "freeze", "bisections": 2}],
    "HSICAttribution": [{"bandwidth": "outputs", "permutations": 0, "perturbation": "blur"}],
    "IntegratedGradients": [{"baseline": "mean", "quadrature": "trapezoid"}],
    "KernelSHAP": [{"segments": STRIPES}],
    "LIME": [{"segments": STRIPES, "perturbation": "mean", "kernel": "euclidean"}],
    "Occlusion": [{"patch_stride": 3, "baseline": "mean"}],
    "RISE": [{"probability": 0.3, "baseline": "blur"}],
    "Saliency": [{"reducer": "norm"}],
    "ScoreCAM": [{"channels": 3, "weights": "increase", "baseline": "mean"}],
    "SISE": [{"channels": 3, "threshold": 0.2}],
    "SobolAttribution": [
        {"smooth": False},
        {"assist": "outputs"},
        {"assist": "gradients", "gradient_masks": 5},
        {"assist": "mixed", "gradient_masks": 5},
        {"stop_when": 0.6, "nb_design": 8},
        {"perturbation": "blur", "signed": True},
        {"perturbation": "amplitude"},
        {"design": "scrambled_sobol", "order": "both"},
        {"design": "binary_flip", "estimator": "glen", "smooth": False},
    ],
    "TransportSaliency": [{"reducer": "norm", "absolute": False}],
}


class Filter:
    """A filter of maps, built as all methods are: from a model and options, here over Saliency."""

    needs_gradients = True
    needs_layers = False

    def __init__(self, cls: Any):
        self._cls = cls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cls, name)

    def __call__(self, model: Any, **options: Any) -> Any:
        own = {"cutoff": options.pop("cutoff", 0.4)}
        return self._cls(Saliency(model, **options), **own)


def explainer_cases() -> list[tuple[str, type, dict[str, Any]]]:
    """`(name, class, options)` of every explainer and variant."""
    cases = []
    for found in concrete("Explainer"):
        cls: Any = Filter(found) if found.filters else found  # pyright: ignore
        quick = QUICK.get(cls.__name__, {})
        cases.append((cls.__name__, cls, quick))
        for changes in VARIANTS.get(cls.__name__, []):
            label = ",".join(f"{name}={value if np.ndim(value) == 0 else '...'}" for name, value in changes.items())
            cases.append((f"{cls.__name__}[{label}]", cls, {**quick, **changes}))
    return cases


def needs_gradients(cls: type, options: dict[str, Any]) -> bool:
    """Whether a variant asks for gradients."""
    return cls.needs_gradients or options.get("assist") in ("gradients", "mixed")  # pyright: ignore


# What a class may declare that it cannot obey.
LAWS = ("constant_model", "image", "model", "target")
# What a class may declare that it refuses.
REFUSALS = ("mixed precision", "operator", "preprocess", "several inputs", "subclassed")


@register_bound(models.Recording)
def recording(layer: Any, site: Any) -> list[Any]:
    """The identity, through the layer, so that it is heard."""
    return [Monotone(site.call)]


def refuses(cls: type, name: str, call: Callable[[], Any]) -> bool:
    """Whether the class declares that it refuses this, and then does."""
    if name not in cls.exempt:  # pyright: ignore
        return False
    with pytest.raises(ModelError):
        call()
    return True


@contextmanager
def law(cls: type, name: str) -> Iterator[None]:
    """The assertions within hold, or fail if the class declares that it cannot obey the law."""
    reason = cls.exempt.get(name)  # pyright: ignore
    if reason is None:
        yield
        return
    try:
        yield
    except AssertionError:
        return
    raise AssertionError(f"{cls.__name__} obeys the law {name!r}: drop the exemption ({reason})")
