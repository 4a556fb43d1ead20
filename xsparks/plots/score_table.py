"""The scores beside a comparison: means in the headers, values beneath the maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_choice
from ..core.errors import nearest, wording
from . import style

SIZE = style.SMALL + 0.5
_ARROWS = {"higher": "↑", "lower": "↓"}


class ScoreTable:
    """The scores of all methods: their means for the headers, their values for the cells."""

    def __init__(
        self,
        names: Sequence[str],
        scores: Mapping[str, Mapping[str, Any]],
        better: Mapping[str, str],
        count: int,
        where: str,
    ) -> None:
        self.metrics = list(dict.fromkeys(metric for of_method in scores.values() for metric in of_method))
        self.better = better
        self.values: dict[str, dict[str, np.ndarray]] = {}
        for name, of_method in scores.items():
            _check_known("scores", name, names, where)
            self.values[name] = {
                metric: _score(name, metric, value, count, where) for metric, value in of_method.items()
            }
        for metric, direction in better.items():
            _check_known("better", metric, self.metrics, where)
            check_choice(where, "better", direction, tuple(_ARROWS))

    def write_header(self, figure: Figure, name: str, left: float, top: float) -> None:
        """A line for each metric; the best method's in bold."""
        for line, metric in enumerate(self.metrics):
            value = self.values.get(name, {}).get(metric)
            text = f"{metric} {_ARROWS.get(self.better.get(metric, ''), '')}".rstrip()
            text += "  –" if value is None else f"  {float(value.mean()):.3f}"
            best = value is not None and self._is_best(metric, float(value.mean()))
            style.write(
                figure,
                left,
                top + line * style.LINE * SIZE,
                text,
                size=SIZE,
                color=style.INK if best else style.FAINT,
                weight="bold" if best else "normal",
            )

    def beneath(self, name: str, row: int, width: float) -> list[str]:
        """The scores of one map: in one line if they fit, else in a line each."""
        known = self.values.get(name, {})
        parts = [
            f"{metric} {known[metric][row]:.2f}" for metric in self.metrics if metric in known and known[metric].ndim
        ]
        line = "   ".join(parts)
        return ([line] if style.text_width(line, style.SMALL) <= width else parts) if parts else []

    def _is_best(self, metric: str, value: float) -> bool:
        if metric not in self.better:
            return False
        means = [float(of_method[metric].mean()) for of_method in self.values.values() if metric in of_method]
        return value == (max(means) if self.better[metric] == "higher" else min(means))


def _score(name: str, metric: str, value: Any, count: int, where: str) -> np.ndarray:
    score = np.asarray(value, dtype=float)
    if score.ndim > 1 or (score.ndim == 1 and len(score) != count):
        expected = f"scores[{name!r}][{metric!r}] must be a number or have one for each of {count} pictures"
        received, remedy = f"shape {score.shape}", "Give the mean, or the values in the order of the pictures."
        raise ValueError(wording(where, expected=expected, received=received, remedy=remedy))
    return score


def _check_known(option: str, name: str, known: Sequence[str], where: str) -> None:
    if name not in known:
        expected = f"`{option}` must name what is there"
        raise ValueError(wording(where, expected=expected, received=repr(name), remedy=nearest(name, known)))
