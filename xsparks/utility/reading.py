"""From the files that participants hand in to a table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import wording
from .results import StudyResults
from .study import CHECK, KEY_KIND

RESULTS_KIND = "xsparks study results"
Place = str | os.PathLike[str]


class _Sheet(NamedTuple):
    """What one participant handed in."""

    file: str
    participant: str
    arm: str
    trials: list[Any]


def read_results(files: Place | Iterable[Place], key: Place | Mapping[str, Any]) -> StudyResults:
    """What did the participants of a study answer?

    Scores the files that `study.html` offers at its end, with the key that was written beside it. Whoever did not
    finish, or failed the attention check, stays in the table and is excluded with the reason.

    Parameters
    ----------
    files : a folder of `.json` files (the key may lie among them), or the paths of the files.
    key : `study.json`, or what `MetaPredictorStudy.key()` returns.

    Returns
    -------
    results : `StudyResults`.

    Raises
    ------
    FileNotFoundError : no results in the folder, or a path that is not there.
    ValueError : results of another study, two files of one participant, damaged files, a key that is none.

    Cost
    ----
    Reads each file once.

    Source
    ------
    J. Colin, T. Fel, R. Cadene, T. Serre, "What I Cannot Predict, I Do Not Understand: A Human-Centered Evaluation
    Framework for Explainability Methods", NeurIPS 2022, section 4, https://arxiv.org/abs/2112.04417
    """
    known = key if isinstance(key, Mapping) else _json(Path(key))
    if not isinstance(known, Mapping) or known.get("kind") != KEY_KIND:
        received = known.get("kind") if isinstance(known, Mapping) else type(known).__name__
        _refuse("`key` must be the key of a study", repr(received), "It is the study.json beside study.html.")
    from_file: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for path in _paths(files):
        record = _json(path)
        if isinstance(record, dict) and record.get("kind") == KEY_KIND:
            continue
        sheet = _sheet(path, record, known)
        if sheet.participant in from_file:
            received = f"{from_file[sheet.participant]} and {sheet.file} of {sheet.participant!r}"
            remedy = "Keep the first that was handed in; a second run knows the answers of the first."
            _refuse("each participant must have one file", received, remedy)
        from_file[sheet.participant] = sheet.file
        rows += _rows(sheet, known)
    if not rows:
        raise FileNotFoundError(
            wording(
                "read_results",
                expected="there must be results to read",
                received=f"none in {files}",
                remedy="Put the files that participants handed in into one folder.",
            )
        )
    return StudyResults.from_rows(rows)


def _paths(files: Place | Iterable[Place]) -> list[Path]:
    if isinstance(files, str | os.PathLike):
        path = Path(files)
        return sorted(path.glob("*.json")) if path.is_dir() else [path]
    return [Path(file) for file in files]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as damaged:
        remedy = "Ask for the file again, or paste the text that the page showed."
        raise ValueError(
            wording("read_results", expected="files must hold JSON", received=f"{path.name}: {damaged}", remedy=remedy)
        ) from damaged


def _sheet(path: Path, record: Any, known: Mapping[str, Any]) -> _Sheet:
    """One file, if it belongs to the study."""
    if not isinstance(record, dict) or record.get("kind") != RESULTS_KIND:
        remedy = "Move files that the page did not write elsewhere."
        _refuse("files must be results of a study", f"{path.name}, which is something else", remedy)
    if record.get("study") != known["study"]:
        received = f"{path.name} of the study {record.get('study')!r}"
        remedy = "Read it with the key that was written with its page."
        _refuse(f"results must be of the study {known['study']!r}", received, remedy)
    trials = record.get("trials")
    arm, participant = str(record.get("arm")), str(record.get("participant") or "")
    sound = isinstance(trials, list) and all(_is_trial(trial, known) for trial in trials)
    items = [trial["item"] for trial in trials] if sound and isinstance(trials, list) else []
    if not sound or arm not in known["arms"] or not participant or len(set(items)) < len(items):
        remedy = "It was changed after the page wrote it; ask for it again."
        _refuse("a file must have a participant, an arm and one answer a picture", path.name, remedy)
    return _Sheet(path.name, participant, arm, trials or [])


def _is_trial(trial: Any, known: Mapping[str, Any]) -> bool:
    if not isinstance(trial, dict) or trial.get("answer") not in (0, 1):
        return False
    item = trial.get("item")
    listed = item == CHECK if known["check"] and item == CHECK else item in known["tests"]
    return listed and isinstance(trial.get("seconds"), int | float) and trial["seconds"] >= 0


def _rows(sheet: _Sheet, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = {trial["item"]: trial for trial in sheet.trials}
    excluded = ""
    if set(known["tests"]) - set(given) or (known["check"] and CHECK not in given):
        excluded = "did not finish all sessions"
    elif known["check"] and given[CHECK]["answer"] != known["check"]["answer"]:
        excluded = "failed the attention check"
    about = {"participant": sheet.participant, "condition": known["arms"][sheet.arm], "excluded": excluded}
    names = known["settings"]["class_names"]
    rows = [
        {
            **about,
            "session": known["tests"][item]["session"],
            "training": known["training"][known["tests"][item]["session"] - 1],
            "item": item,
            "model_answer": names[known["tests"][item]["answer"]],
            "answer": names[trial["answer"]],
            "seconds": trial["seconds"],
        }
        for item, trial in given.items()
        if item != CHECK
    ]
    nothing = {**about, "session": 0, "training": 0, "item": "", "model_answer": "", "answer": ""}
    return rows or [nothing]


def _refuse(expected: str, received: object, remedy: str) -> None:
    raise ValueError(wording("read_results", expected=expected, received=received, remedy=remedy))
