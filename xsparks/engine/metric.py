"""The interface of the metrics that measure maps."""

from __future__ import annotations

import abc
import inspect
import reprlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..core.digests import digests
from ..core.errors import wording
from ..core.inputs import Reader, Samples, leaves
from ..core.layout import Layout
from ..core.progress import progress_bar
from .enlarging import at_size
from .explainer import Explainer
from .explanation import Explanation
from .plan import Plan
from .record import settings_of, versions
from .schedule import group_size
from .score import Score
from .session import OnModel, Stages

_FOUND: list[type[Metric]] = []


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric(OnModel, abc.ABC):
    """A measure of maps on the inputs that they explain.

    Parameters
    ----------
    inputs, targets : as for `explain`; read once in each `evaluate`.
    score : `"probability"` (as published tables do; a plain callable's values are taken as they are) or `"logit"`.
    """

    inputs: Any = field(kw_only=False)
    targets: Any = field(default=None, kw_only=False)
    score: str = "probability"

    better: ClassVar[str]
    axes: ClassVar[tuple[str, str]] = ("", "")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _FOUND.append(cls)

    def __post_init__(self) -> None:
        check_choice(type(self).__name__, "score", self.score, ("probability", "logit"))
        super().__post_init__()

    @abc.abstractmethod
    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The measurement; its side information is the maps `(m, h, w)`, its answer a tree `(m, ...)`."""

    @abc.abstractmethod
    def summarise(self, answer: Any) -> tuple[np.ndarray, Any]:
        """The value of each sample `(n,)`, and the curve `(x, per_sample)` or None."""

    @final
    def evaluate(self, maps: Any) -> Score:
        """How good are these maps, or the maps of this explainer?

        Parameters
        ----------
        maps : an `Explanation` of the same inputs in any order, an array `(n, h, w)` or `(n, h, w, c)` in the order of
            the inputs (channels are averaged), or an `Explainer`, which then explains each group just before it is
            measured.

        Returns
        -------
        score : a `Score`.

        Raises
        ------
        ValueError : maps of other inputs, of another size, too few, or not finite.
        """
        name = type(self).__name__
        reader = Reader(self.inputs, self.targets, self._sample_rank(self.inputs), name)
        first = self._checked(reader.peek())
        self.access.ensure_ready(first)
        source = _MapSource(maps, name, reader.count)
        answers = []
        with progress_bar(None, name, self.progress) as bar:
            forwards = self._forwards(first)
            while (samples := reader.read(group_size(forwards, self.engine.batch_size))) is not None:
                answers.append(self._measure(samples, source, bar))
        source.check_all_used()
        answer = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *answers)
        per_sample, curve = self.summarise(answer)
        return Score.from_samples(
            per_sample,
            self.better,
            name,
            self.seed,
            curve=curve,
            method=source.method,
            axes=self.axes,
            settings=settings_of(self),
            versions=versions(),
        )

    def __call__(self, maps: Any) -> Score:
        """The same as `evaluate`."""
        return self.evaluate(maps)

    def _forwards(self, inputs: Any) -> int:
        plan = self._plan_for(inputs)
        return plan.count if isinstance(plan, Plan) and isinstance(plan.count, int) else 1

    def _measure(self, samples: Samples, source: _MapSource, bar: Any) -> Any:
        inputs = self._checked(samples.inputs, samples.start)
        targets, _ = self._answered(inputs, samples.targets, samples.start)
        plan = self._plan_for(inputs)
        layout = self.access.layout(self.engine.explained(inputs).shape[1:])
        maps = source.maps_of(samples, targets, layout)
        answer = self.engine.run(plan, inputs, targets, side=maps, progress=bar.update)
        return tf.nest.map_structure(np.asarray, answer)


class _MapSource:
    """The maps of a group of samples, wherever they come from."""

    def __init__(self, maps: Any, where: str, count: int | None):
        self._where = where
        self._explainer = maps if isinstance(maps, Explainer) else None
        self._position = 0
        self.method = type(maps).__name__ if self._explainer is not None else getattr(maps, "method", "")
        self._by_digest: dict[int, list[int]] | None = None
        if self._explainer is not None:
            return
        self._maps = maps if isinstance(maps, Explanation) else self._as_array(maps)
        if count is not None and len(self._maps) != count:
            self._refuse(f"one map for each of the {count} inputs", f"{len(self._maps)} maps")
        if isinstance(maps, Explanation) and maps.digests is not None:
            self._by_digest = {}
            for position, mark in enumerate(maps.digests.tolist()):
                self._by_digest.setdefault(mark, []).append(position)

    def _as_array(self, maps: Any) -> np.ndarray:
        try:
            array = np.asarray(maps, dtype=np.float32)
        except (TypeError, ValueError):
            array = np.zeros(())
        if array.ndim < 2:
            raise TypeError(
                wording(
                    f"{self._where}.evaluate",
                    expected="`maps` must be an Explanation, an Explainer or an array (n, h, w)",
                    received=f"{type(maps).__name__} {reprlib.repr(maps)}",
                    remedy="Load a saved one with Explanation.load(path).",
                )
            )
        return array

    def maps_of(self, samples: Samples, targets: np.ndarray, layout: Layout) -> np.ndarray:
        """Maps `(m, h, w)` of these samples."""
        if self._explainer is not None:
            maps: Any = self._explainer.explain(samples.inputs, targets).maps
        else:
            maps = self._stored(samples)
        maps = np.asarray(maps, dtype=np.float32)
        if maps.ndim == len(layout.spatial) + 2:
            maps = maps.mean(axis=-1)
        if layout.kind == "series" and maps.shape[1:] in (layout.spatial[:1], (layout.spatial[0], 1)):
            # A map that knows steps alone.
            maps = np.repeat(maps.reshape(len(maps), -1, 1), layout.spatial[1], axis=2)
        if layout.is_image and maps.ndim == 3 and maps.shape[1:] != layout.spatial:
            smaller = all(have <= want for have, want in zip(maps.shape[1:], layout.spatial, strict=True))
            if not smaller:
                self._refuse(f"maps of size {layout.spatial} or a coarser grid", f"size {maps.shape[1:]}")
            maps = at_size(maps[..., None], layout.spatial)[..., 0]
        if maps.shape[1:] != layout.spatial:
            self._refuse(f"maps of shape (n, {', '.join(map(str, layout.spatial))})", f"shape {maps.shape}")
        if not np.isfinite(maps).all():
            self._refuse("finite maps", "NaN or infinity")
        return np.ascontiguousarray(maps, dtype=np.float32)

    def _stored(self, samples: Samples) -> np.ndarray:
        start = self._position
        self._position += len(samples)
        if self._by_digest is None:
            chosen: Any = list(range(start, self._position))
            if self._position > len(self._maps):
                self._refuse(f"one map for each of at least {self._position} inputs", f"{len(self._maps)} maps")
        else:
            chosen = [self._position_of(mark) for mark in digests(leaves(samples.inputs)).tolist()]
        maps = self._maps[chosen]
        return maps.maps if isinstance(maps, Explanation) else maps

    def _position_of(self, mark: int) -> int:
        waiting = (self._by_digest or {}).get(mark, [])
        if not waiting:
            self._refuse("maps of the inputs of this metric", "an input that was not explained")
        return waiting.pop(0)

    def check_all_used(self) -> None:
        """Refuses maps that belong to no input."""
        if self._explainer is None and self._position != len(self._maps):
            self._refuse(f"one map for each of the {self._position} inputs", f"{len(self._maps)} maps")

    def _refuse(self, expected: str, received: str) -> None:
        raise ValueError(
            wording(
                f"{self._where}.evaluate",
                expected=f"`maps` must be {expected}",
                received=received,
                remedy="Pass the explanation of the same inputs, or the explainer itself.",
            )
        )


def metric_classes() -> list[type[Metric]]:
    """Every concrete metric that is loaded."""
    return [cls for cls in _FOUND if not inspect.isabstract(cls) and cls.__module__.startswith("xsparks.")]
