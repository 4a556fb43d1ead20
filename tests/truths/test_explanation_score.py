"""An explanation behaves as its maps and a score as its number; both keep what belongs to them, on disk as well."""

from __future__ import annotations

import copy
import json
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from tests import models
from tests.messages.saying import TARGETS, X, network, sobol
from xsparks.engine import Explanation, Score
from xsparks.engine.record import model_digest
from xsparks.engine.score import bootstrap_interval
from xsparks.metrics import Deletion


@pytest.fixture(scope="module")
def maps() -> Explanation:
    """Maps of five images with extras and an interval."""
    return sobol(class_names=["cat", "dog", "eel", "fox"]).explain(X, TARGETS)


@pytest.fixture(scope="module")
def score(maps) -> Score:
    return Deletion(network(), X, TARGETS, steps=5).evaluate(maps)


def test_an_explanation_behaves_as_an_array(maps):
    array = np.asarray(maps)
    assert maps.shape == array.shape == (5, 8, 12, 1) and maps.ndim == 4 and len(maps) == 5
    assert maps.dtype == array.dtype == np.float32
    np.testing.assert_array_equal(array, maps.maps)
    np.testing.assert_array_equal(np.array(maps, dtype=np.float64), array.astype(np.float64))
    np.testing.assert_array_equal(tf.convert_to_tensor(maps), array)
    assert np.isfinite(maps).all() and np.isclose(np.mean(maps), array.mean())
    np.testing.assert_array_equal([each for each in maps], array)
    assert len(list(maps)) == 5 and "5 inputs by SobolAttribution, maps (5, 8, 12, 1)" in repr(maps)


