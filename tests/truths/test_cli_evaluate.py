"""`xsparks evaluate`: the numbers are those of Python, the files are there, and nothing is done twice."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import SIZE, colour_model, run, saved_model, square, write_image
from xsparks.attributions import Occlusion, Saliency
from xsparks.cli import evaluating
from xsparks.cli.methods import parse_named
from xsparks.evaluation import BenchmarkResult
from xsparks.evaluation.measuring import Measuring
from xsparks.metrics import Deletion, Insertion, PointingGame

# Where each picture has its square, and of which colour.
PLACES = [(0, 0, 0), (1, 3, 3), (2, 1, 2)]
FAST = (
    "--methods",
    "occlusion:patch_size=4:patch_stride=4,saliency",
    "--metrics",
    "deletion:steps=4,insertion:steps=4",
)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Squares of three colours, a mask of each, and a table of their classes."""
    rows = [["file", "label", "next"]]
    for number, (channel, row, column) in enumerate(PLACES):
        write_image(tmp_path / "in" / f"{number}.png", square(channel, row, column))
        write_image(tmp_path / "masks" / f"{number}.png", square(0, row, column).max(axis=-1))
        rows.append([f"{number}.png", str(channel), str((channel + 1) % 3)])
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "in"


def pictures() -> np.ndarray:
    return np.stack([square(*place) for place in PLACES])


def test_the_numbers_are_those_of_python(tmp_path, photographs, capsys):
    model = saved_model(tmp_path)
    assert run("evaluate", model, photographs, "--out", tmp_path / "out", *FAST) == 0
    printed = capsys.readouterr().out
    found = BenchmarkResult.load(tmp_path / "out")
    network, images = colour_model(), pictures()
    targets = np.array([channel for channel, _, _ in PLACES])
    assert list(found.scores) == ["Occlusion", "Saliency", "random map", "edge detector", "centre blob"]
    assert found.targets == (0, 1, 2) and found.samples == tuple(f"{photographs}/{number}.png" for number in range(3))
    for name, method in (
        ("Occlusion", Occlusion(network, patch_size=4, patch_stride=4)),
        ("Saliency", Saliency(network)),
    ):
        for kind in (Deletion, Insertion):
            wanted = kind(network, images, targets, steps=4).evaluate(method.explain(images, targets))
            got = found.scores[name][kind.__name__]
            np.testing.assert_allclose(got.per_sample, wanted.per_sample, rtol=1e-4, atol=1e-6)
    assert found.table("text") in printed and "3 images, 2 methods, 2 metrics: some" in printed
    assert "Open " in printed and (tmp_path / "out" / "leaderboard.png").stat().st_size > 0


def test_labels_masks_and_a_number_of_images(tmp_path, photographs):
    model = saved_model(tmp_path)
    words = (
        "--methods",
        "occlusion:patch_size=4:patch_stride=4",
        "--metrics",
        "deletion:steps=4,pointinggame",
        "--quiet",
    )
    labels = tmp_path / "labels.csv"
    assert run("evaluate", model, photographs, "--labels", labels, "--masks", tmp_path / "masks", "--no-controls",
               "--images", 2, "--out", tmp_path / "out", *words) == 0  # fmt: skip
    found = BenchmarkResult.load(tmp_path / "out")
    assert found.targets == (0, 1) and found.controls == () and list(found.scores) == ["Occlusion"]
    np.testing.assert_array_equal(found.scores["Occlusion"]["PointingGame"].per_sample, [1, 1])
    masks = pictures()[:2].max(axis=-1)
    maps = Occlusion(colour_model(), patch_size=4, patch_stride=4).explain(pictures()[:2], [0, 1])
    np.testing.assert_array_equal(PointingGame(masks).evaluate(maps).per_sample, [1, 1])
    assert run("evaluate", model, photographs, "--labels", f"{labels}:next", "--masks", tmp_path / "masks", "--out",
               tmp_path / "next", *words) == 0  # fmt: skip
    assert BenchmarkResult.load(tmp_path / "next").targets == (1, 2, 0)


def test_a_second_run_measures_nothing_and_more_images_themselves_alone(tmp_path, photographs, monkeypatch):
    model = saved_model(tmp_path)
    seen: list[int] = []
    original = Measuring._maps

    def noting(self, method, group, rows, *rest):
        seen.append(len(rows))
        return original(self, method, group, rows, *rest)

    monkeypatch.setattr(Measuring, "_maps", noting)
    words = ("evaluate", model, photographs, "--out", tmp_path / "out", *FAST, "--quiet")
    assert run(*words, "--images", 2) == 0 and sum(seen) == 5 * 2
    seen.clear()
    assert run(*words, "--images", 2) == 0 and seen == []
    assert run(*words) == 0 and sum(seen) == 5 * 1


