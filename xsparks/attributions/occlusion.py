"""Occlusion (Zeiler, Fergus 2014)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Explainer, Plan, queries, reducers
from ..perturbations import as_baseline

# A patch of 32 pixels in an image of 224.
_PATCHES_ALONG_A_SIDE = 7


@dataclass(frozen=True, eq=False, kw_only=True)
class Occlusion(Explainer):
    """How far does the score fall when a patch of the input is covered?

    A patch slides over the input `x`; `x_k` is `x` with patch `k` replaced by a baseline. The map at place `p` is the
    mean fall over the patches that cover it,

        M(p) = mean over k with p in patch k of f(x) - f(x_k).

    Use it where one patch can hide what matters, and to check other methods: each number is one forward that anybody
    can repeat. Not where the evidence stands twice in the image: with one copy covered the other still speaks.

    Parameters
    ----------
    patch_size : pixels along each side of a patch, or `(height, width)`; time steps of a series, each feature by
        itself, or `(steps, features)`; neighbouring features of a table. None for a seventh of each side of an image
        (32 of 224) and of the time of a series, and for single features of a table.
    patch_stride : from one patch to the next, given as `patch_size` is, at most the patch; None for half the patch.
        The last patch ends at the border, so that every place is covered.
    baseline : what covers: `"zero"`, `"middle"` of the input range, `"mean"` colour, `"blur"`, `"noise"` (the one that
        depends on the seed), a number, an array of the shape of a sample or of its channels, or a function of inputs.

    Returns
    -------
    maps : `(n, h, w, 1)`, in units of the score, with a sign: negative where covering raises the score. `(n, t, f)`
        for series and `(n, f)` for tables.

    Raises
    ------
    ValueError : a patch larger than the sample, a stride larger than the patch.

    Cost
    ----
    One forward, and one for each patch (170 by default at 224 pixels). Memory of one batch: masks are made from the
    number of the patch.

    Departs
    -------
    Published as the score under the patch, drawn at its centre; here the fall of the score, shared by the places that
    the patch covers, so that the map has the size of the input and is 0 for a model that does not look.

    Example
    -------
    >>> import numpy as np
    >>> method = Occlusion(lambda x: 2 * x[:, :1] - x[:, 1:2], baseline="zero")
    >>> method.explain(np.array([[3.0, 1.0, 5.0]], "float32"), 0).values.tolist()
    [[6.0, -1.0, 0.0]]

    Source
    ------
    M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2,
    https://arxiv.org/abs/1311.2901
    """

    patch_size: int | tuple[int, ...] | None = None
    patch_stride: int | tuple[int, ...] | None = None
    baseline: Any = "middle"

    estimand: ClassVar[str] = "fall of the score when a patch over the pixel is covered, mean over such patches"
    deterministic: ClassVar[bool] = True

    def check(self) -> None:
        """Checks the options."""
        for name, remedy in (
            ("patch_size", "None for a seventh of each side"),
            ("patch_stride", "None for half a patch"),
        ):
            option = getattr(self, name)
            for size in option if isinstance(option, tuple) else () if option is None else (option,):
                check_integer(type(self).__name__, name, size, 1, f"Use {remedy}.")

    def patches(self, layout: Layout) -> tuple[tuple[int, ...], list[np.ndarray]]:
        """The size of a patch along each axis of the places, and where patches begin along it."""
        places = layout.spatial
        sizes = self._along("patch_size", layout)
        if sizes is None:
            seventh = [max(1, round(size / _PATCHES_ALONG_A_SIDE)) for size in places]
            sizes = {"image": tuple(seventh), "series": (seventh[0], 1)}.get(layout.kind, (1,) * len(places))
        strides = self._along("patch_stride", layout)
        if strides is None:
            strides = tuple(max(1, size // 2) for size in sizes)
        self._check_fit("patch_size", sizes, places, f"a patch must fit into the sample {places}")
        self._check_fit(
            "patch_stride",
            strides,
            sizes,
            f"the stride must be at most the patch {sizes}, so that no place is left out",
        )
        begins = [
            np.append(np.arange(0, whole - size, stride), whole - size)
            for whole, size, stride in zip(places, sizes, strides, strict=True)
        ]
        return sizes, begins

    def _along(self, name: str, layout: Layout) -> tuple[int, ...] | None:
        option = getattr(self, name)
        if isinstance(option, int):
            return (option, option) if layout.is_image else (option, 1)[: len(layout.spatial)]
        if option is not None and len(option) != len(layout.spatial):
            raise ValueError(
                wording(
                    f"{type(self).__name__}({name}={option})",
                    expected=f"`{name}` must have a number for each axis of the places {layout.spatial}",
                    received=f"{len(option)}",
                    remedy="Pass one integer for all.",
                )
            )
        return option

    def _check_fit(self, name: str, inner: tuple[int, ...], outer: tuple[int, ...], expected: str) -> None:
        if any(small > large for small, large in zip(inner, outer, strict=True)):
            raise ValueError(
                wording(
                    f"{type(self).__name__}({name}={getattr(self, name)})",
                    expected=expected,
                    received=f"{inner}",
                    remedy=f"Use a smaller {name}, or None.",
                )
            )

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """The input itself, then with each patch covered."""
        sizes, begins = self.patches(layout)
        counts = tuple(len(begin) for begin in begins)
        baseline = as_baseline(self.baseline, layout, self.seed, self.access.input_range, type(self).__name__)

        # Of the input itself beyond the end, so that nothing of it is covered.
        corners = [
            np.append(whole, corner.ravel()).astype(np.int32)
            for whole, corner in zip(layout.spatial, np.meshgrid(*begins, indexing="ij"), strict=True)
        ]

        def hidden(index: Any) -> Any:
            inside = []
            for axis, whole in enumerate(layout.spatial):
                offset = tf.range(whole) - tf.gather(corners[axis], index)[:, None]
                shape = [whole if other == axis else 1 for other in range(len(counts))]
                inside.append(tf.reshape((offset >= 0) & (offset < sizes[axis]), (-1, *shape)))
            return layout.spread(functools.reduce(tf.logical_and, inside))

        def draw(inputs: Any, origin: Any, index: Any) -> tuple[Any, Any]:
            return tf.where(hidden(index), origin, inputs), ()

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            falls = tf.reshape(state[:, :1] - state[:, 1:], (-1, *counts))
            for axis, begin in enumerate(begins):
                falls = _mean_over_patches(falls, axis + 1, begin, sizes[axis], layout.spatial[axis])
            return {"maps": layout.as_maps(falls)}

        return Plan(
            count=1 + math.prod(counts),
            query=queries.score,
            prepare=lambda inputs, side: baseline(inputs),
            draw=draw,
            start=reducers.table(1 + math.prod(counts)),
            fold=reducers.collect,
            finish=finish,
        )


def _mean_over_patches(falls: Any, axis: int, begin: np.ndarray, size: int, places: int) -> Any:
    """Values of patches along `axis` as values of places: the mean over the patches that cover the place."""
    place = np.arange(places)[:, None]
    covers = (place >= begin) & (place < begin + size)
    # The patches that cover a place are a product over the axes, so their mean is one mean after the other.
    weights = tf.constant(covers / covers.sum(axis=1, keepdims=True), falls.dtype)
    spread = tf.tensordot(falls, weights, axes=[[axis], [1]])
    order = list(range(len(falls.shape) - 1))
    order.insert(axis, len(falls.shape) - 1)
    return tf.transpose(spread, order)
