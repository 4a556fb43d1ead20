"""The study: balanced, seeded, one file, no answer in it; its results come back; learners tell maps apart."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from xsparks.core.digests import digests
from xsparks.engine import Explanation
from xsparks.plots import displayable
from xsparks.utility import MetaPredictorStudy, Utility, bottom_up_saliency, read_results, simulated_pilot

PLACE = (2, 5)


def one_cell(count: int = 120, clutter: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of 8 x 8 noisy cells; whether one of them is bright is what the model answers, and maps show which."""
    draw = np.random.default_rng(3)
    images = 0.5 + clutter * (draw.random((count, 8, 8, 1)) - 0.5)
    answers = np.arange(count) % 2
    images[:, *PLACE, 0] = np.where(answers == 1, 0.75, 0.25)
    maps = np.zeros((count, 8, 8), np.float32)
    maps[:, *PLACE] = 1
    return images, answers, maps


def study(**options: Any) -> MetaPredictorStudy:
    images, answers, maps = one_cell()
    known = {"explanations": {"oracle": maps}, "class_names": ("dark", "bright"), **options}
    return MetaPredictorStudy(images, answers, **known)


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 2, 1), (4, 6, 6)])
def test_items_are_balanced_in_every_block_and_never_repeat(shape):
    sessions, training, tests = shape
    made = study(sessions=sessions, training=training, tests=tests)
    shown = np.concatenate([made.items.training.ravel(), made.items.tests.ravel()])
    assert len(set(shown.tolist())) == len(shown) == sessions * (training + tests)
    for blocks in made.items:
        for block in [*blocks, blocks.ravel()]:
            counts = np.bincount(np.asarray(made.model_answers)[block], minlength=2)
            assert abs(counts[0] - counts[1]) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_right_and_wrong_answers_are_balanced_with_labels(seed):
    draw = np.random.default_rng(seed)
    _, answers, _ = one_cell()
    labels = np.where(draw.random(len(answers)) < 0.5, answers, 1 - answers)
    made = study(labels=labels, seed=seed)
    for blocks in made.items:
        for block in [*blocks, blocks.ravel()]:
            wrong = int((labels[block] != answers[block]).sum())
            assert abs(2 * wrong - len(block)) <= 1
            kinds = Counter(zip(answers[block].tolist(), labels[block].tolist(), strict=True))
            assert max(kinds.values()) - min(kinds.get((a, b), 0) for a in (0, 1) for b in (0, 1)) <= 1


def test_the_seed_chooses_items_and_arms_and_the_same_seed_writes_the_same_files(tmp_path):
    first, again, other = study(), study(), study(seed=1)
    assert first.page() == again.page() and first.key() == again.key()
    assert not np.array_equal(first.items.tests, other.items.tests)
    assert first.digest == again.digest != other.digest
    orders = {tuple(study(seed=seed).arms.values()) for seed in range(6)}
    assert len(orders) > 1
    page = first.write(tmp_path)
    assert page.read_text() == first.page()
    assert json.loads((tmp_path / "study.json").read_text()) == first.key()


@pytest.mark.parametrize(
    "options",
    [{"class_names": ("a", "b")}, {"attention_check": False}, {"control": False}, {"title": "Other"}, {"tests": 6}],
)
def test_every_option_makes_another_study(options):
    assert study(**options).digest != study().digest
    assert study(**options).page() != study().page()


def test_other_maps_or_answers_make_another_study():
    images, answers, maps = one_cell()
    assert study(explanations={"oracle": maps + np.eye(8)}).digest != study().digest
    other = MetaPredictorStudy(images, 1 - answers, {"oracle": maps}, class_names=("dark", "bright"))
    assert other.digest != study().digest


def test_the_same_items_for_every_arm_and_one_arm_each():
    made = study(explanations={"oracle": one_cell()[2], "other": one_cell()[2]})
    assert made.conditions == ("baseline", "control", "oracle", "other")
    assert sorted(made.arms.values()) == sorted(made.conditions)
    content = json.loads(re.findall(r'id="content">(.*?)</script>', made.page())[0])
    assert len(content["examples"]) == 15
    baseline = {condition: code for code, condition in made.arms.items()}["baseline"]
    assert content["arms"].pop(baseline) is None
    assert {len(arm["pictures"]) for arm in content["arms"].values()} == {15}


