"""What EVA has to beat beside other methods: the picture alone, and a gradient on the same cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from xsparks.attributions import Saliency
from xsparks.attributions.eva_options import cells_of_places
from xsparks.metrics.controls import EdgeMap
from xsparks.perturbations import cells_to_maps

GRID = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureAlone(EdgeMap):
    """How far each pixel is from black, or inverted from white, whatever the model.

    Where pixels are replaced by black, or by noise on a dark ground, these change the picture most.
    """

    inverted: bool = False

    def maps(self, inputs: Any, layout: Any) -> Any:
        """`x` or `1 - x`, channels averaged."""
        return tf.reduce_mean(1 - inputs if self.inverted else inputs, axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class SaliencyOfCells(Saliency):
    """Saliency summed over the cells of EVA, so that what is compared is not pixels with cells."""

    grid_size: int = GRID

    def plan(self, layout: Any, outputs: Any) -> Any:
        """That of Saliency, its maps added up."""
        grid = (self.grid_size, self.grid_size)
        cells = np.broadcast_to(cells_of_places(grid, layout)[..., :1], (*layout.spatial, 1)).reshape(-1)
        member = tf.constant(np.eye(self.grid_size**2, dtype=np.float32)[cells])

        def finish(state: Any, x: Any, side: Any) -> Any:
            flat = tf.reshape(state["maps"], (-1, len(cells)))
            return {**state, "maps": cells_to_maps(flat @ member, grid, layout)}

        return replace(Saliency.plan(self, layout, outputs), finish=finish)
