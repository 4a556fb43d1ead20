"""MeGe and ReCo against a slow twin that follows the paper line by line, and on constructed cases."""

from __future__ import annotations

import dataclasses
import random
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.truths.stability_models import Foretold, Products, build, pictures, train
from xsparks.attributions import GradientInput, Saliency
from xsparks.engine import Score
from xsparks.metrics import CrossTraining, InputMap, KerasTraining, MeGe, ReCo
from xsparks.models.access import Notice

X, Y = pictures()
SPLITS = 4

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def cross(**options) -> CrossTraining:
    return CrossTraining(train, X, Y, **{"k_splits": SPLITS, "progress": False, "tolerance": 1, **options})


def twin(parts: list[np.ndarray], distance=None, predicted: bool = False) -> tuple[list, list, int]:
    """The sets S= and S/ of the paper, as lists of (picture, distance), and how many pairs nobody is right about."""
    same, different, dropped = [], [], 0
    fitted = [train(np.delete(X, part, axis=0), np.delete(Y, part), None, None) for part in parts]
    for i, part in enumerate(parts):
        for x in part:
            for j in range(len(parts)):
                if j == i:
                    continue
                maps, right = [], []
                for model in (fitted[i], fitted[j]):
                    answer = int(np.argmax([(X[x] * mean).sum() for mean in model.means]))
                    right.append(answer == Y[x])
                    values = X[x] * model.means[answer if predicted else Y[x]]
                    maps.append(values.mean(axis=-1))
                if distance is None:
                    rho = stats.spearmanr(maps[0].ravel(), maps[1].ravel())[0]
                    apart = 1 - abs(round(rho, 12))
                else:
                    apart = distance(*maps)
                if right[0] and right[1]:
                    same.append((x, apart))
                elif right[0] != right[1]:
                    different.append((x, apart))
                else:
                    dropped += 1
    return same, different, dropped


def forms(same: np.ndarray, different: np.ndarray) -> dict[str, float]:
    """The three forms of ReCo, threshold by threshold."""
    every = np.concatenate([same, different])
    recall, precision = [], []
    for g in every:
        recall.append((same <= g).mean() - (different <= g).mean())
        tpr = (same <= g).sum() / (every <= g).sum()
        tnr = (different > g).sum() / (every > g).sum() if (every > g).any() else len(different) / len(every)
        precision.append(tpr + tnr - 1)
    return {"recall": max(recall), "precision": max(precision), "auc": float(np.mean(precision))}


@pytest.mark.parametrize("predicted", [False, True])
def test_both_follow_the_paper_line_by_line(predicted):
    trained = cross()
    same, different, dropped = twin(trained.held_out, predicted=predicted)
    assert len(same) > 20 and len(different) > 20 and dropped > 3
    option = {"explained_class": "predicted" if predicted else "true"}
    score = MeGe(trained, **option).evaluate(Products)
    assert float(score) == pytest.approx(1 / (1 + np.mean([apart for _, apart in same])), rel=1e-6)
    assert (score.same_pairs, score.different_pairs, score.dropped_pairs) == (len(same), len(different), dropped)
    assert score.mean_distance == pytest.approx(np.mean([apart for _, apart in same]), rel=1e-6)
    alone = {x: [apart for other, apart in same if other == x] for x, _ in same}
    wanted = [1 / (1 + np.mean(alone[x])) for x in score.image_ids]
    assert sorted(alone) == sorted(score.image_ids)
    np.testing.assert_allclose(score.per_sample, wanted, rtol=1e-6)
    of_same, of_different = (np.array([apart for _, apart in pairs]) for pairs in (same, different))
    for form, value in forms(of_same, of_different).items():
        found = ReCo(trained, form=form, **option).evaluate(Products)
        assert float(found) == pytest.approx(value, rel=1e-6) and found.extras[form] == float(found)
        assert (found.same_pairs, found.different_pairs, found.dropped_pairs) == (len(same), len(different), dropped)


