"""Training a model to look where people look: the harmonization of Fel et al., as a callback for `fit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import ModelError, wording
from ..models.access import ModelAccess
from ..numerics.human_distances import cosine_distance, soft_rank_distance
from ..numerics.pyramid import STANDARDISATIONS, pyramid_distance
from .fitting import _Fitting
from .harmonization_loss import SCORES, _Recipe, _Tracked
from .harmonized_step import harmonized_train_step, plain_test_step
from .human_maps import label_of
from .saliencies import SALIENCIES

DISTANCES = ("pyramid", "cosine", "soft_rank")


@dataclass(eq=False, kw_only=True)
class Harmonization(keras.callbacks.Callback):
    """How do I train a model that looks where people look?

    A callback for `model.fit(data, callbacks=[Harmonization()])`, where the targets of the data are
    `{"label": ..., "heatmap": ..., "has_heatmap": ...}`. In each training step the gradient of the label's logit by the
    image is compared with the human map, and what is apart is added to the loss that was compiled:

        loss = compiled loss + weight * mean over the samples of  has_heatmap * distance(saliency, heatmap)

    The compiled loss and metrics see the label alone, weights of samples and classes act on them alone, and losses on
    validation data hold no harmonization. Use it to train or to fine-tune a classifier with maps of what matters, such
    as clicks, gaze, boxes or masks. It needs a network with derivatives of second order: fused attention and some
    resizing have none.

    Parameters
    ----------
    weight : a number of at least 0; a function of the epoch, counted from 0, that returns one; or a Keras schedule of
        the optimizer's iterations. `callback.weight_variable.assign(...)` changes a number while `fit` runs.
    distance : `"pyramid"`, the published one, `"cosine"`, `"soft_rank"`, or a function `(saliency, heatmap) -> (n,)` of
        two tensors `(n, h, w)`.
    levels, standardisation, rescale_peak, epsilon : those of `pyramid_distance`. The published code has 5 levels (6 in
        the one that trained the published networks) and standardises the `"input"`, the paper each `"level"`.
    saliency : `"gradient"`, the published mean over the channels with its sign, `"absolute_gradient"`,
        `"gradient_input"`, or a function `(gradient, inputs) -> (n, h, w)` of two tensors `(n, h, w, c)`.
    mean_over : `"batch"` as published, so that a batch with few maps counts less, or `"maps"`, those of the batch, or
        of the part of it that a replica has.
    pass_of : `"training"` explains the pass that trains, as published, where batch normalisation and dropout are
        those of training, so that images of a batch influence each other's gradients; `"inference"` explains a second
        pass.
    output, explain_input : the name or the number of the explained output and input of several.
    score : what is explained: `"logit"` of the label, as published; `"log_odds"`, the logit less the log-sum-exp of the
        other logits; or a function `(output, label) -> (n,)`. A model can move the maps of logits without a change of
        what it decides, by what it adds to all logits alike; to wean it from a cue use the log-odds.

    Returns
    -------
    history : of `fit`, with `harmonization_loss`, the mean distance of the samples that have a map (0 without any), and
        `alignment`, Spearman's correlation of the absolute gradient and the map at no more than 32 x 32 places. `loss`
        is the sum that is minimised. With several replicas the callbacks that stand after this one see the two.

    Raises
    ------
    ValueError, TypeError : options out of range, other targets, maps of another size than the images.
    ModelError : a model that is not compiled, a score without gradients, a training step of one's own that does not
        call `compute_loss`.

    Cost
    ----
    A backward pass to the image and a derivative of that pass: about 3 times the time of a plain step, and the memory
    for the activations of both. `pass_of="inference"` adds a forward pass. `benchmarks/harmonization.py` measures it.

    Departs
    -------
    The published loss has decay of the weights inside; here the optimizer or the layers have it. The logged distance
    is that of the samples with maps.

    Example
    -------
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> targets = {"label": np.array([0, 1]), "heatmap": np.eye(8)[None].repeat(2, 0), "has_heatmap": np.ones(2)}
    >>> history = model.fit(np.ones((2, 8, 8, 3)), targets, verbose=0, callbacks=[Harmonization(levels=3)])
    >>> sorted(history.history)
    ['alignment', 'harmonization_loss', 'loss']

    Source
    ------
    T. Fel, I. Felipe, D. Linsley, T. Serre, "Harmonizing the object recognition strategies of deep neural networks
    with humans", NeurIPS 2022, https://arxiv.org/abs/2211.04533
    """

    weight: float | Callable[[int], float] | keras.optimizers.schedules.LearningRateSchedule = 1.0
    distance: str | Callable[[Any, Any], Any] = "pyramid"
    levels: int = 5
    standardisation: str = "input"
    rescale_peak: bool = True
    epsilon: float = 1e-5
    saliency: str | Callable[[Any, Any], Any] = "gradient"
    mean_over: str = "batch"
    pass_of: str = "training"
    output: Any = None
    explain_input: Any = None
    score: str | Callable[[Any, Any], Any] = "logit"
    _tracked: _Tracked | None = field(default=None, init=False, repr=False)
    _fitting: _Fitting | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        keras.callbacks.Callback.__init__(self)
        self.check()

    def check(self) -> None:
        """Whether the options are in range."""
        where = type(self).__name__
        if not callable(self.weight):
            check_number(where, "weight", self.weight, 0, remedy="Use 1.")
        if not callable(self.distance):
            check_choice(where, "distance", self.distance, DISTANCES)
        if not callable(self.saliency):
            check_choice(where, "saliency", self.saliency, SALIENCIES)
        if not callable(self.score):
            check_choice(where, "score", self.score, tuple(SCORES))
        check_integer(where, "levels", self.levels, 1, "Use 5.")
        check_choice(where, "standardisation", self.standardisation, STANDARDISATIONS)
        check_number(where, "epsilon", self.epsilon, 0, remedy="Use 1e-5.")
        check_choice(where, "mean_over", self.mean_over, ("batch", "maps"))
        check_choice(where, "pass_of", self.pass_of, ("training", "inference"))

    @property
    def weight_variable(self) -> Any:
        """The weight within the training step, a variable; None before the first `fit`."""
        return None if self._tracked is None else self._tracked.weight

    def attach(self, model: Any, data: Any) -> Any:
        """Builds what Keras builds on the first batch of a model under a distribution strategy, on the plain label.

        Under a strategy, `fit` builds the compiled loss, metrics and optimizer before any callback runs, and targets
        with maps would fail there. Call this once after `compile`.

        Parameters
        ----------
        model : a compiled Keras model.
        data : the data set that `fit` will get, batched, of which the shapes alone are read.

        Returns
        -------
        callback : this object, for `callbacks=[harmonization.attach(model, data)]`.
        """
        self._check_compiled(model)
        if not isinstance(data, tf.data.Dataset):
            raise TypeError(
                wording(
                    "Harmonization.attach",
                    expected="`data` must be a batched tf.data.Dataset",
                    received=type(data).__name__,
                    remedy="Use tf.data.Dataset.from_tensor_slices((images, targets)).batch(32).",
                )
            )
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data.element_spec)
        if any(leaf.dtype == tf.bool for leaf in tf.nest.flatten(targets)):
            raise TypeError(
                wording(
                    "Harmonization.attach",
                    expected="targets under a distribution strategy must be numbers, of which Keras takes means",
                    received="booleans",
                    remedy="Cast 'has_heatmap' to float32 in the data set.",
                )
            )
        with model.distribute_strategy.scope():
            # Keras has no public name for it; what it builds is what `fit` would build.
            model._symbolic_build(data_batch=(inputs, label_of(targets), label_of(sample_weight)))
        return self

    def set_model(self, model: Any) -> None:
        """Called by Keras before a model is trained."""
        keras.callbacks.Callback.set_model(self, model)
        self._check_compiled(model)
        self._let_go()
        recipe = self._recipe(model)
        with model.distribute_strategy.scope():
            tracked = _Tracked(
                weight=tf.Variable(
                    tf.zeros(()), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
                ),
                loss=keras.metrics.Mean(name="harmonization_loss"),
                alignment=keras.metrics.Mean(name="alignment"),
            )
        if not callable(self.weight):
            tracked.weight.assign(self.weight)
        self._tracked = tracked
        self._fitting = _Fitting(model, harmonized_train_step(model, recipe, tracked), plain_test_step(model))

    def _check_compiled(self, model: Any) -> None:
        if isinstance(model, keras.Model) and model.compiled:
            return
        raise ModelError(
            wording(
                type(self).__name__,
                expected="the model must be a compiled Keras model",
                received=type(model).__name__,
                remedy="Call model.compile(optimizer, loss) first.",
            )
        )

    def _recipe(self, model: Any) -> _Recipe:
        distances = {
            "pyramid": partial(
                pyramid_distance,
                levels=self.levels,
                standardisation=self.standardisation,
                rescale_peak=self.rescale_peak,
                epsilon=self.epsilon,
            ),
            "cosine": cosine_distance,
            "soft_rank": soft_rank_distance,
        }
        return _Recipe(
            saliency=self.saliency if callable(self.saliency) else SALIENCIES[self.saliency],
            distance=self.distance if callable(self.distance) else distances[self.distance],
            score=self.score,
            output=self.output,
            explain_input=self.explain_input,
            by_maps=self.mean_over == "maps",
            inference=self.pass_of == "inference",
            channels_first=ModelAccess(model).channels_first,
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras when `fit` starts."""
        if self._fitting is not None:
            self._fitting.began = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the means of the epoch, and sets the weight where that is a function of the epoch."""
        if self._tracked is not None:
            self._tracked.reset()
        if callable(self.weight) and not isinstance(self.weight, keras.optimizers.schedules.LearningRateSchedule):
            self._set(self.weight(epoch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Logs the means of the epoch, for the callbacks that follow."""
        if self._tracked is not None and logs is not None:
            logs.update({name: float(value) for name, value in self._tracked.result().items()})

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Lets the step of this callback run, and sets the weight where that is a schedule."""
        if self._fitting is not None:
            self._fitting.admit("train")
        if isinstance(self.weight, keras.optimizers.schedules.LearningRateSchedule):
            model: Any = self.model
            self._set(float(self.weight(model.optimizer.iterations)))  # pyright: ignore[reportArgumentType]

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Lets the test step of this callback run."""
        if self._fitting is not None:
            self._fitting.admit("test")

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the model as it was."""
        self._let_go()

    def on_test_end(self, logs: Any = None) -> None:
        """Leaves the model as it was, after `evaluate` outside of `fit`."""
        if self._fitting is not None and not self._fitting.began:
            self._let_go()

    def on_predict_begin(self, logs: Any = None) -> None:
        """Leaves the model as it was: predictions need nothing of this."""
        self.on_test_end()

    def _set(self, value: Any) -> None:
        checked = check_number(type(self).__name__, "weight", value, 0, remedy="Let it return 0 or more.")
        if self._tracked is not None:
            self._tracked.weight.assign(checked)

    def _let_go(self) -> None:
        if self._fitting is not None:
            self._fitting.end()
            self._fitting = None
