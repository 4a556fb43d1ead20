"""ReCo, the relative consistency of explanations (Fel et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..core.checks import check_choice
from ..core.errors import wording
from ..engine.score import Score
from ..numerics.compared_maps import ComparedMaps
from ..numerics.separation import Separation, Separator, smaller_p_value
from .algorithmic_stability import AlgorithmicStability

_FORMS = {"recall": "recall", "precision": "precision", "auc": "precision_mean"}


@dataclass(frozen=True, eq=False, kw_only=True)
class ReCo(AlgorithmicStability):
    """Do models that contradict each other have different maps, and models that agree similar ones?

    The data are split into `k` parts, and model `i` is trained without part `i`. For each picture `x` of part `i` and
    each `j != i`, the distance of the maps of models `i` and `j` goes into `S=` where both are right about `x`, and
    into the other set, `S/`, where one is right alone. ReCo is how well a threshold `g` on the distance tells the two
    sets apart: 1 where all distances of `S=` are smaller than all of `S/`, 0 where maps know nothing of the
    contradiction. In its default form, with the shares `F(g)` of `S=` and `G(g)` of `S/` up to `g`,
    `ReCo = max_g F(g) - G(g)`, the statistic of the one-sided test of Kolmogorov and Smirnov.

    Good models seldom contradict each other, which makes `S/` small and ReCo uncertain: look at `different_pairs`, and
    at the interval. As a maximum it is above 0 by chance, too; `auroc` is less noisy. Compare methods on the same
    models: models that are broken for some pictures and not for others have a high ReCo with poor maps.

    Parameters
    ----------
    train, inputs, targets, k_splits, folder, seed, samples, progress : of `CrossTraining`, or `train` is one.
    distance, explained_class, interval : see `AlgorithmicStability`.
    form : `"recall"`; `"precision"`, equation 6 of the paper, `max_g P(g) + Q(g) - 1` with the share `P(g)` of `S=` in
        all distances up to `g` and the share `Q(g)` of `S/` in all above; `"auc"`, the mean of `P(g) + Q(g) - 1` over
        all distances `g`, of the supplement. The last two depend on the sizes of the sets, and the
        second is decided by its ends: one distance of `S/` above all others makes it at least the share of `S=`.

    Returns
    -------
    score : a `Score`; `per_sample` is the share of a picture's pairs that the best threshold puts on their side.
        Extras: all forms (`recall`, `precision`, `auc`) and `auroc` (1/2 for maps that know nothing); `p_value`, that
        of the test with all distances as if they were independent, and `p_value_images`, with the mean distance of each
        picture in each set, which is the honest one; `threshold`; `same_pairs`, `different_pairs`, `dropped_pairs`
        (sizes of `S=`, of `S/`, and of what neither is right about); `distances`, `distance_images`, `distance_same`;
        `image_ids` (of `per_sample`); `accuracies`, `constant_maps`.

    Raises
    ------
    ValueError : one of the sets is empty.

    Cost
    ----
    That of `MeGe`; with the same `CrossTraining` and method, the models and the maps are not made again.

    Departs
    -------
    The recall form is the default, as Xplique computes it (with some 20 thresholds; here with all). Where no distance
    lies above `g`, its empty share `Q(g)` is that of `S/` in all distances. Which class a model explains that is
    wrong is left open: here the true one, as in Xplique, or by `explained_class="predicted"` its own. The second asks
    whether maps tell classes apart, too, and is much higher where they do.

    Example
    -------
    >>> import numpy as np
    >>> from xsparks.metrics import InputMap
    >>> x, y = np.random.default_rng(0).random((12, 4, 4, 1)), np.arange(12) % 2
    >>> def train(x_train, y_train, x_test, y_test):
    ...     sign = 1 if x_train[0, 0, 0, 0] == x[0, 0, 0, 0] else -1
    ...     return lambda x: np.stack([sign * np.ones(len(x)), np.zeros(len(x))], axis=1)
    >>> score = ReCo(train, x, y, k_splits=3, progress=False).evaluate(InputMap)
    >>> float(score), score.auroc
    (0.0, 0.5)

    Source
    ------
    T. Fel, D. Vigouroux, R. Cadène, T. Serre, "How Good is your Explanation? Algorithmic Stability Measures to Assess
    the Quality of Explanations for Deep Neural Networks", WACV 2022, equation 6, https://arxiv.org/abs/2009.04521
    """

    form: str = "recall"

    better: ClassVar[str] = "higher"

    def check(self) -> None:
        """Checks the form."""
        check_choice("ReCo", "form", self.form, _FORMS)

    def measure(self, compared: ComparedMaps, scored: Callable[..., Score]) -> Score:
        """How well the two sets of distances separate."""
        every, count = compared.pairs(), len(compared.positions)
        pairs = every.of(every.right | every.other_right)
        same = pairs.right & pairs.other_right
        separator = self._separator(pairs.distance, same)

        def statistic(weights: np.ndarray) -> float | None:
            drawn = separator.of(weights)
            return None if drawn is None else self._form_of(drawn)

        found = separator.separation
        per_sample, seen = pairs.mean_of_pictures((pairs.distance <= found.threshold) == same, count)
        both, one = pairs.of(same), pairs.of(~same)
        means = [some.mean_of_pictures(some.distance, count)[0] for some in (both, one)]
        return scored(
            self._form_of(found),
            per_sample,
            self.bounds(statistic, pairs),
            **{form: getattr(found, name) for form, name in _FORMS.items()},
            auroc=found.auroc,
            threshold=found.threshold,
            p_value=smaller_p_value(both.distance, one.distance),
            p_value_images=smaller_p_value(*means),
            distances=pairs.distance,
            distance_images=compared.positions[pairs.picture],
            distance_same=same,
            image_ids=compared.positions[seen],
            **every.sizes,
        )

    def _separator(self, distances: np.ndarray, same: np.ndarray) -> Separator:
        if same.any() and not same.all():
            return Separator(distances, same)
        what = "no two models contradict each other" if same.any() else "no two models are right about one picture"
        remedy = "or choose harder data or a weaker network" if same.any() else "or train longer"
        raise ValueError(
            wording(
                "ReCo.evaluate",
                expected="there must be pictures that two models are right about, and pictures that one is right about",
                received=f"{int(same.sum())} and {int((~same).sum())} pairs, as {what}",
                remedy=f"Explain more pictures (samples=None), {remedy}.",
            )
        )

    def _form_of(self, found: Separation) -> float:
        return float(getattr(found, _FORMS[self.form]))
