"""Distances of the maps that models give of one picture, and which of the models are right about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pairs(NamedTuple):
    """Distances of pairs of maps, flat.

    Parameters
    ----------
    picture : `(p,)`, the row of each picture in `ComparedMaps`.
    without, with_ : `(p,)`, the model that never saw the picture, and the one that did.
    distance : `(p,)`.
    right, other_right : `(p,)` bool, whether the first and the second model are right.
    """

    picture: np.ndarray
    without: np.ndarray
    with_: np.ndarray
    distance: np.ndarray
    right: np.ndarray
    other_right: np.ndarray

    def of(self, chosen: np.ndarray) -> Pairs:
        """Some of them."""
        return Pairs(*(array[chosen] for array in self))

    @property
    def sizes(self) -> dict[str, int]:
        """How many pairs agree on the truth, how many contradict each other, and how many nobody is right about."""
        right, other = self.right, self.other_right
        return {
            "same_pairs": int((right & other).sum()),
            "different_pairs": int((right ^ other).sum()),
            "dropped_pairs": int((~right & ~other).sum()),
        }

    def mean_of_pictures(self, values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The mean of values `(p,)` over the pairs of each of `count` pictures that has one, and which have."""
        pairs = np.bincount(self.picture, minlength=count)
        seen = pairs > 0
        return np.bincount(self.picture, values, count)[seen] / pairs[seen], seen


class ComparedMaps(NamedTuple):
    """The maps of all models, compared picture by picture.

    Parameters
    ----------
    positions : `(e,)`, the number of each picture in the data.
    folds : `(e,)`, the model that never saw it.
    distances : `(e, models, models)`; of two seeds, all models of the first come before those of the second.
    right : `(e, models)` bool, which models are right about it.
    splits : how many models there are of one seed.
    constant : how many maps are the same everywhere.
    """

    positions: np.ndarray
    folds: np.ndarray
    distances: np.ndarray
    right: np.ndarray
    splits: int
    constant: int = 0

    def pairs(self) -> Pairs:
        """All pairs of a model that never saw a picture and one that did, of the same seed."""
        found = []
        for run in range(self.distances.shape[1] // self.splits):
            for other in range(self.splits):
                rows = np.flatnonzero(self.folds != other)
                i, j = self.folds[rows] + run * self.splits, np.full(len(rows), other + run * self.splits)
                found.append((rows, i, j, self.distances[rows, i, j], self.right[rows, i], self.right[rows, j]))
        return Pairs(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))

    def net_pairs(self) -> tuple[Pairs, np.ndarray, np.ndarray]:
        """What other data change beyond what another seed does, where all four models are right.

        For model `i`, which never saw a picture, and `j`, which did, from seeds `a` and `b`: the distance where data
        and seed differ, `(d(i_a, j_b) + d(i_b, j_a)) / 2`, less that where the seed alone does,
        `(d(i_a, i_b) + d(j_a, j_b)) / 2`. The second and third answer are these two.
        """
        found, parts = [], []
        for other in range(self.splits):
            rows = np.flatnonzero(self.folds != other)
            i, j = self.folds[rows], np.full(len(rows), other)
            four = np.stack([i, i + self.splits, j, j + self.splits])
            kept = self.right[rows, four].all(axis=0)
            rows, (i_a, i_b, j_a, j_b) = rows[kept], four[:, kept]
            both = (self.distances[rows, i_a, j_b] + self.distances[rows, i_b, j_a]) / 2
            seed = (self.distances[rows, i_a, i_b] + self.distances[rows, j_a, j_b]) / 2
            right = np.ones(len(rows), dtype=bool)
            found.append((rows, i_a, j_a, both - seed, right, right))
            parts.append((both, seed))
        both, seed = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return Pairs(*(np.concatenate(arrays) for arrays in zip(*found, strict=True))), both, seed