def test_the_recall_form_is_the_statistic_of_kolmogorov_and_smirnov():
    score = ReCo(cross()).evaluate(Products)
    same, different = score.distances[score.distance_same], score.distances[~score.distance_same]
    wanted = stats.ks_2samp(same, different, alternative="greater")
    assert float(score) == pytest.approx(wanted.statistic) and score.p_value == pytest.approx(wanted.pvalue)
    ranked = stats.mannwhitneyu(same, different)
    assert score.auroc == pytest.approx(1 - ranked.statistic / (len(same) * len(different)))
    at = score.threshold
    assert float(score) == pytest.approx((same <= at).mean() - (different <= at).mean())


def test_the_honest_p_value_counts_each_picture_once():
    trained = cross()
    same, different, _ = twin(trained.held_out, predicted=True)
    means = [
        [np.mean([d for x, d in pairs if x == picture]) for picture in {x for x, _ in pairs}]
        for pairs in (same, different)
    ]
    wanted = stats.ks_2samp(*means, alternative="greater").pvalue
    score = ReCo(trained, explained_class="predicted").evaluate(Products)
    assert score.p_value_images == pytest.approx(wanted) and score.p_value < wanted < 0.01


def test_a_picture_s_share_of_pairs_on_their_side():
    trained = cross()
    score = ReCo(trained).evaluate(Products)
    sided = (score.distances <= score.threshold) == score.distance_same
    wanted = [sided[score.distance_images == picture].mean() for picture in score.image_ids]
    np.testing.assert_allclose(score.per_sample, wanted)


def test_identical_models_have_mege_1():
    """A model that learns nothing from the data, explained by what it is."""
    weights = keras.initializers.RandomUniform(seed=3)

    def same_model(x_train, y_train, x_test, y_test):
        return keras.Sequential(
            [
                keras.Input(X.shape[1:]),
                keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=weights),
                keras.layers.Flatten(),
                keras.layers.Dense(3, kernel_initializer=weights),
            ]
        )

    for distance in ("spearman_abs", "spearman_sqrt", "ssim"):
        score = MeGe(same_model, X, Y, k_splits=3, distance=distance, progress=False).evaluate(Saliency)
        assert float(score) == pytest.approx(1, abs=1e-6) and score.interval == pytest.approx((1, 1), abs=1e-6)


def foretold(same: list[float], different: list[float]) -> tuple[Foretold, dict]:
    """Two models; picture by picture the distance of their maps, and whether both are right or one is.

    With `distance` as the difference of two constant maps, a distance is what it was chosen to be.
    """
    apart = np.array([*same, *different])
    maps = np.zeros((2, len(apart), 2, 2))
    maps[1] = apart[:, None, None]
    right = np.ones((2, len(apart)), dtype=bool)
    right[0, len(same) :] = False
    return Foretold(maps, right), {"distance": lambda a, b: np.abs(a - b)[:, 0, 0]}


def reco(case: tuple[Foretold, dict], form: str) -> Score:
    models, options = case
    models.count = 0
    options = {"k_splits": 2, "progress": False, **options}
    return ReCo(models.train, models.x, models.y, form=form, **options).evaluate(models.explainer)


def test_reco_is_1_where_a_threshold_parts_the_sets():
    case = foretold([0.25] * 12, [0.75] * 4)
    for form in ("recall", "precision"):
        assert float(reco(case, form)) == 1
    # At the largest distance the mean of the supplement counts what nothing is told by: 1 for 12 of 16 thresholds.
    assert float(reco(case, "auc")) == pytest.approx(12 / 16)
    assert reco(case, "recall").auroc == 1 and reco(case, "recall").threshold == 0.25


def test_reco_is_0_where_the_sets_are_alike():
    case = foretold([0.25, 0.5, 0.5, 0.75] * 2, [0.25, 0.5, 0.5, 0.75])
    for form in ("recall", "precision", "auc"):
        assert float(reco(case, form)) == pytest.approx(0, abs=1e-12)
    assert reco(case, "recall").auroc == 0.5 and reco(case, "recall").p_value > 0.9


