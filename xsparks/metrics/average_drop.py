"""Average drop (Chattopadhay et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .masked_score import MaskedScore


@dataclass(frozen=True, eq=False, kw_only=True)
class AverageDrop(MaskedScore):
    """How much of the score is lost when only what the map shows is left?

    With `Y` the score of the sample and `O` that of the sample multiplied with its map,

        max(0, Y - O) / Y.

    Lower is better. It is quick and much reported, and favours maps that show nearly everything: a map of ones but for
    one pixel loses nothing, and the reverse of a good map that is low nearly everywhere may lose less than that map.
    Never use it alone, but beside `AverageGain`, and Deletion and Insertion, which ask for the order alone.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    baseline : what is where the map is lowest; see `MaskedScore`, also for maps that are constant or signed.
    score : `"probability"` or `"logit"`.

    Returns
    -------
    score : a `Score` with one value a sample, from 0; at most 1 for probabilities.

    Cost
    ----
    One forward a sample behind its map, one as it is, which all methods of a benchmark share, and one for its target.

    Departs
    -------
    A share, not per cent. Where `Y` is 0 or negative there is nothing to lose, and the value is 0.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[0.6], [0.3]]]], dtype="float32")
    >>> model = lambda x: x[:, 0, :1, 0] - x[:, 0, 1:, 0] / 2
    >>> metric = AverageDrop(model, images, [0])
    >>> [round(float(metric(np.array([[weights]]))), 2) for weights in ([1.0, 0.0], [0.0, 1.0])]
    [0.0, 1.33]

    Source
    ------
    A. Chattopadhay, A. Sarkar, P. Howlader, V. N. Balasubramanian, "Grad-CAM++: Generalized Gradient-Based Visual
    Explanations for Deep Convolutional Networks", WACV 2018, section 4.1, https://arxiv.org/abs/1710.11063
    """

    better: ClassVar[str] = "lower"
    exempt: ClassVar[dict[str, str]] = {
        "direction": "it rewards maps that show much: the reverse of a right map that is low nearly everywhere shows "
        "nearly everything, and may lose less",
        "seed": "nothing is drawn but the noise of baseline='noise'",
    }

    def compared(self, whole: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """The share of the score that is lost; none of a score that is not positive."""
        loss = np.maximum(0, whole - shown)
        return np.divide(loss, whole, out=np.zeros_like(loss), where=whole > 0)
