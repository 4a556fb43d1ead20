"""Pages of figures: texts stay on them, curves and bars are right, and nothing is left behind in matplotlib."""

import gc
import warnings
import weakref

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from xsparks.plots import plot_comparison, plot_curves, plot_intervals, plot_maps, plot_utility
from xsparks.plots.curves import spread
from xsparks.plots.style import text_width, wrap


def rendered(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)


def maps_of_different_strength() -> np.ndarray:
    return np.stack([np.eye(4), 3 * np.eye(4), 0.5 * np.eye(4)])


LONG = "Shetland sheepdog, Shetland sheep dog, Shetland, or a name that costs $5 and $6 in every shop that there is"


def texts_fit(figure: Figure) -> None:
    rendered(figure)
    width, height = figure.canvas.get_width_height()
    boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
    boxes += [text.get_window_extent() for axes in figure.axes for text in axes.texts + axes.get_xticklabels()]
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
    titles = [text.get_window_extent() for text in figure.texts if text.get_text()]
    for position, box in enumerate(titles):
        assert not any(box.overlaps(other) for other in titles[position + 1 :])


@pytest.mark.parametrize("size", [1.0, 2.4])
def test_long_titles_neither_leave_the_page_nor_meet(size):
    maps, images = np.stack([np.eye(4) * 1e-5] * 5), np.full((5, 30, 40, 3), -9.0)
    texts_fit(plot_maps(maps, images, titles=[LONG] * 5, size=size, columns=3).figure)


def test_a_comparison_with_long_names_stays_on_its_page():
    maps = {LONG: np.stack([np.eye(4)] * 2), "Sobol": -np.stack([np.eye(4)] * 2)}
    scores = {LONG: {"Deletion": [0.1, 0.3], "Insertion": 0.5}, "Sobol": {"Deletion": [0.2, 0.4], "Stability": [1, 2]}}
    scores["Sobol"]["Insertion"] = 0.6
    better = {"Deletion": "lower", "Insertion": "higher"}
    drawing = plot_comparison(np.zeros((2, 30, 40, 3)), maps, scores=scores, better=better, titles=[LONG, "cat"])
    texts_fit(drawing.figure)
    bold = [text.get_text() for text in drawing.figure.texts if text.get_weight() == "bold"]
    assert "Deletion ↓  0.200" in bold
    assert "Insertion ↑  0.600" in bold
    assert len(bold) == 4
    written = [text.get_text() for text in drawing.figure.texts]
    assert "Insertion ↑  0.500" in written
    assert "Stability  –" in written
    assert "Deletion 0.30" in written


def test_curves_with_long_names_stay_on_their_page():
    x = np.linspace(0, 1, 5)
    figure, _ = plot_curves({f"{LONG} {index}": (x, x**index) for index in range(1, 7)}, title=LONG)
    texts_fit(figure)
    assert figure.get_size_inches()[0] < 8


def test_a_dollar_is_a_dollar():
    x, name = np.linspace(0, 1, 5), "$5 and $6"
    drawings = [plot_maps(np.eye(4)[None], titles=[name]), plot_comparison(np.zeros((1, 4, 4)), {name: np.eye(4)})]
    drawings += [plot_curves({name: (x, x)}), plot_curves({name: (x, x)}, labels="legend")]
    drawings += [plot_intervals([name], [1.0], references={name: 0.5})]
    drawings += [plot_utility({name: ([5], [1.2])}, title=name, note=name)]
    for drawing in drawings:
        texts = [text for text in drawing.figure.findobj(Text) if name in text.get_text()]
        assert texts
        assert not any(text.get_parse_math() for text in texts)


def test_wrapped_text_fits_and_says_what_it_leaves_out():
    lines = wrap(LONG, 1.2, 9, lines=3)
    assert len(lines) == 3
    assert all(text_width(line, 9) <= 1.2 for line in lines)
    assert lines[-1].endswith("…")
    assert LONG.startswith(" ".join(lines)[:-1])
    assert wrap("short", 1.2) == ["short"]
    assert wrap("x" * 200, 1.2)[0].endswith("…")


def test_scales_of_a_comparison():
    maps = {"a": maps_of_different_strength()[:2], "b": 10 * maps_of_different_strength()[:2]}
    images = np.zeros((2, 8, 8, 3))
    ends = {}
    for scale in ("each", "method", "shared"):
        _, axes = plot_comparison(images, maps, scale=scale)
        ends[scale] = [[one.images[-1].get_clim()[1] for one in row[1:]] for row in axes]
    assert ends == {"each": [[1, 10], [3, 30]], "method": [[3, 30], [3, 30]], "shared": [[30, 30], [30, 30]]}


