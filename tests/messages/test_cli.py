"""What `xsparks` says when something is wrong: one line, which names the thing and the remedy."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tests.command_line import FAST, colour_model, names_file, results, run, saved_model, square, write_image
from xsparks.core import files


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """Runs `xsparks`, which must fail, and gives its one line."""

    def fail(*words: object) -> str:
        assert run(*words) == 2
        text = capsys.readouterr().err.strip().splitlines()
        assert len(text) == 1 and text[0].startswith("xsparks: error: "), text
        return text[0].removeprefix("xsparks: error: ")

    return fail


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    return write_image(tmp_path / "in" / "red.png", square(0, 0, 0))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved_model(tmp_path)


def wrong_words(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What is said to words that argparse refuses."""
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_words_that_are_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert wrong_words(capsys, "explain").startswith(
        "xsparks: error: the following arguments are required: MODEL, IMAGES"
    )
    assert wrong_words(capsys, "explain").endswith("See `xsparks explain --help`.\n")
    assert "invalid choice: 'explian'" in wrong_words(capsys, "explian")
    words = ("explain", "m.keras", "a.jpg", "--out", "o")
    assert "argument --batch-size: expected an integer of at least 1 or auto, got '0'" in wrong_words(
        capsys, *words, "--batch-size", "0"
    )
    assert "argument --size: expected HEIGHTxWIDTH or one number for both, such as 224x320, got '1x'" in wrong_words(
        capsys, *words, "--size", "1x"
    )
    assert "argument --count: expected an integer of at least 1, got '0'" in wrong_words(
        capsys, "demo", "--out", "o", "--count", "0"
    )


