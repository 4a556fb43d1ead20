"""MeGe, the mean generalizability of explanations (Fel et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.errors import wording
from ..engine.score import Score
from ..numerics.compared_maps import ComparedMaps
from .algorithmic_stability import AlgorithmicStability


@dataclass(frozen=True, eq=False, kw_only=True)
class MeGe(AlgorithmicStability):
    """Does a map stay the same when the model has never seen the picture?

    The data are split into `k` parts, and model `i` is trained without part `i`. For each picture `x` of part `i` and
    each `j != i`, where both models are right about `x`, the distance of their maps, `d(phi_i(x), phi_j(x))`, goes into
    the set `S=`. Then `MeGe = 1 / (1 + mean S=)`, in (0, 1]; higher is better.

    A high MeGe says that maps show what training on such data always leads to, not what one training happened upon. It
    says nothing about whether they are faithful, and maps that repeat the picture have it for nothing: read it beside
    `ReCo`, and beside the control `InputMap`. With a distance in [0, 1] it is at least 1/2; values compare under the
    same distance, data and networks alone.

    Parameters
    ----------
    train, inputs, targets, k_splits, folder, seed, samples, progress : of `CrossTraining`, or `train` is one.
    distance, explained_class, interval : see `AlgorithmicStability`.
    net : subtract what another seed alone does. Each part is trained twice, from seeds `a` and `b`. With the maps of
        all four models, for each pair that is right about `x`, the distance where data and seed differ,
        `(d(i_a, j_b) + d(i_b, j_a)) / 2`, less the distance where the seed alone does,
        `(d(i_a, i_b) + d(j_a, j_b)) / 2`. The mean is near 0, and net MeGe near 1, where missing a picture changes a
        map no more than training again does; chance may take it a little above 1.

    Returns
    -------
    score : a `Score`; `per_sample` is `1 / (1 + mean distance)` of each picture with a pair in `S=`. Extras:
        `accuracies`, `distances` and `distance_images` (those of `S=`, and the number of the picture of each),
        `image_ids` (of `per_sample`), `mean_distance`, `same_pairs`, `different_pairs` and `dropped_pairs` (both right,
        one right, none right), `constant_maps`; with `net` also `seed_distance` and `data_and_seed_distance`.

    Raises
    ------
    ValueError : no two models are right about one picture; `net` with a `CrossTraining` of one seed.

    Cost
    ----
    `k` trainings (`2 k` with `net`), and each picture is explained by `k` (`2 k`) models.

    Departs
    -------
    A map that is the same everywhere agrees with none (`xsparks.numerics.map_distances`), where the published code
    drops it. Parts are stratified, and need not divide the data evenly. The tables of the paper hold values below 1/2,
    which its formula with `1 - |rho|` cannot give: compare orders of methods with them, not values.

    Example
    -------
    >>> from xsparks.metrics import InputMap
    >>> x, y = np.random.default_rng(0).random((12, 4, 4, 1)), np.arange(12) % 2
    >>> def train(x_train, y_train, x_test, y_test):
    ...     return lambda x: np.stack([np.ones(len(x)), np.zeros(len(x))], axis=1)
    >>> float(MeGe(train, x, y, k_splits=3, progress=False).evaluate(InputMap))
    1.0

    Source
    ------
    T. Fel, D. Vigouroux, R. Cadène, T. Serre, "How Good is your Explanation? Algorithmic Stability Measures to Assess
    the Quality of Explanations for Deep Neural Networks", WACV 2022, equation 5, https://arxiv.org/abs/2009.04521
    """

    net: bool = False

    better: ClassVar[str] = "higher"

    def check(self) -> None:
        """Refuses to separate the seed from the data where there is one seed."""
        if not isinstance(self.net, bool):
            raise TypeError(
                wording(
                    f"MeGe(net={self.net!r})",
                    expected="`net` must be True or False",
                    received=repr(self.net),
                    remedy="Use True to subtract what the seed alone does.",
                )
            )
        if self.net and not self.cross_training.compare_seeds:
            raise ValueError(
                wording(
                    "MeGe(net=True)",
                    expected="the CrossTraining must have trained from two seeds",
                    received="one",
                    remedy="Make it with compare_seeds=True; with the same folder the first models are used again.",
                )
            )

    def training_options(self) -> dict[str, Any]:
        """Two seeds where they are compared."""
        return {"compare_seeds": self.net}

    def measure(self, compared: ComparedMaps, scored: Callable[..., Score]) -> Score:
        """The mean distance of `S=`, and what it becomes picture by picture."""
        pairs = compared.pairs()
        sizes: dict[str, Any] = pairs.sizes
        if self.net:
            same, both, seed = compared.net_pairs()
            sizes |= {
                "data_and_seed_distance": both.sum() / max(1, len(both)),
                "seed_distance": seed.sum() / max(1, len(seed)),
            }
        else:
            same = pairs.of(pairs.right & pairs.other_right)
        distance = same.distance
        if not len(distance):
            raise ValueError(
                wording(
                    "MeGe.evaluate",
                    expected="the models must be right about some picture together",
                    received=f"accuracies {np.round(self.cross_training.accuracies_, 3).tolist()} on held-out pictures",
                    remedy="Train longer, or explain more pictures (samples=None).",
                )
            )

        def statistic(weights: np.ndarray) -> float | None:
            total = weights.sum()
            return None if total <= 0 else 1 / (1 + float(weights @ distance) / float(total))

        means, seen = same.mean_of_pictures(distance, len(compared.positions))
        return scored(
            1 / (1 + float(distance.mean())),
            1 / (1 + means),
            self.bounds(statistic, same),
            mean_distance=float(distance.mean()),
            distances=distance,
            distance_images=compared.positions[same.picture],
            image_ids=compared.positions[seen],
            **sizes,
        )
