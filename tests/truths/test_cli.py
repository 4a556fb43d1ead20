"""`xsparks explain`: the maps are right, the files are there, and nothing is done twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import keras
import numpy as np
import pytest

import xsparks
from tests.building.sources import environment
from tests.command_line import FAST, colour_model, names_file, results, run, saved_model, square, write_image
from xsparks.cli import explaining
from xsparks.engine import Explanation


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A red square at the top left, a green one at the bottom right."""
    write_image(tmp_path / "in" / "red.png", square(0, 0, 0))
    write_image(tmp_path / "in" / "deep" / "green.png", square(1, 3, 3))
    return tmp_path / "in"


@pytest.fixture
def explained_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are explained from here on."""
    seen: list[str] = []
    original = explaining._explain_group

    def noting(task, names, files, total):
        seen.extend(names)
        return original(task, names, files, total)

    monkeypatch.setattr(explaining, "_explain_group", noting)
    return seen


def peak(path: Path) -> tuple[int, int]:
    """The cell of a 4 x 4 grid in which a saved map is highest."""
    values = Explanation.load(path).maps[0, ..., 0]
    row, column = np.unravel_index(values.argmax(), values.shape)
    return int(row) // 4, int(column) // 4


def test_maps_show_where_the_colour_is_and_everything_is_written(tmp_path: Path, photographs: Path) -> None:
    out = tmp_path / "out"
    model, names = saved_model(tmp_path), names_file(tmp_path)
    assert run("explain", model, photographs, "--class-names", names, "--out", out, "--seed", 3, *FAST) == 0
    record = results(out)
    red, green = sorted(record["images"], key=lambda image: image["name"], reverse=True)
    assert (red["file"], red["target"], red["class_name"]) == (f"{photographs}/red.png", 0, "red, rouge")
    assert (green["target"], green["predicted"], green["predicted_name"]) == (1, 1, "green, vert")
    assert peak(out / red["map"]) == (0, 0) and peak(out / green["map"]) == (3, 3)
    assert red["score"] == pytest.approx(1 / 16, rel=1e-5)
    assert red["probability"] == pytest.approx(np.exp(1 / 16) / (np.exp(1 / 16) + 2), rel=1e-4)
    assert red["forwards"] == 2 * 17
    assert record["method"] == "SobolAttribution" and "half-shift" in record["estimand"]
    assert record["settings"]["grid_size"] == 4 and record["settings"]["seed"] == 3
    assert record["versions"]["xsparks"] == xsparks.__version__ and "opencv" in record["versions"]
    assert record["model"]["input"] == [16, 16, 3] and record["model"]["outputs"] == 3
    assert (record["complete"], record["unfinished"], record["skipped"]) == (True, [], [])
    for image in record["images"]:
        for kind in ("picture", "overlay", "map", "map_record"):
            assert (out / image[kind]).stat().st_size > 0
        # Total indices have no sign; what interpolation adds beside a high cell is not drawn as one.
        assert (image["scale"]["signed"], image["scale"]["low"]) == (False, 0) and image["scale"]["high"] > 0


def test_a_class_is_chosen_by_name_and_by_id(tmp_path: Path, photographs: Path) -> None:
    model, names, file = saved_model(tmp_path), names_file(tmp_path), photographs / "red.png"
    options = ("--class-names", names, *FAST)
    assert run("explain", model, file, "--target", "Vert", "--out", tmp_path / "name", *options) == 0
    assert run("explain", model, file, "--target", 1, "--out", tmp_path / "id", *options) == 0
    for folder in ("name", "id"):
        (image,) = results(tmp_path / folder)["images"]
        assert (image["target"], image["predicted"], image["class_name"]) == (1, 0, "green, vert")
        assert image["score"] == 0
    assert results(tmp_path / "name")["target"] == {"asked": "Vert", "id": 1}


def test_a_second_run_explains_only_what_changed(
    tmp_path: Path, photographs: Path, explained_names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("explain", saved_model(tmp_path), photographs, "--out", out, *FAST)
    run(*words)
    assert sorted(explained_names) == ["green", "red"]
    capsys.readouterr()

    run(*words)
    assert len(explained_names) == 2
    assert "2 of 2 images were finished before and are used again" in capsys.readouterr().out
    assert [image["reused"] for image in results(out)["images"]] == [True, True]
    assert results(out)["images"][1]["score"] == pytest.approx(1 / 16, rel=1e-5)

    (out / "overlays" / "red.png").unlink()
    run(*words)
    assert explained_names[2:] == ["red"]

    write_image(photographs / "red.png", square(0, 1, 1))
    run(*words)
    assert explained_names[3:] == ["red"]

    run(*words, "--seed", 1)
    assert sorted(explained_names[4:]) == ["green", "red"]

    run(*words, "--seed", 1, "--target", 2)
    assert len(explained_names) == 8

    run(*words, "--seed", 1, "--target", 2, "--class-names", names_file(tmp_path))
    assert len(explained_names) == 8
    assert results(out)["images"][0]["class_name"] == "blue, bleu"


def test_another_model_is_explained_anew(tmp_path: Path, photographs: Path, explained_names: list[str]) -> None:
    model = saved_model(tmp_path)
    words = ("explain", model, photographs / "red.png", "--out", tmp_path / "out", *FAST)
    run(*words)
    colour_model(softmax=True).save(model)
    run(*words)
    assert explained_names == ["red", "red"]


def test_a_stopped_run_keeps_what_is_finished_and_goes_on(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("explain", saved_model(tmp_path), photographs, "--out", out, *FAST)
    original = explaining._explain_group

    def stopping(task, names, files, total):
        if task.records:
            raise KeyboardInterrupt
        return original(task, names, files, total)

    with monkeypatch.context() as patch:
        patch.setattr(explaining, "_explain_group", stopping)
        assert run(*words) == 130
    assert capsys.readouterr().err == (
        f"xsparks: interrupted: 1 of 2 images are finished and kept in {out}; the same command goes on after them.\n"
    )
    assert results(out)["complete"] is False
    assert results(out)["unfinished"] == [f"{photographs}/red.png"]
    assert "was interrupted: 1 picture more" in (out / "index.html").read_text()
    assert run(*words) == 0
    assert [image["reused"] for image in results(out)["images"]] == [True, False]


MODULE = """
import tensorflow as tf
from tests.command_line import colour_model

