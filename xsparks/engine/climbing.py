"""The host's driver of an ascent: which samples climb together, and where a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from .ascent import Ascent
from .checkpoint import Checkpoint
from .compiled import Steps
from .rows import as_tensors, length, rows_of
from .schedule import STEPS_PER_CALL, even_batches


class Driver(Protocol):
    """What the engine knows of the memory of the device."""

    batch_size: int

    def halve(self, exhausted: tf.errors.ResourceExhaustedError) -> None:
        """Takes smaller batches from now on, or says why not."""


def run_ascent(
    driver: Driver,
    ascent: Ascent,
    steps: Steps,
    trees: tuple[Any, Any, Any],
    progress: Callable[[int], None],
    keep: Checkpoint | None,
) -> Any:
    """The answer of an ascent for `trees`, the inputs, targets and side information of all samples.

    As many samples climb together as the batch size has room for all their views; they reach the top before others
    start, so that memory holds the state of these alone.
    """
    number, start, answers = length(trees[0]), 0, []
    while start < number:
        stand = None if keep is None else keep.read(start)
        together = even_batches(number - start, max(1, driver.batch_size // ascent.views))[1]
        stop = min(start + together, number) if stand is None else stand.stop
        rows = np.arange(start, stop)
        inputs, targets, side = (rows_of(as_tensors(tree), rows) for tree in trees)
        state, first = steps["start"](inputs, side), 0
        if stand is not None:
            state, first = tf.nest.pack_sequence_as(state, list(map(tf.constant, stand.leaves))), stand.taken
            progress(first * ascent.views * len(rows))
        while first < ascent.steps:
            last = min(first + STEPS_PER_CALL, ascent.steps)
            reach = (tf.constant(first), tf.constant(last), tf.constant(driver.batch_size))
            try:
                state = steps["step"](state, inputs, targets, side, *reach)
            except tf.errors.ResourceExhaustedError as exhausted:
                # Fewer views at a time; states are values, so nothing is lost.
                driver.halve(exhausted)
                continue
            progress((last - first) * ascent.views * len(rows))
            first = last
            if keep is not None:
                keep.write(start, stop, first, state, last=first == ascent.steps)
        answer = steps["finish"](state, inputs, side)
        answers.append(tf.nest.map_structure(np.asarray, answer))
        start = stop
    return tf.nest.map_structure(lambda *leaves: np.concatenate(leaves), *answers)
