"""What a picture shall show: terms about layers, with an algebra."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from .losses import LOSSES


@dataclass(frozen=True, eq=False, kw_only=True)
class Term:
    """How much the answer of one layer looks like a direction.

    Parameters
    ----------
    layer : a layer as the taps take it (a name, a dotted path, a position, the layer), or None for the model's output
    direction : int, a channel, or an array: `(c,)`, or of the shape of the layer's answer where `where` is "all"
    loss : "dot", "cosine", "dot_cosine" or "distance"
    where : "mean" (of the loss over all places), "all" (the whole answer as one vector) or a place, a tuple of ints
    weight : float
    """

    layer: Any = None
    direction: Any = 0
    loss: str = "dot"
    where: str | tuple[int, ...] = "mean"
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_choice("Term", "loss", self.loss, LOSSES)
        one_channel = isinstance(self.direction, int)
        if one_channel != isinstance(self.where, tuple) and self.where != "mean" or one_channel and self.loss != "dot":
            raise ValueError(
                wording(
                    "Term",
                    expected="a single channel must have the loss 'dot', at a place or as the mean over all; an array "
                    "belongs to 'mean' or 'all'",
                    received=f"direction={self.direction!r:.40}, loss={self.loss!r}, where={self.where!r}",
                    remedy="Objective.channel, .neuron, .direction and .answer make what fits.",
                )
            )


@dataclass(frozen=True, eq=False)
class Objective:
    """What shall a picture show, as a weighted sum of terms about the layers of a model?

    Objectives are values: `2 * a - b` is a new one with the value that it says, and `a` and `b` are what they were.

    Parameters
    ----------
    terms : tuple of `Term`
    name : str; for titles

    Example
    -------
    >>> both = 2 * Objective.logit(207) - Objective.channel("block5", 3)
    >>> both.name, [term.weight for term in both.terms]
    ('2 * class 207 - channel 3 of block5', [2.0, -1.0])

    Source
    ------
    C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill, 2017, https://doi.org/10.23915/distill.00007
    """

    terms: tuple[Term, ...]
    name: str

    @classmethod
    def logit(cls, class_id: int) -> Objective:
        """A class, by its output before the softmax."""
        class_id = check_integer("Objective.logit", "class_id", class_id, 0, "Ids count from 0.")
        return cls((Term(direction=class_id),), f"class {class_id}")

    @classmethod
    def channel(cls, layer: Any, channel: int) -> Objective:
        """The mean of a channel of a layer over all places."""
        channel = check_integer("Objective.channel", "channel", channel, 0, "Channels count from 0.")
        return cls((Term(layer=layer, direction=channel),), f"channel {channel} of {_name_of(layer)}")

    @classmethod
    def neuron(cls, layer: Any, place: tuple[int, ...], channel: int) -> Objective:
        """A channel of a layer at one place, such as `(row, column)`."""
        where = "Objective.neuron"
        place = tuple(check_integer(where, "place", each, 0, "Places count from 0.") for each in place)
        channel = check_integer(where, "channel", channel, 0, "Channels count from 0.")
        return cls(
            (Term(layer=layer, direction=channel, where=place),), f"neuron {(*place, channel)} of {_name_of(layer)}"
        )

    @classmethod
    def direction(cls, layer: Any, vector: Any, loss: str = "dot_cosine", name: str | None = None) -> Objective:
        """A direction `(c,)` among the channels of a layer, such as a concept: the mean of the loss over all places.

        Parameters
        ----------
        layer : a layer, or None for the outputs of the model
        vector : array `(c,)`
        loss : "dot", "cosine" or "dot_cosine"
        """
        check_choice("Objective.direction", "loss", loss, LOSSES)
        vector = _finite(vector, "Objective.direction", "vector", 1)
        return cls((Term(layer=layer, direction=vector, loss=loss),), name or f"direction of {_name_of(layer)}")

    @classmethod
    def answer(cls, layer: Any, values: Any, loss: str = "cosine", name: str | None = None) -> Objective:
        """The whole answer of a layer, `values` of its shape for one sample, such as that to a photograph."""
        check_choice("Objective.answer", "loss", loss, LOSSES)
        values = _finite(values, "Objective.answer", "values", None)
        return cls(
            (Term(layer=layer, direction=values, loss=loss, where="all"),), name or f"answer of {_name_of(layer)}"
        )

    def __add__(self, other: Any) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(self.terms + other.terms, f"{self.name} + {other.name}")

    def __sub__(self, other: Any) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        name = f"({other.name})" if len(other.terms) > 1 else other.name
        return replace(self + -1 * other, name=f"{self.name} - {name}")

    def __mul__(self, factor: Any) -> Objective:
        if not isinstance(factor, numbers.Real):
            return NotImplemented
        factor = check_number("Objective", "factor", factor, remedy="Multiply by a finite number.")
        terms = tuple(replace(term, weight=term.weight * factor) for term in self.terms)
        name = f"({self.name})" if len(self.terms) > 1 else self.name
        return Objective(terms, f"{factor:g} * {name}")

    def __rmul__(self, factor: Any) -> Objective:
        return self * factor

    def __truediv__(self, factor: Any) -> Objective:
        return self * (1 / factor)

    def __neg__(self) -> Objective:
        return replace(self * -1, name=f"-{self.name}" if len(self.terms) == 1 else f"-({self.name})")


def as_objectives(targets: Any, layer: Any, where: str) -> list[Objective]:
    """The objectives that a user means.

    Parameters
    ----------
    targets : one or a list of: an int, a class (a channel, where `layer` is given); an array `(c,)`, a direction among
        the outputs (of the layer); an `Objective`; an object with `layer` and `direction`, such as a concept. An array
        `(n, c)` is n directions.
    layer : the layer that numbers and arrays are about, or None for the outputs.

    Raises
    ------
    ValueError : None, or nothing.
    TypeError : something else.
    """
    if targets is None or (isinstance(targets, list | tuple) and not len(targets)):
        raise ValueError(
            wording(
                where,
                expected="`targets` must say what to show",
                received="None" if targets is None else "none",
                remedy="Pass class ids, as in targets=[207], or directions, channels, neurons.",
            )
        )
    array = None if isinstance(targets, Objective | str) else _as_array(targets)
    if array is not None and array.ndim == 1 and array.dtype.kind == "f":
        targets = [array]
    elif array is not None and array.ndim in (1, 2):
        targets = list(array)
    elif not isinstance(targets, list | tuple):
        targets = [targets]
    return [_as_objective(target, layer, where) for target in targets]


def _as_objective(target: Any, layer: Any, where: str) -> Objective:
    if isinstance(target, Objective):
        return target
    if isinstance(target, numbers.Integral) and not isinstance(target, bool):
        return Objective.logit(int(target)) if layer is None else Objective.channel(layer, int(target))
    if hasattr(target, "layer") and hasattr(target, "direction"):
        return Objective.direction(target.layer, target.direction, name=getattr(target, "name", None))
    array = _as_array(target)
    if array is not None and array.ndim == 1:
        return Objective.direction(layer, array, loss="dot" if layer is None else "dot_cosine")
    raise TypeError(
        wording(
            where,
            expected="each target must be a class id, an array (c,), an Objective, or have `layer` and `direction`",
            received=repr(target)[:60],
            remedy="Channels are Objective.channel(layer, 3), neurons Objective.neuron(layer, (2, 4), 3).",
        )
    )


def _as_array(values: Any) -> np.ndarray | None:
    """An array of numbers, or None where these are none."""
    if hasattr(values, "layer") or (isinstance(values, list | tuple) and any(hasattr(v, "layer") for v in values)):
        return None
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):
        return None
    return array if array.dtype.kind in "fiu" else None


def _finite(values: Any, where: str, name: str, rank: int | None) -> np.ndarray:
    array = np.array(values, np.float32)
    if (rank is None or array.ndim == rank) and np.isfinite(array).all() and array.any():
        # Read only, so that an objective stays what it is.
        array.setflags(write=False)
        return array
    raise ValueError(
        wording(
            where,
            expected=f"`{name}` must be finite, not zero everywhere" + (f", of rank {rank}" if rank else ""),
            received=f"shape {array.shape}" if np.isfinite(array).all() and array.any() else "NaN, infinity or zeros",
            remedy="Look at how it was made.",
        )
    )


def _name_of(layer: Any) -> str:
    return "the output" if layer is None else str(getattr(layer, "name", layer))
