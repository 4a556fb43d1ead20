"""`xsparks demo`: the embedded data set explained, measured against the truth, and written up."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attributions import SobolAttribution
from ..core.files import write_bytes, write_json
from ..datasets import shapes
from ..metrics import Deletion, Insertion
from ..perturbations import Inpainting
from ..plots import plot_curves, plot_maps
from .agreement import agreement, centre, chance, random_maps
from .colours import number
from .overview import all_versions
from .pages import render
from .results import PAGE, RECORD, SCHEMA, Results

if TYPE_CHECKING:
    from ..engine import Explanation, Score

_HELD_OUT = 1_000_000  # far from the seeds of the pictures that the network was trained on
_GRID = 8
_DOTS = 200  # pixels of a figure for each of its inches
_RANDOM = "random map"
_METHOD = "Sobol"


def demo(out: str, count: int, seed: int = 0, quiet: bool = False) -> int:
    """Explains pictures of the embedded data set and writes a page that says how good the maps are.

    Parameters
    ----------
    out : folder; made if it does not exist.
    count : pictures.
    seed : of the pictures, the method and what is drawn at random for comparison.
    quiet : print nothing.

    Returns
    -------
    code : 0.

    Raises
    ------
    WriteError : `out` cannot be written.

    Cost
    ----
    606 forwards a picture of 64 x 64 pixels; 12 pictures take some ten seconds on two cores.
    """
    start = time.monotonic()
    folder = Results(Path(out)).folder
    data = shapes.load(count, seed=_HELD_OUT + seed)
    model = shapes.load_model()
    shown = False if quiet else None
    # Some objects are nearly black: what is masked takes the picture's mean colour, for black would not hide them.
    masked = Inpainting(baseline="mean")
    explainer = SobolAttribution(model, grid_size=_GRID, perturbation=masked, seed=seed, progress=shown)
    explanation = explainer.explain(data.images)
    scores = _scores(model, data, explanation, seed, shown)
    record = _record(data, explanation, scores, seed)
    _write_maps(folder, data, explanation, record)
    _write_curves(folder, scores)
    record["seconds"] = round(time.monotonic() - start, 1)
    explanation.save(folder / "maps.npz")
    write_json(folder / RECORD, record)
    page = write_bytes(folder / PAGE, render("demo.html", record=record, **_words(record)).encode())
    if not quiet:
        print(_summary(record, page))
    return 0


def _scores(
    model: Any, data: shapes.Shapes, explanation: Explanation, seed: int, shown: bool | None
) -> dict[str, dict[str, Score]]:
    """Deletion and Insertion of the maps, and of maps that know nothing, for the same classes."""
    compared = {_METHOD: explanation, _RANDOM: random_maps(len(data), _GRID, seed)}
    scores = {}
    for metric in (Deletion, Insertion):
        measure = metric(model, data.images, explanation.targets, seed=seed, progress=shown)
        scores[metric.__name__] = {name: measure.evaluate(maps) for name, maps in compared.items()}
    return scores


def _record(
    data: shapes.Shapes, explanation: Explanation, scores: dict[str, dict[str, Score]], seed: int
) -> dict[str, Any]:
    """Everything that the page says, fit for JSON."""
    maps = explanation.maps[..., 0]
    own = agreement(_METHOD, maps, data.masks)
    targets = np.asarray(explanation.targets)
    return {
        "kind": "xsparks demo",
        "schema": SCHEMA,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "count": len(data),
        "correct": int((targets == data.labels).sum()),
        "method": explanation.method,
        "estimand": explanation.estimand,
        "settings": explanation.settings,
        "versions": all_versions(),
        "forwards": int(explanation.forwards[0]),
        "area": float(own.areas.mean()),
        "agreement": [each.record(seed) for each in (own, centre(data.masks), chance(data.masks))],
        "scores": {
            metric: {name: {"value": float(score), "interval": list(score.interval)} for name, score in found.items()}
            for metric, found in scores.items()
        },
        "pictures": [
            {
                "figure": f"maps/{position + 1:03d}.png",
                "label": data.class_names[label],
                "predicted": data.class_names[target],
                "score": float(explanation.scores[position]),  # pyright: ignore
                "highest_value_in_object": bool(own.hits[position]),
                "share_of_map_in_object": float(own.inside[position]),
                "share_of_picture": float(own.areas[position]),
                **{name.lower(): float(found[_METHOD].per_sample[position]) for name, found in scores.items()},
            }
            for position, (label, target) in enumerate(zip(data.labels, targets, strict=True))
        ],
    }


def _write_maps(folder: Path, data: shapes.Shapes, explanation: Explanation, record: dict[str, Any]) -> None:
    """One figure for each picture, so that a page can arrange them on any screen."""
    for position, picture in enumerate(record["pictures"]):
        one = slice(position, position + 1)
        drawing = plot_maps(
            explanation[one].maps,
            data.images[one],
            titles=[_title(picture)],
            masks=data.masks[one],
            beside=True,
            size=1.9,
        )
        picture["figure_pixels"] = _save(folder / picture["figure"], drawing.figure)


def _title(picture: dict[str, Any]) -> str:
    if picture["predicted"] == picture["label"]:
        return picture["label"]
    return f"{picture['predicted']} (is a {picture['label']})"


def _described(picture: dict[str, Any]) -> str:
    where = "inside" if picture["highest_value_in_object"] else "outside"
    return f"{_title(picture)}: the picture, and its map, whose highest value lies {where} the object"


def _write_curves(folder: Path, scores: dict[str, dict[str, Score]]) -> None:
    for metric, found in scores.items():
        curves = {name: score.curve for name, score in found.items() if score.curve is not None}
        what = "removed" if metric == "Deletion" else "shown"
        drawing = plot_curves(
            curves, xlabel=f"fraction of the pixels {what}", ylabel="probability of the class", limits=(0, 1.02)
        )
        _save(folder / f"{metric.lower()}.png", drawing.figure)


def _save(path: Path, figure: Any) -> list[int]:
    """Writes a figure and returns its width and height in pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS)
    write_bytes(path, buffer.getvalue())
    return [round(inches * _DOTS) for inches in figure.get_size_inches()]


