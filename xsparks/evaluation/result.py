"""What a benchmark found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import check_choice
from ..engine import Score
from . import ranking
from .ranking import Difference


class MethodCost(NamedTuple):
    """What one map cost: passes through the model, at most, and the median of the seconds measured."""

    forwards: int
    backwards: int
    seconds: float


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """Which method did best, by which measure, how sure is that, and what did it cost?

    Parameters
    ----------
    scores : of each method, controls included, a `Score` for each metric.
    better : of each metric, "higher" or "lower".
    controls : the names of the controls.
    costs : of each method.
    failures : why a method has no scores, or, as `"method: metric"`, not this one.
    samples, targets : names of the samples, and what was explained of each.
    methods : the class and the settings of each method.
    model : the fingerprint of the model.
    seed : of the intervals.
    versions : of the libraries.

    Example
    -------
    >>> values = {"a": np.array([0.1, 0.3, 0.2]), "b": np.array([0.4, 0.6, 0.5]), "chance": np.array([0.5, 0.6, 0.4])}
    >>> scores = {name: {"Deletion": Score.from_samples(each, "lower", "Deletion")} for name, each in values.items()}
    >>> result = BenchmarkResult(scores, {"Deletion": "lower"}, controls=("chance",))
    >>> result.ranks("Deletion"), [each.verdict for each in result.paired("Deletion")]
    ({'a': 1.0, 'b': 2.0}, ['worse', 'worse'])
    """

    scores: dict[str, dict[str, Score]]
    better: dict[str, str]
    controls: tuple[str, ...] = ()
    costs: dict[str, MethodCost] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    targets: tuple[Any, ...] = ()
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    model: str = ""
    seed: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics."""
        return list(self.better)

    @property
    def names(self) -> list[str]:
        """The methods that have scores, without controls, the one of the best mean rank first."""
        own = [name for name, scores in self.scores.items() if scores and name not in self.controls]
        mean = self.mean_ranks()
        return sorted(own, key=lambda name: mean[name][0] if name in mean else np.inf)

    def measured(self, metric: str, controls: bool = False) -> list[str]:
        """The methods that have a score of this metric."""
        check_choice("BenchmarkResult", "metric", metric, self.metrics)
        return [name for name, own in self.scores.items() if metric in own and (controls or name not in self.controls)]

    def best(self, metric: str) -> str:
        """The best method by this metric, controls left out."""
        ranks = self.ranks(metric)
        return min(ranks, key=lambda name: ranks[name])

    def ranks(self, metric: str) -> dict[str, float]:
        """The rank of each method by this metric, 1 for the best, controls left out; equal ones share a rank."""
        names = self.measured(metric)
        values = np.array([float(self.scores[name][metric]) for name in names])
        return dict(zip(names, ranking.ranks_of(values, self.better[metric]).tolist(), strict=True))

    def mean_ranks(self, level: float = 0.95) -> dict[str, tuple[float, float, float]]:
        """The mean rank over all metrics with its bootstrap interval over samples, of methods that have all."""
        names = [
            name
            for name, own in self.scores.items()
            if name not in self.controls and all(metric in own for metric in self.metrics)
        ]
        if not names or not self.metrics:
            return {}
        found, drawn = [], []
        for metric in self.metrics:
            ranks = self.ranks(metric)
            found.append([ranks[name] for name in names])
            means = np.stack([self._means[metric][name] for name in self.measured(metric)], axis=1)
            order = [self.measured(metric).index(name) for name in names]
            drawn.append(ranking.ranks_of(means, self.better[metric])[:, order])
        low, high = np.quantile(np.mean(drawn, axis=0), [(1 - level) / 2, (1 + level) / 2], axis=0)
        means = np.mean(found, axis=0)
        return {name: (float(means[i]), float(low[i]), float(high[i])) for i, name in enumerate(names)}

    def paired(self, metric: str, reference: str | None = None, level: float = 0.95) -> list[Difference]:
        """How every other method, controls included, differs from a reference, on the same samples.

        Parameters
        ----------
        metric : its name.
        reference : a method or a control; None for the best method. That one was chosen by the same samples, which
            makes it look a little better than it is.
        level : of the bootstrap intervals over samples; each is for itself, not corrected for their number.

        Returns
        -------
        differences : a `Difference` for each, in the order of their values, the best first.

        Raises
        ------
        ValueError : an unknown metric or reference.
        """
        everyone = self.measured(metric, controls=True)
        where = f"BenchmarkResult.paired({metric!r})"
        known = self.best(metric) if reference is None else check_choice(where, "reference", reference, everyone)
        sign = 1 if self.better[metric] == "lower" else -1
        values = {name: self.scores[name][metric].per_sample for name in everyone}
        found = [
            ranking.difference(name, known, values, self._means[metric], self.better[metric], level)
            for name in everyone
            if name != known
        ]
        return sorted(found, key=lambda each: sign * each.difference)

    def tied_with_best(self, metric: str) -> list[str]:
        """The best method by this metric, and those that cannot be told from it."""
        rest = [each.method for each in self.paired(metric) if each.verdict != "worse"]
        return [self.best(metric), *(name for name in rest if name not in self.controls)]

    def beaten_controls(self, metric: str, method: str) -> list[str]:
        """The controls that a method is better than by this metric, beyond chance."""
        controls = [name for name in self.controls if metric in self.scores.get(name, {})]
        found = {each.method: each for each in self.paired(metric, reference=method)} if controls else {}
        return [name for name in controls if name in found and found[name].verdict == "worse"]

    def table(self, format: str = "markdown") -> str:
        """The leaderboard: every score with its 95 % interval and rank, controls below, marks explained beneath.

        Parameters
        ----------
        format : `"markdown"` or `"text"`.
        """
        from .leaderboard import leaderboard

        check_choice("BenchmarkResult.table", "format", format, ("markdown", "text"))
        return leaderboard(self, format)

    def plot(self, **options: Any) -> Any:
        """A panel for each metric with every method and its interval, `(figure, axes)`; options of its function."""
        from ..plots import plot_leaderboard

        values = {
            metric: {
                name: (float(self.scores[name][metric]), *self.scores[name][metric].interval)
                for name in self.measured(metric, controls=True)
                if np.isfinite([self.scores[name][metric].value, *self.scores[name][metric].interval]).all()
            }
            for metric in self.metrics
        }
        return plot_leaderboard(values, self.better, controls=self.controls, **options)

    def save(self, folder: Any) -> Path:
        """Writes results.json and results.npz, results.csv, per_image.csv, leaderboard.md and leaderboard.png.

        Raises
        ------
        WriteError : the folder cannot be written; the result is still in memory.
        """
        from .files import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: Any) -> BenchmarkResult:
        """What `save` wrote.

        Raises
        ------
        FileNotFoundError, ValueError : no result in the folder, or a damaged one.
        """
        from .files import load

        return load(Path(folder))

    def __repr__(self) -> str:
        count = len(self.scores) - len(self.controls)
        return f"<BenchmarkResult of {count} methods and {len(self.metrics)} metrics on {len(self.samples)} samples>"

    def _repr_markdown_(self) -> str:
        return self.table()

    @cached_property
    def _means(self) -> Mapping[str, Mapping[str, np.ndarray]]:
        """For each metric and method, its means over resamples, which all methods share."""
        found = {}
        for metric in self.metrics:
            names = self.measured(metric, controls=True)
            if names:
                columns = np.stack([self.scores[name][metric].per_sample for name in names], axis=1)
                means = ranking.resampled_means(columns.astype(np.float64), self.seed)
                found[metric] = dict(zip(names, means.T, strict=True))
        return found