def test_reco_is_0_where_models_that_agree_differ_more():
    case = foretold([0.75] * 6, [0.25] * 6)
    for form in ("recall", "precision"):
        assert float(reco(case, form)) == 0
    assert float(reco(case, "auc")) == pytest.approx(-0.5) and reco(case, "recall").auroc == 0


def test_a_map_of_the_input_alone_has_mege_1_and_reco_0():
    trained = cross()
    assert float(MeGe(trained).evaluate(InputMap)) == 1
    score = ReCo(trained).evaluate(InputMap)
    assert float(score) == 0 and score.auroc == 0.5
    np.testing.assert_allclose(InputMap().explain(-X), np.abs(X).mean(axis=-1))


def test_constant_maps_count_as_disagreement_and_are_counted():
    maps = np.random.default_rng(0).random((2, 8, 2, 2))
    maps[1, :3] = 7
    models = Foretold(maps, np.ones((2, 8), dtype=bool))
    score = MeGe(models.train, models.x, models.y, k_splits=2, progress=False).evaluate(models.explainer)
    assert score.constant_maps == 3 and score.same_pairs == 8
    chosen = np.isin(score.distance_images, [0, 1, 2])
    assert (score.distances[chosen] == 1).all() and (score.distances[~chosen] < 1).all()


def test_net_mege_leaves_what_data_change_beyond_the_seed():
    """Against the definition, with the maps of two seeds that are given."""
    draw = np.random.default_rng(1)
    count, splits = 12, 3
    maps, right = draw.random((2 * splits, count, 2, 2)), draw.random((2 * splits, count)) < 0.9
    models = Foretold(maps, right)

    def apart(a, b):
        return np.abs(a - b).mean(axis=(1, 2))

    options = {"k_splits": splits, "progress": False, "distance": apart}
    metric = MeGe(models.train, models.x, models.y, net=True, **options)
    score = metric.evaluate(models.explainer)
    maps = maps.astype(np.float32)
    net = []
    for i, part in enumerate(metric.cross_training.held_out):
        for x in part:
            for j in set(range(splits)) - {i}:
                four = [i, i + splits, j, j + splits]
                if right[four, x].all():
                    ia, ib, ja, jb = maps[four, x]
                    both = np.abs(ia - jb).mean() + np.abs(ib - ja).mean()
                    net.append((both - np.abs(ia - ib).mean() - np.abs(ja - jb).mean()) / 2)
    assert len(net) > 8
    assert float(score) == pytest.approx(1 / (1 + np.mean(net)), rel=1e-6)
    assert score.data_and_seed_distance - score.seed_distance == pytest.approx(np.mean(net), abs=1e-6)
    models.count = 0
    plain = MeGe(models.train, models.x, models.y, **options)
    assert float(plain.evaluate(models.explainer)) != pytest.approx(float(score))


@pytest.mark.parametrize(
    "options",
    [
        {"distance": "spearman"},
        {"distance": "spearman_sqrt"},
        {"distance": "dice"},
        {"distance": "l1"},
        {"distance": "l2"},
        {"distance": "ssim"},
        {"explained_class": "predicted"},
    ],
    ids=str,
)
def test_each_option_changes_the_value(options):
    trained = cross()
    metric = ReCo if "explained_class" in options else MeGe
    value = float(metric(trained).evaluate(Products))
    assert float(metric(trained, **options).evaluate(Products)) != pytest.approx(value, abs=1e-4)


def test_options_of_the_training_change_the_value():
    value = float(MeGe(train, X, Y, k_splits=4, progress=False).evaluate(Products))
    for options in ({"k_splits": 3}, {"seed": 1}, {"samples": 3}):
        other = MeGe(train, X, Y, **{"k_splits": 4, "progress": False, **options})
        assert float(other.evaluate(Products)) != pytest.approx(value, abs=1e-6)


