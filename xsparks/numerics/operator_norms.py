"""Upper bounds of operator norms: by how much a matrix, a convolution or a pooling can stretch its input at most.

All are norms from Euclidean length to Euclidean length, and all are sound: what is returned is never below the norm,
up to the rounding of the arithmetic, for which `ROUNDING` is added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# More than a decomposition in float64 of matrices of some thousand rows is off by.
ROUNDING = 1e-9
# Work of a decomposition at every frequency, above which the bounds without Fourier transform have to do.
_MOST_WORK = 4e9


def matrix_norm(matrix: np.ndarray) -> float:
    """The largest singular value of a matrix `(rows, columns)`, or of several `(n, rows, columns)`, rounded up."""
    if not np.size(matrix):
        return 0.0
    values = np.asarray(matrix, np.complex128 if np.iscomplexobj(matrix) else np.float64)
    # Of the smaller of both products the largest eigenvalue is as exact, and quicker than a decomposition.
    adjoint = np.conj(np.swapaxes(values, -1, -2))
    gram = adjoint @ values if values.shape[-2] >= values.shape[-1] else values @ adjoint
    return float(np.sqrt(max(np.linalg.eigvalsh(gram)[..., -1].max(), 0.0))) * (1 + ROUNDING)


def windows(size: int, kernel: int, stride: int, padding: str) -> np.ndarray:
    """The first place of each window on an axis, from below 0 where padding stands before; as TensorFlow lays them."""
    if padding == "same":
        number = -(-size // stride)
        before = max((number - 1) * stride + kernel - size, 0) // 2
    else:
        number, before = (size - kernel) // stride + 1, 0
    return np.arange(number) * stride - before


def covered(size: int, kernel: int, stride: int, padding: str) -> tuple[int, int]:
    """The largest number of windows that share a place of an axis, and the least number of places in a window.

    Example
    -------
    >>> covered(28, 3, 1, "same"), covered(28, 3, 2, "same"), covered(2, 3, 1, "same")
    ((3, 2), (2, 2), (2, 2))
    """
    first = windows(size, kernel, stride, padding)
    places = np.arange(size)[:, None]
    inside = (places >= first) & (places < first + kernel)
    return int(inside.sum(axis=1).max()), int(inside.sum(axis=0).min())


def patch_factor(sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str) -> float:
    """By how much taking patches can lengthen: the root of the largest number of patches that share a place.

    A convolution is a matrix applied to every patch, so its norm is at most that of the matrix times this factor.
    """
    shared = [covered(*each, padding)[0] for each in zip(sizes, kernel, strides, strict=True)]
    return float(np.sqrt(np.prod(shared)))


def convolution_norm(kernel: np.ndarray, sizes: Sequence[int | None], strides: Sequence[int], padding: str) -> float:
    """An upper bound of the norm of a convolution with zeros beyond the border.

    The least of three bounds. With `W` the kernel as a matrix from a patch to the outputs, and `p` the most patches
    that share a place, `|W| sqrt(p)`. With `V` the kernel as a matrix from the input channels to all that they reach,
    and `k` the places of a patch, `|V| sqrt(k)`. And the norm of the circular convolution on a grid so large that the
    input and its outputs never meet themselves, of which this one is a part: `max over frequencies |W^(w)|`.

    Parameters
    ----------
    kernel : `(*kernel sizes, channels, filters)`.
    sizes : of the input in space, None where it is not known, which leaves the first two bounds.
    strides, padding : `"same"` or `"valid"`, as TensorFlow understands them.

    Returns
    -------
    norm : never below the true one.

    Example
    -------
    >>> box = np.ones((3, 3, 1, 1)) / 9
    >>> [round(convolution_norm(box, (16, 16), (stride, stride), "same"), 4) for stride in (1, 3)]
    [1.0, 0.3333]

    Source
    ------
    H. Sedghi, V. Gupta, P. Long, "The Singular Values of Convolutional Layers", ICLR 2019,
    https://arxiv.org/abs/1805.10408, for circular ones; the grid that is large enough makes it a bound for zeros.
    """
    kernel = np.asarray(kernel, np.float64)
    places, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    # No more windows share a place in a larger image.
    large = [4 * max(pair) if size is None else size for size, *pair in zip(sizes, places, strides, strict=True)]
    by_patch = matrix_norm(kernel.reshape(-1, filters)) * patch_factor(large, places, strides, padding)
    seen = np.prod([min(pair) for pair in zip(places, large, strict=True)])
    spread = np.moveaxis(kernel, -2, 0).reshape(channels, -1)
    bounds = [by_patch, matrix_norm(spread) * float(np.sqrt(seen))]
    if None in sizes:
        return min(bounds)
    phased = _by_phase(kernel, strides)
    grid = [
        -(-(size - 1) // stride) + 1 + taps
        for size, stride, taps in zip(large, strides, phased.shape[: len(large)], strict=True)
    ]
    work = np.prod(grid) * np.prod(phased.shape[-2:]) * min(phased.shape[-2:])
    if work <= _MOST_WORK:
        axes = tuple(range(len(grid)))
        bounds.append(matrix_norm(np.fft.rfftn(phased, s=grid, axes=axes).reshape(-1, *phased.shape[-2:])))
    return min(bounds)


def depthwise_norm(kernel: np.ndarray, sizes: Sequence[int | None], strides: Sequence[int], padding: str) -> float:
    """The same for a convolution of each channel by itself, kernel `(*kernel sizes, channels, multiplier)`."""
    return max(
        convolution_norm(kernel[..., channel : channel + 1, :], sizes, strides, padding)
        for channel in range(kernel.shape[-2])
    )


def _by_phase(kernel: np.ndarray, strides: Sequence[int]) -> np.ndarray:
    """A convolution with strides as one without, on an input whose blocks of `strides` places are channels."""
    for axis, stride in enumerate(strides):
        missing = -kernel.shape[axis] % stride
        kernel = np.pad(kernel, [(0, missing if other == axis else 0) for other in range(kernel.ndim)])
        split = kernel.reshape(*kernel.shape[:axis], -1, stride, *kernel.shape[axis + 1 :])
        # The phase becomes part of the input channels.
        moved = np.moveaxis(split, axis + 1, -3)
        kernel = moved.reshape(*moved.shape[:-3], -1, moved.shape[-1])
    return kernel
