"""Pages from the templates beside this file: one HTML file each, nothing from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2


def render(template: str, **content: Any) -> str:
    """The page that a template makes of its content; text is escaped, and a name that is missing is an error.

    Example
    -------
    >>> render("base.html", title="<maps>").count("&lt;maps&gt;")
    1
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["as_words"] = as_words
    return pages.get_template(template).render(content)


def as_words(value: Any) -> str:
    """A setting of a record as a person would write it.

    Example
    -------
    >>> as_words({"name": "Inpainting", "baseline": "mean"}), as_words([7, 5]), as_words(0.5)
    ('Inpainting(baseline=mean)', '7 × 5', '0.5')
    """
    if isinstance(value, dict):
        options = ", ".join(f"{name}={as_words(each)}" for name, each in value.items() if name != "name")
        return f"{value.get('name', '')}({options})"
    return " × ".join(as_words(each) for each in value) if isinstance(value, list) else str(value)