def test_the_interval_over_pictures_and_over_folds():
    trained = cross()
    for metric in (MeGe, ReCo):
        over_pictures, over_folds = (metric(trained, interval=kind).evaluate(Products) for kind in ("images", "folds"))
        assert float(over_pictures) == float(over_folds) and over_pictures.interval != over_folds.interval
        for score in (over_pictures, over_folds):
            assert score.interval[0] < float(score) < score.interval[1]


def test_the_interval_of_mege_is_the_bootstrap_that_copies_pictures():
    trained = cross()
    score = MeGe(trained).evaluate(Products)
    draw = np.random.default_rng([0, 1])
    of = [score.distances[score.distance_images == x] for x in trained.explained[0] if x in score.image_ids]
    values = [
        1 / (1 + np.mean(np.concatenate([of[i] for i in draw.integers(0, len(of), len(of))]))) for _ in range(2000)
    ]
    np.testing.assert_allclose(score.interval, np.quantile(values, [0.025, 0.975]), rtol=1e-6)


def test_the_score_knows_how_it_was_made(tmp_path):
    score = ReCo(cross(), form="precision").evaluate(Products)
    assert score.metric == "ReCo" and score.method == "Products" and score.better == "higher"
    assert score.settings["form"] == "precision" and score.settings["explainer"]["power"] == 1.0
    assert score.settings["train"]["name"] == "train" and "keras" in score.versions
    np.testing.assert_allclose(score.accuracies, cross().fit().accuracies_)
    again = Score.load(score.save(tmp_path / "score"))
    assert float(again) == float(score) and again.auroc == score.auroc
    np.testing.assert_array_equal(again.distances, score.distances)
    assert float(ReCo(cross(), form="precision")(Products)) == float(score)


# The training


def test_parts_are_shuffled_stratified_and_of_equal_size():
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    trained = CrossTraining(train, np.zeros((60, 5, 6, 2)), labels, k_splits=5)
    parts = trained.held_out
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    for part in parts:
        assert np.bincount(labels[part]).tolist() == [6, 4, 2]
        assert (np.diff(part) > 1).any()
    other = CrossTraining(train, np.zeros((60, 5, 6, 2)), labels, k_splits=5, seed=1)
    assert not np.array_equal(np.sort(other.held_out[0]), np.sort(parts[0]))
    one_hot = CrossTraining(train, np.zeros((60, 5, 6, 2)), np.eye(3)[labels], k_splits=5)
    assert all(np.array_equal(a, b) for a, b in zip(one_hot.held_out, parts, strict=True))
    numbers = CrossTraining(train, np.zeros((60, 5, 6, 2)), np.linspace(0, 1, 60), k_splits=7)
    assert sorted(map(len, numbers.held_out)) == [8, 8, 8, 9, 9, 9, 9]
    rare = CrossTraining(train, np.zeros((60, 5, 6, 2)), np.r_[labels[:-1], 3], k_splits=5)
    assert sorted(np.concatenate(rare.held_out).tolist()) == list(range(60))


def test_each_model_is_trained_without_its_part():
    seen = []

    def remember(x_train, y_train, x_test, y_test):
        seen.append((x_train[:, 0, 0, 0], y_train, x_test[:, 0, 0, 0], y_test))
        return train(x_train, y_train, x_test, y_test)

    numbered = X.copy()
    numbered[:, 0, 0, 0] = np.arange(len(X))
    trained = CrossTraining(remember, numbered, Y, k_splits=4, tolerance=1, progress=False).fit()
    for (x_train, y_train, x_test, y_test), part in zip(seen, trained.held_out, strict=True):
        np.testing.assert_array_equal(x_test, part)
        np.testing.assert_array_equal(np.sort(np.r_[x_train, x_test]), np.arange(len(X)))
        np.testing.assert_array_equal(y_train, Y[x_train.astype(int)])
        np.testing.assert_array_equal(y_test, Y[part])


