"""What a layer keeps of a photograph (Mahendran and Vedaldi 2015, with the canvas of MACO)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .maco import MACO
from .objectives import Objective
from .visualisation import Visualisation


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureInversion(MACO):
    """What does a layer keep of a photograph?

    A picture climbs the cosine between the answer of `layer` to it and that to the photograph: what looks the same in
    both the layer has kept, what differs it has let go. Pictures begin from noise, not from the photograph, and have
    natural magnitudes. `cos(g(tau(x)), g(x0))`, with the whole answer `g` as one vector; crops `tau` are nearly the
    whole picture, because what a layer answers keeps its place.

    Parameters
    ----------
    layer : the layer
    loss : "cosine", "dot", "dot_cosine", or "distance", which is subtracted

    Returns
    -------
    seen : `Visualisation`, `variants` pictures for each photograph

    Cost
    ----
    `steps * crops` forward and backward passes a photograph.

    Example
    -------
    >>> from xsparks.datasets import shapes
    >>> pictures = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    >>> inversion = FeatureInversion(shapes.load_model(), layer="block3", steps=2, crops=2, image_size=64)
    >>> inversion.invert(pictures).images.shape
    (2, 64, 64, 3)

    Source
    ------
    A. Mahendran, A. Vedaldi, "Understanding deep image representations by inverting them", CVPR 2015,
    https://arxiv.org/abs/1412.0035
    """

    loss: str = "cosine"
    crops: int = 8
    crop_size: Any = (0.9, 0.99)
    crop_spread: float = 0.02

    def invert(self, photographs: Any, out: Any = None) -> Visualisation:
        """One picture, or `variants`, for each photograph `(n, h, w, c)`, of any size.

        Parameters
        ----------
        photographs : in the range of the model's inputs; they are resized to what the model reads
        out : a folder, as that of `explain`
        """
        self._pictures.check()
        height, width, _ = self._pictures.shape
        where = f"{type(self).__name__}.invert"
        seen = self._pictures.photographs(photographs, len(photographs), where)
        seen = resized(seen, (height, width))
        seen = np.moveaxis(seen, -1, 1) if self.access.channels_first else seen
        answers = self._pictures.answers_to(seen, () if self.layer is None else (self.layer,))[0]
        objectives = [Objective.answer(self.layer, answer, self.loss, name="photograph") for answer in answers]
        if self.loss == "distance":
            objectives = [-objective for objective in objectives]
        return self._explained(objectives, None, out)


def resized(pictures: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Pictures `(n, h, w, c)` at another size (height, width), averaged where they shrink."""
    height, width = size
    if pictures.shape[1:3] == (height, width):
        return pictures
    shrinks = height < pictures.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    done = [cv2.resize(picture, (width, height), interpolation=kind) for picture in pictures]
    return np.stack(done).reshape(len(pictures), height, width, pictures.shape[-1])
