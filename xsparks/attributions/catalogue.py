"""Attribution methods by name, and the table of what each needs."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

from ..core.errors import nearest, wording
from ..engine import Explainer, explainer_classes

_TITLES = ("Method", "Asks", "Model", "Operators", "Same map each run", "Passes a sample", "Samples", "Paper")
_SAMPLES = {"image": "images", "series": "series", "table": "tables"}


def methods() -> dict[str, type[Explainer]]:
    """Every method that is built on a model, by its name in lower case without "Attribution", in alphabetical order.

    Example
    -------
    >>> methods()["sobol"].__name__
    'SobolAttribution'
    """
    own = [
        found for found in explainer_classes() if found.__module__.startswith(__package__ or "") and not found.filters
    ]
    return dict(sorted((found.__name__.removesuffix("Attribution").lower(), found) for found in own))


def method_named(name: str, where: str) -> type[Explainer]:
    """The method of this name; capitals, hyphens, underscores and spaces do not matter, and "+" is "p".

    Raises
    ------
    ValueError : there is none; the nearest names are listed.

    Example
    -------
    >>> method_named("integrated_gradients", "explain").__name__
    'IntegratedGradients'
    """
    known = methods()
    plain = re.sub(r"[-_ ]", "", str(name).lower()).replace("+", "p")
    plain = plain if plain in known else plain.removesuffix("attribution")
    if plain not in known:
        raise ValueError(
            wording(
                where,
                expected="the method must be the name of an attribution method",
                received=repr(name),
                remedy=nearest(plain, known),
            )
        )
    return known[plain]


class MethodRow(NamedTuple):
    """What a user asks before choosing a method; one row of the table."""

    name: str
    question: str
    model: str
    operators: str
    repeatable: str
    passes: str
    samples: str
    paper: str


def describe(method: type[Explainer]) -> MethodRow:
    """The row of a method, read from its declarations and its docstring."""
    text = inspect.getdoc(method) or ""
    needs = "any"
    if method.needs_gradients:
        needs = "with gradients"
    if method.needs_layers:
        needs = "Keras" if method.needs_gradients else "Keras, no gradients"
    passes = _section(text, "Cost").split(";")[0].split(". ")[0].rstrip(".")
    source = _section(text, "Source")
    link = re.search(r"https?://\S+", source)
    paper = source.split('"')[0].split(",")[0].strip().split(" ")[-1]
    year = re.search(r"\b(19|20)\d\d\b", source)
    cited = f"{paper} et al. {year[0] if year else ''}".strip()
    return MethodRow(
        name=method.__name__,
        question=text.splitlines()[0],
        model="a filter for maps" if method.filters else needs,
        operators=_operators(method),
        repeatable="yes" if method.deterministic else "by its seed",
        passes=passes,
        samples=", ".join(_SAMPLES[kind] for kind in method.kinds),
        paper=f"[{cited}]({link[0].rstrip('.')})" if link else cited,
    )


def _operators(method: type[Explainer]) -> str:
    if "target" in method.exempt:
        return "none: no score is read"
    return "classification" if "operator" in method.exempt else "all"


def methods_table() -> str:
    """The table of all methods, filters last, in Markdown."""
    own = [*methods().values(), *(found for found in explainer_classes() if found.filters)]
    rows = [_TITLES, ["---"] * len(_TITLES), *(describe(method) for method in own)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _section(text: str, title: str) -> str:
    found = re.search(rf"^{title}\n-{{3,}}\n(.*?)(?=^\w+\n-{{3,}}\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""
