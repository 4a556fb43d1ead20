"""Are these concepts a good summary of the activations? The metrics of concept extraction (Fel et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.randomness import generator
from ..engine import Score
from ..engine.record import described, versions
from ..numerics import dictionary_measures as measures
from ..numerics.dictionary_matching import match_atoms
from .dictionary import Dictionary
from .extractor import ConceptExtractor, check_activations
from .learning import encoded

# Names the draws of this file among all that use the same seed.
_DRAW = 347
# Of each measure, which direction is better. For sparsity and coherence it is a matter of taste: few concepts a place
# are easy to read, and atoms that are unlike each other easy to tell apart.
BETTER = {
    "relative l2": "lower",
    "sparsity": "higher",
    "stability": "higher",
    "Wasserstein": "lower",
    "OOD score": "lower",
    "dead concepts": "lower",
    "coherence": "lower",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class ExtractionMetrics:
    """How exact, sparse, stable and plausible are the concepts that an extractor finds?

    The activations are dealt into folds. Run `k` finds a dictionary in all folds but fold `k`, from a start of its own,
    and is measured on the activations `A` of fold `k`, which it has not seen, with `A' = U V`:

    - `"relative l2"`: `|A - A'| / |A|`;
    - `"sparsity"`: the share of zeros in `U`;
    - `"stability"`: the mean cosine of the atoms of two runs, matched one to one; over all pairs of runs;
    - `"Wasserstein"`: between the values of each channel in `A` and in `A'`, averaged over channels;
    - `"OOD score"`: the distance of `A'` to its k-th nearest neighbour in the other folds over that of `A`;
    - `"dead concepts"`: the share of concepts that no activation has;
    - `"coherence"`: the cosine of the two most alike atoms.

    Use it to choose an extractor and a number of concepts. No measure says all: k-means is the sparsest and the least
    exact, principal components are the most exact and not sparse at all.

    Parameters
    ----------
    folds : and runs.
    neighbors : of the out-of-distribution score.
    seed : of the folds and of the starts.

    Returns
    -------
    scores : of `evaluate`, a `Score` for each measure, whose samples are the runs, for stability the pairs of runs.

    Raises
    ------
    ValueError : fewer activations or groups than folds, fewer activations than concepts.

    Cost
    ----
    `folds` extractions; no forward.

    Departs
    -------
    Measured on activations that were held out, so that more concepts are not better by themselves. Stability is a
    cosine, 1 for the same atoms, instead of 1 less the cosine, and each run has other activations and another start.

    Example
    -------
    >>> from xsparks.concepts import NMFConcepts
    >>> draw = np.random.default_rng(0)
    >>> activations = draw.random((200, 3)) ** 8 @ np.eye(3, 12)
    >>> scores = ExtractionMetrics().evaluate(NMFConcepts(), activations, 3)
    >>> float(scores["relative l2"]) < 0.1, float(scores["stability"]) > 0.99
    (True, True)

    Source
    ------
    T. Fel et al., "A Holistic Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation",
    NeurIPS 2023, https://arxiv.org/abs/2306.07304
    """

    folds: int = 4
    neighbors: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_integer(name, "folds", self.folds, 2, "Use 4.")
        check_integer(name, "neighbors", self.neighbors, 1, "Use 10.")
        check_integer(name, "seed", self.seed, 0, "Use 0.")

    def evaluate(
        self, extractor: ConceptExtractor, activations: Any, number_of_concepts: int, groups: Any = None
    ) -> dict[str, Score]:
        """The score of each measure.

        Parameters
        ----------
        extractor : such as `NMFConcepts()`.
        activations : `A (n, p)`.
        groups : `(n,)`, the image of each activation vector, which is in one fold with all of its own; None where each
            stands for itself.
        """
        activations = np.asarray(activations, np.float32)
        fold = self._dealt(len(activations), groups)
        where = f"{type(self).__name__}.evaluate"
        values: dict[str, list[float]] = {name: [] for name in BETTER}
        found: list[Dictionary] = []
        for run in range(self.folds):
            shown, held = activations[fold != run], activations[fold == run]
            check_activations(where, extractor, shown, number_of_concepts)
            start = int(generator(self.seed, _DRAW, run).integers(2**31 - 1))
            dictionary = extractor.extract(shown, number_of_concepts, start)
            found.append(dictionary)
            for name, value in self._measured(dictionary, shown, held).items():
                values[name].append(value)
        for one, other in combinations(found, 2):
            # An axis has no sign, and its coefficients have both.
            signed = not one.signed
            values["stability"].append(float(match_atoms(one.atoms, other.atoms, signed).cosines.mean()))
        known: dict[str, Any] = {
            "method": type(extractor).__name__,
            "settings": {"folds": self.folds, "neighbors": self.neighbors, "extractor": described(extractor)},
            "versions": versions(),
        }
        return {
            name: Score.from_samples(np.array(values[name]), better, name, self.seed, **known)
            for name, better in BETTER.items()
        }

    def _measured(self, dictionary: Dictionary, shown: np.ndarray, held: np.ndarray) -> dict[str, float]:
        codes = encoded(dictionary, held)
        made = np.asarray(dictionary.decode(codes))
        return {
            "relative l2": measures.relative_distance(held, made),
            "sparsity": measures.zero_share(codes),
            "Wasserstein": measures.mean_wasserstein(held, made),
            "OOD score": measures.out_of_distribution(shown, held, made, min(self.neighbors, len(shown))),
            "dead concepts": measures.dead_share(codes),
            "coherence": measures.coherence(dictionary.atoms),
        }

    def _dealt(self, count: int, groups: Any) -> np.ndarray:
        """The fold of each activation vector."""
        groups = np.arange(count) if groups is None else np.asarray(groups)
        names, number = np.unique(groups, return_inverse=True)
        if len(groups) != count or len(names) < self.folds:
            raise ValueError(
                wording(
                    f"{type(self).__name__}.evaluate",
                    expected=f"there must be a group for each of the {count} activations, and {self.folds} groups",
                    received=f"{len(groups)} in {len(names)} groups",
                    remedy="Pass more images, or use fewer folds.",
                )
            )
        order = generator(self.seed, _DRAW).permutation(len(names))
        return (order % self.folds)[number]
