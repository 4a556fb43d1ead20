"""From the records of a benchmark to its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import wording
from ..engine.record import described, model_digest, settings_of, versions
from .measuring import Measuring
from .result import BenchmarkResult, MethodCost
from .values import stacked


def result_of(measuring: Measuring, controls: Sequence[str], seed: int, names: Sequence[str] | None) -> BenchmarkResult:
    """The scores and costs of everything that was measured."""
    count = len(measuring.samples)
    check_names(names, count)
    failures = {name: str(error) for name, error in measuring.failures.items()}
    failures |= {f"{method}: {metric}": str(error) for (method, metric), error in measuring.cells.items()}
    scores, costs = {}, {}
    for method in measuring.explainers:
        scores[method] = {}
        if method in measuring.failures:
            continue
        for metric, measure in measuring.metrics.items():
            if (method, metric) not in measuring.cells:
                values = [measuring.values(method, metric, sample) for sample in range(count)]
                scores[method][metric] = measure.scored(stacked(values), method)
        costs[method] = _cost(measuring, method)
    first = next(iter(measuring.explainers.values()))
    return BenchmarkResult(
        scores=scores,
        better={name: metric.better for name, metric in measuring.metrics.items()},
        controls=tuple(controls),
        costs=costs,
        failures=failures,
        samples=tuple(str(name) for name in (range(count) if names is None else names)),
        targets=tuple(described(measuring.target(sample)) for sample in range(count)),
        methods={name: _settings(each) for name, each in measuring.explainers.items()},
        model=model_digest(first.model),
        seed=seed,
        versions=versions(),
    )


def check_names(names: Sequence[str] | None, count: int | None) -> None:
    """Refuses names of another number than that of the samples, where it is known."""
    if names is not None and count is not None and len(names) != count:
        raise ValueError(
            wording(
                "Benchmark.run",
                expected=f"`names` must have one for each of the {count} samples",
                received=f"{len(names)}",
                remedy="Leave it out to have them numbered.",
            )
        )


def _cost(measuring: Measuring, method: str) -> MethodCost:
    lines = [measuring.line(method, sample) for sample in range(len(measuring.samples))]
    forwards, backwards = (max(line[name] for line in lines) for name in ("forwards", "backwards"))
    # The median: the first maps hold the time in which the model was traced.
    return MethodCost(forwards, backwards, float(np.median([line["seconds"] for line in lines])))


def _settings(explainer: Any) -> dict[str, Any]:
    return {
        "class": type(explainer).__name__,
        "estimand": explainer.described_estimand(),
        "settings": settings_of(explainer),
    }
