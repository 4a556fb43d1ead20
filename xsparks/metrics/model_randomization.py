"""ModelRandomization (Adebayo et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..core.checks import check_choice, check_integer, check_number
from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..engine import Change, Explainer, ExplainerMetric, Group
from ..models.layers import find_layer, layers_of
from ..models.randomised import WeightedLayer, randomised, weighted_layers
from ..numerics.map_similarity import SIMILARITIES, map_similarities


class _Stage(NamedTuple):
    """Layers that are randomised together before the samples are explained again; `number` counts from the output."""

    name: str
    layers: tuple[WeightedLayer, ...]
    number: int


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelRandomization(ExplainerMetric):
    """Does an explainer notice that what the model learned is gone?

    The similarity of the map of an image to its map when layers of the model have new random weights, from the output
    down, averaged over stages of this. Lower is better: a map that stays the same cannot depend on what was learned. A
    map of noise has a low similarity too, so the measure can refuse a method but not praise one.

    The model is changed in place while it runs and is afterwards what it was, bit for bit, whatever happens; do not
    use it elsewhere meanwhile.

    Parameters
    ----------
    model, inputs, targets : as for `explain`; a target of None is the class predicted before anything is changed.
    mode : `"cascading"`, each stage randomises one more layer, or `"independent"`, each stage randomises one alone.
    layers : the fraction of the layers with weights that are randomised, from the output down, in (0, 1], at least
        one; or names of layers, where one that holds others, such as a block, counts as one.
    stages : at how many stages, evenly spaced over those layers, maps are made and compared; None for every layer.
    similarity : `"spearman"`, `"spearman_abs"`, which forgets signs, or `"ssim"`; see
        `numerics.map_similarity.map_similarities`. A constant map is like itself to 1 and like any other to 0.

    Returns
    -------
    score : a `Score` of similarities in [-1, 1], its curve over the layers from the output down; `.layers` names the
        layer of each stage, in a cascade the last one that was randomised.

    Raises
    ------
    ModelError : no Keras model, one without weights, or a name of no layer with weights; a randomised model that
        answers with infinity, as float16 may.
    ValueError, TypeError : options out of range; an explainer of another model; maps instead of an explainer.

    Cost
    ----
    `stages + 1` explanations a sample; a copy of the weights that are changed.

    Departs
    -------
    New weights are drawn by the initialiser that each layer declares, for batch normalisation its scale and statistics
    too; a weight without one keeps its values in a random order. The weights of a layer depend on `seed` and the layer
    alone, not on the mode.

    Example
    -------
    >>> import keras
    >>> from xsparks.attributions import GradientInput, Occlusion
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    >>> model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(3)])
    >>> before = model(images).numpy()
    >>> score = ModelRandomization(model, images, [0, 1])(GradientInput(model))
    >>> float(score) < 0.9, score.layers.shape, bool((model(images).numpy() == before).all())
    (True, (2,), True)

    Source
    ------
    J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity Checks for Saliency Maps", NeurIPS 2018,
    section 3, https://arxiv.org/abs/1810.03292
    """

    mode: str = "cascading"
    layers: float | Sequence[str] = 1.0
    stages: int | None = 10
    similarity: str = "spearman"

    better: ClassVar[str] = "lower"
    axes: ClassVar[tuple[str, str]] = ("layers from the output down", "similarity")

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_choice(name, "mode", self.mode, ("cascading", "independent"))
        check_choice(name, "similarity", self.similarity, SIMILARITIES)
        if self.stages is not None:
            check_integer(name, "stages", self.stages, 1, "Use 10, or None for every layer.")
        if isinstance(self.layers, str) or not isinstance(self.layers, Sequence):
            check_number(name, "layers", self.layers, 1e-9, 1.0, "Use 1 for all, or a list of names of layers.")
        elif not len(self.layers):
            raise ValueError(
                wording(
                    f"{name}(layers=[])",
                    expected="`layers` must name at least one layer",
                    received="none",
                    remedy="Use 1.0 for all layers that have weights.",
                )
            )

    @cached_property
    def _stages(self) -> list[_Stage]:
        """What is randomised before each comparison; found once, as the order of layers costs a forward."""
        units = self._units(weighted_layers(self.access))
        count = len(units) if self.stages is None else min(self.stages, len(units))
        ends = -(-np.arange(1, count + 1) * len(units) // count)
        found = []
        for end in ends.tolist():
            chosen = units[:end] if self.mode == "cascading" else units[end - 1 : end]
            # Names may overlap, such as those of a block and of a layer in it.
            layers = {each.position: each for _, some in chosen for each in some}
            found.append(_Stage(units[end - 1][0], tuple(layers.values()), end))
        return found

    def _units(self, known: list[WeightedLayer]) -> list[tuple[str, list[WeightedLayer]]]:
        """Layers or blocks from the output down, each with the layers that have its weights."""
        if not isinstance(self.layers, Sequence):
            count = max(1, round(float(self.layers) * len(known)))
            return [(each.path, [each]) for each in known[:count]]
        units = []
        for name in self.layers:
            found, _ = find_layer(self.model, name, type(self).__name__)
            inside = {id(found), *(id(inner) for _, inner in layers_of(found))}
            own = [each for each in known if id(each.layer) in inside]
            if not own:
                raise ModelError(
                    wording(
                        f"{type(self).__name__}(layers=...)",
                        expected="every layer in `layers` must have weights that training learns",
                        received=repr(name),
                        remedy="Layers with weights: " + ", ".join(each.path for each in known[:5]) + ", ...",
                    )
                )
            units.append((str(name), own))
        return sorted(units, key=lambda unit: unit[1][0].position)

    def changes(self, explainer: Explainer, layout: Layout, outputs: Any) -> Sequence[Change]:
        """Other weights, stage by stage."""

        def around(stage: _Stage) -> Callable[[], AbstractContextManager[None]]:
            return lambda: randomised(stage.layers, self.seed)

        return [Change(f"random weights of {stage.name}", around=around(stage)) for stage in self._stages]

    def compare(self, maps: np.ndarray, changed: np.ndarray, group: Group) -> np.ndarray:
        """How alike the maps of the model and of the changed model are."""
        return map_similarities(maps, changed, self.similarity)

    def summarise(self, values: Any) -> tuple[np.ndarray, Any]:
        """The mean similarity over the stages, and the curve over them."""
        curve = values["compared"]
        return curve.mean(axis=1), (np.array([stage.number for stage in self._stages]), curve)

    def extras(self, values: Any) -> dict[str, Any]:
        """The name of the layer of each stage."""
        return {"layers": np.array([stage.name for stage in self._stages])}
