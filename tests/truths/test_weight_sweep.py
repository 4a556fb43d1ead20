"""The front of compromises, its knee, and the sweep over the weight of the harmonization."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from xsparks.alignment import WeightSweep, sweep_weights
from xsparks.numerics.pareto import knee, pareto_front

WEIGHTS = [0, 1, 4]


def numbers(model: tuple[float, int]) -> dict[str, float]:
    weight, repeat = model
    return {"accuracy": 0.9 - 0.01 * weight**2 + 0.01 * repeat, "alignment": weight / (weight + 1), "cue": weight}


def train(weight: float, repeat: int) -> tuple[float, int]:
    return weight, repeat


def test_the_front_is_that_of_the_slow_twin():
    points = np.random.default_rng(0).integers(0, 6, (40, 3))
    beaten = [any((b >= a).all() and (b > a).any() for b in points) for a in points]
    np.testing.assert_array_equal(pareto_front(points), ~np.array(beaten))


def test_the_knee_is_farthest_from_the_line_between_the_ends():
    angle = np.linspace(0, np.pi / 2, 31)
    arc = np.stack([10 * np.cos(angle), 0.1 * np.sin(angle)], axis=1)
    order = np.random.default_rng(1).permutation(31)
    assert order[knee(arc[order])] == 15
    points = np.concatenate([arc[order], [[5.0, 0.01]]])
    assert knee(points) == knee(arc[order])
    assert knee([[1.0, 2.0]]) == 0 and knee([[0.0, 2.0], [2.0, 0.0]]) == 0


def test_every_weight_is_trained_and_measured():
    seen: list[Any] = []
    sweep = sweep_weights(lambda *given: seen.append(given) or given, numbers, WEIGHTS, repeats=2, progress=False)
    assert seen == [(float(weight), repeat) for weight in WEIGHTS for repeat in range(2)]
    assert sweep.accuracy.shape == sweep.alignment.shape == (3, 2)
    np.testing.assert_allclose(sweep.points[:, 0], 0.9 - 0.01 * np.array(WEIGHTS) ** 2 + 0.005)
    np.testing.assert_array_equal((sweep.others or {})["cue"], [[0, 0], [1, 1], [4, 4]])
    assert sweep.knee == 1 and sweep.front.all()


def test_a_sweep_that_was_stopped_goes_on(tmp_path):
    def stopped(weight: float, repeat: int) -> Any:
        if weight > 0:
            raise KeyboardInterrupt
        return weight, repeat

    out, seen = tmp_path / "sweep.json", []
    with pytest.raises(KeyboardInterrupt):
        sweep_weights(stopped, numbers, WEIGHTS, out=out, progress=False)
    sweep = sweep_weights(lambda *given: seen.append(given) or given, numbers, WEIGHTS, out=out, progress=False)
    assert seen == [(1.0, 0), (4.0, 0)] and set(json.loads(out.read_text())["models"]) == {"0/0", "1/0", "4/0"}
    whole = sweep_weights(train, numbers, WEIGHTS, progress=False)
    np.testing.assert_array_equal(sweep.points, whole.points)


def test_the_figure_shows_front_knee_and_runs():
    sweep = WeightSweep(
        weights=np.array([0.0, 1.0, 2.0, 3.0]),
        accuracy=np.array([[0.9, 0.92], [0.88, 0.9], [0.7, 0.7], [0.6, 0.6]]),
        alignment=np.array([[0.1, 0.1], [0.5, 0.52], [0.4, 0.4], [0.6, 0.6]]),
    )
    assert sweep.front.tolist() == [True, True, False, True] and sweep.knee == 1
    figure, axes = sweep.plot(title="Trade-off")
    assert [text.get_text().strip() for text in axes.texts] == ["knee", "0", "1", "2", "3"]
    assert axes.get_xlabel() == "accuracy" and len(axes.collections) == 4
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.6, 0.89, 0.91])
    figure.canvas.draw()
