"""What measures of pictures share: a network that looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import wording
from ..engine.session import OnModel
from .feature_inversion import resized
from .picture_model import PictureModel
from .visualisation import Visualisation


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureMeasure(OnModel):
    """A network that looks at pictures, whole and resized to what it reads.

    Parameters
    ----------
    layer : the layer whose answers are the features of a picture, averaged over places; the last but one by default
    values_range : (black, white) as the network reads them; None takes what it or `preprocess` declares
    view_size : what it reads, where it does not tell
    """

    layer: Any = -2
    values_range: tuple[float, float] | None = None
    view_size: tuple[int, int] | None = None

    @property
    def _pictures(self) -> PictureModel:
        return PictureModel(self.engine, self.view_size, self.values_range, type(self).__name__)

    def _seen(self, pictures: Any, black_white: tuple[float, float] | None) -> np.ndarray:
        """Pictures as the network reads them; `black_white` is their own range, or None for that of the network."""
        self._pictures.check()
        if isinstance(pictures, Visualisation):
            pictures, black_white = pictures.images, pictures.values_range
        low, high = self._pictures.range
        pictures = np.asarray(pictures, np.float32)
        if pictures.ndim != 4 or pictures.shape[-1] != self._pictures.shape[2] or not len(pictures):
            raise ValueError(
                wording(
                    f"{type(self).__name__}.evaluate",
                    expected=f"pictures must have shape (n, h, w, {self._pictures.shape[2]})",
                    received=f"shape {pictures.shape}",
                    remedy="A Visualisation, or an array of pictures in the range of the network.",
                )
            )
        if black_white is not None and tuple(black_white) != (low, high):
            share = (pictures - black_white[0]) / (black_white[1] - black_white[0])
            pictures = (low + (high - low) * share).astype(np.float32)
        pictures = resized(pictures, self._pictures.shape[:2])
        return np.moveaxis(pictures, -1, 1) if self.access.channels_first else pictures

    def features(self, pictures: Any, black_white: tuple[float, float] | None = None) -> np.ndarray:
        """The features `(n, c)` of pictures `(n, h, w, c)`, or of a `Visualisation`.

        Parameters
        ----------
        black_white : the range of the pictures; None for that of the network.
        """
        answer = self._pictures.answers_to(self._seen(pictures, black_white), (self.layer,))[0]
        return answer.reshape(len(answer), -1, answer.shape[-1]).mean(axis=1)

    def outputs(self, pictures: Any, black_white: tuple[float, float] | None = None) -> np.ndarray:
        """The outputs `(n, classes)` of pictures, before the softmax."""
        return self._pictures.answers_to(self._seen(pictures, black_white), ())[0]
