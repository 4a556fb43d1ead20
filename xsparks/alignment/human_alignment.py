"""How much the maps of a model agree with those of people: rank correlation over what people reach themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.randomness import generator
from ..engine import MapStatistic
from ..numerics.map_distances import is_constant
from ..numerics.map_similarity import map_similarities

CLICKME_CEILING = 0.65753
"""How well the people of ClickMe agree with each other, by the code of Fel, Rodriguez, Linsley and Serre 2022."""
_BLOB_WIDTH = 0.25


@dataclass(frozen=True, eq=False, kw_only=True)
class HumanAlignment(MapStatistic):
    """Does a model look where people look?

    Spearman's rank correlation `rho` of each map with the human map of its image, divided by the ceiling, the
    correlation of people with each other: `mean_i rho(map_i, human_i) / ceiling`. 1 is as near to people as people are.
    Higher is better. The published models were measured by `Saliency`, whose maps have no sign.

    People look at the middle and at edges, and so does a blob, which knows no model: read `.centre`, `.edges` and
    `.null` beside the value. A map can be aligned and unfaithful; it says where people would agree, not why a model
    decided.

    Parameters
    ----------
    human : maps `(n, h, w)` or `(n, h, w, 1)` of any unit; `heatmaps_of` makes them of masks, boxes and fixations.
    inputs, targets : images, where an explainer makes the maps, and for `.edges`; no dataset, whose order the human
        maps could not follow.
    ceiling : in (0, 1]; `CLICKME_CEILING`, .65753, for ClickMe, `human_ceiling(...)` for maps of your own, 1 for the
        bare correlation.
    share : of the places, those that count as the top of a map for `.iou` and `.dice`.
    scales : sides in pixels of the squares over which both maps are averaged for the curve; part of a disagreement is
        that human maps are blurry.
    null_draws : human maps of other images that each map is compared with for `.null`.
    seed : of these draws, and of the bootstrap.

    Returns
    -------
    score : a `Score` with one value a sample and a curve over `scales`. `.spearman`, without the ceiling, `.iou` and
        `.dice` are of the maps; `.centre`, a Gaussian blob, `.edges`, the Sobel gradient of the image (where `inputs`
        are given), and `.null`, human maps of other images (where there are any), are baselines, over the ceiling as
        the value. All are `(n,)`.

    Raises
    ------
    ValueError : human maps that are constant, not finite, too few or of another size; options out of range.
    TypeError : a dataset for `inputs`.

    Cost
    ----
    No forward. `null_draws + 4` sorts of the pixels a map, some 10 ms each at 224 x 224.

    Departs
    -------
    The published overlap keeps what is strictly above a quantile, which is nothing where a mask fills more than the
    share: then all that equals it is kept.

    Example
    -------
    >>> rows, columns = np.mgrid[:8, :8]
    >>> human = np.exp(-((rows - 2) ** 2 + (columns - 5) ** 2) / 8)[None]
    >>> score = HumanAlignment(human, scales=(1, 2)).evaluate(human**3)
    >>> float(score), float(score.iou[0]), bool(score.centre[0] < 0.9)
    (1.0, 1.0, True)

    Source
    ------
    T. Fel, I. Felipe, D. Linsley, T. Serre, "Harmonizing the object recognition strategies of deep neural networks
    with humans", NeurIPS 2022, https://arxiv.org/abs/2211.04533
    """

    human: Any = field(kw_only=False)
    ceiling: float = 1.0
    share: float = 0.1
    scales: Sequence[int] = (1, 4, 16)
    null_draws: int = 10

    better: ClassVar[str] = "higher"
    axes: ClassVar[tuple[str, str]] = ("side of the averaged squares (pixels)", "alignment")

    def check(self) -> None:
        """Checks the options."""
        where = type(self).__name__
        check_number(where, "ceiling", self.ceiling, 0, 1, "Use 1 for the bare correlation.")
        check_number(where, "share", self.share, 0, 1, "Use 0.1.")
        for name in ("ceiling", "share"):
            if getattr(self, name) == 0:
                self._refuse(ValueError, f"`{name}` must be above 0", 0, "Leave it out for the default.")
        for scale in self.scales:
            check_integer(where, "scales", scale, 1, "Use (1, 4, 16).")
        check_integer(where, "null_draws", self.null_draws, 0, "Use 10.")
        if hasattr(self.inputs, "element_spec"):
            self._refuse(
                TypeError,
                "`inputs` must be an array, a tensor or a list, so that each human map meets its own image",
                type(self.inputs).__name__,
                "Take the images out of the dataset.",
            )

    def measure(self, maps: np.ndarray, positions: np.ndarray) -> dict[str, np.ndarray]:
        """The agreement of each map, and of what knows no model, with its human map."""
        maps, human = maps.astype(np.float64), self._human(positions, maps.shape)
        iou, dice = _overlap(_top(maps, self.share), _top(human, self.share))
        blobs = np.broadcast_to(_blob(*maps.shape[1:]), maps.shape)
        found = {"spearman": map_similarities(maps, human), "iou": iou, "dice": dice}
        found["centre"] = map_similarities(blobs, human) / self.ceiling
        if self.inputs is not None:
            images = np.stack([np.asarray(self.inputs[int(position)], np.float64) for position in positions])
            if images.ndim == 4 and images.shape[1:3] == maps.shape[1:]:
                found["edges"] = map_similarities(np.stack([_edges(image) for image in images]), human) / self.ceiling
        if self.null_draws and len(self.human) > 1:
            found["null"] = self._null(maps, positions) / self.ceiling
        scaled = [map_similarities(self._coarse(maps, side), self._coarse(human, side)) for side in self.scales]
        return {**found, "scaled": np.stack(scaled, axis=1) / self.ceiling} if self.scales else found

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """Spearman's correlation over the ceiling, and the same by scale."""
        curve = (np.asarray(self.scales, np.float64), values["scaled"]) if self.scales else None
        return values["spearman"] / self.ceiling, curve

    def extras(self, values: Any) -> dict[str, Any]:
        """The other measures, and the baselines."""
        return {name: value for name, value in values.items() if name != "scaled"}

    def _human(self, positions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if len(positions) and positions.max() >= len(self.human):
            self._refuse(
                ValueError,
                "`human` must have one map for each sample",
                f"{len(self.human)} for {positions.max() + 1} or more",
                "Pass them in the order of the samples.",
            )
        human = np.stack([np.asarray(self.human[int(position)], np.float64) for position in positions])
        human = human[..., 0] if human.ndim == 4 and human.shape[-1] == 1 else human
        if human.shape[1:] != shape[1:]:
            self._refuse(
                ValueError,
                f"human maps must have the size of the maps, {shape[1:]}",
                f"{human.shape[1:]}",
                "Make them of that size with heatmaps_of(..., size=...).",
            )
        empty = ~np.isfinite(human).all(axis=(1, 2)) | is_constant(human[:, None])[:, 0]
        if empty.any():
            self._refuse(
                ValueError,
                "human maps must be finite and not constant",
                f"one that is not, of sample {positions[empty][0]}",
                "Leave out samples that have no human map.",
            )
        return human

    def _null(self, maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The mean agreement of each map with human maps of other images, drawn by the seed and its number."""
        found = np.zeros((len(maps), self.null_draws))
        for row, position in enumerate(positions):
            others = generator(self.seed, 3, int(position) + 1).integers(1, len(self.human), self.null_draws)
            human = self._human((int(position) + others) % len(self.human), maps.shape)
            found[row] = map_similarities(np.broadcast_to(maps[row], human.shape), human)
        return found.mean(axis=1)

    def _coarse(self, maps: np.ndarray, side: int) -> np.ndarray:
        height, width = (-(-pixels // side) for pixels in maps.shape[1:])
        if height * width < 2:
            self._refuse(
                ValueError,
                f"`scales` must leave two places of maps of {maps.shape[1]} x {maps.shape[2]} pixels",
                side,
                "Use scales=(1, 2, 4).",
            )
        if side == 1:
            return maps
        return np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in maps])

    def _refuse(self, kind: type[Exception], expected: str, received: object, remedy: str) -> None:
        raise kind(wording(type(self).__name__, expected=expected, received=received, remedy=remedy))


def _top(maps: np.ndarray, share: float) -> np.ndarray:
    """The places `(m, d)` of the highest share of each map; none of a constant one."""
    flat = maps.reshape(len(maps), -1)
    border = np.quantile(flat, 1 - share, axis=1, keepdims=True)
    above = flat > border
    level = (flat >= border) & (np.ptp(flat, axis=1, keepdims=True) > 0)
    return np.where(above.any(axis=1, keepdims=True), above, level)


def _overlap(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intersection over union, and Dice's coefficient, of places `(m, d)`, `b` never empty."""
    both, sizes = (a & b).sum(axis=1), a.sum(axis=1) + b.sum(axis=1)
    return both / (sizes - both), 2 * both / sizes


def _blob(height: int, width: int) -> np.ndarray:
    rows, columns = (((np.arange(side) + 0.5) / side - 0.5) / _BLOB_WIDTH for side in (height, width))
    return np.exp(-(rows[:, None] ** 2 + columns**2) / 2)


def _edges(image: np.ndarray) -> np.ndarray:
    grey = image.mean(axis=-1)
    return np.hypot(*(cv2.Sobel(grey, cv2.CV_64F, *way, borderType=cv2.BORDER_REFLECT_101) for way in ((1, 0), (0, 1))))
