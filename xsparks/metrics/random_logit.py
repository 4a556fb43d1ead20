"""RandomLogit (Sixt, Granz, Landgraf 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.checks import check_choice
from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..core.randomness import generator
from ..engine import Change, Explainer, ExplainerMetric, Group
from ..models.output_operator import outputs_in_words
from ..numerics.map_similarity import SIMILARITIES, map_similarities

# What the draws are for, so that no other draw of the same seed is the same.
_DRAW = 29


@dataclass(frozen=True, eq=False, kw_only=True)
class RandomLogit(ExplainerMetric):
    """Does an explainer answer differently when another class is asked about?

    The similarity `s(M_y(x), M_z(x))` of the map of the target class `y` and that of another class `z`, drawn at
    random. Lower is better: a map that stays the same whatever the class shows what is in the image, not why it is of
    the class. Classes that look alike have similar maps for a good reason, so compare methods, not single values.

    Parameters
    ----------
    model, inputs, targets : as for `explain`; targets are class ids, one-hot rows, or None for the predicted class.
    similarity : `"ssim"`, `"spearman"` or `"spearman_abs"`, which forgets signs; see
        `numerics.map_similarity.map_similarities`. A constant map is like itself to 1 and like any other to 0.

    Returns
    -------
    score : a `Score` of similarities in [-1, 1].

    Raises
    ------
    ModelError : a model without a second class; of one sigmoid unit the second map is the negative of the first.
    ValueError, TypeError : targets that are weights of several classes, no explainer, or one of another model.

    Cost
    ----
    2 explanations a sample.

    Departs
    -------
    The other class depends on `seed` and the target class alone, so that a value depends on its image alone.

    Example
    -------
    >>> from xsparks.attributions import Saliency
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    >>> blind = lambda x: x[:, 2, :1, 0] * [1.0, 2.0, 3.0]
    >>> float(RandomLogit(blind, images, [0, 1])(Saliency(blind)))
    1.0
    >>> apart = lambda x: x[:, 2, :3, 0]
    >>> float(RandomLogit(apart, images, [0, 1])(Saliency(apart))) < 1
    True

    Source
    ------
    L. Sixt, M. Granz, T. Landgraf, "When Explanations Lie: Why Many Modified BP Attributions Fail", ICML 2020,
    section 4, https://arxiv.org/abs/1912.09818
    """

    similarity: str = "ssim"

    better: ClassVar[str] = "lower"

    def check(self) -> None:
        """Checks the options."""
        check_choice(type(self).__name__, "similarity", self.similarity, SIMILARITIES)

    def changes(self, explainer: Explainer, layout: Layout, outputs: Any) -> Sequence[Change]:
        """Another target."""
        self._check_classes(outputs)
        return [Change("another class", targets=self._others)]

    def _check_classes(self, outputs: Any) -> None:
        if hasattr(outputs, "shape") and outputs.ndim == 2 and outputs.shape[1] > 1:
            if outputs.shape[1] > 2 or not np.array_equal(outputs[:, 0], -outputs[:, 1]):
                return
            received = "two outputs that are each other's negative, as of one sigmoid unit"
        else:
            received = outputs_in_words(outputs)
        raise ModelError(
            wording(
                type(self).__name__,
                expected="the model must have outputs of at least 2 classes",
                received=received,
                remedy="Use ModelRandomization, which asks about one class only.",
            )
        )

    def _others(self, group: Group) -> np.ndarray:
        """A class other than that of each sample, `(m,)`."""
        count = group.outputs.shape[1]
        targets = group.targets
        if targets.ndim == 2:
            if not ((targets != 0).sum(axis=1) == 1).all():
                raise ValueError(
                    wording(
                        type(self).__name__,
                        expected="`targets` must name one class a sample",
                        received="weights of several classes",
                        remedy="Pass class ids (n,).",
                    )
                )
            targets = np.abs(targets).argmax(axis=1)
        others = {
            int(known): (int(known) + 1 + int(generator(self.seed, _DRAW, int(known)).integers(count - 1))) % count
            for known in np.unique(targets)
        }
        return np.array([others[int(target)] for target in targets], np.int32)

    def compare(self, maps: np.ndarray, changed: np.ndarray, group: Group) -> np.ndarray:
        """How alike the maps of the two classes are."""
        return map_similarities(maps, changed, self.similarity)

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The similarity of the one pair of each sample."""
        return values["compared"][:, 0], None
