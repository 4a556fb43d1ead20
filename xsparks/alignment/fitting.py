"""The functions that one `fit` of a model runs instead of its own, and that leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..models.taps import replaced


class _Fitting:
    """The steps of one `fit`: in place for as long as that lasts, whatever ends it.

    Keras keeps the compiled functions of a model from one `fit` to the next, and calls no callback when one fails. So
    the functions are made of other steps here, without these staying on the model, and each runs only right after the
    callback was told that its batch begins. Called by anything else, as after an error, they give way to Keras' own.

    Parameters
    ----------
    model : a compiled Keras model.
    train_step, test_step : what its functions are made of meanwhile.
    """

    def __init__(self, model: Any, train_step: Callable[[Any], Any], test_step: Callable[[Any], Any]) -> None:
        self._model = model
        self._guarded: dict[str, _Guarded] = {}
        self.began = False
        for name, step in (("train", train_step), ("test", test_step)):
            with replaced(model, f"{name}_step", step):
                getattr(model, f"make_{name}_function")(force=True)
            function = getattr(model, f"{name}_function")
            self._guarded[name] = _Guarded(function, partial(self._plain, name), self.end)
            setattr(model, f"{name}_function", self._guarded[name])

    def admit(self, name: str) -> None:
        """The next call of the `"train"` or `"test"` function belongs to this `fit`."""
        self._guarded[name].admitted = True
        setattr(self._model, f"{name}_function", self._guarded[name])

    def _plain(self, name: str) -> Callable[[Any], Any]:
        self.end()
        getattr(self._model, f"make_{name}_function")()
        return getattr(self._model, f"{name}_function")

    def end(self) -> None:
        """Drops the functions; Keras makes its own anew."""
        for name, guarded in self._guarded.items():
            guarded.admitted = False
            if getattr(self._model, f"{name}_function") is guarded:
                setattr(self._model, f"{name}_function", None)


class _Guarded:
    """A train or test function that belongs to one `fit`."""

    def __init__(
        self, function: Callable[[Any], Any], plain: Callable[[], Callable[[Any], Any]], end: Callable[[], None]
    ) -> None:
        self._function, self._plain, self._end = function, plain, end
        self.admitted = False

    def __call__(self, iterator: Any) -> Any:
        if not self.admitted:
            return self._plain()(iterator)
        self.admitted = False
        try:
            return self._function(iterator)
        except StopIteration:  # the end of the data
            raise
        except BaseException:  # an interruption too
            self._end()
            raise
