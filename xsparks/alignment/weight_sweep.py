"""How much alignment costs: models trained with several weights of the harmonization, and the best compromises."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.files import write_json
from ..core.progress import progress_bar
from ..numerics.pareto import knee, pareto_front

_WHERE = "sweep_weights"


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightSweep:
    """What does each weight of the harmonization give, and which is the best compromise?

    Parameters
    ----------
    weights : `(k,)`.
    accuracy, alignment : `(k, r)`, of `r` models for each weight.
    others : what else was measured, `(k, r)` each, by its name.

    Example
    -------
    >>> sweep = WeightSweep(weights=np.array([0.0, 1.0, 10.0]), accuracy=np.array([[0.8], [0.79], [0.6]]),
    ...                     alignment=np.array([[0.1], [0.5], [0.6]]))
    >>> sweep.knee, sweep.front.tolist()
    (1.0, [True, True, True])
    """

    weights: np.ndarray
    accuracy: np.ndarray
    alignment: np.ndarray
    others: Mapping[str, np.ndarray] | None = None

    @property
    def points(self) -> np.ndarray:
        """`(k, 2)`, the mean accuracy and the mean alignment of each weight."""
        return np.stack([self.accuracy.mean(axis=1), self.alignment.mean(axis=1)], axis=1)

    @property
    def front(self) -> np.ndarray:
        """`(k,)` bool, the weights that no other beats in both."""
        return pareto_front(self.points)

    @property
    def knee(self) -> float:
        """The weight that gives up least of both; see `numerics.pareto.knee`."""
        return float(self.weights[knee(self.points)])

    def plot(self, **options: Any) -> Any:
        """Accuracy against alignment, the front and the knee; returns `(figure, axes)`.

        Options of `plots.plot_trade_off`.
        """
        from ..plots import plot_trade_off

        options.setdefault("front", self.front)
        options.setdefault("knee", knee(self.points))
        if self.accuracy.shape[1] > 1:
            options.setdefault("repeats", np.stack([self.accuracy, self.alignment], axis=-1))
        return plot_trade_off(self.points, [f"{weight:g}" for weight in self.weights], **options)


def sweep_weights(
    train: Callable[[float, int], Any],
    measure: Callable[[Any], Mapping[str, Any]],
    weights: Sequence[float],
    repeats: int = 1,
    out: Any = None,
    progress: bool | None = None,
) -> WeightSweep:
    """How much accuracy does alignment cost?

    Trains a model with each weight and measures it. The front and its knee say which weights are worth having; read
    them from several repeats, because one training differs from the next. Choose by data that are not those you report.

    Parameters
    ----------
    train : `(weight, repeat) -> model`, for example `fit` with `callbacks=[Harmonization(weight=weight)]` after
        `keras.utils.set_random_seed(repeat)`, so that all weights start alike.
    measure : `model -> {"accuracy": ..., "alignment": ...}` of numbers or scores, and what else is wanted.
    weights : of at least 0; 0 is the plain model.
    repeats : models for each weight.
    out : a JSON file where each finished model's numbers are kept, so that a sweep that was stopped goes on; or None.
    progress : show a progress bar; None shows it on a terminal or in a notebook only.

    Returns
    -------
    sweep : a `WeightSweep`; `.plot()` draws it.

    Raises
    ------
    ValueError : no weights, a weight below 0, a measurement without the two numbers, a file that holds something else.
    WriteError : `out` cannot be written.

    Cost
    ----
    `len(weights) * repeats` trainings.

    Example
    -------
    >>> sweep = sweep_weights(lambda weight, repeat: weight, lambda w: {"accuracy": 1 / (1 + w**2), "alignment": w},
    ...                       weights=[0, 0.5, 1])
    >>> sweep.knee
    0.5

    Source
    ------
    L. E. Resck, M. M. Raimundo, J. Poco, "Exploring the Trade-off Between Model Performance and Explanation
    Plausibility of Text Classifiers Using Human Rationales", Findings of NAACL 2024, https://arxiv.org/abs/2404.03098,
    which draws this front for text.
    """
    check_integer(_WHERE, "repeats", repeats, 1, "Use 3.")
    given = [check_number(_WHERE, "weights", weight, 0, remedy="Use (0, 1, 10).") for weight in weights]
    if not given or len(set(given)) != len(given):
        raise ValueError(
            wording(_WHERE, expected="`weights` must hold weights, each once", received=given, remedy="Use (0, 1, 10).")
        )
    known = _kept(out)
    with progress_bar(len(given) * repeats, _WHERE, progress, unit="model") as bar:
        for weight in given:
            for repeat in range(repeats):
                name = f"{weight:g}/{repeat}"
                if name not in known:
                    known[name] = _numbers(measure(train(weight, repeat)))
                    if out is not None:
                        write_json(out, {"kind": "WeightSweep", "models": known})
                bar.update(1)
    rows = [[known[f"{weight:g}/{repeat}"] for repeat in range(repeats)] for weight in given]
    names = [name for name in rows[0][0] if all(name in each for row in rows for each in row)]
    found = {name: np.array([[each[name] for each in row] for row in rows]) for name in names}
    accuracy, alignment = found.pop("accuracy"), found.pop("alignment")
    return WeightSweep(weights=np.array(given), accuracy=accuracy, alignment=alignment, others=found)


def _numbers(measured: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(measured, Mapping) or not {"accuracy", "alignment"} <= set(measured):
        raise ValueError(
            wording(
                _WHERE,
                expected="`measure` must return {'accuracy': ..., 'alignment': ...}",
                received=sorted(measured) if isinstance(measured, Mapping) else type(measured).__name__,
                remedy="Measure both on data that were held out.",
            )
        )
    return {str(name): float(value) for name, value in measured.items()}


def _kept(out: Any) -> dict[str, dict[str, float]]:
    if out is None or not Path(out).exists():
        return {}
    try:
        found = json.loads(Path(out).read_text())
    except ValueError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "WeightSweep":
        return found["models"]
    raise ValueError(
        wording(
            f"{_WHERE}(out={str(out)!r})",
            expected="`out` must be a file that a sweep wrote",
            received="something else",
            remedy="Choose another file.",
        )
    )
