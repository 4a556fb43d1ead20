"""What the participants of a study answered, as one plain table."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import check_choice
from ..core.errors import nearest, wording
from ..core.files import write_bytes

HUMAN = "human"
SIMULATED = "simulated, not human"
KINDS = (HUMAN, SIMULATED)
COLUMNS = (
    "participant",
    "kind",
    "condition",
    "session",
    "training",
    "item",
    "model_answer",
    "answer",
    "seconds",
    "excluded",
)
_WHERE = "StudyResults"


class Exclusion(NamedTuple):
    """Why the answers of a participant do not count."""

    condition: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyResults:
    """Who answered what, in which session, and whose answers do not count?

    One row is one test trial. Participants belong to one condition each. What `read_results` and `simulated_pilot`
    return, and what the scorer takes; a table of another experiment comes in by `from_rows` or `load`.

    Parameters
    ----------
    participant, condition, item : `(r,)` text.
    session : `(r,)` integers from 1.
    model_answer, answer : `(r,)` what the model answered, and what the participant said that it would.
    seconds : `(r,)` the time of each answer.
    training : how many training examples had been seen before each session, increasing: `(5, 10, 15)`.
    exclusions : participant -> `Exclusion(condition, reason)`; their rows stay in the table and are not scored.
    kind : "human", or "simulated, not human".

    Raises
    ------
    ValueError : columns of several lengths, sessions that `training` does not name, a participant of two conditions or
        without answers in a session (and not excluded), times that are negative or not finite.

    Example
    -------
    >>> row = {"participant": "p1", "condition": "baseline", "session": 1, "training": 5, "item": "a"}
    >>> results = StudyResults.from_rows([{**row, "model_answer": "wolf", "answer": "wolf", "seconds": 1.5}])
    >>> results
    <StudyResults of 1 participants (human), 0 excluded: 1 answers in 1 sessions; baseline 1>
    """

    participant: np.ndarray
    condition: np.ndarray
    session: np.ndarray
    item: np.ndarray
    model_answer: np.ndarray
    answer: np.ndarray
    seconds: np.ndarray
    training: tuple[int, ...]
    exclusions: Mapping[str, Exclusion] = field(default_factory=dict)
    kind: str = HUMAN

    def __post_init__(self) -> None:
        check_choice(_WHERE, "kind", self.kind, KINDS)
        names = ("participant", "condition", "session", "item", "model_answer", "answer", "seconds")
        lengths = {name: len(getattr(self, name)) for name in names}
        if len(set(lengths.values())) > 1:
            _refuse("all columns must have one length", lengths, "Give one entry for each answer.")
        if any(later <= earlier for earlier, later in zip((0, *self.training), self.training, strict=False)):
            _refuse("`training` must be positive and increase", self.training, "Use (5, 10, 15) for three sessions.")
        unknown = set(np.unique(self.session).tolist()) - set(range(1, len(self.training) + 1))
        if unknown:
            expected = f"`session` must be in 1..{len(self.training)}"
            _refuse(expected, sorted(unknown), "`training` has one number for each session.")
        if not (np.isfinite(self.seconds).all() and (self.seconds >= 0).all()):
            _refuse("`seconds` must be finite and not negative", "others", "Give 0 where no time was taken.")
        self._check_participants()

    def _check_participants(self) -> None:
        for who in np.unique(self.participant):
            own = self.participant == who
            conditions = np.unique(self.condition[own])
            if len(conditions) > 1:
                remedy = "Utility compares groups of people: give each person one condition, or another name."
                _refuse("a participant must have one condition", f"{str(who)!r} in {', '.join(conditions)}", remedy)
            missing = [s for s in range(1, len(self.training) + 1) if not (self.session[own] == s).any()]
            if missing and str(who) not in self.exclusions:
                received = f"none by {str(who)!r} in session {', '.join(map(str, missing))}"
                remedy = 'Exclude who did not finish: a reason in the column "excluded".'
                _refuse("each participant must have answers in each session", received, remedy)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> StudyResults:
        """Results from one mapping an answer.

        Parameters
        ----------
        rows : mappings with `participant, condition, session, training, item, model_answer, answer`; `seconds` (0),
            `kind` ("human") and `excluded` (a reason, or empty) may be left out. A participant who gave no answer at
            all is one row of session 0.

        Raises
        ------
        ValueError : no rows, a row without one of the columns, several kinds of participants, a session after several
            numbers of training examples, and what the class itself refuses.
        """
        rows = list(rows)
        if not rows:
            _refuse("`rows` must hold at least one answer", "none", "Read the results first.")
        for position, row in enumerate(rows):
            absent = [name for name in COLUMNS if name not in row and name not in ("seconds", "kind", "excluded")]
            if absent:
                remedy = f"A row has the columns {', '.join(COLUMNS)}."
                _refuse("each row must have all columns", f"row {position} without {', '.join(absent)}", remedy)
        kinds = {str(row.get("kind") or HUMAN) for row in rows}
        if len(kinds) > 1:
            remedy = "Score people and simulations apart."
            _refuse("all participants must be of one kind", ", ".join(sorted(kinds)), remedy)
        exclusions = {
            str(row["participant"]): Exclusion(str(row["condition"]), str(row["excluded"]))
            for row in rows
            if row.get("excluded")
        }
        rows = [row for row in rows if int(row["session"]) != 0]
        steps = sorted({(int(row["session"]), int(row["training"])) for row in rows})
        if [session for session, _ in steps] != list(range(1, len(steps) + 1)):
            remedy = "Sessions count from 1, each after one number of training examples."
            _refuse("each session must have one `training`", f"(session, training) {steps}", remedy)

        def column(name: str, kind: Any) -> np.ndarray:
            return np.array([kind(row.get(name) or 0) if kind is float else kind(row[name]) for row in rows])

        text = {name: column(name, str) for name in ("participant", "condition", "item", "model_answer", "answer")}
        return cls(
            session=column("session", int),
            seconds=column("seconds", float),
            training=tuple(seen for _, seen in steps),
            exclusions=exclusions,
            kind=kinds.pop(),
            **text,
        )

    def rows(self) -> list[dict[str, Any]]:
        """The table, one mapping an answer, which `from_rows` takes."""
        found = []
        for position, who in enumerate(self.participant.tolist()):
            session = int(self.session[position])
            excluded = self.exclusions.get(who)
            found.append(
                {
                    "participant": who,
                    "kind": self.kind,
                    "condition": str(self.condition[position]),
                    "session": session,
                    "training": self.training[session - 1],
                    "item": str(self.item[position]),
                    "model_answer": str(self.model_answer[position]),
                    "answer": str(self.answer[position]),
                    "seconds": float(self.seconds[position]),
                    "excluded": "" if excluded is None else excluded.reason,
                }
            )
        nothing = {**dict.fromkeys(COLUMNS, ""), "kind": self.kind, "session": 0, "training": 0, "seconds": 0.0}
        silent = [who for who in self.exclusions if who not in set(self.participant.tolist())]
        return found + [{**nothing, "participant": who, **self._exclusion_columns(who)} for who in silent]

    def _exclusion_columns(self, who: str) -> dict[str, str]:
        excluded = self.exclusions[who]
        return {"condition": excluded.condition, "excluded": excluded.reason}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the table as CSV; returns the path."""
        buffer = io.StringIO()
        writer: csv.DictWriter[str] = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return write_bytes(path, buffer.getvalue().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StudyResults:
        """What `save` wrote, or any CSV file with the same columns."""
        with open(path, encoding="utf-8", newline="") as file:
            return cls.from_rows(csv.DictReader(file))

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions in which anybody counts, in the order of the table."""
        kept = [str(name) for name, who in zip(self.condition, self.participant, strict=True) if self._counts(who)]
        return tuple(dict.fromkeys(kept))

    def _counts(self, who: Any) -> bool:
        return str(who) not in self.exclusions

    def participants(self, condition: str) -> tuple[str, ...]:
        """Who counts in a condition."""
        if condition not in self.conditions:
            remedy = nearest(condition, self.conditions) if self.conditions else "All participants were excluded."
            _refuse("`condition` must have participants who count", repr(condition), remedy)
        own = [str(who) for who in self.participant[self.condition == condition] if self._counts(who)]
        return tuple(dict.fromkeys(own))

    def accuracies(self, condition: str) -> np.ndarray:
        """How often each participant of a condition said what the model answered: `(participants, sessions)`."""
        right = self.answer == self.model_answer
        return np.array(
            [
                [right[(self.participant == who) & (self.session == 1 + session)].mean() for session in self._sessions]
                for who in self.participants(condition)
            ]
        )

    @property
    def _sessions(self) -> range:
        return range(len(self.training))

    def counts(self) -> dict[str, Any]:
        """How many count in each condition, and how many were excluded for which reason; fit for JSON."""
        excluded: dict[str, Counter[str]] = {}
        for exclusion in self.exclusions.values():
            excluded.setdefault(exclusion.condition, Counter())[exclusion.reason] += 1
        return {
            "kind": self.kind,
            "counted": {name: len(self.participants(name)) for name in self.conditions},
            "excluded": {name: dict(reasons) for name, reasons in excluded.items()},
        }

    def __repr__(self) -> str:
        counted = self.counts()["counted"]
        groups = ", ".join(f"{name} {count}" for name, count in counted.items())
        return (
            f"<StudyResults of {sum(counted.values())} participants ({self.kind}), {len(self.exclusions)} excluded: "
            f"{len(self.answer)} answers in {len(self.training)} sessions; {groups}>"
        )


def _refuse(expected: str, received: object, remedy: str) -> None:
    raise ValueError(wording(_WHERE, expected=expected, received=received, remedy=remedy))
