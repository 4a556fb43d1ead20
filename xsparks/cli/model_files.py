"""Models from the words of a command line."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import zipfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import ModelError, nearest, wording
from .paths import about_missing

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_FILES = {".keras": "Keras file", ".h5": "HDF5 file", ".hdf5": "HDF5 file"}
_SAVED_MODEL = "SavedModel folder"
_PYTHON = "Python function"


class Loaded(NamedTuple):
    """A model and where it came from; `digest` is that of its files, or of its weights and its code."""

    model: Any
    source: str
    kind: str
    digest: str


def model_kind(text: str) -> str:
    """What kind of model these words mean, found out before anything heavy is imported.

    Raises
    ------
    FileNotFoundError : a file or folder that does not exist.
    ValueError : a file or folder that is no model.

    Example
    -------
    >>> model_kind("my_models:build")
    'Python function'
    """
    path = Path(text)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return _SAVED_MODEL
        raise ValueError(
            wording(
                text,
                expected="a model folder must be a SavedModel",
                received="a folder without saved_model.pb",
                remedy="Write one by model.export(folder), or pass the .keras file in it.",
            )
        )
    if path.is_file():
        if path.suffix.lower() in _FILES:
            return _FILES[path.suffix.lower()]
        raise ValueError(
            wording(
                text,
                expected="a model file must end in .keras or .h5",
                received=repr(path.suffix),
                remedy="Save the model by model.save('model.keras'), or load it in a function: module:function.",
            )
        )
    if _FUNCTION.fullmatch(text):
        return _PYTHON
    raise FileNotFoundError(
        wording(
            text,
            expected="MODEL must be a .keras or .h5 file, a SavedModel folder, or module:function",
            received="no such file",
            remedy=about_missing(path),
        )
    )


def load_model(text: str) -> Loaded:
    """The model that these words mean; Keras' safe mode stays on.

    Raises
    ------
    ModelError : a damaged file, a file that carries code, classes that Keras does not know.
    ValueError : a function that cannot be imported.
    """
    kind = model_kind(text)
    if kind == _PYTHON:
        return _from_function(text)
    if kind == _SAVED_MODEL:
        return Loaded(_opened(text, _saved_model), text, kind, _digest_of(sorted(Path(text).rglob("*"))))
    return Loaded(_opened(text, _keras_file), text, kind, _digest_of([Path(text)]))


def _saved_model(text: str) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(text)


def _keras_file(text: str) -> Any:
    import keras

    if _FILES[Path(text).suffix.lower()] == "HDF5 file":
        _refuse_code(text)
    return keras.models.load_model(text, compile=False, safe_mode=True)


def _refuse_code(text: str) -> None:
    # Keras before 3.11.3 reads HDF5 files without its safe mode (CVE-2025-9905); with that as the oldest version this
    # function can go.
    import h5py

    with h5py.File(text, "r") as file:
        written = file.attrs.get("model_config", "")
    written = written.decode() if isinstance(written, bytes) else str(written)
    if re.search(r'"class_name":\s*"Lambda"', written):
        raise ValueError("a Lambda layer is code; safe mode refuses it")


def _opened(text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, RuntimeError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())
        code = "lambda" in said.lower()
        remedy = (
            "If it needs classes of your own, load it in a function and pass module:function; if not, save it again."
        )
        if code:
            remedy = "Such a file can run any code. If you trust it, load it in a function and pass module:function."
        expected = "the file must hold no code" if code else "the model must load by Keras or TensorFlow"
        raise ModelError(wording(text, expected=expected, received=_first_sentence(said), remedy=remedy)) from error


def _first_sentence(said: str) -> str:
    sentence = re.split(r"(?<=\w)\. ", said, maxsplit=1)[0].rstrip(". ")
    return sentence if len(sentence) <= 200 else sentence[:199] + "…"


def _digest_of(paths: list[Path]) -> str:
    digest = blake2b(digest_size=8)
    for path in paths:
        if path.is_file():
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _from_function(text: str) -> Loaded:
    from ..engine.record import model_digest

    function = import_function(text, "MODEL")
    model = function() if _needs_nothing(function) else function
    # The weights say nothing about a model that is a plain function: its code does.
    code = inspect.getsourcefile(inspect.unwrap(function)) if inspect.isroutine(function) else None
    digest = model_digest(model) + (_digest_of([Path(code)]) if code else "")
    return Loaded(model, text, _PYTHON, digest)


def _needs_nothing(function: Any) -> bool:
    """Whether a call without arguments can give the model; what takes images is the model itself."""
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return False
    parameters = inspect.signature(function).parameters.values()
    return all(
        parameter.default is not parameter.empty or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in parameters
    )


def import_function(text: str, word: str) -> Any:
    """What `module:function` names, with modules of the current folder found first.

    Parameters
    ----------
    word : the word of the command line that names it, for the message.

    Raises
    ------
    ValueError : no such module, or nothing of that name in it.
    """
    module_name, _, name = text.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(
            wording(
                f"{word} {text}",
                expected=f"the module {module_name!r} must be importable from here",
                received=f"{type(error).__name__}: {error}",
                remedy="Run xsparks in the folder of the file, and leave .py out.",
            )
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            public = [known for known in vars(found) if not known.startswith("_")]
            raise ValueError(
                wording(
                    f"{word} {text}",
                    expected=f"{part!r} must be defined in {module_name!r}",
                    received="nothing of that name",
                    remedy=nearest(part, public),
                )
            )
        found = getattr(found, part)
    return found
