"""What explainers and metrics share: a model, how to read it, and how to run on it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import ModelError, wording
from ..core.inputs import leaves, map_leaves
from ..core.layout import Layout
from ..models.access import ModelAccess, Notice
from ..models.operators import as_operator, resolve_targets
from .engine import Engine
from .plan import Loop, Plan, Repeated

Made = TypeVar("Made")
Stages = Plan | Loop | tuple[Plan | Loop | Repeated, ...]


def as_stages(plan: Stages) -> tuple[Plan | Loop | Repeated, ...]:
    """Stages in turn, also where there is only one."""
    return plan if isinstance(plan, tuple) else (plan,)


@dataclass(frozen=True, eq=False, kw_only=True)
class OnModel:
    """A model and the options that every explainer and metric has.

    Parameters
    ----------
    model : a Keras model of any kind, or a callable for methods without gradients.
    output_layer : the layer whose output is explained, instead of the model's own output with its final softmax or
        sigmoid bypassed.
    operator : what to explain: None or `"classification"`, `"regression"`, `"segmentation"`, `"detection"`, an object
        such as `xsparks.models.detection.Detection(parts=("box",))`, or a function
        `(forward, inputs, targets) -> scores (n,)`. Each says which targets it takes.
    preprocess : a callable, `"tf"`, `"torch"`, `"caffe"` or None; applied last, so that masks, baselines and noise
        live in the space of the inputs as they are handed over.
    explain_input : which input is explained where the model has several: its name, or its position in a tuple.
    batch_size : most forwards in flight, or `"auto"`, which is halved whenever memory runs out.
    seed : of all random draws; results do not depend on the batch size.
    progress : show a progress bar; None shows it on a terminal or in a notebook only.
    jit_compile : compile the step with XLA.
    class_names : names for the titles of figures.
    """

    model: Any = field(kw_only=False)
    output_layer: Any = None
    operator: Any = None
    preprocess: Any = None
    explain_input: str | int | None = None
    batch_size: int | str = "auto"
    seed: int = 0
    progress: bool | None = None
    jit_compile: bool = False
    class_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        where = type(self).__name__
        if self.batch_size != "auto":
            check_integer(where, "batch_size", self.batch_size, 1, "Use 'auto' to have it found.")
        check_integer(where, "seed", self.seed, 0, "Use 0.")
        as_operator(self.operator, where)
        self.check()

    def check(self) -> None:
        """Checks the options of the method itself; called by the constructor."""

    def replace(self, **changes: Any) -> Self:
        """The same method with other options, `replace(model=...)` with another model."""
        return dataclasses.replace(self, **changes)

    @cached_property
    def access(self) -> ModelAccess:
        """The model as the engine sees it."""
        return ModelAccess(self.model, self.output_layer, self.preprocess, type(self).__name__)

    @cached_property
    def engine(self) -> Engine:
        """What runs the plans; holds the compiled steps."""
        operator = as_operator(self.operator, type(self).__name__)
        return Engine(self.access, operator, self.batch_size, self.explain_input, self.jit_compile)

    @cached_property
    def _plans(self) -> dict[tuple[int, ...], Any]:
        return {}

    def _kept(self, inputs: Any, make: Callable[[Layout, Any], Made]) -> Made:
        """What is made for samples like these; the same object each time, so that it is compiled once."""
        shape = tuple(int(size) for size in self.engine.explained(inputs).shape[1:])
        if shape not in self._plans:
            self._plans[shape] = make(self.access.layout(shape), self.engine.output_spec(inputs))
        return self._plans[shape]

    def _sample_rank(self, inputs: Any) -> int | None:
        element = getattr(inputs, "element_spec", None)
        element = element[0] if isinstance(element, tuple) else element
        shapes = self.access.sample_shapes(named=isinstance(element, Mapping))
        return None if not shapes else len(shapes[0])

    def _checked(self, inputs: Any, start: int = 0) -> Any:
        """Some inputs as the engine eats them: finite, of the model's shape, the explained one float32."""
        where = type(self).__name__
        shapes = self.access.sample_shapes(named=isinstance(inputs, Mapping))
        arrays = leaves(inputs)
        if shapes is not None and len(shapes) == len(arrays):
            for array, shape in zip(arrays, shapes, strict=True):
                _check_shape(where, array, shape)
        for array in arrays:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                bad = start + int(np.argmax(~np.isfinite(array.reshape(len(array), -1)).all(axis=1)))
                raise ValueError(
                    wording(
                        where,
                        expected="`inputs` must be finite",
                        received=f"NaN or infinity in sample {bad}",
                        remedy="Look at how it was read or normalised.",
                    )
                )
        explained = self.engine.explained(inputs)

        def cast(array: np.ndarray) -> np.ndarray:
            return array.astype(np.float32, copy=False) if array is explained or array.dtype.kind == "f" else array

        return map_leaves(cast, inputs)

    def _answered(self, inputs: Any, targets: Any, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The checked targets of some inputs, and their scores as they are."""
        where = type(self).__name__
        outputs = tf.nest.map_structure(np.asarray, self.engine.predict(inputs))
        for array in tf.nest.flatten(outputs):
            if not np.isfinite(array).all():
                raise ModelError(
                    wording(
                        where,
                        expected="the model must answer with finite numbers",
                        received="NaN or infinity",
                        remedy="Look at `preprocess` and at the weights.",
                    )
                )
        self._warn_of_probabilities(outputs)
        resolved = resolve_targets(targets, outputs, self.engine.operator, where, start)
        return resolved, self.engine.scores(inputs, outputs, resolved)

    def _warn_of_probabilities(self, outputs: Any) -> None:
        if self.access.unrecognised_softmax or isinstance(outputs, list | tuple | dict):
            return
        # Classes of an image, or of each pixel.
        if outputs.ndim not in (2, 4) or outputs.shape[-1] < 2 or self.access.final_activation is not None:
            return
        if (outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3):
            self.access.unrecognised_softmax = True
            if self.output_layer is not None:
                return
            warnings.warn(
                f"`{type(self).__name__}`: the model's outputs look like probabilities (not negative, sum 1), but no "
                "final softmax was recognised. Maps of probabilities are weaker than maps of logits: pass "
                "output_layer= the layer of the logits.",
                Notice,
                stacklevel=2,
            )


def _check_shape(where: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) + 1 and all(
        wanted is None or wanted == got for wanted, got in zip(shape, array.shape[1:], strict=True)
    )
    if fits:
        return
    wanted = "(" + ", ".join(["n", *("any" if size is None else str(size) for size in shape)]) + ")"
    if array.ndim == len(shape):
        remedy = "Add the batch axis: inputs[None]."
    elif array.ndim != len(shape) + 1:
        remedy = "Look at the axes of the inputs."
    else:
        remedy = "Resize or crop them to what the model reads."
    raise ValueError(
        wording(where, expected=f"`inputs` must have shape {wanted}", received=f"{array.shape}", remedy=remedy)
    )
