"""The arithmetic of a page of pictures, in inches."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import layers, style

GAP = 0.16
_TITLE_LIFT = 0.06


class Sheet:
    """Rows of cells, each with a title, one or two pictures and a colour bar.

    Pictures of different shapes stand on a common line, so that the bars beneath them are aligned and every title is
    close to its picture.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        titles: Sequence[str] | None,
        size: float,
        columns: int,
        bar_room: float,
        twice: bool,
    ) -> None:
        self.columns, self.twice = columns, twice
        longest = [max(shape) for shape in shapes]
        self.fitted = [(size * w / long, size * h / long) for (h, w), long in zip(shapes, longest, strict=True)]
        self.cell_width = max(width for width, _ in self.fitted)
        self.width = 2 * style.MARGIN + columns * self.cell_width + (columns - 1) * GAP
        self.titles = [style.wrap(title, self.cell_width) for title in titles or [""] * len(shapes)]
        self.bottoms: list[float] = []  # of the maps in each row
        top = style.MARGIN
        for start in range(0, len(shapes), columns):
            row = range(start, min(start + columns, len(shapes)))
            lines = max(len(self.titles[index]) for index in row) if titles is not None else 0
            top += lines * style.LINE * style.TITLE + (_TITLE_LIFT - 0.02 if lines else 0)
            tallest = max(self.fitted[index][1] for index in row)
            self.bottoms.append(top + tallest * (2 if twice else 1) + (GAP / 2 if twice else 0))
            top = self.bottoms[-1] + (bar_room + 0.06 if bar_room else 0.8 * GAP)
        self.height = top

    def place(self, figure: Figure, index: int, label: str, above: bool = False) -> Axes:
        """Axes for the map of one cell, or for the picture above it."""
        width, height = self.fitted[index]
        top = self._bottom(index) - height - (height + GAP / 2 if above else 0)
        return style.place(figure, self._left(index) + (self.cell_width - width) / 2, top, width, height, label)

    def write_title(self, figure: Figure, index: int) -> None:
        """The title, standing on its picture."""
        height = self.fitted[index][1]
        top = self._bottom(index) - height - (height + GAP / 2 if self.twice else 0)
        middle = self._left(index) + self.cell_width / 2
        text = "\n".join(self.titles[index])
        style.write(figure, middle, top - _TITLE_LIFT, text, horizontal="center", vertical="baseline")

    def below(self, index: int) -> tuple[float, float]:
        """Left and top of the colour bar."""
        return self._left(index), self._bottom(index) + layers.BAR_GAP

    def _left(self, index: int) -> float:
        return style.MARGIN + index % self.columns * (self.cell_width + GAP)

    def _bottom(self, index: int) -> float:
        return self.bottoms[index // self.columns]
