"""The words of MeGe, ReCo, their training and the numbers behind them."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.messages.saying import says
from tests.truths.stability_models import SHAPE, Foretold, Products, build, pictures, train
from xsparks.core.errors import ModelError, NotFittedError
from xsparks.metrics import CrossTraining, InputMap, KerasTraining, MeGe, ReCo
from xsparks.numerics.clusters import cluster_bootstrap_interval, jackknife_interval
from xsparks.numerics.map_distances import map_distances
from xsparks.numerics.separation import Separator

X, Y = pictures(30)

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


def cross(training=train, targets=Y, **options) -> CrossTraining:
    return CrossTraining(training, X, targets, **{"k_splits": 2, "tolerance": 1, "progress": False, **options})


def test_a_training_of_another_kind():
    remedy = "Wrap a function that builds a compiled Keras model: KerasTraining(build, epochs=10)."
    for wrong, received in (
        (build, "function: too many positional arguments"),
        (3, "int: 3 is not"),
    ):
        error = says(
            TypeError,
            f"`train` must be a function (x_train, y_train, x_test, y_test) -> model, got {received}",
            lambda wrong=wrong: cross(wrong),
        )
        assert str(error).startswith("`CrossTraining`: ") and str(error).endswith(remedy)


def test_what_a_training_returns():
    says(
        TypeError,
        "`CrossTraining`: `train` must return the trained model, got dict. Return the model itself",
        lambda: cross(lambda *data: {}).fit(),
    )


def test_builders():
    says(
        TypeError,
        "`KerasTraining`: `build` must be a function that returns a new compiled model, got Functional",
        lambda: KerasTraining(keras.Model(i := keras.Input((2,)), i)),
    )
    says(
        TypeError,
        "`build` must be a function that returns a new compiled model, got NoneType",
        lambda: KerasTraining(None),
    )  # pyright: ignore
    bare = KerasTraining(lambda: keras.Sequential([keras.Input(SHAPE)]))
    says(
        ModelError,
        "`KerasTraining`: `build` must return a compiled Keras model, got a Keras model that is not compiled. "
        "Call model.compile(optimizer, loss) before it is returned.",
        lambda: bare(X, Y, X, Y),
    )
    says(ModelError, "got function. Call model.compile", lambda: KerasTraining(lambda: train)(X, Y, X, Y))
    says(
        ValueError, "`epochs` must be an integer of at least 1, got 0. Use 10.", lambda: KerasTraining(build, epochs=0)
    )
    says(
        ValueError,
        "`batch_size` must be an integer of at least 1, got 0. Use 32.",
        lambda: KerasTraining(build, batch_size=0),
    )


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"k_splits": 1}, ValueError, "`k_splits` must be an integer of at least 2, got 1. Use 5, as the paper does."),
        ({"seed": -1}, ValueError, "`seed` must be an integer of at least 0, got -1. Use 0."),
        ({"tolerance": 2}, ValueError, "`tolerance` must be a number in [0, 1], got 2. Use 0.05; 1 asks for nothing."),
        ({"samples": 0}, ValueError, "`samples` must be an integer of at least 1, got 0. Use None for all pictures."),
        ({"batch_size": 0}, ValueError, "`batch_size` must be an integer of at least 1, got 0. Use 'auto'"),
    ],
)
def test_options_of_the_training(options, kind, text):
    says(kind, text, lambda: cross(**options))


def test_data_without_targets_or_too_few():
    says(
        ValueError,
        "`CrossTraining`: there must be targets, and at least 2 samples, got no targets. Pass the labels",
        lambda: cross(targets=None).fit(),
    )
    says(ValueError, "at least 31 samples, got fewer samples than parts", lambda: cross(k_splits=31).fit())


def test_answers_that_nobody_can_judge():
    numbers = np.linspace(0, 1, 30)
    says(
        ValueError,
        "targets must be classes, and the model must answer with one number for each class, got targets "
        "float64 of shape (30,), outputs of shape (30, 3). Pass correct=, a function that says which answers are right",
        lambda: cross(lambda *data: train(data[0], Y[:15], None, None), numbers).fit(),
    )
    says(
        ValueError,
        "outputs of shape (30, 1). Pass correct=",
        lambda: cross(lambda *data: lambda x: x[:, 0, 0, :1]).fit(),
    )
    says(
        ValueError,
        "`CrossTraining(correct=...)`: the function must answer with truth values of shape (30,), got float64 "
        "of shape (30, 3). For example: lambda outputs, targets: abs(outputs[:, 0] - targets) < 0.1.",
        lambda: cross(correct=lambda outputs, targets: np.asarray(outputs, float)).fit(),
    )


def test_answers_before_training():
    says(
        NotFittedError,
        "`CrossTraining`: the models must be trained, got none. Call fit() first.",
        lambda: cross().accuracies_,
    )


def test_a_folder_of_another_run(tmp_path):
    kept = cross(KerasTraining(build), folder=tmp_path)
    kept.fit()
    where = f"`CrossTraining(folder={str(tmp_path)!r})`: the folder must belong to the same run, got "
    remedy = "Choose an empty folder, or delete this one."
    says(
        ValueError,
        f"{where}another train. {remedy}",
        lambda: cross(KerasTraining(build, epochs=2), folder=tmp_path).fit(),
    )
    says(
        ValueError,
        f"{where}another train. {remedy}",
        lambda: cross(KerasTraining(lambda: build()), folder=tmp_path).fit(),
    )
    says(
        ValueError,
        f"{where}another seed, splits. {remedy}",
        lambda: cross(KerasTraining(build), folder=tmp_path, seed=1).fit(),
    )
    other = CrossTraining(KerasTraining(build), X + 1, Y, k_splits=2, folder=tmp_path)
    says(ValueError, f"{where}another data. {remedy}", lambda: other.fit())
    (tmp_path / "cross_training.json").write_text("{")
    says(
        ValueError,
        f"{where}a damaged cross_training.json. {remedy}",
        lambda: cross(KerasTraining(build), folder=tmp_path).fit(),
    )


def test_the_code_of_the_training_is_part_of_the_run(tmp_path):
    def made(rate):
        return lambda *data: (rate, build())[1]

    cross(made(0.1), folder=tmp_path).fit()
    cross(made(0.1), folder=tmp_path).fit()
    says(ValueError, "got another train", lambda: cross(made(0.2), folder=tmp_path).fit())

    def once(*data):
        return build()

    first = once
    cross(first, folder=tmp_path / "b").fit()

    def once(*data):
        return (build(), build())[0]

    says(ValueError, "got another train", lambda: cross(once, folder=tmp_path / "b").fit())


def test_models_that_cannot_be_kept(tmp_path):
    where = f"`CrossTraining(folder={str(tmp_path / 'a')!r})`: "
    says(
        ModelError,
        f"{where}models must be Keras models, which can be kept in a folder, got a Means. Use folder=None",
        lambda: cross(folder=tmp_path / "a").fit(),
    )

    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    def unregistered(*data):
        return keras.Sequential([keras.Input(SHAPE), Own(), keras.layers.Flatten(), keras.layers.Dense(3)])

    error = says(
        ModelError,
        "a saved model must load again, got TypeError: ",
        lambda: cross(unregistered, folder=tmp_path / "b").fit(),
    )
    assert "keras.saving.register_keras_serializable" in str(error) and str(error).endswith("or use folder=None.")
    assert not json.loads((tmp_path / "b" / "cross_training.json").read_text()).get("finished")


def test_a_cross_training_beside_its_own_options():
    trained = cross()
    remedy = "Leave them out: MeGe(cross_training)."
    where = "`MeGe`: the data and the options of training must come from the CrossTraining, got "
    says(ValueError, f"{where}inputs, targets beside it. {remedy}", lambda: MeGe(trained, X, Y))
    says(ValueError, f"{where}k_splits, seed beside it. {remedy}", lambda: MeGe(trained, k_splits=2, seed=3))


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"distance": "cosine"}, ValueError, "`distance` must be one of 'spearman_abs', 'spearman', 'spearman_sqrt'"),
        ({"explained_class": "both"}, ValueError, "`explained_class` must be one of 'true', 'predicted', got 'both'"),
        ({"interval": "pixels"}, ValueError, "`interval` must be one of 'images', 'folds', got 'pixels'"),
        ({"form": "f1"}, ValueError, "`ReCo(form='f1')`: `form` must be one of 'recall', 'precision', 'auc', got 'f1'"),
        ({"seed": 0.5}, TypeError, "`seed` must be an integer of at least 0, got 0.5"),
    ],
)
def test_options_of_the_metrics(options, kind, text):
    says(kind, text, lambda: ReCo(train, X, Y, **options))


def test_net_without_a_second_seed():
    says(
        ValueError,
        "`MeGe(net=True)`: the CrossTraining must have trained from two seeds, got one. Make it with "
        "compare_seeds=True",
        lambda: MeGe(cross(), net=True),
    )
    says(TypeError, "`MeGe(net=1)`: `net` must be True or False, got 1", lambda: MeGe(cross(), net=1))  # pyright: ignore


def test_what_is_no_explainer():
    where = "`MeGe.evaluate`: `make_explainer` must be a function from a model to an explainer of it, got "
    says(
        TypeError, f"{where}Means. For example Saliency, or lambda", lambda: MeGe(cross()).evaluate(lambda model: model)
    )
    says(TypeError, f"{where}InputMap. For", lambda: MeGe(cross()).evaluate(InputMap()))  # pyright: ignore


def test_maps_that_do_not_fit():
    class Short(Products):
        def explain(self, inputs, targets=None):
            return super().explain(inputs, targets)[:5]

    class Endless(Products):
        def explain(self, inputs, targets=None):
            return super().explain(inputs, targets) / 0.0

    says(
        ValueError,
        "`MeGe.evaluate`: `maps` must be one map for each of the 30 inputs, got 5 maps",
        lambda: MeGe(cross()).evaluate(Short),
    )
    with np.errstate(all="ignore"):
        says(ValueError, "`maps` must be finite maps, got NaN or infinity", lambda: MeGe(cross()).evaluate(Endless))


def test_the_true_class_of_what_has_no_class():
    trained = cross(
        lambda *data: lambda x: tf.zeros((tf.shape(x)[0], 1)),
        np.linspace(0, 1, 30),
        correct=lambda outputs, targets: targets > 0,
    )
    says(
        ValueError,
        "`MeGe(explained_class='true')`: targets must be classes, got float64 of shape (30,). Use "
        "explained_class='predicted'.",
        lambda: MeGe(trained).evaluate(InputMap),
    )


def of(right: list[list[int]]) -> tuple[CrossTraining, Foretold]:
    answers = np.repeat(np.array(right, dtype=bool), 6, axis=1)
    models = Foretold(np.random.default_rng(0).random((2, answers.shape[1], 2, 2)), answers)
    return CrossTraining(models.train, models.x, models.y, k_splits=2, tolerance=1, progress=False), models


def test_sets_that_are_empty():
    trained, models = of([[1, 0], [0, 0]])
    error = says(
        ValueError,
        "`MeGe.evaluate`: the models must be right about some picture together, got accuracies [",
        lambda: MeGe(trained).evaluate(models.explainer),
    )
    assert str(error).endswith("on held-out pictures. Train longer, or explain more pictures (samples=None).")
    both = "there must be pictures that two models are right about, and pictures that one is right about, got "
    says(
        ValueError,
        f"`ReCo.evaluate`: {both}0 and 6 pairs, as no two models are right about one picture. Explain more "
        "pictures (samples=None), or train longer.",
        lambda: ReCo(trained).evaluate(models.explainer),
    )
    trained, models = of([[1, 0], [1, 0]])
    says(
        ValueError,
        f"{both}6 and 0 pairs, as no two models contradict each other. Explain more pictures (samples=None), "
        "or choose harder data or a weaker network.",
        lambda: ReCo(trained).evaluate(models.explainer),
    )


def test_distances():
    maps = np.zeros((4, 2, 9))
    says(
        ValueError,
        "`map_distances(distance='ssim')`: maps must have two axes of places, got maps of shape (9,). Use "
        "'spearman_abs'.",
        lambda: map_distances(maps, "ssim"),
    )
    says(
        ValueError,
        "`map_distances`: the function `distance` must answer with one finite number for each pair of maps, got "
        "shape () for 4 pairs. It gets two arrays (m, h, w) and answers with (m,).",
        lambda: map_distances(maps, lambda a, b: 0.0),
    )
    says(ValueError, "got NaN or infinity. It gets", lambda: map_distances(maps, lambda a, b: np.full(4, np.nan)))


def test_separations_and_intervals():
    says(
        ValueError,
        "`Separator`: both groups must hold finite numbers, got 2 and 0. Without numbers of both kinds",
        lambda: Separator([1, 2], [True, True]),
    )
    says(ValueError, "got NaN or infinity", lambda: Separator([1, np.nan], [True, False]))
    says(
        ValueError,
        "`cluster_bootstrap_interval`: the statistic must be defined in more than a tenth of the draws, got 0 "
        "of 20. Give more clusters.",
        lambda: cluster_bootstrap_interval(lambda w: None, [0, 1], resamples=2),
    )
    says(
        ValueError,
        "`jackknife_interval`: the statistic must be defined without any one of 3 groups or more, got 2 of 2 "
        "groups. Use more groups, or the bootstrap",
        lambda: jackknife_interval(lambda w: 1.0, [[0], [1]], 2),
    )
