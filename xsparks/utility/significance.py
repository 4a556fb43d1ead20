"""Are the conditions of a study different? One-way analysis of variance, and Tukey's test against the baseline."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from ..core.errors import nearest, wording
from .results import StudyResults


class Anova(NamedTuple):
    """A one-way analysis of variance: `F(between, within) = statistic`, its p-value, and `eta_squared`."""

    statistic: float
    between: int
    within: int
    p_value: float
    eta_squared: float


class Comparison(NamedTuple):
    """The mean accuracy of a condition less that of the baseline, its 95 % interval and its p-value (Tukey)."""

    difference: float
    low: float
    high: float
    p_value: float


def anova(results: StudyResults) -> Anova:
    """Do people predict the model differently well under different explanations?

    One-way analysis of variance of the participants' accuracies over all sessions, between the conditions. `eta^2 =
    SS_between / SS_total`, the share of the variance that the conditions explain.

    Parameters
    ----------
    results : `StudyResults`; excluded participants do not count.

    Returns
    -------
    anova : `(statistic, between, within, p_value, eta_squared)`.

    Raises
    ------
    ValueError : one condition alone, a condition of fewer than two participants, participants of one condition who all
        did equally well in every condition (F has no meaning).

    Example
    -------
    >>> row = {"session": 1, "training": 5, "item": "a", "model_answer": "wolf"}
    >>> right = {"baseline": (1, 0, 0, 0), "GradCAM": (1, 1, 1, 0)}
    >>> results = StudyResults.from_rows(
    ...     {**row, "participant": f"{name} {who}", "condition": name, "answer": "wolf" if hit else "husky"}
    ...     for name, hits in right.items() for who, hit in enumerate(hits))
    >>> found = anova(results)
    >>> found.between, found.within, round(found.statistic, 3), round(found.eta_squared, 3)
    (1, 6, 2.0, 0.25)

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, section 4, https://arxiv.org/abs/2112.04417
    """
    groups = list(_groups("anova", results).values())
    everyone = np.concatenate(groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    total = ((everyone - everyone.mean()) ** 2).sum()
    if np.isclose(within, 0):
        remedy = "Give more tests: equal scores tell nothing about the spread."
        _refuse("anova", "participants of a condition must differ", "equal accuracies in each condition", remedy)
    found = stats.f_oneway(*groups)
    degrees = len(groups) - 1, len(everyone) - len(groups)
    return Anova(float(found.statistic), *degrees, float(found.pvalue), float(1 - within / total))


def compare_with_baseline(results: StudyResults, baseline: str = "baseline") -> dict[str, Comparison]:
    """Which explanations make people better than none, when all are tested at once?

    Tukey's honestly significant difference of the participants' accuracies over all sessions: p-values and intervals
    that hold for all pairs of conditions together.

    Parameters
    ----------
    results : `StudyResults`; excluded participants do not count.
    baseline : the condition without explanations.

    Returns
    -------
    comparisons : condition -> `Comparison(difference, low, high, p_value)`; where nobody differs within any condition,
        the interval is the difference itself, and the p-value 1 for none and 0 for any.

    Raises
    ------
    ValueError : no such baseline, one condition alone, a condition of fewer than two participants.

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, section 4, https://arxiv.org/abs/2112.04417
    """
    groups = _groups("compare_with_baseline", results)
    if baseline not in groups:
        remedy = nearest(baseline, groups)
        _refuse("compare_with_baseline", "`baseline` must be a condition of the results", repr(baseline), remedy)
    names = list(groups)
    if all(np.ptp(group) == 0 for group in groups.values()):
        gaps = {name: float(group.mean() - groups[baseline].mean()) for name, group in groups.items()}
        return {name: Comparison(gap, gap, gap, float(gap == 0)) for name, gap in gaps.items() if name != baseline}
    found = stats.tukey_hsd(*groups.values())
    interval = found.confidence_interval(0.95)
    column = names.index(baseline)
    return {
        name: Comparison(
            *(float(table[row, column]) for table in (found.statistic, interval.low, interval.high, found.pvalue))
        )
        for row, name in enumerate(names)
        if name != baseline
    }


def _groups(where: str, results: StudyResults) -> dict[str, np.ndarray]:
    """Condition -> the accuracy of each participant over all sessions."""
    groups = {name: results.accuracies(name).mean(axis=1) for name in results.conditions}
    small = [name for name, group in groups.items() if len(group) < 2]
    if len(groups) < 2 or small:
        counted = ", ".join(f"{name} {len(group)}" for name, group in groups.items()) or "nobody"
        remedy = "Collect more results, or leave the condition out."
        _refuse(where, "there must be two conditions, of two participants each at least", counted, remedy)
    return groups


def _refuse(where: str, expected: str, received: object, remedy: str) -> None:
    raise ValueError(wording(where, expected=expected, received=received, remedy=remedy))
