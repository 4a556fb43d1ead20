"""A benchmark is its metrics one by one, less what is shared, and nothing is measured twice."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.attributions import GradCAM, Occlusion, Saliency, SobolAttribution
from xsparks.core.errors import ModelError
from xsparks.engine import Change, Explainer, ExplainerMetric, MapMetric, Measurement, Plan, Score, queries, reducers
from xsparks.evaluation import Benchmark, BenchmarkResult, MethodCost
from xsparks.evaluation.measuring import Measuring
from xsparks.evaluation.values import as_json, from_json
from xsparks.metrics import (
    AverageStability,
    CentreBlob,
    Deletion,
    EdgeMap,
    Insertion,
    MaxSensitivity,
    PointingGame,
    RandomMap,
    RelevanceMass,
    Sparseness,
)

X = models.images(7)
TARGETS = np.arange(7) % 4
MASKS = np.random.default_rng(3).random((7, 8, 12)) > 0.6
NETWORK = models.convolutional()
CONTROLS = ("random map", "edge detector", "centre blob")


class Counted:
    """A model of NumPy arrays that counts the samples it is shown."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, inputs: Any) -> Any:
        self.shown += len(inputs)
        return NETWORK(np.asarray(inputs)).numpy()

    def take(self) -> int:
        """How many since the last call."""
        count, self.shown = self.shown, 0
        return count


@dataclass(frozen=True, eq=False, kw_only=True)
class Shares(MapMetric):
    """The score under fixed masks, whatever the map, and the deletion path of another metric."""

    better: ClassVar[str] = "lower"

    def measurements(self, layout: Any, outputs: Any) -> tuple[Measurement, ...]:
        plan = Plan(
            count=3,
            query=queries.score,
            draw=lambda inputs, side, index: (inputs * tf.cast(index, tf.float32)[:, None, None, None], ()),
            start=reducers.table(3),
            fold=reducers.collect,
            finish=reducers.as_is,
        )
        path = Deletion(self.model, self.inputs, steps=4).path(layout, inserts=False)
        return Measurement(("scaled", self.score, self.seed), plan, of_maps=False), path

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        return {"scaled": answers[0], "path": (answers[1][:, 1] * maps.mean(axis=(1, 2)),)}

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        return values["scaled"].sum(axis=1) + values["path"][0], None


@dataclass(frozen=True, eq=False, kw_only=True)
class Halved(ExplainerMetric):
    """How far the map moves when the image is halved; counts by the number of the sample."""

    better: ClassVar[str] = "lower"

    def changes(self, explainer: Any, layout: Any, outputs: Any) -> list[Change]:
        return [Change("half", inputs=lambda group: group.inputs / 2)]

    def compare(self, maps: np.ndarray, changed: np.ndarray, group: Any) -> np.ndarray:
        return np.abs(maps - changed).mean(axis=(1, 2)) + group.positions

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        return values["compared"][:, 0], None


def occlusion(model: Any = NETWORK, **options: Any) -> Occlusion:
    return Occlusion(model, patch_size=(3, 4), **options)


def benchmark(model: Any = NETWORK, **options: Any) -> Benchmark:
    methods = [occlusion(model), SobolAttribution(model, grid_size=(2, 3), nb_design=2)]
    metrics = [Deletion(model, X, steps=4), Insertion(model, X, steps=4), Sparseness(), PointingGame(MASKS)]
    return Benchmark(options.pop("methods", methods), options.pop("metrics", metrics), **options)


@pytest.fixture(scope="module")
def result() -> BenchmarkResult:
    return benchmark(group=3).run(X, TARGETS)


