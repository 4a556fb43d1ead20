"""Utility-K and Utility (Colin, Fel et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.checks import check_choice, check_integer
from ..core.errors import nearest, wording
from ..core.randomness import generator
from ..engine.record import settings_of, versions
from ..engine.score import Score
from .results import HUMAN, StudyResults
from .significance import compare_with_baseline

AGGREGATES = ("pooled", "mean", "trapezoid")
_EACH_SESSION = 5  # training examples before each session of the published study
_LEVEL = 0.95

Accuracies = StudyResults | Mapping[str, Sequence[float]]


def utility_k(results: Accuracies, baseline: str = "baseline") -> dict[str, np.ndarray]:
    """How much better do people predict the model after K examples with explanations than without?

    `Utility-K = P(psi_K(x) = f(x)) / P(psi_0(x) = f(x))`, with `psi_K` people who saw K training examples with their
    explanations, `psi_0` people who saw the same K without, and `f` the model. 1 is useless, above 1 helps.

    Parameters
    ----------
    results : `StudyResults`, or accuracies in [0, 1]: a mapping from a condition to one number for each session.
    baseline : the condition without explanations.

    Returns
    -------
    utilities : condition -> `(sessions,)`, for each condition but the baseline.

    Raises
    ------
    ValueError : no such baseline, accuracies outside [0, 1], sessions that differ between conditions, a session in
        which nobody of the baseline was ever right.

    Example
    -------
    >>> utility_k({"baseline": [0.5, 0.6], "GradCAM": [0.75, 0.9]})["GradCAM"]
    array([1.5, 1.5])

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, section 3, https://arxiv.org/abs/2112.04417
    """
    groups = _groups("utility_k", results, baseline)
    without = groups[baseline].mean(axis=0)
    return {name: rows.mean(axis=0) / without for name, rows in groups.items() if name != baseline}


@dataclass(frozen=True, eq=False, kw_only=True)
class Utility:
    """Do explanations help people to predict what the model will answer?

    The area under Utility-K over K, the number of training examples: 1 is useless, above 1 helps, below 1 misleads. It
    holds for the task and the people of the study, and for no other. Read it beside the control condition, whose maps
    say nothing about the model: what a map gains over the baseline may be the gain of looking twice.

    `"pooled"` is the ratio of the accuracies, each averaged over the sessions: `sum_K P(psi_K(x) = f(x)) / sum_K
    P(psi_0(x) = f(x))`; `"mean"` the average of the Utility-K; `"trapezoid"` the area under Utility-K over K by
    trapezoids, divided by the range of K.

    Parameters
    ----------
    aggregate : "pooled", "mean" or "trapezoid".
    baseline : the condition without explanations.
    training : K of each session, or None: that of the results; for a table of accuracies 5, 10, 15, ...
    seed, resamples : of the bootstrap: participants are drawn again within their condition, those of the baseline too.

    Returns
    -------
    scores : `evaluate(results)` gives condition -> `Score`, for each condition but the baseline. `.per_sample` has one
        value a participant, whose mean is `.value`; `.curve` is Utility-K over K for each of them; `.interval` is the
        95 % interval of the ratio over participants. Further attributes: `.utility_k` and `.utility_k_interval`, `(k,)`
        and `(2, k)`; `.accuracies` and `.baseline_accuracies`, `(k,)`; `.p_value` against the baseline (Tukey). Who was
        excluded, and why, is in `.settings["participants"]`. A table of accuracies tells of no participants: then the
        interval is the value itself, which `.settings["interval"]` says, and there is no p-value.

    Raises
    ------
    ValueError : as `utility_k`; fewer than two participants in a condition.

    Departs
    -------
    The paper calls Utility an area; its published figures are the pooled ratio (21 figures, 0.003 away on average),
    which is the default. `"trapezoid"` is what the words say (0.009 away).

    Example
    -------
    >>> scores = Utility().evaluate({"baseline": [0.557, 0.662, 0.629], "GradCAM": [0.776, 0.857, 0.841]})
    >>> round(float(scores["GradCAM"]), 2)
    1.34

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, sections 3 and 4, https://arxiv.org/abs/2112.04417
    """

    aggregate: str = "pooled"
    baseline: str = "baseline"
    training: Sequence[int] | None = None
    seed: int = 0
    resamples: int = 2000

    better: ClassVar[str] = "higher"
    axes: ClassVar[tuple[str, str]] = ("training examples seen (K)", "Utility-K")

    def __post_init__(self) -> None:
        check_choice("Utility", "aggregate", self.aggregate, AGGREGATES)
        check_integer("Utility", "resamples", self.resamples, 100, "Use 2000.")
        check_integer("Utility", "seed", self.seed, 0, "Seeds are not negative.")

    def evaluate(self, results: Accuracies) -> dict[str, Score]:
        """The Utility of each condition but the baseline."""
        groups = _groups("Utility.evaluate", results, self.baseline)
        people = isinstance(results, StudyResults)
        seen = self._training(results, len(groups[self.baseline][0]))
        chances: dict[str, Any] = {}
        if people:
            for name, rows in groups.items():
                if len(rows) < 2:
                    remedy = "The spread between participants is what tells how sure the ratio is."
                    _refuse("Utility.evaluate", f"{name!r} must have 2 participants at least", len(rows), remedy)
            chances = compare_with_baseline(results, self.baseline)
        return {
            name: self._score(name, rows, groups[self.baseline], seen, results, chances.get(name))
            for name, rows in groups.items()
            if name != self.baseline
        }

    def __call__(self, results: Accuracies) -> dict[str, Score]:
        """The same as `evaluate`."""
        return self.evaluate(results)

    def plot(self, results: Accuracies, **options: Any) -> Any:
        """Utility-K over the sessions and Utility of each condition; returns `(figure, axes)`. Simulated participants
        are named as such. Options of `xsparks.plots.plot_utility`."""
        from ..plots import plot_utility

        scores = self.evaluate(results)
        kind = results.kind if isinstance(results, StudyResults) else HUMAN
        title = "Do explanations help to predict the model?"
        options.setdefault("title", title if kind == HUMAN else f"{title} ({kind})")
        if isinstance(results, StudyResults):
            excluded = "nobody" if not results.exclusions else str(len(results.exclusions))
            counted = sum(len(results.participants(name)) for name in results.conditions)
            options.setdefault("note", f"{counted} participants ({kind}); excluded: {excluded}. Bars: 95 % intervals.")
        sure = isinstance(results, StudyResults)
        curves = {
            name: (score.curve[0], score.utility_k, score.utility_k_interval if sure else None)
            for name, score in scores.items()
            if score.curve is not None
        }
        totals = {name: (float(score), score.interval if sure else None) for name, score in scores.items()}
        return plot_utility(curves, totals, **options)

    def _training(self, results: Accuracies, sessions: int) -> np.ndarray:
        if self.training is not None:
            seen = tuple(self.training)
        elif isinstance(results, StudyResults):
            seen = results.training
        else:
            seen = tuple(_EACH_SESSION * (1 + session) for session in range(sessions))
        if len(seen) != sessions or (np.diff(seen) <= 0).any():
            expected = f"`training` must be {sessions} increasing numbers, one for each session"
            _refuse("Utility", expected, seen, "Leave it out, or use (5, 10, 15) for three sessions.")
        return np.asarray(seen, dtype=np.float64)

    def _aggregated(self, accuracies: np.ndarray, without: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Utility from accuracies `(..., sessions)` with and without explanations; linear in the first."""
        if self.aggregate == "pooled":
            return _ratio(accuracies.sum(axis=-1), without.sum(axis=-1))
        ratios = _ratio(accuracies, without)
        if self.aggregate == "mean" or len(seen) == 1:
            return ratios.mean(axis=-1)
        return np.trapezoid(ratios, seen, axis=-1) / (seen[-1] - seen[0])

    def _score(self, name: str, rows: Any, without: Any, seen: Any, results: Any, chance: Any) -> Score:
        people = isinstance(results, StudyResults)
        ratio, base = rows.mean(axis=0), without.mean(axis=0)
        per_sample = self._aggregated(rows, base, seen)
        extras = {"utility_k": ratio / base, "accuracies": ratio, "baseline_accuracies": base}
        settings = settings_of(self) | {"condition": name, "level": _LEVEL}
        value = float(self._aggregated(ratio, base, seen))
        interval = (value, value)
        simulated = people and results.kind != HUMAN
        if people:
            ends = np.array([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
            again, base_again = self._resampled(rows, 1), self._resampled(without, 2)
            low, high = np.quantile(self._aggregated(again, base_again, seen), ends)
            interval = (float(low), float(high))
            extras["utility_k_interval"] = np.quantile(_ratio(again, base_again), ends, axis=0)
            extras["p_value"] = chance.p_value
            settings |= {"participants": results.counts(), "interval": "bootstrap over participants"}
        else:
            settings["interval"] = "none: accuracies without participants"
        return Score(
            value,
            per_sample,
            interval,
            self.better,
            "Utility (simulated)" if simulated else "Utility",
            curve=(seen, rows / base),
            method=f"{name} ({results.kind})" if simulated else name,
            axes=self.axes,
            settings=settings,
            versions=versions(),
            extras=extras,
        )

    def _resampled(self, rows: np.ndarray, index: int) -> np.ndarray:
        """Mean accuracies of drawn-again participants `(resamples, sessions)`; the same draws for all conditions."""
        count = len(rows)
        drawn = generator(self.seed, index).multinomial(count, np.full(count, 1 / count), size=self.resamples)
        return drawn @ rows / count


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    # A resample in which nobody of the baseline was right: no bound above.
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.inf), where=below > 0)