def test_maps_on_a_grid_are_enlarged_on_access(maps):
    assert maps.values.shape == (5, 2, 3, 1) and maps.raw.shape == (5, 2, 3, 1)
    np.testing.assert_allclose(maps.maps[:, :, :, 0].mean((1, 2)), maps.values.mean((1, 2, 3)), rtol=0.2)
    for image, cells in zip(maps.maps, maps.values, strict=True):
        highest = np.unravel_index(image.argmax(), (8, 12))
        assert (highest[0] // 4, highest[1] // 4) == np.unravel_index(cells.argmax(), (2, 3))
    full = Explanation(maps.maps, size=(8, 12))
    assert full.maps is full.values and Explanation(maps.values).shape == (5, 2, 3, 1)


@pytest.mark.parametrize(
    "key, rows",
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [4, 3, 2, 1, 0]),
        ([3, 0], [3, 0]),
        (np.array([3, 0]), [3, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
        (slice(0, 0), []),
    ],
    ids=["slice", "reversed", "list", "array", "booleans", "empty"],
)
def test_samples_are_chosen_with_all_that_belongs_to_them(maps, key, rows):
    chosen = maps[key]
    assert isinstance(chosen, Explanation) and len(chosen) == len(rows)
    for name in ("maps", "values", "targets", "scores", "digests", "raw", "interval", "forwards"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(maps, name)[rows], err_msg=name)
    assert chosen.settings == maps.settings and chosen.class_names == maps.class_names


def test_one_map_and_single_values_are_arrays(maps):
    for position in (0, np.int64(3), -1):
        np.testing.assert_array_equal(maps[position], maps.maps[position])
    np.testing.assert_array_equal(maps[1:3, 2, :, 0], maps.maps[1:3, 2, :, 0])
    np.testing.assert_array_equal(maps[..., 0], maps.maps[..., 0])
    with pytest.raises(IndexError):
        maps[5]


def test_parts_are_joined_again(maps):
    joined = Explanation.concatenate([maps[:2], maps[2:3], maps[3:]])
    for name in ("maps", "targets", "scores", "digests", "raw", "interval"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(maps, name), err_msg=name)
    assert Explanation.concatenate([maps]) is maps and joined.estimand == maps.estimand


def assert_same(one: Explanation, other: Explanation) -> None:
    for name in ("values", "targets", "scores", "digests"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        if getattr(one, name) is not None:
            assert getattr(one, name).dtype == getattr(other, name).dtype, name
    assert one.extras.keys() == other.extras.keys()
    for name, array in one.extras.items():
        np.testing.assert_array_equal(array, other.extras[name], err_msg=name)
    for name in ("size", "method", "estimand", "settings", "versions"):
        assert getattr(one, name) == getattr(other, name), name
    assert list(one.class_names or []) == list(other.class_names or [])


@pytest.mark.parametrize("name", ["maps", "maps.npz", "maps.json", "new folder/maps.v1"])
def test_what_is_saved_is_loaded(maps, name, tmp_path):
    path = maps.save(tmp_path / name)
    assert path.suffix == ".npz" and path.exists()
    assert_same(Explanation.load(tmp_path / name), maps)
    assert_same(Explanation.load(path), maps)
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".json", ".npz"]
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["method"] == "SobolAttribution" and record["settings"]["grid_size"] == [2, 3]
    assert set(record["versions"]) == {"xsparks", "tensorflow", "keras", "numpy", "python"}


def test_little_is_enough_for_an_explanation(tmp_path):
    bare = Explanation(np.ones((2, 3, 3, 1), np.float32))
    bare.save(tmp_path / "bare")
    assert_same(Explanation.load(tmp_path / "bare"), bare)


def test_no_pickle_is_written(maps, score, tmp_path):
    for result in (maps, score):
        with np.load(result.save(tmp_path / "result"), allow_pickle=False) as stored:
            assert all(stored[name].dtype.kind in "fiu" for name in stored.files)


def test_copies_and_pickles_of_the_users_own(maps):
    assert_same(copy.deepcopy(maps), maps)
    assert_same(pickle.loads(pickle.dumps(maps)), maps)


def test_titles_name_the_class_and_the_score(maps):
    assert maps.titles()[3] == f"fox ({maps.scores[3]:.2f})"
    assert sobol().explain(X[:1], 2).titles()[0].startswith("2 (")
    assert sobol().explain(X[:1], np.eye(4)[:1]).titles()[0].startswith("weights (")
    assert Explanation(np.ones((2, 3, 3, 1))).titles() == ["", ""]


def test_plots_return_figure_and_axes(maps, score):
    for result in (
        maps.plot(X),
        maps.plot(),
        maps[:1].plot(X[:1], titles=["mine"]),
        score.plot(),
        score.plot(title="mine"),
    ):
        figure, axes = result
        assert isinstance(figure, Figure) and axes is not None


def test_notebooks_show_maps_and_settings(maps, score):
    before = plt.get_fignums()
    page = maps._repr_html_()
    assert plt.get_fignums() == before, "a figure stays open"
    assert page.count("data:image/png;base64,") == 1 and "SobolAttribution" in page and "nb_design=4" in page
    named = Explanation(np.ones((1, 2, 2, 1)), method="<script>", settings={"a": "<b>"})
    assert "<script>" not in named._repr_html_() and "<b>'" not in named._repr_html_()
    assert "Deletion" in score._repr_html_() and f"{float(score):.4f}" in score._repr_html_()
    assert Explanation(np.ones((3, 5))).plot is not None and "img" not in Explanation(np.ones((3, 5)))._repr_html_()


def test_a_score_behaves_as_its_number(score):
    assert float(score) == score.value == np.mean(score.per_sample) and score.per_sample.shape == (5,)
    assert score.interval[0] < float(score) < score.interval[1]
    assert repr(score).startswith(f"<Deletion of SobolAttribution {score.value:.4f} [") and "lower is better" in repr(
        score
    )
    assert score.curve[0].shape == (6,) and score.curve[1].shape == (5, 6)


def test_a_saved_score_is_loaded(score, tmp_path):
    loaded = Score.load(score.save(tmp_path / "score"))
    np.testing.assert_array_equal(loaded.per_sample, score.per_sample)
    for one, other in zip(loaded.curve, score.curve, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("value", "interval", "better", "metric", "method", "axes", "settings", "versions"):
        assert getattr(loaded, name) == getattr(score, name), name
    bare = Score.from_samples(np.array([1.0, 2.0]), "higher", "Agreement")
    assert Score.load(bare.save(tmp_path / "bare")).curve is None


def test_the_interval_covers_the_mean_of_the_population():
    """Means of 40 skewed values: a percentile interval of 95 % covers some 92 % of the time."""
    draw = np.random.default_rng(0)
    covered = []
    for seed in range(200):
        low, high = bootstrap_interval(draw.exponential(size=40), seed, resamples=400)
        covered.append(low <= 1.0 <= high)
    assert 0.86 < np.mean(covered) < 0.985


def test_the_interval_of_a_score_is_reproducible_and_narrows():
    few, many = np.random.default_rng(1).normal(size=20), np.random.default_rng(1).normal(size=2000)
    assert bootstrap_interval(few, 0) == bootstrap_interval(few, 0) != bootstrap_interval(few, 1)
    assert np.ptp(bootstrap_interval(many, 0)) < 0.2 * np.ptp(bootstrap_interval(few, 0))
    assert np.ptp(bootstrap_interval(few, 0, level=0.5)) < 0.6 * np.ptp(bootstrap_interval(few, 0))
    low, high = bootstrap_interval(few, 0, np.median)
    assert low < np.median(few) < high


def test_intervals_of_one_sample_and_of_equal_samples_are_points():
    assert bootstrap_interval(np.array([0.3]), 0) == (0.3, 0.3)
    assert bootstrap_interval(np.full(9, 0.5), 0) == (0.5, 0.5)


def test_the_interval_of_a_curve_is_that_of_each_point():
    rows = np.random.default_rng(2).exponential(size=(60, 4)) * np.array([1.0, 2.0, 0.0, 5.0])
    score = Score.from_samples(rows.mean(1), "lower", "Demo", curve=(np.arange(4.0), rows))
    low, high = score.curve_interval()
    assert low.shape == high.shape == (4,) and low[2] == high[2] == 0
    for point in (0, 1, 3):
        wanted = bootstrap_interval(rows[:, point], 0)
        width = np.ptp(wanted)
        np.testing.assert_allclose([low[point], high[point]], wanted, atol=0.1 * width)
    narrow = score.curve_interval(level=0.5)
    assert (np.subtract(*narrow[::-1])[[0, 1, 3]] < 0.6 * (high - low)[[0, 1, 3]]).all()


def test_a_score_has_the_extras_of_its_metric(tmp_path):
    score = Score.from_samples(np.array([1.0, 2.0]), "higher", "Demo", extras={"p_value": 0.25, "sizes": np.arange(3)})
    found = Score.load(score.save(tmp_path / "score"))
    for one in (score, found):
        assert one.p_value == 0.25
        np.testing.assert_array_equal(one.sizes, [0, 1, 2])
    assert not hasattr(score, "other")


def test_a_model_that_is_built_again_with_the_same_weights_is_the_same():
    first, again, other = models.convolutional(), models.convolutional(), models.convolutional()
    again.set_weights(first.get_weights())
    other.set_weights([weight + 1 for weight in first.get_weights()])
    assert first.name != again.name
    assert model_digest(first) == model_digest(again) != model_digest(other)
    # Without weights the name is all there is.
    assert model_digest(models.constant) != model_digest(len)
