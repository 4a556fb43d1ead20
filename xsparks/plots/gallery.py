"""What a network looks for, row by row: pictures of each class, channel or concept, and photographs beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from . import layers, style
from .images import displayable
from .transparent import with_transparency

_WHERE = "plot_gallery"
_GAP, _BETWEEN, _WIDEST_NAME = 0.06, 0.3, 1.6


def plot_gallery(
    images: Any,
    transparency: Any = None,
    *,
    names: Sequence[str] | None = None,
    examples: Mapping[Any, Any] | None = None,
    headings: tuple[str, str] = ("drawn", "photographs"),
    value_range: tuple[float, float] | None = None,
    image_percentile: float = 1.0,
    opaque_percentile: float = 80.0,
    background: str = "white",
    columns: int = 8,
    size: float = 1.4,
    figure: Figure | None = None,
) -> style.Drawing:
    """What excites each class, channel or concept, and which photographs do?

    A row for each name: its pictures, from different first draws, and beside them its examples. A drawn picture shows
    one way to excite a unit, and photographs what it meets; what both have in common is what to trust.

    Parameters
    ----------
    images, transparency, value_range, image_percentile, opaque_percentile : as `with_transparency` takes them; without
        `transparency` the pictures are opaque
    names : n strings, what each picture shows; pictures of the same name share a row. None for a row each, by number
    examples : from names to what `displayable` takes, photographs or crops of any number, or None; names may lack
    headings : over the pictures and over the examples, where there are any
    background : a colour of matplotlib's; what shines through
    columns : int >= 1; examples of a row at most
    size : inches; the longer side of a picture
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(names, pictures + examples)` of the longest rows, None where a row has fewer

    Raises
    ------
    ValueError, TypeError
        numbers, shapes or options that do not fit, examples of a name that no picture has

    Example
    -------
    >>> import numpy as np
    >>> drawn = np.zeros((4, 8, 8, 3))
    >>> photographs = {"cat": np.ones((2, 6, 6, 3))}
    >>> figure, axes = plot_gallery(drawn, names=["cat", "cat", "dog", "dog"], examples=photographs)
    >>> axes.shape, axes[1, 2] is None
    ((2, 4), True)
    """
    check_number(_WHERE, "size", size, 0.1, 50, "Sizes are in inches.")
    columns = check_integer(_WHERE, "columns", columns, 1, "Use 8.")
    opaque = displayable(images, value_range=value_range, where=_WHERE).pixels if transparency is None else None
    pictures = with_transparency(
        images,
        [np.ones(picture.shape[:2]) for picture in opaque] if opaque is not None else transparency,
        value_range=value_range,
        image_percentile=image_percentile,
        opaque_percentile=opaque_percentile,
        where=_WHERE,
    )
    named = [str(number) for number in range(len(pictures))] if names is None else [str(name) for name in names]
    layers.check_count("names", len(named), len(pictures), _WHERE, "picture")
    rows = {name: [picture for own, picture in zip(named, pictures, strict=True) if own == name] for name in named}
    beside, note = _examples(examples or {}, rows, columns)

    drawn, found = max(map(len, rows.values())), max(map(len, beside.values()), default=0)
    left = style.MARGIN + min(_WIDEST_NAME, max(style.text_width(name, style.TITLE) for name in rows)) + 0.14
    right = left + drawn * (size + _GAP) + (_BETWEEN if found else 0)
    width = right + found * (size + _GAP) + style.MARGIN
    top = style.MARGIN + (style.LINE * style.TITLE * 1.3 if found else 0)
    notes = style.wrap(note, width - 2 * style.MARGIN, style.SMALL) if note else []
    bottom = top + len(rows) * (size + _GAP)
    figure = style.new_figure(width, bottom + len(notes) * style.LINE * style.SMALL + style.MARGIN, figure)
    if found:
        for place, heading in zip((left, right), headings, strict=True):
            style.write(figure, place, style.MARGIN - 0.04, heading, size=style.TITLE - 0.5, color=style.FAINT)
    axes = np.full((len(rows), drawn + found), None, object)
    for row, (name, own) in enumerate(rows.items()):
        height = top + row * (size + _GAP)
        text = "\n".join(style.wrap(name, _WIDEST_NAME))
        style.write(figure, style.MARGIN, height + size / 2, text, vertical="center")
        for start, first, shown in ((left, 0, own), (right, drawn, beside.get(name, []))):
            for column, picture in enumerate(shown):
                tall, wide = size * np.array(picture.shape[:2]) / max(picture.shape[:2])
                label = f"picture {row}.{first + column}"
                corner = start + column * (size + _GAP) + (size - wide) / 2, height + (size - tall) / 2
                axes[row, first + column] = style.place(figure, *corner, wide, tall, label)
                axes[row, first + column].set_facecolor(background)
                layers.draw_picture(axes[row, first + column], picture)
    layers.draw_note(figure, style.MARGIN, bottom, notes)
    return style.Drawing(figure, axes)


def _examples(given: Mapping[Any, Any], rows: Mapping[str, Any], most: int) -> tuple[dict[str, list[np.ndarray]], str]:
    """The examples of each name as pictures, and the note on how they are shown."""
    found = {str(name): list(some)[:most] for name, some in given.items() if len(some)}
    unknown = [name for name in found if name not in rows]
    if unknown:
        raise ValueError(
            wording(
                f"{_WHERE}(examples=...)",
                expected="examples must belong to names of the pictures",
                received=repr(unknown[0]),
                remedy=f"There are {', '.join(map(repr, list(rows)[:4]))}.",
            )
        )
    # All of them together, so that one scale of values is found.
    every = [picture for some in found.values() for picture in some]
    if not every:
        return {}, ""
    pixels, note = displayable(every, where=_WHERE)
    waiting = iter(pixels)
    return {name: [next(waiting) for _ in some] for name, some in found.items()}, note
