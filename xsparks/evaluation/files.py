"""The results of a benchmark as files."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.files import read_pair, write_arrays, write_bytes, write_json
from ..engine import Score

if TYPE_CHECKING:
    from .result import BenchmarkResult

SCHEMA = 1
KIND = "BenchmarkResult"
RESULTS = "results"


def save(result: BenchmarkResult, folder: Path) -> Path:
    """Writes all files of a result; returns the folder."""
    write_arrays(folder / f"{RESULTS}.npz", _arrays(result))
    write_json(folder / f"{RESULTS}.json", _record(result))
    write_bytes(folder / f"{RESULTS}.csv", _csv(_rows(result)))
    write_bytes(folder / "per_image.csv", _csv(_rows_of_samples(result)))
    write_bytes(folder / "leaderboard.md", (result.table() + "\n").encode())
    if any(result.scores.values()) and result.metrics:
        picture = io.BytesIO()
        result.plot().figure.savefig(picture, format="png")
        write_bytes(folder / "leaderboard.png", picture.getvalue())
    return folder


def load(folder: Path) -> BenchmarkResult:
    """The result that `save` wrote."""
    from .result import BenchmarkResult, MethodCost

    arrays, record = read_pair(folder / RESULTS, KIND)
    scores: dict[str, dict[str, Score]] = {name: {} for name in record["methods"]}
    for number, entry in enumerate(record["scores"]):
        known = {name: value for name, value in entry.items() if name in _OF_SCORE}
        known |= {name: tuple(known[name]) for name in ("interval", "axes")}
        own = {name.split(".", 1)[1]: array for name, array in arrays.items() if name.startswith(f"{number}.")}
        curve = (own.pop("curve_x"), own.pop("curve_y")) if "curve_x" in own else None
        per_sample = own.pop("per_sample")
        extras = {name.removeprefix("extra_"): array[()] for name, array in own.items()}
        score = Score(per_sample=per_sample, curve=curve, extras=extras, versions=record["versions"], **known)
        scores[entry["method"]][entry["name"]] = score
    methods = record["methods"]
    return BenchmarkResult(
        scores=scores,
        better=record["better"],
        controls=tuple(record["controls"]),
        costs={name: MethodCost(**each["cost"]) for name, each in methods.items() if each["cost"]},
        failures=record["failures"],
        samples=tuple(sample["name"] for sample in record["samples"]),
        targets=tuple(sample["target"] for sample in record["samples"]),
        methods={name: {key: value for key, value in each.items() if key != "cost"} for name, each in methods.items()},
        model=record["model"],
        seed=record["seed"],
        versions=record["versions"],
    )


_OF_SCORE = ("value", "interval", "better", "metric", "method", "axes", "settings")


def _scores(result: BenchmarkResult) -> list[tuple[str, str, Score]]:
    return [(method, metric, score) for method, own in result.scores.items() for metric, score in own.items()]


def _arrays(result: BenchmarkResult) -> dict[str, np.ndarray]:
    arrays: dict[str, Any] = {}
    for number, (_, _, score) in enumerate(_scores(result)):
        arrays[f"{number}.per_sample"] = score.per_sample
        if score.curve is not None:
            arrays |= {f"{number}.curve_x": score.curve[0], f"{number}.curve_y": score.curve[1]}
        arrays |= {f"{number}.extra_{name}": np.asarray(value) for name, value in score.extras.items()}
    return arrays


def _record(result: BenchmarkResult) -> dict[str, Any]:
    scores = []
    for method, metric, score in _scores(result):
        known = score.record()
        scores.append({**{name: known[name] for name in _OF_SCORE}, "method": method, "name": metric})
    mean_ranks = result.mean_ranks()
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "versions": result.versions,
        "model": result.model,
        "seed": result.seed,
        "better": result.better,
        "controls": list(result.controls),
        "methods": {
            name: {**each, "cost": result.costs[name]._asdict() if name in result.costs else None}
            for name, each in result.methods.items()
        },
        "failures": result.failures,
        "scores": scores,
        "ranks": {metric: result.ranks(metric) for metric in result.metrics if result.measured(metric)},
        "mean_ranks": {name: list(mean_ranks[name]) for name in result.names if name in mean_ranks},
        "paired": {
            metric: [each._asdict() for each in result.paired(metric)]
            for metric in result.metrics
            if result.measured(metric)
        },
        "samples": [
            {"name": name, "target": target} for name, target in zip(result.samples, result.targets, strict=True)
        ],
    }


def _rows(result: BenchmarkResult) -> list[list[Any]]:
    rows: list[list[Any]] = [
        ["method", "control", "metric", "better", "samples", "value", "low", "high", "rank", "reference"]
        + ["difference", "difference_low", "difference_high", "verdict", "forwards", "backwards", "seconds"]
    ]
    for metric in result.metrics:
        ranks = result.ranks(metric) if result.measured(metric) else {}
        paired = {each.method: each for each in result.paired(metric)} if ranks else {}
        for name in result.measured(metric, controls=True):
            score, against = result.scores[name][metric], paired.get(name)
            row = [name, name in result.controls, metric, score.better, len(score.per_sample), score.value]
            row += [*score.interval, ranks.get(name, "")]
            row += [""] * 5 if against is None else [against.reference, against.difference, *against.interval]
            row += [] if against is None else [against.verdict]
            rows.append([*row, *result.costs.get(name, ("", "", ""))])
    return rows


def _rows_of_samples(result: BenchmarkResult) -> list[list[Any]]:
    rows: list[list[Any]] = [["sample", "target", "method", "metric", "value"]]
    for method, metric, score in _scores(result):
        for name, target, value in zip(result.samples, result.targets, score.per_sample.tolist(), strict=True):
            rows.append([name, target, method, metric, value])
    return rows


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