def test_scores_are_those_of_each_metric_by_itself(result):
    bench = benchmark()
    own = {
        "random map": RandomMap(NETWORK), "edge detector": EdgeMap(NETWORK), "centre blob": CentreBlob(NETWORK)
    }  # fmt: skip
    assert list(result.scores) == ["Occlusion", "SobolAttribution", *CONTROLS]
    for name, explainer in {**bench.methods, **own}.items():
        maps = explainer.explain(X, TARGETS)
        for metric, measure in bench.measures.items():
            wanted = {
                "Deletion": lambda: Deletion(NETWORK, X, TARGETS, steps=4).evaluate(maps),  # noqa: B023
                "Insertion": lambda: Insertion(NETWORK, X, TARGETS, steps=4).evaluate(maps),  # noqa: B023
            }.get(metric, lambda: measure.evaluate(maps))()  # noqa: B023
            found = result.scores[name][metric]
            np.testing.assert_allclose(found.per_sample, wanted.per_sample, rtol=1e-4, atol=1e-6)
            assert found.better == wanted.better and found.method == name and found.metric == metric
            assert found.interval == pytest.approx(wanted.interval, rel=1e-4, abs=1e-6)
            if wanted.curve is not None:
                np.testing.assert_allclose(found.curve[1], wanted.curve[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("group", [1, 2, 7])
def test_results_do_not_depend_on_the_group(result, group):
    other = benchmark(group=group, metrics=[*benchmark().metrics, Shares(NETWORK, X), Halved(NETWORK, X)])
    found = other.run(X, TARGETS)
    for name, scores in result.scores.items():
        for metric, score in scores.items():
            np.testing.assert_allclose(found.scores[name][metric].per_sample, score.per_sample, rtol=1e-4, atol=1e-5)
    wanted = Halved(NETWORK, X, TARGETS).evaluate(occlusion())
    np.testing.assert_allclose(found.scores["Occlusion"]["Halved"].per_sample, wanted.per_sample, rtol=1e-4)


def test_a_dataset_and_the_predicted_classes():
    data = tf.data.Dataset.from_tensor_slices(X).batch(2)
    predicted = NETWORK(X).numpy().argmax(1)
    wanted = benchmark(controls=False).run(X, predicted)
    found = benchmark(controls=False).run(data)
    assert found.targets == tuple(predicted.tolist()) and list(found.scores) == ["Occlusion", "SobolAttribution"]
    for name in found.scores:
        np.testing.assert_allclose(
            found.scores[name]["Deletion"].per_sample, wanted.scores[name]["Deletion"].per_sample, rtol=1e-4
        )


def test_forwards_that_metrics_and_methods_share_are_made_once():
    model = Counted()

    def shown(*kinds: Any) -> int:
        model.take()
        metrics = [kind(model, X, **({"steps": 4} if kind is Deletion else {})) for kind in kinds]
        benchmark(model, metrics=metrics, controls=False).run(X, TARGETS)
        return model.take()

    alone, both = shown(Deletion), shown(Deletion, Shares)
    other = shown(Shares)
    # Beside one to learn what the model answers: the deletion path of each method serves both metrics, the three
    # scaled images serve both methods.
    assert both - alone == 3 * len(X) + 1
    assert other - alone == 3 * len(X)


def test_neighbours_are_explained_once_for_the_mean_and_the_worst_of_them():
    model, methods = Counted(), []

    def shown(*metrics: Any) -> tuple[int, Any]:
        model.take()
        result = Benchmark(methods, metrics, controls=False).run(X, TARGETS)
        return model.take(), result

    methods.append(occlusion(model))
    mean, worst = AverageStability(model, X, TARGETS, neighbours=3), MaxSensitivity(model, X, TARGETS, neighbours=3)
    alone, both, others = shown(mean), shown(mean, worst), shown(mean, worst.replace(radius=0.2))
    assert both[0] - alone[0] < 3 < others[0] - alone[0] - 3 * len(X)
    expected = worst.evaluate(methods[0]).per_sample
    np.testing.assert_allclose(both[1].scores["Occlusion"]["MaxSensitivity"].per_sample, expected, rtol=1e-4)
    assert not np.allclose(others[1].scores["Occlusion"]["MaxSensitivity"].per_sample, expected, rtol=1e-2)


def test_an_interrupted_run_goes_on_and_counts_no_forward_twice(tmp_path, monkeypatch):
    model, out = Counted(), tmp_path / "run"
    whole = benchmark(model, group=2).run(X, TARGETS)
    in_one_run = model.take()
    original, left = Measuring._measure_metric, [0]

    def stopping(self, method, metric, *rest):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        original(self, method, metric, *rest)

    monkeypatch.setattr(Measuring, "_measure_metric", stopping)
    for more in (0, 2, 21):
        left[0] = more
        with pytest.raises(KeyboardInterrupt, match=r"\d+ maps are measured and kept in .*; the same call goes on"):
            benchmark(model, group=2).run(X, TARGETS, out=out)
    assert not (out / "results.json").exists()
    left[0] = 10**6
    found = benchmark(model, group=2).run(X, TARGETS, out=out)
    # Four runs on a model that is no Keras model: each metric and method looks at it first, by one sample, and a group
    # in which two metrics were measured before needs its targets for the others.
    looks, targets = 3 * (1 + 5 + 2), 3 * 2
    assert in_one_run <= model.take() <= in_one_run + looks + targets
    for name, scores in whole.scores.items():
        for metric, score in scores.items():
            np.testing.assert_allclose(found.scores[name][metric].per_sample, score.per_sample, rtol=1e-4, atol=1e-6)


def test_a_finished_run_asks_the_model_nothing(tmp_path):
    model = Counted()
    first = benchmark(model).run(X, TARGETS, out=tmp_path)
    model.take()
    second = benchmark(model, group=3).run(X, TARGETS, out=tmp_path)
    assert model.take() == 0
    assert second.table() == first.table()
    np.testing.assert_array_equal(
        second.scores["Occlusion"]["Deletion"].curve[1], first.scores["Occlusion"]["Deletion"].curve[1]
    )


@pytest.mark.parametrize("keep_maps", [True, False])
def test_methods_metrics_and_samples_are_added_later(tmp_path, keep_maps):
    model = Counted()
    options = {"controls": False, "keep_maps": keep_maps}
    deletion, insertion = Deletion(model, X, steps=4), Insertion(model, X, steps=4)
    regions = PointingGame(MASKS[:4])
    benchmark(model, methods=[occlusion(model)], metrics=[deletion, regions], **options).run(
        X[:4], TARGETS[:4], out=tmp_path
    )
    assert (tmp_path / "maps").exists() == keep_maps
    model.take()

    def added(**changes: Any) -> int:
        given = {"methods": [occlusion(model)], "metrics": [deletion, PointingGame(MASKS)], **changes}
        benchmark(model, **given, **options).run(X, TARGETS, out=tmp_path)
        return model.take()

    patches, path = 1 + 6 * 5, 5
    explained = patches + 1
    # Targets, maps with their scores, paths with their targets; and a look at the model by each.
    assert 3 * (explained + path + 2) <= added() <= 3 * (explained + path + 2) + 3
    again = 0 if keep_maps else 7 * explained
    wanted = again + 7 * (path + 1)
    assert wanted <= added(metrics=[deletion, insertion, PointingGame(MASKS)]) <= wanted + 3
    assert added(methods=[occlusion(model), RandomMap(model)]) <= 7 * (1 + path + 1) + 3
    # Another option is another method, and another metric.
    assert added(methods=[Occlusion(model, patch_size=(4, 6))]) > 7 * path
    assert added(metrics=[Deletion(model, X, steps=5)]) >= 7 * 6
    assert added() == 0


def test_another_map_of_regions_measures_that_sample_alone(tmp_path):
    options = {"methods": [Saliency(NETWORK)], "controls": False}
    benchmark(metrics=[RelevanceMass(MASKS)], **options).run(X, TARGETS, out=tmp_path)
    changed = MASKS.copy()
    changed[2] = ~changed[2]
    stamp = {path: path.read_text() for path in (tmp_path / "records").glob("*")}
    found = benchmark(metrics=[RelevanceMass(changed)], **options).run(X, TARGETS, out=tmp_path)
    wanted = RelevanceMass(changed).evaluate(Saliency(NETWORK).explain(X, TARGETS))
    np.testing.assert_allclose(found.scores["Saliency"]["RelevanceMass"].per_sample, wanted.per_sample)
    ((path, before),) = stamp.items()
    assert len(path.read_text().removeprefix(before).splitlines()) == 1
    changed[5] = ~changed[5]
    # Beside a metric that all samples need.
    both = benchmark(metrics=[RelevanceMass(changed), Sparseness()], **options).run(X, TARGETS, out=tmp_path)
    wanted = RelevanceMass(changed).evaluate(Saliency(NETWORK).explain(X, TARGETS))
    np.testing.assert_allclose(both.scores["Saliency"]["RelevanceMass"].per_sample, wanted.per_sample)


def test_half_a_line_and_half_a_map_are_measured_again(tmp_path):
    first = benchmark(controls=False).run(X, TARGETS, out=tmp_path)
    (path,) = (tmp_path / "records").glob("Occlusion*")
    path.write_text(path.read_text()[:-40])
    kept = sorted((tmp_path / "maps").glob("Occlusion*/*.npz"))
    kept[0].write_bytes(b"half")
    second = benchmark(controls=False).run(X, TARGETS, out=tmp_path)
    for metric, score in first.scores["Occlusion"].items():
        np.testing.assert_allclose(second.scores["Occlusion"][metric].per_sample, score.per_sample, rtol=1e-5)
    lines = path.read_text().splitlines()
    assert len(lines) == len(X) + 1 and json.loads(lines[-1])["sample"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[-2])


def test_an_image_and_its_target_are_known_wherever_they_stand(tmp_path):
    model = Counted()
    first = benchmark(model, controls=False, metrics=[Deletion(model, X)]).run(X, TARGETS, out=tmp_path)
    model.take()
    order = [3, 0, 6, 3]
    second = benchmark(model, controls=False, metrics=[Deletion(model, X)]).run(X[order], TARGETS[order], out=tmp_path)
    assert model.take() == 0
    np.testing.assert_array_equal(
        second.scores["Occlusion"]["Deletion"].per_sample, first.scores["Occlusion"]["Deletion"].per_sample[order]
    )
    other = benchmark(model, controls=False, metrics=[Deletion(model, X)]).run(X[order], 2, out=tmp_path)
    assert model.take() > 1 and other.targets == (2, 2, 2, 2)


def test_nothing_is_traced_for_later_groups():
    model, layer = models.recorded()
    bench = benchmark(model, metrics=[Deletion(model, X), Halved(model, X)], group=2)
    bench.run(X[:3], TARGETS[:3])
    traced = layer.calls
    bench.run(X, TARGETS)
    assert traced > 0 and layer.calls == traced


def test_a_method_that_the_model_cannot_take_is_a_row_that_says_so():
    model = Counted()
    found = benchmark(model, methods=[GradCAM(model), occlusion(model)], metrics=[Deletion(model, X)]).run(X, TARGETS)
    assert found.scores["GradCAM"] == {} and "must be a Keras model" in found.failures["GradCAM"]
    assert found.names == ["Occlusion"] and found.ranks("Deletion") == {"Occlusion": 1.0}
    for format in ("markdown", "text"):
        assert "not applicable" in found.table(format) and "must be a Keras model" in found.table(format)
    with pytest.raises(ModelError, match="must be a Keras model"):
        benchmark(model, methods=[GradCAM(model)], metrics=[Deletion(model, X)]).run(X, TARGETS)


def test_a_metric_that_one_method_cannot_take_is_left_out_and_one_that_none_can_is_an_error():
    class Some(Halved):
        """A metric that refuses Occlusion."""

        def changes(self, explainer: Any, layout: Any, outputs: Any) -> list[Change]:
            if isinstance(explainer, Occlusion) or self.seed:
                raise ModelError("not this one")
            return super().changes(explainer, layout, outputs)

    options = {"methods": [occlusion(), Saliency(NETWORK)], "controls": False}
    found = benchmark(metrics=[Some(NETWORK, X), Sparseness()], **options).run(X, TARGETS)
    assert list(found.scores["Occlusion"]) == ["Sparseness"] and found.failures == {"Occlusion: Some": "not this one"}
    assert found.names == ["Saliency", "Occlusion"] and set(found.mean_ranks()) == {"Saliency"}
    with pytest.raises(ModelError, match="not this one"):
        benchmark(metrics=[Some(NETWORK, X, seed=1)], **options).run(X, TARGETS)


def synthetic(count: int = 40, **changes: Any) -> BenchmarkResult:
    """Three methods and a control; `a` is a little better than `b` on every sample, though samples differ widely."""
    draw = np.random.default_rng(0)
    base = draw.normal(0, 1, count)
    values = {"b": base, "a": base - 0.05 + draw.normal(0, 0.02, count), "c": base + draw.normal(0, 3, count)}
    values["chance"] = base + 4
    lower = {name: Score.from_samples(each, "lower", "Deletion") for name, each in values.items()}
    higher = {name: Score.from_samples(-2 * each, "higher", "Insertion") for name, each in values.items()}
    scores = {name: {"Deletion": lower[name], "Insertion": higher[name]} for name in values}
    costs = {name: MethodCost(500, 0, 1.5) for name in values}
    return BenchmarkResult(
        scores,
        {"Deletion": "lower", "Insertion": "higher"},
        ("chance",),
        costs,
        samples=tuple(map(str, range(count))),
        targets=tuple(range(count)),
        methods={name: {"class": "X", "estimand": "", "settings": {}} for name in values},
        **changes,
    )


def test_paired_intervals_are_those_of_a_bootstrap_by_loops():
    found = synthetic()
    draw = np.random.default_rng(11)
    for metric, sign in (("Deletion", 1), ("Insertion", -1)):
        against = {each.method: each for each in found.paired(metric, reference="b")}
        for name in ("a", "c", "chance"):
            values = found.scores[name][metric].per_sample - found.scores["b"][metric].per_sample
            means = [values[draw.integers(0, 40, 40)].mean() for _ in range(8000)]
            assert against[name].difference == pytest.approx(values.mean())
            spread = np.std(means)
            np.testing.assert_allclose(
                against[name].interval, np.quantile(means, [0.025, 0.975]), rtol=0, atol=0.15 * spread + 1e-12
            )
        # Paired: the intervals of a and b themselves overlap almost wholly.
        assert against["a"].verdict == "better" and against["chance"].verdict == "worse"
        assert sign * against["a"].difference < 0
        wide = {each.method: each for each in found.paired(metric, reference="b", level=0.999)}
        assert np.diff(wide["a"].interval) > np.diff(against["a"].interval)
    assert found.paired("Insertion", "b")[0].method in ("a", "c")


def test_ranks_follow_the_direction_and_leave_controls_out():
    found = synthetic()
    for metric in found.metrics:
        means = {name: float(found.scores[name][metric]) for name in ("a", "b", "c")}
        order = sorted(means, key=lambda name: means[name], reverse=found.better[metric] == "higher")
        assert found.ranks(metric) == {name: order.index(name) + 1 for name in ("b", "a", "c")}
        assert found.best(metric) == order[0]
        tied = found.tied_with_best(metric)
        assert ("b" in tied) == (order[0] == "c")
        assert found.beaten_controls(metric, "a") == ["chance"]
    ranks = found.mean_ranks()
    assert set(ranks) == {"a", "b", "c"} and found.names == sorted(ranks, key=lambda name: ranks[name][0])
    for mean, low, high in ranks.values():
        assert 1 <= low <= mean <= high <= 3
    assert ranks["a"][0] == found.ranks("Deletion")["a"]


def test_equal_values_share_a_rank_and_are_not_told_apart():
    same = Score.from_samples(np.array([0.1, 0.2, 0.4]), "higher", "Insertion")
    found = BenchmarkResult({"a": {"Insertion": same}, "b": {"Insertion": same}}, {"Insertion": "higher"})
    assert found.ranks("Insertion") == {"a": 1.0, "b": 1.0} and found.tied_with_best("Insertion") == ["a", "b"]
    one = Score.from_samples(np.array([0.1]), "higher", "I"), Score.from_samples(np.array([0.9]), "higher", "I")
    found = BenchmarkResult({"a": {"I": one[0]}, "b": {"I": one[1]}}, {"I": "higher"})
    assert found.paired("I")[0].verdict == "not distinguishable"


def test_the_table_marks_what_is_best_and_what_beats_no_control():
    found = synthetic()
    lines = found.table().splitlines()
    assert lines[0] == "| Method | Deletion ↓ | Insertion ↑ | Mean rank | Passes | Seconds |"
    rows = {line.split("|")[1].strip(): line for line in lines[2:7]}
    assert list(rows)[-2:] == ["*controls*", "*chance*"]
    best = found.best("Deletion")
    cell = {name: row.split("|")[2] for name, row in rows.items()}
    assert cell[best].startswith(f" **{float(found.scores[best]['Deletion']):.3f}") and " #1 " in cell[best]
    assert "#" not in cell["*chance*"] and "†" not in "".join(cell.values())
    scores = {"a": {"D": Score.from_samples(np.ones(30), "lower", "D")}}
    worse = BenchmarkResult({**scores, "chance": scores["a"]}, {"D": "lower"}, ("chance",))
    assert "**1.000**† [1.000, 1.000] #1" in worse.table() and "1.000*† [1.000, 1.000] #1" in worse.table("text")
    assert "too narrow" in BenchmarkResult(scores, {"D": "lower"}, samples=("0",)).table()
    widths = {len(line.rstrip()) for line in found.table("text").splitlines()[1:2]}
    assert found.table("text").splitlines()[1] == "-" * widths.pop()


def test_a_saved_result_is_read_back(tmp_path, result):
    result.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "results.json", "results.npz", "results.csv", "per_image.csv", "leaderboard.md", "leaderboard.png"
    }  # fmt: skip
    loaded = BenchmarkResult.load(tmp_path)
    assert loaded.table() == result.table() == (tmp_path / "leaderboard.md").read_text().rstrip("\n")
    assert loaded.costs == result.costs and loaded.methods == result.methods and loaded.targets == result.targets
    for name, scores in result.scores.items():
        for metric, score in scores.items():
            again = loaded.scores[name][metric]
            np.testing.assert_array_equal(again.per_sample, score.per_sample)
            assert (again.interval, again.settings, again.axes) == (score.interval, score.settings, score.axes)
    np.testing.assert_array_equal(
        loaded.scores["Occlusion"]["Deletion"].curve[1], result.scores["Occlusion"]["Deletion"].curve[1]
    )
    record = json.loads((tmp_path / "results.json").read_text())
    assert (record["kind"], record["schema"]) == ("BenchmarkResult", 1) and str(tmp_path) not in json.dumps(record)
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 4 and all(None not in row for row in rows)
    chosen = next(row for row in rows if (row["method"], row["metric"]) == ("Occlusion", "Insertion"))
    assert float(chosen["value"]) == float(result.scores["Occlusion"]["Insertion"]) and chosen["control"] == "False"
    with open(tmp_path / "per_image.csv", newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == 5 * 4 * len(X)


def test_costs_are_passes_of_one_map(result):
    assert result.costs["Occlusion"][:2] == (1 + 6 * 5, 0)
    assert result.costs["SobolAttribution"][:2] == (2 * 7, 0)
    assert all(result.costs[name][:2] == (0, 0) and result.costs[name].seconds > 0 for name in CONTROLS)


def test_names_of_methods_metrics_and_samples():
    first, second = occlusion(), Occlusion(NETWORK, patch_size=(4, 6))
    bench = Benchmark(
        [first, second], {"by hand": Deletion(NETWORK, X, steps=4)}, controls={"noise": RandomMap(NETWORK)}
    )
    found = bench.run(X, TARGETS, names=[f"image {number}" for number in range(7)])
    assert list(found.scores) == ["Occlusion", "Occlusion #2", "noise"] and found.metrics == ["by hand"]
    assert found.samples[3] == "image 3" and found.controls == ("noise",)
    assert isinstance(next(iter(bench.methods.values())), Explainer)


def test_a_series_has_the_controls_that_know_series():
    inputs = models.images(3, (6, 2))

    def model(x: Any) -> Any:
        return tf.reduce_sum(x, axis=(1, 2))[:, None]

    found = Benchmark([Occlusion(model)], [Deletion(model, inputs, steps=3)]).run(inputs, 0)
    assert found.controls == ("random map",)


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "bool"])
def test_values_survive_json_exactly(name):
    values = (np.random.default_rng(0).normal(size=(3, 2)) * 1e3).astype(name)
    tree = {"a": values, "b": (values[0], values[0, 0])}
    again = from_json(json.loads(json.dumps(as_json(tree))))
    np.testing.assert_array_equal(again["a"], values)
    assert again["a"].dtype == values.dtype and again["b"][1].shape == () and isinstance(again["b"], tuple)


def test_a_full_disk_keeps_what_was_written(tmp_path, monkeypatch):
    from xsparks.core.errors import WriteError
    from xsparks.evaluation import records

    original, calls = records._append, []

    def refusing(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        original(path, text)

    monkeypatch.setattr(records, "_append", refusing)
    model = Counted()
    with pytest.raises(WriteError, match="No space left on device") as caught:
        benchmark(model, group=4, controls=False).run(X, TARGETS, out=tmp_path)
    assert len(caught.value.kept) > 0  # pyright: ignore
    monkeypatch.setattr(records, "_append", original)
    before = model.take()
    benchmark(model, group=4, controls=False).run(X, TARGETS, out=tmp_path)
    assert 0 < model.take() < before
