"""FORGrad (Muzellec, Fel, Boutin, Andéol, VanRullen, Serre 2024)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..core.checks import check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Engine, Explainer, Explanation, MapMetric
from ..engine.enlarging import at_size
from ..engine.session import OnModel, Stages, as_stages
from ..models.access import ModelAccess
from ..numerics.fourier import low_pass

# The last one keeps all frequencies, so that no filter is a choice too.
CANDIDATES = (1 / 64, 1 / 32, 3 / 64, 1 / 16, 3 / 32, 1 / 8, 3 / 16, 1 / 4, 1 / 2, math.sqrt(2))


@dataclass(frozen=True, eq=False, init=False, kw_only=True)
class FORGrad(Explainer):
    """What is left of a map without the high frequencies that strides and pooling put into gradients?

    Maps go through a low-pass filter whose cut-off is given, or chosen as the one whose maps of a few images are most
    faithful by a metric. Use it on white-box methods (Saliency, SmoothGrad, IntegratedGradients, GuidedBackprop), whose
    maps it brings near those of black-box ones at no pass through the model. Not for maps on a coarse grid, which have
    no high frequencies.

    Parameters
    ----------
    explainer : the method whose maps are filtered; its options stay in force.
    score : a metric with its images, such as `Insertion(model, images, targets)`, or several whose values are added,
        those that are better when lower with a minus: what chooses the cut-off, once, when it is first needed.
    cutoff : the cut-off itself, as a fraction of the Nyquist frequency, in (0, sqrt(2)]; then `score` is not needed.
    candidates : cut-offs to choose from.

    Returns
    -------
    maps : `(n, h, w, 1)`, in the unit of the explainer; filtering may make values negative. `.settings["cutoff"]` is
        the cut-off in use.

    Raises
    ------
    ValueError : neither `score` nor `cutoff`, or both.

    Cost
    ----
    That of the explainer. Choosing: the explainer once on the images of the metric, and the metric once a candidate.

    Departs
    -------
    The cut-off is measured in cycles per pixel and not in cycles per image, so that it means the same for images of
    any proportions.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> from xsparks.attributions import Saliency
    >>> images = np.random.default_rng(0).random((1, 8, 12, 1)).astype("float32")
    >>> method = FORGrad(Saliency(lambda x: tf.reduce_sum(x**2, axis=(1, 2))), cutoff=0.25)
    >>> maps = method.explain(images, 0)
    >>> maps.shape, maps.settings["cutoff"]
    ((1, 8, 12, 1), 0.25)

    Source
    ------
    S. Muzellec, T. Fel, V. Boutin, L. Andéol, R. VanRullen, T. Serre, "Saliency strikes back: How filtering out high
    frequencies improves white-box explanations", ICML 2024, https://arxiv.org/abs/2307.09591
    """

    explainer: Any
    score: Any = None
    cutoff: float | None = None
    candidates: tuple[float, ...] = CANDIDATES

    deterministic: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    filters: ClassVar[bool] = True

    def __init__(
        self,
        explainer: Explainer,
        *,
        score: MapMetric | Sequence[MapMetric] | None = None,
        cutoff: float | None = None,
        candidates: Sequence[float] = CANDIDATES,
    ):
        if not isinstance(explainer, Explainer):
            raise TypeError(
                wording(
                    "FORGrad(explainer=...)",
                    expected="`explainer` must be an attribution method",
                    received=type(explainer).__name__,
                    remedy="Pass one, such as FORGrad(Saliency(model), cutoff=.125).",
                )
            )
        shared = {field.name: getattr(explainer, field.name) for field in dataclasses.fields(OnModel)}
        own = {"explainer": explainer, "score": score, "cutoff": cutoff, "candidates": tuple(candidates)}
        for name, value in {**shared, **own}.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def check(self) -> None:
        """Checks the options."""
        for cutoff in (*self.candidates, *([] if self.cutoff is None else [self.cutoff])):
            check_number("FORGrad", "cutoff", cutoff, 1e-6, math.sqrt(2) + 1e-9, "Use a fraction such as .125.")
        if (self.score is None) == (self.cutoff is None):
            raise ValueError(
                wording(
                    "FORGrad",
                    expected="either `score` or `cutoff` must be given",
                    received="none of them" if self.score is None else "both",
                    remedy="Pass score=Insertion(model, images, targets) to have the cut-off chosen, or cutoff=.125.",
                )
            )

    def replace(self, **changes: Any) -> FORGrad:
        """The same filter with other options; another model is given to the explainer and to the metrics of `score`."""
        own = {name: getattr(self, name) for name in ("score", "cutoff", "candidates")}
        own = {name: changes.pop(name, value) for name, value in own.items()}
        explainer = changes.pop("explainer", self.explainer)
        if "model" in changes and own["score"] is not None:
            own["score"] = [metric.replace(model=changes["model"]) for metric in _metrics(own["score"])]
        return FORGrad(explainer.replace(**changes), **own)

    @property
    def access(self) -> ModelAccess:
        """The model as the explainer sees it."""
        return self.explainer.access

    @property
    def engine(self) -> Engine:
        """The engine of the explainer."""
        return self.explainer.engine

    @property
    def traceable(self) -> bool:
        """As the explainer is."""
        return self.explainer.traceable

    def described_estimand(self) -> str:
        """What the explainer estimates, smoothed."""
        return f"low frequencies of: {self.explainer.described_estimand()}"

    def decided(self) -> dict[str, Any]:
        """The cut-off, and what the explainer decided."""
        return {**self.explainer.decided(), "cutoff": float(self.chosen_cutoff)}

    @cached_property
    def chosen_cutoff(self) -> float:
        """The cut-off in use: the one given, or the best of `trials`."""
        return self.cutoff if self.cutoff is not None else max(self.trials, key=lambda cutoff: self.trials[cutoff])

    @cached_property
    def trials(self) -> dict[float, float]:
        """How faithful the maps of the metrics' images are at each candidate; higher is better."""
        totals = dict.fromkeys(self.candidates, 0.0)
        for metric in _metrics(self.score):
            maps = self.explainer.explain(metric.inputs, metric.targets)
            sign = 1 if metric.better == "higher" else -1
            for cutoff in self.candidates:
                filtered = Explanation(
                    np.asarray(low_pass(maps.maps, cutoff)), digests=maps.digests, method=type(self).__name__
                )
                totals[cutoff] += sign * float(metric.evaluate(filtered))
        return totals

    def plan(self, layout: Layout, outputs: Any) -> Stages:
        """The plan of the explainer, its maps filtered at the end."""
        stages: tuple[Any, ...] = as_stages(self.explainer.planned(layout, outputs))
        *before, last = stages
        cutoff = self.chosen_cutoff

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            answer = last.finish(state, inputs, side)
            return {**answer, "maps": low_pass(at_size(answer["maps"], layout.spatial), cutoff)}

        return (*before, dataclasses.replace(last, finish=finish))


def _metrics(score: Any) -> list[MapMetric]:
    return [score] if isinstance(score, MapMetric) else list(score)
