"""The page of a study in headless Chromium: participants finish it by buttons and keys, and it fits a phone."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.browser import chromium
from xsparks.utility import MetaPredictorStudy, Utility, read_results

pytestmark = pytest.mark.browser

# Clicks through the page as a participant does, who answers as the picture's colour says.
PLAYER = """
const press = (id) => document.getElementById(id).click();
const key = (name) => dispatchEvent(new KeyboardEvent("keydown", { key: name }));
const asked = [];
function step() {
  const at = [...document.querySelectorAll("main > section")].find((section) => !section.hidden).id;
  if (at === "welcome") {
    press("agree");
    document.getElementById("start").requestSubmit();
    if (!document.getElementById("welcome").hidden) return;
  } else if (at === "learn") press("next");
  else if (at === "ready") press("go");
  else if (at === "predict") {
    const image = document.getElementById("picture");
    asked.push(document.querySelectorAll("#reservoir .group img").length);
    const canvas = document.createElement("canvas");
    const brush = canvas.getContext("2d");
    brush.drawImage(image, 0, 0);
    const bright = brush.getImageData(0, 0, 1, 1).data[0] > 128;
    if (asked.length % 2) key(bright ? "ArrowRight" : "ArrowLeft");
    else press(bright ? "answer-1" : "answer-0");
  } else {
    document.body.dataset.asked = JSON.stringify(asked);
    return;
  }
  setTimeout(step, 300);
}
setTimeout(step, 300);
"""


@pytest.fixture(scope="module")
def study() -> MetaPredictorStudy:
    """The corner of each picture says what the model answers."""
    draw = np.random.default_rng(0)
    images, answers = draw.random((60, 16, 16, 3)), np.arange(60) % 2
    images[:, :2, :2] = np.where(answers, 0.9, 0.1)[:, None, None, None]
    maps = np.zeros((60, 16, 16))
    maps[:, :2, :2] = 1
    names = ("dark", "bright <corner>")
    return MetaPredictorStudy(images, answers, {"corner": maps, "signed": images[..., 0] - 0.5}, class_names=names)


def handed_in(study: MetaPredictorStudy, folder: Path, query: str) -> tuple[dict, list[int]]:
    """What a participant who follows a link hands in, and how many pictures lay beside each test."""
    page = chromium.document(chromium.played(study.page(), PLAYER, folder, query))
    (text,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, flags=re.DOTALL)
    (asked,) = re.findall(r'data-asked="(.*?)"', page)
    return json.loads(html.unescape(text)), json.loads(html.unescape(asked))


def test_participants_finish_and_their_answers_come_back(study, tmp_path):
    answers = tmp_path / "answers"
    answers.mkdir()
    beside, arms = {}, {}
    for number in range(len(study.arms)):
        record, asked = handed_in(study, tmp_path, f"?participant={number}")
        (answers / f"{number}.json").write_text(json.dumps(record))
        arms[record["arm"]] = [trial["item"] for trial in record["trials"]]
        beside[study.arms[record["arm"]]] = asked
    # Consecutive numbers fall on all arms; all see the same items, in orders of their own.
    assert set(arms) == set(study.arms)
    assert len({tuple(sorted(items)) for items in arms.values()}) == 1
    assert len({tuple(items) for items in arms.values()}) == len(arms)
    assert beside["baseline"] == [5] * 7 + [10] * 8 + [15] * 7
    assert beside["control"] == beside["corner"] == [10] * 7 + [20] * 8 + [30] * 7
    results = read_results(answers, study.key())
    assert results.exclusions == {}
    assert all((results.accuracies(name) == 1).all() for name in study.conditions)
    assert (results.seconds > 0.1).all() and (results.seconds < 2).all()
    with pytest.raises(ValueError, match="2 participants at least"):
        Utility().evaluate(results)


def test_a_link_may_name_the_arm_and_a_wrong_one_does_not_start(study, tmp_path):
    record, _ = handed_in(study, tmp_path, "?participant=anna&arm=2")
    assert (record["participant"], record["arm"], record["finished"]) == ("anna", "2", True)
    for query, problem in {
        "?participant=anna": "digits only",
        "?arm=9&participant=1": "This link",
        "": "number",
    }.items():
        page = chromium.document(chromium.played(study.page(), PLAYER, tmp_path, query))
        (said,) = re.findall(r'id="problem"[^>]*>(.*?)</p>', page)
        assert problem in said
        assert "<textarea" in page and "finished" not in re.findall(r"<textarea[^>]*>(.*?)</textarea>", page)[0]


def test_nothing_is_wider_than_a_phone(study, tmp_path):
    # A window of Chromium is at least 500 pixels wide, so the phone is a frame; its page is measured from within.
    measure = """
    setInterval(() => { if (document.documentElement.scrollWidth > innerWidth) document.title = "too wide"; }, 50);
    """
    inner = chromium.played(study.page(), PLAYER + measure, tmp_path, "?participant=1")
    inside = Path(tmp_path / "played.html").read_text()
    (tmp_path / "played.html").write_text(
        inside.replace(
            "document.body.dataset.asked", "parent.postMessage(document.title, '*'); document.body.dataset.asked"
        )
    )
    frame = tmp_path / "phone.html"
    frame.write_text(
        "<script>addEventListener('message', (event) => { document.body.dataset.title = event.data; });</script>"
        f'<iframe src="{inner}" style="width:390px;height:844px;border:0"></iframe>'
    )
    page = chromium.document(frame.as_uri())
    assert f'data-title="{study.title}"' in page


def test_the_page_is_drawn(study, tmp_path):
    file = chromium.screenshot(chromium.played(study.page(), "", tmp_path), tmp_path / "page.png")
    pixels = cv2.imread(str(file))
    assert pixels is not None and pixels.shape == (900, 1280, 3) and pixels.std() > 5
