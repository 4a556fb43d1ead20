"""An experiment with people: do they learn to predict the model? (Colin, Fel et al. 2022)"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core.checks import check_integer
from ..core.digests import digests
from ..core.errors import wording
from ..core.files import write_bytes, write_json
from ..core.randomness import generator
from ..plots import displayable
from .control import bottom_up_saliency
from .items import Items, choose_items
from .page import render_page

BASELINE, CONTROL = "baseline", "control"
KEY_KIND = "xsparks study key"
SCHEMA = 1
CHECK = "check"
CONSENT = (
    "Taking part is voluntary. You can stop at any time by closing the page; nothing is sent or kept then. Your "
    "answers and how long each took are recorded, and nothing else. They stay on your device until you hand them over "
    "yourself at the end."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class MetaPredictorStudy:
    """Do people who see explanations predict the model better than people who do not?

    Writes one HTML page that is the whole experiment. A participant sees examples (a picture, the model's answer, and
    in most conditions a map of what the answer rests on) and then predicts the model's answer for other pictures,
    without map and without answer. Sessions repeat this, with all examples so far in view. Everybody has one condition:
    `"baseline"` without maps, `"control"` with maps that know nothing of the model, and one for each method. All see
    the same pictures. The page talks to no server; `read_results` scores what participants hand in, with the key that
    lies beside the page. Keep the key to yourself.

    For two-way tasks whose answer is not plain from the picture: where people know the answer anyway, use images on
    which the model is wrong half of the time, and hand over `labels`. Ask your ethics committee before you ask people.

    Parameters
    ----------
    images : `(n, h, w)` or `(n, h, w, c)`, as people should see them (see `xsparks.plots.displayable`).
    model_answers : `(n,)` 0 or 1, what the model answers.
    explanations : condition -> maps of the model's answers, `(n, h', w')`, `(n, h', w', 1)` or an `Explanation` of the
        same images in the same order.
    class_names : what answers 0 and 1 are called.
    labels : `(n,)` 0 or 1, the true answers, or None. Given, right and wrong answers of the model are balanced too.
    sessions, training, tests : how many, training examples and tests in each.
    control : whether there is a control condition (see `bottom_up_saliency`).
    attention_check : whether one of the examples is tested as well, in the middle; whoever misses it is excluded.
    title, about, consent : what the first page says.
    seed : of the choice of images, their order, and the order of conditions.

    Raises
    ------
    ValueError : too few images of an answer, the same image twice, answers other than 0 and 1, maps of other images or
        of another number, names of conditions that are taken, options out of range.
    TypeError : images or maps that are no numbers.

    Cost
    ----
    No forward. The page holds each picture once and each map of a training example once: some 3 MB for 8 conditions
    of 224 x 224.

    Departs
    -------
    The order of the tests of a session is drawn for each participant. The published control is a map of bottom-up
    saliency; ours is contrast of centre and surround.

    Example
    -------
    >>> images = np.random.default_rng(0).random((60, 8, 8, 3))
    >>> study = MetaPredictorStudy(images, np.arange(60) % 2, {"GradCAM": images.mean(axis=-1)},
    ...                            class_names=("husky", "wolf"))
    >>> study.conditions
    ('baseline', 'control', 'GradCAM')
    >>> study.items.training.shape, study.items.tests.shape
    ((3, 5), (3, 7))

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, sections 3 and 4, https://arxiv.org/abs/2112.04417
    """

    images: Any = field(kw_only=False)
    model_answers: Any = field(kw_only=False)
    explanations: Mapping[str, Any] = field(kw_only=False)
    class_names: Sequence[str] = ("A", "B")
    labels: Any = None
    sessions: int = 3
    training: int = 5
    tests: int = 7
    control: bool = True
    attention_check: bool = True
    title: str = "What will the model answer?"
    about: str = ""
    consent: str = CONSENT
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("sessions", 1), ("training", 2), ("tests", 1), ("seed", 0)):
            check_integer("MetaPredictorStudy", name, getattr(self, name), least, "The published study has 3, 5 and 7.")
        names = tuple(self.class_names)
        if len(names) != 2 or not all(isinstance(name, str) and name for name in names) or names[0] == names[1]:
            _refuse("`class_names` must be two different names", repr(self.class_names), "Tasks are two-way.")
        shapes = {each.shape[:2] for each in self._pixels}
        if len(shapes) > 1:
            _refuse("all images must have one size", sorted(shapes), "Resize them as the model takes them.")
        marks = digests([np.stack(self._pixels)])
        if len(np.unique(marks)) < len(marks):
            remedy = "A picture that is learnt and tested would be remembered; keep one of each."
            _refuse("all images must differ", f"{len(marks) - len(np.unique(marks))} repeated", remedy)
        taken = {BASELINE, CONTROL} & set(self.explanations)
        if taken or not self.explanations:
            remedy = "Give each method a name of its own; baseline and control are added."
            _refuse("`explanations` must have names for conditions", sorted(taken) or "no explanations", remedy)
        self._answers("model_answers", self.model_answers)
        for name in self.explanations:
            self._maps(name)
        _ = self.items

    @cached_property
    def _pixels(self) -> list[np.ndarray]:
        return displayable(self.images, where="MetaPredictorStudy").pixels

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions: baseline, control, and one for each method."""
        return (BASELINE, *((CONTROL,) if self.control else ()), *self.explanations)

    @cached_property
    def arms(self) -> dict[str, str]:
        """The condition of each arm; its code tells a participant nothing."""
        order = generator(self.seed, 2).permutation(len(self.conditions))
        return {str(1 + arm): self.conditions[position] for arm, position in enumerate(order)}

    @cached_property
    def items(self) -> Items:
        """The images of every session, by position: `.training (sessions, training)`, `.tests (sessions, tests)`."""
        answers = self._answers("model_answers", self.model_answers)
        wrong = None if self.labels is None else answers != self._answers("labels", self.labels)
        return choose_items(answers, wrong, self.sessions, self.training, self.tests, self.seed)

    def maps_of(self, condition: str) -> np.ndarray | None:
        """The maps `(n, h', w')` of a condition; None for the baseline."""
        if condition == BASELINE:
            return None
        return bottom_up_saliency(self.images) if condition == CONTROL else self._maps(condition)

    def _answers(self, name: str, values: Any) -> np.ndarray:
        answers = np.asarray(values)
        if answers.shape != (len(self._pixels),) or not np.isin(answers, (0, 1)).all():
            received = f"shape {answers.shape}" + (f" of {np.unique(answers)[:5].tolist()}" if answers.size else "")
            remedy = "For logits of two classes: logits.argmax(-1)."
            _refuse(f"`{name}` must be 0 or 1 for each of the {len(self._pixels)} images", received, remedy)
        return answers.astype(int)

    def _maps(self, name: str) -> np.ndarray:
        given = self.explanations[name]
        maps = np.asarray(given, dtype=np.float32)
        maps = maps.mean(axis=-1) if maps.ndim == 4 else maps
        if maps.ndim != 3 or len(maps) != len(self._pixels) or not np.isfinite(maps).all():
            received = f"shape {maps.shape}" if np.isfinite(maps).all() else "NaN or infinity"
            remedy = "Explain all images that you hand over, in their order."
            _refuse(f"`explanations[{name!r}]` must be {len(self._pixels)} finite maps", received, remedy)
        marks = getattr(given, "digests", None)
        if marks is not None and not np.array_equal(marks, digests([np.asarray(self.images)])):
            remedy = "Pass np.asarray(maps) if they are the same pictures in other units."
            _refuse(f"`explanations[{name!r}]` must explain the images of the study", "maps of others", remedy)
        return maps

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {
            "class_names": list(self.class_names),
            "sessions": self.sessions,
            "training": self.training,
            "tests": self.tests,
            "seed": self.seed,
            "balanced": "answers" if self.labels is None else "answers, right and wrong",
            "exclusions": self.exclusion_rules,
        }

    @property
    def exclusion_rules(self) -> list[str]:
        """Whose answers do not count; the first page says it."""
        rules = ["did not finish all sessions"]
        return [*rules, "failed the attention check"] if self.attention_check else rules

    @cached_property
    def digest(self) -> str:
        """What tells this study from any other: its images, maps, items, arms and settings."""
        known = hashlib.sha256(json.dumps([self._settings, self.arms, self.title, self.about, self.consent]).encode())
        shown = np.concatenate([self.items.training.ravel(), self.items.tests.ravel()])
        known.update(shown.astype("<i8").tobytes())
        known.update(np.asarray(self.model_answers).astype("<i8")[shown].tobytes())
        known.update(digests([np.stack([self._pixels[position] for position in shown])]).tobytes())
        for condition in self.explanations:
            known.update(digests([self._maps(condition)[self.items.training.ravel()]]).tobytes())
        return known.hexdigest()[:16]

    def test_codes(self) -> dict[str, tuple[int, int]]:
        """The tests as the page names them: code -> (session from 1, position of the image)."""
        found = [(1 + session, int(position)) for session, row in enumerate(self.items.tests) for position in row]
        return {f"t{1 + index}": each for index, each in enumerate(found)}

    def key(self) -> dict[str, Any]:
        """What scores the results: the model's answers and the condition of each arm, fit for JSON."""
        answers = self._answers("model_answers", self.model_answers)
        first = int(self.items.training[0, 0])
        return {
            "kind": KEY_KIND,
            "schema": SCHEMA,
            "study": self.digest,
            "title": self.title,
            "arms": self.arms,
            "training": [self.training * (1 + session) for session in range(self.sessions)],
            "tests": {
                code: {"session": session, "image": position, "answer": int(answers[position])}
                for code, (session, position) in self.test_codes().items()
            },
            "check": {"image": first, "answer": int(answers[first])} if self.attention_check else None,
            "settings": self._settings,
        }

    def page(self) -> str:
        """The experiment as one HTML page."""
        return render_page(self, self._pixels, self._answers("model_answers", self.model_answers))

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Writes `study.html`, for participants, and `study.json`, the key, for you; returns the page's path.

        Raises
        ------
        WriteError : the folder cannot be written.
        """
        folder = Path(folder)
        write_json(folder / "study.json", self.key(), kept="")
        return write_bytes(folder / "study.html", self.page().encode(), kept="")


def _refuse(expected: str, received: object, remedy: str) -> None:
    raise ValueError(wording("MetaPredictorStudy", expected=expected, received=received, remedy=remedy))
