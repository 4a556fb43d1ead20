"""Which work item goes into which batch: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

# Loops and ascents come back to the host so often: for the progress bar, an interruption, samples that are done.
STEPS_PER_CALL = 16


def even_batches(items: int, batch_size: int) -> tuple[int, int]:
    """How many batches, and how many items in each: as few batches as `batch_size` allows, of even size.

    Example
    -------
    >>> even_batches(65, 32)
    (3, 22)
    """
    batches = max(1, math.ceil(items / batch_size))
    return batches, math.ceil(items / batches)


def work_items(counts: np.ndarray, finished_rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The `(sample, index)` of every work item of one round.

    Example
    -------
    >>> sample, index = work_items(np.array([2, 1]), finished_rounds=0)
    >>> sample.tolist(), index.tolist()
    ([0, 0, 1], [0, 1, 0])
    """
    sample = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    within = np.arange(len(sample)) - np.repeat(np.cumsum(counts) - counts, counts)
    return sample, (within + finished_rounds * counts[sample]).astype(np.int32)


def batches(
    sample: np.ndarray, index: np.ndarray, batch_size: int, fill: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Even batches `(sample, index, weight)`; `fill` makes all of one size by repeating the last item with weight 0."""
    _, size = even_batches(len(sample), batch_size)
    for start in range(0, len(sample), size):
        chosen = np.arange(start, start + size if fill else min(start + size, len(sample)))
        weight = (chosen < len(sample)).astype(np.float32)
        chosen = np.minimum(chosen, len(sample) - 1)
        yield sample[chosen], index[chosen], weight


def group_size(count: int, batch_size: int, smallest: int = 8) -> int:
    """How many samples are held together: enough that batches are full, few enough that memory stays bounded.

    Example
    -------
    >>> group_size(count=520, batch_size=32), group_size(count=1, batch_size=32)
    (8, 32)
    """
    return max(smallest, math.ceil(batch_size / max(1, count)))
