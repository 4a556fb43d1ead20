"""Metrics that ask the model about inputs which a map changes."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.errors import ModelError, wording
from ..core.inputs import Reader
from ..core.layout import Layout
from ..core.progress import progress_bar
from .map_source import MapSource
from .measurement import Answers, Measurement, hashable
from .metric import Metric
from .plan import Loop
from .record import settings_of, versions
from .schedule import group_size
from .score import Score
from .session import OnModel, as_stages

_ACCESS = ("model", "output_layer", "operator", "preprocess", "explain_input")


@dataclass(frozen=True, eq=False, kw_only=True)
class MapMetric(OnModel, Metric, abc.ABC):
    """A measure of maps by what the model answers when its inputs change as the maps say.

    A subclass is one file: its options as fields, `measurements`, what it asks the model, and how the answers become
    one number a sample. `needs_gradients` declares whether the model must have them.

    Parameters
    ----------
    inputs, targets : as for `explain`; read once in each `evaluate`.
    score : `"probability"` (as published tables do; a plain callable's values are taken as they are) or `"logit"`.
    """

    inputs: Any = field(kw_only=False)
    targets: Any = field(default=None, kw_only=False)
    score: str = "probability"

    needs_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice(type(self).__name__, "score", self.score, ("probability", "logit"))
        super().__post_init__()

    @abc.abstractmethod
    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """What is asked of the model, for samples of this layout and a model with outputs of this spec."""

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        """From the answers to the measurements of some samples to a tree `(m, ...)`; here the first answer."""
        return answers[0]

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The value of each sample `(n,)`, and the curve `(x, per_sample)` or None; `values` is of all samples."""
        return np.asarray(values, dtype=np.float64), None

    def extras(self, values: Any) -> dict[str, Any]:
        """Further arrays of the score, of the same values; here none."""
        return {}

    @final
    def evaluate(self, maps: Any, /) -> Score:
        """How good are these maps, or the maps of this explainer?

        Parameters
        ----------
        maps : an `Explanation` of the same inputs in any order, an array `(n, h, w)` or `(n, h, w, c)` in the order of
            the inputs (channels are averaged), or an `Explainer`, which then explains each group just before it is
            measured.

        Returns
        -------
        score : a `Score`.

        Raises
        ------
        ValueError : maps of other inputs, of another size, too few, or not finite.
        """
        name = type(self).__name__
        reader = Reader(self.inputs, self.targets, self._sample_rank(self.inputs), name)
        first = self._checked(reader.peek())
        self.access.ensure_ready(first)
        source = MapSource(maps, name, reader.count)
        parts = []
        with progress_bar(None, name, self.progress) as bar:
            size = group_size(self._in_flight(first), self.engine.batch_size)
            while (samples := reader.read(size)) is not None:

                def maps_of(targets: Any, layout: Layout, samples: Any = samples) -> np.ndarray:
                    return source.of(samples, targets, layout)

                parts.append(self.measure(samples.inputs, samples.targets, maps_of, None, samples.start, bar.update))
        source.check_all_used()
        return self.scored(tf.nest.map_structure(lambda *some: np.concatenate(some), *parts), source.method)

    @final
    def measure(
        self,
        inputs: Any,
        targets: Any,
        maps: np.ndarray | Callable[[Any, Layout], np.ndarray],
        known: Answers | None = None,
        start: int = 0,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Any:
        """The values of a group of samples, a tree `(m, ...)`, of which `scored` makes a score.

        Parameters
        ----------
        inputs, targets : `(m, ...)`, and their targets or None.
        maps : `(m, h, w)`, or a function of the resolved targets and the layout.
        known : what other metrics asked about the same inputs and maps; it is added to.
        start : the number of the first sample, for errors.
        progress : called with the number of forwards finished.
        """
        known = Answers() if known is None else known
        if self.needs_gradients and not self.access.differentiable:
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="the model must have gradients",
                    received=f"a {type(self.model).__name__} of NumPy arrays",
                    remedy="Use a metric without gradients, such as Deletion, or pass a Keras model.",
                )
            )
        inputs = self._checked(inputs, start)
        given = () if targets is None else np.asarray(targets).tobytes()
        targets, _ = known.get(self._key(("targets", given)), False, lambda: self._answered(inputs, targets, start))
        layout = self.access.layout(self.engine.explained(inputs).shape[1:])
        if callable(maps):
            maps = maps(targets, layout)
        else:
            maps = MapSource(maps, type(self).__name__).fitted(maps, layout)

        def ask(measurement: Measurement) -> Callable[[], Any]:
            side = maps if measurement.of_maps else ()
            return lambda: tf.nest.map_structure(
                np.asarray, self.engine.run(measurement.plan, inputs, targets, side=side, progress=progress)
            )

        answers = tuple(
            known.get(self._key(each.key), each.of_maps, ask(each)) for each in self.measurements_for(inputs)
        )
        return self.values(maps, answers)

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

    def forwards(self, inputs: Any) -> int:
        """Variants of a sample that the model is shown, at most."""
        return sum(stage.variants for each in self.measurements_for(inputs) for stage in as_stages(each.plan))

    def _in_flight(self, inputs: Any) -> int:
        """Variants of a sample that can be in flight together; the steps of a loop wait for each other."""
        stages = [stage for each in self.measurements_for(inputs) for stage in as_stages(each.plan)]
        return min((1 if isinstance(stage, Loop) else stage.variants for stage in stages), default=1)

    def measurements_for(self, inputs: Any) -> tuple[Measurement, ...]:
        """The measurements of samples like these; the same objects each time, so that they are compiled once."""
        return self._kept(inputs, self.measurements)

    def _key(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return hashable((*key, *(getattr(self, name) for name in _ACCESS)))
