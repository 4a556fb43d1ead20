"""Methods side by side on the same pictures, with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from ..core.errors import wording
from . import layers, score_table, shading, style
from .images import displayable, gray
from .maps import check_look

_WHERE = "plot_comparison"
_GAP = 0.1
_GUTTER = 1.05
_OWN_SCALE = "Every map has its own scale."


def plot_comparison(
    images: Any,
    maps: Mapping[str, Any],
    *,
    scores: Mapping[str, Mapping[str, Any]] | None = None,
    better: Mapping[str, str] | None = None,
    titles: Sequence[str] | None = None,
    values: bool = True,
    signed: bool | None = None,
    scale: str | tuple[float, float] = "each",
    colormap: str | Colormap | None = None,
    opacity: float = 0.65,
    clip: float | str | None = "auto",
    masks: Any = None,
    size: float = 1.6,
    background: str = "gray",
    interpolation: str = "bilinear",
    figure: Figure | None = None,
) -> style.Drawing:
    """Where do different methods look in the same pictures, and which one scores better?

    A row for each picture, a column for each method, the method's scores in its header. Values of different methods
    seldom have the same unit, so every map has its own scale by default and the bars beneath the columns say "lowest"
    and "highest" only.

    Parameters
    ----------
    images : what `displayable` takes, n pictures
    maps : mapping from a method's name to its n maps, as `plot_maps` takes them
    scores : mapping from a method's name to its metrics, {"Sobol": {"Deletion": 0.1}}; a value is a number, or one for
        each picture `(n,)`: then the header has the mean, and each map its own beneath
    better : mapping from a metric to "higher" or "lower"; adds an arrow, and the best method's score is set in bold
    titles : n strings, the names of the rows
    values : bool; the scores of each map beneath it, where they are known
    signed : bool or None; None decides for each method by its values
    scale : "each", "method" (one scale for each column), "shared" (one for all) or (low, high)
    masks, size, colormap, opacity, clip, background, interpolation, figure : as in `plot_maps`

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(n, 1 + methods)`, the pictures first

    Raises
    ------
    ValueError, TypeError
        as `plot_maps`; no method, scores of a method or a metric's direction that is not there

    Example
    -------
    >>> import numpy as np
    >>> maps = {"Sobol": np.eye(7)[None], "Occlusion": np.ones((1, 7, 7))}
    >>> figure, axes = plot_comparison(np.zeros((1, 32, 32, 3)), maps, scores={"Sobol": {"Deletion": 0.12}})
    >>> axes.shape
    (1, 3)
    """
    words = ("each", "method", "shared")
    limits_given = check_look(_WHERE, scale, words, clip, opacity, size, background, interpolation)
    pictures, note = displayable(images, where=_WHERE)
    count = len(pictures)
    planes = _planes(maps, count)
    table = score_table.ScoreTable(list(maps), scores or {}, better or {}, count, _WHERE)
    outlines = layers.mask_list(masks, count, _WHERE)
    titles = layers.title_list(titles, count, _WHERE, "picture")

    beneath = {name: [table.beneath(name, row, size) if values else [] for row in range(count)] for name in maps}
    value_lines = max(len(lines) for column in beneath.values() for lines in column)
    notes = [line for text in (note, _OWN_SCALE if scale == "each" else "") if text for line in _small(text, size)]
    everything = _joined([plane for own in planes.values() for plane in own])
    looks = {}
    for name, own in planes.items():
        compared = everything if scale == "shared" else _joined(own)
        looks[name] = _look(own, compared, scale == "each", signed, colormap, opacity, clip, limits_given)
    room = max(layers.bar_room([look.bar for look in looks.values()]), len(notes) * style.LINE * style.SMALL)
    shapes = [(picture.shape[0], picture.shape[1]) for picture in pictures]
    page = _Page(list(maps), shapes, size, titles is not None, len(table.metrics), value_lines, room)
    figure = style.new_figure(page.width, page.height, figure)

    axes = np.empty((count, 1 + len(maps)), object)
    for row, picture in enumerate(pictures):
        if titles is not None:
            page.write_title(figure, row, titles[row])
        axes[row, 0] = page.place(figure, row, 0, f"picture {row}")
        layers.draw_picture(axes[row, 0], picture)
    layers.draw_note(figure, page.left(0), page.bottom, notes)
    for column, (name, look) in enumerate(looks.items(), start=1):
        page.write_name(figure, column)
        table.write_header(figure, name, page.left(column), page.scores_top)
        for row, plane in enumerate(planes[name]):
            axes[row, column] = page.place(figure, row, column, f"map {row} {name}")
            layers.draw_picture(axes[row, column], gray(pictures[row]) if background == "gray" else pictures[row])
            layers.draw_map(axes[row, column], plane, look.veil, look.limits[row], interpolation)
            layers.draw_note(figure, page.left(column), page.beneath(row), beneath[name][row])
        label = f"colour bar {name}"
        layers.draw_bar(figure, page.left(column), page.bottom, size, look.veil, look.bar, label, look.words)
    for row, outline in enumerate(outlines):
        if outline is not None:
            for one in axes[row]:
                layers.draw_outline(one, outline)
    return style.Drawing(figure, axes)


def _planes(maps: Mapping[str, Any], count: int) -> dict[str, list[np.ndarray]]:
    if not isinstance(maps, Mapping) or not maps:
        expected, remedy = "`maps` must be a mapping from names to maps", 'Give {"Sobol": maps}.'
        received = "an empty one" if isinstance(maps, Mapping) else type(maps).__name__
        raise TypeError(wording(_WHERE, expected=expected, received=received, remedy=remedy))
    planes = {name: layers.map_list(of_method, _WHERE) for name, of_method in maps.items()}
    for name, own in planes.items():
        layers.check_count(f"maps[{name!r}]", len(own), count, _WHERE, "picture")
    return planes


class _Look(NamedTuple):
    """The colours of one method's maps."""

    veil: Colormap
    limits: list[shading.Range]
    bar: shading.Range
    words: tuple[list[float], list[str]] | None


def _look(
    own: list[np.ndarray],
    compared: np.ndarray,
    each: bool,
    signed: bool | None,
    colormap: Any,
    opacity: float,
    clip: Any,
    limits_given: tuple[float, float] | None,
) -> _Look:
    has_sign = shading.is_signed(compared, signed)
    veil = shading.colours(colormap, has_sign, opacity, _WHERE)
    if not each:
        common = shading.value_range(compared, has_sign, clip, limits_given)
        return _Look(veil, [common] * len(own), common, None)
    limits = [shading.value_range(plane, has_sign, clip) for plane in own]
    if has_sign:
        return _Look(veil, limits, shading.Range(-1, 1, -1, 1, True), ([-1, 0, 1], ["negative", "0", "positive"]))
    return _Look(veil, limits, shading.Range(0, 1, 0, 1, False), ([0, 1], ["lowest", "highest"]))


def _joined(planes: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([plane.ravel() for plane in planes])


def _small(text: str, width: float) -> list[str]:
    return style.wrap(text, width, style.SMALL, lines=5)


class _Page:
    """The arithmetic of the page in inches: a gutter with the rows' names, and columns of equal width."""

    def __init__(
        self,
        names: list[str],
        shapes: list[tuple[int, int]],
        size: float,
        gutter: bool,
        metrics: int,
        value_lines: int,
        foot: float,
    ) -> None:
        self.size = size
        self.start = style.MARGIN + (_GUTTER + _GAP if gutter else 0)
        self.names = [style.wrap(name, size, weight="bold", lines=2) for name in names]
        name_lines = max(len(lines) for lines in self.names)
        self.scores_top = style.MARGIN + style.LINE * style.TITLE * name_lines + 0.02
        top = self.scores_top + style.LINE * score_table.SIZE * metrics + 0.04
        self.heights = [size * height / width for height, width in shapes]
        self.tops: list[float] = []
        for height in self.heights:
            self.tops.append(top)
            top += height + _GAP + value_lines * style.LINE * style.SMALL
        self.bottom = top
        self.width = self.left(len(names)) + size + style.MARGIN
        self.height = top + foot + 0.5 * style.MARGIN

    def left(self, column: int) -> float:
        """The left border of a column; 0 has the pictures."""
        return self.start + column * (self.size + _GAP)

    def beneath(self, row: int) -> float:
        """Where the values of a row's maps are written."""
        return self.tops[row] + self.heights[row] + 0.02

    def place(self, figure: Figure, row: int, column: int, label: str) -> Axes:
        """Axes for one cell."""
        return style.place(figure, self.left(column), self.tops[row], self.size, self.heights[row], label)

    def write_title(self, figure: Figure, row: int, title: str) -> None:
        """The name of a row, in the gutter."""
        text = "\n".join(style.wrap(title, _GUTTER, lines=4))
        middle = self.tops[row] + self.heights[row] / 2
        style.write(figure, style.MARGIN + _GUTTER, middle, text, horizontal="right", vertical="center")

    def write_name(self, figure: Figure, column: int) -> None:
        """The name of a method, standing on its scores."""
        text, bottom = "\n".join(self.names[column - 1]), self.scores_top - 0.05
        style.write(figure, self.left(column), bottom, text, weight="bold", vertical="baseline")
