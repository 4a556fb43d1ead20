"""A model that reads pictures: of which size and range, and what its layers answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..core.inputs import Reader
from ..engine import Engine
from ..models.output_operator import outputs_in_words
from .slots import OUTPUT, layer_name


@dataclass(frozen=True)
class PictureModel:
    """What a method that draws must know of a model.

    Parameters
    ----------
    engine : the engine with the model.
    view_size : (height, width) or (height, width, channels) of what the model reads, where it does not tell.
    values_range : (black, white), or None for what the model or its preprocessing declares.
    where : the name of the method, for errors.
    """

    engine: Engine
    view_size: Sequence[int] | None
    values_range: tuple[float, float] | None
    where: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what the model reads, as it is told or by `view_size`."""
        access = self.engine.access
        shapes = access.sample_shapes()
        if shapes is not None and (len(shapes) != 1 or len(shapes[0]) != 3):
            raise ModelError(
                wording(
                    self.where,
                    expected="the model must read pictures and nothing else",
                    received=f"inputs of shapes {shapes}",
                    remedy="Wrap it in a model of one picture.",
                )
            )
        told: tuple[int | None, ...] = (None, None, None) if shapes is None else shapes[0]
        height, width, channels = (*told[1:], told[0]) if access.channels_first else told
        given = (*(self.view_size or ()), None, None, None)[:3]
        height, width, channels = given[0] or height, given[1] or width, given[2] or channels
        if height is None or width is None:
            raise ModelError(
                wording(
                    self.where,
                    expected="the size of what the model reads must be known",
                    received="a model that does not tell it",
                    remedy="Pass view_size=(224, 224).",
                )
            )
        return height, width, channels or 3

    @property
    def range(self) -> tuple[float, float]:
        """(black, white)."""
        found = self.values_range or self.engine.access.input_range
        if found is not None:
            return float(found[0]), float(found[1])
        raise ValueError(
            wording(
                self.where,
                expected="`values_range`, the values of black and white, must be known",
                received="a model that does not declare its range",
                remedy="Pass values_range=(0, 255), (0, 1) or (-1, 1), whichever the model reads, or preprocess='tf'.",
            )
        )

    def check(self) -> None:
        """Makes the model ready, or says why it cannot be used."""
        access = self.engine.access
        if tf.inside_function():
            raise ModelError(
                wording(
                    self.where,
                    expected="pictures must be made outside of a graph",
                    received="a call within tf.function",
                    remedy="Call it eagerly; its steps are compiled all the same.",
                )
            )
        access.ensure_ready(self.blank())
        if not access.differentiable:
            raise ModelError(
                wording(
                    self.where,
                    expected="the model must have gradients",
                    received=f"a {type(access.model).__name__} of NumPy arrays",
                    remedy="Pass a Keras model.",
                )
            )

    def blank(self) -> np.ndarray:
        """One picture of zeros, as the model reads it."""
        height, width, channels = self.shape
        first = self.engine.access.channels_first
        return np.zeros((1, channels, height, width) if first else (1, height, width, channels), np.float32)

    def shapes(self, layers: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """The shapes of what layers answer to one picture, channels last."""
        inner = tuple(name for name in layers if name != OUTPUT)
        spec = self.engine.output_spec(self.blank(), inner)
        answers = dict(zip((*inner, OUTPUT), spec if inner else [spec], strict=True))
        return {name: self._shape(name, answers[name]) for name in layers}

    def answers(self, bound: Any, shown: Any, layers: Sequence[str]) -> dict[str, Any]:
        """What layers, and the model, answer to views, channels last."""
        found, outputs = bound.tap(list(layers))(shown) if layers else ([], bound.forward(shown))
        return {OUTPUT: outputs, **dict(zip(layers, map(self._channels_last, layers, found), strict=True))}

    def answers_to(self, pictures: Any, layers: Sequence[Any]) -> list[np.ndarray]:
        """What layers answer to pictures as the model reads them, channels last; the model's output is the last."""
        names = [layer_name(self.engine.access, layer) for layer in layers]
        found = self.engine.predict(pictures, tuple(names))
        answers = found if layers else [found]
        return [np.asarray(self._channels_last(*each)) for each in zip([*names, OUTPUT], answers, strict=True)]

    def photographs(self, inputs: Any, number: int, where: str) -> np.ndarray:
        """Photographs as `(number, h, w, c)` float32 within the range; one serves all.

        Raises
        ------
        ValueError : another number of them, other channels, values out of range or not finite.
        """
        reader, parts = Reader(inputs, None, 3, where), []
        while (samples := reader.read(64)) is not None:
            parts.append(np.asarray(samples.inputs, np.float32))
        pictures, (low, high) = np.concatenate(parts), self.range
        received = ""
        if pictures.ndim != 4 or pictures.shape[-1] != self.shape[2]:
            received = f"shape {pictures.shape}"
        elif len(pictures) not in (1, number):
            received = f"{len(pictures)} photographs for {number} targets"
        elif not (np.isfinite(pictures).all() and pictures.min() >= low and pictures.max() <= high):
            received = f"values from {pictures.min():g} to {pictures.max():g}"
        if received:
            raise ValueError(
                wording(
                    where,
                    expected=f"`inputs` must be photographs (n, h, w, {self.shape[2]}) with values in [{low:g}, "
                    f"{high:g}], one for each target or for all",
                    received=received,
                    remedy="They are taken in the range of `values_range`.",
                )
            )
        return np.repeat(pictures, number // len(pictures), axis=0)

    def _channels_last(self, name: str, answer: Any) -> Any:
        return tf.transpose(answer, (0, 2, 3, 1)) if name in self._channels_first else answer

    @property
    def _channels_first(self) -> set[str]:
        """The layers that answer with `(c, h, w)`."""
        if not self.engine.access.channels_first:
            return set()
        return {place.name for place in self.engine.places if place.arrangement == "first"}

    def _shape(self, name: str, spec: Any) -> tuple[int, ...]:
        if not hasattr(spec, "shape") or len(spec.shape) < 2:
            raise ModelError(
                wording(
                    self.where,
                    expected=f"{name} must answer with one array of channels",
                    received=outputs_in_words(spec),
                    remedy="Pass layer= or output_layer= the layer that targets are about.",
                )
            )
        shape = tuple(int(size) for size in spec.shape[1:])
        return (*shape[1:], shape[0]) if name in self._channels_first else shape
