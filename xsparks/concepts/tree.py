"""Recursion: concepts that hold several things are split at an earlier layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import silhouette_score

from ..core.checks import check_integer, check_number
from ..core.digests import digests
from ..core.errors import wording
from ..core.inputs import leaves
from ..models.cuts import cut_names
from ..models.places import last_of_each_grid
from ..numerics.dictionary_matching import unit_rows
from ..numerics.two_clusters import two_clusters
from .catalogue import as_extractor
from .clustering import k_means
from .craft import CRAFT
from .extractor import check_sign, rank_of
from .gathering import gather
from .learning import check_all_images, check_same_images, factorized

# Crops of a concept, below which two kinds of them cannot be told from chance.
_FEWEST = 16
# Of the highest coefficient of a concept, below which a crop does not show it.
_LEAST = 0.25


class Split(NamedTuple):
    """How clearly do the crops of a concept fall apart at a layer?

    concept : its number.
    layer : where the crops are looked at.
    crops : how many there are.
    separation : standard deviations between the cut in two and that of one Gaussian cloud.
    p_value : of the same, for this concept and layer alone.
    """

    concept: int
    layer: str
    crops: int
    separation: float
    p_value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class ConceptTree:
    """Which concepts hold several things, and which?

    Late layers put all that matters alike for a class into one direction; at an earlier layer the crops of such a
    concept still differ. A concept `i` is looked at through its crops `C_i`, those whose coefficient is in the
    highest tenth and above a quarter of the highest. At each earlier layer their mean activations, scaled to length
    1, are cut in two, and the cut is compared with that of one Gaussian cloud of the same shape. The concept is split
    at the layer where the cut is clearest, if chance would make one as clear in fewer than `level` of trees without
    any; into as many concepts as the silhouette prefers, by the factorizer of the tree. Made by `CRAFT.grow`.

    Parameters
    ----------
    craft : the concepts of this node; `craft.explain` and all else work on those of a child as on any.
    children : concept -> the tree of what it holds.
    candidates : every `Split` that was looked at, the clearest first.

    Cost
    ----
    One forward for each crop in the highest tenth of a concept, all layers at once; the factorizations.

    Departs
    -------
    The paper names neither the concept nor the layer: a person chooses both. The criterion is ours.

    Source
    ------
    T. Fel et al., "CRAFT: Concept Recursive Activation FacTorization for Explainability", CVPR 2023, section 3.2,
    https://arxiv.org/abs/2211.10154
    """

    craft: CRAFT
    children: dict[int, ConceptTree] = field(default_factory=dict)
    candidates: tuple[Split, ...] = ()

    @classmethod
    def grown(
        cls,
        craft: CRAFT,
        images: Any,
        layers: Sequence[Any] | None = None,
        *,
        level: float = 0.001,
        most: int = 4,
        depth: int = 1,
        share: float = 0.1,
        concepts: Sequence[int] | None = None,
    ) -> ConceptTree:
        """The tree of fitted concepts.

        Parameters
        ----------
        craft : fitted, with a `patch_size`.
        images : those of `fit`, in the same order.
        layers : earlier layers; None for the last cut of each higher resolution.
        level : the share of trees without any split that may get one by chance, in (0, 1); roughly, as clouds are not
            Gaussian.
        most : concepts that one may be split into, at least 2.
        depth : how often splits are split.
        share : of all crops that count as those of a concept, in (0, 1].
        concepts : which to look at; None for all.
        """
        where = "CRAFT.grow"
        check_number(where, "level", level, 1e-12, 1 - 1e-12, "Use .001.")
        check_number(where, "share", share, 1e-6, 1, "Use .1, the highest tenth.")
        check_integer(where, "most", most, 2, "Use 4.")
        check_integer(where, "depth", depth, 1, "Use 1.")
        if craft.patch_size is None:
            raise ValueError(
                wording(
                    where,
                    expected="concepts must come from crops, which an earlier layer can be shown again",
                    received="patch_size=None",
                    remedy="Fit with patch_size=64.",
                )
            )
        earlier = earlier_layers(craft, layers)
        wanted = range(len(craft.learned_.dictionary)) if concepts is None else concepts
        members = {int(concept): _members(craft, int(concept), share) for concept in wanted}
        members = {concept: crops for concept, crops in members.items() if len(crops) >= _FEWEST}
        if not earlier or not members:
            return cls(craft=craft)
        tables, numbers = _seen_again(craft, images, earlier, members)
        if as_extractor(craft.factorizer, where).needs_nonnegative:
            if layers is not None:
                for table in tables:
                    check_sign(where, table)
            usable = [row for row, table in enumerate(tables) if table.min() >= 0]
            earlier, tables = [earlier[row] for row in usable], [tables[row] for row in usable]
        candidates, clearest = [], {}
        for concept, crops in members.items():
            rows = np.searchsorted(numbers, np.sort(crops))
            for layer, table in zip(earlier, tables, strict=True):
                found = two_clusters(unit_rows(table[rows]), craft.seed)
                split = Split(concept, layer, len(crops), found.separation, found.p_value)
                candidates.append(split)
                if concept not in clearest or split.separation > clearest[concept][0].separation:
                    clearest[concept] = (split, rows, table)
        children = {}
        for concept, (split, rows, table) in clearest.items():
            # As many chances as there were looks.
            if split.p_value * len(candidates) < level:
                child = _child(craft, split, table[rows], numbers[rows], most)
                deeper = {"level": level, "most": most, "depth": depth - 1, "share": share}
                before = earlier[: earlier.index(split.layer)]
                grows = depth > 1 and before
                children[concept] = cls.grown(child, images, before, **deeper) if grows else cls(craft=child)
        return cls(craft=craft, children=children, candidates=tuple(sorted(candidates, key=lambda each: each.p_value)))

    def walk(self, name: str = "") -> Iterator[tuple[str, ConceptTree]]:
        """This node and all below, each with the path of the concept that it splits: `""`, `"3"`, `"3.1"`."""
        yield name, self
        for concept, child in self.children.items():
            yield from child.walk(f"{name}.{concept}" if name else str(concept))

    def described(self) -> str:
        """The tree as lines of text."""
        lines = []
        for name, node in self.walk():
            learned = node.craft.learned_
            of = f"concept {name}" if name else f"class {learned.class_id}"
            indent = "  " * (name.count(".") + 1 if name else 0)
            lines.append(f"{indent}{of}: {len(learned.dictionary)} concepts at {learned.layer}")
        return "\n".join(lines)

    def plot(self, images: Any, count: int = 6, **options: Any) -> Any:
        """Every concept of the tree with its best crops, those that a concept holds below it; `(figure, axes)`.

        Parameters
        ----------
        images : those of `fit`, in the same order.
        count : crops a concept.
        options : those of `xsparks.plots.plot_tree`.
        """
        from ..plots import plot_tree

        names, parents, pictures, rows = [], [], [], dict[str, int]()
        crops = {path: node.craft.crops(images, count) for path, node in self.walk()}
        for path, node in self._preorder():
            above, _, own = path.rpartition(".")
            rows[path] = len(names)
            names.append(f"concept {path}" + (f", split at {node.craft.learned_.layer}" if node else ""))
            parents.append(rows.get(above, -1))
            pictures.append(crops[above].get(int(own), ()))
        options.setdefault("columns", count)
        return plot_tree(names, parents, pictures, **options)

    def _preorder(self, path: str = "") -> Iterator[tuple[str, ConceptTree | None]]:
        """Every concept by its path, with the tree of what it holds if it is split, parents first."""
        for concept in range(len(self.craft.learned_.dictionary)):
            own = f"{path}.{concept}" if path else str(concept)
            child = self.children.get(concept)
            yield own, child
            if child is not None:
                yield from child._preorder(own)

    def __repr__(self) -> str:
        return f"<ConceptTree>\n{self.described()}"


def earlier_layers(craft: CRAFT, layers: Sequence[Any] | None) -> list[str]:
    """The layers before that of the concepts, the first one first.

    Raises
    ------
    ValueError : one of those given does not come before.
    """
    places = craft.engine.places
    order = [place.name for place in places]
    own = craft.learned_.layer
    until = order.index(own) if own in order else len(order)
    if layers is None:
        cuts = set(cut_names(craft.access))
        usable = [replace(place, reached=place.reached and place.name in cuts) for place in places[:until]]
        # A layer of the same resolution is too near to say anything else.
        here = places[until].grid if until < len(places) else None
        return [place.name for place in last_of_each_grid(usable) if place.grid != here]
    found = []
    for layer in layers:
        path, call = craft.access.path_of(layer)
        name = path if call == 0 else f"{path}:{call}"
        if name not in order[:until]:
            raise ValueError(
                wording(
                    f"CRAFT.grow(layers={list(layers)!r})",
                    expected=f"layers must be laid out in space and come before {own}",
                    received=name,
                    remedy="Earlier ones are " + ", ".join(order[max(0, until - 4) : until]) + ".",
                )
            )
        found.append(name)
    return sorted(found, key=order.index)


def _members(craft: CRAFT, concept: int, share: float) -> np.ndarray:
    """The crops whose coefficient is in the highest share, and above 0."""
    strength = craft.learned_.coefficients[:, concept]
    crops = np.argsort(-strength, kind="stable")[: max(1, round(share * len(strength)))]
    # A concept that is rare has less than its share of crops; the others hold next to nothing of it.
    return crops[strength[crops] > _LEAST * strength.max()]


def _seen_again(
    craft: CRAFT, images: Any, layers: list[str], members: dict[int, np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The activations of all crops that belong to a concept, at every layer, and the numbers of these crops."""
    learned = craft.learned_
    numbers = np.unique(np.concatenate(list(members.values())))

    def chosen(inputs: Any, start: int, count: int) -> list[np.ndarray]:
        marks = digests(leaves(inputs))
        check_same_images(learned, marks, start, "CRAFT.grow")
        return [learned.crop[numbers[learned.image[numbers] == start + row]] for row in range(len(marks))]

    gathered = gather(craft, images, lambda: layers, chosen)
    check_all_images(learned, len(gathered.digests), "CRAFT.grow")
    return gathered.activations, numbers


def _child(craft: CRAFT, split: Split, activations: np.ndarray, numbers: np.ndarray, most: int) -> CRAFT:
    """The concepts that a concept holds, at an earlier layer."""
    learned = craft.learned_
    count = preferred_count(unit_rows(activations), rank_of(activations, most), craft.seed)
    child = craft.replace(layer=split.layer, number_of_concepts=count)
    # What comes between is no affine function, or the layers would hold the same.
    known = {"layer": split.layer, "class_id": learned.class_id, "affine": False, **learned.of_crops(numbers)}
    child._learn(factorized(child, activations, count, known))
    return child


def preferred_count(points: np.ndarray, most: int, seed: int) -> int:
    """Into how many clusters, from 2 to `most`, points fall best: the one with the highest mean silhouette."""
    counts = range(2, min(most, len(points) - 1) + 1)
    labels = {count: k_means(points, count, seed).labels_ for count in counts}
    return max(counts, key=lambda count: silhouette_score(points, labels[count]))
