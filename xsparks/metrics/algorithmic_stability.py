"""What MeGe and ReCo share: every picture is explained for models that saw it and for one that did not."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np

from ..core.checks import check_choice, check_integer
from ..core.errors import wording
from ..core.progress import progress_bar
from ..engine.map_source import MapSource
from ..engine.record import settings_of, versions
from ..engine.score import Score
from ..engine.training_metric import TrainingMetric
from ..numerics.clusters import cluster_bootstrap_interval, jackknife_interval
from ..numerics.compared_maps import ComparedMaps, Pairs
from ..numerics.map_distances import NAMES, is_constant, map_distances
from .cross_training import CrossTraining
from .training_store import fingerprint_of, method_digest

# Pictures explained at a time, a file of maps each; and numbers compared at a time, some 64 MB of float64.
_GROUP, _NUMBERS = 128, 2**23


@dataclass(frozen=True, eq=False, kw_only=True)
class AlgorithmicStability(TrainingMetric, abc.ABC):
    """A measure of a method by the distances of its maps of one picture, of models trained with and without it.

    Parameters
    ----------
    train, inputs, targets, k_splits, folder, seed, samples, progress : those of `CrossTraining`. `train` may be a
        `CrossTraining` instead, whose models are then used (and trained if they are not yet), and the others stay away.
    distance : of two maps: a name of `xsparks.numerics.map_distances`, or a function of two arrays `(m, h, w)`.
    explained_class : `"true"`, every model explains the true class, as Xplique has it; or `"predicted"`, each explains
        what it predicts (all those that are right explain the same).
    interval : `"images"`, the bootstrap over pictures, with all pairs of a picture; or `"folds"`, the jackknife over
        models.
    """

    train: Any = field(kw_only=False)
    inputs: Any = field(default=None, kw_only=False)
    targets: Any = field(default=None, kw_only=False)
    k_splits: int = 5
    folder: Any = None
    seed: int = 0
    samples: int | None = None
    progress: bool | None = None
    distance: str | Callable[[np.ndarray, np.ndarray], Any] = "spearman_abs"
    explained_class: str = "true"
    interval: str = "images"

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_integer(where, "seed", self.seed, 0, "Use 0.")
        if not callable(self.distance):
            check_choice(where, "distance", self.distance, NAMES)
        check_choice(where, "explained_class", self.explained_class, ("true", "predicted"))
        check_choice(where, "interval", self.interval, ("images", "folds"))
        self.check()
        _ = self.cross_training

    def check(self) -> None:
        """Checks the options of the metric itself; called by the constructor."""

    def training_options(self) -> dict[str, Any]:
        """What the metric asks of a `CrossTraining` of its own."""
        return {}

    @cached_property
    def cross_training(self) -> CrossTraining:
        """The models and what they were trained on."""
        names = ("k_splits", "folder", "seed", "samples", "progress")
        given = {name: getattr(self, name) for name in names}
        if not isinstance(self.train, CrossTraining):
            return CrossTraining(self.train, self.inputs, self.targets, **given, **self.training_options())
        defaults = {entry.name: entry.default for entry in dataclasses.fields(self)}
        twice = [name for name in ("inputs", "targets", *names[:-1]) if getattr(self, name) is not defaults[name]]
        if twice:
            raise ValueError(
                wording(
                    type(self).__name__,
                    expected="the data and the options of training must come from the CrossTraining",
                    received=f"{', '.join(twice)} beside it",
                    remedy=f"Leave them out: {type(self).__name__}(cross_training).",
                )
            )
        return self.train

    @abc.abstractmethod
    def measure(self, compared: ComparedMaps, scored: Callable[..., Score]) -> Score:
        """The score of these distances, made by `scored(value, per_sample, interval, **extras)`."""

    @final
    def evaluate(self, make_explainer: Callable[[Any], Any], /) -> Score:
        """How stable is this method when the data change?

        Parameters
        ----------
        make_explainer : from a model to an explainer of it: a class such as `Saliency`, or any function of a model that
            returns an object with `explain(inputs, targets)`. Maps are kept with the models, by the settings of the
            explainer, where it is a dataclass, as all of xsparks are (functions among them count by their names); other
            objects explain anew for each metric.

        Returns
        -------
        score : a `Score`.

        Raises
        ------
        TypeError : `make_explainer` makes no explainer.
        ValueError : maps that do not fit the pictures or are not finite; no pair of the kind that the metric compares.
        """
        compared, explainer = self.compare(make_explainer)
        options = settings_of(explainer) if dataclasses.is_dataclass(explainer) else {}

        def scored(value: float, per_sample: np.ndarray, interval: tuple[float, float], **extras: Any) -> Score:
            cross = self.cross_training
            common = {"accuracies": cross.accuracies_, "constant_maps": compared.constant}
            return Score(
                value,
                per_sample,
                interval,
                self.better,
                type(self).__name__,
                method=type(explainer).__name__,
                settings={**settings_of(self), "train": fingerprint_of(cross.train), "explainer": options},
                versions=versions(),
                extras={**common, **extras},
            )

        return self.measure(compared, scored)

    def compare(self, make_explainer: Callable[[Any], Any]) -> tuple[ComparedMaps, Any]:
        """Explains what is not explained yet, for every model, and compares the maps; also an explainer, the last."""
        cross = self.cross_training
        cross.fit()
        if self.explained_class == "true" and cross.classes is None:
            raise ValueError(
                wording(
                    f"{type(self).__name__}(explained_class='true')",
                    expected="targets must be classes",
                    received=f"{np.asarray(cross.data.targets).dtype} of shape {np.shape(cross.data.targets)}",
                    remedy="Use explained_class='predicted'.",
                )
            )
        positions, folds = cross.explained
        groups = [positions[start : start + _GROUP] for start in range(0, len(positions), _GROUP)]
        of_models, explainer = [], None
        with progress_bar(len(cross.names) * len(positions), type(self).__name__, self.progress, unit="map") as bar:
            for name in cross.names:
                explainer = self._explainer_of(make_explainer, cross.store.model(name))
                of_models.append(self._explained(name, explainer, groups, bar))
        distances, constant = [], 0
        for part in range(len(groups)):
            maps = np.stack([read(part) for read in of_models], axis=1)
            constant += int(is_constant(maps).sum())
            step = max(1, _NUMBERS // max(1, maps[0].size))
            rows = [maps[start : start + step] for start in range(0, len(maps), step)]
            distances += [map_distances(some, self.distance) for some in rows]
        right = cross.right_[:, positions].T
        return ComparedMaps(positions, folds, np.concatenate(distances), right, cross.k_splits, constant), explainer

    def _explainer_of(self, make_explainer: Callable[[Any], Any], model: Any) -> Any:
        explainer = make_explainer(model) if callable(make_explainer) else make_explainer
        if not callable(make_explainer) or not callable(getattr(explainer, "explain", None)):
            raise TypeError(
                wording(
                    f"{type(self).__name__}.evaluate",
                    expected="`make_explainer` must be a function from a model to an explainer of it",
                    received=type(explainer).__name__,
                    remedy="For example Saliency, or lambda model: RISE(model, samples=500).",
                )
            )
        return explainer

    def _explained(self, name: str, explainer: Any, groups: list[np.ndarray], bar: Any) -> Callable[[int], np.ndarray]:
        """Has a model's pictures explained; returns what reads the maps of a group, `(m, h, w)`."""
        cross, store = self.cross_training, self.cross_training.store
        chosen = hashlib.blake2b(np.concatenate(groups).astype("<i8").tobytes(), digest_size=8).hexdigest()
        known = method_digest(explainer, self.explained_class, chosen)
        fresh: dict[int, np.ndarray] = {}
        for part, positions in enumerate(groups):
            if known is None or store.maps(name, known, part) is None:
                inputs, targets = cross.rows(positions)
                found = explainer.explain(inputs, targets if self.explained_class == "true" else None)
                maps = MapSource(found, type(self).__name__, len(positions)).all()
                if known is None:
                    fresh[part] = maps
                else:
                    store.keep_maps(name, known, part, maps)
            bar.update(len(positions))
        if known is None:
            return fresh.__getitem__
        return lambda part: np.asarray(store.maps(name, known, part))

    def bounds(self, statistic: Callable[[np.ndarray], float | None], pairs: Pairs) -> tuple[float, float]:
        """The interval of a statistic of weights of the pairs."""
        if self.interval == "images":
            return cluster_bootstrap_interval(statistic, pairs.picture, self.cross_training.seed)
        splits = self.cross_training.k_splits
        return jackknife_interval(statistic, np.stack([pairs.without, pairs.with_], axis=1) % splits, splits)
