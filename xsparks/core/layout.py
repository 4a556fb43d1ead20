"""Which axes of a sample are places and which is the channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layout:
    """The shape of one sample and the axis of its channels.

    Parameters
    ----------
    shape : the shape of a sample without its batch axis, `(h, w, c)`, `(c, h, w)`, `(t, f)` or `(f,)`.
    channels_first : whether the channel is the first axis of a sample; only for samples of rank 3.

    Example
    -------
    >>> Layout((3, 32, 48), channels_first=True).spatial
    (32, 48)
    """

    shape: tuple[int, ...]
    channels_first: bool = False

    @property
    def is_image(self) -> bool:
        """Whether a sample is a picture `(h, w, c)` or `(c, h, w)`."""
        return len(self.shape) == 3

    @property
    def kind(self) -> str:
        """What a sample is: `"image"`, `"series"` (steps, features), `"table"` (features), or `"other"`."""
        return {3: "image", 2: "series", 1: "table"}.get(len(self.shape), "other")

    @property
    def spatial(self) -> tuple[int, ...]:
        """The places that a map ranks: height and width of an image, steps and features of a series, features of a
        table.
        """
        if self.is_image:
            return self.shape[1:] if self.channels_first else self.shape[:-1]
        return self.shape

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in a batch of images."""
        return 1 if self.is_image and self.channels_first else len(self.shape)

    def spread(self, places: Any) -> Any:
        """A tensor over the places, `(b, h, w)`, as it multiplies samples: `(b, h, w, 1)`; no new axis but for images.

        Example
        -------
        >>> import numpy as np
        >>> Layout((3, 4, 6), channels_first=True).spread(np.ones((2, 4, 6))).shape
        (2, 1, 4, 6)
        """
        if not self.is_image:
            return places
        return places[:, None] if self.channels_first else places[..., None]

    def as_maps(self, places: Any) -> Any:
        """Values over the places as maps: `(m, h, w, 1)` for images, `(m, t, f)` and `(m, f)` otherwise."""
        return places[..., None] if self.is_image else places
