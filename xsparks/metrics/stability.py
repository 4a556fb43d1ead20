"""What AverageStability and MaxSensitivity share: how far the maps of neighbours of an image are from its own."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import wording
from ..core.inputs import leaves, map_leaves
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Change, Explainer, ExplainerMetric, Group
from ..models.access import Notice
from ..numerics.map_similarity import map_similarities

DISTANCES = ("l2", "l1", "spearman")
# What the draws are for, so that no other draw of the same seed is the same.
_SHARED, _OWN = 17, 18


@dataclass(frozen=True, eq=False, kw_only=True)
class Stability(ExplainerMetric, abc.ABC):
    """The distances between the map of an image and those of its neighbours `x + d`.

    Parameters
    ----------
    neighbours : how many of each sample are explained, `k`.
    radius : `r`, as a fraction of the input range (declared, else of each image), in (0, 1].
    noise : `"uniform"`, each value of `d` from `[-r, r]`, or `"normal"`, of standard deviation `r`.
    clip : bring neighbours back into the input range; if not, they may leave it a little.
    normalise : `"l2"`, each map divided by its Euclidean norm (a map of zeros stays as it is), or `"none"`.
    distance : `"l2"`, `"l1"`, `"spearman"` (1 less the correlation of ranks, in [0, 2]), or a function of two arrays
        of maps `(m, h, w)` with the answer `(m,)`.
    same_class : count only neighbours that the model gives the same class as the sample; it says nothing of models
        that do not answer with one row of classes, and then all count.
    ids : `(n,)` integers that name the samples, for noise of their own; None for the same noise for all samples, with
        which a value depends on its image alone.
    """

    neighbours: int = 20
    radius: float = 0.1
    noise: str = "uniform"
    clip: bool = False
    normalise: str = "l2"
    distance: str | Callable[[np.ndarray, np.ndarray], Any] = "l2"
    same_class: bool = True
    ids: Any = None

    better: ClassVar[str] = "lower"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "neighbours", self.neighbours, 1, "Use 20.")
        check_number(name, "radius", self.radius, 1e-9, 1.0, "Use .1, a fraction of the input range.")
        check_choice(name, "noise", self.noise, ("uniform", "normal"))
        check_choice(name, "normalise", self.normalise, ("l2", "none"))
        if not callable(self.distance):
            check_choice(name, "distance", self.distance, DISTANCES)
        if self.ids is not None:
            self._check_ids(np.asarray(self.ids))

    def _check_ids(self, ids: np.ndarray) -> None:
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
            raise ValueError(
                wording(
                    f"{type(self).__name__}(ids=...)",
                    expected="`ids` must be integers (n,) of at least 0",
                    received=f"{ids.dtype} of shape {ids.shape}" + (f", {ids.min()} among them" if ids.size else ""),
                    remedy="For example the numbers of the photographs in their collection.",
                )
            )

    def changes(self, explainer: Explainer, layout: Layout, outputs: Any) -> Sequence[Change]:
        """One neighbour of every sample after the other."""

        def neighbour(number: int) -> Callable[[Group], Any]:
            return lambda group: self._neighbours(group, number, layout)

        return [Change(f"neighbour {number}", inputs=neighbour(number)) for number in range(self.neighbours)]

    def _neighbours(self, group: Group, number: int, layout: Layout) -> Any:
        explained = self.engine.explained(group.inputs)
        low, high = self._range(explained)
        noise = self.radius * (high - low) * self._noise(group.positions, number, layout)
        moved = (explained + noise).astype(np.float32)
        moved = np.clip(moved, low, high) if self.clip else moved
        return map_leaves(lambda leaf: moved if leaf is explained else leaf, group.inputs)

    def _range(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The input range, declared or of each sample, `(m, 1, ...)`."""
        axes = tuple(range(1, inputs.ndim))
        low, high = inputs.min(axis=axes, keepdims=True), inputs.max(axis=axes, keepdims=True)
        declared = self.access.input_range
        return (low, high) if declared is None else (np.full_like(low, declared[0]), np.full_like(high, declared[1]))

    def _noise(self, positions: np.ndarray, number: int, layout: Layout) -> np.ndarray:
        """Noise of unit size, `(1, ...)` for all samples, or `(m, ...)` by their ids."""
        # The noise of a place does not depend on where the channel stands.
        shape = (*layout.spatial, layout.shape[0]) if layout.is_image and layout.channels_first else layout.shape

        def drawn(*index: int) -> np.ndarray:
            draw = generator(self.seed, *index)
            noise = draw.uniform(-1, 1, shape) if self.noise == "uniform" else draw.standard_normal(shape)
            return noise if shape == layout.shape else np.moveaxis(noise, -1, 0)

        if self.ids is None:
            return drawn(_SHARED, number)[None]
        ids = np.asarray(self.ids)
        if positions[-1] >= len(ids):
            raise ValueError(
                wording(
                    f"{type(self).__name__}(ids=...)",
                    expected="`ids` must have one entry for each of the inputs",
                    received=f"{len(ids)} for at least {positions[-1] + 1}",
                    remedy="Leave it out for the same noise for all samples.",
                )
            )
        return np.stack([drawn(_OWN, number, int(ids[position])) for position in positions])

    def same_values(self) -> str:
        """The distances are the same, however they are pooled."""
        return Stability.__name__

    def counts(self, group: Group, changed: Any) -> np.ndarray:
        """The neighbours that the model gives the class of their sample."""
        before, number = group.outputs, len(leaves(changed)[0])
        if not self.same_class or not hasattr(before, "shape") or before.ndim != 2 or before.shape[1] < 2:
            return np.ones(number, bool)
        after = np.asarray(self.engine.predict(changed))
        return np.tile(before.argmax(axis=1), number // len(before)) == after.argmax(axis=1)

    def compare(self, maps: np.ndarray, changed: np.ndarray, group: Group) -> np.ndarray:
        """How far the maps of the neighbours are from those of the samples, `(m,)`."""
        pair = (self._normalised(maps.astype(np.float64)), self._normalised(changed.astype(np.float64)))
        if self.distance == "spearman":
            return 1 - map_similarities(*pair)
        if not callable(self.distance):
            apart = (pair[0] - pair[1]).reshape(len(maps), -1)
            return np.linalg.norm(apart, ord=2 if self.distance == "l2" else 1, axis=1)
        answer = np.asarray(self.distance(*pair))
        if answer.shape == (len(maps),) and np.isfinite(answer).all():
            return answer
        raise ValueError(
            wording(
                f"{type(self).__name__}(distance=...)",
                expected=f"the function must answer with one finite number for each of the {len(maps)} pairs of maps",
                received=f"shape {answer.shape}" if answer.shape != (len(maps),) else "NaN or infinity",
                remedy="It gets two arrays (m, h, w) and answers with (m,).",
            )
        )

    def _normalised(self, maps: np.ndarray) -> np.ndarray:
        if self.normalise == "none":
            return maps
        lengths = np.linalg.norm(maps.reshape(len(maps), -1), axis=1).reshape(-1, *[1] * (maps.ndim - 1))
        return maps / np.where(lengths > 0, lengths, 1)

    @abc.abstractmethod
    def pooled(self, distances: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """From the distances `(n, k)` and which of them count `(n, k)`, at least one a sample, to `(n,)`."""

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """One value a sample, of the neighbours that count; of all of them where none does."""
        counted = values["counts"].astype(bool)
        alone = ~counted.any(axis=1)
        if alone.any():
            warnings.warn(
                f"`{type(self).__name__}`: no neighbour of {alone.sum()} of the {len(alone)} samples has the class of "
                "its sample, so all their neighbours count. Use a smaller radius; `score.counted` tells how many did.",
                Notice,
                stacklevel=3,
            )
        return self.pooled(values["compared"], counted | alone[:, None]), None

    def extras(self, values: Any) -> dict[str, Any]:
        """How many neighbours of each sample had its class, `counted` `(n,)`."""
        return {"counted": values["counts"].sum(axis=1)}
