"""Which images a study shows, and when: drawn by a seed, balanced, the same for every condition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.errors import wording
from ..core.randomness import generator

_WHERE = "MetaPredictorStudy"


class Items(NamedTuple):
    """Positions of images: `training (sessions, examples)` and `tests (sessions, tests)`; none occurs twice."""

    training: np.ndarray
    tests: np.ndarray


def choose_items(
    answers: np.ndarray, wrong: np.ndarray | None, sessions: int, training: int, tests: int, seed: int
) -> Items:
    """Images for every session, as even as the numbers allow over the model's two answers, and over right and wrong.

    Parameters
    ----------
    answers : `(n,)` 0 or 1, the model's.
    wrong : `(n,)` whether the model errs, or None to leave it to chance.

    Raises
    ------
    ValueError : too few images of a kind.

    Example
    -------
    >>> items = choose_items(np.arange(60) % 2, None, sessions=3, training=5, tests=7, seed=0)
    >>> items.training.shape, items.tests.shape, sorted(np.bincount(items.tests.ravel() % 2).tolist())
    ((3, 5), (3, 7), [10, 11])
    """
    errs = np.zeros(len(answers), dtype=bool) if wrong is None else np.asarray(wrong, dtype=bool)
    kinds = [(answer, err) for answer in (0, 1) for err in ((False, True) if wrong is not None else (False,))]
    draw = generator(seed, 1)
    waiting = {
        kind: draw.permutation(np.flatnonzero((answers == kind[0]) & (errs == kind[1]))).tolist() for kind in kinds
    }
    plan = {
        "training": _kinds_of_blocks([training] * sessions, kinds, draw),
        "tests": _kinds_of_blocks([tests] * sessions, kinds, draw),
    }
    asked = [kind for blocks in plan.values() for block in blocks for kind in block]
    for kind in kinds:
        if asked.count(kind) > len(waiting[kind]):
            name = f"answer {kind[0]}" + ("" if wrong is None else f", {'wrong' if kind[1] else 'right'}")
            raise ValueError(
                wording(
                    _WHERE,
                    expected=f"{asked.count(kind)} images must have the model's {name}",
                    received=len(waiting[kind]),
                    remedy="Hand over more images, or ask for fewer sessions, training examples or tests"
                    + ("." if wrong is None else "; without `labels` right and wrong answers are not balanced."),
                )
            )
    chosen = {
        name: np.array([[waiting[kind].pop() for kind in block] for block in blocks]) for name, blocks in plan.items()
    }
    return Items(**chosen)


def _kinds_of_blocks(sizes: list[int], kinds: list[tuple[int, bool]], draw: np.random.Generator) -> list[list]:
    """The kinds in each block, in random order; every count within one of the others where the sizes allow it."""
    overall: list[tuple[int, bool]] = []
    blocks = []
    for size in sizes:
        block: list[tuple[int, bool]] = []
        for _ in range(size):

            def taken(kind: tuple[int, bool], block: list = block) -> tuple:
                """What a kind already has; within the block first."""
                return tuple(
                    count
                    for chosen in (block, overall)
                    for count in (
                        sum(answer == kind[0] for answer, _ in chosen),
                        sum(err == kind[1] for _, err in chosen),
                        chosen.count(kind),
                    )
                )

            # A random order first, so that equals are not taken in the order of their names.
            shuffled = [kinds[position] for position in draw.permutation(len(kinds))]
            kind = min(shuffled, key=taken)
            block.append(kind)
            overall.append(kind)
        blocks.append([block[position] for position in draw.permutation(size)])
    return blocks
