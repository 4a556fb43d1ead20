"""`xsparks demo`: its numbers are those of its maps, better than not looking, and its page is whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import results, run
from xsparks.cli.agreement import agreement
from xsparks.datasets import shapes
from xsparks.engine import Explanation


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demo of six pictures, and what was printed."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("demo")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert run("demo", "--out", folder, "--count", 6, "--seed", 4) == 0
    return folder, said.getvalue()


def test_the_numbers_are_those_of_the_maps(demonstrated: tuple[Path, str]) -> None:
    folder, _ = demonstrated
    record = results(folder)
    data = shapes.load(6, seed=1_000_004)
    maps = Explanation.load(folder / "maps.npz")
    found = agreement("Sobol", maps.maps[..., 0], data.masks)
    assert [picture["label"] for picture in record["pictures"]] == [data.class_names[label] for label in data.labels]
    assert [picture["share_of_map_in_object"] for picture in record["pictures"]] == pytest.approx(list(found.inside))
    assert record["agreement"][0]["pointing"] == found.hits.mean()
    assert record["agreement"][2]["pointing"] == pytest.approx(data.masks.mean())
    assert record["forwards"] == 8 * 65 and record["settings"]["seed"] == 4
    assert record["correct"] == int((maps.targets == data.labels).sum())


def test_the_maps_are_better_than_not_looking(demonstrated: tuple[Path, str]) -> None:
    record = results(demonstrated[0])
    own, centre, random = record["agreement"]
    assert own["density"] > 2 * centre["density"] and own["pointing"] > random["pointing"]
    scores = record["scores"]
    assert scores["Insertion"]["Sobol"]["value"] > scores["Insertion"]["random map"]["value"]
    assert scores["Deletion"]["Sobol"]["value"] < scores["Deletion"]["random map"]["value"]
    for found in scores.values():
        for score in found.values():
            assert score["interval"][0] <= score["value"] <= score["interval"][1]


def test_the_page_is_whole_and_its_numbers_are_those_of_the_record(demonstrated: tuple[Path, str]) -> None:
    folder, said = demonstrated
    page = (folder / "index.html").read_text()
    assert not re.search(r"https?://|<script|@import", page)
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 8
    for image in images:
        assert re.search(r'alt="[^"]{20,}"', image)
    for link in re.findall(r'(?:src|href)="([^"#:]+)"', page):
        assert (folder / link).is_file(), link
    density = results(folder)["agreement"][0]["density"]
    assert f"{density:.1f}×" in page and f"{density:.1f}×" in said
    assert said.rstrip().endswith(f"Open {folder}/index.html")


def test_the_same_seed_gives_the_same_numbers(demonstrated: tuple[Path, str], tmp_path: Path) -> None:
    assert run("demo", "--out", tmp_path, "--count", 6, "--seed", 4, "--quiet") == 0
    first, second = results(demonstrated[0]), results(tmp_path)
    assert first["scores"] == second["scores"]
    assert np.array_equal(Explanation.load(demonstrated[0] / "maps").values, Explanation.load(tmp_path / "maps").values)


def test_a_demo_that_cannot_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("demo", "--out", tmp_path / "file") == 2
    assert "the file must be writable, got " in capsys.readouterr().err
