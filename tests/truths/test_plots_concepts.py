"""Concepts lie where their maps say, in the colour that the legend says, as strongly as there is of them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from xsparks.concepts import ConceptExplanation
from xsparks.plots import plot_concept_crops, plot_concepts
from xsparks.plots.concepts import _PALE, COLORS

GRAY = np.full((2, 12, 20, 3), 0.5)
SEEN = _PALE + (1 - _PALE) * 0.5
MAPS = np.zeros((2, 3, 5, 4))
MAPS[0, 0, :, 1] = 2
MAPS[0, 2, :, 3] = 1
MAPS[1, 0, :, 1] = 1.2


def words(figure):
    return [text.get_text() for text in figure.texts if text.get_text()]


def pixels(axes):
    return axes.images[0].get_array()


def test_colours_and_places():
    drawing = plot_concepts(MAPS, GRAY, concepts=[1, 3], opacity=1, interpolation="nearest", titles=["a", "b"])
    first, second = (pixels(axes) for axes in drawing.axes)
    np.testing.assert_allclose(first[:4], np.broadcast_to(to_rgb(COLORS[0]), (4, 20, 3)))
    np.testing.assert_allclose(first[8:], np.broadcast_to(to_rgb(COLORS[1]), (4, 20, 3)))
    np.testing.assert_allclose(first[4:8], SEEN)
    # 60 % of the most there is, of which the floor takes 35 %.
    share = (0.6 - 0.35) / 0.65
    np.testing.assert_allclose(
        second[:4], np.broadcast_to(share * np.array(to_rgb(COLORS[0])) + (1 - share) * SEEN, (4, 20, 3))
    )
    np.testing.assert_allclose(second[4:], SEEN)
    assert words(drawing.figure) == ["a", "b", "concept 1", "concept 3"]


@pytest.mark.parametrize(
    "change",
    [{"floor": 0.0}, {"scale": "each"}, {"opacity": 0.2}, {"interpolation": "bilinear"}, {"concepts": [3, 1]}],
    ids=str,
)
def test_every_option_changes_what_is_seen(change):
    base = {"concepts": [1, 3], "interpolation": "nearest"}
    seen = [pixels(plot_concepts(MAPS, GRAY, **{**base, **options}).axes[1]) for options in ({}, change)]
    assert not np.allclose(*seen) or change == {"concepts": [3, 1]}
    if change == {"concepts": [3, 1]}:
        first = [pixels(plot_concepts(MAPS, GRAY, **{**base, **options}).axes[0]) for options in ({}, change)]
        assert not np.allclose(*first)


def test_where_concepts_meet_the_one_with_more_of_its_highest_value_is_seen():
    meeting = np.ones((1, 1, 2, 2))
    # 90 % of the highest value of the first concept beside all of the second, on the right.
    meeting[0, 0, 1] = [0.9, 5]
    meeting[0, 0, 0] = [1, 4]
    (axes,) = plot_concepts(meeting, GRAY[:1], opacity=1, interpolation="nearest").axes
    np.testing.assert_allclose(pixels(axes)[:, :10], np.broadcast_to(to_rgb(COLORS[0]), (12, 10, 3)))
    np.testing.assert_allclose(pixels(axes)[:, 10:], np.broadcast_to(to_rgb(COLORS[1]), (12, 10, 3)))


def test_pictures_in_colour_or_none_and_a_size():
    red = np.zeros((2, 12, 20, 3))
    red[..., 0] = 1
    kept = pixels(plot_concepts(MAPS * 0, red, background="color").axes[0])
    assert (kept == red[0]).all()
    alone = plot_concepts(MAPS, columns=1, size=1.0)
    assert pixels(alone.axes[0]).shape == (3, 5, 3) and (pixels(alone.axes[0])[1] == 1).all()
    assert plot_concepts(MAPS, columns=1, size=2.0).figure.get_size_inches()[0] > alone.figure.get_size_inches()[0]


def test_long_legends_take_several_rows_within_the_page():
    names = ["a rather long name of a concept", "another one that is long", "a third", "and a fourth"]
    figure, _ = plot_concepts(MAPS, GRAY, names=names, columns=1, size=2.4)
    spots = {text.get_text(): text.get_position() for text in figure.texts if text.get_text() in names}
    assert len({spot[1] for spot in spots.values()}) > 1
    assert all(0 < x < 1 and 0 < y < 1 for x, y in spots.values())


def test_crops_stand_in_the_row_of_their_concept():
    dark, light = np.zeros((3, 8, 8, 3)), np.ones((2, 8, 8, 3))
    figure, axes = plot_concept_crops({4: dark, 7: light}, size=0.5)
    assert axes.shape == (2, 3) and axes[1, 2] is None
    assert (pixels(axes[0, 2]) == 0).all() and (pixels(axes[1, 1]) == 1).all()
    assert words(figure) == ["concept 4", "concept 7"]
    assert plot_concept_crops([dark], columns=2).axes.shape == (1, 2)


def test_an_explanation_plots_itself():
    importances = np.array([[0.1, 0.6, 0.0, 0.3], [0.2, 0.5, 0.1, 0.2]])
    found = ConceptExplanation(MAPS.astype("float32"), size=(12, 20), extras={"importances": importances})
    figure, axes = found.plot(GRAY)
    assert words(figure) == ["concept 1", "concept 3", "concept 0", "concept 2"] and len(axes) == 2
    importances[:, 2] = 0.001
    figure, _ = found.plot(GRAY)
    assert words(figure) == ["concept 1", "concept 3", "concept 0"]
    _, axes = found.plot_importances()
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["concept 1", "concept 3"]
    assert found._repr_html_().startswith("<p>")
