"""Increase in confidence (Chattopadhay et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .masked_score import MaskedScore


@dataclass(frozen=True, eq=False, kw_only=True)
class AverageIncrease(MaskedScore):
    """How often does the score rise when only what the map shows is left?

    With `Y` the score of the sample and `O` that of the sample multiplied with its map, 1 where `O > Y` and else 0.
    Higher is better: what the map hides stood against the target. One image says nearly nothing, and a rise in the last
    digit counts as much as any; `AverageGain` tells how much it rises.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    baseline : what is where the map is lowest; see `MaskedScore`, also for maps that are constant or signed.
    score : `"probability"` or `"logit"`.

    Returns
    -------
    score : a `Score` with one value a sample, 0 or 1.

    Cost
    ----
    One forward a sample behind its map, one as it is, which all methods of a benchmark share, and one for its target.

    Departs
    -------
    A share, not per cent.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[0.6], [0.3]]]], dtype="float32")
    >>> model = lambda x: x[:, 0, :1, 0] - x[:, 0, 1:, 0] / 2
    >>> metric = AverageIncrease(model, images, [0])
    >>> [round(float(metric(np.array([[weights]]))), 2) for weights in ([1.0, 0.0], [0.0, 1.0])]
    [1.0, 0.0]

    Source
    ------
    A. Chattopadhay, A. Sarkar, P. Howlader, V. N. Balasubramanian, "Grad-CAM++: Generalized Gradient-Based Visual
    Explanations for Deep Convolutional Networks", WACV 2018, section 4.1, https://arxiv.org/abs/1710.11063
    """

    better: ClassVar[str] = "higher"
    exempt: ClassVar[dict[str, str]] = {
        "direction": "hiding parts of what adds up to a positive score cannot raise it, whatever the map",
        "seed": "nothing is drawn but the noise of baseline='noise'",
    }

    def compared(self, whole: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """1 where the score rises."""
        return (shown > whole).astype(np.float64)
