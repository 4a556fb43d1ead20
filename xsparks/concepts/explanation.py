"""Maps of concepts, with how much each concept counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import Explanation
from ..engine.score import bootstrap_interval

# Of the importance of all concepts, below which one is not drawn unless it is asked for.
_SHOWN = 0.01


@dataclass(frozen=True, eq=False)
class ConceptExplanation(Explanation):
    """Which concepts does the model see in each input, where, and how much does each count?

    An `Explanation` whose maps have one channel a concept, `(n, h, w, r)`. Slices keep everything, and the importances
    over all inputs are those of the slice.

    Parameters
    ----------
    values, size, targets, scores, digests, method, estimand, settings, versions, class_names : of `Explanation`.
    extras : of `CRAFT`: `.coefficients (n, r)`, the mean of each map; `.importances (n, r)`;
        `.importance_intervals (n, r, 2)`; `.contributions (n, r)` where the head is affine.

    Example
    -------
    >>> found = ConceptExplanation(np.ones((3, 2, 2, 2), "float32"),
    ...                            extras={"importances": np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])})
    >>> found.global_importances.round(2).tolist(), found[:1].global_importances.tolist()
    ([0.8, 0.2], [0.9, 0.1])
    """

    @property
    def concepts(self) -> int:
        """How many concepts there are."""
        return self.values.shape[-1]

    @property
    def global_importances(self) -> np.ndarray:
        """The mean importance of each concept over all inputs, `(r,)`."""
        return self.extras["importances"].mean(axis=0)

    @property
    def global_intervals(self) -> np.ndarray:
        """The 95 % interval of each over inputs, by the bootstrap, `(r, 2)`."""
        seed = int(self.settings.get("seed", 0))
        return np.array([bootstrap_interval(column, seed) for column in self.extras["importances"].T])

    @property
    def ranking(self) -> np.ndarray:
        """Concepts by falling mean importance, `(r,)`."""
        return np.argsort(-self.global_importances, kind="stable")

    def plot(self, images: Any = None, **options: Any) -> Any:
        """The most important concepts over the images, one colour each; returns `(figure, axes)`.

        Parameters
        ----------
        images : the inputs as they were handed over, or None for the maps alone.
        options : those of `xsparks.plots.plot_concepts`.
        """
        from ..plots import plot_concepts

        options.setdefault("titles", self.titles())
        shown = [number for number in self.ranking[:5] if self.global_importances[number] >= _SHOWN]
        options.setdefault("concepts", shown or self.ranking[:1])
        return plot_concepts(self.maps, images, **options)

    def plot_importances(self, **options: Any) -> Any:
        """The mean importance of each concept with its interval over inputs; returns `(figure, axes)`.

        Parameters
        ----------
        options : those of `xsparks.plots.plot_intervals`.
        """
        from ..plots import plot_intervals

        order = self.ranking
        options.setdefault("xlabel", "total Sobol index")
        names = [f"concept {number}" for number in order]
        return plot_intervals(names, self.global_importances[order], self.global_intervals[order], **options)
