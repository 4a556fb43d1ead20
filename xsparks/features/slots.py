"""Objectives of several targets as one tree of numbers, so that all are optimised by one compiled step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.errors import wording
from .losses import LOSSES
from .objectives import Objective, Term

OUTPUT = "outputs"


class Slot(NamedTuple):
    """What the terms in one slot share; what differs between targets are numbers.

    layer : its path as `ModelAccess.path_of` tells it, with ":1" for a second call; `OUTPUT` for the model's output.
    loss, kind : the kind is "index" (a channel), "vector" (a direction), both a mean over places, "place" (a channel at
        a place) or "all".
    number : of the slots that are alike in these, which one.
    """

    layer: str
    loss: str
    kind: str
    number: int


class Packed(NamedTuple):
    """The slots, and for each a tree of arrays with a row for each target.

    A target that has no term in a slot has the weight 0 there.
    """

    slots: tuple[Slot, ...]
    numbers: tuple[dict[str, np.ndarray], ...]


def slot_layers(slots: Sequence[Slot]) -> list[str]:
    """The layers that slots read, each once, without the output."""
    return list(dict.fromkeys(slot.layer for slot in slots if slot.layer != OUTPUT))


def layer_name(access: Any, layer: Any) -> str:
    """The name under which slots know a layer."""
    if layer is None:
        return OUTPUT
    path, call = access.path_of(layer)
    return path if call == 0 else f"{path}:{call}"


def packed(objectives: Sequence[Objective], access: Any, shapes: Any, where: str) -> Packed:
    """The objectives of the targets as slots and numbers.

    Parameters
    ----------
    access : the `ModelAccess` that knows the layers.
    shapes : `layers -> shapes`, from the names of layers to the shapes of their answers to one sample, channels last.

    Raises
    ------
    ValueError : a channel, a place or a direction that the layer does not have.
    """
    found: dict[Slot, list[Term | None]] = {}
    for row, objective in enumerate(objectives):
        used: dict[tuple[str, str, str], int] = {}
        for term in objective.terms:
            key = (layer_name(access, term.layer), term.loss, _kind(term))
            slot = Slot(*key, used.get(key, 0))
            used[key] = slot.number + 1
            found.setdefault(slot, [None] * len(objectives))[row] = term
    known = shapes([slot.layer for slot in found])
    slots = tuple(sorted(found))
    return Packed(slots, tuple(_numbers(slot, found[slot], known[slot.layer], where) for slot in slots))


def _kind(term: Term) -> str:
    if term.where == "all":
        return "all"
    if isinstance(term.where, tuple):
        return "place"
    return "index" if isinstance(term.direction, int) else "vector"


def _numbers(slot: Slot, terms: list[Term | None], shape: tuple[int, ...], where: str) -> dict[str, np.ndarray]:
    rows = len(terms)
    numbers: dict[str, np.ndarray] = {"weight": np.zeros(rows, np.float32)}
    if slot.kind in ("index", "place"):
        numbers["channel"] = np.zeros(rows, np.int32)
    if slot.kind == "place":
        numbers["place"] = np.zeros((rows, len(shape) - 1), np.int32)
    if slot.kind in ("vector", "all"):
        numbers["direction"] = np.zeros((rows, *(shape[-1:] if slot.kind == "vector" else shape)), np.float32)
    for row, term in enumerate(terms):
        if term is None:
            continue
        numbers["weight"][row] = term.weight
        for name, value in _of_term(slot, term).items():
            _check_fits(slot, name, value, shape, where)
            numbers[name][row] = value
    return numbers


def _of_term(slot: Slot, term: Term) -> dict[str, Any]:
    if slot.kind == "place":
        return {"channel": term.direction, "place": np.array(term.where, np.int32)}
    return {"channel" if slot.kind == "index" else "direction": term.direction}


def _check_fits(slot: Slot, name: str, value: Any, shape: tuple[int, ...], where: str) -> None:
    places, channels = shape[:-1], shape[-1]
    of = "the model's output" if slot.layer == OUTPUT else slot.layer
    if name == "channel":
        word = "class" if slot.layer == OUTPUT else "channel"
        fits, expected, received = value < channels, f"a {word} of {of} must lie in [0, {channels - 1}]", value
    elif name == "place":
        fits = len(value) == len(places) and all(each < size for each, size in zip(value, places, strict=True))
        expected, received = f"a place of {of} must lie within {places}", tuple(map(int, value))
    else:
        wanted = (channels,) if slot.kind == "vector" else shape
        fits, expected, received = (
            np.shape(value) == wanted,
            f"a direction of {of} must have shape {wanted}",
            value.shape,
        )
    if not fits:
        raise ValueError(
            wording(where, expected=expected, received=received, remedy="Look at the layer, or count from 0.")
        )


def values_of(slots: Sequence[Slot], answers: dict[str, Any], numbers: Any) -> Any:
    """The value of each view, `(b,)`: the weighted sum over the slots.

    Parameters
    ----------
    answers : from the names of layers to their answers `(b, ..., c)`, channels last.
    numbers : the numbers of the slots, a row for each view.
    """
    values = [
        own["weight"] * _value(slot, tf.cast(answers[slot.layer], tf.float32), own)
        for slot, own in zip(slots, numbers, strict=True)
    ]
    return tf.add_n(values)


def _value(slot: Slot, answer: Any, own: Any) -> Any:
    loss, rows = LOSSES[slot.loss], tf.shape(answer)[0]
    if slot.kind == "all":
        flat = (rows, int(np.prod(answer.shape[1:])))
        return loss(tf.reshape(answer, flat), tf.reshape(own["direction"], flat))
    if slot.kind == "place":
        at = tf.concat([own["place"], own["channel"][:, None]], axis=1)
        return tf.gather_nd(answer, at, batch_dims=1)
    places = tf.reshape(answer, (rows, int(np.prod(answer.shape[1:-1])), answer.shape[-1]))
    if slot.kind == "index":
        return tf.gather(tf.reduce_mean(places, axis=1), own["channel"], batch_dims=1)
    return tf.reduce_mean(loss(places, own["direction"][:, None]), axis=1)
