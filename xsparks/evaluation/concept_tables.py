"""Concept extractors, and importances of concepts, in one table each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..attributions import GradientInput, IntegratedGradients, Occlusion, Saliency, SmoothGrad
from ..concepts import CRAFT, ConceptExtractor, ExtractionMetrics
from ..concepts.catalogue import EXTRACTORS
from ..concepts.extraction_metrics import BETTER
from ..concepts.learning import shown
from ..core.errors import ModelError, wording
from ..core.randomness import generator
from ..engine.record import model_digest, versions
from ..metrics import Deletion, Insertion, MuFidelity
from .result import BenchmarkResult

# Names the draws of this file among all that use the same seed.
_DRAW = 373
_RANDOM = "random"


def _fidelity(model: Any, inputs: Any, targets: Any, **options: Any) -> MuFidelity:
    """Half of the concepts are left out: of a few, a fifth would be one or none."""
    return MuFidelity(model, inputs, targets, subset_fraction=0.5, correlation="pearson", **options)


# What is compared where nothing is named; the baseline is a concept that is not there.
IMPORTANCES: dict[str, Callable[..., Any]] = {
    "GradientInput": GradientInput,
    "IntegratedGradients": lambda head: IntegratedGradients(head, baseline="zero"),
    "Occlusion": lambda head: Occlusion(head, patch_size=1, patch_stride=1, baseline="zero"),
    "Saliency": Saliency,
    "SmoothGrad": SmoothGrad,
}
METRICS: dict[str, Callable[..., Any]] = {"C-Deletion": Deletion, "C-Insertion": Insertion, "C-µFidelity": _fidelity}


def compare_extractors(
    craft: CRAFT,
    images: Any,
    class_id: int,
    extractors: Mapping[str, ConceptExtractor] | None = None,
    measures: ExtractionMetrics | None = None,
) -> BenchmarkResult:
    """Which extractor summarises the activations of a layer best, by which measure?

    Parameters
    ----------
    craft : the model, the layer, the crops and the number of concepts; it need not be fitted.
    images, class_id : as for `CRAFT.fit`; shown once, for all extractors.
    extractors : by name; None for all six of xsparks.
    measures : how they are measured; None for `ExtractionMetrics()`.

    Returns
    -------
    result : a `BenchmarkResult`, whose samples are the runs of `ExtractionMetrics`. Extractors that cannot take the
        activations, such as negative ones, stand in its `failures`. `.table()` is the table.

    Example
    -------
    >>> from xsparks.concepts import KMeansConcepts, PCAConcepts
    >>> from xsparks.datasets.shapes import load, load_model
    >>> craft = CRAFT(load_model(), layer="block4", number_of_concepts=3, patch_size=32)
    >>> both = {"k-means": KMeansConcepts(), "PCA": PCAConcepts()}
    >>> result = compare_extractors(craft, load(60, seed=3).images, 4, both)
    >>> result.best("relative l2"), result.best("sparsity")
    ('PCA', 'k-means')

    Source
    ------
    T. Fel et al., "A Holistic Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation",
    NeurIPS 2023, https://arxiv.org/abs/2306.07304
    """
    extractors = {name: make() for name, make in EXTRACTORS.items()} if extractors is None else dict(extractors)
    _check_some("compare_extractors", "extractors", extractors)
    measures = ExtractionMetrics(seed=craft.seed) if measures is None else measures
    gathered = shown(craft, images, class_id)
    scores, failures = {}, {}
    for name, extractor in extractors.items():
        try:
            scores[name] = measures.evaluate(
                extractor, gathered.activations[0], craft.number_of_concepts, gathered.image
            )
        except ModelError as error:
            failures[name] = str(error)
    return BenchmarkResult(
        scores,
        dict(BETTER),
        failures=failures,
        samples=tuple(f"run {run}" for run in range(measures.folds)),
        methods={name: {"class": type(extractor).__name__} for name, extractor in extractors.items()},
        model=model_digest(craft.model),
        seed=measures.seed,
        versions=versions(),
    )


def compare_importances(
    craft: CRAFT,
    inputs: Any,
    targets: Any = None,
    explainers: Mapping[str, Callable[..., Any]] | None = None,
    metrics: Mapping[str, Callable[..., Any]] | None = None,
) -> BenchmarkResult:
    """Which attribution method ranks concepts best, by which metric?

    Beside the methods stand the importances of `craft.explain` ("CRAFT"), and random ones as a control.

    Parameters
    ----------
    craft : fitted concepts.
    inputs, targets : as for `craft.explain`; arrays or a data set that can be read several times.
    explainers : by name, an attribution class or a function from a model to an explainer, as for `craft.importances`;
        None for gradient times input, integrated gradients, occlusion, saliency and SmoothGrad.
    metrics : by name, as for `craft.evaluate`; None for C-Deletion, C-Insertion and C-µFidelity.

    Returns
    -------
    result : a `BenchmarkResult`, whose samples are the inputs; `.table()` is the table.

    Example
    -------
    >>> from xsparks.datasets.shapes import load, load_model
    >>> data = load(90, seed=3)
    >>> craft = CRAFT(load_model(), layer="block4", number_of_concepts=4, patch_size=32).fit(data.images, class_id=4)
    >>> result = compare_importances(craft, data.images[data.labels == 4], explainers={"GradientInput": GradientInput})
    >>> float(result.scores["GradientInput"]["C-µFidelity"]) > 0.999, result.controls
    (True, ('random',))

    Source
    ------
    T. Fel et al., "A Holistic Approach to Unifying Automatic Concept Extraction and Concept Importance Estimation",
    NeurIPS 2023, https://arxiv.org/abs/2306.07304
    """
    explainers = IMPORTANCES if explainers is None else explainers
    metrics = METRICS if metrics is None else metrics
    _check_some("compare_importances", "explainers", explainers)
    _check_some("compare_importances", "metrics", metrics)
    found = craft.explain(inputs, targets)
    # The model sees the inputs once more, whatever the number of methods and metrics.
    asking = craft._asking
    seen = list(asking.seen(inputs, targets, "compare_importances"))
    ranked = {"CRAFT": found.importances}
    for name, explainer in explainers.items():
        ranked[name] = asking.attributed(seen, explainer)
    shape = found.importances.shape
    # An order that depends on the image alone.
    marks = np.asarray(found.digests).tolist()
    ranked[_RANDOM] = np.stack([generator(craft.seed, _DRAW, mark).random(shape[1]) for mark in marks])
    # Each metric once, for all importances.
    measured = {label: asking.metric(seen, metric) for label, metric in metrics.items()}
    scores = {
        name: {label: score(importances) for label, score in measured.items()} for name, importances in ranked.items()
    }
    better = {label: score.better for label, score in scores[_RANDOM].items()}
    return BenchmarkResult(
        scores,
        better,
        controls=(_RANDOM,),
        samples=tuple(str(number) for number in range(shape[0])),
        targets=tuple(np.asarray(found.targets).tolist()),
        methods={name: {"class": getattr(explainer, "__name__", name)} for name, explainer in explainers.items()},
        model=model_digest(craft.model),
        seed=craft.seed,
        versions=versions(),
    )


def _check_some(where: str, option: str, named: Mapping[str, Any]) -> None:
    if not named:
        raise ValueError(
            wording(
                f"{where}({option}=...)",
                expected=f"`{option}` must hold at least one",
                received="none",
                remedy="Pass them by name, or None for those of xsparks.",
            )
        )
