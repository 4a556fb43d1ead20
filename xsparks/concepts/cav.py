"""Concept activation vectors (Kim et al. 2018)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from ..core.checks import check_number
from ..core.randomness import generator

# Names the draws of this file among all that use the same seed.
_DRAW = 353
# Of the examples, which are kept to see whether the vector tells them apart.
_HELD = 1 / 3


class CAV(NamedTuple):
    """In which direction of a layer lies a concept?

    vector : `(p,)`, of length 1, from the random examples to those of the concept.
    accuracy : the share of held-out examples that it tells apart; 1/2 is chance, and such a vector means nothing.
    """

    vector: np.ndarray
    accuracy: float


def concept_activation_vector(
    concept: np.ndarray, random: np.ndarray, regularization: float = 1.0, seed: int = 0, draw: int = 0
) -> CAV:
    """The normal of the plane that separates the activations of a concept from random ones, by logistic regression.

    A third of the examples of each kind is held out for `accuracy`. Activations are divided by their root mean square
    first, so that the regularization means the same at every layer.

    Parameters
    ----------
    concept, random : `(n, p)` and `(m, p)`, 2 or more of each.
    regularization : weight of the penalty on the squared length, above 0.
    seed, draw : of the examples that are held out.

    Example
    -------
    >>> rows = np.random.default_rng(0).normal(size=(60, 3))
    >>> found = concept_activation_vector(rows[:30] + [4, 0, 0], rows[30:])
    >>> bool(found.vector[0] > 0.9), found.accuracy > 0.8
    (True, True)

    Source
    ------
    B. Kim, M. Wattenberg, J. Gilmer, C. Cai, J. Wexler, F. Viegas, R. Sayres, "Interpretability Beyond Feature
    Attribution: Quantitative Testing with Concept Activation Vectors (TCAV)", ICML 2018, section 3.2,
    https://arxiv.org/abs/1711.11279
    """
    check_number("concept_activation_vector", "regularization", regularization, 1e-12, remedy="Use 1.")
    shuffle = generator(seed, _DRAW, draw)
    kinds = [rows[shuffle.permutation(len(rows))] for rows in (np.asarray(concept), np.asarray(random))]
    held = [max(1, round(_HELD * len(rows))) for rows in kinds]
    shown, told = (
        np.concatenate([rows[part] for rows, part in zip(kinds, parts, strict=True)])
        for parts in ([slice(number, None) for number in held], [slice(None, number) for number in held])
    )
    scale = float(np.sqrt(np.mean(shown**2))) or 1.0
    labels = np.repeat([1, 0], [len(rows) - number for rows, number in zip(kinds, held, strict=True)])
    model = LogisticRegression(C=1 / regularization, max_iter=1000).fit(shown / scale, labels)
    normal = model.coef_[0]
    length = float(np.linalg.norm(normal))
    accuracy = float(model.score(told / scale, np.repeat([1, 0], held)))
    return CAV(normal / length if length else normal, accuracy)