def test_unreadable_images(said, model: Path, photograph: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    empty = photograph.parent / "empty.jpg"
    empty.write_bytes(b"")
    assert said("explain", model, photograph.parent, "--out", out) == (
        f"`{empty}`: every image must be readable, got an empty file (0 bytes). Mend or remove it, or pass "
        "--skip-unreadable to go on without."
    )
    cut = photograph.parent / "cut.png"
    cut.write_bytes(photograph.read_bytes()[:60])
    text = photograph.parent / "text.jpg"
    text.write_text("no picture")
    line = said("explain", model, photograph.parent, "--out", out)
    assert line.startswith(f"`{cut}`: every image must be readable, got a file that is damaged, cut off or no image.")
    assert line.endswith(f"So are 2 more: {empty}, {text}.")
    assert said("explain", model, empty, "--skip-unreadable", "--out", out) == (
        f"`{empty}`: every image must be readable, got an empty file (0 bytes). No image is left."
    )
    assert not out.exists()


def test_an_image_that_the_system_does_not_give(
    said, model: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert "every image must be readable, got Permission denied." in said(
        "explain", model, photograph, "--out", tmp_path
    )


def test_an_image_that_opencv_refuses(
    said, model: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "10")
    import cv2

    def refused(*given: object) -> None:
        error = cv2.error("too large")
        error.err = "too many pixels"
        raise error

    monkeypatch.setattr(cv2, "imdecode", refused)
    line = said("explain", model, photograph, "--out", tmp_path)
    assert "got an image that OpenCV refuses (too many pixels)." in line


def test_nothing_to_explain(said, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    out = tmp_path / "out"
    assert said("explain", model, folder, "--out", out).startswith(
        f"`{folder}`: the folder must hold images (.jpg .jpeg .png .webp .bmp .tif .tiff .ppm .pgm), got none. "
    )
    assert said("explain", model, f"{folder}/*.jpg", "--out", out).startswith(
        f"`{folder}/*.jpg`: the pattern must match image files, got no match. "
    )
    (folder / "cat.jpg").write_bytes(b"")
    assert said("explain", model, folder / "cta.jpg", "--out", out) == (
        f"`{folder}/cta.jpg`: the image file or folder must exist, got no such path. Nearest: cat.jpg."
    )
    assert said("explain", model, folder / "no" / "cat.jpg", "--out", out).endswith(
        f"There is no folder `{folder}/no`."
    )
    assert said("explain", model, folder / "dog.tiff", "--out", out).endswith(
        "Look at the spelling, and at the current folder."
    )


def test_models_that_are_not_there(said, photograph: Path, tmp_path: Path, model: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert said("explain", tmp_path / "colors.keras", photograph, *out) == (
        f"`{tmp_path}/colors.keras`: MODEL must be a .keras or .h5 file, a SavedModel folder, or module:function, got "
        "no such file. Nearest: colours.keras."
    )
    assert said("explain", photograph, photograph, *out).startswith(
        f"`{photograph}`: a model file must end in .keras or .h5, got '.png'. Save the model by model.save("
    )
    assert said("explain", tmp_path, photograph, *out).startswith(
        f"`{tmp_path}`: a model folder must be a SavedModel, got a folder without saved_model.pb. "
    )


def test_models_that_do_not_load(said, photograph: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(b"PK nothing")
    line = said("explain", damaged, photograph, *out)
    assert line.startswith(f"`{damaged}`: the model must load by Keras or TensorFlow, got ")
    assert line.endswith("load it in a function and pass module:function; if not, save it again.")
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"nothing")
    assert "the model must load by Keras or TensorFlow" in said("explain", folder, photograph, *out)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_that_carries_code_is_refused(said, photograph: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"code{suffix}"
    layers = [keras.Input((16, 16, 3)), keras.layers.Lambda(lambda x: x / 255), keras.layers.GlobalAveragePooling2D()]
    keras.Sequential(layers).save(path)
    line = said("explain", path, photograph, "--out", tmp_path / "out")
    assert line.startswith(f"`{path}`: the file must hold no code, got ")
    assert line.endswith(
        "Such a file can run any code. If you trust it, load it in a function and pass module:function."
    )


def test_an_old_kind_of_file_is_looked_at_before_keras_reads_it(
    said, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "code.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = '{"config": {"layers": [{"class_name": "Lambda"}]}}'
    monkeypatch.setattr(keras.models, "load_model", lambda *words, **options: pytest.fail("Keras was asked"))
    line = said("explain", path, photograph, "--out", tmp_path / "out")
    assert "the file must hold no code, got a Lambda layer is code; safe mode refuses it." in line


def test_functions_that_are_not_there(said, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = f"wrong_{tmp_path.name.replace('-', '_')}"
    Path(f"{module}.py").write_text("def build():\n    return None\n")
    out = ("--out", "out")
    assert said("explain", f"{module}x:build", photograph, *out) == (
        f"`MODEL {module}x:build`: the module '{module}x' must be importable from here, got ModuleNotFoundError: No "
        f"module named '{module}x'. Run xsparks in the folder of the file, and leave .py out."
    )
    assert said("explain", f"{module}:biuld", photograph, *out) == (
        f"`MODEL {module}:biuld`: 'biuld' must be defined in '{module}', got nothing of that name. Nearest: build."
    )
    assert "must be a Keras model, a SavedModel or a callable" in said("explain", f"{module}:build", photograph, *out)
    words = ("explain", saved_model(tmp_path), photograph, "--preprocess", "nowhere:step", *out)
    assert said(*words).startswith("`--preprocess nowhere:step`: the module 'nowhere' must be importable from here")


def test_methods_and_their_options(said, model: Path, photograph: Path, tmp_path: Path) -> None:
    words = ("explain", model, photograph, "--out", tmp_path / "out")
    assert said(*words, "--method", "sobl") == (
        "`--method sobl`: the method must be the name of an attribution method, got 'sobl'. Nearest: sobol."
    )
    assert said(*words, "--set", "grid_size") == (
        "`--set grid_size`: `--set` must have the form NAME=VALUE, got 'grid_size'. For example --set grid_size=7."
    )
    assert said(*words, "--set", "seed=1") == (
        "`--set seed=1`: `--set` is for the method's own options, got 'seed'. Use --seed."
    )
    assert said(*words, "--set", "grid=7") == (
        "`--set grid=7`: `grid` must be an option of SobolAttribution, got 'grid'. Nearest: grid_size, order, signed."
    )
    assert said(*words, "--set", "grid_size=0") == (
        "`SobolAttribution(grid_size=0)`: `grid_size` must be an integer of at least 1, got 0. Use 7 or 8 for images "
        "of 224 pixels."
    )
    assert "`design` must be one of" in said(*words, "--set", "design=sobol")
    assert "has places (16, 16), and not be finer" in said(*words, "--set", "grid_size=17")
    assert "`preprocess` must be one of 'tf', 'torch', 'caffe', got 'keras'" in said(*words, "--preprocess", "keras")
    assert "`seed` must be an integer of at least 0, got -1" in said(*words, "--seed", "-1")


def test_class_names(said, model: Path, photograph: Path, tmp_path: Path) -> None:
    words = ("explain", model, photograph, "--out", tmp_path / "out")
    names = names_file(tmp_path)
    assert said(*words, "--target", "red") == (
        "`--target red`: `--target` must be a class id where no names are given, got a name. Pass --class-names FILE "
        "as well, or the id; ids count from 0."
    )
    assert said(*words, "--class-names", names, "--target", "grene") == (
        "`--target grene`: `--target` must be a class of the list, got an unknown name. Nearest: green, red, rouge."
    )
    assert said(*words, "--target", "3", *FAST).startswith(
        "`SobolAttribution`: `targets` must lie in [0, 2], the classes of the model, got 3"
    )
    assert said(*words, "--class-names", tmp_path / "nams.txt") == (
        f"`--class-names {tmp_path}/nams.txt`: the file must exist, got no such file. Nearest: names.txt."
    )
    names.write_text("crane\nred\ncrane, machine\n")
    assert said(*words, "--class-names", names, "--target", "crane") == (
        "`--target crane`: `--target` must mean one class, got 0 (crane); 2 (crane, machine). Pass one of the ids."
    )
    names.write_text("background\nred\ngreen\nblue\n")
    assert said(*words, "--class-names", names) == (
        f"`--class-names {names}`: there must be one name for each of the 3 outputs of the model, got 4 names. Look "
        "for a class such as `background` that only one of them has; it would shift all names."
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("names.txt", b"\n\n", "an empty file"),
        ("names.txt", b"\xff\xfe\x00", "UnicodeDecodeError"),
        ("names.json", b"{", "JSONDecodeError"),
        ("names.json", b"3", "JSON that is neither a list of names nor a mapping"),
        ("names.json", b"[1, 2]", "JSON that is neither a list of names nor a mapping"),
        ("names.json", b'{"a": "b"}', "the entry 'a': 'b'"),
        ("names.json", b'{"0": "a", "2": "b"}', "2 entries without one for class 1 (ids count from 0)"),
        ("names.txt", b"1\ta\n2\tb\n", "2 entries without one for class 0 (ids count from 0)"),
    ],
)
def test_files_without_names(
    said, model: Path, photograph: Path, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    line = said("explain", model, photograph, "--class-names", path, "--out", tmp_path / "out")
    assert line.startswith(f"`--class-names {path}`: the file must hold the names of the classes, got {reason}")
    assert line.endswith("Give one name a line, in the order of the model's outputs.")


def test_inputs_that_do_not_fit(said, photograph: Path, tmp_path: Path, model: Path) -> None:
    out = ("--out", tmp_path / "out")
    pool = keras.layers.GlobalAveragePooling2D
    keras.Sequential([keras.Input((None, None, 3)), pool()]).save(tmp_path / "any.keras")
    assert said("explain", tmp_path / "any.keras", photograph, *out) == (
        "`xsparks explain`: the size of the pictures must be known, got a model that takes any size. Pass --size, such "
        "as --size 224x224."
    )
    assert said("explain", model, photograph, "--size", "16x32", *out) == (
        "`--size 16x32`: the width must be 16, which the model reads, got 32. Leave --size out."
    )
    keras.Sequential([keras.Input((16, 16, 4)), pool()]).save(tmp_path / "four.keras")
    assert "the model must read pictures of 1 or 3 channels, got 4 channels." in said(
        "explain", tmp_path / "four.keras", photograph, *out
    )
    keras.Sequential([keras.Input((9,)), keras.layers.Dense(2)]).save(tmp_path / "table.keras")
    assert "the model must read one picture, got inputs of shape (9,)." in said(
        "explain", tmp_path / "table.keras", photograph, *out
    )


def test_a_folder_that_cannot_be_written(said, model: Path, photograph: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    line = said("explain", model, photograph, "--out", file / "out")
    assert re.search(
        r"the file must be writable, got .*\. Free space or choose another folder\. Nothing was computed yet\.$", line
    )


def test_a_disk_that_fills_up_keeps_what_was_computed(
    said, model: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(photograph.parent / "green.png", square(1, 0, 0))
    out, elsewhere = tmp_path / "out", tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    replace = os.replace

    def full(source: str, target: Path) -> None:
        # The record of the second image is the first thing that does not fit.
        if Path(target) == out / "records" / "red.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    line = said("explain", model, photograph.parent, "--out", out, *FAST)
    (kept,) = elsewhere.glob("xsparks-kept-*")
    assert line == (
        f"`{out}/records/red.json`: the file must be writable, got No space left on device. Free space or choose "
        f"another folder. 1 finished image of this folder is kept; red is in {kept}. The same command goes on from "
        "there."
    )
    assert (kept / "maps" / "red.npz").is_file() and (kept / "records" / "red.json").is_file()

    monkeypatch.setattr(files.os, "replace", replace)
    assert run("explain", model, photograph.parent, "--out", out, *FAST) == 0
    assert [image["reused"] for image in results(out)["images"]] == [True, False]


def test_no_disk_at_all_is_said_too(
    said, model: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def full(source: str, target: Path) -> None:
        if Path(target).suffix == ".png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    line = said("explain", model, photograph, "--out", tmp_path / "out", *FAST)
    assert "0 finished images of this folder are kept; red is lost, because no other folder took it." in line


def test_the_traceback_is_shown_if_asked(model: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the image file or folder must exist"):
        run("explain", model, tmp_path / "nowhere.png", "--out", tmp_path / "out", "--traceback")


def test_stopped_before_the_first_image(
    model: Path, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from xsparks.cli import explaining

    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explaining, "_explain_group", stopped)
    assert run("explain", model, photograph, "--out", tmp_path / "out", *FAST) == 130
    assert capsys.readouterr().err == "xsparks: interrupted: No image was finished yet.\n"
    monkeypatch.setattr(explaining, "_prepared", stopped)
    assert run("explain", model, photograph, "--out", tmp_path / "out", *FAST) == 130
    assert capsys.readouterr().err == "xsparks: interrupted: Nothing was written.\n"


def test_a_picture_that_makes_the_model_answer_nonsense(said, photograph: Path, tmp_path: Path) -> None:
    model = colour_model()
    model.layers[0].scale = np.float32("nan")
    model.save(tmp_path / "nan.keras")
    line = said("explain", tmp_path / "nan.keras", photograph, "--out", tmp_path / "out", *FAST)
    assert "the model must answer with finite numbers, got NaN or infinity." in line
