"""What a deep network looks for, in pictures whose frequencies are those of photographs (Fel et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .canvas import Canvas
from .maco_canvas import MACOCanvas
from .visualiser import Visualiser


@dataclass(frozen=True, eq=False, kw_only=True)
class MACO(Visualiser):
    """What does the network look for, drawn so that deep networks show objects instead of noise?

    Use it for classes, channels and concepts of deep networks; for the first layers, whose answers are waves,
    `FeatureVisualisation` with a `FourierCanvas` shows the same. A picture is `sigmoid(C F^-1(r exp(i phi)))`: the
    magnitudes `r` are fixed and the phases `phi` climb the mean of the objective over crops,
    `phi* = argmax_phi E_tau[L(tau(x(phi)))]`. A picture shows one way to excite a unit, not what it answers to in
    photographs: look at those beside it, and at several `variants`.

    Parameters
    ----------
    magnitude : "natural", the mean over photographs of ImageNet; pictures `(n, h, w, c)` in the range of the model's
        inputs, whose mean it is then; or magnitudes `(h, w // 2 + 1, c)` in decorrelated colours. Pictures that begin
        as photographs keep the magnitudes of these.

    Returns
    -------
    seen : `Visualisation`: `.images` `(n, h, w, c)` in the range of the model's inputs, `.transparency` `(n, h, w, 1)`,
        not negative, and `.values` `(n, steps)`

    Raises
    ------
    ValueError : no targets, targets that the model does not have, an unknown range of the inputs.
    ModelError : a model without gradients, or that does not read pictures.

    Cost
    ----
    `steps * crops` forward and backward passes a target.

    Departs
    -------
    The noise of the crops is normal, without the uniform part of the published code, which adds 4 % to its deviation,
    and is cut from one sheet of draws. Crops lie within the picture and keep the proportions of the network's input.
    See `MACOCanvas` for the magnitudes.

    Example
    -------
    >>> from xsparks.datasets import shapes
    >>> maco = MACO(shapes.load_model(), steps=4, crops=2, image_size=64)
    >>> seen = maco.explain(targets=[0, 3])
    >>> seen.images.shape, bool((seen.transparency >= 0).all())
    ((2, 64, 64, 3), True)

    Source
    ------
    T. Fel, T. Boissin, V. Boutin, A. Picard, P. Novello, J. Colin, D. Linsley, T. Rousseau, R. Cadène, L. Gardes, T.
    Serre, "Unlocking feature visualization for deeper networks with MAgnitude Constrained Optimization", NeurIPS 2023,
    https://arxiv.org/abs/2306.06805
    """

    magnitude: Any = "natural"

    def canvas_of(self) -> Canvas:
        """Phases free, magnitudes fixed."""
        return MACOCanvas(magnitude=self.magnitude)
