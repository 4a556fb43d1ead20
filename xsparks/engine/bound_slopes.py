"""Lower slopes of ReLUs by gradient descent on the bounds (alpha-CROWN)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ..models.bounds import Rectified
from .bound_stages import UNBOUNDED, opened
from .plan import Loop

if TYPE_CHECKING:
    from .verified_bounds import VerifiedBounds

RATE, FIRST_DECAY, SECOND_DECAY = 0.1, 0.9, 0.999


def slopes_loop(bounds: VerifiedBounds) -> Loop:
    """The stage that lowers the sum of the bounds of a sample on its first box.

    The line `a z <= max(z, 0)` holds for every slope `a` in [0, 1], so whatever is found is sound. The steps are those
    of Adam, entry by entry; the slopes of the lowest sum are kept, so that it never rises. Bounds before the
    activations stay as they are. All rows of a sample are in memory at once.
    """
    network = bounds.network
    free = [number for number in network.bends if isinstance(network.nodes[number].rule, Rectified)]

    def start(x: Any, side: Any) -> Any:
        known = opened(side)
        found = bounds.relaxed(bounds.first_boxes(x, known)[0], known)
        slopes = {str(number): found[str(number)][2] for number in free}
        none = tf.nest.map_structure(tf.zeros_like, slopes)
        return {
            "x": x,
            "given": known.given,
            "relaxations": found,
            "slopes": slopes,
            "best": slopes,
            "sum": tf.fill([tf.shape(x)[0]], UNBOUNDED),
            "mean": none,
            "square": none,
        }

    def sums(carry: Any, slopes: dict[str, Any], targets: Any) -> Any:
        relaxations = bounds.with_slopes(carry["relaxations"], slopes)
        place = tf.repeat(tf.range(bounds.specified)[None], tf.shape(carry["x"])[0], axis=0)
        weights = bounds.specification(place, targets, carry["given"])
        over = bounds.linear({network.output: weights}, relaxations, lambda w: bounds.over(w, carry, 1))
        return tf.reduce_sum(over, axis=(1, 2, 3))

    def step(bound: Any, operator: Any, carry: Any, targets: Any, index: Any) -> Any:
        slopes = carry["slopes"]
        with tf.GradientTape() as tape:
            tape.watch(slopes)
            total = sums(carry, slopes, targets)
        better = total < carry["sum"]
        steps = tf.cast(index + 1, tf.float32)
        best, mean, square, following = {}, {}, {}, {}
        for key, gradient in tape.gradient(total, slopes, unconnected_gradients=tf.UnconnectedGradients.ZERO).items():
            own = tf.reshape(better, (-1, *[1] * (len(gradient.shape) - 1)))
            best[key] = tf.where(own, slopes[key], carry["best"][key])
            mean[key] = FIRST_DECAY * carry["mean"][key] + (1 - FIRST_DECAY) * gradient
            square[key] = SECOND_DECAY * carry["square"][key] + (1 - SECOND_DECAY) * tf.square(gradient)
            along = mean[key] / (1 - FIRST_DECAY**steps)
            width = tf.sqrt(square[key] / (1 - SECOND_DECAY**steps)) + 1e-8
            following[key] = tf.clip_by_value(slopes[key] - RATE * along / width, 0.0, 1.0)
        lowest = tf.where(better, total, carry["sum"])
        return {**carry, "slopes": following, "best": best, "sum": lowest, "mean": mean, "square": square}

    return Loop(
        steps=bounds.steps,
        start=start,
        step=step,
        finish=lambda carry, x, side: opened(side)._replace(slopes=carry["best"], relaxations=carry["relaxations"]),
        # Never, but not by a constant: TensorFlow 2.21 folds such a loop in a graph of the user's to empty tensors.
        done=lambda carry: carry["sum"] < -UNBOUNDED,
        backward=True,
    )