def test_accuracies_are_of_the_held_out_parts():
    trained = cross().fit()
    for part, accuracy in zip(trained.held_out, trained.accuracies_, strict=True):
        model = train(np.delete(X, part, axis=0), np.delete(Y, part), None, None)
        answers = np.einsum("nhwc,khwc->nk", X[part], model.means).argmax(axis=1)
        assert accuracy == pytest.approx((answers == Y[part]).mean())


def test_pictures_are_chosen_by_the_seed():
    few, again, other = (cross(samples=3, seed=seed).explained for seed in (0, 0, 1))
    assert len(few[0]) == 12 and np.bincount(few[1]).tolist() == [3] * 4
    np.testing.assert_array_equal(few[0], again[0])
    assert not np.array_equal(few[0], other[0])
    for fold, part in enumerate(cross().held_out):
        assert np.isin(few[0][few[1] == fold], part).all()


def test_a_dataset_is_read_once():
    pairs = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(len(X)).batch(7)
    trained = CrossTraining(train, pairs, k_splits=4, tolerance=1, progress=False)
    data = {picture.tobytes(): label for picture, label in zip(X, Y, strict=True)}
    assert all(data[x.tobytes()] == y for x, y in zip(*trained.rows(np.arange(len(X))), strict=True))
    assert 0.5 < float(MeGe(trained).evaluate(Products)) < 1


def test_all_models_start_from_the_same_weights_and_a_second_seed_from_others():
    first = []

    def weights(*data):
        model = build()
        first.append(np.concatenate([np.ravel(weight) for weight in model.get_weights()]))
        return model

    CrossTraining(weights, X, Y, k_splits=2, compare_seeds=True, tolerance=1, progress=False).fit()
    assert len(first) == 4
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[2], first[3])
    assert not np.allclose(first[0], first[2])


def test_no_global_seed_is_touched():
    def draws():
        of_keras = float(keras.random.normal(()))
        return random.random(), np.random.random(), float(tf.random.uniform(())), of_keras

    def start():
        keras.utils.set_random_seed(3)
        draws()

    start()
    expected = draws()
    start()

    def training(*data):
        for _ in range(3):
            draws()
        return KerasTraining(build)(*data)

    CrossTraining(training, X, Y, k_splits=2, seed=3, tolerance=1, progress=False).fit()
    assert draws() == expected


def test_a_keras_builder_is_trained_and_explained():
    training = KerasTraining(build, epochs=2, batch_size=8)
    trained = CrossTraining(training, X, Y, k_splits=2, tolerance=1, progress=False)
    score = MeGe(trained).evaluate(lambda model: GradientInput(model, progress=False))
    assert 0.5 < float(score) < 1 and score.method == "GradientInput"
    lengths = [fold.size for fold in trained.held_out]
    model = KerasTraining(build, epochs=2, batch_size=8)(X, Y, X, Y)
    # The compiled optimizer has made this many steps.
    assert int(model.optimizer.iterations) == 2 * 5 and lengths == [20, 20]


def test_what_is_right_may_be_decided_by_a_function():
    values = np.linspace(-1, 1, len(X)).astype(np.float32)

    def close(outputs, targets):
        return np.abs(outputs[:, 0] - targets) < 0.5

    def mean(x_train, y_train, x_test, y_test):
        return lambda x: tf.zeros((tf.shape(x)[0], 1)) + float(np.mean(y_train))

    trained = CrossTraining(mean, X, values, k_splits=4, correct=close, tolerance=1, progress=False).fit()
    np.testing.assert_array_equal(
        trained.right_[0], np.abs(values - np.delete(values, trained.held_out[0]).mean()) < 0.5
    )
    score = MeGe(trained, explained_class="predicted").evaluate(InputMap)
    assert float(score) == 1 and score.dropped_pairs > 0


def test_unequal_accuracies_are_told():
    right = np.ones((3, 30), dtype=bool)
    right[2, ::2] = False
    models = Foretold(np.random.default_rng(0).random((3, 30, 2, 2)), right)
    trained = CrossTraining(models.train, models.x, models.y, k_splits=3, progress=False)
    with pytest.warns(Notice, match=r"equally good.*1.000, 1.000, 0.*Train longer"):
        trained.fit()
    models.count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataclasses.replace(trained, tolerance=1).fit()


