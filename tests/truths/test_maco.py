"""MACO and its kin: magnitudes stay, objectives rise, targets do not meet, runs repeat and resume."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.engine import checkpoint
from xsparks.features import (
    MACO,
    FeatureAccentuation,
    FeatureInversion,
    FeatureVisualisation,
    FourierCanvas,
    MACOCanvas,
    Objective,
    PixelCanvas,
    TotalVariation,
    Views,
    natural_magnitude,
)
from xsparks.features.colours import decorrelated
from xsparks.features.spectrum import as_magnitude

QUICK = {"steps": 6, "crops": 3, "image_size": (16, 24), "values_range": (0, 1)}


@cache
def network():
    """One network for all tests, so that runs of it are of the same model."""
    return models.convolutional()


@cache
def plain():
    """The method that others are held against, compiled once."""
    return maco()


def maco(model=None, **options):
    return MACO(model or network(), **{**QUICK, **options})


@pytest.mark.parametrize("size", [(16, 24), (15, 21), (16, 21), (15, 24)])
def test_every_frequency_has_the_given_magnitude_before_colours_and_the_sigmoid(size):
    canvas = MACOCanvas()
    phases = canvas.start(tf.constant([0, 3]), 0, size, 3) * 3
    planes = canvas.planes(phases, size, (0, 1)).numpy()
    found = np.abs(np.fft.rfft2(planes))
    expected = np.moveaxis(natural_magnitude(size), -1, 0)
    ratio = (found / expected).reshape(6, -1)[:, 1:]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=2e-3)
    level = (found / expected)[..., 0, 0]
    assert (level <= ratio.mean() * (1 + 1e-4)).all()
    np.testing.assert_allclose(planes.var(axis=(2, 3)).mean(axis=1), 1, rtol=1e-4)


def test_a_third_of_the_variance_begins_as_a_crest_in_the_first_corner_unless_phases_are_spread_evenly():
    size, shares = (96, 128), []
    for canvas in (MACOCanvas(), MACOCanvas(phase_spread=np.pi)):
        planes = canvas.planes(canvas.start(tf.constant([0, 1]), 0, size, 3), size, (0, 1)).numpy()
        found = np.fft.rfft2(planes)[..., 1:-1]
        # A crest in the corner is a picture whose phases are 0: what of each wave points there.
        shares.append(np.real(found / np.abs(found)).mean(axis=(1, 2, 3)) ** 2)
    np.testing.assert_allclose(shares[0], np.exp(-1), atol=0.02)
    np.testing.assert_allclose(shares[1], 0, atol=0.02)


def test_the_optimised_picture_still_has_the_given_magnitude():
    wanted = as_magnitude("natural", (16, 24), 1, (0, 255), "MACO")
    method = maco(models.convolutional((8, 12, 1)), values_range=(0, 255))
    seen = method.explain(targets=1)
    assert seen.images.std() > 5
    assert seen.images.shape == (1, 16, 24, 1)
    share = seen.images.astype(np.float64)[0, ..., 0] / 255
    found = np.abs(np.fft.rfft2(np.log(share / (1 - share)))) / (16 * 24)
    np.testing.assert_allclose((found / wanted[..., 0]).ravel()[1:], 1, rtol=1e-2)


@pytest.mark.parametrize("canvas", [MACOCanvas(), FourierCanvas(), PixelCanvas()])
def test_the_objective_rises_and_the_transparency_is_not_negative(canvas):
    options = {**QUICK, "steps": 40, "noise": 0.0, "crop_size": 0.9}
    seen = FeatureVisualisation(models.convolutional(), canvas=canvas, **options).explain(targets=[0, 2])
    assert (seen.values[:, -10:].mean(axis=1) > seen.values[:, :10].mean(axis=1)).all()
    assert seen.values.shape == (2, 40) and (seen.transparency >= 0).all() and seen.transparency.max() > 0
    assert seen.images.min() >= 0 and seen.images.max() <= 1 and seen.transparency.shape == (2, 16, 24, 1)
    assert seen.names == ("class 0", "class 2")


def test_targets_that_are_optimised_together_do_not_leak_into_each_other():
    layer = np.eye(8)[:3]
    method = maco(layer="second")
    together = method.explain(targets=layer)
    for position in range(3):
        alone = method.explain(targets=layer[position])
        np.testing.assert_allclose(alone.images[0], together.images[position], atol=1e-4)
        np.testing.assert_allclose(alone.transparency[0], together.transparency[position], rtol=2e-3, atol=1e-6)
    assert np.abs(together.images[0] - together.images[1]).max() > 0.05


def test_targets_of_different_kinds_are_optimised_together():
    targets = [2, Objective.neuron("second", (1, 1), 4), 2 * Objective.logit(0) - Objective.channel("first", 1)]
    together = maco().explain(targets=targets)
    for position, target in enumerate(targets):
        alone = (plain() if position == 0 else maco()).explain(targets=target)
        np.testing.assert_allclose(alone.images[0], together.images[position], atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_batch_size_changes_nothing(batch_size):
    targets = [0, 1, 2, 3, 0]
    wanted = plain().explain(targets=targets)
    found = maco(batch_size=batch_size).explain(targets=targets)
    np.testing.assert_allclose(found.images, wanted.images, atol=2e-4)
    np.testing.assert_allclose(found.transparency, wanted.transparency, rtol=5e-3, atol=1e-6)


def test_a_second_run_makes_no_new_trace_whatever_the_targets_and_schedules():
    model, recording = models.recorded()
    method = maco(model, crop_size=lambda progress: 0.9 - 0.4 * progress, noise=lambda progress: 0.1 * progress)
    first = method.explain(targets=[1, 2])
    calls = recording.calls
    assert calls > 0
    second = method.explain(targets=[0, 2, 1])
    assert recording.calls == calls
    np.testing.assert_allclose(first.images[1], second.images[1], atol=1e-4)


def test_the_same_seed_makes_the_same_pictures_and_another_seed_others():
    first = plain().explain(targets=1)
    np.testing.assert_array_equal(first.images, maco().explain(targets=1).images)
    assert np.abs(first.images - maco(seed=1).explain(targets=1).images).max() > 0.05


def test_variants_begin_differently_and_stand_beside_their_target():
    seen = maco(variants=2).explain(targets=[1, 3])
    assert seen.names == ("class 1", "class 1", "class 3", "class 3")
    assert np.abs(seen.images[0] - seen.images[1]).max() > 0.05
    np.testing.assert_allclose(seen.images[2], plain().explain(targets=3).images[0], atol=1e-4)


def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    options = {"steps": 40, "batch_size": 3}
    method = maco(**options)
    wanted = method.explain(targets=[0, 1])
    write, written = checkpoint.Checkpoint.write, []

    def stopped(self, *given, **options):
        write(self, *given, **options)
        written.append(given[:3])
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        method.explain(targets=[0, 1], out=tmp_path)
    assert written == [(0, 1, 16), (0, 1, 32), (0, 1, 40), (1, 2, 16)]
    found = maco(**options).explain(targets=[0, 1], out=tmp_path)
    assert written[4:] == [(1, 2, 32), (1, 2, 40)]
    np.testing.assert_array_equal(found.images, wanted.images)
    np.testing.assert_array_equal(found.transparency, wanted.transparency)
    np.testing.assert_array_equal(found.values, wanted.values)
    again = method.explain(targets=[0, 1], out=tmp_path)
    assert len(written) == 6
    np.testing.assert_array_equal(again.images, wanted.images)


def test_half_a_checkpoint_is_as_good_as_none(tmp_path):
    wanted = plain().explain(targets=0, out=tmp_path)
    file = tmp_path / "samples-00000.npz"
    file.write_bytes(file.read_bytes()[:1000])
    np.testing.assert_array_equal(plain().explain(targets=0, out=tmp_path).images, wanted.images)


def test_what_another_optimizer_left_is_not_gone_on_with(tmp_path, monkeypatch):
    """Not even where it is the canvas's own, as it may be another in another version."""
    plain().explain(targets=0, out=tmp_path)
    monkeypatch.setattr(MACOCanvas, "default_optimizer", lambda self: keras.optimizers.Nadam(0.1))
    with pytest.raises(ValueError, match="another settings"):
        maco().explain(targets=0, out=tmp_path)


