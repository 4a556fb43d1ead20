"""How concepts are learned: which images are shown, what is factorized, and which crops show a concept best."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.digests import digests
from ..core.errors import ModelError, wording
from ..core.inputs import Reader, leaves, map_leaves
from ..engine.rows import as_tensors
from ..models.access import Notice
from ..models.operators import OPERATORS, resolve_targets
from .catalogue import as_extractor
from .dictionary import Dictionary
from .extractor import check_activations
from .gathering import _Gathered, gather
from .head import is_affine
from .learned import LearnedConcepts

if TYPE_CHECKING:
    from .craft import CRAFT

# Fewer crops for each concept are few.
_PLENTY = 10
# Images that tell whether the head is affine.
_TRIED = 4


def shown(craft: CRAFT, images: Any, class_id: int) -> _Gathered:
    """The activations of the crops of the images of a class.

    Raises
    ------
    ValueError : the class is never predicted.
    """
    where = f"{type(craft).__name__}.fit"
    seen: dict[str, int] = {}

    def chosen(inputs: Any, start: int, count: int) -> list[np.ndarray]:
        return [np.arange(count if wanted else 0) for wanted in _predicted(craft, inputs, class_id, seen)]

    gathered = gather(craft, images, lambda: [craft.place], chosen)
    if not gathered.shown:
        often = sorted(seen, key=lambda name: -seen[name])[:3]
        raise ValueError(
            wording(
                f"{where}(class_id={class_id})",
                expected="the model must predict this class for some of the images",
                received=f"{len(gathered.digests)} images predicted as " + ", ".join(often),
                remedy="Look at `class_id` and `preprocess`, or pass predicted_only=False.",
            )
        )
    return gathered


def learn(craft: CRAFT, images: Any, class_id: int) -> LearnedConcepts:
    """The concepts of the images of a class."""
    gathered, layer = shown(craft, images, class_id), craft.place
    few = map_leaves(lambda leaf: leaf[:_TRIED], gathered.first)
    targets = np.full(len(leaves(few)[0]), class_id, np.int32)
    affine = is_affine(craft.engine, layer, as_tensors(few), targets)
    if craft.importance == "affine" and not affine:
        raise ModelError(
            wording(
                f"{type(craft).__name__}(importance='affine', layer={layer!r})",
                expected="the score must be an affine function of the layer's answer",
                received="slopes that differ from place to place",
                remedy="Use importance='auto', or the last layer before pooling.",
            )
        )
    known = {"layer": layer, "class_id": int(class_id), "affine": affine, **gathered.crops()}
    return factorized(craft, gathered.activations[0], craft.number_of_concepts, known)


def factorized(craft: CRAFT, activations: np.ndarray, concepts: int, known: dict[str, Any]) -> LearnedConcepts:
    """The concepts of activations `(n, p)` of crops; `known` are the other fields of what is learned."""
    where = f"{type(craft).__name__}.fit"
    extractor = as_extractor(craft.factorizer, where)
    check_activations(where, extractor, activations, concepts)
    if len(activations) < _PLENTY * concepts:
        warnings.warn(
            f"`{where}`: {len(activations)} crops are few for {concepts} concepts; {_PLENTY * concepts} or more make "
            "them stable. Pass more images, or a smaller patch_size.",
            Notice,
            stacklevel=4,
        )
    dictionary = extractor.extract(activations, concepts, craft.seed)
    return LearnedConcepts(dictionary=dictionary, coefficients=encoded(dictionary, activations), **known)


def encoded(dictionary: Dictionary, activations: np.ndarray, at_once: int = 4096) -> np.ndarray:
    """The coefficients of many activations, so many at once, `(n, r)` float32."""
    parts = [dictionary.encode(activations[start : start + at_once]) for start in range(0, len(activations), at_once)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def _predicted(craft: CRAFT, inputs: Any, class_id: int, seen: dict[str, int]) -> np.ndarray:
    """Which images the model predicts as the class; all, where an operator has no classes."""
    number = len(leaves(inputs)[0])
    where = f"{type(craft).__name__}.fit"
    if craft.engine.operator != OPERATORS["classification"]:
        return np.ones(number, bool)
    inputs = as_tensors(craft._checked(inputs))
    outputs = np.zeros((1, *craft.engine.output_spec(inputs).shape[1:]), np.float32)
    resolve_targets(np.array([class_id]), outputs, craft.engine.operator, where)
    if not craft.predicted_only:
        return np.ones(number, bool)
    found, _ = craft._answered(inputs, None)
    for name in found:
        seen[f"class {name}"] = seen.get(f"class {name}", 0) + 1
    return found == class_id


def best_crops(craft: CRAFT, images: Any, count: int, concepts: Sequence[int] | None) -> dict[int, np.ndarray]:
    """The crops with most of each concept, cut from the images again."""
    learned, where = craft.learned_, f"{type(craft).__name__}.crops"
    wanted = range(len(learned.dictionary)) if concepts is None else [int(concept) for concept in concepts]
    best = {concept: learned.best(concept, count) for concept in wanted}
    needed = {int(crop) for crops in best.values() for crop in crops}
    by_image: dict[int, list[int]] = {}
    for crop in sorted(needed):
        by_image.setdefault(int(learned.image[crop]), []).append(crop)
    pixels: dict[int, np.ndarray] = {}
    reader, seen = Reader(images, None, craft._sample_rank(images), where), 0
    while (samples := reader.read(32)) is not None:
        check_same_images(learned, digests(leaves(samples.inputs)), samples.start, where)
        seen += len(samples)
        for row, image in enumerate(np.asarray(craft.engine.explained(samples.inputs))):
            for crop in by_image.get(samples.start + row, []):
                top, left, bottom, right = learned.box[crop]
                pixels[crop] = np.array(
                    image[:, top:bottom, left:right] if craft.access.channels_first else image[top:bottom, left:right]
                )
    check_all_images(learned, seen, where)
    return {concept: np.stack([pixels[int(crop)] for crop in crops]) for concept, crops in best.items() if len(crops)}


def check_same_images(learned: LearnedConcepts, marks: np.ndarray, start: int, where: str) -> None:
    """Refuses images that are not those of `fit`, in their order."""
    wanted = learned.digests[start : start + len(marks)]
    if len(wanted) == len(marks) and (wanted == marks).all():
        return
    raise ValueError(
        wording(
            where,
            expected="`images` must be those of `fit`, in the same order",
            received=f"others from number {start} on",
            remedy="Pass the same array, or a data set that is not shuffled.",
        )
    )


def check_all_images(learned: LearnedConcepts, seen: int, where: str) -> None:
    """Refuses a part of the images of `fit`."""
    if seen != len(learned.digests):
        raise ValueError(
            wording(
                where,
                expected=f"`images` must be all {len(learned.digests)} of `fit`",
                received=seen,
                remedy="Pass the same array.",
            )
        )
