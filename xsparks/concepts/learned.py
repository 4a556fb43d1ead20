"""What `CRAFT.fit` learned, and how it is written to a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .dictionary import Dictionary

_CROPS = ("image", "crop", "box")
_ARRAYS = ("coefficients", *_CROPS, "digests")
_FACTS = ("layer", "class_id", "affine")


@dataclass(frozen=True, eq=False, kw_only=True)
class LearnedConcepts:
    """Which concepts were found, at which layer, in which crops?

    Parameters
    ----------
    dictionary : the concepts.
    layer : the path of the layer.
    class_id : the class whose images were shown.
    affine : whether the score is an affine function of the layer's answer.
    coefficients : `(n, r)`, of each crop.
    image : `(n,)`, the number of the image of each crop, counted over all that were handed over.
    crop : `(n,)`, its number in the grid of patches, or of places.
    box : `(n, 4)`, its top, left, bottom and right in pixels.
    digests : `(k,)` uint64, fingerprints of all images that were handed over.
    """

    dictionary: Dictionary
    layer: str
    class_id: int
    affine: bool
    coefficients: np.ndarray
    image: np.ndarray
    crop: np.ndarray
    box: np.ndarray
    digests: np.ndarray

    @property
    def names(self) -> list[str]:
        """The concepts as figures name them."""
        return [f"concept {number}" for number in range(len(self.dictionary))]

    def best(self, concept: int, count: int) -> np.ndarray:
        """The crops with most of a concept, of as many images as can be, in falling order: their numbers."""
        order = np.argsort(-self.coefficients[:, concept], kind="stable")
        order = order[self.coefficients[order, concept] > 0]
        # The best crop of each image before a second one of any: neighbours show the same thing.
        _, firsts = np.unique(self.image[order], return_index=True)
        first = np.isin(np.arange(len(order)), firsts)
        return np.concatenate([order[first], order[~first]])[:count]

    def of_crops(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Where some of the crops come from, as fields."""
        return {**{name: getattr(self, name)[numbers] for name in _CROPS}, "digests": self.digests}

    def arrays(self) -> dict[str, np.ndarray]:
        """What is an array."""
        own = {name: getattr(self, name) for name in _ARRAYS}
        return {**own, **{f"dictionary_{name}": array for name, array in self.dictionary.arrays().items()}}

    def record(self) -> dict[str, Any]:
        """What is none."""
        return {**{name: getattr(self, name) for name in _FACTS}, "dictionary": self.dictionary.record()}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], record: dict[str, Any]) -> LearnedConcepts:
        """What `arrays` and `record` describe."""
        prefix = "dictionary_"
        inner = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
        own: dict[str, Any] = {name: arrays[name] for name in _ARRAYS} | {name: record[name] for name in _FACTS}
        return cls(dictionary=Dictionary.of(inner, record["dictionary"]), **own)