def test_models_of_any_kind_are_drawn():
    for model in (models.nested(), models.mixed_precision()):
        assert maco(model).explain(targets=1).values.any()
    subclassed = maco(models.Subclassed(), view_size=(8, 12)).explain(targets=[1, Objective.channel("first", 2)])
    assert subclassed.images.shape == (2, 16, 24, 3)


def test_a_model_that_reads_channels_first_sees_the_same():
    model = models.ChannelsFirst()
    model(np.zeros((1, 3, 8, 12), np.float32))
    found = maco(model, view_size=(8, 12, 3)).explain(targets=[1, Objective.channel("second", 5)])
    wanted = maco(model.inner).explain(targets=[1, Objective.channel("second", 5)])
    np.testing.assert_allclose(found.images, wanted.images, atol=1e-3)


def test_the_channels_of_a_layer_that_has_them_first_are_found():
    plain = network()
    inputs = keras.Input((3, 8, 12))
    x = keras.layers.AveragePooling2D(1, data_format="channels_first")(inputs)
    x = keras.layers.Permute((2, 3, 1))(x)
    x = keras.layers.Permute((3, 1, 2))(keras.Model(plain.input, plain.get_layer("second").output)(x))
    x = keras.layers.AveragePooling2D(1, data_format="channels_first", name="pooled")(x)
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    first = Objective.channel("pooled", 5) + Objective.neuron("pooled", (1, 4), 3)
    last = Objective.channel("second", 5) + Objective.neuron("second", (1, 4), 3)
    options = {"view_size": (8, 12, 3), "crop_size": 0.9}
    found, wanted = maco(model, **options).explain(targets=first), maco(**options).explain(targets=last)
    np.testing.assert_allclose(found.images, wanted.images, atol=1e-3)