def test_an_interruption_says_how_to_go_on(tmp_path, photographs, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Measuring, "_measure_metric", interrupted)
    assert run("evaluate", saved_model(tmp_path), photographs, "--out", tmp_path / "out", *FAST, "--quiet") == 130
    assert f"3 maps are measured and kept in {tmp_path / 'out'}; the same call" in capsys.readouterr().err


def test_the_embedded_model_brings_its_pictures(tmp_path):
    words = ("--methods", "saliency,gradcam", "--metrics", "pointinggame,sparseness", "--images", 3, "--quiet")
    assert run("evaluate", "shapes", "--out", tmp_path / "out", *words) == 0
    found = BenchmarkResult.load(tmp_path / "out")
    assert found.metrics == ["PointingGame", "Sparseness"] and len(found.samples) == 3


def test_one_method_with_several_options_has_a_row_each(tmp_path, photographs):
    words = ("--methods", "occlusion:patch_size=4,occlusion:patch_size=(4, 8)", "--metrics", "sparseness", "--quiet")
    assert run("evaluate", saved_model(tmp_path), photographs, "--out", tmp_path / "out", *words) == 0
    names = list(BenchmarkResult.load(tmp_path / "out").scores)[:2]
    assert names == ["Occlusion patch_size=4", "Occlusion patch_size=(4, 8)"]
    assert parse_named("a:b=(1, 2),c", "--methods") == [("a", {"b": (1, 2)}), ("c", {})]


def test_settings_stand_in_the_record(tmp_path, photographs):
    words = ("--methods", "rise:samples=8", "--metrics", "deletion:steps=3", "--quiet", "--seed", 4, "--batch-size", 4)
    assert run("evaluate", saved_model(tmp_path), photographs, "--out", tmp_path / "out", *words) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["methods"]["RISE"]["settings"]["samples"] == 8 and record["seed"] == 4
    assert record["methods"]["RISE"]["settings"]["seed"] == 4
    assert {score["settings"]["steps"] for score in record["scores"]} == {3}


@pytest.mark.parametrize(
    "words, said",
    [
        (["--methods", "sobl"], "the method must be the name of an attribution method, got 'sobl'"),
        (["--methods", "rise:samplez=3"], "`samplez` must be an option of RISE, got 'samplez'. Nearest: samples"),
        (["--methods", "rise:samples"], "`--methods` must be names between commas, each with its options, got 'rise:s"),
        (["--metrics", "deleton"], "the metric must be the name of a metric, got 'deleton'. Nearest: deletion"),
        (["--metrics", "pointinggame"], "`regions` must be given, masks or boxes"),
        (["--labels", "none.csv"], "`--labels none.csv`: the table must exist, got no such file."),
        (["--labels", "LABELS:other"], "the table must have a column 'other', got file, label, next. Name the column:"),
        (["--labels", "LABELS:file"], "every class must be an id, a number from 0 on, got '0.png' in line 2."),
        (["--labels", "SHORT"], "every image must have a class, got none for 1.png."),
        (["--masks", "EMPTY"], "every image must have a mask of its own name, got none for 0.png. There is no image"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, photographs, capsys, words, said):
    short = tmp_path / "short.csv"
    short.write_text("file,label\n0.png,1\n")
    (tmp_path / "empty").mkdir()
    stands = {"LABELS": str(tmp_path / "labels.csv"), "SHORT": str(short), "EMPTY": str(tmp_path / "empty")}
    for name, path in stands.items():
        words = [word.replace(name, path) for word in words]
    fast = [] if words[0] in ("--methods",) else ["--methods", "saliency"]
    assert run("evaluate", saved_model(tmp_path), photographs, "--out", tmp_path / "out", *words, *fast) == 2
    error = capsys.readouterr().err.splitlines()
    assert said in error[-1], error


def test_images_must_be_named_unless_the_model_brings_them(tmp_path, photographs, capsys):
    assert run("evaluate", saved_model(tmp_path), "--out", tmp_path / "out") == 2
    assert "IMAGES must name at least one file or folder, got none." in capsys.readouterr().err
    assert run("evaluate", "shapes", photographs, "--out", tmp_path / "out") == 2
    assert "the model 'shapes' must be used with its own pictures, got others." in capsys.readouterr().err


def test_images_that_cannot_be_read_are_skipped_and_told(tmp_path, photographs, capsys):
    (photographs / "9.png").write_bytes(b"no image")
    words = ("evaluate", saved_model(tmp_path), photographs, "--out", tmp_path / "out", *FAST, "--quiet")
    assert run(*words) == 2
    assert run(*words, "--skip-unreadable") == 0
    assert "skipped" in capsys.readouterr().err
    assert len(BenchmarkResult.load(tmp_path / "out").samples) == 3 and pictures().shape[1] == SIZE
    assert evaluating.DEFAULT_MODEL == "shapes"
