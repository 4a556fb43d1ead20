"""What finds concepts in activations: the one interface, whatever the method."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from sklearn.utils.extmath import randomized_svd

from ..core.checks import check_integer
from ..core.errors import ModelError, wording
from .dictionary import Dictionary


@runtime_checkable
class ConceptExtractor(Protocol):
    """From activation vectors to a `Dictionary` of concepts.

    `min |A - U V|^2` under the constraints that make a method what it is. One of your own needs these two members and
    nothing else; hand it to `CRAFT(factorizer=...)`.

    Source
    ------
    T. Fel et al., "A Holistic Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation",
    NeurIPS 2023, https://arxiv.org/abs/2306.07304
    """

    @property
    def needs_nonnegative(self) -> bool:
        """Whether activations below 0 are refused."""
        ...

    def extract(self, activations: np.ndarray, number_of_concepts: int, seed: int) -> Dictionary:
        """The concepts of activations `A (n, p)`, float32."""
        ...


def check_activations(where: str, extractor: ConceptExtractor, activations: np.ndarray, concepts: int) -> None:
    """Refuses what no dictionary can be found in, before any time is spent.

    Raises
    ------
    ModelError : negative activations for a method that cannot take them.
    ValueError : fewer vectors than concepts, or a rank below the number of concepts.
    """
    count, width = activations.shape
    if extractor.needs_nonnegative:
        check_sign(where, activations)
    if count < concepts:
        raise ValueError(
            wording(
                where,
                expected=f"there must be at least as many crops as concepts, {concepts}",
                received=count,
                remedy="Pass more images, a smaller patch_size, or fewer concepts.",
            )
        )
    rank = rank_of(activations, concepts)
    if rank < concepts:
        raise ValueError(
            wording(
                where,
                expected=f"number_of_concepts must be at most the rank of the activations, {rank}",
                received=concepts,
                remedy=f"Use {rank} or fewer, more images, or a layer with more channels than {width}.",
            )
        )


def check_sign(where: str, activations: np.ndarray) -> None:
    """Refuses negative activations."""
    lowest = float(activations.min())
    if lowest < 0:
        raise ModelError(
            wording(
                where,
                expected="the activations must not be negative for a non-negative factorization",
                received=f"{np.mean(activations < 0):.1%} negative values, down to {lowest:.3g}",
                remedy="Choose a layer that ends in a ReLU, or factorizer='semi_nmf'.",
            )
        )


def rank_of(activations: np.ndarray, enough: int) -> int:
    """The rank of `A (n, p)`, or `enough` where it is that or more."""
    enough = min(enough, *activations.shape)
    values = randomized_svd(activations, enough, random_state=0)[1]
    # What rounding leaves of a singular value of 0, as `numpy.linalg.matrix_rank` has it.
    floor = values[0] * max(activations.shape) * np.finfo(np.float32).eps
    return int(np.count_nonzero(values > floor))


def check_starts(where: str, starts: int, iterations: int) -> None:
    """Options that several extractors have."""
    check_integer(where, "starts", starts, 1, "Use 4.")
    check_integer(where, "iterations", iterations, 1, "Use 400.")


def by_use(codes: np.ndarray) -> np.ndarray:
    """The order of concepts by falling mean size of their coefficients."""
    return np.argsort(-np.abs(codes).mean(axis=0), kind="stable")


def relative_error(activations: np.ndarray, reconstruction: np.ndarray) -> float:
    """`|A - A'| / |A|`, 0 for activations of zeros."""
    whole = float(np.linalg.norm(activations))
    return float(np.linalg.norm(activations - reconstruction)) / whole if whole else 0.0
