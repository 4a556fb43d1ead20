"""The parts of the shapes are found as concepts, held against their masks."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from xsparks.concepts import CRAFT
from xsparks.datasets import shapes


def area_under_curve(values: np.ndarray, inside: np.ndarray) -> float:
    """How often a pixel inside has more of a concept than one outside."""
    positive = inside.sum()
    ranks = rankdata(values)[inside].sum() - positive * (positive + 1) / 2
    return ranks / (positive * (len(inside) - positive))


def test_the_shaft_and_the_head_of_the_arrow_are_concepts():
    arrow = shapes.CLASS_NAMES.index("arrow")
    data, held_out = shapes.load(500, seed=11), shapes.load(250, seed=12)
    data, held_out = data[data.labels == arrow], held_out[held_out.labels == arrow]
    craft = CRAFT(shapes.load_model(), layer="block4", number_of_concepts=4, patch_size=None).fit(data.images, arrow)
    assert craft.learned_.affine and craft.learned_.dictionary.stability > 0.9
    found = craft.explain(held_out.images)
    best = []
    for part in range(len(shapes.PART_NAMES)):
        inside = held_out.parts[:, part]
        everywhere = [area_under_curve(found.maps[..., concept].ravel(), inside.ravel()) for concept in range(4)]
        best.append(int(np.argmax(everywhere)))
        # Against the rest of the object too, and not against the background alone.
        within = area_under_curve(found.maps[..., best[-1]][held_out.masks], inside[held_out.masks])
        assert max(everywhere) > 0.85 and within > 0.75, (shapes.PART_NAMES[part], everywhere, within)
    assert best[0] != best[1]
    # The two parts are what the class is recognised by.
    assert found.global_importances[best].sum() > 0.5
