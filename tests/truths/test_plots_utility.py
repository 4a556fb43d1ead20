"""The figure of Utility: one panel a condition, the best first, on one scale, coloured by what is sure."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_hex

from xsparks.plots import plot_utility
from xsparks.plots.style import PALETTE

X = [5, 10, 15]
CURVES = {
    "useless": (X, [1.0, 0.95, 1.05], ([0.8, 0.8, 0.9], [1.2, 1.1, 1.2])),
    "helps": (X, [1.2, 1.3, 1.4], ([1.1, 1.2, 1.3], [1.3, 1.4, 1.5])),
    "misleads": (X, [0.7, 0.8, 0.8], None),
}
TOTALS = {"useless": (1.0, (0.9, 1.1)), "helps": (1.3, (1.2, 1.4)), "misleads": (0.77, (0.7, 0.9))}


def test_panels_stand_in_the_order_of_utility_on_one_scale():
    figure, axes = plot_utility(CURVES, TOTALS)
    texts = [text.get_text() for text in figure.texts]
    assert [text for text in texts if text in CURVES] == ["helps", "useless", "misleads"]
    assert [text for text in texts if text in ("1.30", "1.00", "0.77")] == ["1.30", "1.00", "0.77"]
    assert "1.20 to 1.40" in texts
    assert len({panel.get_ylim() for panel in axes}) == 1
    low, high = axes[0].get_ylim()
    assert low < 0.7 and high > 1.5


def test_each_panel_has_its_curve_its_intervals_and_the_baseline():
    _, axes = plot_utility(CURVES, TOTALS)
    own = [line for line in axes[0].lines if line.get_marker() == "o"]
    assert [line.get_ydata().tolist() for line in own] == [[1.2, 1.3, 1.4]]
    segments = axes[0].collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], [[1.1, 1.3], [1.2, 1.4], [1.3, 1.5]])
    assert any(np.allclose(line.get_ydata(), 1) for line in axes[0].lines)
    assert not axes[2].collections


def test_colours_say_which_side_of_1_the_interval_lies():
    def colours(totals):
        _, axes = plot_utility(CURVES, totals)
        return [to_hex(line.get_color()).upper() for panel in axes for line in panel.lines if line.get_marker() == "o"]

    assert colours(TOTALS) == [PALETTE[0], "#57606A", PALETTE[1]]
    assert colours({name: (value, None) for name, (value, _) in TOTALS.items()}) == ["#57606A"] * 3


def test_rows_of_panels_do_not_overlap_and_the_labels_are_inside():
    curves = {f"method {number}": CURVES["helps"] for number in range(7)}
    figure, axes = plot_utility(curves, columns=3, title="A title", note="A note " * 30)
    boxes = [panel.get_position() for panel in axes]
    assert len({round(box.y0, 6) for box in boxes}) == 3
    for number, first in enumerate(boxes):
        assert not any(first.overlaps(other) for other in boxes[number + 1 :])
    inside = figure.bbox
    shown = [text for text in figure.texts if text.get_text()] + [panel.xaxis.label for panel in axes]
    for text in shown:
        box = text.get_window_extent()
        assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1


def test_one_session_and_one_condition_are_drawn():
    figure, (axes,) = plot_utility({"a": ([5], [1.2])})
    assert axes.get_xlabel() and axes.get_xlim()[0] < 5 < axes.get_xlim()[1]
    figure.savefig("/dev/null", format="png")
