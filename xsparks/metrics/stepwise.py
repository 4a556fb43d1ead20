"""What Deletion, Insertion and LeRFMinusMoRF share: pixels change in the order of a map, and the score is followed."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.layout import Layout
from ..engine import MapMetric, Measurement, Plan, queries, reducers
from ..perturbations import as_filling, importance_ranks


@dataclass(frozen=True, eq=False, kw_only=True)
class Stepwise(MapMetric, abc.ABC):
    """The score along a path on which pixels change in the order of a map.

    Parameters
    ----------
    steps : how many steps the path has; each sample costs `steps + 1` forwards.
    max_fraction : the path ends when this fraction of the pixels is changed, in (0, 1].
    baseline : what a pixel is before it is inserted or after it is deleted: `"zero"`, `"mean"`, `"blur"`, `"noise"`,
        a number, an array, or a function of inputs; or `"imputed"` from its neighbours, for each step anew, as ROAD has
        it: see `xsparks.perturbations.NoisyLinear`.
    """

    steps: int = 20
    max_fraction: float = 1.0
    baseline: Any = "zero"

    def check(self) -> None:
        """Checks the options."""
        self._check_path()

    def _check_path(self) -> None:
        name = type(self).__name__
        check_integer(name, "steps", self.steps, 1, "Use 20.")
        check_number(name, "max_fraction", self.max_fraction, 1e-6, 1.0, "Use 1 for the whole path.")

    def path(self, layout: Layout, inserts: bool) -> Measurement:
        """The score at each step of a path, `(m, steps + 1)`.

        It leads from the image to the baseline, or from the baseline to the image where it `inserts`; the pixels that
        the map puts first change first.
        """
        places = int(np.prod(layout.spatial))
        changed = np.round(np.linspace(0, self.max_fraction, self.steps + 1) * places).astype(np.int32)
        filling = as_filling(self.baseline, layout, self.seed, self.access.input_range, type(self).__name__)

        def prepare(inputs: Any, maps: Any) -> Any:
            return importance_ranks(maps, self.seed), filling.prepare(inputs)

        def draw(inputs: Any, side: Any, index: Any) -> tuple[Any, Any]:
            ranks, reference = side
            number = tf.gather(changed, index)[:, None]
            hidden = ranks >= number if inserts else ranks < number
            hidden = layout.spread(tf.reshape(hidden, (-1, *layout.spatial)))
            return filling.fill(inputs, hidden, reference, index), ()

        plan = Plan(
            count=self.steps + 1,
            query=queries.score if self.score == "logit" else queries.probability,
            prepare=prepare,
            draw=draw,
            start=reducers.table(self.steps + 1),
            fold=reducers.collect,
            finish=reducers.as_is,
        )
        options = (self.steps, self.max_fraction, self.baseline, self.score, self.seed)
        return Measurement(("insertion path" if inserts else "deletion path", *options), plan)

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The area under the curve over the fraction of pixels, divided by the length of the path."""
        curve = np.asarray(values, dtype=np.float64)
        fractions = np.linspace(0, self.max_fraction, self.steps + 1)
        area = np.asarray(np.trapezoid(curve, fractions, axis=1))
        return area / self.max_fraction, (fractions, curve)
