"""Which concept decides in which image? Strategies, how common and how reliable they are (Fel et al. 2023)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from ..core.checks import check_choice
from ..core.errors import wording
from .explanation import ConceptExplanation

EMBEDDINGS = ("tsne", "pca")
# Points that the largest neighbourhood of the embedding has, and fewest for which it says anything.
_PERPLEXITY, _FEWEST = 30.0, 8


@dataclass(frozen=True, eq=False)
class ConceptStrategies:
    """By which concepts does the model recognise these images, and which of them can be relied on?

    The strategy of an image is the concept that counts most in it. Of concept `i`

        prevalence  = the share of images whose strategy is `i`,
        reliability = the share of these that are predicted rightly.

    The points of the strategic cluster graph are the importances of all images, laid out in the plane, so that images
    that are recognised alike lie together. A strategy that is common and unreliable is a shortcut worth looking at.

    Parameters
    ----------
    top : `(n,)`, the strategy of each image.
    importances : `(n, r)`, from which it was told.
    points : `(n, 2)`, in the plane.
    prevalence : `(r,)`, and `prevalence_intervals (r, 2)`.
    reliability : `(r,)`, and `reliability_intervals (r, 2)`; None without labels, and 0 in [0, 1] of concepts that are
        no image's strategy.
    right : `(n,)` bool, which images are predicted rightly, or None.

    Example
    -------
    >>> importances = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    >>> found = ConceptStrategies.of(importances, right=[True, True, False, True], embedding="pca")
    >>> found.prevalence.tolist(), found.reliability.round(2).tolist()
    ([0.75, 0.25], [0.67, 1.0])

    Source
    ------
    T. Fel et al., "A Holistic Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation",
    NeurIPS 2023, section 4, https://arxiv.org/abs/2306.07304
    """

    top: np.ndarray
    importances: np.ndarray
    points: np.ndarray
    prevalence: np.ndarray
    prevalence_intervals: np.ndarray
    reliability: np.ndarray | None = None
    reliability_intervals: np.ndarray | None = None
    right: np.ndarray | None = None

    @classmethod
    def of(cls, importances: Any, right: Any = None, *, embedding: str = "tsne") -> ConceptStrategies:
        """The strategies of images.

        Parameters
        ----------
        importances : a `ConceptExplanation`, whose contributions count where the head is affine, else its importances;
            or an array `(n, r)`, signed or not.
        right : `(n,)` bool, whether each image is predicted rightly, as told by its label; None where nobody knows.
        embedding : `"tsne"`, which keeps neighbours together, or `"pca"`, which keeps distances.

        Raises
        ------
        ValueError : importances that are not (n, r) or not finite, another number of labels.

        Departs
        -------
        t-SNE instead of UMAP, which is no dependency. Intervals are Wilson's, at 95 %.
        """
        where = "ConceptStrategies.of"
        check_choice(where, "embedding", embedding, EMBEDDINGS)
        if isinstance(importances, ConceptExplanation):
            extras = importances.extras
            importances = extras["contributions"] if "contributions" in extras else extras["importances"]
        values = np.asarray(importances, np.float64)
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise ValueError(
                wording(
                    where,
                    expected="`importances` must be finite numbers (n, r)",
                    received=f"shape {values.shape}" if values.ndim != 2 or not values.size else "NaN or infinity",
                    remedy="Pass craft.explain(images).",
                )
            )
        top, concepts = values.argmax(axis=1), values.shape[1]
        counts = np.bincount(top, minlength=concepts)
        share, share_ends = _shares(counts, np.full(concepts, len(top)))
        known: dict[str, Any] = {}
        if right is not None:
            right = np.asarray(right)
            if right.shape != top.shape or right.dtype != bool:
                raise ValueError(
                    wording(
                        where,
                        expected=f"`right` must be ({len(top)},) booleans, one for each image",
                        received=f"{right.dtype} of shape {right.shape}",
                        remedy="Compare labels with predictions: labels == predicted.",
                    )
                )
            rate, rate_ends = _shares(np.bincount(top, right, concepts).astype(int), counts)
            known = {"right": right, "reliability": rate, "reliability_intervals": rate_ends}
        points = _embedded(values, embedding)
        return cls(top, values, points, share, share_ends, **known)

    def members(self, concept: int) -> np.ndarray:
        """The images whose strategy is this concept, those in which it counts most first."""
        own = np.flatnonzero(self.top == concept)
        return own[np.argsort(-self.importances[own, concept], kind="stable")]

    def plot(self, **options: Any) -> Any:
        """The strategic cluster graph; returns `(figure, axes)`.

        Parameters
        ----------
        options : those of `xsparks.plots.plot_clusters`, such as `images=` for thumbnails and `names=` of the concepts.
        """
        from ..plots import plot_clusters

        counts = np.bincount(self.top, minlength=len(self.prevalence))
        names = []
        for concept, share in enumerate(self.prevalence):
            name = f"concept {concept}: {share:.0%} of images"
            if self.reliability is not None and counts[concept]:
                name += f", {self.reliability[concept]:.0%} right"
            names.append(name)
        options.setdefault("names", names)
        return plot_clusters(self.points, self.top, crossed=None if self.right is None else ~self.right, **options)


def _shares(counts: np.ndarray, wholes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each count over its whole, 0 of nothing, and its interval."""
    values = counts / np.maximum(wholes, 1)
    ends = [
        tuple(stats.binomtest(int(count), int(whole)).proportion_ci(0.95, "wilson")) if whole else (0.0, 1.0)
        for count, whole in zip(counts, wholes, strict=True)
    ]
    return values, np.array(ends, float)


def _embedded(values: np.ndarray, embedding: str) -> np.ndarray:
    """Points in the plane, `(n, 2)` float64."""
    count, width = values.shape
    spread = values - values.mean(axis=0)
    if not np.ptp(spread, axis=0).any():
        return np.zeros((count, 2))
    if embedding == "pca" or count < _FEWEST:
        found = PCA(min(2, count, width)).fit_transform(spread)
        return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    perplexity = min(_PERPLEXITY, (count - 1) / 3)
    with warnings.catch_warnings():
        # Of importances that are exactly alike.
        warnings.simplefilter("ignore", RuntimeWarning)
        # From the principal axes, which leaves nothing to chance.
        method = TSNE(2, perplexity=perplexity, random_state=0, init="pca")
        return np.asarray(method.fit_transform(spread.astype(np.float32)), np.float64)