def build(softmax=False):
    return colour_model(softmax)

def colours(images):
    return tf.reduce_mean(images, axis=(1, 2)) / 255

def to_unit(images):
    return images / 255

model = colour_model()
"""


@pytest.mark.parametrize(
    "kind", ["colours.keras", "colours.h5", "exported", "NAME:build", "NAME:model", "NAME:colours"]
)
def test_every_kind_of_model_gives_the_same_map(
    tmp_path: Path, photographs: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = f"models_of_{tmp_path.name.replace('-', '_')}"
    Path(f"{module}.py").write_text(MODULE)
    model = kind.replace("NAME", module)
    if kind == "exported":
        colour_model().export(kind, verbose=False)
    elif ":" not in kind:
        colour_model().save(kind)
    size = ("--size", "16x16") if kind == "NAME:colours" else ()
    assert run("explain", model, photographs / "red.png", "--out", "out", *size, *FAST) == 0
    (image,) = results(Path("out"))["images"]
    assert (image["target"], peak(Path("out") / image["map"])) == (0, (0, 0))
    assert image["score"] == pytest.approx(1 / 16, rel=1e-4)
    # Softmax outputs sum to 1, but the plain means of a function do not: they are no probabilities.
    assert (image["probability"] is None) == (kind in ("exported", "NAME:colours"))


def test_a_softmax_is_bypassed_and_the_user_is_told(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run("explain", saved_model(tmp_path, softmax=True), photographs / "red.png", "--out", out, *FAST)
    said = capsys.readouterr().err
    assert said.startswith("xsparks: note: the final softmax of colours is bypassed")
    record = results(out)
    assert record["explained"] == "logit of the class, before the final softmax"
    assert record["images"][0]["score"] == pytest.approx(1 / 16, rel=1e-4)
    assert record["images"][0]["probability"] == pytest.approx(np.exp(1 / 16) / (np.exp(1 / 16) + 2), rel=1e-4)


def test_preprocessing_by_a_function_of_the_user(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = f"steps_of_{tmp_path.name.replace('-', '_')}"
    Path(f"{module}.py").write_text(MODULE)
    keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()]).save("plain.keras")
    words = ("explain", "plain.keras", photographs / "red.png", *FAST)
    assert run(*words, "--preprocess", f"{module}:to_unit", "--out", "unit") == 0
    assert results(Path("unit"))["images"][0]["score"] == pytest.approx(1 / 16, rel=1e-4)
    assert run(*words, "--out", "raw") == 0
    assert results(Path("raw"))["images"][0]["score"] == pytest.approx(255 / 16, rel=1e-4)


def test_a_model_that_expects_no_bytes_gets_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "red.png", square(0, 0, 0))
    path = tmp_path / "plain.keras"
    keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()]).save(path)
    run("explain", path, tmp_path / "red.png", "--out", tmp_path / "out", *FAST)
    assert "pass --preprocess as in its training" in capsys.readouterr().err
    run("explain", saved_model(tmp_path), tmp_path / "red.png", "--out", tmp_path / "out", *FAST)
    assert "pass --preprocess as in its training" not in capsys.readouterr().err


def test_gray_and_channels_first_models(tmp_path: Path) -> None:
    picture = np.repeat(square(0, 2, 1)[..., :1], 3, axis=-1)
    file = write_image(tmp_path / "white.png", picture)
    gray = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.GlobalAveragePooling2D()])
    gray.save(tmp_path / "gray.keras")
    first = keras.Sequential(
        [keras.Input((3, 16, 16)), keras.layers.GlobalAveragePooling2D(data_format="channels_first")]
    )
    first.save(tmp_path / "first.keras")
    for name in ("gray", "first"):
        out = tmp_path / name
        assert run("explain", tmp_path / f"{name}.keras", file, "--target", 0, "--out", out, *FAST) == 0
        (image,) = results(out)["images"]
        assert peak(out / image["map"]) == (2, 1), name


def test_unreadable_files_are_left_out_only_if_asked(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photographs / "empty.jpg").write_bytes(b"")
    (photographs / "text.png").write_text("no picture")
    out = tmp_path / "out"
    words = ("explain", saved_model(tmp_path), photographs, "--out", out, *FAST)
    assert run(*words) == 2
    assert not out.exists()
    assert run(*words, "--skip-unreadable") == 0
    assert results(out)["skipped"] == [
        {"file": f"{photographs}/empty.jpg", "reason": "an empty file (0 bytes)"},
        {"file": f"{photographs}/text.png", "reason": "a file that is damaged, cut off or no image"},
    ]
    assert len(results(out)["images"]) == 2
    assert f"xsparks: skipped {photographs}/empty.jpg: an empty file (0 bytes)\n" in capsys.readouterr().err
    assert "2 files could not be read" in (out / "index.html").read_text()


def test_the_page_stands_alone_and_says_everything_in_words(tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps(["<b>red</b>", "green", "blue"]))
    awkward = write_image(tmp_path / "in" / "50% <i> #1 ä.png", square(0, 3, 0))
    out = tmp_path / "out"
    assert run("explain", saved_model(tmp_path), awkward, "--class-names", names, "--out", out, *FAST) == 0
    page = (out / "index.html").read_text()
    assert "<b>red</b>" not in page and "&lt;b&gt;red&lt;/b&gt;" in page and "<i> #1" not in page
    assert not re.search(r"https?://|//cdn|<script|@import", page)
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 2
    for image in images:
        assert 'loading="lazy"' in image and re.search(r'alt="[^"]+"', image) and 'width="' in image
    assert "highest at the bottom left" in images[1]
    linked = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assert len(linked) >= 6
    for link in linked:
        assert (out / unquote(link)).is_file(), link
    assert "prefers-color-scheme: dark" in page and '<html lang="en">' in page


def test_two_files_of_one_name_keep_their_results_apart(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "one.png", square(0, 0, 0))
    write_image(tmp_path / "b" / "ONE.png", square(1, 3, 3))
    out = tmp_path / "out"
    assert run("explain", saved_model(tmp_path), tmp_path / "a", tmp_path / "b", "--out", out, *FAST) == 0
    first, second = results(out)["images"]
    # Told apart by what is in them, so that the names do not depend on the order or on who else is there.
    assert [each["name"] for each in (first, second)] == [
        f"one-{first['image_digest']}",
        f"ONE-{second['image_digest']}",
    ]
    assert (peak(out / first["map"]), peak(out / second["map"])) == ((0, 0), (3, 3))


def test_quiet_prints_nothing(tmp_path: Path, photographs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("explain", saved_model(tmp_path), photographs, "--out", tmp_path / "out", "--quiet", *FAST) == 0
    assert capfd.readouterr() == ("", "")


def test_an_output_layer_and_other_options_reach_the_method(tmp_path: Path, photographs: Path) -> None:
    out = tmp_path / "out"
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255, name="unit"),
            keras.layers.GlobalAveragePooling2D(name="means"),
            keras.layers.Rescaling(-1, name="negative"),
        ]
    )
    model.save(tmp_path / "negative.keras")
    words = ("--set", "output_layer=means", "--set", "design=binary_flip", "--set", "smooth=false")
    assert run("explain", tmp_path / "negative.keras", photographs / "red.png", "--out", out, *words, *FAST) == 0
    record = results(out)
    assert record["images"][0]["score"] == pytest.approx(1 / 16, rel=1e-4)
    assert record["images"][0]["probability"] is None
    assert record["explained"] == "output of the layer means"
    assert (record["settings"]["design"], record["settings"]["smooth"]) == ("binary_flip", False)


def test_version_and_the_module_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("--version")
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"xsparks {xsparks.__version__}\n"
    words = [sys.executable, "-m", "xsparks.cli", "--version"]
    ran = subprocess.run(words, check=True, capture_output=True, text=True, env=environment())
    assert ran.stdout == f"xsparks {xsparks.__version__}\n"


def test_one_pass_is_no_plural(tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A method by its name; one forward is one forward, in the line and on the page."""
    out = tmp_path / "out"
    assert run("explain", saved_model(tmp_path), photographs, "--method", "saliency", "--out", out) == 0
    said = "".join(capsys.readouterr())
    assert "(1 forward, " in said
    page = (out / "index.html").read_text()
    assert "1 forward<" in page and "1 forwards" not in page
