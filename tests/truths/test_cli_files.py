"""Files of images and names: which are meant, what is in them, and how a photograph becomes the model's input."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.command_line import write_image
from xsparks.cli.class_names import ClassName, load_class_names, target_id
from xsparks.cli.image_files import decode, find_images
from xsparks.cli.model_input import InputShape, as_model_reads, as_people_see, centre_cut

NOTHING = np.zeros((4, 4, 3), np.uint8)


def oriented(picture: np.ndarray, orientation: int) -> bytes:
    """A JPEG whose EXIF record says how the camera was held."""
    content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 100])[
        1
    ].tobytes()
    # One directory with one entry: tag 0x0112, a short, once (TIFF 6.0, section 2; EXIF 2.3, 4.6.4).
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def test_orientation_of_the_camera_is_respected() -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :32, 0] = 250  # red on the left
    assert decode(oriented(picture, 1))[16, 8, 0] > 200
    turned = decode(oriented(picture, 6))  # "rotate 90 degrees clockwise to view": left becomes top
    assert turned.shape == (64, 32, 3)
    assert turned[8, 16, 0] > 200 and turned[56, 16, 0] < 50


def test_gray_has_three_equal_channels_and_transparent_pixels_lie_on_white() -> None:
    gray = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    assert np.array_equal(decode(cv2.imencode(".png", gray)[1].tobytes()), np.repeat(gray[..., None], 3, axis=-1))
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = (10, 20, 30, 255)  # blue, green, red, opacity
    picture[0, 1] = (0, 0, 0, 51)
    found = decode(cv2.imencode(".png", picture)[1].tobytes())
    assert found[0, 0].tolist() == [30, 20, 10]
    assert found[0, 1].tolist() == [204] * 3 and found[1, 1].tolist() == [255] * 3
    deep = picture.astype(np.uint16) * 257
    deep[0, 1, 3] = 32768  # half of 65535
    assert decode(cv2.imencode(".png", deep)[1].tobytes())[0].tolist() == [[30, 20, 10], [127] * 3]


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0] = 200
    assert decode(write_image(tmp_path / "red.bmp", picture).read_bytes())[0, 0].tolist() == [200, 0, 0]


def test_folders_patterns_and_files_are_found_once_in_natural_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "p/10.jpg",
        "p/2.JPEG",
        "p/deep/1.png",
        "p/.hidden.png",
        "p/.thumbs/3.png",
        "p/notes.txt",
        "p/out/o.png",
    ):
        write_image(Path(name).with_suffix(".png"), NOTHING).rename(name)
    out = Path("p/out")
    found = find_images(["p"], out)
    assert [str(path) for path in found] == ["p/2.JPEG", "p/10.jpg", "p/deep/1.png"]
    assert [str(path) for path in find_images(["p/**/*.png"], out)] == ["p/deep/1.png"]
    assert [str(path) for path in find_images(["p/10.jpg", "p"], out)] == ["p/10.jpg", "p/2.JPEG", "p/deep/1.png"]
    # Named itself, a file counts whatever its ending is and wherever it lies.
    assert [str(path) for path in find_images(["p/notes.txt", "p/.hidden.png"], out)] == [
        "p/notes.txt",
        "p/.hidden.png",
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_the_file(tmp_path: Path) -> None:
    file = write_image(tmp_path / "cat [1].png", NOTHING)
    assert find_images([str(file)], tmp_path / "out") == [file]


def test_the_centre_is_cut_or_everything_squashed() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 200  # the centre square
    shape = InputShape(20, 20, 3, False)
    assert centre_cut(picture, 20, 20).shape == (40, 40, 3)
    assert (as_model_reads(picture, shape, squash=False) == 200).all()
    squashed = as_model_reads(picture, shape, squash=True)
    assert squashed.shape == (20, 20, 3) and (squashed[:, :4] == 0).all() and (squashed[:, 10] == 200).all()
    assert as_model_reads(picture, InputShape(20, 20, 3, True), squash=False).shape == (3, 20, 20)
    assert as_model_reads(picture, InputShape(20, 20, 1, False), squash=False).shape == (20, 20, 1)


def test_fine_patterns_do_not_turn_into_coarse_ones() -> None:
    stripes = np.zeros((90, 90, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = as_model_reads(stripes, InputShape(40, 40, 3, False), squash=False)
    assert np.ptp(shrunk.astype(float)[:, 5:-5]) < 80


@pytest.mark.parametrize(
    ("size", "squash", "shown"),
    [
        ((300, 500), False, (448, 448)),
        ((2000, 1000), False, (640, 640)),
        ((300, 600), True, (300, 600)),
        ((32, 32), False, (448, 448)),
    ],
)
def test_people_see_the_same_part_large_enough(size: tuple[int, int], squash: bool, shown: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    assert as_people_see(picture, InputShape(224, 224, 3, False), squash).shape == (*shown, 3)


def test_few_pixels_are_shown_as_they_are() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert np.array_equal(as_people_see(picture, InputShape(32, 32, 3, False), squash=False)[::14, ::14], picture)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lines.txt", "tench, Tinca tinca\ngoldfish\n\n"),
        ("bom.txt", "\ufefftench, Tinca tinca\r\ngoldfish\r\n"),
        ("table.tsv", "1\tn01443537\tgoldfish\n0\tn01440764\ttench, Tinca tinca\n"),
        ("synsets.txt", "n01440764 tench, Tinca tinca\nn01443537 goldfish\n"),
        ("list.json", json.dumps(["tench, Tinca tinca", "goldfish"])),
        ("index.json", json.dumps({"1": "goldfish", "0": "tench, Tinca tinca"})),
        ("ids.json", json.dumps({"goldfish": 1, "tench, Tinca tinca": 0})),
    ],
)
def test_names_are_read_from_the_files_that_people_have(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    names = load_class_names(path)
    assert [each.full for each in names] == ["tench, Tinca tinca", "goldfish"]
    assert [each.short for each in names] == ["tench", "goldfish"]
    assert target_id("Goldfish", names) == target_id("1", names) == 1
    assert target_id("tinca  TINCA", names) == target_id("tench, tinca tinca", names) == 0


def test_the_index_of_keras_has_wordnet_ids(tmp_path: Path) -> None:
    path = tmp_path / "imagenet_class_index.json"
    path.write_text(json.dumps({"0": ["n01440764", "tench"], "1": ["n01484850", "great_white_shark"]}))
    names = load_class_names(path)
    assert names == [ClassName("tench", "n01440764"), ClassName("great white shark", "n01484850")]
    assert target_id("N01484850", names) == target_id("great_white shark", names) == 1
