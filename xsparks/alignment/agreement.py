"""How well people agree with each other about an image: the ceiling of human alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.randomness import generator
from ..engine.score import bootstrap_interval
from ..numerics.map_similarity import map_similarities

_WHERE = "human_ceiling"


class Ceiling(NamedTuple):
    """What people reach themselves.

    Parameters
    ----------
    value : the mean over the images.
    interval : its 95 % bootstrap interval.
    per_image : `(n,)`.
    null : the same between images, what agreement about no image in particular gives; 0 for a single image.
    """

    value: float
    interval: tuple[float, float]
    per_image: np.ndarray
    null: float


def human_ceiling(people: Sequence[Any], splits: int = 10, seed: int = 0) -> Ceiling:
    """How well do people agree with each other about where to look?

    The people who saw an image are parted into halves by chance, and Spearman's correlation of the mean maps of the
    two halves is averaged over `splits` such partings and over the images. Halves are noisier than all people together,
    so that this is a cautious ceiling, and more people raise it.

    Parameters
    ----------
    people : for each image the maps `(p, h, w)` of two or more people.
    splits : partings of the people of an image.
    seed : of the partings, and of the bootstrap over images.

    Returns
    -------
    ceiling : a `Ceiling`, whose `.value` is what `HumanAlignment(ceiling=...)` takes.

    Raises
    ------
    ValueError : no image, an image with a single person, another number of axes.

    Example
    -------
    >>> draw = np.random.default_rng(0)
    >>> scenes = draw.random((6, 1, 5, 5))
    >>> found = human_ceiling(scenes + 0.1 * draw.random((6, 8, 5, 5)))
    >>> bool(found.value > 0.9), bool(found.null < 0.3)
    (True, True)

    Source
    ------
    D. Linsley, D. Shiebler, S. Eberhardt, T. Serre, "Learning what and where to attend", ICLR 2019,
    https://arxiv.org/abs/1805.08819, of ClickMe, whose ceiling is .65753.
    """
    check_integer(_WHERE, "splits", splits, 1, "Use 10.")
    check_integer(_WHERE, "seed", seed, 0, "Use 0.")
    shapes = [np.shape(each) for each in people]
    wrong = [shape for shape in shapes if len(shape) != 3 or shape[0] < 2]
    if not shapes or wrong:
        raise ValueError(
            wording(
                _WHERE,
                expected="`people` must have maps (p, h, w) of two or more people for each image",
                received=f"shape {wrong[0]}" if wrong else "no image",
                remedy="Leave out images that a single person saw.",
            )
        )
    halves = [_halves(np.asarray(each, np.float64), splits, seed, image) for image, each in enumerate(people)]
    per_image = np.array([map_similarities(*pair).mean() for pair in halves])
    following = zip(halves, [*halves[1:], halves[0]], strict=True)
    null = [
        map_similarities(own[0], other[1]).mean()
        for own, other in following
        if own is not other and own[0].shape == other[1].shape
    ]
    return Ceiling(
        float(per_image.mean()), bootstrap_interval(per_image, seed), per_image, float(np.mean(null)) if null else 0.0
    )


def _halves(maps: np.ndarray, splits: int, seed: int, image: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean maps of both halves, `(splits, h, w)` each."""
    orders = [generator(seed, split + 1, image + 1).permutation(len(maps)) for split in range(splits)]
    first = np.stack([maps[order[: len(maps) // 2]].mean(axis=0) for order in orders])
    second = np.stack([maps[order[len(maps) // 2 :]].mean(axis=0) for order in orders])
    return first, second
