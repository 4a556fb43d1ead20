"""Every explainer that discovery finds, with options that make it quick on tiny images."""

from __future__ import annotations

from typing import Any

from tests.building.discovery import concrete

# A new method needs an entry only where its defaults are slow or do not fit images of 8 x 12 pixels.
QUICK: dict[str, dict[str, Any]] = {"SobolAttribution": {"grid_size": (2, 3), "nb_design": 4}}
# Further ways to build a method whose plans differ.
VARIANTS: dict[str, list[dict[str, Any]]] = {
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
    ]
}


def explainer_cases() -> list[tuple[str, type, dict[str, Any]]]:
    """`(name, class, options)` of every explainer and variant."""
    cases = []
    for cls in concrete("Explainer"):
        quick = QUICK.get(cls.__name__, {})
        cases.append((cls.__name__, cls, quick))
        for changes in VARIANTS.get(cls.__name__, []):
            label = ",".join(f"{name}={value}" for name, value in changes.items())
            cases.append((f"{cls.__name__}[{label}]", cls, {**quick, **changes}))
    return cases


def needs_gradients(options: dict[str, Any]) -> bool:
    """Whether a variant asks for gradients."""
    return options.get("assist") in ("gradients", "mixed")


def metric_classes() -> list[type]:
    """Every metric."""
    return list(concrete("Metric"))
