"""What a result remembers of how it was made."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from importlib import metadata
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# How a result is computed and shown, not what it is.
_NOT_SETTINGS = ("model", "inputs", "targets", "progress", "batch_size", "jit_compile", "class_names")


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    try:
        own = metadata.version("xsparks")
    except metadata.PackageNotFoundError:
        own = "not installed"
    return {
        "xsparks": own,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def settings_of(instance: Any) -> dict[str, Any]:
    """Every option of an explainer or metric that can change its numbers, fit for JSON."""
    fields = [field.name for field in dataclasses.fields(instance) if field.name not in _NOT_SETTINGS]
    return {name: described(getattr(instance, name)) for name in fields}


def described(value: Any) -> Any:
    """An option as JSON: arrays by shape and digest, functions and layers by name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [described(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): described(entry) for key, entry in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        options = {field.name: described(getattr(value, field.name)) for field in dataclasses.fields(value)}
        options = {name: option for name, option in options.items() if name not in _NOT_SETTINGS}
        return {"name": type(value).__name__, **options}
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        array = np.ascontiguousarray(value)
        return f"array {array.shape} {hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest()}"
    return getattr(value, "__qualname__", None) or getattr(value, "name", None) or type(value).__name__


def model_digest(model: Any) -> str:
    """A fingerprint of a model: of its class and weights where it has some, else of its name."""
    weights = getattr(model, "weights", ())
    # Keras numbers the names of models made in a process, so that the same model has another name the next time.
    name = type(model).__qualname__ if weights else str(described(model))
    digest = hashlib.blake2b(name.encode(), digest_size=8)
    for weight in weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
