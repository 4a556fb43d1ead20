"""A study tried on learners of scikit-learn before people are asked. What they answer is no evidence about people."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from ..core.checks import check_choice, check_integer, check_number
from ..core.randomness import generator
from ..plots import displayable
from .results import SIMULATED, StudyResults
from .study import MetaPredictorStudy

_WHERE = "simulated_pilot"
# liblinear takes one thread: the default solver's many wait for each other on fits this small.
_LEARNERS = {"logistic": LogisticRegression(solver="liblinear"), "nearest": KNeighborsClassifier(1)}


def simulated_pilot(
    study: MetaPredictorStudy,
    participants: int = 30,
    *,
    learner: str | ClassifierMixin = "logistic",
    grid_size: int = 8,
    noise: float = 0.5,
    lapse: float = 0.05,
    seed: int = 0,
) -> StudyResults:
    """Would this study tell a helpful map from a useless one, and how many participants would it take?

    Learners in the place of people: no evidence about people, and marked `"simulated, not human"` in the table, in each
    score and in the figure. Use it to try a study, its scorer and its size before anybody is asked.

    A learner sees the means `x_c` of the cells of each picture, with noise, and attends to the places that the maps of
    its K training examples point to: `a_c = cells * mean_k (|map_kc| / sum_c |map_kc|)`; without maps `a_c = 1`. It
    learns the model's answers from `a_c x_c`, and predicts them from `a_c x_c` of the tests, whose maps it does not
    see. It knows places, not objects: maps help it where what counts stands at the same place in each picture.

    Parameters
    ----------
    study : the study to try.
    participants : how many in each condition.
    learner : "logistic", "nearest", or a classifier of scikit-learn.
    grid_size : cells a side.
    noise : of each look at a picture, in standard deviations of the cells.
    lapse : chance that an answer is a coin toss.
    seed : of noise and lapses.

    Returns
    -------
    results : `StudyResults` of kind "simulated, not human", with times of 0.

    Raises
    ------
    ValueError, TypeError : options out of range.

    Cost
    ----
    One small fit a participant and session: about a second for 8 conditions of 30.

    Example
    -------
    >>> draw = np.random.default_rng(0)
    >>> images = draw.random((60, 8, 8, 1))
    >>> answers = (images[:, 2, 5, 0] > 0.5).astype(int)
    >>> maps = np.zeros((60, 8, 8))
    >>> maps[:, 2, 5] = 1
    >>> study = MetaPredictorStudy(images, answers, {"oracle": maps})
    >>> simulated_pilot(study, participants=5)
    <StudyResults of 15 participants (simulated, not human), 0 excluded: 315 answers in 3 sessions; ...>

    Source
    ------
    Ours. The experiment that it stands in for: J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not
    Understand: A Human-Centered Evaluation Framework for Explainability Methods", NeurIPS 2022,
    https://arxiv.org/abs/2112.04417
    """
    check_integer(_WHERE, "participants", participants, 1, "30 is what the published study had.")
    check_integer(_WHERE, "grid_size", grid_size, 1, "Use 8.")
    check_integer(_WHERE, "seed", seed, 0, "Seeds are not negative.")
    check_number(_WHERE, "noise", noise, 0, 100, "Use 0.5.")
    check_number(_WHERE, "lapse", lapse, 0, 1, "Use 0.05.")
    kind = _learner(learner)
    pixels = displayable(study.images, where=_WHERE).pixels
    cells = _cells(pixels, grid_size)
    cells = (cells - cells.mean()) / (cells.std() or 1.0)
    answers = np.asarray(study.model_answers).astype(int)
    rows = []
    for place, condition in enumerate(study.conditions):
        maps = study.maps_of(condition)
        strengths = None if maps is None else _cells(list(np.abs(maps)[..., None]), grid_size)[..., :1]
        for who in range(participants):
            draw = generator(seed, place, who)
            said = _answers(study, cells, answers, strengths, clone(kind), noise, lapse, draw)
            rows += [
                {
                    "participant": f"simulated {condition} {1 + who}",
                    "kind": SIMULATED,
                    "condition": condition,
                    "session": session,
                    "training": study.training * session,
                    "item": code,
                    "model_answer": study.class_names[answers[image]],
                    "answer": study.class_names[said[code]],
                }
                for code, (session, image) in study.test_codes().items()
            ]
    return StudyResults.from_rows(rows)


def _answers(
    study: MetaPredictorStudy,
    cells: np.ndarray,
    answers: np.ndarray,
    strengths: np.ndarray | None,
    learner: Any,
    noise: float,
    lapse: float,
    draw: np.random.Generator,
) -> dict[str, int]:
    """What one learner answers in each test."""
    codes = list(study.test_codes())
    said: dict[str, int] = {}
    seen = cells + noise * draw.standard_normal(cells.shape)
    for session in range(study.sessions):
        examples = study.items.training[: 1 + session].ravel()
        attended = seen if strengths is None else seen * _attention(strengths[examples])
        attended = attended.reshape(len(cells), -1)
        learner.fit(attended[examples], answers[examples])
        predicted = learner.predict(attended[study.items.tests[session]])
        tossed = draw.random(study.tests) < lapse
        given = np.where(tossed, draw.integers(2, size=study.tests), predicted)
        said |= zip(codes[session * study.tests :], given.tolist(), strict=False)
    return said


def _attention(strengths: np.ndarray) -> np.ndarray:
    """The weight of each cell `(rows, columns, 1)`, 1 on average, from maps `(k, rows, columns, 1)`."""
    totals = strengths.sum(axis=(1, 2, 3), keepdims=True)
    shares = np.divide(strengths, totals, out=np.full_like(strengths, 1 / strengths[0].size), where=totals > 0)
    return shares.mean(axis=0) * strengths[0].size


def _cells(pictures: list[np.ndarray], grid_size: int) -> np.ndarray:
    """The means of the cells of each picture `(n, rows, columns, c)`; a coarser picture stays as it is."""
    found = []
    for each in pictures:
        rows, columns = (min(grid_size, side) for side in each.shape[:2])
        small = cv2.resize(np.asarray(each, dtype=np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        found.append(small.reshape(rows, columns, -1))
    return np.stack(found)


def _learner(learner: Any) -> Any:
    if isinstance(learner, ClassifierMixin):
        return learner
    return _LEARNERS[check_choice(_WHERE, "learner", learner, _LEARNERS)]
