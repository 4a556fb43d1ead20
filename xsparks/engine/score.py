"""The answer of a metric."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from ..core.errors import nearest, wording
from ..core.files import pair_of, read_pair, write_arrays, write_json
from ..core.randomness import generator


def bootstrap_interval(
    per_sample: np.ndarray,
    seed: int,
    statistic: Callable[..., Any] = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic over samples; of one sample, the sample itself."""
    values = np.asarray(per_sample, dtype=np.float64)
    if len(values) < 2 or np.ptp(values) == 0:
        single = float(statistic(values))
        return single, single
    found = stats.bootstrap(
        (values,),
        statistic,
        n_resamples=resamples,
        # Some 32 MB of resamples at a time, whatever the number of samples.
        batch=max(1, 2**22 // len(values)),
        confidence_level=level,
        method="percentile",
        rng=generator(seed, 1),
    ).confidence_interval
    return float(found.low), float(found.high)


@dataclass(frozen=True, eq=False)
class Score:
    """How well did an explanation do, how sure is that, and which direction is better?

    Parameters
    ----------
    value : the mean over samples, where the metric says nothing else; `float(score)` is the same.
    per_sample : `(n,)`.
    interval : the 95 % bootstrap interval of the value over samples.
    curve : `(x (k,), per_sample (n, k))` or None.
    better : "higher" or "lower".
    metric, method, settings, versions : how it was made.
    axes : labels of the curve's two axes.
    extras : further arrays or numbers of the metric, also found as attributes, such as `.p_value`.

    Example
    -------
    >>> score = Score.from_samples(np.array([0.2, 0.4]), better="lower", metric="Deletion")
    >>> round(float(score), 3), score.better
    (0.3, 'lower')
    """

    value: float
    per_sample: np.ndarray
    interval: tuple[float, float]
    better: str
    metric: str
    curve: tuple[np.ndarray, np.ndarray] | None = None
    method: str = ""
    axes: tuple[str, str] = ("", "")
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_samples(cls, per_sample: np.ndarray, better: str, metric: str, seed: int = 0, **known: Any) -> Score:
        """A score that is the mean of its samples, with its bootstrap interval."""
        per_sample = np.asarray(per_sample)
        interval = bootstrap_interval(per_sample, seed)
        return cls(float(np.mean(per_sample)), per_sample, interval, better, metric, **known)

    def __float__(self) -> float:
        return self.value

    def __getattr__(self, name: str) -> Any:
        extras = self.__dict__.get("extras", {})
        if name in extras:
            return extras[name]
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            wording(
                f"{self.__dict__.get('metric') or 'Score'}.{name}",
                expected="a score has its fields and the extras of its metric",
                received=repr(name),
                remedy=nearest(name, extras) if extras else "This one has no extras.",
            )
        )

    def __repr__(self) -> str:
        low, high = self.interval
        of = f" of {self.method}" if self.method else ""
        return f"<{self.metric}{of} {self.value:.4f} [{low:.4f}, {high:.4f}], {self.better} is better>"

    def plot(self, **options: Any) -> Any:
        """The mean curve with its interval over samples; returns `(figure, axes)`. Options of `plots.plot_curves`."""
        from ..plots import plot_curves

        if self.curve is None:
            raise ValueError(f"`{self.metric}.plot`: the metric has no curve; plot `per_sample` instead.")
        options.setdefault("xlabel", self.axes[0])
        options.setdefault("ylabel", self.axes[1])
        x, rows = self.curve
        options.setdefault("title", self.metric)
        return plot_curves({self.method or self.metric: (x, rows.mean(axis=0), self.curve_interval())}, **options)

    def curve_interval(self, level: float = 0.95, resamples: int = 2000) -> tuple[np.ndarray, np.ndarray]:
        """The bootstrap interval over samples of the mean curve, point by point: `(low (k,), high (k,))`."""
        if self.curve is None:
            raise ValueError(f"`{self.metric}.curve_interval`: the metric has no curve.")
        rows = self.curve[1]
        draw = generator(0, 2)
        # Each resample by how often each row was drawn: no array of resamples x rows.
        counts = (np.bincount(draw.integers(0, len(rows), len(rows)), minlength=len(rows)) for _ in range(resamples))
        means = np.stack([count @ rows for count in counts]) / len(rows)
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def save(self, path: Any) -> Any:
        """Writes `path.npz` and `path.json`, without pickle; returns the first path.

        Raises
        ------
        WriteError : the folder cannot be written; the score is still in memory.
        """
        arrays_path, record_path = pair_of(path)
        arrays = {"per_sample": self.per_sample}
        if self.curve is not None:
            arrays |= {"curve_x": self.curve[0], "curve_y": self.curve[1]}
        arrays |= {f"extra_{name}": np.asarray(value) for name, value in self.extras.items()}
        write_arrays(arrays_path, arrays)
        write_json(record_path, {"kind": "Score", "schema": 1, **self.record()})
        return arrays_path

    def record(self) -> dict[str, Any]:
        """Everything but the arrays, fit for JSON."""
        names = ("value", "interval", "better", "metric", "method", "axes", "settings", "versions")
        record = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}

    @classmethod
    def load(cls, path: Any) -> Score:
        """What `save` wrote."""
        arrays, record = read_pair(path, "Score")
        curve = (arrays["curve_x"], arrays["curve_y"]) if "curve_x" in arrays else None
        known = {name: value for name, value in record.items() if name not in ("kind", "schema")}
        known |= {name: tuple(known[name]) for name in ("interval", "axes")}
        extras = {name[len("extra_") :]: array[()] for name, array in arrays.items() if name.startswith("extra_")}
        return cls(per_sample=arrays["per_sample"], curve=curve, extras=extras, **known)

    def _repr_html_(self) -> str:
        """One line for notebooks."""
        low, high = self.interval
        return (
            f"<p><b>{html.escape(self.metric)}</b> {html.escape(self.method)}: {self.value:.4f} "
            f"[{low:.4f}, {high:.4f}] over {len(self.per_sample)} samples, {self.better} is better</p>"
        )
