"""The one interface of every attribution method."""

from __future__ import annotations

import abc
import inspect
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import tensorflow as tf

from ..core.digests import digests
from ..core.errors import ModelError, wording
from ..core.inputs import Reader, Samples, leaves
from ..core.layout import Layout
from ..core.progress import progress_bar
from ..models.access import Notice
from ..models.operators import OPERATORS, resolve_targets, symbolic_targets
from .enlarging import at_size
from .explanation import Explanation
from .needs import check_needs
from .record import model_digest, settings_of, versions
from .rows import as_tensors
from .schedule import group_size
from .session import OnModel, Stages, as_stages
from .shards import Shards

_FOUND: list[type[Explainer]] = []


class Cost(NamedTuple):
    """Passes through the model for one sample."""

    forwards: int
    backwards: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Explainer(OnModel, abc.ABC):
    """A method that says where a model looks.

    A subclass is one file: its options as fields, and `plan`, which must finish with a dict that has `"maps"`,
    `(m, g, g, 1)` or `(m, h, w, 1)` for images and `(m, t, f)` or `(m, f)` otherwise; every other entry `(m, ...)`
    becomes an extra of the `Explanation`.

    A class declares what it needs, which the table of methods prints and tests hold it to: `estimand`, what its
    numbers mean; `exempt`, laws that it cannot obey, each with the reason; `needs_gradients` and `needs_layers`,
    whether a model must have them; `deterministic`, whether the seed changes nothing; `kinds`, the samples that it
    takes; `filters`, whether it is built on an explainer instead of a model; `answers_score`, whether its answer has
    `"score"` `(m,)`, that of the inputs as they are, which then costs no forward of its own where targets are given.
    """

    estimand: ClassVar[str] = ""
    exempt: ClassVar[dict[str, str]] = {}
    needs_gradients: ClassVar[bool] = False
    needs_layers: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("image", "series", "table")
    filters: ClassVar[bool] = False
    answers_score: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _FOUND.append(cls)

    @abc.abstractmethod
    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The method itself, for samples of this layout and a model with outputs of this spec."""

    @property
    def traceable(self) -> bool:
        """Whether the method runs within a graph; not where a step of its own runs on the host."""
        return True

    def described_estimand(self) -> str:
        """What the maps estimate with these options, in words."""
        return self.estimand

    def decided(self) -> dict[str, Any]:
        """What the method decided where the options leave it open, such as the layer; stands in the settings."""
        return {}

    def remark(self, extras: dict[str, np.ndarray]) -> str | None:
        """What a user must be told of an answer, from its extras; it becomes a `Notice`."""
        return None

    def cost(self, sample_shape: tuple[int, ...], outputs: Any = None) -> Cost:
        """Forward and backward passes a sample, at most."""
        stages = as_stages(self.planned(self.access.layout(sample_shape), outputs))
        return Cost(sum(stage.variants for stage in stages), sum(stage.variants for stage in stages if stage.backward))

    def planned(self, layout: Layout, outputs: Any) -> Stages:
        """The plan, once samples and model are known to fit the method."""
        check_needs(self, layout)
        return self.plan(layout, outputs)

    @final
    def explain(self, inputs: Any, targets: Any = None, out: Any = None) -> Any:
        """The maps of these inputs.

        Parameters
        ----------
        inputs : `(n, h, w, c)`: a NumPy array, a tensor, a list of samples, a `tf.data.Dataset` (batched or not, with
            or without targets), uint8 or float; several inputs are a dict or a tuple.
        targets : None for the predicted class, one class id for all, ids `(n,)`, weights over the classes
            `(n, classes)`, or what the operator defines.
        out : a folder; each group of maps is written there, and a run that was stopped goes on from there.

        Returns
        -------
        explanation : an `Explanation` with maps `(n, h, w, 1)`; within a `tf.function` the tensor of the maps alone.

        Raises
        ------
        ValueError, TypeError : inputs or targets that do not fit the model, each with its remedy.
        ModelError : a model that the method cannot take.
        WriteError : `out` cannot be written; what was computed is kept.
        """
        if tf.inside_function():
            return self._explain_in_graph(inputs, targets)["attributions"]
        whole = Explanation.concatenate(list(self._parts(inputs, targets, out)))
        # Once for all samples, and not for each group.
        self._tell(whole)
        return whole

    def __call__(self, inputs: Any, targets: Any = None) -> Any:
        """The same as `explain`."""
        return self.explain(inputs, targets)

    @final
    def stream(self, inputs: Any, targets: Any = None, out: Any = None) -> Iterator[Explanation]:
        """One `Explanation` for each group of samples, as soon as it is known; the data set is read once."""
        for part in self._parts(inputs, targets, out):
            self._tell(part)
            yield part

    def _tell(self, found: Explanation) -> None:
        if (remark := self.remark(found.extras)) is not None:
            # The line of the caller of `explain`.
            warnings.warn(f"`{type(self).__name__}`: {remark}", Notice, stacklevel=3)

    def _parts(self, inputs: Any, targets: Any, out: Any) -> Iterator[Explanation]:
        name = type(self).__name__
        reader = Reader(inputs, targets, self._sample_rank(inputs), f"{name}.explain")
        explained = "given" if reader.has_targets else "predicted"
        shards = None if out is None else Shards(out, {**self._fingerprint(), "targets": explained})
        first = self._checked(reader.peek())
        self.access.ensure_ready(first)
        forwards = self._forwards_of(first)
        number = 0
        with progress_bar(None if reader.count is None else reader.count * forwards, name, self.progress) as bar:
            # The batch size may shrink on the way, and the groups with it, but not those of a resumable run.
            size = group_size(forwards, self.engine.batch_size if shards is None else 1)
            while (samples := reader.read(size)) is not None:
                yield self._explain_group(samples, shards, number, bar)
                number += 1

    def _forwards_of(self, inputs: Any) -> int:
        return sum(stage.variants for stage in as_stages(self._kept(inputs, self.planned)))

    def _explain_group(self, samples: Samples, shards: Any, number: int, bar: Any) -> Explanation:
        # Fingerprints are taken while the model runs.
        with ThreadPoolExecutor(max_workers=1) as beside:
            marks = beside.submit(digests, leaves(samples.inputs))
            if shards is not None:
                known = shards.finished(number, marks.result(), samples.targets)
                if known is not None:
                    bar.update(len(known) * self._forwards_of(samples.inputs))
                    return known
            part = replace(self._explained(samples, bar), digests=marks.result())
        if shards is not None:
            shards.write(number, part, samples.targets)
        return part

    def _explained(self, samples: Samples, bar: Any) -> Explanation:
        inputs = as_tensors(self._checked(samples.inputs, samples.start))
        targets, scores = self._known(inputs, samples)
        answer = self.engine.run(self._kept(inputs, self.planned), inputs, targets, progress=bar.update)
        answer = {name: np.asarray(value) for name, value in answer.items()}
        maps, own_scores = answer.pop("maps"), answer.pop("score", None)
        scores = own_scores if scores is None else scores
        if not np.isfinite(maps).all():
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="maps must be finite",
                    received="NaN or infinity",
                    remedy="The model answered so for a variant of the input: look at `preprocess` and the baseline.",
                )
            )
        return Explanation(
            values=maps,
            size=self.access.layout(self.engine.explained(inputs).shape[1:]).spatial,
            targets=targets,
            scores=scores,
            method=type(self).__name__,
            estimand=self.described_estimand(),
            settings={**settings_of(self), **self.decided()},
            versions=versions(),
            extras=answer,
            class_names=self.class_names,
        )

    def _known(self, inputs: Any, samples: Samples) -> tuple[np.ndarray, np.ndarray | None]:
        """The targets and the scores of some samples; None for scores that the plan itself will answer."""
        shape: Any = tuple(getattr(self.engine.output_spec(inputs), "shape", ()))
        # Outputs are looked at once, for probabilities that nobody recognised; later their number is enough.
        told = self.answers_score and self._looked and samples.targets is not None and len(shape) == 2
        if told and self.engine.operator in (OPERATORS["classification"], OPERATORS["regression"]):
            outputs = np.zeros((len(samples), shape[1]), np.float32)
            where = type(self).__name__
            return resolve_targets(samples.targets, outputs, self.engine.operator, where, samples.start), None
        answered = self._answered(inputs, samples.targets, samples.start)
        self._looked.append(True)
        return answered

    @cached_property
    def _looked(self) -> list[bool]:
        return []

    def _fingerprint(self) -> dict[str, Any]:
        return {"method": type(self).__name__, "model": model_digest(self.model), "settings": settings_of(self)}

    @tf.autograph.experimental.do_not_convert
    def _explain_in_graph(self, inputs: Any, targets: Any) -> dict[str, Any]:
        name = type(self).__name__
        if not self.traceable:
            raise ModelError(
                wording(
                    name,
                    expected="the method must run within a graph",
                    received="a step on the host",
                    remedy="Call explain outside of tf.function, or choose options without such a step.",
                )
            )
        inputs = tf.nest.map_structure(_as_float32, inputs)
        with tf.init_scope():
            self.access.ensure_ready(tf.nest.map_structure(_zeros, inputs))
        bound = self.engine.bind(inputs)
        explained = self.engine.explained(inputs)
        outputs = bound.forward(explained)
        targets = symbolic_targets(targets, outputs, self.engine.operator, name)
        layout = self.access.layout(tuple(explained.shape[1:]))
        if layout.shape not in self._plans:
            self._plans[layout.shape] = self.planned(layout, tf.nest.map_structure(_spec, outputs))
        answer = self.engine.run(self._plans[layout.shape], inputs, targets)
        maps = answer["maps"]
        if layout.is_image and tuple(maps.shape[1:3]) != layout.spatial:
            maps = at_size(maps, layout.spatial)
        return {"attributions": maps, "scores": self.engine.operator(bound.forward, explained, targets)}

    @final
    def as_function(self) -> Any:
        """A pure function `(inputs, targets) -> {"attributions", "scores"}` of tensors, to export with the model."""

        def explain(inputs: Any, targets: Any = None) -> dict[str, Any]:
            return self.engine.in_graph(self._explain_in_graph, inputs, targets)

        return explain


def explainer_classes() -> list[type[Explainer]]:
    """Every concrete explainer that is loaded."""
    return [cls for cls in _FOUND if not inspect.isabstract(cls) and cls.__module__.startswith("xsparks.")]


def _zeros(leaf: Any) -> np.ndarray:
    return np.zeros((1, *leaf.shape[1:]), leaf.dtype.as_numpy_dtype)


def _spec(leaf: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype)


def _as_float32(leaf: Any) -> Any:
    leaf = tf.convert_to_tensor(leaf)
    return tf.cast(leaf, tf.float32) if leaf.dtype.is_floating or leaf.dtype == tf.uint8 else leaf
