"""Concepts as they were learned: atoms, and how activations are written in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.checks import check_choice
from ..numerics.nonnegative_encoding import nonnegative_codes

ENCODINGS = ("nonnegative", "nearest", "linear")
_ARRAYS = ("atoms", "offset", "analysis")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dictionary:
    """How much of each concept is in an activation vector, and which vector do concepts add up to?

    What every `ConceptExtractor` answers: `a ~ o + u V`, with the atoms `V` as concepts. How `u` follows from `a`:

    - `"nonnegative"`: `u = argmin_{u >= 0} |a - u V|^2`, exact, with its exact derivative (NMF, semi- and convex NMF);
    - `"nearest"`: 1 for the nearest atom, 0 for the others (k-means); it has no derivative;
    - `"linear"`: `u = (a - o) W` (PCA, ICA).

    Parameters
    ----------
    atoms : `V (r, p)`.
    encoding : one of the three.
    offset : `o (p,)`, or None for 0.
    analysis : `W (p, r)` of the linear encoding.
    extractor : the name of what found it.
    relative_error : `|A - A'| / |A|` of the activations that it was found on and what it makes of them.
    stability : how alike other starts were, mean cosine of matched atoms in [-1, 1]; NaN where nobody looked.

    Example
    -------
    >>> words = Dictionary(atoms=np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> words.encode(np.array([[2.0, 1.0]])).numpy().tolist()
    [[1.0, 1.0]]
    """

    atoms: np.ndarray
    encoding: str = "nonnegative"
    offset: np.ndarray | None = None
    analysis: np.ndarray | None = None
    extractor: str = ""
    relative_error: float = float("nan")
    stability: float = float("nan")

    def __post_init__(self) -> None:
        check_choice("Dictionary", "encoding", self.encoding, ENCODINGS)

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def signed(self) -> bool:
        """Whether coefficients may be negative."""
        return self.encoding == "linear"

    def encode(self, activations: Any) -> Any:
        """The coefficients `(..., r)` of activations `(..., p)`, a tensor of their type."""
        activations = tf.convert_to_tensor(activations)
        if self.encoding == "nonnegative":
            return nonnegative_codes(activations, tf.constant(self.atoms, activations.dtype))
        vectors = activations - self._constant(self.offset, activations)
        if self.encoding == "linear":
            return tf.tensordot(vectors, self._constant(self.analysis, activations), 1)
        # |a - v|^2 less |a|^2, which is the same for all atoms.
        atoms = self._constant(self.atoms, activations)
        distances = tf.reduce_sum(atoms**2, axis=-1) - 2 * tf.tensordot(vectors, atoms, [[-1], [1]])
        return tf.one_hot(tf.argmin(distances, axis=-1), len(self), dtype=activations.dtype)

    def decode(self, coefficients: Any) -> Any:
        """The activations `(..., p)` that coefficients `(..., r)` add up to, a tensor of their type."""
        coefficients = tf.convert_to_tensor(coefficients)
        activations = tf.tensordot(coefficients, self._constant(self.atoms, coefficients), 1)
        return activations + self._constant(self.offset, coefficients)

    def _constant(self, array: np.ndarray | None, like: Any) -> Any:
        return tf.constant(np.zeros(self.atoms.shape[1]) if array is None else array, like.dtype)

    def arrays(self) -> dict[str, np.ndarray]:
        """What is an array, for files."""
        return {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}

    def record(self) -> dict[str, Any]:
        """What is none; a number that is not known is None."""
        numbers = {name: getattr(self, name) for name in ("relative_error", "stability")}
        known = {name: None if np.isnan(value) else float(value) for name, value in numbers.items()}
        return {"encoding": self.encoding, "extractor": self.extractor, **known}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], record: dict[str, Any]) -> Dictionary:
        """What `arrays` and `record` describe."""
        numbers = ("relative_error", "stability")
        known: dict[str, Any] = {name: float("nan") if record[name] is None else record[name] for name in numbers}
        own: dict[str, Any] = {name: arrays[name] for name in _ARRAYS if name in arrays}
        return cls(encoding=record["encoding"], extractor=record["extractor"], **own, **known)
