"""One training step of a Keras model with the harmonization loss, traced on a view of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ..core.errors import ModelError, wording
from .harmonization_loss import WHERE, _HarmonizedBatch, _Recipe, _Tracked
from .human_maps import label_of, read_targets


class _HarmonizedView:
    """A view of a Keras model: of its class, with the same attributes, whose call also explains.

    State is passed by the view, which lives for one trace. Nothing is set on the model, so replicas may trace it in
    threads.
    """

    _batch: Any

    def __call__(self, inputs: Any, *arguments: Any, **options: Any) -> Any:
        parent: Any = super()
        call = parent.__call__
        batch = self._batch
        if batch.loss is not None:
            return call(inputs, *arguments, **options)
        if batch.recipe.inference:
            # First, so that the losses of layers are those of the pass that trains.
            batch.explain(lambda given: call(given, training=False), inputs)
            return call(inputs, *arguments, **options)
        return batch.explain(lambda given: call(given, *arguments, **options), inputs)

    def compute_loss(self, *arguments: Any, **options: Any) -> Any:
        """The loss of the model and the weighted harmonization loss."""
        parent: Any = super()
        loss = parent.compute_loss(*arguments, **options)
        return loss + tf.cast(self._batch.weighted(), loss.dtype) if self._batch.loss is not None else loss


def _views_of(kind: type) -> type:
    # A slot keeps the step out of the attributes, which the view and the model share.
    return type(kind.__name__, (_HarmonizedView, kind), {"__slots__": ("_batch",), "__module__": kind.__module__})


def _view(views: type, model: Any, batch: _HarmonizedBatch) -> Any:
    view = object.__new__(views)
    object.__setattr__(view, "__dict__", vars(model))
    object.__setattr__(view, "_batch", batch)
    return view


def harmonized_train_step(model: Any, recipe: _Recipe, tracked: _Tracked) -> Callable[[Any], Any]:
    """The training step of a model with the loss added, for targets with human maps."""
    views = _views_of(type(model))

    def train_step(data: Any) -> Any:
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        batch = _HarmonizedBatch(recipe, tracked, read_targets(targets, WHERE))
        logs = _view(views, model, batch).train_step((inputs, batch.targets.label, label_of(sample_weight)))
        if not batch.added:
            raise ModelError(
                wording(
                    WHERE,
                    expected="the training step must call the model and then self.compute_loss",
                    received=f"a train_step of {type(model).__name__} that does not",
                    remedy="Let it call self(x, training=True) and self.compute_loss(x, y, y_pred, sample_weight).",
                )
            )
        # Several replicas would log the means of their own means, and Keras would then do the same to its own.
        return logs if tf.distribute.get_strategy().num_replicas_in_sync > 1 else {**logs, **tracked.result()}

    return train_step


def plain_test_step(model: Any) -> Callable[[Any], Any]:
    """The test step of a model, for targets with and without human maps, which it leaves out."""
    original = model.test_step

    def test_step(data: Any) -> Any:
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return original((inputs, label_of(targets), label_of(sample_weight)))

    return test_step