def test_the_page_is_alone_and_knows_no_answer_of_a_test():
    made = study(about="For <friends> & others")
    page = made.page()
    assert "For &lt;friends&gt; &amp; others" in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    content = json.loads(re.findall(r'id="content">(.*?)</script>', page)[0])
    assert set(content) == {"study", "classes", "training", "examples", "answers", "tests", "check", "arms"}
    assert len(content["answers"]) == len(content["examples"]) == 15
    assert all(isinstance(each, str) for tests in content["tests"] for each in tests.values())
    assert "oracle" not in page and "baseline" not in page and "control" not in page


def test_explanations_of_the_images_of_the_study_are_taken():
    images, answers, maps = one_cell()
    explanation = Explanation(maps[..., None], digests=digests([images]))
    made = MetaPredictorStudy(images, answers, {"oracle": explanation})
    np.testing.assert_array_equal(made.maps_of("oracle"), maps)


def test_control_maps_are_those_of_the_picture_alone():
    images, _, _ = one_cell()
    made = study()
    assert made.maps_of("baseline") is None
    np.testing.assert_array_equal(made.maps_of("control"), bottom_up_saliency(images))
    assert "control" not in study(control=False).conditions


def test_bottom_up_saliency_is_contrast_and_nothing_on_one_colour():
    picture = np.zeros((2, 40, 60, 3), np.uint8)
    picture[0, 10:14, 40:44] = (255, 0, 0)
    maps = bottom_up_saliency(picture)
    assert maps.shape == (2, 40, 60) and maps.max() == 1
    rows, columns = np.nonzero(maps[0] > 0.5)
    assert 9 <= rows.min() and rows.max() <= 14 and 39 <= columns.min() and columns.max() <= 44
    assert not maps[1].any()


def filled(made: MetaPredictorStudy, participant: str, arm: str = "1", right: float = 1.0, **changes: Any) -> dict:
    """What the page would hand over for a participant who is right at first and wrong then."""
    key = made.key()
    trials = []
    for number, (code, test) in enumerate(key["tests"].items()):
        answer = test["answer"] if number < right * len(key["tests"]) else 1 - test["answer"]
        trials.append({"session": test["session"], "item": code, "answer": answer, "seconds": 1.25})
    trials.insert(11, {"session": 2, "item": "check", "answer": key["check"]["answer"], "seconds": 1.0})
    known = {"kind": "xsparks study results", "schema": 1, "study": made.digest, "finished": True}
    return {**known, "participant": participant, "arm": arm, "trials": trials, **changes}


def hand_in(folder: Path, *records: dict) -> Path:
    for number, record in enumerate(records):
        (folder / f"answers_{number}.json").write_text(json.dumps(record))
    return folder


def test_results_come_back_scored(tmp_path):
    made = study()
    made.write(tmp_path)
    folder = hand_in(tmp_path, filled(made, "1"), filled(made, "2", "2", right=1 / 3))
    found = read_results(folder, folder / "study.json")
    assert found.kind == "human" and found.training == (5, 10, 15)
    assert dict(zip(found.participant.tolist(), found.condition.tolist(), strict=True)) == {
        "1": made.arms["1"],
        "2": made.arms["2"],
    }
    assert len(found.answer) == 2 * 21 and set(found.answer) == {"dark", "bright"}
    np.testing.assert_array_equal(found.accuracies(made.arms["1"]), [[1, 1, 1]])
    np.testing.assert_array_equal(found.accuracies(made.arms["2"]), [[1, 0, 0]])
    assert set(found.seconds) == {1.25}
    one = read_results([folder / "answers_0.json"], made.key())
    assert one.conditions == (made.arms["1"],)


def test_who_did_not_finish_or_attend_is_excluded_with_the_reason(tmp_path):
    made = study()
    whole = filled(made, "ok")
    wrong = filled(made, "careless")
    for trial in wrong["trials"]:
        if trial["item"] == "check":
            trial["answer"] = 1 - trial["answer"]
    short = filled(made, "gone", trials=whole["trials"][:-1])
    none = filled(made, "silent", trials=[], finished=False)
    skipped = filled(made, "no check", trials=[t for t in whole["trials"] if t["item"] != "check"])
    found = read_results(hand_in(tmp_path, whole, wrong, short, none, skipped), made.key())
    reasons = {who: exclusion.reason for who, exclusion in found.exclusions.items()}
    assert reasons == {
        "careless": "failed the attention check",
        "gone": "did not finish all sessions",
        "silent": "did not finish all sessions",
        "no check": "did not finish all sessions",
    }
    assert set(reasons.values()) == set(made.exclusion_rules)
    assert found.participants(made.arms["1"]) == ("ok",)
    assert found.counts()["excluded"] == {
        made.arms["1"]: {"failed the attention check": 1, "did not finish all sessions": 3}
    }


