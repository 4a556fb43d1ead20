"""Every metric that discovery finds, by kind, with options that make it quick on tiny images."""

from __future__ import annotations

from typing import Any

from tests.building.discovery import concrete
from xsparks.engine import ExplainerMetric, MapMetric, MapStatistic, TrainingMetric

# A new metric needs an entry only where its defaults are slow or do not fit images of 8 x 12 pixels.
QUICK: dict[str, dict[str, Any]] = {
    "AverageStability": {"neighbours": 4},
    "HumanAlignment": {"scales": (1, 2)},
    "MaxSensitivity": {"neighbours": 4},
    "MuFidelity": {"grid_size": (4, 6), "samples": 20},
    "RobustnessNotSr": {"levels": (0.1, 0.3), "attack_steps": 8, "bisections": 4},
    "RobustnessSr": {"levels": (0.1, 0.3), "attack_steps": 8, "bisections": 4},
}
# What a metric may declare that it cannot obey, each with a reason.
LAWS = ("seed", "direction", "reordering", "constant_map")


def of_kind(kind: type) -> list[Any]:
    """The concrete metrics of a kind, each with its quick options."""
    return [cls for cls in concrete("Metric") if issubclass(cls, kind)]


def quick(cls: type, **options: Any) -> dict[str, Any]:
    """Options of a metric: those that make it quick, and these."""
    return {**QUICK.get(cls.__name__, {}), **options}


MAP_METRICS = of_kind(MapMetric)
MAP_STATISTICS = of_kind(MapStatistic)
EXPLAINER_METRICS = of_kind(ExplainerMetric)
TRAINING_METRICS = of_kind(TrainingMetric)