def _groups(where: str, results: Any, baseline: str) -> dict[str, np.ndarray]:
    """Condition -> accuracies `(participants, sessions)`; a table of accuracies is one row each."""
    if isinstance(results, StudyResults):
        groups = {name: results.accuracies(name) for name in results.conditions}
    elif isinstance(results, Mapping):
        groups = {str(name): _session_accuracies(where, name, values) for name, values in results.items()}
    else:
        expected = "`results` must be StudyResults, or a mapping from conditions to accuracies"
        remedy = "read_results reads the files of a study."
        raise TypeError(wording(where, expected=expected, received=type(results).__name__, remedy=remedy))
    if baseline not in groups:
        remedy = "Name the condition without explanations: baseline=. " + nearest(baseline, groups or ["none"])
        _refuse(where, f"the condition {baseline!r} must be among the results", ", ".join(groups) or "none", remedy)
    if len(groups) < 2:
        _refuse(where, "there must be a condition to compare with the baseline", repr(baseline), "Add its results.")
    lengths = {name: rows.shape[1] for name, rows in groups.items()}
    if len(set(lengths.values())) > 1:
        _refuse(where, "all conditions must have the same sessions", lengths, "Compare the sessions that all had.")
    never = np.flatnonzero(groups[baseline].mean(axis=0) == 0)
    if len(never):
        expected, received = "the baseline must be right at times", f"accuracy 0 in session {never[0] + 1}"
        _refuse(where, expected, received, "A ratio to it has no meaning; check how answers are coded.")
    return groups


def _session_accuracies(where: str, name: object, values: Any) -> np.ndarray:
    rows = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if rows.ndim != 1 or not rows.size:
        remedy = "Average over participants first, or hand over StudyResults."
        _refuse(where, f"{name!r} must have one accuracy for each session", f"shape {np.shape(values)}", remedy)
    if not ((rows >= 0) & (rows <= 1)).all():
        _refuse(where, f"accuracies of {name!r} must be in [0, 1]", rows.tolist(), "Divide percentages by 100.")
    return rows[None]


def _refuse(where: str, expected: str, received: object, remedy: str) -> None:
    raise ValueError(wording(where, expected=expected, received=received, remedy=remedy))
