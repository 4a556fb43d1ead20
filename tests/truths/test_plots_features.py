"""Galleries of what a network looks for, and the stages of an optimisation: what is kept and what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from xsparks.engine import checkpoint
from xsparks.features import MACO, Visualisation
from xsparks.plots import plot_gallery, plot_progress

OPTIONS = {"steps": 20, "crops": 2, "image_size": (16, 24), "values_range": (0, 1), "crop_size": 0.9, "noise": 0.0}
DRAWN = np.linspace(0, 1, 4 * 8 * 12 * 3).reshape(4, 8, 12, 3)


def words(figure):
    return [text.get_text() for text in figure.texts if text.get_text()]


def pixels(axes):
    return axes.images[0].get_array()


@pytest.fixture(scope="module")
def model():
    return models.convolutional()


@pytest.fixture(scope="module")
def seen(model):
    return MACO(model, stages=3, **OPTIONS).explain(targets=[1, 2])


def test_a_stage_is_the_picture_as_it_is_before_its_step(model, seen):
    assert seen.stage_steps == (0, 6, 13) and seen.stages.shape == (2, 3, 16, 24, 3)
    short = MACO(model, **{**OPTIONS, "steps": 6}).explain(targets=[1, 2])
    np.testing.assert_allclose(seen.stages[:, 1], short.images, atol=1e-4)
    np.testing.assert_array_equal(seen.stages[0, 0], seen.stages[1, 0])
    assert np.abs(seen.stages[:, 0] - seen.images).max() > 0.05


def test_stages_change_nothing_and_are_none_where_none_are_asked_for(model, seen):
    plain = MACO(model, **OPTIONS).explain(targets=[1, 2])
    np.testing.assert_allclose(plain.images, seen.images, atol=1e-6)
    assert plain.stages is None and plain.stage_steps == ()


def test_stages_are_kept_through_a_stop(model, seen, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    write = checkpoint.Checkpoint.write

    def stopped(self, *given, **options):
        write(self, *given, **options)
        raise KeyboardInterrupt

    method = MACO(model, stages=3, **OPTIONS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint.Checkpoint, "write", stopped)
        method.explain(targets=[1, 2], out=tmp_path)
    np.testing.assert_array_equal(method.explain(targets=[1, 2], out=tmp_path).stages, seen.stages)


def test_stages_are_stored_and_chosen_with_their_picture(seen, tmp_path):
    stored = Visualisation.load(seen.save(tmp_path / "seen"))
    np.testing.assert_array_equal(stored.stages, seen.stages)
    assert stored.stage_steps == (0, 6, 13)
    np.testing.assert_array_equal(seen[1].stages[0], seen.stages[1])


def test_the_progress_of_a_picture_ends_with_the_picture(seen):
    figure, axes = seen.plot_progress(1)
    assert [one.get_label() for one in axes] == ["stage 0", "stage 1", "stage 2", "stage 3", "curve"]
    np.testing.assert_allclose(pixels(axes[1]), seen.stages[1, 1], atol=1e-6)
    np.testing.assert_allclose(pixels(axes[3]), seen.images[1], atol=1e-6)
    line, marks = axes[-1].lines
    np.testing.assert_allclose(line.get_ydata(), seen.values[1])
    assert marks.get_xdata().tolist() == [0, 6, 13, 19]
    assert words(figure) == ["class 2", "step 0", "step 6", "step 13", "step 20"]


def test_without_stages_there_is_the_curve_alone(seen):
    drawing = plot_progress(seen.values[0], ylabel="logit", title="a")
    assert len(drawing.axes) == 1 and drawing.axes[0].get_ylabel() == "logit"
    _figure, axes = Visualisation(seen.images, seen.transparency, seen.values).plot_progress()
    assert len(axes) == 1


def test_pictures_of_a_name_share_a_row_and_examples_stand_beside_them():
    examples = {"dog": np.zeros((3, 6, 6, 3)), "cat": [np.ones((9, 9, 3))]}
    names = ["cat", "dog", "cat", "cat"]
    figure, axes = plot_gallery(DRAWN, names=names, examples=examples, columns=2, image_percentile=0)
    assert axes.shape == (2, 5)
    assert [[one is not None for one in row] for row in axes] == [
        [True] * 4 + [False],
        [True] + [False] * 2 + [True] * 2,
    ]
    np.testing.assert_allclose(pixels(axes[0, 1])[..., :3], DRAWN[2], atol=1e-6)
    np.testing.assert_allclose(pixels(axes[1, 0])[..., :3], DRAWN[1], atol=1e-6)
    assert pixels(axes[0, 3]).min() == 1 and pixels(axes[1, 4]).max() == 0
    assert words(figure) == ["drawn", "photographs", "cat", "dog"]


def test_a_gallery_without_names_or_examples_is_a_row_each():
    figure, axes = plot_gallery(DRAWN)
    assert axes.shape == (4, 1) and words(figure) == ["0", "1", "2", "3"]
    assert pixels(axes[0, 0])[..., 3].min() == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [("image_percentile", 20.0), ("opaque_percentile", 30.0), ("value_range", (0, 2)), ("background", "red")],
)
def test_every_option_of_a_gallery_shows(option, value):
    weights = np.broadcast_to(np.linspace(0, 1, 12), (4, 8, 12))
    looks = []
    for options in ({}, {option: value}):
        (axes, *_), *_ = plot_gallery(DRAWN, weights, **{"image_percentile": 0.0, **options}).axes
        looks.append((np.asarray(pixels(axes)), axes.get_facecolor()))
    assert looks[0][1] != looks[1][1] or not np.allclose(looks[0][0], looks[1][0])


def test_the_gallery_of_a_visualisation_has_a_row_for_each_target(seen):
    figure, axes = seen.plot_gallery(examples={"class 2": seen.images[:1]}, headings=("one", "other"))
    assert axes.shape == (2, 2) and axes[0, 1] is None
    assert words(figure) == ["one", "other", "class 1", "class 2"]


def test_pictures_without_transparency_are_opaque():
    _figure, axes = plot_gallery(DRAWN, opaque_percentile=100.0)
    for shown in axes[:, 0]:
        assert pixels(shown).shape == (8, 12, 4) and (pixels(shown)[..., 3] == 1).all()