# A run that was stopped


class Counted:
    """A training in one step that counts its calls and may stop at one."""

    def __init__(self) -> None:
        self.calls, self.stop_at = 0, -1

    def __call__(self, x_train, y_train, x_test, y_test):
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        model = build()
        model.set_weights([weight + 0.3 * np.resize(x_train, weight.shape) for weight in model.get_weights()])
        return model


def kept(training, folder, **options) -> CrossTraining:
    return CrossTraining(training, X, Y, k_splits=3, folder=folder, tolerance=1, progress=False, **options)


def test_a_stopped_run_goes_on_and_half_a_model_is_trained_again(tmp_path):
    training = Counted()
    wanted = float(MeGe(kept(training, None)).evaluate(Saliency))
    training.calls, training.stop_at = 0, 1
    with pytest.raises(KeyboardInterrupt):
        kept(training, tmp_path).fit()
    training.stop_at = -1
    assert training.calls == 1
    trained = kept(training, tmp_path)
    assert float(MeGe(trained).evaluate(Saliency)) == pytest.approx(wanted, rel=1e-4)
    assert training.calls == 3
    kept(training, tmp_path).fit()
    assert training.calls == 3
    for spoil in (
        lambda folder: (folder / "finished.json").unlink(),
        lambda folder: (folder / "model.keras").write_bytes(b"half"),
        lambda folder: (folder / "right.npz").write_bytes(b""),
        lambda folder: (folder / "finished.json").write_text("{"),
    ):
        before = training.calls
        spoil(tmp_path / "fold-1")
        # Maps of a model that is gone are gone as well.
        assert (tmp_path / "fold-0").is_dir() and kept(training, tmp_path).fit().store.right("fold-1") is not None
        assert training.calls == before + 1 and not list((tmp_path / "fold-1").glob("maps-*"))
    assert float(MeGe(kept(training, tmp_path)).evaluate(Saliency)) == pytest.approx(wanted, rel=1e-4)


def test_a_second_seed_uses_the_models_of_the_first(tmp_path):
    training = Counted()
    kept(training, tmp_path).fit()
    kept(training, tmp_path, compare_seeds=True).fit()
    assert training.calls == 6


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_mege_and_reco_share_the_maps_of_a_method(where, tmp_path, monkeypatch):
    training = Counted()
    trained = kept(training, tmp_path if where == "folder" else None)
    explained = []
    explain = Saliency.explain

    def counted(self, inputs, targets=None, out=None):
        explained.append(len(inputs))
        return explain(self, inputs, targets, out)

    monkeypatch.setattr(Saliency, "explain", counted)
    mege = MeGe(trained).evaluate(Saliency)
    assert sum(explained) == 3 * len(X)
    ReCo(trained).evaluate(Saliency)
    assert sum(explained) == 3 * len(X) and training.calls == 3
    MeGe(trained).evaluate(lambda model: Saliency(model, reducer="norm"))
    assert sum(explained) == 6 * len(X)
    MeGe(trained, explained_class="predicted").evaluate(Saliency)
    assert sum(explained) == 9 * len(X)
    if where == "folder":
        again = MeGe(kept(training, tmp_path)).evaluate(Saliency)
        assert sum(explained) == 9 * len(X) and float(again) == float(mege)
        part = next((tmp_path / "fold-2").glob("maps-*/part-00000.npz"))
        part.write_bytes(part.read_bytes()[:100])
        for _ in range(2):
            MeGe(kept(training, tmp_path)).evaluate(Saliency)
            MeGe(kept(training, tmp_path), explained_class="predicted").evaluate(Saliency)
            MeGe(kept(training, tmp_path)).evaluate(lambda model: Saliency(model, reducer="norm"))
        assert sum(explained) == 10 * len(X)