def test_without_a_check_nobody_fails_it(tmp_path):
    made = study(attention_check=False)
    record = filled(study(), "1", study=made.digest)
    record["trials"] = [trial for trial in record["trials"] if trial["item"] != "check"]
    assert read_results(hand_in(tmp_path, record), made.key()).exclusions == {}


@pytest.fixture(scope="module")
def pilot() -> tuple[MetaPredictorStudy, Any]:
    images, answers, maps = one_cell()
    useless = np.random.default_rng(5).random(maps.shape)
    made = MetaPredictorStudy(images, answers, {"oracle": maps, "random": useless, "even": np.ones_like(maps)})
    return made, simulated_pilot(made, participants=20)


def test_a_pilot_tells_an_informative_map_from_useless_ones(pilot):
    scores = Utility().evaluate(pilot[1])
    assert scores["oracle"].interval[0] > max(1.2, scores["control"].interval[1])
    assert scores["oracle"].p_value < 0.01
    for useless in ("random", "even"):
        assert abs(float(scores[useless]) - 1) < 0.1
        assert scores[useless].p_value > 0.05


def test_a_pilot_says_everywhere_that_nobody_was_asked(pilot, tmp_path):
    _, results = pilot
    assert "simulated, not human" in repr(results)
    assert {row["kind"] for row in results.rows()} == {"simulated, not human"}
    assert all(who.startswith("simulated ") for who in results.participant)
    assert results.save(tmp_path / "pilot.csv").read_text().count("simulated, not human") == len(results.answer)
    score = Utility().evaluate(results)["oracle"]
    assert score.metric == "Utility (simulated)" and score.method == "oracle (simulated, not human)"
    assert score.settings["participants"]["kind"] == "simulated, not human"
    figure, axes = Utility().plot(results)
    texts = [text.get_text() for text in figure.texts]
    assert "(simulated, not human)" in texts[0].replace("\n", " ")
    assert any("100 participants (simulated, not human); excluded: nobody" in text for text in texts)
    assert len(axes) == 4


def test_a_pilot_has_the_study_s_trials_and_repeats_itself(pilot):
    made, results = pilot
    assert set(results.item) == set(made.test_codes())
    again = simulated_pilot(made, participants=20)
    np.testing.assert_array_equal(again.answer, results.answer)


@pytest.mark.parametrize(
    "options",
    [
        {"learner": "nearest"},
        {"learner": DecisionTreeClassifier(random_state=0)},
        {"grid_size": 2},
        {"noise": 2.0},
        {"lapse": 0.5},
        {"seed": 1},
    ],
)
def test_every_option_of_a_pilot_changes_its_answers(pilot, options):
    made, results = pilot
    few = np.isin(results.participant, [f"simulated {name} {n}" for name in made.conditions for n in (1, 2, 3)])
    other = simulated_pilot(made, participants=3, **options)
    assert len(other.answer) == few.sum()
    assert (other.answer != results.answer[few]).any()


def test_a_learner_that_always_lapses_tosses_coins(pilot):
    results = simulated_pilot(pilot[0], participants=20, lapse=1.0)
    assert abs(np.mean(results.answer == results.model_answer) - 0.5) < 0.05


def test_pictures_of_a_study_may_be_of_any_kind():
    images, answers, maps = one_cell()
    made = study()
    bytes_ = np.round(255 * images).astype(np.uint8)
    assert len(displayable(bytes_).pixels) == len(images)
    page = MetaPredictorStudy(np.repeat(bytes_, 3, axis=-1), answers, {"oracle": maps}).page()
    assert page.count("data:image/png") == made.page().count("data:image/png") == 15 + 21 + 2 * 15
    large = np.repeat(np.repeat(bytes_, 16, axis=1), 16, axis=2)
    assert MetaPredictorStudy(large, answers, {"oracle": maps}).page().count("data:image/jpeg") == 66
