"""Where the models of a cross training, their answers and their maps are kept."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
import tempfile
import types
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..core.errors import ModelError, wording
from ..core.files import write_arrays, write_bytes, write_json
from ..core.manifest import claim_folder
from ..engine.record import described, settings_of, versions

_DAMAGED = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class _Memory:
    """Everything lives as long as this object; of the maps of a model, those of the last method."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._answers: dict[str, np.ndarray] = {}
        self._maps: dict[str, tuple[str, dict[int, np.ndarray]]] = {}

    def right(self, name: str) -> np.ndarray | None:
        """Which samples a model is right about, if it was trained."""
        return self._answers.get(name)

    def model(self, name: str) -> Any:
        """A trained model."""
        return self._models[name]

    def keep(self, name: str, model: Any, right: np.ndarray) -> None:
        """Keeps a trained model."""
        self._models[name], self._answers[name] = model, right

    def maps(self, name: str, method: str, part: int) -> np.ndarray | None:
        """The maps of a group of samples by a method, if they are known."""
        kept, parts = self._maps.get(name, ("", {}))
        return parts.get(part) if kept == method else None

    def keep_maps(self, name: str, method: str, part: int, maps: np.ndarray) -> None:
        """Keeps maps, and forgets those of other methods."""
        if self._maps.get(name, ("", {}))[0] != method:
            self._maps[name] = (method, {})
        self._maps[name][1][part] = maps


class _Folder:
    """A folder a model: `model.keras`, `right.npz`, the mark `finished.json`, written last, and maps by method."""

    def __init__(self, folder: Any, fingerprint: dict[str, Any], where: str):
        self._where = f"{where}(folder={str(Path(folder))!r})"
        self._folder = claim_folder(folder, "cross_training.json", fingerprint, self._where)

    def right(self, name: str) -> np.ndarray | None:
        """Which samples a model is right about, if it was trained and everything of it is there."""
        folder = self._folder / name
        try:
            marks = json.loads((folder / "finished.json").read_text())
            whole = marks["model"] == _file_digest(folder / "model.keras")
            with np.load(folder / "right.npz", allow_pickle=False) as stored:
                return stored["right"] if whole else None
        except (*_DAMAGED, TypeError):
            # Half a model is as good as none: it is trained again.
            return None

    def model(self, name: str) -> Any:
        """A trained model, read anew."""
        return self._loaded(self._folder / name / "model.keras")

    def keep(self, name: str, model: Any, right: np.ndarray) -> None:
        """Keeps a trained model, and forgets all maps of the one before it."""
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        path = folder / "model.keras"
        write_bytes(path, self._as_bytes(model), "The models finished before it are kept.")
        self._loaded(path)
        write_arrays(folder / "right.npz", {"right": right}, "The models finished before it are kept.")
        write_json(folder / "finished.json", {"model": _file_digest(path)}, "The models finished before it are kept.")

    def maps(self, name: str, method: str, part: int) -> np.ndarray | None:
        """The maps of a group of samples by a method, if they are known and whole."""
        try:
            with np.load(self._path(name, method, part), allow_pickle=False) as stored:
                return stored["maps"]
        except _DAMAGED:
            return None

    def keep_maps(self, name: str, method: str, part: int, maps: np.ndarray) -> None:
        """Keeps maps."""
        write_arrays(self._path(name, method, part), {"maps": maps}, "The maps before them are kept.")

    def _path(self, name: str, method: str, part: int) -> Path:
        return self._folder / name / f"maps-{method}" / f"part-{part:05d}.npz"

    def _as_bytes(self, model: Any) -> bytes:
        if not isinstance(model, keras.Model):
            raise ModelError(
                wording(
                    self._where,
                    expected="models must be Keras models, which can be kept in a folder",
                    received=f"a {type(model).__name__}",
                    remedy="Use folder=None: models then live in memory, and an interrupted run starts anew.",
                )
            )
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.keras"
            model.save(path)
            return path.read_bytes()

    def _loaded(self, path: Path) -> Any:
        try:
            return keras.models.load_model(path, compile=False)
        except (ValueError, TypeError, NotImplementedError, AttributeError, RuntimeError) as refused:
            raise ModelError(
                wording(
                    self._where,
                    expected="a saved model must load again",
                    received=f"{type(refused).__name__}: {str(refused).strip().splitlines()[0]}",
                    remedy="Register its own classes with keras.saving.register_keras_serializable and give them "
                    "get_config, write Lambda layers as layers, or use folder=None.",
                )
            ) from refused


Store = _Memory | _Folder


def open_store(folder: Any, fingerprint: dict[str, Any], where: str) -> Store:
    """What keeps the models: a folder that belongs to this run alone, or for None the memory."""
    return _Memory() if folder is None else _Folder(folder, fingerprint, where)


def method_digest(explainer: Any, *also: Any) -> str | None:
    """A fingerprint of a method and its settings; None where they cannot be known, and maps are not kept."""
    if not dataclasses.is_dataclass(explainer) or isinstance(explainer, type):
        return None
    kind = f"{type(explainer).__module__}.{type(explainer).__qualname__}"
    record = [kind, settings_of(explainer), versions()["xsparks"], *also]
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()


def fingerprint_of(value: Any) -> Any:
    """What a training function is, fit for JSON: its name, its code and the plain values that it was made with."""
    if isinstance(value, functools.partial):
        return {"partial": fingerprint_of(value.func), "given": [described(value.args), described(value.keywords)]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: fingerprint_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"name": type(value).__name__, **fields}
    if not isinstance(value, types.FunctionType):
        return described(value)
    code = value.__code__
    cells = [described(cell.cell_contents) for cell in value.__closure__ or () if not _is_empty(cell)]
    mark = hashlib.blake2b(_code_in_words(code).encode(), digest_size=8).hexdigest()
    return {"name": value.__qualname__, "code": mark, "closure": cells, "defaults": described(value.__defaults__)}


def _code_in_words(code: Any) -> str:
    constants = [
        _code_in_words(constant)
        if hasattr(constant, "co_code")
        else repr(sorted(map(repr, constant)))
        if isinstance(constant, frozenset)
        else repr(constant)
        for constant in code.co_consts
    ]
    return " ".join([code.co_code.hex(), *constants, *code.co_names])


def _is_empty(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
