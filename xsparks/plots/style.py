"""The look that every figure shares: colours, sizes of text, and sheets measured in inches."""

from __future__ import annotations

import io
from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

INK = "#1f2328"
FAINT = "#656d76"
RULE = "#d0d7de"
TITLE = 9.0
SMALL = 7.0
LINE = 1.3 / 72  # height of a line of text, in inches for each point of its size
MARGIN = 0.14

# Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/, less the yellow, pale on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))


class Drawing(NamedTuple):
    """A figure with its axes: unpack it, or leave it as a notebook cell's last line to see it.

    The figure is not registered with pyplot: it takes no memory once you drop it, and no later `plt.plot` lands on it.
    Save it by `drawing.figure.savefig("maps.png")`. For a window, hand over one of pyplot's own: `figure=plt.figure()`.
    """

    figure: Figure
    axes: Any

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png")
        return buffer.getvalue()


def new_figure(width: float, height: float, figure: Figure | None = None) -> Figure:
    """A white figure of `width` x `height` inches; a given one is resized and used as it is otherwise."""
    if figure is None:
        figure = Figure(dpi=150, facecolor="white")
    figure.set_layout_engine("none")
    figure.set_size_inches(width, height)
    return figure


def place(figure: Figure, left: float, top: float, width: float, height: float, label: str) -> Axes:
    """Axes at a distance in inches from the figure's top left corner."""
    total_width, total_height = figure.get_size_inches()
    box = (
        left / total_width,
        1 - (top + height) / total_height,
        width / total_width,
        height / total_height,
    )
    axes = figure.add_axes(box, label=label, facecolor="none")
    axes.grid(False)
    return axes


def write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = TITLE,
    color: str = INK,
    horizontal: str = "left",
    vertical: str = "top",
    weight: str = "normal",
) -> None:
    """Text at a distance in inches from the figure's top left corner, taken literally (a `$` is a dollar)."""
    total_width, total_height = figure.get_size_inches()
    figure.text(
        left / total_width,
        1 - top / total_height,
        text,
        size=size,
        color=color,
        ha=horizontal,
        va=vertical,
        weight=weight,
        linespacing=1.15,
        parse_math=False,
        usetex=False,
    )


def text_width(text: str, size: float, weight: str = "normal", math: bool = False) -> float:
    """The width of one line of text in inches; `math` when what stands between two `$` is a formula.

    Example
    -------
    >>> text_width("iii", 9) < text_width("MMM", 9)
    True
    """
    if not text.strip():
        return 0.0
    text = text if math else text.replace("$", r"\$")
    path = TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight), usetex=False)
    return float(path.get_extents().width) / 72


def wrap(text: str, width: float, size: float = TITLE, lines: int = 3, weight: str = "normal") -> list[str]:
    """The text in lines of at most `width` inches; what does not fit in `lines` lines ends in an ellipsis.

    Example
    -------
    >>> wrap("Shetland sheepdog, Shetland sheep dog, Shetland", 1.5)
    ['Shetland sheepdog,', 'Shetland sheep dog,', 'Shetland']
    """
    fitted: list[str] = []
    for paragraph in str(text).split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size, weight) > width:
                fitted.append(line)
                line = word
            else:
                line = longer
        fitted.append(line)
    shown = fitted[:lines]
    for position, line in enumerate(shown):
        left_out = position == lines - 1 and len(fitted) > lines
        shown[position] = _shortened(line, width, size, weight, left_out)
    return shown


def _shortened(line: str, width: float, size: float, weight: str, left_out: bool) -> str:
    ending = "…" if left_out else ""
    while line and text_width(line + ending, size, weight) > width:
        line, ending = line[:-1].rstrip(" ,;"), "…"
    return line.rstrip(" ,;") + ending if ending else line


def rule(axes: Axes, xlabel: str, ylabel: str, grid: Literal["x", "y"] = "y") -> None:
    """Axes for reading values: two borders, pale lines, small numbers."""
    axes.set_xlabel(xlabel, size=TITLE - 1, color=INK)
    axes.set_ylabel(ylabel, size=TITLE - 1, color=INK)
    axes.tick_params(labelsize=SMALL, labelcolor=FAINT, color=RULE, length=3, width=0.6)
    axes.grid(axis=grid, color=RULE, linewidth=0.5, linestyle="-", alpha=0.7)
    axes.set_axisbelow(True)
    for name, side in axes.spines.items():
        side.set(visible=name in ("left", "bottom"), color=FAINT, linewidth=0.6)


def write_in(axes: Axes, x: float, y: float, text: str, *, size: float, color: str, horizontal: str = "left") -> None:
    """Text at a fraction of the axes, taken literally."""
    axes.text(
        x,
        y,
        text,
        transform=axes.transAxes,
        size=size,
        color=color,
        ha=horizontal,
        va="center_baseline",
        parse_math=False,
        usetex=False,
    )


def legend(axes: Axes, handles: list[Line2D], size: float) -> None:
    """A legend to the right of the axes."""
    anchor = (1.02, 1.0)
    drawn = axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=anchor,
        borderaxespad=0,
        labelcolor=INK,
        frameon=False,
        fontsize=size,
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)
