"""Metrics by name, and the table that is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import xsparks
from tests import models
from tests.building.discovery import concrete
from xsparks.metrics import Deletion, PointingGame, Sparseness, catalogue
from xsparks.metrics.catalogue import make_metric, metric_named

X = models.images(3)


def test_every_metric_has_a_name():
    # Names are for benchmarks of models and images; metrics of other packages need what those do not have: people.
    own = {metric for metric in concrete("Metric") if metric.__module__.startswith("xsparks.metrics.")}
    assert set(catalogue.metrics().values()) == own
    assert {metric.__name__ for metric in set(concrete("Metric")) - own} == {"HumanAlignment"}
    assert list(catalogue.metrics()) == sorted(catalogue.metrics())


@pytest.mark.parametrize("name", ["JPEGSize", "jpeg-size", "jpeg_size", "jpeg size"])
def test_names_are_read_generously(name):
    assert metric_named(name, "test").__name__ == "JPEGSize"


def test_the_page_of_metrics_is_what_is_generated():
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert catalogue.metrics_table() in page.read_text(encoding="utf-8"), "run python scripts/write_metrics.py"


def test_every_row_says_what_a_user_asks():
    for row in map(catalogue.describe, catalogue.metrics().values()):
        assert row.question.endswith("?") and row.better in ("higher", "lower") and row.cost and "](" in row.paper, row
    rows = {row.name: row for row in map(catalogue.describe, catalogue.metrics().values())}
    assert rows["Deletion"].reads == "maps, and the model" and rows["Sparseness"].reads == "maps"
    assert rows["PointingGame"].reads == "maps and masks or boxes"


def test_metrics_are_built_with_the_options_that_they_have():
    network = models.convolutional()
    options = {"steps": 3, "seed": 2, "regions": X[..., 0] > 0.5}
    deletion = make_metric(Deletion, network, X, [0, 1, 2], options, "test")
    assert (deletion.steps, deletion.seed, deletion.model) == (3, 2, network)
    assert make_metric(Sparseness, network, X, None, options, "test").seed == 2
    assert make_metric(PointingGame, network, X, None, options, "test").regions is options["regions"]


def test_evaluate_names_its_methods_and_metrics(tmp_path):
    network = models.convolutional()
    options = {"methods": ["saliency", "occlusion"], "metrics": ["deletion", "sparseness"], "steps": 3}
    found = xsparks.evaluate(network, X, 1, out=tmp_path, names=["a", "b", "c"], **options)
    assert list(found.scores)[:2] == ["Saliency", "Occlusion"] and found.metrics == ["Deletion", "Sparseness"]
    assert found.scores["Saliency"]["Deletion"].settings["steps"] == 3 and found.samples == ("a", "b", "c")
    assert found.targets == (1, 1, 1) and (tmp_path / "leaderboard.png").exists()
    bare = xsparks.evaluate(network, X, 1, methods=xsparks.SobolAttribution(network, grid_size=2, nb_design=2),
                            metrics="pointinggame", controls=False, regions=X[..., 0] > 0.5)  # fmt: skip
    assert list(bare.scores) == ["SobolAttribution"] and bare.controls == () and bare.metrics == ["PointingGame"]
