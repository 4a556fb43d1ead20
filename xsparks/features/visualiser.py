"""What every method shares that makes a picture of what a network looks for."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np
import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.progress import progress_bar
from ..engine import Ascent, Checkpoint
from ..engine.record import described, model_digest, settings_of, versions
from ..engine.session import OnModel
from ..models.operators import OPERATORS, as_operator
from . import photograph_canvas
from .canvas import Canvas
from .losses import distance
from .objectives import Objective, as_objectives
from .picture_model import PictureModel
from .schedules import as_steps
from .slots import Packed, layer_name, packed, slot_layers, values_of
from .views import SMALLEST_CROP, Views
from .visualisation import Visualisation


@dataclass(frozen=True, eq=False, kw_only=True)
class Visualiser(OnModel, abc.ABC):
    """Pictures that are optimised until a network sees in them what the targets say.

    A subclass says which canvas it draws on. In each step the picture of each target is cut into crops, these are
    shown to the network with noise, and the mean of the objective over the crops climbs.

    Parameters
    ----------
    layer : the layer that targets are about: numbers are then its channels and arrays its directions; None for the
        outputs of the model, where numbers are classes
    steps : of the optimizer
    crops : views of each picture in a step
    image_size : of the pictures, in pixels: an integer or (height, width)
    values_range : (black, white) as the model's inputs have them; None takes what the model or `preprocess` declares
    crop_size : the mean side of the crops, as a fraction of the picture: a number, (first step, last step), or a
        function of the progress from 0 to 1
    crop_spread : the standard deviation of the sides
    centre_spread : that of the centres, as a fraction of the picture
    noise : the standard deviation of the noise of the crops, as a fraction of `values_range`; a schedule as `crop_size`
    view_size : of the crops as the network reads them, where the model does not tell: (height, width)
    optimizer : any Keras optimizer; None takes the canvas's own
    regularizers : penalties of the picture, such as `TotalVariation(0.1)`
    near : a layer in which pictures that begin as photographs shall stay near them, crop for crop
    nearness : how much: the weight of the squared distance, in units of the photograph's squared length
    variants : pictures of each target, from different first draws
    stages : pictures of each optimisation that are kept on the way, at equal distances from the first step on
    """

    layer: Any = None
    steps: int = 256
    crops: int = 32
    image_size: int | tuple[int, int] = 512
    values_range: tuple[float, float] | None = None
    crop_size: Any = (0.5, 0.05)
    crop_spread: float = 0.05
    centre_spread: float = 0.15
    noise: Any = 0.04
    view_size: tuple[int, int] | None = None
    optimizer: Any = None
    regularizers: Sequence[Any] = ()
    near: Any = None
    nearness: float = 1.0
    variants: int = 1
    stages: int = 0

    @abc.abstractmethod
    def canvas_of(self) -> Canvas:
        """The canvas that pictures are drawn on, unless they begin as photographs."""

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "steps", self.steps, 1, "Use 256.")
        check_integer(name, "crops", self.crops, 1, "Use 32.")
        check_integer(name, "variants", self.variants, 1, "Use 1.")
        check_integer(name, "stages", self.stages, 0, "Use 6, or 0 to keep none.", maximum=self.steps)
        check_number(name, "crop_spread", self.crop_spread, 0, 1, "Use .05.")
        check_number(name, "centre_spread", self.centre_spread, 0, 1, "Use .15.")
        check_number(name, "nearness", self.nearness, 0, remedy="Use 1.")
        for side in self.size:
            check_integer(name, "image_size", side, 8, "Use 512, or (height, width).")
        if self.values_range is not None:
            low, high = (check_number(name, "values_range", end, remedy="Use (0, 255).") for end in self.values_range)
            if low >= high:
                raise ValueError(
                    wording(
                        f"{name}(values_range={self.values_range!r})",
                        expected="`values_range` must be (black, white), with black below white",
                        received=repr(self.values_range),
                        remedy="Use (0, 255) for pixels from 0 to 255.",
                    )
                )
        if self.optimizer is not None and not isinstance(self.optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                wording(
                    f"{name}(optimizer=...)",
                    expected="`optimizer` must be a Keras optimizer",
                    received=repr(self.optimizer)[:60],
                    remedy="Use keras.optimizers.Adam(0.05).",
                )
            )
        if as_operator(self.operator, name) not in (OPERATORS["classification"], OPERATORS["regression"]):
            raise ValueError(
                wording(
                    f"{name}(operator=...)",
                    expected="`operator` must be 'classification' or 'regression', whose outputs are one vector",
                    received=repr(self.operator),
                    remedy="Pass output_layer= the vector to explain, or targets that are Objectives.",
                )
            )
        # What is wrong with these is said now, not after the first pictures.
        self.canvas_of()
        self._schedules()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures."""
        if isinstance(self.image_size, tuple | list):
            height, width = self.image_size
            return height, width
        return self.image_size, self.image_size

    @final
    def explain(self, inputs: Any = None, targets: Any = None, out: Any = None) -> Visualisation:
        """One picture, or `variants` of them, for each target, as many together as the batch size has room for.

        Parameters
        ----------
        inputs : None, or photographs `(n, h, w, c)` that the pictures begin as, one for each target, or for all
        targets : one or a list of: a class id (a channel, with `layer`), an array `(c,)` (a direction among outputs or
            channels), an `Objective`, an object with `layer` and `direction`; None is an error
        out : a folder; the state is kept there, and the same call goes on where it was stopped

        Returns
        -------
        seen : a `Visualisation`, `variants` pictures for each target in turn

        Raises
        ------
        ValueError, TypeError : targets that the model does not have, photographs that do not fit, an unknown range.
        ModelError : a model without gradients, or that does not read pictures.
        WriteError : `out` cannot be written.
        """
        return self._explained(as_objectives(targets, self.layer, self._call), inputs, out)

    def __call__(self, inputs: Any = None, targets: Any = None) -> Visualisation:
        """The same as `explain`."""
        return self.explain(inputs, targets)

    @property
    def _call(self) -> str:
        return f"{type(self).__name__}.explain"

    @property
    def _pictures(self) -> PictureModel:
        return PictureModel(self.engine, self.view_size, self.values_range, type(self).__name__)

    def _explained(self, objectives: Sequence[Objective], inputs: Any, out: Any) -> Visualisation:
        self._pictures.check()
        values_range, number = self._pictures.range, len(objectives)
        side: Any = ()
        if inputs is not None:
            photographs = np.repeat(self._pictures.photographs(inputs, number, self._call), self.variants, axis=0)
            side = {**photograph_canvas.spectra_of(photographs, values_range), "photograph": photographs}
        elif self.near is not None:
            raise ValueError(
                wording(
                    f"{self._call}(inputs=None)",
                    expected="`near` must have photographs to stay near to",
                    received="none",
                    remedy="Pass inputs= photographs (n, h, w, c).",
                )
            )
        objectives = [each for each in objectives for _ in range(self.variants)]
        targets = packed(objectives, self.access, self._pictures.shapes, self._call)
        draws = np.tile(np.arange(self.variants, dtype=np.int32), number)
        where = f"{self._call}(out={str(out)!r})"
        ascent = self._ascent(targets, None if inputs is None else side["photograph"].shape[1:3])
        keep = None if out is None else Checkpoint(out, self._fingerprint(targets, side, ascent), where)
        with progress_bar(ascent.variants * len(draws), type(self).__name__, self.progress) as bar:
            answer = self.engine.run(ascent, draws, targets.numbers, side, progress=bar.update, keep=keep)
        return Visualisation(
            images=answer["pictures"],
            transparency=answer["steepness"],
            values=answer["values"],
            stages=answer["stages"] if self.stages else None,
            stage_steps=ascent.stages,
            names=tuple(self._title(each) for each in objectives),
            values_range=values_range,
            method=type(self).__name__,
            settings=self._settings(ascent),
            versions=versions(),
        )

    def _ascent(self, targets: Packed, photograph: tuple[int, int] | None) -> Ascent:
        """The ascent for targets of these slots; the same object each time, so that it is compiled once."""
        key: Any = (targets.slots, photograph)
        if key not in self._plans:
            self._plans[key] = self._new_ascent(targets, photograph)
        return self._plans[key]

    def _new_ascent(self, targets: Packed, photograph: tuple[int, int] | None) -> Ascent:
        pictures, values_range, canvas = self._pictures, self._pictures.range, self.canvas_of()
        size, channels = photograph or self.size, pictures.shape[2]
        near = [] if self.near is None else [layer_name(self.access, self.near)]
        layers = list(dict.fromkeys([*slot_layers(targets.slots), *near]))

        def value(bound: Any, operator: Any, shown: Any, numbers: Any, beside: Any) -> Any:
            answers = pictures.answers(bound, shown, layers)
            total = values_of(targets.slots, answers, numbers)
            for name in near:
                flat = (-1, int(np.prod(answers[name].shape[1:])))
                own, wanted = answers[name], tf.stop_gradient(pictures.answers(bound, beside, near)[name])
                own, wanted = (tf.reshape(tf.cast(each, tf.float32), flat) for each in (own, wanted))
                total -= self.nearness * distance(own, wanted)
            return total

        def penalty(drawn: Any) -> Any:
            return tf.add_n([regularizer(drawn, values_range) for regularizer in self.regularizers])

        starts = {
            True: lambda draws, side: photograph_canvas.shifts(side),
            False: lambda draws, side: canvas.start(draws, self.seed, size, channels),
        }
        renders = {
            True: lambda shift, side: photograph_canvas.render_shifted(shift, side, size, values_range),
            False: lambda parameters, side: canvas.render(parameters, size, values_range),
        }
        default = canvas.default_optimizer if photograph is None else photograph_canvas.default_optimizer
        return Ascent(
            steps=self.steps,
            views=self.crops,
            optimizer=self.optimizer or default(),
            start=starts[photograph is not None],
            render=renders[photograph is not None],
            view=self._views(values_range),
            value=value,
            beside=(lambda side: side["photograph"]) if near else None,
            penalty=penalty if self.regularizers else None,
            stages=tuple(number * self.steps // self.stages for number in range(self.stages)),
        )

    def _schedules(self) -> tuple[np.ndarray, np.ndarray]:
        name = type(self).__name__
        return (
            as_steps(self.crop_size, self.steps, name, "crop_size", SMALLEST_CROP, 1.0),
            as_steps(self.noise, self.steps, name, "noise", 0.0, 1e3),
        )

    def _views(self, values_range: tuple[float, float]) -> Views:
        crop_size, noise = self._schedules()
        return Views(
            size=self._pictures.shape[:2],
            count=self.crops,
            crop_size=crop_size,
            noise=noise * (values_range[1] - values_range[0]),
            crop_spread=self.crop_spread,
            centre_spread=self.centre_spread,
            seed=self.seed,
            channels_first=self.access.channels_first,
        )

    def _settings(self, ascent: Ascent) -> dict[str, Any]:
        # That of the canvas, too, where none is chosen: it may be another in another version. Keras numbers the names
        # of the optimizers that a process makes, so the kind is told by its class.
        options = {**ascent.optimizer.get_config(), "name": type(ascent.optimizer).__name__}
        return {**settings_of(self), "optimizer": described(options)}

    def _fingerprint(self, targets: Packed, side: Any, ascent: Ascent) -> dict[str, Any]:
        photographs = described(side["photograph"]) if side else None
        given = {"slots": described(targets.slots), "targets": described(targets.numbers), "photographs": photographs}
        settings = self._settings(ascent)
        return {"method": type(self).__name__, "model": model_digest(self.model), "settings": settings, **given}

    def _title(self, objective: Objective) -> str:
        term = objective.terms[0]
        named = self.class_names is not None and len(objective.terms) == 1 and term.layer is None
        return str(self.class_names[term.direction]) if named and isinstance(term.direction, int) else objective.name  # pyright: ignore[reportOptionalSubscript]
