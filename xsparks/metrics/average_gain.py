"""Average gain (Zhang et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .masked_score import MaskedScore


@dataclass(frozen=True, eq=False, kw_only=True)
class AverageGain(MaskedScore):
    """How much of what the score lacks is gained when only what the map shows is left?

    With `Y` the probability of the target for the sample and `O` that for the sample multiplied with its map,

        max(0, O - Y) / (1 - Y).

    Higher is better. It is the counterpart of `AverageDrop`: no map that shows nearly everything has a good value.
    Samples of which the network is sure leave little to gain, so that few samples decide.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    baseline : what is where the map is lowest; see `MaskedScore`, also for maps that are constant or signed.
    score : `"probability"`, of which 1 is the most; `"logit"` and the values of a plain callable are taken as if 1 were
        the most of them, too.

    Returns
    -------
    score : a `Score` with one value a sample, in [0, 1] for probabilities.

    Cost
    ----
    One forward a sample behind its map, one as it is, which all methods of a benchmark share, and one for its target.

    Departs
    -------
    A share, not per cent. Where `Y` is 1 or more there is nothing to gain, and the value is 0.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[0.6], [0.3]]]], dtype="float32")
    >>> model = lambda x: x[:, 0, :1, 0] - x[:, 0, 1:, 0] / 2
    >>> metric = AverageGain(model, images, [0])
    >>> [round(float(metric(np.array([[weights]]))), 2) for weights in ([1.0, 0.0], [0.0, 1.0])]
    [0.27, 0.0]

    Source
    ------
    H. Zhang, F. Torres, R. Sicre, Y. Avrithis, S. Ayache, "Opti-CAM: Optimizing Saliency Maps for Interpretability",
    2023, https://arxiv.org/abs/2301.07002
    """

    better: ClassVar[str] = "higher"
    exempt: ClassVar[dict[str, str]] = {
        "direction": "hiding parts of what adds up to a positive score cannot raise it, whatever the map",
        "seed": "nothing is drawn but the noise of baseline='noise'",
    }

    def compared(self, whole: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """The share of what is lacking that is gained; none of a score that lacks nothing."""
        gain = np.maximum(0, shown - whole)
        return np.divide(gain, 1 - whole, out=np.zeros_like(gain), where=whole < 1)
