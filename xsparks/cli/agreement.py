"""How well maps agree with what is known to be the object, and what would agree as well without looking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..core.randomness import generator
from ..engine.score import bootstrap_interval

_CENTRE_WIDTH = 0.25  # standard deviation of the centre's bump, as a fraction of each side


@dataclass(frozen=True)
class Agreement:
    """Do maps point at the object?

    Parameters
    ----------
    name : whose maps these are.
    hits : `(n,)` bool or probabilities: is the highest value in the object's mask? The pointing game of Zhang et al.,
        "Top-down Neural Attention by Excitation Backprop", IJCV 2018, without its tolerance of 15 pixels.
    inside : `(n,)`, the share of the map's positive mass in the mask, in [0, 1].
    areas : `(n,)`, the share of the picture that the mask covers, in (0, 1].
    """

    name: str
    hits: np.ndarray
    inside: np.ndarray
    areas: np.ndarray

    def record(self, seed: int = 0) -> dict[str, object]:
        """The means with their 95 % intervals, fit for JSON.

        `pointing` is the share of hits, with Wilson's interval where hits are yes or no; `inside` the mean share of the
        mass; `density` the mean of inside / area: how many times denser the map is in the object than in the picture.
        """
        density = self.inside / self.areas
        return {
            "name": self.name,
            "pointing": float(np.mean(self.hits)),
            "pointing_interval": _share_interval(self.hits),
            "inside": float(np.mean(self.inside)),
            "inside_interval": list(bootstrap_interval(self.inside, seed)),
            "density": float(np.mean(density)),
            "density_interval": list(bootstrap_interval(density, seed)),
        }


def _share_interval(hits: np.ndarray) -> list[float] | None:
    if hits.dtype != bool:
        return None
    found = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def agreement(name: str, maps: np.ndarray, masks: np.ndarray) -> Agreement:
    """How well these maps agree with the masks.

    Parameters
    ----------
    maps : `(n, h, w)`; what is negative counts as nothing.
    masks : `(n, h, w)` bool, none empty.

    Example
    -------
    >>> maps, masks = np.zeros((1, 2, 2)), np.zeros((1, 2, 2), bool)
    >>> maps[0, 0], masks[0, 0, 0] = (3, 1), True
    >>> found = agreement("two pixels", maps, masks)
    >>> found.hits.tolist(), found.inside.tolist(), found.areas.tolist()
    ([True], [0.75], [0.25])
    """
    count = len(maps)
    highest = maps.reshape(count, -1).argmax(axis=1)
    hits = masks.reshape(count, -1)[np.arange(count), highest]
    positive = np.maximum(maps, 0.0).astype(np.float64)
    areas = masks.mean(axis=(1, 2))
    mass = positive.sum(axis=(1, 2))
    # A map of nothing says as much as an even one.
    inside = np.where(mass > 0, (positive * masks).sum(axis=(1, 2)) / np.where(mass > 0, mass, 1), areas)
    return Agreement(name, hits, inside, areas)


def chance(masks: np.ndarray) -> Agreement:
    """A point at random, and a map that is the same everywhere: both agree as far as the mask is large."""
    areas = masks.mean(axis=(1, 2))
    return Agreement("at random", areas, areas, areas)


def centre(masks: np.ndarray) -> Agreement:
    """The middle of the picture, and a bump around it: what photographers' habits alone would give."""
    height, width = masks.shape[1:]
    rows = (np.arange(height) + 0.5) / height - 0.5
    columns = (np.arange(width) + 0.5) / width - 0.5
    bump = np.exp(-(rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * _CENTRE_WIDTH**2))
    return agreement("picture's centre", np.repeat(bump[None], len(masks), axis=0), masks)


def random_maps(count: int, grid: int, seed: int) -> np.ndarray:
    """Maps of independent even draws on a grid, `(count, grid, grid, 1)`: an order of the pixels that knows nothing."""
    return generator(seed, 2).random((count, grid, grid, 1), dtype=np.float32)
