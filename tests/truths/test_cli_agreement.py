"""The demo's numbers: agreement of maps with masks, and of what does not look at all."""

from __future__ import annotations

import numpy as np
import pytest

from xsparks.cli.agreement import agreement, centre, chance, random_maps
from xsparks.cli.colours import gradient, number, scale_of


def masks_of(count: int = 4, side: int = 16) -> np.ndarray:
    """Squares of a quarter of each side, one in each corner of the picture."""
    masks = np.zeros((count, side, side), bool)
    for index in range(count):
        row, column = divmod(index % 4, 2)
        masks[index, row * 12 : row * 12 + 4, column * 12 : column * 12 + 4] = True
    return masks


def test_a_map_that_is_the_mask_agrees_wholly() -> None:
    masks = masks_of()
    found = agreement("mask", masks.astype(float), masks)
    assert found.hits.all() and (found.inside == 1).all() and found.areas == pytest.approx(np.full(4, 1 / 16))
    record = found.record()
    assert record["density"] == pytest.approx(16) and record["pointing"] == 1
    low, high = record["pointing_interval"]
    # Wilson's interval of n successes in n is [n / (n + z^2), 1].
    assert (low, high) == pytest.approx((4 / (4 + 1.959964**2), 1))


def test_an_even_map_and_chance_agree_as_far_as_the_mask_is_large() -> None:
    masks = masks_of()
    even = agreement("even", np.ones(masks.shape), masks)
    assert even.inside == pytest.approx(even.areas)
    record = chance(masks).record()
    assert record["pointing"] == pytest.approx(1 / 16) and record["density"] == 1
    assert record["pointing_interval"] is None
    nothing = agreement("nothing", np.zeros(masks.shape), masks)
    assert nothing.inside == pytest.approx(nothing.areas)


def test_negative_values_count_as_nothing() -> None:
    masks = masks_of(1)
    values = np.where(masks, -5.0, 0.0)
    values[0, 8, 8] = 1.0
    found = agreement("negative", values, masks)
    assert found.inside.tolist() == [0] and found.hits.tolist() == [False]


def test_the_centre_hits_what_is_there() -> None:
    masks = masks_of()
    assert not centre(masks).hits.any() and (centre(masks).inside < centre(masks).areas).all()
    middle = np.zeros((1, 16, 16), bool)
    middle[:, 6:10, 6:10] = True
    assert centre(middle).hits.all() and (centre(middle).inside > centre(middle).areas).all()


def test_random_maps_know_nothing_and_are_drawn_by_the_seed() -> None:
    maps = random_maps(400, 4, seed=5)
    assert np.array_equal(maps, random_maps(400, 4, seed=5)) and not np.array_equal(maps, random_maps(400, 4, seed=6))
    masks = np.zeros((400, 4, 4), bool)
    masks[:, 0, :2] = True
    assert agreement("random", maps[..., 0], masks).hits.mean() == pytest.approx(1 / 8, abs=0.05)


def test_the_scale_of_an_overlay() -> None:
    values = np.zeros((8, 8, 1))
    values[1, 6] = 2.0
    found = scale_of(values)
    assert (found["low"], found["high"], found["signed"], found["constant"]) == (0, 2, False, False)
    assert found["peak"] == [1.5 / 8, 6.5 / 8]
    assert scale_of(-values)["signed"] and scale_of(-values)["low"] == -2
    assert scale_of(np.ones((4, 4, 1)))["constant"]


def test_the_gradient_runs_from_gray_to_the_colours_of_the_overlay() -> None:
    stops = [tuple(map(int, part.split(")")[0].split(","))) for part in gradient(False).split("rgb(")[1:]]
    assert len(set(stops[0])) == 1 and stops[-1][0] > stops[-1][2] + 80
    both = [tuple(map(int, part.split(")")[0].split(","))) for part in gradient(True).split("rgb(")[1:]]
    assert both[0][2] > both[0][0] and both[-1][0] > both[-1][2]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.40123, "0.401"), (-0.5, "−0.5"), (12345.6, "12346"), (1e-4, "1e−4")]
)
def test_numbers_for_people(value: float, text: str) -> None:
    assert number(value) == text
