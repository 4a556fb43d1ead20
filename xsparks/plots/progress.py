"""How a picture that is optimised comes to be: what it looked like on the way, and how its objective rose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..core.checks import check_number
from ..core.errors import wording
from . import layers, style
from .images import displayable

_WHERE = "plot_progress"
_GAP, _LEFT, _BOTTOM, _HEIGHT, _NARROWEST = 0.06, 0.62, 0.52, 1.5, 3.4


def plot_progress(
    values: Any,
    stages: Any = None,
    *,
    steps: Sequence[int] | None = None,
    title: str | None = None,
    ylabel: str = "objective",
    value_range: tuple[float, float] | None = None,
    size: float = 1.2,
    figure: Figure | None = None,
) -> style.Drawing:
    """How does one optimisation go?

    Pictures from before the first step to the last, and below them the objective in each step, with a mark where each
    picture was taken. A schedule of smaller and smaller crops lets the objective fall towards the end, because a small
    part of an object is less of it: that it rises at first is what tells that the optimisation works.

    Parameters
    ----------
    values : `(steps,)`, the objective before each step
    stages : what `displayable` takes, k pictures in turn, or None for the curve alone
    steps : k increasing numbers, the steps before which the pictures were taken; the number of all steps is the end
    title : str or None
    ylabel : str
    value_range : (black, white) of the pictures, or None for the rules of `displayable`
    size : inches; the longer side of a picture
    figure : a matplotlib Figure to draw on, resized to fit; None makes one that pyplot does not know

    Returns
    -------
    Drawing
        `(figure, axes)`; axes `(k + 1,)`, the curve is the last

    Raises
    ------
    ValueError, TypeError
        values that are not one row of at least 2 finite numbers, steps that do not fit the pictures

    Example
    -------
    >>> import numpy as np
    >>> figure, axes = plot_progress(np.log1p(np.arange(10)), np.zeros((3, 8, 8, 3)), steps=[0, 5, 10])
    >>> [one.get_label() for one in axes]
    ['stage 0', 'stage 1', 'stage 2', 'curve']
    """
    check_number(_WHERE, "size", size, 0.1, 50, "Sizes are in inches.")
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(
            wording(
                _WHERE,
                expected="`values` must be finite numbers of one optimisation, (steps,)",
                received=f"shape {values.shape}" if np.isfinite(values).all() else "NaN or infinity",
                remedy="Choose one row, as in seen.values[0].",
            )
        )
    pictures, note = ([], "") if stages is None else displayable(stages, value_range=value_range, where=_WHERE)
    taken = [] if steps is None else [int(step) for step in steps]
    if len(taken) != len(pictures) or any(not 0 <= step <= len(values) for step in taken) or taken != sorted({*taken}):
        raise ValueError(
            wording(
                f"{_WHERE}(steps=...)",
                expected=f"`steps` must be increasing numbers in [0, {len(values)}], one for each of the "
                f"{len(pictures)} pictures",
                received=taken,
                remedy="Pass the stages and the steps of one Visualisation.",
            )
        )
    body = max(_NARROWEST, len(pictures) * (size + _GAP) - _GAP)
    width = _LEFT + body + style.MARGIN
    heading = style.wrap(title, width - 2 * style.MARGIN, style.TITLE + 1, weight="bold") if title else []
    top = style.MARGIN + len(heading) * style.LINE * (style.TITLE + 1) + (0.06 if heading else 0)
    below = top + (size + style.LINE * style.TITLE + 0.16 if len(pictures) else 0)
    notes = style.wrap(note, width - 2 * style.MARGIN, style.SMALL) if note else []
    bottom = below + _HEIGHT + _BOTTOM
    figure = style.new_figure(width, bottom + len(notes) * style.LINE * style.SMALL, figure)
    style.write(figure, _LEFT, style.MARGIN, "\n".join(heading), size=style.TITLE + 1, weight="bold")
    axes = np.empty(len(pictures) + 1, object)
    for index, (picture, step) in enumerate(zip(pictures, taken, strict=True)):
        tall, wide = size * np.array(picture.shape[:2]) / max(picture.shape[:2])
        left = _LEFT + index * (size + _GAP) + (size - wide) / 2
        style.write(figure, left + wide / 2, top, f"step {step}", size=style.SMALL + 0.5, horizontal="center")
        line = top + style.LINE * style.TITLE
        axes[index] = style.place(figure, left, line + size - tall, wide, tall, f"stage {index}")
        layers.draw_picture(axes[index], picture)
    curve = axes[-1] = style.place(figure, _LEFT, below, body, _HEIGHT, "curve")
    style.rule(curve, "step", ylabel)
    curve.plot(np.arange(len(values)), values, color=style.PALETTE[0], linewidth=1.4, zorder=3)
    marked = np.minimum(taken, len(values) - 1).astype(int)
    curve.plot(marked, values[marked], "o", color=style.PALETTE[1], markersize=4, zorder=4)
    curve.set_xlim(0, len(values))
    layers.draw_note(figure, style.MARGIN, bottom - 0.1, notes)
    return style.Drawing(figure, axes)
