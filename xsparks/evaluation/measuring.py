"""One pass over the samples: what is missing is explained and measured, and written as it comes."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import __version__
from ..core.digests import digests
from ..core.errors import ModelError
from ..core.inputs import Samples, leaves, map_leaves
from ..engine import Answers, Explainer, ExplainerMetric, MapMetric, MapStatistic
from ..engine.map_source import MapSource
from ..engine.record import described, settings_of
from ..engine.session import OnModel
from .records import Records
from .values import as_json, from_json, sample_of

Rows = tuple[int, ...]
# Options of metrics that hold an entry for each sample, and belong to its sample alone.
_OF_EACH_SAMPLE = ("regions", "ids")
# The records of the samples themselves, beside those of the methods.
_OF_SAMPLES = ""


class Group(NamedTuple):
    """Samples that are explained together: a tree of arrays `(m, ...)`, their targets, names and numbers."""

    inputs: Any
    targets: np.ndarray
    names: Sequence[str]
    positions: np.ndarray

    def at(self, rows: Sequence[int]) -> Group:
        """Some of them."""
        if len(rows) == len(self.names):
            return self
        chosen = np.asarray(rows)
        inputs = map_leaves(lambda leaf: leaf[chosen], self.inputs)
        return Group(inputs, self.targets[chosen], [self.names[row] for row in rows], self.positions[chosen])


class Measuring:
    """Methods x metrics on one group of samples after the other.

    Parameters
    ----------
    methods, controls, metrics : by name.
    records : what is measured already; it is added to.

    Attributes
    ----------
    samples : the name of each sample in the records, in the order of the data.
    failures : the error of each method that cannot explain the model.
    cells : the error of each method and metric that do not go together.
    """

    def __init__(
        self,
        methods: Mapping[str, Explainer],
        controls: Mapping[str, Explainer],
        metrics: Mapping[str, Any],
        records: Records,
    ):
        self.explainers: dict[str, Explainer] = {**methods, **controls}
        self.metrics, self.records = dict(metrics), records
        self.samples: list[str] = []
        self.failures: dict[str, ModelError] = {}
        self.cells: dict[tuple[str, str], ModelError] = {}
        self._reader = next(iter(methods.values()))
        self._ready: set[int] = set()
        self._wanted = list(methods)
        self._identities = {name: _identity(name, each) for name, each in {**self.explainers, **metrics}.items()}

    def measure(self, samples: Samples, bar: Any) -> None:
        """Measures what is missing of some samples."""
        inputs = self._reader._checked(samples.inputs, samples.start)
        marks = digests(leaves(samples.inputs)).tolist()
        names = [f"{mark:016x}-{_asked(samples.targets, row)}" for row, mark in enumerate(marks)]
        positions = np.arange(samples.start, samples.start + len(names))
        group = Group(inputs, self._targets(inputs, samples, names), names, positions)
        self.samples += names
        shared: dict[Rows, Answers] = {}
        for method in self.explainers:
            if method not in self.failures:
                self._measure_method(method, group, shared)
            bar.update(len(names))
        self._refuse_what_fails_for_all()

    def line(self, method: str, sample: int) -> dict[str, Any]:
        """What is recorded of a method and the sample of this number."""
        return self.records.of(self._identities[method], self.samples[sample])

    def values(self, method: str, metric: str, sample: int) -> Any:
        """The values of a metric on the map of a method, of the sample of this number; None if there are none."""
        cell = self.line(method, sample).get("metrics", {}).get(self._key(metric, sample))
        return None if cell is None else from_json(cell["values"])

    def seconds(self, metric: str, method: str, sample: int) -> float:
        """How long a metric took for the map of a method, of the sample of this number."""
        return self.line(method, sample)["metrics"][self._key(metric, sample)]["seconds"]

    def target(self, sample: int) -> Any:
        """The target of the sample of this number."""
        return from_json(self.records.of(_OF_SAMPLES, self.samples[sample])["target"])[()]

    def finished(self) -> int:
        """How many maps are measured."""
        return sum(self.records.count(self._identities[method]) for method in self.explainers)

    def _targets(self, inputs: Any, samples: Samples, names: Sequence[str]) -> np.ndarray:
        known = [self.records.of(_OF_SAMPLES, name).get("target") for name in names]
        missing = [row for row, target in enumerate(known) if target is None]
        if missing:
            self._prepare(self._reader, inputs)
            some = map_leaves(lambda leaf: leaf[missing], inputs)
            asked = None if samples.targets is None else samples.targets[missing]
            targets, _ = self._reader._answered(some, asked, samples.start)
            lines = {names[row]: {"target": as_json(target)} for row, target in zip(missing, targets, strict=True)}
            self.records.add(_OF_SAMPLES, lines)
        return np.stack([from_json(self.records.of(_OF_SAMPLES, name)["target"]) for name in names])

    def _prepare(self, user: Any, inputs: Any) -> None:
        """Lets a method or metric look at the model, once, before it asks for the first time."""
        if isinstance(user, OnModel) and id(user) not in self._ready:
            user.access.ensure_ready(map_leaves(lambda leaf: leaf[:1], inputs))
            self._ready.add(id(user))

    def _measure_method(self, method: str, group: Group, shared: dict[Rows, Answers]) -> None:
        identity = self._identities[method]
        known = [self.records.of(identity, name) for name in group.names]
        missing: dict[str, Rows] = {}
        for metric in self.metrics:
            keys = [self._key(metric, position) for position in group.positions.tolist()]
            rows = [row for row, line in enumerate(known) if keys[row] not in line.get("metrics", {})]
            if rows and (method, metric) not in self.cells:
                missing[metric] = tuple(rows)
        new = [row for row, line in enumerate(known) if "seconds" not in line]
        rows = tuple(sorted({*new, *(row for each in missing.values() for row in each)}))
        if not rows:
            return
        lines: dict[int, dict[str, Any]] = {row: {"metrics": {}} for row in rows}
        try:
            maps = self._maps(method, group, rows, new, lines)
            own: dict[Rows, Answers] = {}
            again: dict[tuple[str, Rows], list[Any]] = {}
            for metric, some in missing.items():
                answers = own.setdefault(some, shared.setdefault(some, Answers()).for_other_maps())
                chosen = maps[np.searchsorted(rows, some)]
                self._measure_metric(method, metric, group.at(some), chosen, answers, again, some, lines)
        except ModelError as error:
            self.failures[method] = error
        finally:
            # After an interruption, too: what is measured is measured.
            self.records.add(
                identity,
                {group.names[row]: line for row, line in lines.items() if "seconds" in line or line["metrics"]},
            )

    def _maps(
        self, method: str, group: Group, rows: Rows, new: Sequence[int], lines: dict[int, dict[str, Any]]
    ) -> np.ndarray:
        """The maps of some samples `(m, h, w)`: those that were kept, and the others explained now."""
        explainer, identity = self.explainers[method], self._identities[method]
        found: dict[int, Any] = {
            row: None if row in new else self.records.map_of(identity, group.names[row]) for row in rows
        }
        absent = tuple(row for row in rows if found[row] is None)
        if absent:
            part = group.at(absent)
            start = time.perf_counter()
            explanation = explainer.explain(part.inputs, part.targets)
            seconds = (time.perf_counter() - start) / len(absent)
            shape = tuple(int(size) for size in explainer.engine.explained(part.inputs).shape[1:])
            forwards, backwards = explainer.cost(shape, explainer.engine.output_spec(part.inputs))
            asked = explanation.extras.get("forwards")
            for place, row in enumerate(absent):
                found[row] = explanation.values[place]
                self.records.keep_map(identity, group.names[row], explanation.values[place])
                count = forwards if asked is None else int(asked[place])
                lines[row] |= {"seconds": round(seconds, 4), "forwards": count, "backwards": backwards}
        layout = explainer.access.layout(tuple(explainer.engine.explained(group.inputs).shape[1:]))
        return MapSource(explainer, method).fitted(np.stack(list(found.values())), layout)

    def _measure_metric(
        self,
        method: str,
        metric: str,
        group: Group,
        maps: np.ndarray,
        answers: Answers,
        again: dict[tuple[str, Rows], list[Any]],
        rows: Rows,
        lines: dict[int, dict[str, Any]],
    ) -> None:
        measure, start = self.metrics[metric], time.perf_counter()
        self._prepare(measure, group.inputs)
        try:
            if isinstance(measure, MapStatistic):
                parts = [measure.measure(maps, group.positions)]
            elif isinstance(measure, MapMetric):
                first = int(group.positions[0])
                parts = [measure.measure(group.inputs, group.targets, maps, answers, first)]
            else:
                key = _digest({"values": measure.same_values(), "settings": settings_of(measure)}), rows
                if key not in again:
                    again[key] = list(self._explained_again(measure, self.explainers[method], group, maps))
                parts = again[key]
        except ModelError as error:
            self.cells[method, metric] = error
            return
        seconds = round((time.perf_counter() - start) / len(rows), 4)
        values = [sample_of(part, place) for part in parts for place in range(_length(part))]
        for row, position, value in zip(rows, group.positions.tolist(), values, strict=True):
            lines[row]["metrics"][self._key(metric, position)] = {"seconds": seconds, "values": as_json(value)}

    def _explained_again(
        self, measure: ExplainerMetric, explainer: Explainer, group: Group, maps: np.ndarray
    ) -> Iterator[Any]:
        # Samples whose numbers follow each other, as the metric counts them from the first.
        ends = [*(np.flatnonzero(np.diff(group.positions) != 1) + 1).tolist(), len(group.positions)]
        for begin, end in zip([0, *ends], ends, strict=False):
            part = group.at(range(begin, end))
            yield measure.measure(explainer, part.inputs, part.targets, maps[begin:end], int(part.positions[0]))

    def _refuse_what_fails_for_all(self) -> None:
        if all(method in self.failures for method in self._wanted):
            raise self.failures[self._wanted[0]]
        running = [method for method in self.explainers if method not in self.failures]
        for metric in self.metrics:
            errors = [self.cells.get((method, metric)) for method in running]
            if all(errors) and errors[0] is not None:
                raise errors[0]

    def _key(self, metric: str, position: int) -> str:
        """What the values of a metric on a sample are recorded under."""
        own = [described(np.asarray(each[position])) for each in _of_each_sample(self.metrics[metric], position)]
        return f"{self._identities[metric]}-{_digest(own)}" if own else self._identities[metric]


def _identity(name: str, instance: Any) -> str:
    """A name for files that tells any other setting apart."""
    settings = {option: value for option, value in settings_of(instance).items() if option not in _OF_EACH_SAMPLE}
    marks = _digest({"name": name, "class": type(instance).__name__, "settings": settings, "xsparks": __version__})
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_') or 'unnamed'}-{marks}"


def _of_each_sample(metric: Any, position: int) -> list[Any]:
    """What a metric knows of each sample, so that what it knows of further samples changes nothing."""
    known = (getattr(metric, option, None) for option in _OF_EACH_SAMPLE)
    return [each for each in known if each is not None and position < len(each)]


def _asked(targets: Any, row: int) -> str:
    """What is explained of a sample, in a word."""
    if targets is None:
        return "predicted"
    target = np.asarray(targets[row])
    return str(int(target)) if target.ndim == 0 and target.dtype.kind in "iu" else _digest(described(target))


def _digest(what: Any) -> str:
    return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=5).hexdigest()


def _length(tree: Any) -> int:
    while isinstance(tree, dict | list | tuple):
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return len(tree)
