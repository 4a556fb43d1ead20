"""The shortest way to a map, and to several beside each other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .attributions.catalogue import method_named
from .core.errors import nearest, wording
from .engine import Explainer, Explanation, Metric, Score
from .evaluation import Benchmark, BenchmarkResult
from .metrics.catalogue import make_metric, metric_named, options_of

COMPARED = ("sobol", "gradcam", "integratedgradients", "smoothgrad")
MEASURED = ("deletion", "insertion")


def explain(
    model: Any, images: Any, targets: Any = None, method: str | type[Explainer] = "sobol", **options: Any
) -> Explanation:
    """Where does the model look in these images?

    Parameters
    ----------
    model : a Keras model of any kind, or any callable for methods without gradients.
    images : `(n, h, w, c)`, or what else `Explainer.explain` takes.
    targets : None for the predicted class, one class id, ids `(n,)`, or what the operator defines.
    method : the name of a method, such as `"gradcam"`, or its class.
    options : those of the method, such as `preprocess="tf"` or `grid_size=7`.

    Returns
    -------
    explanation : maps `(n, h, w, 1)` that plot and save themselves.

    Raises
    ------
    ValueError : an unknown method; the nearest names are listed.

    Example
    -------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((1, 8, 8, 3)).astype("float32")
    >>> explain(lambda x: x[:, 2, 3], images, method="occlusion", patch_size=1).values[0, :, :, 0].argmax()
    np.int64(19)
    """
    return as_explainer(model, method, "explain", options).explain(images, targets)


def compare(
    model: Any,
    images: Any,
    targets: Any = None,
    methods: Sequence[str | type[Explainer] | Explainer] = COMPARED,
    metrics: Sequence[type[Metric] | Metric] = (),
    **options: Any,
) -> Comparison:
    """Where do several methods look in the same images, and which is most faithful?

    Parameters
    ----------
    model, images, targets : as for `explain`; images must be an array, a tensor or a list, as they are read often.
    methods : names, classes, or explainers with options of their own.
    metrics : classes such as `Deletion`, or metrics with options of their own; none costs nothing.
    options : given to every method and metric that has them, such as `preprocess="tf"`.

    Returns
    -------
    comparison : a `Comparison`: the maps by method, and their scores.

    Raises
    ------
    ValueError : an unknown method, no method, or an option that none of them has.

    Example
    -------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    >>> both = compare(lambda x: x[:, 2, 3], images, 0, methods=["saliency", "gradientinput"])
    >>> list(both.explanations)
    ['Saliency', 'GradientInput']
    """
    if hasattr(images, "element_spec"):
        raise TypeError(
            wording(
                "compare",
                expected="`images` must be an array, a tensor or a list, which several methods can read",
                received=type(images).__name__,
                remedy="Take some samples out of the dataset, or explain it with one method after the other.",
            )
        )
    if isinstance(methods, str) or not methods:
        raise ValueError(
            wording(
                "compare",
                expected="`methods` must be a sequence of at least one method",
                received=repr(methods),
                remedy='For example methods=["sobol", "gradcam"].',
            )
        )
    wanted = [method if isinstance(method, Explainer) else _class_of(method, "compare") for method in methods]
    measures = list(metrics)
    _check_options(options, [each for each in (*wanted, *measures) if isinstance(each, type)])
    explainers = [each if isinstance(each, Explainer) else each(model, **_own(each, options)) for each in wanted]
    explanations: dict[str, Explanation] = {}
    for explainer in explainers:
        name = type(explainer).__name__
        same = sum(known.split(" #")[0] == name for known in explanations)
        explanations[f"{name} #{same + 1}" if same else name] = explainer.explain(images, targets)
    explained = next(iter(explanations.values())).targets
    built = [
        each if isinstance(each, Metric) else make_metric(each, model, images, explained, options, "compare")
        for each in measures
    ]
    scores = {
        name: {type(metric).__name__: metric.evaluate(maps) for metric in built} for name, maps in explanations.items()
    }
    return Comparison(explanations, scores, images)


def evaluate(
    model: Any,
    images: Any,
    targets: Any = None,
    methods: Sequence[str | type[Explainer] | Explainer] = COMPARED,
    metrics: Sequence[str | type[Metric] | Metric] = MEASURED,
    out: Any = None,
    controls: bool = True,
    names: Sequence[str] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> BenchmarkResult:
    """Which method can be trusted on this model, by which measure, and at what cost?

    A `Benchmark` whose methods and metrics are named.

    Parameters
    ----------
    model, images, targets : as for `explain`.
    methods, metrics : names, classes, or objects with options of their own.
    out : a folder for the results; an interrupted run goes on from what is there.
    controls : add a random map, an edge detector and a blob at the centre.
    names : of the images.
    progress : show a progress bar; None shows it on a terminal or in a notebook only.
    options : given to every method and metric that has them, such as `preprocess="tf"`, `batch_size=64`, or `regions=`,
        the masks that measures of place need.

    Returns
    -------
    result : a `BenchmarkResult`.

    Raises
    ------
    ValueError : an unknown method or metric, none of them, or an option that none has.

    Example
    -------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    >>> result = evaluate(lambda x: x[:, 2, 3], images, 0, methods=["occlusion", "saliency"], patch_size=1)
    >>> result.best("Deletion")
    'Occlusion'
    """
    chosen = [each if isinstance(each, Explainer) else _class_of(each, "evaluate") for each in _listed(methods)]
    measures = [metric_named(each, "evaluate") if isinstance(each, str) else each for each in _listed(metrics)]
    _check_options(options, [each for each in (*chosen, *measures) if isinstance(each, type)], "evaluate")
    silent = {"progress": False, **options}
    explainers = [each if isinstance(each, Explainer) else each(model, **_own(each, silent)) for each in chosen]
    asked = [
        make_metric(each, model, images, targets, silent, "evaluate") if isinstance(each, type) else each
        for each in measures
    ]
    benchmark = Benchmark(explainers, asked, controls=controls, seed=options.get("seed", 0), progress=progress)
    return benchmark.run(images, targets, out, names)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several explanations of the same images, and how they score.

    Parameters
    ----------
    explanations : by the name of the method.
    scores : for each method, a `Score` by the name of the metric.
    images : the images explained.
    """

    explanations: dict[str, Explanation]
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    images: Any = None

    def __getitem__(self, name: str) -> Explanation:
        return self.explanations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.explanations)

    def __len__(self) -> int:
        return len(self.explanations)

    def plot(self, images: Any = None, **options: Any) -> Any:
        """A row for each image and a column for each method, `(figure, axes)`; shows nothing.

        Parameters
        ----------
        images : pictures to draw instead of those explained, such as before preprocessing.
        options : those of `xsparks.plots.plot_comparison`.
        """
        from .plots import plot_comparison

        maps = {_readable(name): explanation.maps for name, explanation in self.explanations.items()}
        if any(self.scores.values()):
            table = {
                _readable(name): {metric: score.per_sample for metric, score in own.items()}
                for name, own in self.scores.items()
            }
            options.setdefault("scores", table)
            one = next(iter(self.scores.values()))
            options.setdefault("better", {metric: score.better for metric, score in one.items()})
        options.setdefault("titles", next(iter(self.explanations.values())).titles())
        return plot_comparison(self.images if images is None else images, maps, **options)

    def table(self) -> str:
        """The scores as a Markdown table, each with its 95 % interval."""
        metrics = list(next(iter(self.scores.values()), {}))
        lines = ["| Method | " + " | ".join(metrics) + " |", "|" + "---|" * (len(metrics) + 1)]
        for name, own in self.scores.items():
            cells = [f"{float(score):.3f} [{score.interval[0]:.3f}, {score.interval[1]:.3f}]" for score in own.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def as_explainer(model: Any, method: str | type[Explainer], where: str, options: Mapping[str, Any]) -> Explainer:
    """The explainer that a name or a class and its options stand for."""
    found = _class_of(method, where)
    _check_options(options, [found], where)
    return found(model, **options)


def _class_of(method: Any, where: str) -> type[Explainer]:
    if isinstance(method, str):
        return method_named(method, f"{where}(method={method!r})")
    if isinstance(method, type) and issubclass(method, Explainer):
        return method
    raise TypeError(
        wording(
            where,
            expected="a method must be a name or an attribution class",
            received=type(method).__name__,
            remedy='For example "gradcam", or call .explain of the explainer that you have.',
        )
    )


def _listed(given: Any) -> Sequence[Any]:
    """Several, also where only one is given."""
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def _options_of(kind: Any) -> set[str]:
    if isinstance(kind, type) and issubclass(kind, Metric):
        return options_of(kind)
    return set(inspect.signature(kind).parameters) - {"model", "inputs", "targets"}


def _own(kind: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in _options_of(kind)}


def _check_options(options: Mapping[str, Any], kinds: Sequence[Any], where: str = "compare") -> None:
    known = set().union(*(_options_of(kind) for kind in kinds)) if kinds else set()
    for name in options:
        if name not in known:
            raise ValueError(
                wording(
                    f"{where}({name}=...)",
                    expected="an option must belong to "
                    + ("the method" if len(kinds) == 1 else "at least one of the methods or metrics"),
                    received=repr(name),
                    remedy=nearest(name, sorted(known)),
                )
            )


def _readable(name: str) -> str:
    """A class name as words, which can be wrapped over a narrow column: "Integrated Gradients"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
