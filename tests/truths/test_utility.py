"""Utility-K and Utility: the published table, a slow twin, and what each option changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xsparks.utility import StudyResults, Utility, anova, compare_with_baseline, utility_k

# Colin, Fel, Cadene, Serre (NeurIPS 2022), table 1: accuracies in % in sessions 1, 2, 3 (K = 5, 10, 15), and Utility.
PUBLISHED = {
    "Husky or wolf": {
        "baseline": ((55.7, 66.2, 62.9), None),
        "control": ((53.3, 61.0, 61.4), 0.95),
        "Saliency": ((53.9, 69.6, 73.3), 1.06),
        "IntegratedGradients": ((67.4, 72.8, 73.2), 1.15),
        "SmoothGrad": ((68.7, 75.3, 78.0), 1.20),
        "GradCAM": ((77.6, 85.7, 84.1), 1.34),
        "Occlusion": ((71.0, 75.7, 78.1), 1.22),
        "GradientInput": ((65.8, 63.3, 67.9), 1.06),
    },
    "Leaves": {
        "baseline": ((70.1, 76.8, 78.6), None),
        "control": ((72.0, 78.0, 80.2), 1.02),
        "Saliency": ((83.2, 88.7, 82.4), 1.13),
        "IntegratedGradients": ((82.5, 82.5, 85.3), 1.11),
        "SmoothGrad": ((83.0, 85.7, 86.3), 1.13),
        "GradCAM": ((81.9, 83.5, 82.4), 1.10),
        "Occlusion": ((78.8, 86.1, 82.9), 1.10),
        "GradientInput": ((76.5, 82.9, 79.5), 1.05),
    },
    "ImageNet": {
        "baseline": ((58.8, 62.2, 58.8), None),
        "control": ((60.7, 59.2, 48.5), 0.94),
        "Saliency": ((61.7, 60.2, 58.2), 1.00),
        "IntegratedGradients": ((59.4, 58.3, 58.3), 0.98),
        "SmoothGrad": ((50.3, 55.0, 61.4), 0.93),
        "GradCAM": ((54.4, 52.5, 54.1), 0.90),
        "Occlusion": ((51.0, 60.2, 55.1), 0.92),
        "GradientInput": ((50.0, 57.6, 62.6), 0.95),
    },
}


def accuracies(task: str) -> dict[str, np.ndarray]:
    return {name: np.array(shares) / 100 for name, (shares, _) in PUBLISHED[task].items()}


def deviations(aggregate: str) -> np.ndarray:
    """How far our figures lie from the printed ones, all 21."""
    found = []
    for task, table in PUBLISHED.items():
        scores = Utility(aggregate=aggregate).evaluate(accuracies(task))
        found += [float(scores[name]) - printed for name, (_, printed) in table.items() if printed is not None]
    return np.abs(found)


def study(people: dict[str, int], chances: dict[str, tuple[float, ...]], tests: int = 7, seed: int = 0) -> StudyResults:
    """Made-up answers of so many people a condition, right with these chances in each session."""
    draw = np.random.default_rng(seed)
    rows = []
    for name, count in people.items():
        for who in range(count):
            for session, chance in enumerate(chances[name], 1):
                for item in range(tests):
                    model = ("husky", "wolf")[item % 2]
                    other = ("wolf", "husky")[item % 2]
                    rows.append(
                        {
                            "participant": f"{name} {who}",
                            "condition": name,
                            "session": session,
                            "training": 5 * session,
                            "item": f"{session} {item}",
                            "model_answer": model,
                            "answer": model if draw.random() < chance else other,
                            "seconds": 1.0,
                        }
                    )
    return StudyResults.from_rows(rows)


@pytest.fixture(scope="module")
def results() -> StudyResults:
    chances = {"baseline": (0.55, 0.6, 0.65), "GradCAM": (0.7, 0.85, 0.9), "control": (0.55, 0.6, 0.65)}
    return study({"baseline": 12, "GradCAM": 9, "control": 10}, chances)


def test_the_published_figures_are_reproduced():
    assert len(deviations("pooled")) == 21
    assert deviations("pooled").max() < 0.01


def test_what_the_docstring_says_of_the_aggregates():
    # Where the printed figures come from: the pooled ratio, not the area by trapezoids.
    assert round(deviations("pooled").mean(), 3) == 0.003
    assert round(deviations("trapezoid").mean(), 3) == 0.009


def test_utility_k_is_the_ratio_of_accuracies():
    found = utility_k(accuracies("Husky or wolf"))
    assert "baseline" not in found
    np.testing.assert_allclose(found["GradCAM"], [77.6 / 55.7, 85.7 / 66.2, 84.1 / 62.9])


def slow_accuracy(results: StudyResults, condition: str, session: int) -> float:
    shares = []
    for who in results.participants(condition):
        own = [
            row["answer"] == row["model_answer"]
            for row in results.rows()
            if row["participant"] == who and row["session"] == session
        ]
        shares.append(sum(own) / len(own))
    return sum(shares) / len(shares)


def test_the_scores_are_those_of_a_slow_twin(results):
    sessions = (1, 2, 3)
    base = [slow_accuracy(results, "baseline", session) for session in sessions]
    with_maps = [slow_accuracy(results, "GradCAM", session) for session in sessions]
    ratios = [above / below for above, below in zip(with_maps, base, strict=True)]
    expected = {
        "pooled": sum(with_maps) / sum(base),
        "mean": sum(ratios) / 3,
        "trapezoid": (5 * (ratios[0] + ratios[1]) / 2 + 5 * (ratios[1] + ratios[2]) / 2) / 10,
    }
    for aggregate, value in expected.items():
        score = Utility(aggregate=aggregate).evaluate(results)["GradCAM"]
        assert float(score) == pytest.approx(value)
        assert score.per_sample.shape == (9,)
        assert score.per_sample.mean() == pytest.approx(value)
        np.testing.assert_allclose(score.utility_k, ratios)
        np.testing.assert_allclose(score.curve[0], [5, 10, 15])
        np.testing.assert_allclose(score.curve[1].mean(axis=0), ratios)
    assert len({round(value, 6) for value in expected.values()}) == 3
    assert score.better == "higher" and score.method == "GradCAM"


def test_the_interval_holds_the_spread_of_both_groups(results):
    score = Utility().evaluate(results)["GradCAM"]
    # The logarithm of a ratio of means: relative variances add up (the delta method).
    groups = [results.accuracies(name).mean(axis=1) for name in ("GradCAM", "baseline")]
    spread = np.sqrt(sum(group.var() / len(group) / group.mean() ** 2 for group in groups))
    expected = float(score) * np.exp(1.96 * spread * np.array([-1, 1]))
    np.testing.assert_allclose(score.interval, expected, rtol=0.02)
    assert score.interval[0] < float(score) < score.interval[1]
    low, high = score.utility_k_interval
    assert (low < score.utility_k).all() and (score.utility_k < high).all()
    alone = stats.bootstrap((score.per_sample,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    assert score.interval[1] - score.interval[0] > 1.1 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_interval_and_another_does_not(results):
    intervals = [Utility(seed=seed).evaluate(results)["GradCAM"].interval for seed in (0, 0, 1)]
    assert intervals[0] == intervals[1] != intervals[2]
    more = Utility(resamples=500).evaluate(results)["GradCAM"].interval
    assert more != intervals[0]


def test_the_numbers_of_training_examples_weigh_the_trapezoids(results):
    even, uneven = (Utility(aggregate="trapezoid", training=k).evaluate(results)["GradCAM"] for k in (None, (1, 2, 20)))
    assert float(even) != pytest.approx(float(uneven))
    ratios = even.utility_k
    assert float(uneven) == pytest.approx((1 * (ratios[0] + ratios[1]) / 2 + 18 * (ratios[1] + ratios[2]) / 2) / 19)


def test_a_table_of_accuracies_tells_that_it_has_no_interval():
    score = Utility().evaluate(accuracies("Leaves"))["Saliency"]
    assert score.interval == (float(score), float(score))
    assert score.settings["interval"] == "none: accuracies without participants"
    assert not hasattr(score, "p_value")


def test_another_baseline_changes_the_ratio(results):
    assert set(Utility(baseline="control").evaluate(results)) == {"baseline", "GradCAM"}


def test_analysis_of_variance_by_hand(results):
    groups = [results.accuracies(name).mean(axis=1) for name in results.conditions]
    everyone = np.concatenate(groups)
    between = sum(len(group) * (group.mean() - everyone.mean()) ** 2 for group in groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    found = anova(results)
    assert (found.between, found.within) == (2, 28)
    assert found.statistic == pytest.approx((between / 2) / (within / 28))
    assert found.eta_squared == pytest.approx(between / (between + within))
    assert found.p_value == pytest.approx(stats.f.sf(found.statistic, 2, 28))


def test_tukey_against_the_baseline_by_hand(results):
    groups = {name: results.accuracies(name).mean(axis=1) for name in results.conditions}
    variance = sum(((group - group.mean()) ** 2).sum() for group in groups.values()) / 28
    found = compare_with_baseline(results)
    assert set(found) == {"GradCAM", "control"}
    for name, comparison in found.items():
        gap = groups[name].mean() - groups["baseline"].mean()
        error = np.sqrt(variance / 2 * (1 / len(groups[name]) + 1 / len(groups["baseline"])))
        assert comparison.difference == pytest.approx(gap)
        assert comparison.p_value == pytest.approx(stats.studentized_range.sf(abs(gap) / error, 3, 28), abs=1e-6)
        half = stats.studentized_range.ppf(0.95, 3, 28) * error
        assert (comparison.low, comparison.high) == pytest.approx((gap - half, gap + half), abs=1e-6)
    assert Utility().evaluate(results)["GradCAM"].p_value == found["GradCAM"].p_value < 0.05 < found["control"].p_value


def test_the_table_of_degrees_of_freedom_is_the_published_one():
    # F(7, 234) of 242 people in 8 conditions: each person is one observation.
    names = ["baseline", *"abcdefg"]
    people = dict(zip(names, [30] * 6 + [31] * 2, strict=True))
    found = anova(study(people, dict.fromkeys(names, (0.6,)), tests=4))
    assert (found.between, found.within) == (7, 234)


def test_equal_people_have_a_p_value_all_the_same():
    same = study({"baseline": 2, "a": 2, "b": 2}, {"baseline": (1.0,), "a": (1.0,), "b": (0.0,)})
    found = compare_with_baseline(same)
    assert found["a"].p_value == 1 and found["b"].p_value == 0


def test_excluded_people_do_not_count_and_are_reported(results):
    rows = results.rows()
    for row in rows:
        if row["participant"] in ("GradCAM 0", "GradCAM 3"):
            row["excluded"] = "failed the attention check"
    fewer = StudyResults.from_rows(rows)
    score = Utility().evaluate(fewer)["GradCAM"]
    assert score.per_sample.shape == (7,)
    np.testing.assert_allclose(fewer.accuracies("GradCAM"), results.accuracies("GradCAM")[[1, 2, 4, 5, 6, 7, 8]])
    assert score.settings["participants"] == {
        "kind": "human",
        "counted": {"baseline": 12, "GradCAM": 7, "control": 10},
        "excluded": {"GradCAM": {"failed the attention check": 2}},
    }
    assert "2 excluded" in repr(fewer)


def test_the_table_survives_a_file(results, tmp_path):
    rows = [*results.rows()]
    nothing = {**rows[0], "participant": "gone", "condition": "control", "session": 0, "training": 0}
    full = StudyResults.from_rows([*rows, {**nothing, "excluded": "no answers"}])
    assert full.exclusions["gone"] == ("control", "no answers")
    again = StudyResults.load(full.save(tmp_path / "results.csv"))
    assert again.rows() == full.rows()
    assert again.training == (5, 10, 15)
