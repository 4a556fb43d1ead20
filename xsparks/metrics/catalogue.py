"""Metrics by name, and the table of what each needs."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import nearest, wording
from ..engine import ExplainerMetric, MapMetric, MapStatistic, Metric, metric_classes
from .localisation import Localisation

_TITLES = ("Metric", "Asks", "Better", "Reads", "Cost", "Paper")


def metrics() -> dict[str, type[Metric]]:
    """Every metric by its name in lower case, in alphabetical order.

    Example
    -------
    >>> metrics()["deletion"].__name__
    'Deletion'
    """
    own = [found for found in metric_classes() if found.__module__.startswith(__package__ or "")]
    return dict(sorted((found.__name__.lower(), found) for found in own))


def metric_named(name: str, where: str) -> type[Metric]:
    """The metric of this name; capitals, hyphens, underscores and spaces do not matter, and "µ" is "mu".

    Raises
    ------
    ValueError : there is none; the nearest names are listed.

    Example
    -------
    >>> metric_named("JPEG-size", "evaluate").__name__
    'JPEGSize'
    """
    known = metrics()
    plain = re.sub(r"[-_ ]", "", str(name).lower()).replace("µ", "mu").replace("μ", "mu")
    if plain not in known:
        raise ValueError(
            wording(
                where,
                expected="the metric must be the name of a metric",
                received=repr(name),
                remedy=nearest(plain, known),
            )
        )
    return known[plain]


def options_of(kind: type[Metric]) -> set[str]:
    """The options of a metric, beside the model and the data that it measures on."""
    fields: Any = kind
    return {each.name for each in dataclasses.fields(fields) if each.init} - {"model", "inputs", "targets"}


def make_metric(
    kind: type[Metric], model: Any, inputs: Any, targets: Any, options: Mapping[str, Any], where: str
) -> Metric:
    """A metric of its class, for a model and data, with those of the options that it has.

    Raises
    ------
    ValueError : a measure of place without regions.
    """
    own = {name: value for name, value in options.items() if name in options_of(kind)}
    if issubclass(kind, Localisation) and own.get("regions") is None:
        raise ValueError(
            wording(
                f"{where}({kind.__name__})",
                expected="`regions` must be given, masks or boxes of what a map should lie on",
                received="none",
                remedy="Pass regions=, or leave this metric out.",
            )
        )
    if issubclass(kind, MapStatistic):
        return kind(**own)
    make: Any = kind
    return make(model, inputs, targets, **own)


class MetricRow(NamedTuple):
    """What a user asks before choosing a metric; one row of the table."""

    name: str
    question: str
    better: str
    reads: str
    cost: str
    paper: str


def describe(metric: type[Metric]) -> MetricRow:
    """The row of a metric, read from its declarations and its docstring."""
    text = inspect.getdoc(metric) or ""
    reads = "a function from a model to a method"
    for kind, words in (
        (Localisation, "maps and masks or boxes"),
        (MapStatistic, "maps"),
        (MapMetric, "maps, and the model"),
        (ExplainerMetric, "the method itself"),
    ):
        if issubclass(metric, kind):
            reads = words
            break
    source = _section(text, "Source")
    link = re.search(r"https?://\S+", source)
    author = source.split('"')[0].split(",")[0].strip().split(" ")[-1]
    year = re.search(r"\b(19|20)\d\d\b", source)
    cited = f"{author} et al. {year[0] if year else ''}".strip()
    return MetricRow(
        name=metric.__name__,
        question=text.splitlines()[0],
        better=metric.better,
        reads=reads,
        cost=_section(text, "Cost").split(";")[0].split(". ")[0].rstrip("."),
        paper=f"[{cited}]({link[0].rstrip('.;')})" if link else cited,
    )


def metrics_table() -> str:
    """The table of all metrics, in Markdown."""
    rows = [_TITLES, ["---"] * len(_TITLES), *(describe(metric) for metric in metrics().values())]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _section(text: str, title: str) -> str:
    found = re.search(rf"^{title}\n-{{3,}}\n(.*?)(?=^\w+\n-{{3,}}\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""
