"""The words of a benchmark: other models, wrong kinds, names that do not fit, disks that refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xsparks
from tests import models
from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import GradCAM, Saliency
from xsparks.core.errors import ModelError, WriteError
from xsparks.engine import Change, ExplainerMetric, Score
from xsparks.evaluation import Benchmark, BenchmarkResult, files
from xsparks.metrics import CentreBlob, Deletion, PointingGame, RandomMap, Sparseness
from xsparks.metrics.catalogue import make_metric, metric_named
from xsparks.plots import plot_leaderboard


def benchmark(**options: Any) -> Benchmark:
    """A quick one."""
    return Benchmark(
        options.pop("methods", [Saliency(network())]), options.pop("metrics", [Sparseness()]), **options
    )  # fmt: skip


def small(**changes: Any) -> BenchmarkResult:
    """A result of one method."""
    return BenchmarkResult({"a": {"D": Score.from_samples(np.ones(3), "lower", "D")}}, {"D": "lower"}, **changes)


def test_what_is_no_method_or_metric():
    says(
        TypeError,
        "`Benchmark(explainers=...)`: 'Saliency' must be an Explainer, such as Saliency(model), got the class Saliency."
        " Names and classes are for `xsparks.evaluate(model, ...)`.",
        lambda: benchmark(methods=[Saliency]),
    )
    says(
        TypeError,
        "`Benchmark(explainers=...)`: 'str' must be an Explainer, such as Saliency(model), got str. Names and classes",
        lambda: benchmark(methods=["sobol"]),
    )
    says(
        TypeError,
        "`Benchmark(metrics=...)`: 'Deletion' must be a metric of maps or explainers, such as Deletion, got the class "
        "Deletion. Names and classes are for `xsparks.evaluate(model, ...)`; MeGe and ReCo train models and are called "
        "by themselves.",
        lambda: benchmark(metrics=[Deletion]),
    )
    says(
        TypeError,
        "`Benchmark(controls=...)`: 'Sparseness' must be an Explainer, such as RandomMap(model), got Sparseness.",
        lambda: benchmark(controls=[Sparseness()]),
    )


def test_nothing_to_compare():
    for option, name in (("methods", "explainers"), ("metrics", "metrics")):
        says(
            ValueError,
            f"`Benchmark({name}=...)`: `{name}` must hold at least one, got none. For example Benchmark([Saliency(",
            lambda option=option: benchmark(**{option: []}),
        )


def test_several_models_and_names_twice():
    remedy = "One benchmark is about one model, each method and control under a name of its own."
    says(
        ValueError,
        f"`Benchmark`: 'Deletion' must be built on the model of the others, got another model. {remedy}",
        lambda: benchmark(metrics=[Deletion(models.convolutional(), X)]),
    )
    says(
        ValueError,
        f"`Benchmark`: `controls` must have names of their own, got Saliency. {remedy}",
        lambda: benchmark(controls=[Saliency(network())]),
    )


@pytest.mark.parametrize("option, value", [("group", 0), ("seed", -1)])
def test_numbers_out_of_range(option, value):
    least = {"group": 1, "seed": 0}[option]
    says(
        ValueError,
        f"`Benchmark({option}={value})`: `{option}` must be an integer of at least {least}, got {value}.",
        lambda: benchmark(**{option: value}),
    )


def test_names_of_another_number():
    text = (
        "`Benchmark.run`: `names` must have one for each of the 5 samples, got 2. Leave it out to have them numbered."
    )
    says(ValueError, text, lambda: benchmark().run(X, TARGETS, names=["a", "b"]))


def test_a_folder_of_another_model_or_reading(tmp_path):
    benchmark().run(X[:1], [0], out=tmp_path)
    for changes, other in (
        ({"methods": [Saliency(models.convolutional(seed=5))]}, "another model"),
        ({"methods": [Saliency(network(), preprocess="tf")]}, "another preprocess"),
        ({"about": {"file": "x"}}, "another about"),
    ):
        says(
            ValueError,
            f"`Benchmark.run(out={str(tmp_path)!r})`: the folder must belong to the same run, got {other}. Choose an "
            "empty folder, or delete this one.",
            lambda changes=changes: benchmark(**changes).run(X[:1], [0], out=tmp_path),
        )


def test_a_disk_that_refuses(tmp_path, monkeypatch):
    def refuses(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xsparks.evaluation.records._append", refuses)
    error = says(
        WriteError,
        f"`{tmp_path / 'samples.jsonl'}`: the file must be writable, got No space left on device. Free space or choose "
        f"another folder. All that was written before is kept in {tmp_path}, the last lines are in `error.kept`; the "
        "same call goes on from there.",
        lambda: benchmark().run(X[:1], [0], out=tmp_path),
    )
    assert list(error.kept)  # pyright: ignore


def test_an_interruption_says_what_is_kept(tmp_path, monkeypatch):
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("xsparks.evaluation.measuring.Measuring._measure_metric", interrupted)
    says(KeyboardInterrupt, "Nothing is kept without a folder: pass out=.", lambda: benchmark().run(X, TARGETS))
    says(
        KeyboardInterrupt,
        f"5 maps are measured and kept in {tmp_path}; the same call goes on after them.",
        lambda: benchmark().run(X, TARGETS, out=tmp_path),
    )


class Refusing(ExplainerMetric):
    """A metric that no method can take."""

    better = "lower"

    def changes(self, explainer: Any, layout: Any, outputs: Any) -> list[Change]:
        raise ModelError("no method can take it")

    def compare(self, maps: Any, changed: Any, group: Any) -> Any:
        return maps

    def summarise(self, values: Any) -> Any:
        return values


def test_what_fails_for_all():
    def model(inputs: Any) -> Any:
        return network()(np.asarray(inputs)).numpy()

    says(
        ModelError,
        "`GradCAM`: the model must be a Keras model, whose layers can be reached",
        lambda: benchmark(methods=[GradCAM(model)]).run(X, TARGETS),
    )
    says(
        ModelError,
        "no method can take it",
        lambda: benchmark(metrics=[Refusing(network(), X)]).run(X, TARGETS),
    )


def test_questions_to_a_result():
    says(ValueError, "`metric` must be one of 'D', got 'E'", lambda: small().ranks("E"))
    says(ValueError, "`reference` must be one of 'a', got 'b'", lambda: small().paired("D", reference="b"))
    says(
        ValueError,
        "`BenchmarkResult.table(format='html')`: `format` must be one of 'markdown', 'text', got 'html'.",
        lambda: small().table("html"),
    )


def test_a_folder_without_a_result(tmp_path):
    says(
        FileNotFoundError,
        "both the .npz and the .json must exist, got no results.npz and no results.json",
        lambda: BenchmarkResult.load(tmp_path),
    )
    files.write_arrays(tmp_path / "results.npz", {})
    files.write_json(tmp_path / "results.json", {"kind": "Score"})
    says(ValueError, "the files must hold a saved BenchmarkResult, got 'Score'", lambda: BenchmarkResult.load(tmp_path))


def test_metrics_by_name():
    says(
        ValueError,
        "`evaluate`: the metric must be the name of a metric, got 'deltion'. Nearest: deletion",
        lambda: metric_named("deltion", "evaluate"),
    )
    says(
        ValueError,
        "`evaluate(PointingGame)`: `regions` must be given, masks or boxes of what a map should lie on, got none. Pass "
        "regions=, or leave this metric out.",
        lambda: make_metric(PointingGame, network(), X, None, {}, "evaluate"),
    )
    says(
        ValueError,
        "`evaluate(stepz=...)`: an option must belong to at least one of the methods or metrics, got 'stepz'. Nearest:",
        lambda: xsparks.evaluate(network(), X, stepz=3),
    )


def test_options_of_controls():
    says(ValueError, "`grid_size` must be an integer of at least 1, got 0.", lambda: RandomMap(network(), grid_size=0))
    says(ValueError, "`width` must be a number in [0.001, 10], got 0.", lambda: CentreBlob(network(), width=0))


def test_the_figure():
    good = {"D": {"a": (0.1, 0.0, 0.2)}}
    says(ValueError, "`values` must hold at least one measure with a value", lambda: plot_leaderboard({}, {}))
    says(ValueError, "`better` must hold 'D', got []", lambda: plot_leaderboard(good, {}))
    says(ValueError, "`better` must be one of 'higher', 'lower'", lambda: plot_leaderboard(good, {"D": "up"}))
    says(ValueError, "`columns` must be an integer", lambda: plot_leaderboard(good, {"D": "lower"}, columns=0))
    for bad, received in (((0.1, 0.2), "shape (1, 2)"), ((0.1, np.nan, 0.2), "NaN or infinity")):
        says(
            ValueError,
            f"values['D'] must hold a finite value, low and high of each method, got {received}",
            lambda bad=bad: plot_leaderboard({"D": {"a": bad}}, {"D": "lower"}),
        )