def _words(record: dict[str, Any]) -> dict[str, Any]:
    """Numbers as the page and the summary write them."""
    own, middle, random = record["agreement"]
    return {
        "pointing": [_share(each["pointing"], each["pointing_interval"]) for each in (own, middle, random)],
        "inside": [_share(each["inside"], each["inside_interval"]) for each in (own, middle, random)],
        "density": [_times(each["density"], each["density_interval"]) for each in (own, middle, random)],
        "curves": {
            metric: {name: _decimal(score["value"], score["interval"]) for name, score in found.items()}
            for metric, found in record["scores"].items()
        },
        "names": [each["name"] for each in record["agreement"]],
        "area": f"{100 * record['area']:.0f} %",
        "rows": [
            {
                **picture,
                "alt": _described(picture),
                "score": number(picture["score"]),
                "inside": f"{100 * picture['share_of_map_in_object']:.0f} %",
                "area": f"{100 * picture['share_of_picture']:.0f} %",
                "deletion": f"{picture['deletion']:.2f}",
                "insertion": f"{picture['insertion']:.2f}",
            }
            for picture in record["pictures"]
        ],
    }


def _share(value: float, interval: list[float] | None) -> tuple[str, str]:
    return f"{100 * value:.0f} %", "" if interval is None else f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %"


def _times(value: float, interval: list[float]) -> tuple[str, str]:
    return f"{value:.1f}×", "" if interval[0] == interval[1] else f"{interval[0]:.1f} to {interval[1]:.1f}"


def _decimal(value: float, interval: list[float]) -> tuple[str, str]:
    return f"{value:.2f}", f"{interval[0]:.2f} to {interval[1]:.2f}"


def _summary(record: dict[str, Any], page: Path) -> str:
    words = _words(record)

    def line(text: str, cells: list[tuple[str, str]]) -> str:
        written = [f"{value} ({interval})" if interval else value for value, interval in cells]
        return (f"{text:<36}" + "".join(f"{cell:<24}" for cell in written)).rstrip()

    curves = [
        line(f"{metric} ({better} is better)", [found[_METHOD], ("", ""), found[_RANDOM]])
        for (metric, found), better in zip(words["curves"].items(), ("lower", "higher"), strict=True)
    ]
    return "\n".join(
        [
            f"{record['count']} pictures; the network names {record['correct']} rightly. In brackets: 95 % intervals.",
            "",
            f"{'':<36}{_METHOD:<24}{words['names'][1]:<24}{words['names'][2]}",
            line("highest value in the object", words["pointing"]),
            line("share of the map in the object", words["inside"]),
            line("density in the object", words["density"]),
            *curves,
            "",
            f"{record['seconds']:.0f} s. Open {page}",
        ]
    )
