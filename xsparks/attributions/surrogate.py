"""What the methods share that fit a linear model to the score with parts of the sample taken away."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Explainer, Items, Plan, queries, reducers
from ..engine.session import Stages
from ..numerics.least_squares import rows_of, weighted_sums
from ..perturbations import as_perturbation
from ..perturbations.segment_masks import SegmentMasks, SharedVariants, Variants, VariantsOfEach
from ..perturbations.segments import HostSteps, Segments, as_segments


@dataclass(frozen=True, eq=False, kw_only=True)
class SurrogateExplainer(Explainer, abc.ABC):
    """A method whose map is the coefficients of a linear model of the score, one for each segment of the sample.

    Two stages: the score of the whole sample and, where a method needs it, of the empty one; then the variants of the
    design, of which only the sums of a least-squares fit are kept.

    Parameters
    ----------
    samples : variants that are drawn.
    segments : what is kept or taken away together: None for the cells of a grid, integers over the places `(h, w)`,
        or a function from one image, a NumPy array `(h, w, c)`, to such integers.
    grid_size : cells along each side of an image, `(rows, columns)`, or windows of time of a series.
    max_segments : how many segments a function may find.
    perturbation : what a mask does to a sample: a name, an instance such as `Inpainting(baseline="mean")`, or a
        function.
    """

    samples: int = 1000
    segments: Any = None
    grid_size: int | tuple[int, ...] = 7
    max_segments: int = 256
    perturbation: Any = "inpainting"

    # The masks of the first stage: 1 keeps everything, 0 nothing. The last is the origin of the scores.
    anchors: ClassVar[tuple[float, ...]] = (1.0,)

    @abc.abstractmethod
    def design(self, segments: int) -> SegmentMasks:
        """The variants of a sample of so many segments, drawn by the seed alone."""

    @abc.abstractmethod
    def solved(self, sums: Any, scores: Any, present: Any) -> dict[str, Any]:
        """`"coefficients" (m, d)` and extras of the method.

        Parameters
        ----------
        sums : `(m, d + 2, d + 2)`, of the variants and the whole sample, of scores less that of the last anchor.
        scores : `(m, anchors)`.
        present : `(m, d)`, 0 for segments that a sample does not have.
        """

    @property
    def drawn(self) -> int:
        """Variants of the design, at most."""
        return self.samples

    @property
    def traceable(self) -> bool:
        """Whether the method runs within a graph; not where a function finds the segments on the host."""
        return not callable(self.segments)

    def check(self) -> None:
        """Checks the options that all these methods have."""
        name = type(self).__name__
        check_integer(name, "samples", self.samples, 2, "Use 1000.")
        check_integer(name, "max_segments", self.max_segments, 1, "Use 256.")
        for size in self.grid_size if isinstance(self.grid_size, Sequence) else (self.grid_size,):
            check_integer(name, "grid_size", size, 1, "Use 7 for images of 224 pixels.")
        as_perturbation(self.perturbation, name)
        if self.jit_compile and callable(self.segments):
            raise ValueError(
                wording(
                    f"{name}(jit_compile=True)",
                    expected="`segments` must be None or an array, because XLA takes no step on the host",
                    received="a function",
                    remedy="Pass jit_compile=False.",
                )
            )

    @cached_property
    def _host(self) -> HostSteps:
        return HostSteps()

    def _explain_group(self, *group: Any) -> Any:
        try:
            return super()._explain_group(*group)
        except tf.errors.OpError:
            error = self._host.taken()
            if error is None:
                raise
        # What the step on the host raised, instead of TensorFlow's account of it.
        raise error

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The whole and the empty sample, then the variants."""
        name = type(self).__name__
        segments = as_segments(self.segments, self.grid_size, self.max_segments, layout, self._host, name)
        perturbation = as_perturbation(self.perturbation, name)
        anchors = np.array(self.anchors, np.float32)

        def prepare(inputs: Any, side: Any) -> Any:
            reference = perturbation.reference(inputs, layout, self.seed, self.access.input_range)
            return {"reference": reference, "found": segments.prepare(inputs)}

        def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            kept = tf.gather(anchors, index)[:, None] + tf.zeros((1, segments.most))
            return perturbation(inputs, segments.mask(kept, side["found"]), side["reference"]), ()

        first = Plan(
            count=len(self.anchors),
            query=queries.score,
            prepare=prepare,
            draw=draw,
            start=reducers.table(len(self.anchors)),
            fold=reducers.collect,
            finish=lambda state, inputs, side: {**side, "scores": state},
        )
        return first, self._fit(segments, perturbation)

    def _fit(self, segments: Segments, perturbation: Any) -> Plan:
        variants: Variants = (
            VariantsOfEach(self.design, segments.most, self._host)
            if callable(self.segments)
            else SharedVariants(self.design, segments.most)
        )

        def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            kept, weight = variants.rows(side, index)
            shown = perturbation(inputs, segments.mask(kept, side["found"]), side["reference"])
            return shown, {"kept": kept, "weight": weight, "origin": side["scores"][:, -1]}

        def start(inputs: Any, side: Any) -> Any:
            # The whole sample is a variant, too, of weight 1.
            whole = rows_of(variants.present(side), side["scores"][:, 0] - side["scores"][:, -1])
            return whole[:, :, None] * whole[:, None, :]

        def fold(state: Any, items: Items, drawn: Any, values: Any) -> Any:
            row = rows_of(drawn["kept"], values - drawn["origin"])
            weight = drawn["weight"] * tf.cast(items.weight, tf.float64)
            return state + weighted_sums(row, weight, items.sample, tf.shape(state)[0])

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            answer = self.solved(state, side["scores"], variants.present(side))
            answer = {name: tf.cast(value, tf.float32) for name, value in answer.items()}
            answer["maps"] = segments.maps(answer["coefficients"], side["found"])
            return {**answer, "labels": side["found"]["labels"]} if callable(self.segments) else answer

        return Plan(
            count=variants.count,
            most=self.drawn,
            query=queries.score,
            prepare=lambda inputs, side: variants.prepare(side),
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
        )
