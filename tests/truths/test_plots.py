"""What the figures show is what the arrays say: places, values and signs."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xsparks.plots import overlay, plot_maps
from xsparks.plots.layers import strongest
from xsparks.plots.shading import bar_ticks, number_labels, value_range
from xsparks.plots.style import text_width


def rendered(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)


def inside(figure: Figure, axes) -> np.ndarray:
    """The pixels of one pair of axes, as they come out of the figure."""
    pixels = rendered(figure)
    box = axes.get_window_extent()
    height = pixels.shape[0]
    return pixels[round(height - box.y1) : round(height - box.y0), round(box.x0) : round(box.x1)]


def labelled(figure: Figure, label: str):
    return next(axes for axes in figure.axes if axes.get_label() == label)


def centre_of_warmth(pixels: np.ndarray) -> np.ndarray:
    """Where red exceeds blue most, as fractions of the height and of the width."""
    warmth = pixels[..., 0].astype(float) - pixels[..., 2]
    rows, columns = np.nonzero(warmth >= 0.95 * warmth.max())
    return np.array([(rows.mean() + 0.5) / pixels.shape[0], (columns.mean() + 0.5) / pixels.shape[1]])


def spotted(rows: int, columns: int, row: int, column: int) -> np.ndarray:
    values = np.zeros((rows, columns))
    values[row, column] = 1.0
    return values


# Places --------------------------------------------------------------------------------------------------------------

PLACES = [(6, 12, 1, 9), (12, 6, 9, 1), (7, 7, 0, 6), (5, 9, 4, 0)]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("shape", [(60, 120), (120, 60), (90, 90), (61, 83)])
@pytest.mark.parametrize(("rows", "columns", "row", "column"), PLACES)
def test_hottest_pixel_lies_where_the_map_has_its_maximum(interpolation, shape, rows, columns, row, column):
    values, image = spotted(rows, columns, row, column), np.full((*shape, 3), 0.5)
    expected = np.array([(row + 0.5) / rows, (column + 0.5) / columns])
    tolerance = 0.5 / np.array([rows, columns])
    figure, axes = plot_maps(values, image, interpolation=interpolation)
    assert (np.abs(centre_of_warmth(inside(figure, axes[0])) - expected) < tolerance).all()
    assert (np.abs(centre_of_warmth(overlay(values, image, interpolation=interpolation)) - expected) < tolerance).all()


def test_cells_of_a_coarse_map_divide_the_picture_evenly():
    values, image = np.zeros((2, 4)), np.full((40, 120, 3), 0.5)
    values[1, 2] = 1.0
    pixels = overlay(values, image, interpolation="nearest", opacity=1)
    hot = pixels[..., 0].astype(int) - pixels[..., 2] > 30
    expected = np.zeros((40, 120), bool)
    expected[20:, 60:90] = True
    assert (hot == expected).all()


def test_a_map_larger_than_its_picture_keeps_its_place():
    pixels = overlay(spotted(80, 80, 61, 12), np.full((8, 8, 3), 0.5), clip=None, scale=(0, 0.01))
    hot = pixels[..., 0].astype(int) - pixels[..., 2]
    assert np.argwhere(hot == hot.max()).tolist() == [[6, 1]]


def test_axes_keep_the_aspect_of_the_picture():
    _figure, axes = plot_maps(np.eye(4)[None], np.zeros((1, 30, 90, 3)))
    box = axes[0].get_window_extent()
    assert box.width / box.height == pytest.approx(3, rel=1e-6)
    assert axes[0].get_xlim() == (-0.5, 89.5)
    assert axes[0].get_ylim() == (29.5, -0.5)


def test_outline_runs_along_the_mask_and_closes_at_the_border():
    mask = np.zeros((1, 40, 80), bool)
    mask[:, 10:30, 60:] = True
    _figure, axes = plot_maps(np.zeros((1, 4, 8)), np.zeros((1, 40, 80, 3)), masks=mask)
    (lines,) = axes[0].collections
    (path,) = lines.get_paths()
    vertices = path.vertices
    assert np.allclose(vertices[0], vertices[-1])
    assert vertices[:, 0].min() == pytest.approx(59.5, abs=0.6)
    assert vertices[:, 0].max() == pytest.approx(79.5, abs=0.6)
    assert vertices[:, 1].min() == pytest.approx(9.5, abs=0.6)
    assert vertices[:, 1].max() == pytest.approx(29.5, abs=0.6)
    assert (axes[0].get_xlim(), axes[0].get_ylim()) == ((-0.5, 79.5), (39.5, -0.5))


def test_contour_surrounds_the_upper_half_of_the_range():
    values = np.zeros((1, 8, 8))
    values[0, 2:4, 5:7] = 4.0
    _figure, axes = plot_maps(values, np.zeros((1, 80, 80, 3)), contour=True, interpolation="nearest")
    vertices = np.concatenate([path.vertices for path in axes[0].collections[0].get_paths()])
    assert vertices[:, 0].min() == pytest.approx(49.5, abs=0.6)
    assert vertices[:, 1].max() == pytest.approx(39.5, abs=0.6)


def test_beside_puts_the_picture_above_its_map():
    figure, axes = plot_maps(np.eye(4)[None], np.zeros((1, 30, 90, 3)), beside=True, titles=["cat"])
    above, below = labelled(figure, "picture 0").get_position(), axes[0].get_position()
    assert above.y0 > below.y1
    assert (above.x0, above.width) == (below.x0, below.width)


# Values --------------------------------------------------------------------------------------------------------------


def maps_of_different_strength() -> np.ndarray:
    return np.stack([np.eye(4), 3 * np.eye(4), 0.5 * np.eye(4)])


def test_each_map_has_its_own_limits_and_shared_maps_the_same():
    maps, images = maps_of_different_strength(), np.zeros((3, 8, 8, 3))
    _, each = plot_maps(maps, images)
    assert [axes.images[-1].get_clim() for axes in each] == [(0, 1), (0, 3), (0, 0.5)]
    _, shared = plot_maps(maps, images, scale="shared")
    assert [axes.images[-1].get_clim() for axes in shared] == [(0, 3)] * 3
    _, given = plot_maps(maps, images, scale=(0, 10))
    assert [axes.images[-1].get_clim() for axes in given] == [(0, 10)] * 3


def test_shared_scale_makes_weak_maps_pale():
    maps, images = maps_of_different_strength(), np.full((3, 80, 80, 3), 0.5)
    for scale, pale in (("each", False), ("shared", True)):
        figure, axes = plot_maps(maps, images, scale=scale, interpolation="nearest")
        strong, weak = (inside(figure, axes[index])[20, 20] for index in (1, 2))
        assert (np.abs(strong - weak).max() > 30) == pale


def test_colour_bar_has_the_values_of_the_map():
    figure, _ = plot_maps(np.linspace(0, 0.0347, 64).reshape(1, 8, 8), np.zeros((1, 32, 32, 3)))
    bar = labelled(figure, "colour bar 0")
    assert bar.get_xlim() == (0, 0.0347)
    texts = {text.get_text(): place for text, place in zip(bar.get_xticklabels(), bar.get_xticks(), strict=True)}
    assert texts["0"] == 0
    assert texts["0.0347"] == 0.0347
    assert all(float(text) == pytest.approx(place) for text, place in texts.items())
    assert len(texts) > 2


def test_colour_bar_has_the_colours_of_the_map():
    values = np.linspace(0, 1, 400).reshape(1, 20, 20)
    figure, axes = plot_maps(values, np.full((1, 200, 200, 3), 0.85), interpolation="nearest", background="color")
    bar, cells = inside(figure, labelled(figure, "colour bar 0")), inside(figure, axes[0])
    for share in (0.25, 0.5, 0.9):
        index = int(share * 399)
        cell = cells[int((index // 20 + 0.5) / 20 * cells.shape[0]), int((index % 20 + 0.5) / 20 * cells.shape[1])]
        place = bar[bar.shape[0] // 2, int(share * bar.shape[1])]
        assert np.abs(cell - place).max() < 8


def test_small_values_are_written_with_their_power_of_ten():
    assert number_labels([0.00021, 0.0004], 0.0004) == [
        r"$2.1{\times}10^{-4}$",
        r"$4{\times}10^{-4}$",
    ]
    assert number_labels([123456.0], 123456.0) == [r"$1.23{\times}10^{5}$"]
    assert number_labels([0.981, 0.9834], 0.0024) == ["0.981", "0.9834"]
    assert number_labels([-0.5], 1.0) == ["\N{MINUS SIGN}0.5"]
    assert number_labels([0.0099999], 0.0099999) == ["0.01"]


def test_numbers_of_a_bar_do_not_touch():
    for limits, width in (((0, 1.07), 2.4), ((-2.89e-4, 2.89e-4), 2.4), ((0, 0.5), 1.0), ((-3e-9, 3e-9), 1.2)):
        signed = limits[0] < 0
        places, texts = bar_ticks(value_range(np.array(limits), signed, None), width)
        middles = [width * (place - limits[0]) / (limits[1] - limits[0]) for place in places]
        widths = [text_width(text, 7, math=True) for text in texts]
        left = [0.0, *(m - w / 2 for m, w in zip(middles[1:-1], widths[1:-1], strict=True)), width - widths[-1]]
        assert all(start + w < after for start, w, after in zip(left, widths, left[1:], strict=False))
        assert not signed or "0" in texts


def test_an_outlier_does_not_dim_the_map_and_the_bar_says_it():
    values = np.random.default_rng(0).random((1, 60, 60))
    values[0, 0, 0] = 500.0
    figure, axes = plot_maps(values, np.zeros((1, 60, 60, 3)))
    bar = labelled(figure, "colour bar 0")
    assert axes[0].images[-1].get_clim()[1] < 1
    assert bar.get_xticklabels()[-1].get_text().startswith("≥ 0.99")
    assert bar.get_xticklabels()[-1].get_text().endswith("(max 500)")
    figure, axes = plot_maps(values, np.zeros((1, 60, 60, 3)), clip=None)
    assert axes[0].images[-1].get_clim() == (0, 500)
    assert labelled(figure, "colour bar 0").get_xticklabels()[-1].get_text() == "500"


def test_up_to_two_hundred_cells_keep_all_values():
    values = np.zeros(200)
    values[7] = 9.0
    assert value_range(values, False, 99.5).high == 9.0
    assert value_range(np.append(np.linspace(0, 1, 200), 9.0), False, 99.5).high == 1.0


def test_a_smooth_map_is_not_cut():
    y, x = np.mgrid[:100, :100] / 100
    assert not value_range(np.exp(-20 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)), False, "auto").cut


def test_signed_maps_are_symmetric_about_zero_and_blue_and_orange():
    values = np.zeros((1, 4, 8))
    values[0, 1, 1], values[0, 1, 6] = -2.0, 3.0
    figure, axes = plot_maps(values, np.full((1, 80, 160, 3), 0.5), interpolation="nearest")
    assert axes[0].images[-1].get_clim() == (-3, 3)
    pixels = inside(figure, axes[0])
    height, width = pixels.shape[:2]
    negative, positive, nothing = (pixels[int(0.375 * height), int((c + 0.5) / 8 * width)] for c in (1, 6, 3))
    assert negative[2] > negative[0] + 60
    assert positive[0] > positive[2] + 30
    assert np.abs(nothing - nothing.mean()).max() < 2
    assert "0" in [text.get_text() for text in labelled(figure, "colour bar 0").get_xticklabels()]


def test_limits_given_for_a_signed_map_become_symmetric():
    _, axes = plot_maps(np.array([[[-1.0, 1.0]]]), scale=(-1, 4))
    assert axes[0].images[-1].get_clim() == (-4, 4)


def test_negative_noise_does_not_make_a_map_signed():
    values = np.linspace(-0.01, 1, 64).reshape(1, 8, 8)
    _, axes = plot_maps(values)
    assert axes[0].images[-1].get_clim() == (-0.01, 1)
    _, axes = plot_maps(values, signed=True)
    assert axes[0].images[-1].get_clim() == (-1, 1)


@pytest.mark.parametrize("value", [0.0, 3.0, 1e-30])
def test_a_constant_map_leaves_the_picture_as_it_is_and_says_its_value(value):
    image = np.random.default_rng(0).random((16, 24, 3))
    assert np.abs(overlay(np.full((4, 4), value), image, background="color") / 255 - image).max() < 0.5 / 255 + 1e-6
    figure, _ = plot_maps(np.full((1, 4, 4), value), image[None])
    (text,) = [text.get_text() for text in labelled(figure, "colour bar 0").get_xticklabels()]
    assert text.endswith(" everywhere")


def test_the_picture_stays_visible_where_the_map_is_zero():
    image = np.random.default_rng(0).random((16, 24, 3))
    pixels = overlay(spotted(4, 4, 0, 0), image, background="color", interpolation="nearest")
    assert np.abs(pixels[4:] / 255 - image[4:]).max() < 0.5 / 255 + 1e-6
    assert np.abs(pixels[:4, :6] / 255 - image[:4, :6]).max() > 0.2


def test_opacity_is_the_share_of_the_colour_at_the_maximum():
    image = np.zeros((4, 4, 3), np.uint8)
    full = overlay(spotted(4, 4, 0, 0), image, opacity=1.0, interpolation="nearest")[0, 0].astype(float)
    half = overlay(spotted(4, 4, 0, 0), image, opacity=0.5, interpolation="nearest")[0, 0]
    assert np.abs(half - full / 2).max() <= 1


def test_signs_that_share_a_dot_of_the_page_do_not_cancel():
    """A map of 300 pixels drawn on about 100 dots: of the values that share a dot, the strongest is drawn."""
    rows, columns = np.mgrid[:300, :300]
    checks = np.where((rows + columns) % 2, 1.0, -1.0)
    checks[7, 11] = -5.0
    _, axes = plot_maps(checks[None], size=1.0, clip=None)
    drawn = axes.flat[0].images[-1].get_array()
    assert drawn.shape[0] <= 150 and (np.abs(drawn) >= 1).all() and drawn.min() == -5.0
    _, axes = plot_maps(checks[None, :20, :20], size=1.0)
    assert axes.flat[0].images[-1].get_array().shape == (20, 20)


def test_blocks_at_the_border_are_filled_up():
    values = np.arange(35.0).reshape(5, 7) - 17
    found = strongest(values, 2, 3)
    wanted = [[values[r : r + 2, c : c + 3].ravel() for c in (0, 3, 6)] for r in (0, 2, 4)]
    wanted = [[block[np.abs(block).argmax()] for block in row] for row in wanted]
    np.testing.assert_array_equal(found, wanted)
