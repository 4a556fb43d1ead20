"""Methods beside each other, by many metrics, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from ..core.checks import check_integer
from ..core.errors import wording
from ..core.inputs import Reader
from ..core.progress import progress_bar
from ..engine import Explainer, ExplainerMetric, MapMetric, MapStatistic, Metric
from ..engine.record import described, model_digest
from ..engine.session import OnModel
from ..metrics.controls import CentreBlob, EdgeMap, RandomMap
from .gathering import check_names, result_of
from .measuring import Measuring
from .records import Records
from .result import BenchmarkResult

_CONTROLS = {"random map": RandomMap, "edge detector": EdgeMap, "centre blob": CentreBlob}
_MEASURES = (MapMetric, MapStatistic, ExplainerMetric)


@dataclass(frozen=True, eq=False, kw_only=True)
class Benchmark:
    """Which of these methods can be trusted on this model, by which measure, and at what cost?

    Every method explains the same samples for the same targets, with the same seed, and every metric measures the same
    maps: differences between methods are paired, and what two metrics ask the model alike is asked once. Beside the
    methods stand controls that never look at the model: what does not beat them shows nothing.

    Use it to choose a method for a model, or to publish a table. A metric is a question, not the truth: methods that
    hide pixels are at home in Deletion, and so on; look at several.

    Parameters
    ----------
    explainers : methods of one model, in a list or by the names that the table shall have.
    metrics : metrics of the same model, likewise: of maps (`MapMetric`, `MapStatistic`) or of explainers
        (`ExplainerMetric`). Their own `inputs` and `targets` are not read.
    controls : True for a random map, an edge detector and a blob at the centre; False for none; or explainers.
    group : samples that are explained together; results do not depend on it. A run that is interrupted loses at most
        this many maps of one method.
    keep_maps : keep the maps in the folder of `run`, so that a metric that is added later explains nothing again.
    seed : of the random map and of all intervals.
    progress : show a progress bar; None shows it on a terminal or in a notebook only.
    about : what else belongs to the run, as text by name, such as the digest of a model's file; a folder in which it
        differs is refused.

    Returns
    -------
    result : a `BenchmarkResult`, of `run(inputs, targets, out=folder)`.

    Raises
    ------
    ValueError : no method or metric, names that are there twice, or several models.
    TypeError : something that is no explainer, or a metric that trains models.

    Cost
    ----
    That of every method once, and of every metric once for each method, less what is shared. In memory: the maps of
    one group, and one line of numbers for each method and sample.

    Example
    -------
    >>> import numpy as np, tensorflow as tf
    >>> from xsparks.attributions import Occlusion, Saliency
    >>> from xsparks.metrics import Deletion
    >>> images = np.random.default_rng(0).random((4, 8, 8, 1)).astype("float32")
    >>> model = lambda x: tf.reduce_sum(x[:, 2:4, 2:4], axis=(1, 2))
    >>> methods = [Occlusion(model, patch_size=2), Saliency(model)]
    >>> result = Benchmark(methods, [Deletion(model, images)]).run(images, 0)
    >>> result.best("Deletion"), result.ranks("Deletion")
    ('Occlusion', {'Occlusion': 1.0, 'Saliency': 2.0})
    """

    explainers: Mapping[str, Explainer] | Sequence[Explainer] = field(kw_only=False)
    metrics: Mapping[str, Metric] | Sequence[Metric] = field(kw_only=False)
    controls: bool | Mapping[str, Explainer] | Sequence[Explainer] = True
    group: int = 8
    keep_maps: bool = True
    seed: int = 0
    progress: bool | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_integer("Benchmark", "group", self.group, 1, "Use 8.")
        check_integer("Benchmark", "seed", self.seed, 0, "Use 0.")
        for name, explainer in self.methods.items():
            self._check_kind("explainers", name, explainer, (Explainer,), "an Explainer, such as Saliency(model)")
        for name, metric in self.measures.items():
            self._check_kind("metrics", name, metric, _MEASURES, "a metric of maps or explainers, such as Deletion")
        for name, each in {**self.methods, **self.measures}.items():
            if getattr(each, "model", self._first.model) is not self._first.model:
                self._refuse(f"{name!r} must be built on the model of the others", "another model")
        if both := sorted({*self.methods} & {*self._asked_controls}):
            self._refuse("`controls` must have names of their own", both[0])

    @cached_property
    def methods(self) -> dict[str, Explainer]:
        """The methods by name, without controls."""
        return _named(self.explainers, "explainers")

    @cached_property
    def measures(self) -> dict[str, Any]:
        """The metrics by name."""
        return _named(self.metrics, "metrics")

    @property
    def _first(self) -> Explainer:
        return next(iter(self.methods.values()))

    @cached_property
    def _asked_controls(self) -> dict[str, Explainer]:
        if self.controls is not True:
            found = {} if self.controls is False or not self.controls else _named(self.controls, "controls")
            for name, control in found.items():
                self._check_kind("controls", name, control, (Explainer,), "an Explainer, such as RandomMap(model)")
            return found
        own = {each.name: getattr(self._first, each.name) for each in fields(OnModel)}
        own |= {"seed": self.seed, "progress": False}
        return {name: cls(**own) for name, cls in _CONTROLS.items()}

    def run(
        self, inputs: Any, targets: Any = None, out: Any = None, names: Sequence[str] | None = None
    ) -> BenchmarkResult:
        """Explains and measures everything that is not measured yet.

        Parameters
        ----------
        inputs, targets : as for `explain`, read once. Without targets the class that the model predicts is explained,
            by all methods the same.
        out : a folder. What is measured is written there as it comes, and the results at the end; a run that was
            interrupted goes on, and methods, metrics or samples that are added later cost only themselves.
        names : of the samples, such as their files; their numbers without it.

        Returns
        -------
        result : a `BenchmarkResult`.

        Raises
        ------
        ValueError : inputs that do not fit the model, a folder of another model.
        ModelError : no method can explain the model, or no map can be measured by one of the metrics.
        WriteError : the folder cannot be written; what was measured is kept.
        KeyboardInterrupt : after Ctrl-C, with a word on what is kept.
        """
        first = self._first
        reader = Reader(inputs, targets, first._sample_rank(inputs), "Benchmark")
        check_names(names, reader.count)
        records = Records(out, self._fingerprint(reader), self.keep_maps)
        sample = first._checked(reader.peek())
        kind = first.access.layout(first.engine.explained(sample).shape[1:]).kind
        controls = {
            name: control for name, control in self._asked_controls.items() if kind in control.kinds or not self._own
        }
        measuring = Measuring(self.methods, controls, self.measures, records)
        total = None if reader.count is None else reader.count * len(measuring.explainers)
        try:
            with progress_bar(total, "Benchmark", self.progress, unit="map") as bar:
                while (samples := reader.read(self.group)) is not None:
                    measuring.measure(samples, bar)
        except KeyboardInterrupt as interrupted:
            raise KeyboardInterrupt(_kept_words(measuring.finished(), records.folder)) from interrupted
        result = result_of(measuring, list(controls), self.seed, names)
        if out is not None:
            result.save(out)
        return result

    @property
    def _own(self) -> bool:
        """Whether the controls are those that nobody asked for by themselves."""
        return self.controls is True

    def _fingerprint(self, reader: Reader) -> dict[str, Any]:
        first = self._first
        read = ("output_layer", "operator", "preprocess", "explain_input")
        return {
            "model": model_digest(first.model),
            **{name: described(getattr(first, name)) for name in read},
            "about": dict(self.about),
        }

    def _check_kind(self, option: str, name: str, each: Any, kinds: Any, expected: str) -> None:
        if not isinstance(each, kinds):
            raise TypeError(
                wording(
                    f"Benchmark({option}=...)",
                    expected=f"{name!r} must be {expected}",
                    received=f"the class {each.__name__}" if isinstance(each, type) else type(each).__name__,
                    remedy="Names and classes are for `xsparks.evaluate(model, ...)`; MeGe and ReCo train models "
                    "and are called by themselves."
                    if option == "metrics"
                    else "Names and classes are for `xsparks.evaluate(model, ...)`.",
                )
            )

    def _refuse(self, expected: str, received: Any) -> None:
        remedy = "One benchmark is about one model, each method and control under a name of its own."
        raise ValueError(wording("Benchmark", expected=expected, received=received, remedy=remedy))


def _kept_words(count: int, folder: Any) -> str:
    if folder is None:
        return "Nothing is kept without a folder: pass out=."
    return f"{count} maps are measured and kept in {folder}; the same call goes on after them."


def _named(given: Any, option: str) -> dict[str, Any]:
    """Objects by name: their own classes' where none is given, numbered from the second of a class on."""
    if isinstance(given, Mapping):
        named = {str(name): each for name, each in given.items()}
    else:
        named, seen = {}, dict[str, int]()
        for each in given if isinstance(given, Sequence) and not isinstance(given, str) else [given]:
            name = each.__name__ if isinstance(each, type) else type(each).__name__
            seen[name] = seen.get(name, 0) + 1
            named[f"{name} #{seen[name]}" if seen[name] > 1 else name] = each
    if not named:
        raise ValueError(
            wording(
                f"Benchmark({option}=...)",
                expected=f"`{option}` must hold at least one",
                received="none",
                remedy="For example Benchmark([Saliency(model)], [Deletion(model, images)]).",
            )
        )
    return named
