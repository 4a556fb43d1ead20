"""Models trained on different parts of the data, which MeGe and ReCo compare."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from ..core.checks import check_integer, check_number
from ..core.digests import digests
from ..core.errors import NotFittedError, wording
from ..core.inputs import Reader, Samples, leaves, map_leaves
from ..core.progress import progress_bar
from ..core.randomness import generator
from ..engine.record import described
from ..engine.seeds import seeded
from ..models.access import Notice
from .right_answers import right_answers
from .training_store import Store, fingerprint_of, open_store


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossTraining:
    """What would the model be, had it never seen this picture?

    The data are split into `k` parts of equal size, shuffled, with the same share of each class in all. Model `i` is
    trained without part `i`. Then every picture has one model that never saw it and `k - 1` that did, and `MeGe` and
    `ReCo` compare their maps. Make this object yourself to measure several methods on the same models; `MeGe` and
    `ReCo` make one where they get a function.

    All models start from the same seed, so that data alone set them apart, up to rounding in operations that run in
    parallel (`tf.config.experimental.enable_op_determinism()` removes it). Every global seed is given back after a
    training; see `xsparks.engine.seeds.seeded` for the one exception.

    Parameters
    ----------
    train : a function `(x_train, y_train, x_test, y_test) -> model`, or `KerasTraining(build, epochs=...)` around a
        function that builds a compiled Keras model. It must not choose its training data or its end by the test part.
    inputs, targets : all data, as for `explain`, held in memory; class ids, one-hot rows, or with `correct` anything.
    k_splits : parts and models, 2 or more. The paper takes 5.
    folder : where models, their answers and maps are kept as soon as they are known, so that an interrupted run goes
        on, a half-written model being trained again. It belongs to these data, these options and this training function
        (its own code, not that of what it calls). None keeps all in memory.
    seed : of the splits and of each training.
    compare_seeds : train a second model for each part, from the next seed, which `MeGe(net=True)` needs.
    tolerance : how far an accuracy on the held-out part may be from their mean before a warning says so.
    samples : explain at most so many pictures of each held-out part, chosen by the seed; None for all.
    correct : a function `(outputs, targets) -> (n,)` of truth values that says which answers are right, where targets
        are not classes; outputs are those of the model without a final softmax or sigmoid.
    preprocess : as for explainers, where the models want it.
    batch_size, progress : as for explainers.

    Raises
    ------
    TypeError : `train` takes no data, or returns no model.
    ValueError : too few samples, targets that no function calls right, a folder of another run.
    ModelError : a model that cannot be kept in `folder`.

    Cost
    ----
    `k` trainings, twice as many with `compare_seeds`, and `n k` forwards. In memory: the data, and without `folder`
    the models and the maps of one method for all of them, `k` a picture.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(12) % 2
    >>> x = (rng.random((12, 4)) + y[:, None]).astype("float32")
    >>> def nearest_mean(x_train, y_train, x_test, y_test):
    ...     means = np.stack([x_train[y_train == label].mean(0) for label in (0, 1)])
    ...     return lambda x: -((np.asarray(x)[:, None] - means) ** 2).sum(-1)
    >>> CrossTraining(nearest_mean, x, y, k_splits=3, progress=False).fit().accuracies_.tolist()
    [1.0, 1.0, 1.0]
    """

    train: Any = field(kw_only=False)
    inputs: Any = field(kw_only=False)
    targets: Any = field(default=None, kw_only=False)
    k_splits: int = 5
    folder: Any = None
    seed: int = 0
    compare_seeds: bool = False
    tolerance: float = 0.05
    samples: int | None = None
    correct: Callable[[Any, Any], Any] | None = None
    preprocess: Any = None
    batch_size: int | str = "auto"
    progress: bool | None = None

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_integer(where, "k_splits", self.k_splits, 2, "Use 5, as the paper does.")
        check_integer(where, "seed", self.seed, 0, "Use 0.")
        check_number(where, "tolerance", self.tolerance, 0, 1, "Use 0.05; 1 asks for nothing.")
        if self.samples is not None:
            check_integer(where, "samples", self.samples, 1, "Use None for all pictures.")
        if self.batch_size != "auto":
            check_integer(where, "batch_size", self.batch_size, 1, "Use 'auto' to have it found.")
        self._check_train()

    def _check_train(self) -> None:
        try:
            inspect.signature(self.train).bind(None, None, None, None)
        except ValueError:
            # Some compiled functions do not tell their parameters.
            return
        except TypeError as unfit:
            received = f"{type(self.train).__name__}: {unfit}"
            raise TypeError(
                wording(
                    type(self).__name__,
                    expected="`train` must be a function (x_train, y_train, x_test, y_test) -> model",
                    received=received,
                    remedy="Wrap a function that builds a compiled Keras model: KerasTraining(build, epochs=10).",
                )
            ) from unfit

    @cached_property
    def data(self) -> Samples:
        """All samples, read once."""
        where = type(self).__name__
        found = Reader(self.inputs, self.targets, None, where).read(2**62)
        if found is None or found.targets is None or len(found) < self.k_splits:
            received = "no targets" if found is not None and found.targets is None else "fewer samples than parts"
            raise ValueError(
                wording(
                    where,
                    expected=f"there must be targets, and at least {self.k_splits} samples",
                    received=received,
                    remedy="Pass the labels as `targets`, or a dataset of (inputs, targets).",
                )
            )
        return found

    @cached_property
    def classes(self) -> np.ndarray | None:
        """The class of each sample `(n,)`; None where targets are no classes."""
        targets = np.asarray(self.data.targets)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if targets.ndim == 1 and targets.dtype.kind in "iub":
            return targets.astype(np.int64)
        if targets.ndim == 2 and np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all():
            return targets.argmax(axis=1)
        return None

    @cached_property
    def held_out(self) -> list[np.ndarray]:
        """The samples of each part, in order.

        Parts have the same share of each class, where targets are classes of at least `k_splits` samples each.
        """
        count, classes = len(self.data), self.classes
        stratified = classes is not None and np.unique(classes, return_counts=True)[1].min() >= self.k_splits
        kind = StratifiedKFold if stratified else KFold
        splitter = kind(self.k_splits, shuffle=True, random_state=self.seed)
        return [part for _, part in splitter.split(np.zeros(count), classes if stratified else None)]

    @cached_property
    def explained(self) -> tuple[np.ndarray, np.ndarray]:
        """The samples that are explained `(e,)`, and the part of each `(e,)`."""
        parts = []
        for fold, part in enumerate(self.held_out):
            if self.samples is not None and self.samples < len(part):
                part = np.sort(generator(self.seed, 2, fold).choice(part, self.samples, replace=False))
            parts.append(part)
        return np.concatenate(parts), np.repeat(np.arange(self.k_splits), [len(part) for part in parts])

    @property
    def runs(self) -> int:
        """Trainings of each part, each from a seed of its own."""
        return 2 if self.compare_seeds else 1

    @property
    def names(self) -> list[str]:
        """The models by name: those of the first seed, part by part, then those of the second."""
        return [
            f"fold-{fold}" + (f"-seed-{run}" if run else "")
            for run in range(self.runs)
            for fold in range(self.k_splits)
        ]

    @cached_property
    def store(self) -> Store:
        """What keeps models and maps."""
        arrays = [digests([np.asarray(leaf)]) for leaf in leaves(self.data.inputs)]
        fingerprint = {
            "kind": "CrossTraining",
            "data": described(np.stack(arrays)),
            "targets": described(np.asarray(self.data.targets)),
            "splits": described(np.concatenate(self.held_out)),
            "k_splits": self.k_splits,
            "seed": self.seed,
            "train": fingerprint_of(self.train),
            "correct": fingerprint_of(self.correct),
            "preprocess": fingerprint_of(self.preprocess),
        }
        return open_store(self.folder, fingerprint, type(self).__name__)

    def rows(self, positions: np.ndarray) -> tuple[Any, np.ndarray]:
        """Some samples and their targets."""
        return map_leaves(lambda leaf: leaf[positions], self.data.inputs), np.asarray(self.data.targets)[positions]

    def fit(self) -> Self:
        """Trains the models that are not there yet, and looks whether they are equally good."""
        with progress_bar(len(self.names), type(self).__name__, self.progress, unit="model") as bar:
            for number, name in enumerate(self.names):
                if self.store.right(name) is None:
                    self._train_one(name, *divmod(number, self.k_splits))
                bar.update(1)
        if self._fitted:
            return self
        self._fitted.append(True)
        accuracies = self.accuracies_
        if np.abs(accuracies - accuracies.mean()).max() > self.tolerance:
            shown = ", ".join(f"{accuracy:.3f}" for accuracy in accuracies.ravel())
            warnings.warn(
                f"`{type(self).__name__}`: the models must be equally good to be compared, but their accuracies "
                f"{shown} differ from the mean by more than {self.tolerance:g}. Train longer, or on more data; or pass "
                "tolerance= if the held-out parts are too small to tell.",
                Notice,
                stacklevel=2,
            )
        return self

    @cached_property
    def _fitted(self) -> list[bool]:
        return []

    def _train_one(self, name: str, run: int, fold: int) -> None:
        part = self.held_out[fold]
        rest = np.setdiff1d(np.arange(len(self.data)), part)
        with seeded(self.seed + run):
            model = self.train(*self.rows(rest), *self.rows(part))
        if not callable(model):
            raise TypeError(
                wording(
                    type(self).__name__,
                    expected="`train` must return the trained model",
                    received=type(model).__name__,
                    remedy="Return the model itself, not the history of fit.",
                )
            )
        right = right_answers(model, self.data, self.classes, self.correct, self.preprocess, self.batch_size)
        self.store.keep(name, model, right)

    @property
    def right_(self) -> np.ndarray:
        """About which samples each model is right, `(models, n)`, in the order of `names`.

        Raises
        ------
        NotFittedError : before `fit`.
        """
        if not self._fitted:
            raise NotFittedError(
                wording(
                    type(self).__name__,
                    expected="the models must be trained",
                    received="none",
                    remedy="Call fit() first.",
                )
            )
        return np.stack([np.asarray(self.store.right(name)) for name in self.names])

    @property
    def accuracies_(self) -> np.ndarray:
        """The accuracy of each model on the part that it never saw, `(k,)`, of two seeds `(2, k)`."""
        right = self.right_
        found = [row[self.held_out[number % self.k_splits]].mean() for number, row in enumerate(right)]
        return np.array(found).reshape((self.runs, self.k_splits) if self.runs > 1 else self.k_splits)
