"""CRAFT (Fel, Picard, Béthune, Boissin, Vigouroux, Colin, Cadène, Serre 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.checks import check_choice, check_integer
from ..core.errors import NotFittedError, wording
from ..core.inputs import Reader
from ..core.progress import progress_bar
from ..engine import Explainer, Score
from ..engine.schedule import group_size
from ..engine.session import OnModel
from ..numerics.sobol_designs import DESIGNS, make_design
from . import learning, storing
from .asking import questions_for
from .catalogue import as_extractor
from .explanation import ConceptExplanation
from .gathering import cut_place
from .learned import LearnedConcepts
from .localization import ConceptPresence

if TYPE_CHECKING:
    from .tree import ConceptTree

IMPORTANCES = ("auto", "affine", "sobol")


@dataclass(frozen=True, eq=False, kw_only=True)
class CRAFT(OnModel):
    """Which concepts does the model see in the images of a class, where are they, and how much does each count?

    The model is cut at a layer, `f = h(g(x))`. Crops of images that are predicted as the class are shown; the mean
    activations `A = g(crops)` are factorized, `A ~ U V` with `U >= 0` and `V >= 0`: the rows of `V` are the concepts.
    In a new image the coefficients of each place solve `u = argmin_{u >= 0} |g(x) - u V|^2`, which gives a map a
    concept. Its importance is the total Sobol index of the masks `M` in `f(M) = h((u * M) V)`, `M_i` in [0, 1]:

        S_Ti = E[Var(f(M) | M_j, j != i)] / Var f(M);    c_i^2 / sum_j c_j^2 where `h` is affine,

    `c_i` being what concept `i` adds to the score. Use it to say *what* a model looks for; attribution methods say
    where. Concepts are those of the images that were shown: a few hundred of one class, from the data that the model
    was trained on. Not for layers whose places say nothing by themselves, such as the last dense ones.

    Parameters
    ----------
    model : a Keras model.
    layer : where it is cut: a name, a dotted path, a position or the layer; None for the last one laid out in space
        that the outputs depend on. Every path must lead through it, and for `"nmf"` its answer must not be negative.
    number_of_concepts : 10 to 25; at most the rank of the activations.
    patch_size : the side of a crop in pixels; crops overlap by a fifth and are enlarged to the size of the image. 64 to
        100 for images of 224. None shows whole images and takes the activations of every place.
    factorizer : `"nmf"`, `"semi_nmf"` (layers with negative answers), `"convex_nmf"`, `"kmeans"`, `"pca"`, `"ica"`, or
        an object with the members of `ConceptExtractor`.
    importance : `"auto"` takes the closed form where the head is affine and the Sobol design elsewhere; `"affine"` or
        `"sobol"` insists.
    nb_design : rows of the design, each costs `number_of_concepts + 1` passes through the head; a power of two is
        best.
    design : `"scrambled_sobol"`, or another of `xsparks.numerics.sobol_designs`.
    predicted_only : show only images that the model predicts as the class; False shows all.

    Returns
    -------
    found : `explain` gives a `ConceptExplanation`, maps `(n, h, w, r)` kept on the grid of the layer, in units of the
        activations; `.coefficients (n, r)`, `.importances (n, r)` with `.importance_intervals`, `.global_importances`
        with `.global_intervals`; `.contributions (n, r)`, with a sign, where the head is affine.

    Raises
    ------
    ModelError : no Keras model, a layer that is no cut, negative activations for a non-negative factorization.
    ValueError : no image is predicted as the class; fewer crops than concepts, or a rank below their number.
    NotFittedError : `explain` before `fit`.

    Cost
    ----
    `fit`: one forward an image, and one a crop (16 of 224 x 224 pixels); the factorization. `explain`: one forward, and
    where the head is affine one backward through the head, else `nb_design (r + 1)` passes through the head, of one
    place where it reads nothing but the mean over places.

    Departs
    -------
    Crops are spread evenly up to the edges. The design is scrambled, has 128 rows, and its indices are divided by the
    realised step of each column: of 25 concepts of random affine heads the most important one is then found always, and
    by 32 unscrambled rows, as published, in 37 to 60 % of the heads. Other attribution methods vary the strength `s` of
    each concept in `h((s u) V)`, from 0 to 1, not its coefficient.

    Example
    -------
    >>> from xsparks.datasets.shapes import load, load_model
    >>> data = load(60, seed=3)
    >>> craft = CRAFT(load_model(), layer="block4", number_of_concepts=4, patch_size=32)
    >>> found = craft.fit(data.images, class_id=4).explain(data.images[data.labels == 4])
    >>> found.shape, found.importances.shape, bool(abs(found.global_importances.sum() - 1) < 1e-3)
    ((6, 64, 64, 4), (6, 4), True)

    Source
    ------
    T. Fel, A. Picard, L. Béthune, T. Boissin, D. Vigouroux, J. Colin, R. Cadène, T. Serre, "CRAFT: Concept Recursive
    Activation FacTorization for Explainability", CVPR 2023, https://arxiv.org/abs/2211.10154
    """

    layer: Any = None
    number_of_concepts: int = 20
    patch_size: int | None = 64
    factorizer: Any = "nmf"
    importance: str = "auto"
    nb_design: int = 128
    design: str = "scrambled_sobol"
    predicted_only: bool = True

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_integer(name, "number_of_concepts", self.number_of_concepts, 1, "Use 10.")
        if self.patch_size is not None:
            check_integer(name, "patch_size", self.patch_size, 1, "Use 64 for images of 224 pixels, or None.")
        check_choice(name, "importance", self.importance, IMPORTANCES)
        check_choice(name, "design", self.design, DESIGNS)
        check_integer(name, "nb_design", self.nb_design, 1, "Use 128.")
        as_extractor(self.factorizer, name)
        make_design(self.design, self.nb_design, self.number_of_concepts, self.seed)

    @property
    def blocks(self) -> int:
        """Parts of the design, from which the intervals of an image are made; 1 for no interval."""
        return 1 if self.design == "paper" or self.nb_design % 4 or self.nb_design < 16 else 4

    @cached_property
    def place(self) -> str:
        """The path of the layer where the model is cut."""
        return cut_place(self)

    def fit(self, images: Any, class_id: int) -> CRAFT:
        """Finds the concepts of a class; returns itself.

        Parameters
        ----------
        images : as for `explain`, a few hundred; read once.
        class_id : only images that the model predicts as this class are shown, unless `predicted_only=False`.
        """
        self._learn(learning.learn(self, images, class_id))
        return self

    def _learn(self, learned: LearnedConcepts) -> None:
        object.__setattr__(self, "_learned", learned)
        # What was compiled for the concepts from before.
        self._plans.clear()
        self.__dict__.pop("_asking", None)

    @property
    def learned_(self) -> LearnedConcepts:
        """What `fit` learned: the dictionary, and the coefficients, images and boxes of the crops."""
        learned = self.__dict__.get("_learned")
        if learned is None:
            raise NotFittedError(
                wording(
                    type(self).__name__,
                    expected="`fit` must come first",
                    received="no concepts yet",
                    remedy="Call craft.fit(images, class_id), or CRAFT.load(path, model).",
                )
            )
        return learned

    @property
    def dictionary_(self) -> np.ndarray:
        """The concepts, `(r, p)`: directions in what the layer answers."""
        return self.learned_.dictionary.atoms

    @cached_property
    def _asking(self) -> Any:
        return questions_for(self)

    def explain(self, inputs: Any, targets: Any = None) -> ConceptExplanation:
        """The concepts of these inputs.

        Parameters
        ----------
        inputs : `(n, h, w, c)`, of any kind that attribution methods take.
        targets : whose score the importances are about; None for the class of `fit`.

        Returns
        -------
        found : a `ConceptExplanation`.
        """
        learned, name = self.learned_, type(self).__name__
        reader = Reader(inputs, targets, self._sample_rank(inputs), f"{name}.explain")
        self.access.ensure_ready(self._checked(reader.peek()))
        parts = []
        with progress_bar(reader.count, name, self.progress, unit="image") as bar:
            while (samples := reader.read(group_size(1, self.engine.batch_size))) is not None:
                own = samples.targets if samples.targets is not None else np.full(len(samples), learned.class_id)
                parts.append(self._asking.explained(samples.inputs, own, samples.start))
                bar.update(len(samples))
        return ConceptExplanation.concatenate(parts)  # pyright: ignore[reportReturnType]

    def __call__(self, inputs: Any, targets: Any = None) -> ConceptExplanation:
        """The same as `explain`."""
        return self.explain(inputs, targets)

    def importances(
        self, inputs: Any, targets: Any = None, *, explainer: Callable[..., Explainer] | None = None
    ) -> np.ndarray:
        """The importance of each concept, `(n, r)`, also by any attribution method, applied to `u -> h(u V)`.

        Parameters
        ----------
        inputs : as for `explain`, or what `explain` found, which is not shown to the model again.
        explainer : an attribution class, such as `Occlusion`, or a function from a model to an explainer of it; what it
            ranks is the strength of each concept, 1 in the image as it is. Give it the baseline 0. None: as `explain`.
        """
        asking = self._asking
        seen = asking.seen(inputs, targets, f"{type(self).__name__}.importances")
        return asking.own(seen) if explainer is None else asking.attributed(seen, explainer)

    def evaluate(self, importances: Any, inputs: Any, targets: Any = None, *, metric: Callable[..., Any]) -> Score:
        """How well do importances rank the concepts? C-Deletion, C-Insertion, C-µFidelity, and any metric of maps.

        The metric is applied to `u -> h(u V)`: concepts are taken away and put back as pixels are from images, all
        places at once, and the logit is followed.

        Parameters
        ----------
        importances : `(n, r)`, of these inputs, such as `found.importances` or what `importances` gave; signed ones are
            ranked by their value.
        metric : a class, such as `xsparks.metrics.Deletion` (one concept a step) or `MuFidelity`, or a function from
            `(model, inputs, targets, **options)` to a metric of them.
        """
        asking = self._asking
        return asking.metric(asking.seen(inputs, targets, f"{type(self).__name__}.evaluate"), metric)(importances)

    def localize(self, inputs: Any, concepts: Any = None, *, explainer: Any, reduction: str = "mean") -> Any:
        """Which pixels is a concept made of? Maps by any attribution method, through the encoding.

        Parameters
        ----------
        concepts : their numbers, one for all inputs or one each; None for the strongest of each.
        explainer : an attribution class, such as `Saliency`, or an explainer of this model.
        reduction : of the concept over places, `"mean"` or `"max"`.

        Returns
        -------
        maps : the `Explanation` of the method, whose targets are concepts.
        """
        if isinstance(explainer, type):
            names = ("preprocess", "explain_input", "batch_size", "seed", "progress", "jit_compile")
            explainer = explainer(self.model, **{name: getattr(self, name) for name in names})
        elif explainer.model is not self.model:
            raise ValueError(
                wording(
                    f"{type(self).__name__}.localize",
                    expected="`explainer` must explain the model of these concepts",
                    received="an explainer of another model",
                    remedy="Build both on the same model object, or pass the class alone.",
                )
            )
        presence = ConceptPresence(dictionary=self.learned_.dictionary, reduction=reduction)
        own = {"output_layer": self.learned_.layer, "class_names": self.learned_.names}
        return explainer.replace(operator=presence, **own).explain(inputs, concepts)

    def crops(self, images: Any, count: int = 10, concepts: Sequence[int] | None = None) -> dict[int, np.ndarray]:
        """The crops with most of each concept, cut from the images of `fit`: concept -> `(k, patch, patch, c)`.

        Parameters
        ----------
        images : those of `fit`, in the same order.
        count : crops a concept, at most; those of different images come first.
        """
        return learning.best_crops(self, images, count, concepts)

    def grow(self, images: Any, layers: Sequence[Any] | None = None, **options: Any) -> ConceptTree:
        """Splits concepts that hold several things at an earlier layer; see `xsparks.concepts.ConceptTree`.

        Parameters
        ----------
        images : those of `fit`, in the same order.
        layers : earlier layers to look at; None for the last one of each resolution.
        options : those of `ConceptTree.grown`.
        """
        from .tree import ConceptTree

        return ConceptTree.grown(self, images, layers, **options)

    def save(self, path: Any) -> Any:
        """Writes `path.npz` (arrays) and `path.json` (everything else), without pickle; returns the first path."""
        return storing.save(self, path)

    @classmethod
    def load(cls, path: Any, model: Any, **options: Any) -> CRAFT:
        """What `save` wrote, for the same model.

        Parameters
        ----------
        options : those of the constructor that a file cannot hold, such as `preprocess=` a function, as they were.
        """
        return storing.load(cls, path, model, options)
