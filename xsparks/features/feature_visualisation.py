"""What a network looks for, drawn on any canvas (Olah et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.errors import wording
from .canvas import Canvas
from .fourier_canvas import FourierCanvas
from .visualiser import Visualiser


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureVisualisation(Visualiser):
    """What does the network look for, drawn on a canvas of your choice?

    With the `FourierCanvas` this is feature visualisation as Olah et al. made it known, good for shallow networks and
    first layers; with the `PixelCanvas` it is plain ascent, a baseline; `MACO` is its successor for deep networks. All
    share crops, noise and objectives, so that canvases can be compared.

    Parameters
    ----------
    canvas : `FourierCanvas()`, `PixelCanvas()`, `MACOCanvas()` or a `Canvas` of your own

    Returns
    -------
    seen : `Visualisation`: `.images` `(n, h, w, c)`, `.transparency` `(n, h, w, 1)`, `.values` `(n, steps)`

    Cost
    ----
    `steps * crops` forward and backward passes a target.

    Departs
    -------
    Crops of varied size and noise take the place of jitter, scaling, rotation and padding.

    Example
    -------
    >>> from xsparks.datasets import shapes
    >>> method = FeatureVisualisation(shapes.load_model(), steps=4, crops=2, image_size=64)
    >>> method.explain(targets=2).images.shape
    (1, 64, 64, 3)

    Source
    ------
    C. Olah, A. Mordvintsev, L. Schubert, "Feature visualization", Distill, 2017, https://doi.org/10.23915/distill.00007
    """

    canvas: Canvas = field(default_factory=FourierCanvas)

    def canvas_of(self) -> Canvas:
        """The one that was chosen."""
        if isinstance(self.canvas, Canvas):
            return self.canvas
        raise TypeError(
            wording(
                "FeatureVisualisation(canvas=...)",
                expected="`canvas` must be a Canvas",
                received=repr(self.canvas)[:60],
                remedy="Use FourierCanvas(), PixelCanvas() or MACOCanvas().",
            )
        )
