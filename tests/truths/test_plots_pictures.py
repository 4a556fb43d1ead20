"""Arrays of every convention come out as the pictures that they are."""

import numpy as np
import pytest

from xsparks.plots import displayable, overlay, plot_comparison, plot_maps

PICTURE = np.random.default_rng(0).integers(0, 256, (2, 12, 20, 3), dtype=np.uint8)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CONVENTIONS = {
    "uint8": PICTURE,
    "0..1": PICTURE / 255.0,
    "0..255": PICTURE.astype(np.float32),
    "-1..1": PICTURE / 127.5 - 1,
    "standardised": (PICTURE / 255.0 - MEAN) / DEVIATION,
    "blue, green, red": PICTURE[..., ::-1].astype(np.float64) - np.array([103.939, 116.779, 123.68]),
    "channels first": np.moveaxis(PICTURE, -1, 1),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_pictures_of_every_convention_look_the_same(convention):
    shown = displayable(CONVENTIONS[convention])
    assert np.abs(np.stack(shown.pixels) * 255 - PICTURE).max() < 0.01
    assert bool(shown.note) == (convention in ("-1..1", "standardised", "blue, green, red"))


def test_unknown_floats_go_from_black_to_white_and_the_figure_says_so():
    images = np.stack([np.full((4, 5, 3), -7.0), np.full((4, 5, 3), 13.0)])
    shown = displayable(images)
    assert (shown.pixels[0].max(), shown.pixels[1].min()) == (0, 1)
    assert shown.note == "Pictures: values from -7 (black) to 13 (white)."
    figure, _ = plot_maps(np.ones((2, 4, 5)), images, columns=1)
    assert "-7" in " ".join(text.get_text() for text in figure.texts)


def test_small_values_about_zero_are_not_taken_for_pictures_less_their_mean():
    shown = displayable(np.random.default_rng(0).normal(0, 1.5, (2, 8, 8, 3)))
    assert shown.note.startswith("Pictures: values from")
    assert np.stack(shown.pixels).std() > 0.1


def test_gray_pictures_of_all_shapes():
    gray = PICTURE[..., 0]
    for images in (gray, gray[..., None], list(gray), gray[:, None]):
        shown = displayable(images)
        assert [pixels.shape for pixels in shown.pixels] == [(12, 20, 3)] * 2
        assert np.abs(shown.pixels[1][..., 2] * 255 - gray[1]).max() < 0.01
    assert displayable(gray[0]).pixels[0].shape == (12, 20, 3)
    assert displayable(PICTURE[0]).pixels[0].shape == (12, 20, 3)
    assert displayable(gray > 127).pixels[0].max() == 1


def test_data_format_settles_what_shapes_leave_open():
    open_to_both = np.zeros((1, 3, 9, 3))
    assert displayable(open_to_both).pixels[0].shape == (3, 9, 3)
    assert displayable(open_to_both, data_format="channels_first").pixels[0].shape == (9, 3, 3)


def test_value_range_says_what_black_and_white_are():
    assert displayable(np.full((1, 2, 2, 3), 2.0), value_range=(0, 8)).pixels[0].max() == 0.25


def test_pictures_of_different_sizes_and_maps_of_any_resolution_share_a_page():
    images = [np.zeros((30, 60, 3)), np.zeros((60, 30, 3)), np.zeros((20, 20, 3))]
    _figure, axes = plot_maps([np.eye(4), np.eye(7), np.eye(20)], images, titles=["a", "b", "c"], columns=2)
    assert [tuple(int(end + 0.5) for end in one.get_xlim()) for one in axes] == [(0, 60), (0, 30), (0, 20)]


def test_inputs_are_left_untouched():
    maps, images = np.random.default_rng(0).random((2, 4, 4)), PICTURE / 127.5 - 1
    copies = maps.copy(), images.copy()
    plot_maps(maps, images, contour=True)
    plot_comparison(images, {"a": maps})
    overlay(maps[0], images[0])
    assert (maps == copies[0]).all()
    assert (images == copies[1]).all()
