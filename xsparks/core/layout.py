"""Which axes of a sample are places and which is the channel."""

from __future__ import annotations

from dataclasses import dataclass


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
        """Whether a sample is a picture of rank 3."""
        return len(self.shape) == 3

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the places: height and width of an image, steps of a series, features of a table."""
        if self.is_image:
            return self.shape[1:] if self.channels_first else self.shape[:-1]
        return self.shape[:1]

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in a batch."""
        return 1 if self.is_image and self.channels_first else len(self.shape)
