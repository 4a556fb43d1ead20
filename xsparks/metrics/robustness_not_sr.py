"""RobustnessNotSr (Hsieh et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import Measurement
from .robustness import Robustness


@dataclass(frozen=True, eq=False, kw_only=True)
class RobustnessNotSr(Robustness):
    """How much must the pixels that a map calls unimportant change for another decision?

    `min |d|_2` such that `argmax f(x + d)` is another class, with `d` zero on `S_r`, the fraction `r` of the pixels
    that the map puts first; the measure is the mean over levels `r`. Higher is better: without the relevant pixels it
    takes a large change. It is the complement of `RobustnessSr`, whose caveats it shares.

    Parameters
    ----------
    model, inputs, targets : as for `explain`; the class that must change is the one that the model predicts.
    levels : the fractions `r` that stay as they are, rising.
    attack_steps, step_size, bisections, tolerance, start_radius, loss, value_range : the search; see `Robustness`.
    score : says nothing here, as a decision is the same on logits and probabilities.

    Returns
    -------
    score : a `Score` in the unit of the inputs, its curve over the levels. `.failures` `(n,)` is at how many levels no
        change was found; there the distance is `|x|_2`, the length of the image, beyond which none is looked for.

    Raises
    ------
    ModelError : a model without gradients, or without a second class.
    ValueError, TypeError : options out of range; an image of zeros; maps that do not fit.

    Cost
    ----
    That of `RobustnessSr`.

    Departs
    -------
    As `RobustnessSr` does; levels are searched from the largest to the smallest, and the curve never falls.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> weights = tf.constant([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    >>> metric = RobustnessNotSr(lambda x: x @ weights, np.array([[2.0, 1.0, 0.5]], "float32"), levels=[0.34])
    >>> float(metric(np.array([[1.0, 0.5, 0.0]]))) < float(metric(np.array([[0.5, 1.0, 0.0]])))
    True

    Source
    ------
    C.-Y. Hsieh, C.-K. Yeh, X. Liu, P. Ravikumar, S. Kim, S. Kumar, C.-J. Hsieh, "Evaluations and Methods for
    Explanation through Robustness Analysis", ICLR 2021, section 2, https://arxiv.org/abs/2006.00442
    """

    better: ClassVar[str] = "higher"

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The shortest change of the other pixels."""
        return (self.shortest_change(layout, outputs, relevant=False),)
