"""Testing with concept activation vectors (Kim et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import stats

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import NotFittedError, wording
from ..core.inputs import Reader
from ..core.progress import progress_bar
from ..core.randomness import generator
from ..engine import Plan, Score, queries, reducers
from ..engine.record import settings_of, versions
from ..engine.rows import as_tensors
from ..engine.schedule import group_size
from ..engine.session import OnModel
from .cav import CAV, concept_activation_vector

# Names the draws of this file among all that use the same seed.
_DRAW = 359
POOLINGS = ("mean", "flatten")


@dataclass(frozen=True, eq=False, kw_only=True)
class TCAV(OnModel):
    """Does a concept that you have examples of speak for a class?

    At a layer, vectors `v` point from random images to images of the concept (`fit`). With the score `h` of a class as
    a function of the layer's answer `a`, its score rises along `v` where `grad h(a) . v > 0`; the TCAV score is

        the share of images x of the class with grad h(g(x)) . v > 0,

    the mean over vectors against `runs` sets of random images. Any vector has some score: random ones, from a random
    set to another, say which scores are none. The concept counts where the two differ beyond chance (`p_value`).

    Use it for a concept that people name, of which some 30 to 200 images are at hand; CRAFT finds concepts without.
    Look at `accuracy` first: what the layer does not tell apart cannot be tested there. The share says nothing about
    how much a concept counts.

    Parameters
    ----------
    model : a Keras model.
    layer : a name, a dotted path, a position or the layer.
    runs : sets of random images, hence vectors; 10 to 30.
    pooling : `"mean"` over places (small, and the concept counts wherever it is), or `"flatten"`, as published.
    regularization : of the vectors; see `concept_activation_vector`.

    Returns
    -------
    score : `evaluate` gives a `Score`, one value a vector; `.p_value` (two-sided), `.random_scores (runs,)`,
        `.accuracy (runs,)`, `.sensitivities (n, runs)`.

    Raises
    ------
    NotFittedError : `evaluate` before `fit`.
    ValueError : fewer than 3 examples, or fewer than twice as many random images.

    Cost
    ----
    `fit`: a forward an example, and `2 runs` logistic regressions. `evaluate`: a forward and a backward an image.

    Departs
    -------
    The test permutes the scores between concept and random vectors instead of a t-test: shares are near 0 or 1, and
    often all the same. Activations are averaged over places by default. Random sets are drawn from one pool.

    Example
    -------
    >>> import keras
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.ReLU(name="cut")(inputs))
    >>> draw = np.random.default_rng(0)
    >>> test = TCAV(keras.Model(inputs, outputs), layer="cut", runs=8)
    >>> test = test.fit(draw.random((30, 4)) + [2, 0, 0, 0], draw.random((90, 4)))
    >>> score = test.evaluate(draw.random((9, 4)), 0)
    >>> float(score), bool(score.accuracy.min() > 0.9)
    (1.0, True)

    Source
    ------
    B. Kim, M. Wattenberg, J. Gilmer, C. Cai, J. Wexler, F. Viegas, R. Sayres, "Interpretability Beyond Feature
    Attribution: Quantitative Testing with Concept Activation Vectors (TCAV)", ICML 2018,
    https://arxiv.org/abs/1711.11279
    """

    layer: Any
    runs: int = 20
    pooling: str = "mean"
    regularization: float = 1.0

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "runs", self.runs, 2, "Use 20.")
        check_choice(name, "pooling", self.pooling, POOLINGS)
        check_number(name, "regularization", self.regularization, 1e-12, remedy="Use 1.")

    def fit(self, concept: Any, random: Any) -> TCAV:
        """Finds the vectors; returns itself.

        Parameters
        ----------
        concept : images of the concept, `(n, h, w, c)`.
        random : other images, twice as many or more; each run draws as many as there are of the concept.
        """
        name = f"{type(self).__name__}.fit"
        known, others = self._activations(concept), self._activations(random)
        size = len(known)
        if size < 3 or len(others) < 2 * size:
            raise ValueError(
                wording(
                    name,
                    expected="there must be 3 images of the concept at least, and twice as many random ones",
                    received=f"{size} and {len(others)}",
                    remedy="Pass more random images, or fewer of the concept.",
                )
            )
        vectors, chance = [], []
        for run in range(self.runs):
            # Two sets that share no image, for a vector that stands for nothing.
            drawn = others[generator(self.seed, _DRAW, run).permutation(len(others))]
            first, second = drawn[:size], drawn[size : 2 * size]
            vectors.append(concept_activation_vector(known, first, self.regularization, self.seed, run))
            chance.append(concept_activation_vector(second, first, self.regularization, self.seed, run))
        object.__setattr__(self, "_vectors", (vectors, chance))
        self._plans.clear()
        return self

    @property
    def vectors_(self) -> list[CAV]:
        """The vector of each run."""
        return self._known[0]

    @property
    def random_vectors_(self) -> list[CAV]:
        """The vector from one random set to another of each run."""
        return self._known[1]

    @property
    def _known(self) -> tuple[list[CAV], list[CAV]]:
        known = self.__dict__.get("_vectors")
        if known is None:
            raise NotFittedError(
                wording(
                    type(self).__name__,
                    expected="`fit` must come first",
                    received="no vectors yet",
                    remedy="Call tcav.fit(images_of_the_concept, random_images).",
                )
            )
        return known

    def evaluate(self, inputs: Any, targets: Any = None) -> Score:
        """The TCAV score of images of a class.

        Parameters
        ----------
        inputs : images of the class, `(n, h, w, c)`.
        targets : the class, or as for `explain`; None for the predicted ones.
        """
        vectors, chance = self._known
        table = np.stack([each.vector for each in (*vectors, *chance)], axis=1).astype(np.float32)
        found = self._asked(inputs, targets, "evaluate", lambda sample: self._slope_plan(table))
        slopes, random = np.split(found, 2, axis=1)
        scores, random_scores = (np.mean(each > 0, axis=0) for each in (slopes, random))
        return Score.from_samples(
            scores,
            "higher",
            type(self).__name__,
            self.seed,
            settings=settings_of(self),
            versions=versions(),
            extras={
                "p_value": _p_value(scores, random_scores, self.seed),
                "random_scores": random_scores,
                "accuracy": np.array([each.accuracy for each in vectors]),
                "sensitivities": slopes,
            },
        )

    def _activations(self, inputs: Any) -> np.ndarray:
        """The pooled activations of each input, `(n, p)`."""

        def plan(sample: Any) -> Plan:
            shape = self.engine.bind(sample).tap(self.layer)(tf.constant(self.engine.explained(sample)))[0].shape[1:]
            width = int(shape[-1] if self.pooling == "mean" else np.prod(shape))
            return self._plan(queries.activations(self.layer), self._pooled, width, False)

        return self._asked(inputs, None, "fit", plan)

    def _slope_plan(self, table: np.ndarray) -> Plan:
        """The derivative of the score along each vector, columns of `table (p, k)`."""

        def along(values: Any) -> Any:
            # A mean moves by v where every place does.
            return self._pooled(values["gradients"]) @ tf.constant(table)

        return self._plan(queries.activations_and_gradients(self.layer), along, table.shape[1], True)

    def _plan(self, query: Any, made: Any, width: int, backward: bool) -> Plan:
        return Plan(
            count=1,
            backward=backward,
            query=lambda bound, operator, inputs, targets: made(query(bound, operator, inputs, targets)),
            draw=lambda inputs, side, index: (inputs, ()),
            start=reducers.table(width),
            fold=reducers.total,
            finish=reducers.as_is,
        )

    def _pooled(self, values: Any) -> Any:
        if self.pooling == "flatten":
            return tf.reshape(values, (tf.shape(values)[0], int(np.prod(values.shape[1:]))))
        return tf.reduce_mean(values, axis=list(range(1, len(values.shape) - 1)))

    def _asked(self, inputs: Any, targets: Any, name: str, plan: Any) -> np.ndarray:
        """What a plan answers to every input."""
        where = f"{type(self).__name__}.{name}"
        reader = Reader(inputs, targets, self._sample_rank(inputs), where)
        first = self._checked(reader.peek())
        self.access.ensure_ready(first)
        shape = (name == "fit", *(int(size) for size in self.engine.explained(first).shape[1:]))
        parts = []
        with progress_bar(reader.count, where, self.progress, unit="image") as bar:
            while (samples := reader.read(group_size(1, self.engine.batch_size))) is not None:
                some = as_tensors(self._checked(samples.inputs, samples.start))
                aims = np.zeros(len(samples), np.int32)
                if name != "fit":
                    aims = self._answered(some, samples.targets, samples.start)[0]
                if shape not in self._plans:
                    self._plans[shape] = plan(_first(some))
                parts.append(np.asarray(self.engine.run(self._plans[shape], some, aims)))
                bar.update(len(samples))
        return np.concatenate(parts)


def _p_value(scores: np.ndarray, random: np.ndarray, seed: int) -> float:
    """How often would vectors of no concept differ as much, two-sided?"""
    return float(
        stats.permutation_test(
            (scores, random),
            lambda first, second, axis: np.mean(first, axis=axis) - np.mean(second, axis=axis),
            n_resamples=9999,
            vectorized=True,
            rng=generator(seed, _DRAW),
        ).pvalue
    )


def _first(inputs: Any) -> Any:
    return tf.nest.map_structure(lambda leaf: np.asarray(leaf[:1]), inputs)
