"""The record of a run, and the page that is made of it and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..engine.record import settings_of, versions
from .colours import gradient, number, place
from .image_files import ImageFile, display_path
from .pages import render
from .results import SCHEMA

if TYPE_CHECKING:
    from .explaining import Run

_PREPROCESS = {
    None: "none: values from 0 to 255",
    "tf": "tf: values from −1 to 1",
    "torch": "torch: ImageNet's mean and deviation",
    "caffe": "caffe: blue, green, red less ImageNet's mean",
}


def run_record(run: Run, named: dict[str, ImageFile], complete: bool) -> dict[str, Any]:
    """Everything about a run, fit for JSON: settings, versions, each image and what was left out."""
    height, width, channels, _ = run.shape
    explainer = run.explainer
    return {
        "kind": "xsparks explain",
        "schema": SCHEMA,
        "complete": complete,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - run.started, 1),
        "method": type(explainer).__name__,
        "estimand": explainer.described_estimand(),
        "explained": _explained(run),
        "model": {
            "source": display_path(Path(run.loaded.source)),
            "kind": run.loaded.kind,
            "name": str(getattr(run.loaded.model, "name", "") or run.loaded.source),
            "digest": run.loaded.digest,
            "input": [height, width, channels],
            "outputs": run.classes,
        },
        "target": None if run.target is None else {"asked": run.options.target, "id": run.target},
        "preprocess": run.options.preprocess,
        "fit": "squash" if run.options.squash else "centre cut",
        "batch_size": run.options.batch_size,
        "settings": settings_of(explainer),
        "versions": all_versions(),
        "images": [_of_image(run, name, file) for name, file in named.items() if name in run.records],
        "unfinished": [display_path(file.path) for name, file in named.items() if name not in run.records],
        "skipped": [{"file": display_path(each.path), "reason": each.reason} for each in run.unreadable],
    }


def all_versions() -> dict[str, str]:
    """The versions that maps and files depend on."""
    import cv2
    import matplotlib

    return {**versions(), "xsparks": __version__, "opencv": cv2.__version__, "matplotlib": matplotlib.__version__}


def _explained(run: Run) -> str:
    """What kind of number the score is."""
    explainer = run.explainer
    if explainer.output_layer is not None:
        return f"output of the layer {explainer.output_layer}"
    if explainer.operator not in (None, "classification"):
        return f"value of {getattr(explainer.operator, '__name__', explainer.operator)}"
    if explainer.access.final_activation is not None:
        return f"logit of the class, before the final {explainer.access.final_activation}"
    return "output of the class, as the model gives it"


def _of_image(run: Run, name: str, file: ImageFile) -> dict[str, Any]:
    record = run.records[name]

    def named(number: int | None) -> str | None:
        return None if number is None or run.names is None else run.names[number].full

    return {
        "name": name,
        "file": display_path(file.path),
        "pixels": [file.height, file.width],
        "reused": name in run.reused,
        "target": record["target"],
        "class_name": named(record["target"]),
        "predicted": record["predicted"],
        "predicted_name": named(record["predicted"]),
        **{key: value for key, value in record.items() if key not in ("kind", "schema", "target", "predicted")},
    }


def overview_page(record: dict[str, Any]) -> str:
    """The page of a run as HTML."""
    shown = _shown_names([image["file"] for image in record["images"]])
    cards = [_card(image, name) for image, name in zip(record["images"], shown, strict=True)]
    signs = sorted({image["scale"]["signed"] for image in record["images"]})
    model = record["model"]
    rows = {
        "method": record["method"],
        "explained": record["explained"],
        "model": f"{model['source']} ({model['kind']})",
        "model's input": "{} × {} pixels, {} channel{}".format(*model["input"], "" if model["input"][2] == 1 else "s"),
        "pictures": "squashed into the input"
        if record["fit"] == "squash"
        else "short side resized to fit, centre cut out",
        "preprocessing": _PREPROCESS.get(record["preprocess"], record["preprocess"]),
        "class": "the one that the model predicts" if record["target"] is None else record["target"]["asked"],
    }
    own = {name: value for name, value in record["settings"].items() if name not in ("preprocess", "class_names")}
    return render(
        "explain.html",
        record=record,
        name=model["source"] if ":" in model["source"] else PurePosixPath(model["source"]).stem,
        cards=cards,
        gradients={signed: gradient(signed) for signed in signs},
        rows=rows,
        settings={name: value for name, value in own.items() if value is not None},
    )


def _shown_names(files: list[str]) -> list[str]:
    """The names of the files alone, where they tell them apart."""
    names = [file.rpartition("/")[2] for file in files]
    return names if len(set(names)) == len(files) else files


def _card(image: dict[str, Any], file_shown: str) -> dict[str, Any]:
    target, predicted = _class_words(image, "target", "class_name"), _class_words(image, "predicted", "predicted_name")
    scale = image["scale"]
    where = "the same everywhere" if scale["constant"] else f"highest {place(tuple(scale['peak']))}"
    cut = "≥ " if scale["largest"] > scale["high"] else ""
    return {
        **image,
        "file_shown": file_shown,
        "title": target[0] if target else "score",
        "synonyms": target[1] if target else "",
        "other": predicted[0] if predicted and image["predicted"] != image["target"] else "",
        "chance": None if image["probability"] is None else f"{100 * image['probability']:.1f} %",
        "chance_width": round(100 * (image["probability"] or 0), 1),
        "score_text": number(image["score"]),
        "low": number(scale["low"]),
        "high": cut + number(scale["high"]),
        "where": where,
    }


def _class_words(image: dict[str, Any], number_key: str, name_key: str) -> tuple[str, str] | None:
    """A class in one word, and its further names."""
    if image[number_key] is None:
        return None
    if not image[name_key]:
        return f"class {image[number_key]}", ""
    first, _, others = image[name_key].partition(",")
    return first.strip(), others.strip()
