"""What the measures of place share: regions in which a map should lie."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.errors import wording
from ..engine import MapStatistic


@dataclass(frozen=True, eq=False, kw_only=True)
class Localisation(MapStatistic, abc.ABC):
    """A measure of where a map lies, against a region of each sample that is known, of an object for example.

    A map may be right and lie elsewhere, if the model looks at what stands beside the object: such measures are about
    the model and the map together.

    Parameters
    ----------
    regions : masks `(n, h, w)` or `(n, h, w, 1)`, non-zero within; or a list with the boxes of each sample,
        `(k, 4)` or `(4,)`, left, top, right and bottom in pixels, of which a region is the union.
    inputs, targets : needed where an explainer makes the maps; no dataset, whose order the regions could not follow.
    """

    regions: Any = field(kw_only=False)

    better: ClassVar[str] = "higher"

    def check(self) -> None:
        """Checks the options."""
        if hasattr(self.inputs, "element_spec"):
            self._refuse(
                TypeError,
                "`inputs` must be an array, a tensor or a list, so that each region meets its own sample",
                type(self.inputs).__name__,
                "Take the samples out of the dataset.",
            )
        self.check_options()

    def check_options(self) -> None:
        """Checks the options of the metric itself."""

    @abc.abstractmethod
    def on_regions(self, maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """The value `(m,)` of maps `(m, ...)` float64 and regions of the same shape, bool, none of them empty."""

    def measure(self, maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The value of each map on its region."""
        if len(positions) and positions[-1] >= len(self.regions):
            self._refuse(
                ValueError,
                "`regions` must have one entry for each sample",
                f"{len(self.regions)} for {positions[-1] + 1} or more",
                "Pass them in the order of the samples.",
            )
        regions = np.stack([self._region(int(position), maps.shape[1:]) for position in positions])
        return self.on_regions(maps.astype(np.float64), regions)

    def _region(self, position: int, shape: tuple[int, ...]) -> np.ndarray:
        given = np.asarray(self.regions[position])
        boxed = isinstance(self.regions, Sequence) and given.ndim in (1, 2) and given.shape[-1] == 4
        if boxed and len(shape) == 2 and given.shape != shape:
            region = _union(np.atleast_2d(given).astype(np.float64), shape)
        else:
            region = (given[..., 0] if given.shape == (*shape, 1) else given) != 0
        if region.shape != shape:
            self._refuse(
                ValueError,
                f"a region must be a mask {shape} or boxes (k, 4)",
                f"shape {given.shape} for sample {position}",
                "Resize masks to the samples with the nearest neighbour.",
            )
        if not region.any():
            self._refuse(
                ValueError,
                "a region must hold at least one pixel",
                f"an empty one for sample {position}",
                "Leave out samples whose object is not visible.",
            )
        return region

    def _refuse(self, kind: type[Exception], expected: str, received: str, remedy: str) -> None:
        raise kind(wording(type(self).__name__, expected=expected, received=received, remedy=remedy))


def _union(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels whose centre lies in one of the boxes."""
    rows, columns = np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5
    left, top, right, bottom = (side[:, None] for side in boxes.T)
    inside = ((rows > top) & (rows < bottom))[:, :, None] & ((columns > left) & (columns < right))[:, None, :]
    return inside.any(axis=0)


def share_of_highest(maps: np.ndarray, regions: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The share of the `counts (m,)` highest places of each map that lies in its region.

    Of places with equal values, as many count as a random choice would hit on average.

    Parameters
    ----------
    maps, regions : `(m, ...)`, the regions bool.

    Example
    -------
    >>> share_of_highest(np.array([[3.0, 2.0, 2.0]]), np.array([[True, True, False]]), np.array([2])).tolist()
    [0.75]
    """
    maps, regions = maps.reshape(len(maps), -1), regions.reshape(len(maps), -1)
    lowest = np.take_along_axis(np.sort(maps, axis=1), maps.shape[1] - counts[:, None], axis=1)
    above, level = maps > lowest, maps == lowest
    places_left = counts - above.sum(axis=1)
    hit = (above & regions).sum(axis=1) + places_left * (level & regions).sum(axis=1) / level.sum(axis=1)
    return hit / counts
