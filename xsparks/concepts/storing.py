"""Fitted concepts in two files, without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import wording
from ..core.files import pair_of, read_pair, write_arrays, write_json
from ..engine.record import described, model_digest, settings_of, versions
from ..models.operators import OPERATORS
from .catalogue import EXTRACTORS
from .learned import LearnedConcepts

if TYPE_CHECKING:
    from .craft import CRAFT

# Options that may be names, and which; any, where the model knows them.
_NAMED: dict[str, Any] = {
    "output_layer": (),
    "explain_input": (),
    "preprocess": (None, "tf", "torch", "caffe"),
    "operator": (None, *OPERATORS),
    "factorizer": tuple(EXTRACTORS),
}
_OWN = ("number_of_concepts", "patch_size", "importance", "nb_design", "design", "predicted_only", "seed")


def save(craft: CRAFT, path: Any) -> Path:
    """Writes the arrays and the record of fitted concepts; returns the first path."""
    learned = craft.learned_
    arrays_path, record_path = pair_of(path)
    names = None if craft.class_names is None else [str(name) for name in craft.class_names]
    record = {
        "kind": "CRAFT",
        "schema": 1,
        "model": model_digest(craft.model),
        "settings": settings_of(craft),
        "learned": learned.record(),
        "class_names": names,
        "versions": versions(),
    }
    write_arrays(arrays_path, learned.arrays())
    write_json(record_path, record)
    return arrays_path


def load(cls: type[CRAFT], path: Any, model: Any, options: dict[str, Any]) -> CRAFT:
    """The fitted concepts of these files, for the model that they were found in.

    Raises
    ------
    ValueError : another model, or options that are not those of before.
    """
    arrays, record = read_pair(path, "CRAFT")
    settings, where = record["settings"], f"{cls.__name__}.load({str(path)!r})"
    if record["model"] != model_digest(model):
        raise ValueError(
            wording(
                where,
                expected="the model must be the one that the concepts were found in",
                received="other weights",
                remedy="Load that model, or fit again.",
            )
        )
    kept = {name: settings[name] for name in _OWN}
    # What is known by its name needs not be given again; a function is not, whatever it is called.
    kept |= {name: settings[name] for name in _NAMED if settings[name] in _NAMED[name] or not _NAMED[name]}
    kept |= {"class_names": record["class_names"], "layer": record["learned"]["layer"], **options}
    try:
        craft = cls(model, **kept)
        found = settings_of(craft)
    except (ValueError, TypeError):
        found = {}
    other = [name for name in settings if name != "layer" and described(found.get(name)) != settings[name]]
    if other:
        raise ValueError(
            wording(
                where,
                expected="options that a file cannot hold must be given again as they were",
                received="another " + ", ".join(sorted(other)),
                remedy="Pass them by name, as in CRAFT.load(path, model, preprocess=function).",
            )
        )
    craft._learn(LearnedConcepts.of(arrays, record["learned"]))
    return craft
