"""Metrics that look at maps alone."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.inputs import Reader
from ..core.progress import progress_bar
from .explainer import Explainer
from .map_source import MapSource
from .metric import Metric
from .record import settings_of, versions
from .score import Score

# Samples that an explainer gets at a time; their maps are all that is held.
_GROUP = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class MapStatistic(Metric, abc.ABC):
    """A measure of maps that asks no model: how complex they are, or whether they lie on something known.

    Parameters
    ----------
    inputs, targets : what an `Explainer` handed to `evaluate` explains, and the order in which the maps of an
        `Explanation` are taken; None for maps that are there already, in their own order.
    seed : of the bootstrap.
    progress : show a progress bar; None shows it on a terminal or in a notebook only.
    """

    inputs: Any = None
    targets: Any = None
    seed: int = 0
    progress: bool | None = None

    def __post_init__(self) -> None:
        check_integer(type(self).__name__, "seed", self.seed, 0, "Use 0.")
        self.check()

    def check(self) -> None:
        """Checks the options of the metric itself; called by the constructor."""

    @abc.abstractmethod
    def measure(self, maps: np.ndarray, positions: np.ndarray) -> Any:
        """The value `(m,)` of each of the maps `(m, h, w)`; `positions (m,)` are the numbers of their samples.

        Or a tree of values `(m, ...)`, of which `summarise` and `extras` make the score.
        """

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
        maps : an `Explanation`, an array `(n, h, w)` or `(n, h, w, c)` (channels are averaged), or an `Explainer`,
            which explains `inputs`.

        Returns
        -------
        score : a `Score`.

        Raises
        ------
        ValueError : maps of other inputs, too few, or not finite; an explainer without `inputs`.
        """
        name = type(self).__name__
        if self.inputs is None:
            if isinstance(maps, Explainer):
                raise ValueError(
                    wording(
                        f"{name}.evaluate",
                        expected="`inputs` must be given where an explainer makes the maps",
                        received="none",
                        remedy=f"For example {name}(inputs=images, targets=labels), or pass an Explanation.",
                    )
                )
            source = MapSource(maps, name)
            every = source.all()
            return self.scored(self.measure(every, np.arange(len(every))), source.method)
        reader = Reader(self.inputs, self.targets, None, name)
        source, parts = MapSource(maps, name, reader.count), []
        with progress_bar(reader.count, name, self.progress, unit="map") as bar:
            while (samples := reader.read(_GROUP)) is not None:
                positions = np.arange(samples.start, samples.start + len(samples))
                parts.append(self.measure(source.of(samples, samples.targets), positions))
                bar.update(len(samples))
        source.check_all_used()
        return self.scored(tf.nest.map_structure(lambda *some: np.concatenate(some), *parts), source.method)

    @final
    def scored(self, values: Any, method: str = "") -> Score:
        """The score of what was measured on all samples, `(n,)` or a tree `(n, ...)`."""
        per_sample, curve = self.summarise(values)
        return Score.from_samples(
            per_sample,
            self.better,
            type(self).__name__,
            self.seed,
            method=method,
            curve=curve,
            axes=self.axes,
            extras=self.extras(values),
            settings=settings_of(self),
            versions=versions(),
        )
