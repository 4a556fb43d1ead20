"""What AverageDrop, AverageIncrease and AverageGain share: the score of an image, and of what a map shows of it."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.layout import Layout
from ..engine import MapMetric, Measurement, Plan, queries, reducers
from ..perturbations import as_baseline


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedScore(MapMetric, abc.ABC):
    """The score `Y` of a sample, and the score `O` of the sample behind its map.

    The map is a mask: brought to [0, 1] by its smallest and its largest value, and multiplied with the sample. The mask
    of a constant map is 0 everywhere: it points nowhere, so that nothing is shown. Signed maps are masks too, so that
    their most negative pixel is the one that is hidden.

    Parameters
    ----------
    baseline : what is where the mask is 0: `"zero"`, `"mean"`, `"blur"`, `"noise"`, a number, an array, or a function
        of inputs.
    """

    baseline: Any = "zero"

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The score of the sample, which serves every method, and that of the sample behind its map."""
        query = queries.score if self.score == "logit" else queries.probability
        baseline = as_baseline(self.baseline, layout, self.seed, self.access.input_range, type(self).__name__)

        def masked(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            mask, reference = side
            mask = layout.spread(mask)
            return mask * inputs + (1 - mask) * reference, ()

        plain = Plan(
            count=1,
            query=query,
            draw=lambda inputs, side, index: (inputs, ()),
            start=reducers.table(1),
            fold=reducers.collect,
            finish=reducers.as_is,
        )
        behind = Plan(
            count=1,
            query=query,
            prepare=lambda inputs, maps: (_from_zero_to_one(maps), baseline(inputs)),
            draw=masked,
            start=reducers.table(1),
            fold=reducers.collect,
            finish=reducers.as_is,
        )
        return (
            Measurement(("score", self.score), plain, of_maps=False),
            Measurement(("score behind the map", self.baseline, self.score, self.seed), behind),
        )

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        """The value of each sample, `(m,)`."""
        whole, shown = (np.asarray(answer, dtype=np.float64)[:, 0] for answer in answers)
        return self.compared(whole, shown)

    @abc.abstractmethod
    def compared(self, whole: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """From the scores `Y (m,)` of the samples and `O (m,)` of what is shown of them to the values `(m,)`."""


def _from_zero_to_one(maps: Any) -> Any:
    axes = list(range(1, len(maps.shape)))
    low, high = (reduce(maps, axis=axes, keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.math.divide_no_nan(maps - low, high - low)
