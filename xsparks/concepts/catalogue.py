"""The concept extractors by name."""

from __future__ import annotations

from typing import Any

from ..core.checks import check_choice
from .convex_nmf import ConvexNMFConcepts
from .extractor import ConceptExtractor
from .ica import ICAConcepts
from .kmeans import KMeansConcepts
from .nmf import NMFConcepts
from .pca import PCAConcepts
from .semi_nmf import SemiNMFConcepts

EXTRACTORS: dict[str, type] = {
    "nmf": NMFConcepts,
    "semi_nmf": SemiNMFConcepts,
    "convex_nmf": ConvexNMFConcepts,
    "kmeans": KMeansConcepts,
    "pca": PCAConcepts,
    "ica": ICAConcepts,
}


def as_extractor(factorizer: Any, where: str) -> ConceptExtractor:
    """The extractor behind `factorizer=`: a name, or an object with the members of `ConceptExtractor`."""
    if isinstance(factorizer, ConceptExtractor) and not isinstance(factorizer, type):
        return factorizer
    return EXTRACTORS[check_choice(where, "factorizer", factorizer, EXTRACTORS)]()
