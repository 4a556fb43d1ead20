"""Metrics that explain again what was changed."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from ..core.inputs import Reader
from ..core.layout import Layout
from ..core.progress import progress_bar
from .explainer import Explainer
from .map_source import MapSource
from .metric import Metric
from .record import settings_of, versions
from .rows import length
from .schedule import group_size
from .score import Score
from .session import OnModel


class Group(NamedTuple):
    """Some samples as they are explained.

    inputs : the tree `(m, ...)`; the explained one float32.
    targets : `(m, ...)`, resolved.
    outputs : what the model answers, a tree `(m, ...)`.
    positions : `(m,)`, the numbers of the samples.
    """

    inputs: Any
    targets: Any
    outputs: Any
    positions: np.ndarray


def _same_inputs(group: Group) -> Any:
    return group.inputs


def _same_targets(group: Group) -> Any:
    return group.targets


class Change(NamedTuple):
    """One thing that is changed before the samples are explained again.

    name : of the change, for progress and errors.
    inputs : from the group to other inputs.
    targets : from the group to other targets.
    around : a context in which the changed samples are explained, such as one that gives the model other weights.
    """

    name: str
    inputs: Callable[[Group], Any] = _same_inputs
    targets: Callable[[Group], Any] = _same_targets
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def _stacked(trees: Sequence[Any]) -> Any:
    """Trees of arrays one after the other along the leading axis."""
    return tf.nest.map_structure(lambda *some: np.concatenate(some), *trees)


def _together(changes: Sequence[Change], most: int) -> Iterator[list[Change]]:
    """Changes that are explained in one call, so that batches are full where samples are few."""
    some: list[Change] = []
    for change in changes:
        alone = change.around is not nullcontext
        if some and (alone or some[0].around is not nullcontext or len(some) == most):
            yield some
            some = []
        some.append(change)
    if some:
        yield some


@dataclass(frozen=True, eq=False, kw_only=True)
class ExplainerMetric(OnModel, Metric, abc.ABC):
    """A measure of an explainer by how its maps differ when something changes.

    A subclass is one file: its options as fields, the `changes`, and how two maps of a sample `compare`.

    Parameters
    ----------
    inputs, targets : as for `explain`; read once in each `evaluate`.
    """

    inputs: Any = field(kw_only=False)
    targets: Any = field(default=None, kw_only=False)

    @abc.abstractmethod
    def changes(self, explainer: Explainer, layout: Layout, outputs: Any) -> Sequence[Change]:
        """What is changed, one after the other, for samples of this layout and a model with outputs of this spec."""

    @abc.abstractmethod
    def compare(self, maps: np.ndarray, changed: np.ndarray, group: Group) -> np.ndarray:
        """How far from, or how like, the maps `(m, h, w)` are those of the changed samples, `(m,)`."""

    def counts(self, group: Group, changed: Any) -> np.ndarray:
        """Which count of the inputs `(k m, ...)` of the samples under `k` changes in turn, `(k m,)` bool; here all."""
        return np.ones(length(changed), bool)

    @abc.abstractmethod
    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The value of each sample `(n,)`, and the curve or None, of `{"compared": (n, k), "counts": (n, k)}`."""

    def same_values(self) -> str:
        """Metrics that say the same here, and have the same options, get the same values from `measure`."""
        return type(self).__name__

    def extras(self, values: Any) -> dict[str, Any]:
        """Further arrays of the score, of the same values; here none."""
        return {}

    @final
    def evaluate(self, explainer: Explainer, /) -> Score:
        """How do the maps of this explainer change?

        Parameters
        ----------
        explainer : any `Explainer` of the model of this metric.

        Returns
        -------
        score : a `Score`.

        Raises
        ------
        TypeError : maps instead of an explainer.
        ValueError : an explainer of another model.
        """
        name = type(self).__name__
        self.check_explainer(explainer)
        reader = Reader(self.inputs, self.targets, self._sample_rank(self.inputs), name)
        first = self._checked(reader.peek())
        self.access.ensure_ready(first)
        parts = []
        with progress_bar(None, name, self.progress, unit="map") as bar:
            size = group_size(1, self.engine.batch_size)
            while (samples := reader.read(size)) is not None:
                parts.append(self.measure(explainer, samples.inputs, samples.targets, None, samples.start, bar.update))
        return self.scored(_stacked(parts), type(explainer).__name__)

    @final
    def measure(
        self,
        explainer: Explainer,
        inputs: Any,
        targets: Any,
        maps: np.ndarray | None = None,
        start: int = 0,
        progress: Callable[[int], None] = lambda done: None,
    ) -> dict[str, np.ndarray]:
        """The comparisons of a group of samples under every change, of which `scored` makes a score.

        Parameters
        ----------
        inputs, targets : `(m, ...)`, and their targets or None.
        maps : those of the samples as they are `(m, h, w)`, where they are known.
        start : the number of the first sample.
        progress : called with the number of maps made.

        Returns
        -------
        values : `{"compared": (m, k), "counts": (m, k)}`, one column a change.
        """
        inputs = self._checked(inputs, start)
        targets, _ = self._answered(inputs, targets, start)
        outputs = tf.nest.map_structure(np.asarray, self.engine.predict(inputs))
        group = Group(inputs, targets, outputs, np.arange(start, start + len(targets)))
        layout = self.access.layout(self.engine.explained(inputs).shape[1:])
        source = MapSource(explainer, type(self).__name__)
        if maps is None:
            maps = explainer.explain(inputs, targets).maps
            progress(len(targets))
        maps = source.fitted(maps, layout)
        compared, counts = [], []
        at_once = max(1, self.engine.batch_size // len(targets))
        for changes in _together(self.changes(explainer, layout, outputs), at_once):
            with changes[0].around():
                other = _stacked([change.inputs(group) for change in changes])
                aims = _stacked([change.targets(group) for change in changes])
                changed = source.fitted(explainer.explain(other, aims).maps, layout)
            compared += [self.compare(maps, some, group) for some in np.split(changed, len(changes))]
            counts += np.split(self.counts(group, other), len(changes))
            progress(len(changed))
        return {"compared": np.stack(compared, axis=1), "counts": np.stack(counts, axis=1)}

    @final
    def scored(self, values: Any, method: str = "") -> Score:
        """The score of the values of all samples."""
        per_sample, curve = self.summarise(values)
        return Score.from_samples(
            per_sample,
            self.better,
            type(self).__name__,
            self.seed,
            curve=curve,
            method=method,
            axes=self.axes,
            settings=settings_of(self),
            versions=versions(),
            extras=self.extras(values),
        )

    def check_explainer(self, explainer: Any) -> None:
        """Refuses what is no explainer of the model of this metric."""
        if not isinstance(explainer, Explainer):
            raise TypeError(
                wording(
                    f"{type(self).__name__}.evaluate",
                    expected="`explainer` must be an Explainer, which can explain again what was changed",
                    received=type(explainer).__name__,
                    remedy="Pass for example Saliency(model).",
                )
            )
        if explainer.model is not self.model:
            raise ValueError(
                wording(
                    f"{type(self).__name__}.evaluate",
                    expected="`explainer` must explain the model of this metric",
                    received="an explainer of another model",
                    remedy="Build both on the same model object.",
                )
            )
