"""The area between deleting what matters least first and what matters most first (Samek et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Measurement
from .stepwise import Stepwise


@dataclass(frozen=True, eq=False, kw_only=True)
class LeRFMinusMoRF(Stepwise):
    """How much longer does the score last when the least relevant pixels go first than when the most relevant do?

    Pixels are replaced by a baseline twice, in opposite orders. The measure is the area between the curves of the score
    over the fraction `u` of pixels replaced,

        integral of f_LeRF(u) - f_MoRF(u) over u from 0 to 1,

    least relevant first (LeRF) and most relevant first (MoRF). Higher is better; 0 for a random map on average, for
    every network and every baseline, because what the holes themselves do to the score happens in both orders and
    cancels. Use it where Deletion and Insertion disagree: it is the Insertion less the Deletion with one baseline.

    Parameters
    ----------
    model, inputs, targets : as for `explain`.
    steps, baseline : the path; see `Stepwise`. `max_fraction` must be 1.
    score : `"probability"` or `"logit"`.

    Returns
    -------
    score : a `Score` with one value a sample, in [-1, 1] for probabilities, and the difference of the curves.

    Raises
    ------
    ValueError : a `max_fraction` below 1.

    Cost
    ----
    `2 (steps + 1)` forwards a sample, and one for its target. In a benchmark Deletion and Insertion with the same
    options have asked them already: the least relevant pixels first, read from the end, is Insertion.

    Departs
    -------
    Single pixels are replaced by a baseline; Samek et al. replace squares of 9 x 9 pixels by noise, `baseline="noise"`.

    Example
    -------
    >>> import numpy as np
    >>> images = np.array([[[[1.0], [0.0]]]], dtype="float32")
    >>> metric = LeRFMinusMoRF(lambda x: x[:, 0, :, 0], images, [0], steps=2)
    >>> float(metric(np.array([[[1.0, 0.0]]]))), float(metric(np.array([[[0.0, 1.0]]])))
    (0.5, -0.5)

    Source
    ------
    W. Samek, A. Binder, G. Montavon, S. Lapuschkin, K.-R. Müller, "Evaluating the Visualization of What a Deep Neural
    Network Has Learned", IEEE Transactions on Neural Networks and Learning Systems 28 (11), 2017,
    https://arxiv.org/abs/1509.06321; as a difference of areas in S. Blücher, J. Vielhaben, N. Strodthoff, "Decoupling
    Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks", Transactions on Machine Learning Research
    2024, https://arxiv.org/abs/2401.06654
    """

    better: ClassVar[str] = "higher"
    axes: ClassVar[tuple[str, str]] = ("fraction of pixels replaced", "score, least less most relevant first")

    def check(self) -> None:
        """Checks the options."""
        self._check_path()
        if self.max_fraction != 1:
            raise ValueError(
                wording(
                    f"{type(self).__name__}(max_fraction={self.max_fraction!r})",
                    expected="`max_fraction` must be 1, for both orders to lead to the same image",
                    received=repr(self.max_fraction),
                    remedy="Use Deletion for part of a path.",
                )
            )

    def measurements(self, layout: Layout, outputs: Any) -> tuple[Measurement, ...]:
        """The paths of Insertion and Deletion."""
        return self.path(layout, inserts=True), self.path(layout, inserts=False)

    def values(self, maps: np.ndarray, answers: tuple[Any, ...]) -> Any:
        """The difference of the curves, `(m, steps + 1)`."""
        inserted, deleted = answers
        return np.asarray(inserted)[:, ::-1] - np.asarray(deleted)
