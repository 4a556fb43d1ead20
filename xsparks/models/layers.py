"""Finding a layer wherever it stands: nested, Sequential, subclassed, or an operation of a functional graph."""

from __future__ import annotations

from typing import Any

import keras

from ..core.errors import ModelError, nearest, wording


def layers_of(model: Any) -> list[tuple[str, Any]]:
    """Every layer and operation of a model with its dotted path, in order of definition, nested ones included."""
    found: list[tuple[str, Any]] = []
    _collect(model, "", found, set())
    return found


def _collect(parent: Any, prefix: str, found: list[tuple[str, Any]], seen: set[int]) -> None:
    for child in _children(parent):
        if id(child) in seen or isinstance(child, keras.layers.InputLayer):
            continue
        seen.add(id(child))
        path = f"{prefix}{child.name}"
        found.append((path, child))
        _collect(child, path + ".", found, seen)


def _children(parent: Any) -> list[Any]:
    # A functional graph holds operations (`x + y`, keras.ops) beside layers; other models list their layers, and a
    # layer that is no model keeps its own in `_layers` (Keras has no public name for them).
    if isinstance(parent, keras.Sequential):
        return list(parent.layers)
    operations = getattr(parent, "operations", None)
    if operations is not None:
        return list(operations)
    if isinstance(parent, keras.Model):
        return list(parent.layers)
    return list(getattr(parent, "_layers", ()))


def find_layer(model: Any, layer: Any, where: str) -> tuple[Any, int]:
    """The layer that a user means, and which of its calls.

    Parameters
    ----------
    layer : the layer itself, its name (`"block5"`), its dotted path (`"backbone.block5"`), its position among the
        model's own layers (`-2`), each name with `":1"` for the second call of a shared layer.

    Raises
    ------
    ModelError : no such layer (the nearest names are listed), or several layers of that name.
    """
    if not isinstance(model, keras.layers.Layer):
        raise ModelError(
            wording(
                where,
                expected="a layer can be reached in Keras models only",
                received=type(model).__name__,
                remedy="Pass the Keras model itself, or leave the layer out.",
            )
        )
    known = layers_of(model)
    if isinstance(layer, int) and not isinstance(layer, bool):
        return _by_position(model, layer, where), 0
    if not isinstance(layer, str):
        if any(layer is candidate for _, candidate in known):
            return layer, 0
        raise ModelError(
            wording(
                where,
                expected="the layer must belong to the model",
                received=repr(layer),
                remedy=nearest("", [path for path, _ in known]),
            )
        )
    for name, call in _readings(layer):
        matches = [candidate for path, candidate in known if path == name]
        matches = matches or [candidate for _, candidate in known if candidate.name == name]
        if len(matches) == 1:
            return matches[0], call
        if matches:
            paths = [path for path, candidate in known if candidate.name == name]
            raise ModelError(
                wording(
                    where,
                    expected="the layer's name must be unique",
                    received=f"{name!r} in {', '.join(paths)}",
                    remedy="Use the whole path.",
                )
            )
    raise ModelError(
        wording(
            where,
            expected="the layer must exist in the model",
            received=repr(layer),
            remedy=nearest(layer, [path for path, _ in known]),
        )
    )


def _by_position(model: Any, position: int, where: str) -> Any:
    own = [child for child in _children(model) if not isinstance(child, keras.layers.InputLayer)]
    if isinstance(model, keras.Model):
        own = [child for child in model.layers]
    if not -len(own) <= position < len(own):
        raise ModelError(
            wording(
                where,
                expected=f"the layer's position must lie in [{-len(own)}, {len(own) - 1}]",
                received=position,
                remedy="Count the layers of model.summary().",
            )
        )
    return own[position]


def _readings(layer: str) -> list[tuple[str, int]]:
    """A colon may belong to the name, so the whole text is tried first."""
    name, colon, call = layer.rpartition(":")
    readings = [(layer, 0)]
    if colon and call.isdigit():
        readings.append((name, int(call)))
    return readings