# Curves and bars -----------------------------------------------------------------------------------------------------


def test_curves_are_means_with_their_area_and_interval():
    x = np.linspace(0, 2, 21)
    rows = np.stack([x, 3 * x, 2 * x])
    _figure, axes = plot_curves({"rows": (x, rows), "mean": (x, x, (x - 1, x + 1))})
    line = axes.lines[0]
    assert np.allclose(line.get_ydata(), 2 * x)
    assert "rows  2.000" in [text.get_text() for text in axes.texts]
    assert "mean  1.000" in [text.get_text() for text in axes.texts]
    bands = [collection.get_paths()[0].vertices[:, 1] for collection in axes.collections]
    assert bands[0].max() == pytest.approx(4 + 1.959964 * 2 / np.sqrt(3), rel=1e-5)
    assert (bands[1].min(), bands[1].max()) == (-1, 3)


def test_labels_of_curves_that_end_together_are_apart():
    positions = spread(np.full(6, 0.02), 0.1, 0.0, 1.0)
    assert np.allclose(np.diff(np.sort(positions)), 0.1)
    assert positions.min() >= 0
    assert np.allclose(spread(np.array([0.9, 0.1]), 0.1, 0.0, 1.0), [0.9, 0.1])


def test_more_curves_than_colours_get_a_legend_and_other_dashes():
    x = np.linspace(0, 1, 5)
    _, axes = plot_curves({str(index): (x, x) for index in range(10)})
    assert len(axes.get_legend().get_texts()) == 10
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == 10


def test_bars_have_their_values_intervals_and_references():
    _, axes = plot_intervals(["a", "b"], [0.5, 0.25], [(0.4, 0.6), (0.1, 0.3)], references={"chance": 0.2})
    assert [patch.get_width() for patch in axes.patches] == [0.5, 0.25]
    assert [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()] == [[0.4, 0.6], [0.1, 0.3]]
    assert [text.get_text() for text in axes.texts] == ["0.500", "0.250", "chance"]
    assert axes.get_xlim()[0] == 0


# Nothing left behind -------------------------------------------------------------------------------------------------


def draw_everything():
    maps, images, x = np.stack([np.eye(4)] * 2), np.zeros((2, 8, 8, 3)), np.linspace(0, 1, 5)
    yield plot_maps(maps, images, masks=maps > 0, contour=True)
    yield plot_comparison(images, {"a": maps, "b": -maps}, scores={"a": {"m": 1}})
    yield plot_curves({"a": (x, x)})
    yield plot_curves({"a": (x, x)}, labels="legend")
    yield plot_intervals(["a"], [1.0], [(0, 2)])
    yield plot_utility({"a": ([5, 10], [1.2, 1.3], ([1, 1.1], [1.4, 1.5]))}, {"a": (1.25, (1.1, 1.4))})


def test_pyplot_and_rcparams_stay_as_they_were():
    settings = matplotlib.rcParams.copy()
    mine = plt.figure()
    try:
        for drawing in draw_everything():
            drawing.figure.savefig("/dev/null", format="png")
            assert plt.get_fignums() == [mine.number]
            assert plt.gcf() is mine
            assert not mine.axes
        assert matplotlib.rcParams == settings
    finally:
        plt.close(mine)


def test_figures_are_freed_when_dropped():
    drawing = plot_maps(np.eye(4)[None], np.zeros((1, 8, 8, 3)))
    rendered(drawing.figure)
    alive = weakref.ref(drawing.figure)
    del drawing
    gc.collect()
    assert alive() is None


def test_a_figure_of_the_user_is_drawn_on():
    mine = plt.figure()
    try:
        figure, axes = plot_maps(np.eye(4)[None], np.zeros((1, 8, 8, 3)), figure=mine)
        assert figure is mine
        assert axes[0].figure is mine
    finally:
        plt.close(mine)


def test_the_style_of_the_user_does_not_spoil_the_figures():
    plain = [rendered(drawing.figure) for drawing in draw_everything()]
    unusual = {
        "figure.constrained_layout.use": True,
        "axes.grid": True,
        "text.color": "white",
        "axes.labelcolor": "white",
    }
    unusual |= {"image.interpolation": "bicubic", "image.origin": "lower", "figure.dpi": 30, "axes.facecolor": "black"}
    with matplotlib.rc_context(unusual), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        styled = [rendered(drawing.figure) for drawing in draw_everything()]
    for one, other in zip(plain, styled, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1


def test_a_drawing_shows_itself_in_a_notebook():
    drawing = plot_maps(np.eye(4)[None])
    assert drawing._repr_png_().startswith(b"\x89PNG")
    _figure, axes = drawing
    assert axes.shape == (1,)
