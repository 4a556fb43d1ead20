"""How fitted concepts are asked about new images: their coefficients, then their importances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from ..core.digests import digests
from ..core.errors import ModelError, wording
from ..core.inputs import Reader, leaves
from ..engine import Engine, Score
from ..engine.record import settings_of, versions
from ..engine.rows import as_tensors
from ..engine.schedule import group_size
from ..models.access import ModelAccess
from ..models.operators import OPERATORS, resolve_targets
from ..numerics.sobol_designs import make_design
from .explanation import ConceptExplanation
from .gathering import answer_shapes
from .head import ConceptHead, reads_means
from .importance import affine_plan, coefficient_plan, sobol_plan

if TYPE_CHECKING:
    from .craft import CRAFT

# The coefficients of some inputs, and the targets.
Seen = tuple[np.ndarray, np.ndarray]

# Inputs that tell whether the head reads means, and how many times more of those are shown at once than images.
_TRIED, _MEANS_AT_ONCE = 4, 8

_ESTIMANDS = {
    True: "total Sobol index of a concept in the affine head, its squared contribution over their sum",
    False: "total Sobol index of the strength of a concept, E[Var(f | all others)] / Var f",
}


class _Questions:
    """What is compiled for one set of concepts, and the questions that are asked with it."""

    def __init__(self, craft: CRAFT):
        self._craft = craft
        self._learned = craft.learned_
        self.affine = self._learned.affine and craft.importance != "sobol"
        self._plans: dict[tuple[int, ...], Any] = {}
        self._of_means: bool | None = None

    @cached_property
    def head(self) -> ConceptHead:
        """The model as a function of coefficients."""
        return ConceptHead(self._craft.access, self._learned.layer, self._learned.dictionary)

    @cached_property
    def _head_engine(self) -> Engine:
        craft = self._craft
        access = ModelAccess(self.head, where=type(craft).__name__)
        # One place is small beside what the first half of a model holds of an image.
        size = craft.engine.batch_size * _MEANS_AT_ONCE if self._of_means else craft.batch_size
        return Engine(access, craft.engine.operator, size, None, craft.jit_compile)

    @cached_property
    def _weighing(self) -> Any:
        craft = self._craft
        number = len(self._learned.dictionary)
        if self.affine:
            return affine_plan(number)
        return sobol_plan(make_design(craft.design, craft.nb_design, number, craft.seed), craft.blocks)

    def _weighed(self, maps: Any, targets: np.ndarray) -> Any:
        """The importances of concepts with these coefficients, and nothing of the model before the layer."""
        if self._of_means is None:
            some = self._learned.dictionary.decode(tf.cast(maps[:_TRIED], tf.float32))
            self._of_means = reads_means(self._craft.engine, self._learned.layer, some, targets[:_TRIED])
        if self._of_means:
            maps = tf.reduce_mean(maps, axis=list(range(1, len(maps.shape) - 1)), keepdims=True)
        self._head_engine.access.ensure_ready(maps)
        return self._head_engine.run(self._weighing, maps, targets)

    def explained(self, inputs: Any, targets: Any, start: int) -> ConceptExplanation:
        """The concepts of a group of inputs."""
        craft = self._craft
        marks = digests(leaves(inputs))
        inputs = as_tensors(craft._checked(inputs, start))
        targets = self._resolved(inputs, targets, start)
        answer = dict(craft.engine.run(self._coefficients(inputs), inputs, targets))
        if not self.affine:
            answer |= self._weighed(answer["maps"], targets)
        found = {name: np.asarray(value) for name, value in answer.items()}
        maps, scores = found.pop("maps"), found.pop("score")
        self._check_finite(maps, scores, found["importances"])
        return ConceptExplanation(
            values=maps,
            size=craft.access.layout(craft.engine.explained(inputs).shape[1:]).spatial,
            targets=targets,
            scores=scores,
            digests=marks,
            method=type(craft).__name__,
            estimand=_ESTIMANDS[self.affine],
            settings={**settings_of(craft), "layer": self._learned.layer, "class_id": self._learned.class_id},
            versions=versions(),
            extras=found,
            class_names=craft.class_names,
        )

    def own(self, seen: Iterable[Seen]) -> np.ndarray:
        """The importance of each concept `(n, r)` as `explain` has it."""
        return np.concatenate([np.asarray(self._weighed(maps, aims)["importances"]) for maps, aims in seen])

    def attributed(self, seen: Iterable[Seen], explainer: Callable[..., Any]) -> np.ndarray:
        """The importance of each concept `(n, r)` by an attribution method."""
        craft = self._craft
        method = explainer(self.head).replace(explain_input=0, operator=craft.operator, batch_size=craft.batch_size)
        return np.concatenate([method.explain(_strengths(maps), aims).values for maps, aims in seen])

    def metric(self, seen: Iterable[Seen], metric: Callable[..., Any]) -> Callable[[Any], Score]:
        """A metric of maps of these inputs, as a function from importances `(n, r)` to their score."""
        craft, name = self._craft, f"{type(self._craft).__name__}.evaluate"
        maps, aims = (np.concatenate(some) for some in zip(*seen, strict=True))
        own: dict[str, Any] = {"explain_input": 0, "operator": craft.operator, "batch_size": craft.batch_size}
        own |= {"seed": craft.seed, "progress": craft.progress}
        if isinstance(metric, type) and "steps" in getattr(metric, "__dataclass_fields__", ()):
            # One concept after the other.
            own["steps"] = maps.shape[-1]
        made, shape = metric(self.head, _strengths(maps), aims, **own), (len(maps), maps.shape[-1])

        def score(importances: Any) -> Score:
            importances = np.asarray(importances)
            if importances.shape != shape:
                raise ValueError(
                    wording(
                        name,
                        expected=f"`importances` must have shape {shape}, one for each concept",
                        received=importances.shape,
                        remedy="Pass found.importances of these inputs, or craft.importances(inputs, explainer=...).",
                    )
                )
            return made.evaluate(importances)

        return score

    def seen(self, inputs: Any, targets: Any, where: str) -> Iterator[Seen]:
        """The coefficients `(m, ..., r)` and the targets of each group of inputs."""
        if isinstance(inputs, ConceptExplanation):
            yield from self._known(inputs, targets, where)
            return
        craft = self._craft
        reader = Reader(inputs, targets, craft._sample_rank(inputs), where)
        craft.access.ensure_ready(craft._checked(reader.peek()))
        while (samples := reader.read(group_size(1, craft.engine.batch_size))) is not None:
            own = samples.targets if samples.targets is not None else np.full(len(samples), self._learned.class_id)
            some = as_tensors(craft._checked(samples.inputs, samples.start))
            aims = self._resolved(some, own, samples.start)
            yield np.asarray(craft.engine.run(self._coefficients(some), some, aims)["maps"]), aims

    def _known(self, found: ConceptExplanation, targets: Any, where: str) -> Iterator[Seen]:
        """The same of inputs that `explain` has seen already."""
        maps, learned = found.values, self._learned
        own = {"layer": learned.layer, "class_id": learned.class_id, "concepts": len(learned.dictionary)}
        given = {name: found.settings.get(name) for name in ("layer", "class_id")} | {"concepts": found.concepts}
        if given != own:
            raise ValueError(
                wording(
                    where,
                    expected="what `explain` found must be of these concepts, " + _listed(own),
                    received=_listed(given),
                    remedy="Pass what craft.explain(inputs) answered after the last fit, or the inputs.",
                )
            )
        operator, size = self._craft.engine.operator, self._craft.engine.batch_size
        reader = Reader(maps, found.targets if targets is None else targets, maps.ndim - 1, where)
        while (samples := reader.read(group_size(1, size))) is not None:
            some, aims = np.asarray(samples.inputs), samples.targets
            if targets is not None:
                outputs = tf.nest.map_structure(np.asarray, self._answers.predict(some))
                aims = resolve_targets(aims, outputs, operator, where, samples.start)
            yield some, np.asarray(aims)

    @cached_property
    def _answers(self) -> Engine:
        """What the head answers to coefficients at all places."""
        return Engine(ModelAccess(self.head, where=type(self._craft).__name__), None, self._craft.batch_size)

    def _coefficients(self, inputs: Any) -> Any:
        """The plan for inputs like these; the same object each time, so that it is compiled once."""
        craft, learned = self._craft, self._learned
        shape = tuple(int(size) for size in craft.engine.explained(inputs).shape[1:])
        if shape not in self._plans:
            places = answer_shapes(craft, [learned.layer], _first(inputs))[0][:-1]
            self._plans[shape] = coefficient_plan(learned.layer, learned.dictionary, places, self.affine)
        return self._plans[shape]

    def _resolved(self, inputs: Any, targets: Any, start: int) -> np.ndarray:
        craft, where = self._craft, f"{type(self._craft).__name__}.explain"
        outputs = craft.engine.output_spec(inputs)
        shape: Any = tuple(getattr(outputs, "shape", ()))
        if craft.engine.operator in (OPERATORS["classification"], OPERATORS["regression"]) and len(shape) == 2:
            # The number of outputs is enough to read the targets.
            nothing = np.zeros((len(targets), shape[1]), np.float32)
            return resolve_targets(targets, nothing, craft.engine.operator, where, start)
        return craft._answered(inputs, targets, start)[0]

    def _check_finite(self, *arrays: np.ndarray) -> None:
        if all(np.isfinite(array).all() for array in arrays):
            return
        raise ModelError(
            wording(
                type(self._craft).__name__,
                expected="maps, scores and importances must be finite",
                received="NaN or infinity",
                remedy="Look at `preprocess` and at the weights.",
            )
        )


def questions_for(craft: CRAFT) -> _Questions:
    """What is compiled for the concepts that were fitted last."""
    return _Questions(craft)


def _strengths(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inputs of a `ConceptHead`: every concept as strong as it is, and the coefficients."""
    return np.ones((len(maps), maps.shape[-1]), np.float32), maps


def _listed(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _first(inputs: Any) -> Any:
    return tf.nest.map_structure(lambda leaf: np.asarray(leaf[:1]), inputs)
