"""The names of the classes, from the files that people have."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import nearest, wording
from .paths import about_missing

_WORDNET = re.compile(r"(n\d{8})\s+(.+)")
_REMEDY = "Give one name a line, in the order of the model's outputs."


class ClassName(NamedTuple):
    """The names of one class: `full` as in the file, `wordnet` its WordNet id or nothing."""

    full: str
    wordnet: str = ""

    @property
    def short(self) -> str:
        """The first of several names between commas.

        >>> ClassName("tench, Tinca tinca").short
        'tench'
        """
        return self.full.split(",")[0].strip()

    def answers_to(self, text: str) -> bool:
        """Whether a user who writes this means the class."""
        spoken = {self.full, self.wordnet, *self.full.split(",")}
        return _folded(text) in {_folded(name) for name in spoken if name}


def load_class_names(path: Path) -> list[ClassName]:
    """The names in the order of the model's outputs.

    Parameters
    ----------
    path : a text file with one name a line, or with lines `id<TAB>WordNet id<TAB>names`, or JSON: a list of names, a
        mapping from ids to names or to `[WordNet id, name]` (Keras' `imagenet_class_index.json`), or from names to ids.

    Raises
    ------
    FileNotFoundError : no such file.
    ValueError : something else is in it, or ids are missing.
    """
    where = f"--class-names {path}"
    if not path.is_file():
        remedy = about_missing(path)
        raise FileNotFoundError(wording(where, expected="the file must exist", received="no such file", remedy=remedy))
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(json.loads(text)) if path.suffix.lower() == ".json" else _from_lines(text.splitlines())
    except (UnicodeDecodeError, json.JSONDecodeError, _NoNamesError) as error:
        reason = str(error) if isinstance(error, _NoNamesError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            wording(where, expected="the file must hold the names of the classes", received=reason, remedy=_REMEDY)
        ) from error
    return names


class _NoNamesError(ValueError):
    """Why a file holds no names."""


def _from_lines(lines: list[str]) -> list[ClassName]:
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise _NoNamesError("an empty file")
    fields = [line.split("\t") for line in lines]
    if all(len(parts) > 1 and parts[0].strip().isdecimal() for parts in fields):
        numbered = {int(number): _named(names) for number, *names in fields}
        return _in_order(numbered, len(fields))
    return [_named([line]) for line in lines]


def _from_json(content: Any) -> list[ClassName]:
    if isinstance(content, list) and content and all(isinstance(name, str) for name in content):
        return [_named([name]) for name in content]
    if not isinstance(content, dict) or not content:
        raise _NoNamesError("JSON that is neither a list of names nor a mapping")
    if all(isinstance(value, int) for value in content.values()):
        content = {str(number): name for name, number in content.items()}
    numbered = {}
    for number, value in content.items():
        names = [value] if isinstance(value, str) else value
        if not number.isdecimal() or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _NoNamesError(f"the entry {number!r}: {value!r}")
        numbered[int(number)] = _named(names)
    return _in_order(numbered, len(content))


def _named(parts: Sequence[str]) -> ClassName:
    """One class from the parts of its entry: names, or a WordNet id and names."""
    if len(parts) > 1 and re.fullmatch(r"n\d{8}", parts[0]):
        return ClassName(", ".join(parts[1:]).replace("_", " ").strip(), parts[0])
    found = _WORDNET.fullmatch(parts[0]) if len(parts) == 1 else None
    return ClassName(found[2].strip(), found[1]) if found else ClassName(", ".join(parts).strip())


def _in_order(numbered: dict[int, ClassName], entries: int) -> list[ClassName]:
    missing = sorted(set(range(entries)) - set(numbered))
    if missing:
        raise _NoNamesError(f"{entries} entries without one for class {missing[0]} (ids count from 0)")
    return [numbered[number] for number in range(entries)]


def target_id(text: str, names: Sequence[ClassName] | None) -> int:
    """The class that `--target` means: its id, one of its names, or its WordNet id; case does not count.

    Raises
    ------
    ValueError : a name without a list of names, an unknown one, or one of several classes.

    Example
    -------
    >>> target_id("tinca tinca", [ClassName("goldfish"), ClassName("tench, Tinca tinca")])
    1
    """
    if text.isdecimal():
        return int(text)
    where = f"--target {text}"
    if names is None:
        raise ValueError(
            wording(
                where,
                expected="`--target` must be a class id where no names are given",
                received="a name",
                remedy="Pass --class-names FILE as well, or the id; ids count from 0.",
            )
        )
    meant = [number for number, name in enumerate(names) if name.answers_to(text)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = "; ".join(f"{number} ({names[number].full})" for number in meant)
        raise ValueError(
            wording(where, expected="`--target` must mean one class", received=several, remedy="Pass one of the ids.")
        )
    words = [word.strip() for name in names for word in name.full.split(",")]
    raise ValueError(
        wording(
            where,
            expected="`--target` must be a class of the list",
            received="an unknown name",
            remedy=nearest(text, words),
        )
    )


def _folded(text: str) -> str:
    return " ".join(text.replace("_", " ").split()).casefold()
