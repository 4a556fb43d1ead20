"""How mkdocstrings reads the docstrings of xsparks (docs/design.md, section 6): a Griffe extension.

The sections Cost, Departs, Example and Source are not numpy's, and an item is one line, `name : meaning`, because the
types stand in the signature. So each docstring becomes plain Markdown before any style is looked for. And what a
sub-package re-exports is public.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SECTION = re.compile(r"^(\w+)\n-{3,}\n", flags=re.MULTILINE)
_ITEMS = {"Parameters", "Returns", "Yields", "Raises", "Attributes"}


class XsparksDocstrings(griffe.Extension):
    """Rewrites every docstring of the package, once it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called by Griffe with the whole package."""
        self._visit(pkg)

    def _visit(self, found: griffe.Object) -> None:
        if found.docstring:
            found.docstring.value = as_markdown(found.docstring.value)
        for member in found.members.values():
            if isinstance(member, griffe.Alias):
                if member.target_path.startswith(f"{found.path}."):
                    member.public = True
            else:
                self._visit(member)


def as_markdown(docstring: str) -> str:
    """The docstring with its sections as bold titles, its items as a list, its example as code."""
    lead, *rest = _SECTION.split(docstring)
    parts = [lead.strip()]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        if title in _ITEMS:
            body = "\n".join(_as_item(item) for item in re.split(r"\n(?=\S)", body.strip()))
        elif title.startswith("Example"):
            body = f"```pycon\n{body.strip()}\n```"
        parts.append(f"**{title}**\n\n{body.strip()}")
    return "\n\n".join(parts)


def _as_item(item: str) -> str:
    # A first line without ` : ` is a name alone, described by the indented lines below it.
    names, _, meaning = item.partition(" : ") if " : " in item.split("\n")[0] else item.partition("\n")
    names = ", ".join(f"`{name.strip()}`" for name in names.split(","))
    return f"- {names}: {' '.join(meaning.split())}"
