"""How an image would have to look to be of another class: along the direction of optimal transport."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from sklearn.neighbors import NearestNeighbors

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.inputs import Reader
from ..engine import Bound, Loop, queries
from ..engine.session import OnModel
from ..models.operators import check_classes, resolve_targets
from .transport import to_zero

# Of the first margin, below which a point counts as on the boundary.
_THERE = 1e-4
_GROUP = 256

Carry = dict[str, Any]


class Counterfactuals(NamedTuple):
    """Images of other classes, and what they are worth.

    images : `(n, ...)`, the counterfactuals.
    boundary : `(n, ...)`, the points at the boundary on the way to them; where none was found, the last that was tried.
    predicted : `(n,)`, the class before.
    toward : `(n,)`, the class that was asked for.
    reached : `(n,)`, the class of `images`.
    valid : `(n,)` bool, whether that is the one that was asked for.
    distances : `(n,)`, Euclidean, from the image to the counterfactual: the smaller, the nearer.
    realism : `(n,)`, the mean distance of the counterfactual to its nearest reference images over that of the image
        itself to its own: 1 is as real, 2 is twice as far from anything seen; None without reference images.
    """

    images: np.ndarray
    boundary: np.ndarray
    predicted: np.ndarray
    toward: np.ndarray
    reached: np.ndarray
    valid: np.ndarray
    distances: np.ndarray
    realism: np.ndarray | None


@dataclass(frozen=True, eq=False, kw_only=True)
class TransportCounterfactuals(OnModel):
    """How would this image have to look for the model to see another class?

    With `d = f_c - f_j`, by which the class leads, and its gradient g, steps

        x <- x - d(x) g / |g|^2

    lead to the boundary `d = 0`: in one step where the margin is linear, and, for a network trained as an optimal
    transport with gradients of norm 1, in one step too, which is the paper's `x - d g`. Where gradients are shorter, as
    after shortcuts, one step falls short, and more follow. The image then goes on along that line, `strength` times as
    far as the boundary.

    Use it on 1-Lipschitz networks, where the direction has a meaning; on conventional ones it is an adversarial attack.

    Parameters
    ----------
    model : a classifier of two or more logits.
    strength : 1 is the boundary, 2 as far beyond as the image was before; the paper shows 5 to 10.
    steps : to the boundary, at most.
    neighbours : reference images that count for the realism.

    Returns
    -------
    found : `explain` gives `Counterfactuals`, in the space of the inputs before `preprocess`, not cut to any range.

    Raises
    ------
    ModelError : a model without classes.
    ValueError : options out of range, classes that are not there.

    Cost
    ----
    `steps` forward and backward passes a sample at most, and 2 forwards.

    Departs
    -------
    The paper takes one step; steps that repeat are those of DeepFool for two classes.

    Example
    -------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
    >>> model.set_weights([np.eye(2)])
    >>> found = TransportCounterfactuals(model, strength=2.0).explain(np.array([[3.0, 1.0]]))
    >>> found.boundary.round(3).tolist(), found.images.round(3).tolist(), found.valid.tolist()
    ([[2.0, 2.0]], [[1.0, 3.0]], [True])

    Source
    ------
    M. Serrurier et al., "On the explainable properties of 1-Lipschitz Neural Networks: An Optimal Transport
    Perspective", NeurIPS 2023, proposition 2, https://arxiv.org/abs/2206.06854; S.-M. Moosavi-Dezfooli, A. Fawzi, P.
    Frossard, "DeepFool", CVPR 2016, https://arxiv.org/abs/1511.04599, for the steps.
    """

    strength: float = 1.1
    steps: int = 20
    neighbours: int = 5

    def check(self) -> None:
        """Checks the options."""
        where = type(self).__name__
        check_number(where, "strength", self.strength, 0, remedy="Use 1.1, just across the boundary.")
        check_integer(where, "steps", self.steps, 1, "Use 20.")
        check_integer(where, "neighbours", self.neighbours, 1, "Use 5.")

    def explain(self, inputs: Any, toward: Any = None, reference: Any = None) -> Counterfactuals:
        """The counterfactuals of these inputs.

        Parameters
        ----------
        inputs : `(n, ...)`, of any kind that explainers take.
        toward : the class to be reached, one for all or `(n,)`; None for the next one of each image.
        reference : images `(m, ...)` that are real, for the realism.
        """
        where = f"{type(self).__name__}.explain"
        reader = Reader(inputs, None, self._sample_rank(inputs), where)
        self.access.ensure_ready(self._checked(reader.peek()))
        parts = []
        while (samples := reader.read(_GROUP)) is not None:
            asked = toward[samples.start : samples.start + len(samples)] if np.ndim(toward) else toward
            parts.append(self._group(self._checked(samples.inputs, samples.start), asked, samples.start, where))
        originals, *found = (np.concatenate(part) for part in zip(*parts, strict=True))
        images, boundary, predicted, aims, reached = found
        shift = (images - originals).reshape(len(images), -1)
        return Counterfactuals(
            images=images,
            boundary=boundary,
            predicted=predicted,
            toward=aims,
            reached=reached,
            valid=reached == aims,
            distances=np.linalg.norm(shift, axis=1),
            realism=None if reference is None else self._realism(originals, images, reference),
        )

    def _group(self, originals: Any, toward: Any, start: int, where: str) -> tuple[np.ndarray, ...]:
        outputs = np.asarray(self.engine.predict(originals))
        check_classes(outputs, where)
        predicted = outputs.argmax(axis=1).astype(np.int32)
        if toward is None:
            aims = np.argsort(outputs, axis=1)[:, -2].astype(np.int32)
        else:
            asked = np.full(len(outputs), toward) if not np.ndim(toward) else np.asarray(toward)
            aims = resolve_targets(asked, outputs, self.engine.operator, where, start)
        pairs = np.stack([predicted, aims], axis=1)
        boundary = np.asarray(self.engine.run(self._loop, originals, pairs)["point"])
        images = originals + np.float32(self.strength) * (boundary - originals)
        reached = np.asarray(self.engine.predict(images)).argmax(axis=1)
        return originals, images, boundary, predicted, aims, reached

    @cached_property
    def _loop(self) -> Loop:
        return Loop(
            steps=self.steps,
            start=lambda inputs, side: {
                "point": inputs,
                "first": tf.zeros(tf.shape(inputs)[:1]),
                "done": tf.zeros(tf.shape(inputs)[:1], tf.bool),
            },
            step=self._step,
            finish=lambda carry, inputs, side: {"point": carry["point"]},
            done=lambda carry: carry["done"],
            backward=True,
        )

    def _step(self, bound: Bound, operator: Any, carry: Carry, targets: Any, index: Any) -> Carry:
        answered = queries.score_and_gradient(bound, _lead, carry["point"], targets)
        lead = answered["score"]
        first = tf.where(index == 0, lead, carry["first"])
        # Toward the class that it is of there is no lead, and nothing has to change.
        done = carry["done"] | (tf.abs(lead) <= _THERE * tf.abs(first))
        moved = carry["point"] - to_zero(lead, answered["gradient"])
        kept = tf.reshape(done, (-1, *[1] * (len(moved.shape) - 1)))
        return {"point": tf.where(kept, carry["point"], moved), "first": first, "done": done}

    def _realism(self, originals: np.ndarray, images: np.ndarray, reference: Any) -> np.ndarray:
        known = np.asarray(reference, np.float32).reshape(len(reference), -1)
        if len(known) <= self.neighbours or known.shape[1] != images[0].size:
            raise ValueError(
                wording(
                    f"{type(self).__name__}.explain",
                    expected=f"`reference` must be more than {self.neighbours} images of the shape of the inputs",
                    received=f"shape {np.shape(reference)}",
                    remedy="Pass training images, or fewer neighbours.",
                )
            )
        nearest = NearestNeighbors(n_neighbors=self.neighbours + 1).fit(known)

        def away(points: np.ndarray) -> np.ndarray:
            lengths = nearest.kneighbors(points.reshape(len(points), -1))[0]
            # An image that is a reference image itself is no neighbour of its own.
            same = lengths[:, 0] <= 1e-6 * np.maximum(lengths[:, -1], 1e-30)
            return np.where(same, lengths[:, 1:].mean(axis=1), lengths[:, :-1].mean(axis=1))

        return away(images) / np.maximum(away(originals), 1e-30)


def _lead(forward: Any, inputs: Any, pairs: Any) -> Any:
    """By how much the first class of a pair leads the second."""
    both = tf.gather(forward(inputs), tf.cast(pairs, tf.int32), batch_dims=1)
    return both[:, 0] - both[:, 1]