OPTIONS = {
    "steps": 3,
    "crops": 2,
    "crop_size": 0.2,
    "crop_spread": 0.3,
    "centre_spread": 0.0,
    "noise": 0.3,
    "magnitude": models.images(3, (16, 24, 3)),
    "optimizer": keras.optimizers.SGD(0.1),
    "regularizers": (TotalVariation(50.0),),
    "values_range": (0, 255),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_changes_the_picture(name):
    before, after = plain().explain(targets=1), maco(**{name: OPTIONS[name]}).explain(targets=1)
    assert np.abs(before.images - after.images).max() > 1e-3


def test_accentuation_begins_as_the_photograph_and_stays_near_it_in_a_layer():
    photographs = models.images(2, (16, 24, 3)) * 0.9 + 0.05
    options = {**QUICK, "crop_size": 0.9}
    still = FeatureAccentuation(models.convolutional(), **{**options, "optimizer": keras.optimizers.SGD(0.0)})
    np.testing.assert_allclose(still.explain(photographs, [0, 1]).images, photographs, atol=1e-4)
    model = models.convolutional()

    def moved(**more):
        seen = FeatureAccentuation(model, **{**options, "steps": 30, **more}).explain(photographs, 2)
        return np.abs(seen.images - photographs[:1]).mean(), seen

    with pytest.raises(ValueError, match="2 photographs for 1 targets"):
        moved()
    photographs = photographs[:1]
    free, seen = moved()
    assert seen.values[0, -5:].mean() > seen.values[0, :5].mean()
    near, _ = moved(near="first", nearness=100.0)
    assert near < free / 2
    # Magnitudes before the sigmoid stay.
    share = [np.log(each / (1 - each)) for each in (photographs[0].astype(float), seen.images[0].astype(float))]
    before, after = (np.abs(np.fft.rfft2(decorrelated(each[None])[0], axes=(0, 1))) for each in share)
    np.testing.assert_allclose(after, before, rtol=0.02, atol=0.05)


def test_inversion_climbs_towards_what_the_layer_answers_to_the_photograph():
    photographs = models.images(2, (20, 30, 3))
    model = models.convolutional()
    method = FeatureInversion(model, layer="first", **{**QUICK, "crops": 2, "steps": 60})
    seen = method.invert(photographs)
    assert (seen.values[:, -5:].mean(axis=1) > seen.values[:, :5].mean(axis=1) + 0.02).all()
    assert seen.values.max() <= 1 and seen.names == ("photograph", "photograph")
    assert np.abs(seen.images[0] - seen.images[1]).max() > 0.05


def test_views_are_pure_lie_within_the_picture_and_keep_proportions():
    views = Views(size=(8, 4), count=50, crop_size=np.linspace(0.9, 0.1, 10), noise=np.zeros(10), seed=3)
    boxes = views.boxes(tf.constant(2), (30, 60)).numpy()
    np.testing.assert_array_equal(boxes, views.boxes(tf.constant(2), (30, 60)))
    assert boxes.min() >= -1e-6 and boxes.max() <= 1 + 1e-6
    height, width = (boxes[:, 2] - boxes[:, 0]) * 30, (boxes[:, 3] - boxes[:, 1]) * 60
    np.testing.assert_allclose(height, 2 * width, rtol=1e-4)
    assert np.abs(boxes - views.boxes(tf.constant(3), (30, 60))).max() > 0.01
    late = views.boxes(tf.constant(9), (30, 60)).numpy()
    assert (late[:, 2] - late[:, 0]).mean() < (boxes[:, 2] - boxes[:, 0]).mean() / 2


def test_noise_has_the_deviation_of_the_schedule_and_belongs_to_the_view():
    views = Views(size=(32, 32), count=6, crop_size=np.ones(2), noise=np.array([0.0, 0.5], np.float32))
    grey = tf.zeros((2, 40, 40, 3))
    assert not views(grey, tf.constant(0), tf.range(6)).numpy().any()
    shown = views(grey, tf.constant(1), tf.range(6)).numpy()
    assert np.isclose(shown.std(), 0.5, rtol=0.02)
    np.testing.assert_array_equal(shown[:6], shown[6:])
    np.testing.assert_array_equal(views(grey[:1], tf.constant(1), tf.constant([4])).numpy()[0], shown[4])
    # That of one view tells nothing of another's, of the same step or the next.
    other = replace(views, noise=np.full(2, 0.5, np.float32))(grey[:1], tf.constant(0), tf.range(6)).numpy()
    every = np.corrcoef(np.concatenate([shown[:6], other]).reshape(12, -1))
    assert np.abs(every - np.eye(12)).max() < 0.1


def test_a_visualisation_is_kept(tmp_path):
    seen = plain().explain(targets=[1, 2])
    stored = type(seen).load(seen.save(tmp_path / "seen"))
    for name in ("images", "transparency", "values"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(seen, name))
    assert stored.names == seen.names and stored.settings == seen.settings and stored.values_range == (0, 1)
    assert len(seen[1]) == 1 and seen[1].names == ("class 2",) and seen[[1, 0]].names == ("class 2", "class 1")
    _figure, axes = seen.plot()
    assert len(axes) == 2


def test_inversion_by_distance_goes_down_to_the_answer():
    photographs = models.images(1, (20, 30, 3))
    model = models.convolutional()
    options = {**QUICK, "crops": 2, "steps": 60}
    seen = FeatureInversion(model, layer="first", loss="distance", **options).invert(photographs)
    apart = seen.values[0]
    assert apart.max() <= 0 and apart[-5:].mean() > 0.8 * apart[:5].mean(), "what is left of the distance, subtracted"
    cosine = FeatureInversion(model, layer="first", **options).invert(photographs)
    assert np.abs(seen.images - cosine.images).max() > 0.01


def test_maco_begins_as_a_photograph_that_is_handed_over():
    photographs = models.images(2, (16, 24, 3)) * 0.9 + 0.05
    still = maco(crop_size=0.9, optimizer=keras.optimizers.SGD(0.0))
    np.testing.assert_allclose(still.explain(photographs, [0, 1]).images, photographs, atol=1e-4)
    moved = maco(crop_size=0.9).explain(photographs, [0, 1]).images
    assert (
        np.abs(moved - photographs).max() > 0.01 and np.abs(moved - plain().explain(targets=[0, 1]).images).max() > 0.1
    )


@pytest.mark.parametrize("batch_size", [2, 7, 64])
def test_progress_counts_every_view_of_every_picture(batch_size, monkeypatch):
    told: list[Any] = []

    class Bar:
        update = told.append

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    totals = []
    monkeypatch.setattr("xsparks.features.visualiser.progress_bar", lambda total, *rest: totals.append(total) or Bar())
    maco(batch_size=batch_size).explain(targets=[0, 1, 2])
    assert totals == [3 * 6 * 3] and sum(told) == totals[0]
