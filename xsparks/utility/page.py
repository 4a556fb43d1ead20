"""The page of a study: one file, nothing from the network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from .pictures import SMALL, explained_pictures, legend_colours, picture

if TYPE_CHECKING:
    from .study import MetaPredictorStudy

_SECONDS_EACH = 10


def render_page(study: MetaPredictorStudy, pixels: list[np.ndarray], answers: np.ndarray) -> str:
    """The page; answers of the tests are not on it."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    shown = study.sessions * (study.training + study.tests)
    return pages.get_template("study.html").render(
        study=study,
        content=_content(study, pixels, answers),
        minutes=math.ceil(shown * _SECONDS_EACH / 60),
        small=max(max(each.shape[:2]) for each in pixels) <= SMALL,
        colours={signed: legend_colours(signed) for signed in (False, True)},
    )


def _content(study: MetaPredictorStudy, pixels: list[np.ndarray], answers: np.ndarray) -> dict[str, Any]:
    """What the script of the page knows."""
    examples = study.items.training.ravel()
    colours = [np.round(255 * each).astype(np.uint8) for each in pixels]
    tests: list[dict[str, str]] = [{} for _ in range(study.sessions)]
    for code, (session, position) in study.test_codes().items():
        tests[session - 1][code] = picture(colours[position])
    return {
        "study": study.digest,
        "classes": list(study.class_names),
        "training": study.training,
        "examples": [picture(colours[position]) for position in examples],
        "answers": answers[examples].tolist(),
        "tests": tests,
        "check": study.attention_check,
        "arms": {code: _arm(study, condition, examples, pixels) for code, condition in study.arms.items()},
    }


def _arm(study: MetaPredictorStudy, condition: str, examples: np.ndarray, pixels: list[np.ndarray]) -> Any:
    maps = study.maps_of(condition)
    if maps is None:
        return None
    pictures, signed = explained_pictures(maps[examples], [pixels[position] for position in examples])
    return {"pictures": pictures, "signed": signed}
