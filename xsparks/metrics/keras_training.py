"""Training a Keras model on each part of a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from ..core.checks import check_integer
from ..core.errors import ModelError, wording


@dataclass(frozen=True, eq=False, kw_only=True)
class KerasTraining:
    """How is a Keras model trained on one part of the data, if `fit` does it?

    Turns a function that builds a model into the function that `CrossTraining`, `MeGe` and `ReCo` want. The model of
    each part starts from the same weights, as every part is trained from the same seed. The held-out part is not looked
    at; to stop early by it, write the function yourself.

    Parameters
    ----------
    build : a function without arguments that returns a new compiled model.
    epochs, batch_size : those of `fit`.
    fit : further arguments of `fit`, by name, such as `{"callbacks": [...]}`. A callback is used for every part.

    Returns
    -------
    model : the trained model, when called with `(x_train, y_train, x_test, y_test)`.

    Raises
    ------
    ModelError : `build` returns no Keras model, or one that is not compiled.

    Example
    -------
    >>> import numpy as np
    >>> def build():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x, y = np.eye(2, dtype="float32"), np.ones((2, 1), "float32")
    >>> KerasTraining(build, epochs=1)(x, y, x, y).count_params()
    3
    """

    build: Callable[[], Any] = field(kw_only=False)
    epochs: int = 1
    batch_size: int = 32
    fit: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_integer(where, "epochs", self.epochs, 1, "Use 10.")
        check_integer(where, "batch_size", self.batch_size, 1, "Use 32.")
        if not callable(self.build) or isinstance(self.build, keras.Model):
            raise TypeError(
                wording(
                    where,
                    expected="`build` must be a function that returns a new compiled model",
                    received=type(self.build).__name__,
                    remedy="A model that is trained already would be trained on: build it within the function.",
                )
            )

    def __call__(self, x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Any:
        """A new model, trained."""
        model = self.build()
        if not isinstance(model, keras.Model) or not getattr(model, "compiled", False):
            kind = "a Keras model that is not compiled" if isinstance(model, keras.Model) else type(model).__name__
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="`build` must return a compiled Keras model",
                    received=kind,
                    remedy="Call model.compile(optimizer, loss) before it is returned.",
                )
            )
        model.fit(x_train, y_train, **{"verbose": 0, **self.fit}, epochs=self.epochs, batch_size=self.batch_size)
        return model
