"""What stands in the place of hidden pixels, where that may depend on which pixels are hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from ..core.checks import check_choice, check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..numerics.linear_imputation import impute
from .baselines import NAMES, as_baseline
from .noise import input_width, normal_noise


@dataclass(frozen=True)
class NoisyLinear:
    """Would a hidden pixel look like the ones around it?

    The noisy linear imputation of ROAD: every hidden pixel is the weighted mean of its neighbours, hidden or not (see
    `xsparks.numerics.linear_imputation.impute`), and noise is added. Unlike a constant, it does not show the network
    the outline of what was hidden, from which alone a class can be told. `baseline="imputed"` is this with its
    defaults. Images only.

    The published measure is the accuracy, not the score, after ever more pixels are removed:

        def accuracy(forward, inputs, targets):
            return tf.cast(tf.argmax(forward(inputs), axis=1) == targets, tf.float32)

        Deletion(model, images, labels, operator=accuracy, baseline="imputed", steps=9, max_fraction=0.9)

    Parameters
    ----------
    noise : the standard deviation, as a fraction of the input range; drawn for each step of a path, the same for all
        samples.

    Cost
    ----
    Some 30 milliseconds for each image of 224 x 224 pixels on two cores of a CPU, where MobileNetV2 takes 10, and 20
    images of working memory for each of a batch.

    Departs
    -------
    The published imputation factorises the same system exactly, 200 milliseconds an image. An image of which nothing
    is left is its mean colour; there the published one is not defined.

    Source
    ------
    Y. Rong, T. Leemann, V. Borisov, G. Kasneci, E. Kasneci, "A Consistent and Efficient Evaluation Strategy for
    Attribution Methods", ICML 2022, https://arxiv.org/abs/2202.00449
    """

    noise: float = 0.01

    def __post_init__(self) -> None:
        check_number("NoisyLinear", "noise", self.noise, 0, 1, "Use 0.01.")


class Filling(NamedTuple):
    """How hidden pixels are filled.

    prepare : `inputs (m, ...) -> reference`, a tree `(m, ...)`, once a sample.
    fill : `(inputs (b, ...), hidden, reference, index (b,)) -> (b, ...)`; `hidden` is bool and spreads over inputs.
    """

    prepare: Callable[[Any], Any]
    fill: Callable[[Any, Any, Any, Any], Any]


def as_filling(
    baseline: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None, where: str
) -> Filling:
    """What hidden pixels become: all that `as_baseline` takes, `"imputed"`, or a `NoisyLinear`.

    Example
    -------
    >>> filling = as_filling("imputed", Layout((1, 3, 1)), 0, (0.0, 1.0), "Deletion")
    >>> image, hidden = tf.constant([[[[0.2], [0.9], [0.4]]]]), tf.constant([[[[False], [True], [False]]]])
    >>> filled = filling.fill(image, hidden, filling.prepare(image), tf.constant([0]))
    >>> abs(float(filled[0, 0, 1, 0]) - 0.3) < 0.05
    True
    """
    if isinstance(baseline, str):
        check_choice(where, "baseline", baseline, (*NAMES, "imputed"))
    linear = NoisyLinear() if isinstance(baseline, str) and baseline == "imputed" else baseline
    if not isinstance(linear, NoisyLinear):
        function = as_baseline(baseline, layout, seed, input_range, where)
        if callable(baseline) or (isinstance(baseline, str) and baseline not in ("zero", "middle")):
            return Filling(function, lambda inputs, hidden, reference, index: tf.where(hidden, reference, inputs))
        # One for all samples: nothing is gathered for the items of a batch.
        return Filling(
            lambda inputs: (),
            lambda inputs, hidden, reference, index: tf.where(hidden, function(tf.zeros((1, *layout.shape))), inputs),
        )
    if not layout.is_image:
        raise ValueError(
            wording(
                f"{where}(baseline='imputed')",
                expected="samples must be images (h, w, c)",
                received=f"shape {layout.shape}",
                remedy="Use 'zero' or 'mean'.",
            )
        )

    def fill(inputs: Any, hidden: Any, reference: Any, index: Any) -> Any:
        turned = layout.channels_first
        images, places = (tf.transpose(each, (0, 2, 3, 1)) if turned else each for each in (inputs, hidden))
        found = impute(images, places)
        found = tf.transpose(found, (0, 3, 1, 2)) if turned else found
        if linear.noise:
            found += linear.noise * input_width(inputs, input_range) * normal_noise(layout, seed, index)
        return tf.where(hidden, found, inputs)

    return Filling(lambda inputs: (), fill)
