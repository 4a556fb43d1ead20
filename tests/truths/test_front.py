"""Methods by name, side by side, and their table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xsparks
from tests import models
from xsparks.attributions import GradCAM, Saliency, SobolAttribution, catalogue
from xsparks.metrics import Deletion, Insertion

X = models.images(3)
NETWORK = models.convolutional()


def test_explain_by_name_is_the_method():
    maps = xsparks.explain(NETWORK, X, 1, method="saliency", reducer="mean")
    np.testing.assert_array_equal(maps.values, Saliency(NETWORK, reducer="mean").explain(X, 1).values)
    by_class = xsparks.explain(NETWORK, X, 1, method=Saliency)
    np.testing.assert_array_equal(by_class.values, Saliency(NETWORK).explain(X, 1).values)
    assert xsparks.explain(NETWORK, X, method="sobol", grid_size=(2, 3), nb_design=2).method == "SobolAttribution"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sobol", "SobolAttribution"),
        ("SobolAttribution", "SobolAttribution"),
        ("Grad-CAM++", "GradCAMPP"),
        ("grad_cam", "GradCAM"),
        ("Integrated Gradients", "IntegratedGradients"),
        ("kernelshap", "KernelSHAP"),
    ],
)
def test_names_as_people_write_them(name, wanted):
    assert catalogue.method_named(name, "here").__name__ == wanted


def test_every_method_but_filters_has_a_name():
    known = catalogue.methods()
    assert "forgrad" not in known and len(known) >= 20
    assert all(catalogue.method_named(name, "here") is found for name, found in known.items())
    assert all(catalogue.method_named(found.__name__, "here") is found for found in known.values())


def test_compare_explains_by_each_method_and_measures():
    compared = xsparks.compare(
        NETWORK,
        X,
        [0, 1, 2],
        methods=["saliency", GradCAM],
        metrics=[Deletion, Insertion(NETWORK, X, [0, 1, 2])],
        steps=4,
    )
    assert list(compared) == ["Saliency", "GradCAM"] and len(compared) == 2
    wanted = Saliency(NETWORK).explain(X, [0, 1, 2])
    np.testing.assert_array_equal(compared["Saliency"].values, wanted.values)
    scores = compared.scores["Saliency"]
    assert float(scores["Deletion"]) == pytest.approx(float(Deletion(NETWORK, X, [0, 1, 2], steps=4).evaluate(wanted)))
    assert float(scores["Insertion"]) == pytest.approx(float(Insertion(NETWORK, X, [0, 1, 2]).evaluate(wanted)))
    table = compared.table()
    assert "| Method | Deletion | Insertion |" in table and f"{float(scores['Deletion']):.3f} [" in table
    figure, axes = compared.plot()
    assert axes.shape == (3, 3)
    texts = [text.get_text() for text in figure.texts]
    assert "Saliency" in texts and any("Deletion" in text for text in texts)


def test_metrics_take_the_predicted_classes_where_no_targets_are_given():
    compared = xsparks.compare(NETWORK, X, methods=["saliency"], metrics=[Deletion])
    predicted = NETWORK(X).numpy().argmax(1)
    wanted = Deletion(NETWORK, X, predicted).evaluate(Saliency(NETWORK).explain(X, predicted))
    assert float(compared.scores["Saliency"]["Deletion"]) == pytest.approx(float(wanted))


def test_options_go_to_those_who_have_them_and_explainers_keep_theirs():
    compared = xsparks.compare(
        NETWORK,
        X,
        1,
        methods=["saliency", "sobol", Saliency(NETWORK, reducer="sum")],
        grid_size=(2, 3),
        nb_design=2,
        reducer="norm",
    )
    assert list(compared) == ["Saliency", "SobolAttribution", "Saliency #2"]
    assert compared["Saliency"].settings["reducer"] == "norm" and compared["Saliency #2"].settings["reducer"] == "sum"
    assert compared["SobolAttribution"].settings["grid_size"] == [2, 3]


def test_the_table_says_what_the_classes_declare():
    rows = {row.name: row for row in map(catalogue.describe, catalogue.methods().values())}
    assert rows["Saliency"].model == "with gradients" and rows["Saliency"].repeatable == "yes"
    assert rows["Saliency"].passes == "1 forward and 1 backward a sample"
    assert rows["Saliency"].paper == "[Simonyan et al. 2014](https://arxiv.org/abs/1312.6034)"
    assert rows["SobolAttribution"].model == "any" and rows["SobolAttribution"].repeatable == "by its seed"
    assert rows["GradCAM"].model == "Keras" and rows["GradCAM"].operators == "all"
    assert rows["FEM"].operators == "none: no score is read" and rows["FEM"].model == "Keras, no gradients"
    for row in rows.values():
        assert row.question.endswith("?") and row.passes and "arxiv" in row.paper or "](" in row.paper, row


def test_the_page_of_methods_is_what_is_generated():
    page = Path(__file__).parents[2] / "docs" / "methods.md"
    assert catalogue.methods_table() in page.read_text(), "run python scripts/write_methods.py"


def test_a_saved_comparison_is_its_explanations(tmp_path):
    compared = xsparks.compare(NETWORK, X, 1, methods=["saliency", SobolAttribution(NETWORK, grid_size=2, nb_design=2)])
    compared["Saliency"].save(tmp_path / "one")
    loaded = xsparks.Explanation.load(tmp_path / "one")
    np.testing.assert_array_equal(loaded.values, compared["Saliency"].values)
