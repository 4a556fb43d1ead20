"""RobustnessSr (Hsieh et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.layout import Layout
from ..engine import Measurement
from .robustness import Robustness


@dataclass(frozen=True, eq=False, kw_only=True)
class RobustnessSr(Robustness):
    """How little must the pixels that a map calls important change for another decision?

    `min |d|_2` such that `argmax f(x + d)` is another class, with `d` zero but on `S_r`, the fraction `r` of the pixels
    that the map puts first; the measure is the mean over levels `r`. Lower is better: where relevant pixels are found,
    a small change of them is enough. No baseline is needed, and no image with holes; but the distance is that of an
    attack, which bounds the true one from above. `RobustnessNotSr` changes the other pixels.

    Parameters
    ----------
    model, inputs, targets : as for `explain`; the class that must change is the one that the model predicts.
    levels : the fractions `r`, rising.
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
    A forward and backward pass a step, of at most `levels * (8 + bisections) * attack_steps` steps; an attack that
    succeeds ends at once, and some half of the steps is common. Some ten copies of each image in flight.

    Departs
    -------
    The attack descends on the margin to the next class, which is exact on linear models of two classes; `loss="score"`
    is that of the published code. The first radius is what a linear model would need. Radii are halved in the
    logarithm, a success counts with the length of its change instead of the radius, and each level begins with what
    the one before found, so that the curve never rises. A level has one pixel at least.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> weights = tf.constant([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    >>> metric = RobustnessSr(lambda x: x @ weights, np.array([[2.0, 1.0, 0.5]], "float32"), levels=[0.34, 0.67])
    >>> metric(np.array([[1.0, 0.5, 0.0]])).curve[1].round(2).tolist()
    [[0.67, 0.4]]

    Source
    ------
    C.-Y. Hsieh, C.-K. Yeh, X. Liu, P. Ravikumar, S. Kim, S. Kumar, C.-J. Hsieh, "Evaluations and Methods for
    Explanation through Robustness Analysis", ICLR 2021, section 2, https://arxiv.org/abs/2006.00442
    """

    better: ClassVar[str] = "lower"

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The shortest change of the relevant pixels."""
        return (self.shortest_change(layout, outputs, relevant=True),)
