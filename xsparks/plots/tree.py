"""What holds what: a tree of named rows with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from . import layers, style

_WHERE = "plot_tree"
_INDENT = 0.42
_NAME = 2.2


def plot_tree(
    names: Sequence[str],
    parents: Sequence[int],
    pictures: Sequence[Any] | None = None,
    *,
    columns: int = 6,
    size: float = 0.6,
    title: str | None = None,
    figure: Figure | None = None,
) -> style.Drawing:
    """What is each of these made of, and what does it look like?

    A row a node, its children below it and farther right, with the pictures that show it.

    Parameters
    ----------
    names : n strings, each parent before its children
    parents : n integers, the row of the parent of each; -1 for none
    pictures : for each node what `displayable` takes, pictures of any number, none as well; None for names alone
    columns : int >= 1; pictures of a node at most
    size : inches; the side of a picture
    title : str or None
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(n, columns)`, None where there is no picture

    Raises
    ------
    ValueError
        no node, a parent that does not come before its child, other numbers of parents or pictures

    Example
    -------
    >>> figure, axes = plot_tree(["arrow", "shaft", "head"], [-1, 0, 0])
    >>> [text.get_text() for text in figure.texts if text.get_text()]
    ['arrow', 'shaft', 'head']
    """
    columns = check_integer(_WHERE, "columns", columns, 1, "Use 6.")
    check_number(_WHERE, "size", size, 0.1, 50, "Sizes are in inches.")
    count = len(names)
    layers.check_count("parents", len(parents), count, _WHERE, "node")
    if not count or any(not -1 <= parent < row for row, parent in enumerate(parents)):
        received = f"parents {list(parents)}"
        remedy = "List the nodes from the top, -1 being the parent of none."
        expected = "each node must come after its parent, and there must be one"
        raise ValueError(wording(_WHERE, expected=expected, received=received, remedy=remedy))
    shown = [[] for _ in range(count)] if pictures is None else [list(some)[:columns] for some in pictures]
    layers.check_count("pictures", len(shown), count, _WHERE, "node")
    # All of them together, so that one scale of values is found.
    every = [picture for some in shown for picture in some]
    waiting = iter(layers.pictures_for(every, len(every), _WHERE)[0] if every else [])

    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent < 0 else depths[parent] + 1)
    lines = [style.wrap(str(name), _NAME, style.TITLE) for name in names]
    ends = [
        depth * _INDENT + max(style.text_width(line, style.TITLE) for line in some)
        for depth, some in zip(depths, lines, strict=True)
    ]
    left = style.MARGIN + max(ends) + 0.2
    widest = max(map(len, shown))
    heading = style.wrap(title, left + widest * size, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.1 if heading else 0)
    heights = [
        max(size + 0.08 if some else 0, len(own) * style.LINE * style.TITLE * 1.15 + 0.12)
        for own, some in zip(lines, shown, strict=True)
    ]
    tops = top + np.concatenate([[0], np.cumsum(heights)])
    figure = style.new_figure(left + widest * (size + 0.04) + style.MARGIN, float(tops[-1]) + style.MARGIN, figure)
    style.write(figure, style.MARGIN, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    middles = (tops[:-1] + tops[1:]) / 2
    axes = np.full((count, widest), None, object)
    for row, some in enumerate(shown):
        start = style.MARGIN + depths[row] * _INDENT
        style.write(figure, start, float(middles[row]), "\n".join(lines[row]), vertical="center")
        if parents[row] >= 0:
            _branch(figure, start, float(middles[row]), float(middles[parents[row]]))
        for column in range(len(some)):
            place = left + column * (size + 0.04), float(middles[row]) - size / 2
            axes[row, column] = style.place(figure, *place, size, size, f"node {row}.{column}")
            layers.draw_picture(axes[row, column], next(waiting))  # pyright: ignore[reportArgumentType]
    return style.Drawing(figure, axes)


def _branch(figure: Figure, start: float, middle: float, above: float) -> None:
    """From under the name of the parent down, and right to the name of the child."""
    width, height = figure.get_size_inches()
    along = start - 0.7 * _INDENT
    under = above + 0.6 * style.LINE * style.TITLE
    places = np.array([[along, under], [along, middle], [start - 0.05, middle]])
    figure.add_artist(
        Line2D(
            places[:, 0] / width,
            1 - places[:, 1] / height,
            transform=figure.transFigure,
            color=style.FAINT,
            linewidth=0.8,
        )
    )
