"""The words of the study and its score: what is missing, what does not fit, what was handed in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.messages.saying import says
from xsparks.core.digests import digests
from xsparks.engine import Explanation
from xsparks.plots import plot_utility
from xsparks.utility import (
    MetaPredictorStudy,
    StudyResults,
    Utility,
    anova,
    compare_with_baseline,
    read_results,
    simulated_pilot,
    utility_k,
)

IMAGES = np.random.default_rng(0).random((60, 8, 8, 1))
ANSWERS = np.arange(60) % 2
MAPS = {"oracle": IMAGES[..., 0]}
TABLE = {"baseline": [0.5, 0.6], "GradCAM": [0.7, 0.8]}
ROW = {"participant": "p", "condition": "baseline", "session": 1, "training": 5, "item": "a"}
ROW |= {"model_answer": "wolf", "answer": "wolf"}


def table(**people: int) -> StudyResults:
    """So many people a condition; every second one is right."""
    rows = [
        {**ROW, "participant": f"{name} {who}", "condition": name, "answer": ("wolf", "husky")[who % 2]}
        for name, count in people.items()
        for who in range(count)
    ]
    return StudyResults.from_rows(rows)


def study(images: Any = IMAGES, answers: Any = ANSWERS, maps: Any = None, **options: Any) -> MetaPredictorStudy:
    return MetaPredictorStudy(images, answers, MAPS if maps is None else maps, **options)


def refused(text: str, *rows: dict[str, Any]) -> None:
    says(ValueError, f"`StudyResults`: {text}", lambda: StudyResults.from_rows(rows))


def test_rows_that_make_no_table():
    refused("`rows` must hold at least one answer, got none. Read the results first.")
    short = {name: value for name, value in ROW.items() if name not in ("item", "answer")}
    refused("each row must have all columns, got row 1 without item, answer. A row has the columns", ROW, short)
    simulated = {**ROW, "participant": "q", "kind": "simulated, not human"}
    refused("all participants must be of one kind, got human, simulated, not human. Score people", ROW, simulated)
    refused("each session must have one `training`, got (session, training) [(1, 5), (3, 15)]", ROW, ROW | LATER)
    refused(
        "each session must have one `training`, got (session, training) [(1, 5), (1, 6)]", ROW, {**ROW, "training": 6}
    )
    refused(
        "a participant must have one condition, got 'p' in baseline, control.", ROW, {**ROW, "condition": "control"}
    )
    refused("`seconds` must be finite and not negative, got others. Give 0", {**ROW, "seconds": -1})
    refused("`seconds` must be finite", {**ROW, "seconds": np.nan})
    refused("`training` must be positive and increase, got (5, 5).", ROW, {**ROW, "session": 2})


LATER = {"session": 3, "training": 15}


def test_sessions_without_answers():
    later = {**ROW, "session": 2, "training": 10}
    refused(
        "each participant must have answers in each session, got none by 'q' in session 2. Exclude who did not finish",
        ROW,
        later,
        {**ROW, "participant": "q"},
    )


def test_columns_that_do_not_fit():
    columns = {name: np.array([ROW[name]]) for name in ROW if name != "training"}
    known = {**columns, "training": (5,), "seconds": np.zeros(1)}
    says(ValueError, "all columns must have one length", lambda: StudyResults(**{**known, "seconds": np.zeros(2)}))
    late = {**known, "session": np.array([4])}
    says(ValueError, "`session` must be in 1..1, got [4]. `training` has one", lambda: StudyResults(**late))
    says(ValueError, "`kind` must be one of 'human'", lambda: StudyResults(**known, kind="apes"))


def test_unknown_conditions():
    text = "`condition` must have participants who count, got 'contrl'. Nearest: control."
    says(ValueError, text, lambda: table(baseline=2, control=2).accuracies("contrl"))
    nobody = StudyResults.from_rows([{**ROW, "excluded": "asleep"}])
    says(ValueError, "All participants were excluded.", lambda: nobody.participants("baseline"))


@pytest.mark.parametrize(("where", "score"), [("utility_k", utility_k), ("Utility.evaluate", Utility().evaluate)])
def test_results_without_a_ratio(where, score):
    says(TypeError, f"`{where}`: `results` must be StudyResults, or a mapping", lambda: score([0.5]))
    missing = {"base": [0.5], "GradCAM": [0.7]}
    text = f"`{where}`: the condition 'baseline' must be among the results, got base, GradCAM. Name the condition"
    assert "Nearest: base." in str(says(ValueError, text, lambda: score(missing)))
    says(ValueError, "must be among the results, got none", lambda: score({}))
    says(ValueError, "there must be a condition to compare with", lambda: score({"baseline": [0.5]}))
    uneven = {**TABLE, "GradCAM": [0.7]}
    says(
        ValueError,
        "all conditions must have the same sessions, got {'baseline': 2, 'GradCAM': 1}",
        lambda: score(uneven),
    )
    says(
        ValueError, "must have one accuracy for each session, got shape (1, 2)", lambda: score({**TABLE, "a": [[0, 1]]})
    )
    percent = {**TABLE, "GradCAM": [70.0, 80.0]}
    text = "accuracies of 'GradCAM' must be in [0, 1], got [70.0, 80.0]. Divide percentages by 100."
    says(ValueError, text, lambda: score(percent))
    says(ValueError, "must be in [0, 1], got [nan, 0.5]", lambda: score({**TABLE, "GradCAM": [np.nan, 0.5]}))
    never = {**TABLE, "baseline": [0.5, 0.0]}
    says(ValueError, "the baseline must be right at times, got accuracy 0 in session 2", lambda: score(never))


def test_options_of_utility():
    says(ValueError, "Nearest: pooled.", lambda: Utility(aggregate="pool"))
    says(ValueError, "`resamples` must be an integer of at least 100", lambda: Utility(resamples=3))
    says(ValueError, "`seed` must be an integer of at least 0", lambda: Utility(seed=-1))
    for training in ((5,), (5, 5), (10, 5)):
        text = f"`Utility`: `training` must be 2 increasing numbers, one for each session, got {training}."
        says(ValueError, text, lambda: Utility(training=training).evaluate(TABLE))  # noqa: B023
    text = "'GradCAM' must have 2 participants at least, got 1. The spread between"
    says(ValueError, text, lambda: Utility().evaluate(table(baseline=3, GradCAM=1)))


def test_too_few_for_statistics():
    text = "there must be two conditions, of two participants each at least, got"
    says(ValueError, f"`anova`: {text} baseline 3.", lambda: anova(table(baseline=3)))
    says(ValueError, f"{text} baseline 2, a 1.", lambda: compare_with_baseline(table(baseline=2, a=1)))
    equal = [{**ROW, "participant": f"{name} {who}", "condition": name} for name in "ab" for who in range(2)]
    text = "`anova`: participants of a condition must differ, got equal accuracies in each condition."
    says(ValueError, text, lambda: anova(StudyResults.from_rows(equal)))
    text = "`baseline` must be a condition of the results, got 'none'."
    says(ValueError, text, lambda: compare_with_baseline(table(baseline=2, a=2), "none"))


def test_studies_that_cannot_be_made():
    for name, value in {"sessions": 0, "training": 1, "tests": 0, "seed": -1}.items():
        says(ValueError, f"`MetaPredictorStudy({name}={value})`", lambda: study(**{name: value}))  # noqa: B023
    for names in (("a",), ("a", "a"), ("a", "")):
        says(ValueError, "`class_names` must be two different names", lambda: study(class_names=names))  # noqa: B023
    mixed = [np.zeros((8, 8)), np.zeros((9, 8))]
    says(ValueError, "all images must have one size, got [(8, 8), (9, 8)]", lambda: study(mixed, [0, 1]))
    says(ValueError, "all images must differ, got 2 repeated", lambda: study(IMAGES[[0, 1, 0, 1]], [0, 1, 0, 1]))
    text = "`model_answers` must be 0 or 1 for each of the 60 images, got shape (60, 1) of [0, 1]. For logits"
    says(ValueError, text, lambda: study(answers=ANSWERS[:, None]))
    says(ValueError, "got shape (60,) of [0, 2]", lambda: study(answers=2 * ANSWERS))
    says(ValueError, "`labels` must be 0 or 1", lambda: study(labels=ANSWERS + 1))


def test_studies_of_too_few_images():
    text = "19 images must have the model's answer 0, got 15. Hand over more"
    says(ValueError, text, lambda: study(IMAGES[:30], ANSWERS[:30], {"a": IMAGES[:30, ..., 0]}, seed=0))
    text = "got 0. Hand over more images, or ask for fewer sessions, training examples or tests; without `labels`"
    says(ValueError, text, lambda: study(labels=ANSWERS))


def test_maps_that_do_not_fit():
    says(
        ValueError, "`explanations` must have names for conditions, got ['control']", lambda: study(maps={"control": 1})
    )
    says(ValueError, "must have names for conditions, got no explanations", lambda: study(maps={}))
    text = "`explanations['a']` must be 60 finite maps, got shape (59, 8, 8). Explain all"
    says(ValueError, text, lambda: study(maps={"a": IMAGES[:59, ..., 0]}))
    says(ValueError, "got NaN or infinity", lambda: study(maps={"a": np.full((60, 8, 8), np.nan)}))
    others = Explanation(IMAGES.astype("float32"), digests=digests([IMAGES + 1]))
    text = "`explanations['a']` must explain the images of the study, got maps of others. Pass np.asarray(maps)"
    says(ValueError, text, lambda: study(maps={"a": others}))


def test_options_of_a_pilot():
    made = study()
    for name, value in {"participants": 0, "grid_size": 0, "seed": -1, "noise": -1.0, "lapse": 1.5}.items():
        says(ValueError, f"`simulated_pilot({name}={value})`", lambda: simulated_pilot(made, **{name: value}))  # noqa: B023
    says(ValueError, "Nearest: nearest.", lambda: simulated_pilot(made, learner="neares"))


@pytest.fixture(scope="module")
def key() -> dict[str, Any]:
    return study().key()


def sheet(key: dict[str, Any], **changes: Any) -> dict[str, Any]:
    trial = {"session": 1, "item": "t1", "answer": 0, "seconds": 1.0}
    known = {"kind": "xsparks study results", "study": key["study"], "participant": "p", "arm": "1"}
    return {**known, "trials": [trial], "finished": False, **changes}


def test_files_that_are_no_results(key, tmp_path):
    def refuses(text: str, content: Any) -> None:
        file = tmp_path / "one.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        says(ValueError, f"`read_results`: {text}", lambda: read_results(file, key))

    refuses("files must hold JSON, got one.json: Expecting", "no JSON")
    refuses("files must be results of a study, got one.json, which is something else.", [1])
    refuses("files must be results of a study", {"kind": "other"})
    other = f"results must be of the study '{key['study']}', got one.json of the study 'x'. Read it with the key"
    refuses(other, sheet(key, study="x"))
    broken = "a file must have a participant, an arm and one answer a picture, got one.json. It was changed"
    trial = sheet(key)["trials"][0]
    changed = [{**trial, "answer": 2}, {**trial, "item": "t99"}, {**trial, "seconds": -1}, {**trial, "seconds": "1"}]
    for trials in ([trial, trial], None, ["t1"], *([each] for each in changed)):
        refuses(broken, sheet(key, trials=trials))
    refuses(broken, sheet(key, arm="9"))
    refuses(broken, sheet(key, participant=""))


def test_two_files_of_one_participant(key, tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(sheet(key)))
    text = "each participant must have one file, got a.json and b.json of 'p'. Keep the first"
    says(ValueError, text, lambda: read_results(tmp_path, key))


def test_nothing_to_read(key, tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(key))
    says(FileNotFoundError, "there must be results to read, got none in", lambda: read_results(tmp_path, key))


def test_a_key_that_is_none(key):
    text = "`key` must be the key of a study, got 'other'. It is the study.json beside study.html."
    says(ValueError, text, lambda: read_results("folder", {**key, "kind": "other"}))


def test_what_a_figure_refuses():
    known = {"a": ([5, 10], [1.0, 1.2])}
    says(ValueError, "`plot_utility`: `curves` must hold at least one condition, got none.", lambda: plot_utility({}))
    says(ValueError, "`columns` must be an integer of at least 1", lambda: plot_utility(known, columns=0))
    text = "`totals` must have the conditions of `curves`, got a, b. Give both"
    says(ValueError, text, lambda: plot_utility(known, {"b": (1.0, None)}))
    text = "`plot_utility(curves={'a': ...})`: each condition must have (x, utility_k) or (x, utility_k, interval), got"
    says(TypeError, text, lambda: plot_utility({"a": [1.0]}))
    text = "x and utility_k must be (k,), and interval (2, k), got x (2,), utility_k (3,). Give"
    says(ValueError, text, lambda: plot_utility({"a": ([5, 10], [1, 1, 1])}))
    says(ValueError, "interval (3,)", lambda: plot_utility({"a": ([5], [1.0], [1, 2, 3])}))
    for wrong in (([5, 5], [1, 1]), ([5, 10], [1, np.nan]), ([5, 10], [1, 1], ([1, np.inf], [1, 1]))):
        says(ValueError, "values must be finite and x increasing, got others.", lambda: plot_utility({"a": wrong}))  # noqa: B023
