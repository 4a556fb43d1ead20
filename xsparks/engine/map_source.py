"""The maps that a metric measures, wherever they come from."""

from __future__ import annotations

import reprlib
from typing import Any, NoReturn

import numpy as np

from ..core.digests import digests
from ..core.errors import wording
from ..core.inputs import Samples, leaves
from ..core.layout import Layout
from .enlarging import at_size
from .explainer import Explainer
from .explanation import Explanation


class MapSource:
    """Which map belongs to which sample?

    Parameters
    ----------
    maps : an `Explanation` of the samples in any order, an array `(n, h, w)` or `(n, h, w, c)` in their order, or an
        `Explainer`, which then explains each group just before it is measured.
    where : who asks, for errors.
    count : how many samples there are, where that is known.
    """

    def __init__(self, maps: Any, where: str, count: int | None = None):
        self._where = where
        self._explainer = maps if isinstance(maps, Explainer) else None
        self._position = 0
        self.method = type(maps).__name__ if self._explainer is not None else getattr(maps, "method", "")
        self._by_digest: dict[int, list[int]] | None = None
        if self._explainer is not None:
            return
        self._maps = maps if isinstance(maps, Explanation) else self._as_array(maps)
        if count is not None and len(self._maps) != count:
            self._refuse(f"one map for each of the {count} inputs", f"{len(self._maps)} maps")
        if isinstance(maps, Explanation) and maps.digests is not None:
            self._by_digest = {}
            for position, mark in enumerate(maps.digests.tolist()):
                self._by_digest.setdefault(mark, []).append(position)

    def _as_array(self, maps: Any) -> np.ndarray:
        try:
            array = np.asarray(maps, dtype=np.float32)
        except (TypeError, ValueError):
            array = np.zeros(())
        if array.ndim < 2:
            raise TypeError(
                wording(
                    f"{self._where}.evaluate",
                    expected="`maps` must be an Explanation, an Explainer or an array (n, h, w)",
                    received=f"{type(maps).__name__} {reprlib.repr(maps)}",
                    remedy="Load a saved one with Explanation.load(path).",
                )
            )
        return array

    def all(self) -> np.ndarray:
        """All maps that are there, in their own order, `(n, h, w)`: channels averaged, all finite."""
        stored = self._maps.maps if isinstance(self._maps, Explanation) else self._maps
        return self._checked(stored, min(stored.ndim, 3))

    def of(self, samples: Samples, targets: Any, layout: Layout | None = None) -> np.ndarray:
        """The maps of these samples, `(m, h, w)` float32: channels averaged, all finite, of the size of the layout."""
        if self._explainer is not None:
            maps: Any = self._explainer.explain(samples.inputs, targets).maps
        else:
            maps = self._stored(samples)
        return self._checked(maps, min(maps.ndim, 3)) if layout is None else self.fitted(maps, layout)

    def fitted(self, maps: Any, layout: Layout) -> np.ndarray:
        """Maps of samples of this layout, `(m, h, w)` float32: channels averaged, a grid enlarged, all finite."""
        maps = self._checked(maps, len(layout.spatial) + 1)
        if layout.kind == "series" and maps.shape[1:] in (layout.spatial[:1], (layout.spatial[0], 1)):
            # A map that knows steps alone.
            maps = np.repeat(maps.reshape(len(maps), -1, 1), layout.spatial[1], axis=2)
        if layout.is_image and maps.ndim == 3 and maps.shape[1:] != layout.spatial:
            smaller = all(have <= want for have, want in zip(maps.shape[1:], layout.spatial, strict=True))
            if not smaller:
                self._refuse(f"maps of size {layout.spatial} or a coarser grid", f"size {maps.shape[1:]}")
            maps = at_size(maps[..., None], layout.spatial)[..., 0]
        if maps.shape[1:] != layout.spatial:
            self._refuse(f"maps of shape (n, {', '.join(map(str, layout.spatial))})", f"shape {maps.shape}")
        return np.ascontiguousarray(maps, dtype=np.float32)

    def _checked(self, maps: Any, rank: int) -> np.ndarray:
        maps = np.asarray(maps, dtype=np.float32)
        if maps.ndim == rank + 1:
            maps = maps.mean(axis=-1)
        if not np.isfinite(maps).all():
            self._refuse("finite maps", "NaN or infinity")
        return maps

    def _stored(self, samples: Samples) -> np.ndarray:
        start = self._position
        self._position += len(samples)
        if self._by_digest is None:
            chosen: Any = list(range(start, self._position))
            if self._position > len(self._maps):
                self._refuse(f"one map for each of at least {self._position} inputs", f"{len(self._maps)} maps")
        else:
            chosen = [self._position_of(mark) for mark in digests(leaves(samples.inputs)).tolist()]
        maps = self._maps[chosen]
        return maps.maps if isinstance(maps, Explanation) else maps

    def _position_of(self, mark: int) -> int:
        waiting = (self._by_digest or {}).get(mark, [])
        if not waiting:
            self._refuse("maps of the inputs of this metric", "an input that was not explained")
        return waiting.pop(0)

    def check_all_used(self) -> None:
        """Refuses maps that belong to no sample."""
        if self._explainer is None and self._position != len(self._maps):
            self._refuse(f"one map for each of the {self._position} inputs", f"{len(self._maps)} maps")

    def _refuse(self, expected: str, received: str) -> NoReturn:
        raise ValueError(
            wording(
                f"{self._where}.evaluate",
                expected=f"`maps` must be {expected}",
                received=received,
                remedy="Pass the explanation of the same inputs, or the explainer itself.",
            )
        )
