"""How aligned a map is, against slow twins; ceilings; and maps of people from masks, boxes and fixations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

from tests import models
from xsparks.alignment import Harmonization, HumanAlignment, heatmaps_of, human_ceiling, human_dataset
from xsparks.attributions import Saliency
from xsparks.core.randomness import generator
from xsparks.engine import Score
from xsparks.metrics import CentreBlob, EdgeMap

RANDOM = np.random.default_rng(4)
HUMAN = ndimage.gaussian_filter(RANDOM.random((6, 16, 24)), (0, 2, 2))
MAPS = HUMAN + 0.05 * RANDOM.normal(size=HUMAN.shape)
IMAGES = RANDOM.random((6, 16, 24, 3)).astype("float32")


def measured(maps: Any = MAPS, human: Any = HUMAN, **options: Any) -> Any:
    return HumanAlignment(human, **{"scales": (1, 2), **options}).evaluate(maps)


def slow_rho(a, b):
    found: Any = stats.spearmanr(np.ravel(a), np.ravel(b))
    return found.statistic


def test_the_value_is_spearmans_correlation_over_the_ceiling():
    expected = [slow_rho(a, b) for a, b in zip(MAPS, HUMAN, strict=True)]
    score = measured(ceiling=0.5)
    np.testing.assert_allclose(score.spearman, expected, atol=1e-5)
    np.testing.assert_allclose(score.per_sample, np.array(expected) / 0.5, atol=1e-5)
    assert float(score) == pytest.approx(np.mean(expected) / 0.5, abs=1e-5)
    assert score.interval[0] < float(score) < score.interval[1]


def test_the_overlap_is_that_of_the_top_tenth():
    for name, share in (("iou", 0.1), ("dice", 0.25)):
        found = getattr(measured(share=share), name)
        for i in range(6):
            a, b = ({int(k) for k in np.flatnonzero(m > np.quantile(m, 1 - share))} for m in (MAPS[i], HUMAN[i]))
            both = len(a & b)
            expected = both / len(a | b) if name == "iou" else 2 * both / (len(a) + len(b))
            assert found[i] == pytest.approx(expected, abs=0.03)


def test_a_mask_larger_than_the_share_keeps_its_own_places():
    mask = np.zeros((1, 16, 24))
    mask[:, 2:12, 3:15] = 1
    score = measured(mask, mask)
    assert score.iou[0] == score.dice[0] == float(score) == 1
    assert measured(1 - mask, mask).iou[0] == 0


def test_the_baselines_are_the_controls_of_the_metrics():
    score = measured(inputs=IMAGES, ceiling=0.8)
    network = models.convolutional((16, 24, 3))
    for name, control in (("centre", CentreBlob), ("edges", EdgeMap)):
        expected = measured(control(network).explain(IMAGES, 0), inputs=IMAGES, ceiling=0.8).per_sample
        np.testing.assert_allclose(getattr(score, name), expected, atol=3e-3)  # ties


def test_the_null_is_the_agreement_with_other_images():
    score = measured(null_draws=3)
    for i in range(6):
        others = (i + generator(0, 3, i + 1).integers(1, 6, 3)) % 6
        assert i not in others
        assert score.null[i] == pytest.approx(np.mean([slow_rho(MAPS[i], HUMAN[j]) for j in others]), abs=1e-5)
    assert score.null.mean() < 0.3 < score.spearman.mean()
    assert not np.allclose(measured(null_draws=3, seed=1).null, score.null)
    assert "null" not in measured(null_draws=0).extras and "null" not in measured(MAPS[:1], HUMAN[:1]).extras


def test_the_curve_is_the_alignment_of_means_over_squares():
    score = measured(scales=(1, 4), ceiling=0.9)
    assert score.curve is not None
    np.testing.assert_array_equal(score.curve[0], [1, 4])
    coarse = [each.reshape(6, 4, 4, 6, 4).mean(axis=(2, 4)) for each in (MAPS, HUMAN)]
    expected = [slow_rho(a, b) / 0.9 for a, b in zip(*coarse, strict=True)]
    np.testing.assert_allclose(score.curve[1][:, 1], expected, atol=1e-4)
    np.testing.assert_allclose(score.curve[1][:, 0], score.per_sample)
    assert measured(scales=()).curve is None


def test_a_map_that_is_only_noisier_than_people_gains_from_coarser_scales():
    noisy = HUMAN + 0.2 * np.random.default_rng(0).normal(size=HUMAN.shape)
    _, rows = measured(noisy, scales=(1, 4)).curve
    assert rows[:, 1].mean() > rows[:, 0].mean() + 0.1


def test_an_explainer_is_measured_and_a_score_is_kept(tmp_path):
    network = models.convolutional((16, 24, 3))
    score = measured(Saliency(network), inputs=IMAGES, targets=np.zeros(6, int))
    expected = measured(Saliency(network).explain(IMAGES, 0).maps, inputs=IMAGES)
    np.testing.assert_allclose(score.per_sample, expected.per_sample, atol=1e-6)
    score.save(tmp_path / "score")
    np.testing.assert_array_equal(Score.load(tmp_path / "score").centre, score.centre)


def test_the_ceiling_is_the_agreement_of_halves():
    people = [HUMAN[i] + 0.1 * RANDOM.normal(size=(7, 16, 24)) for i in range(6)]
    found = human_ceiling(people, splits=3, seed=2)
    halves = []
    for i in range(6):
        for split in range(3):
            order = generator(2, split + 1, i + 1).permutation(7)
            halves.append(slow_rho(people[i][order[:3]].mean(0), people[i][order[3:]].mean(0)))
    assert found.value == pytest.approx(np.mean(halves), abs=1e-5)
    assert found.interval[0] < found.value < found.interval[1] and found.null < 0.5 * found.value
    more = human_ceiling(
        [np.concatenate([each, HUMAN[i] + 0.1 * RANDOM.normal(size=(30, 16, 24))]) for i, each in enumerate(people)],
        splits=3,
        seed=2,
    )
    assert more.value > found.value


def test_every_kind_of_human_map_comes_through_one_door():
    mask = np.zeros((32, 48))
    mask[4:8, 6:10] = 7
    found = heatmaps_of([mask, None], "masks", (16, 24))
    np.testing.assert_array_equal(np.argwhere(found[0] == 1)[[0, -1]], [[2, 3], [3, 4]])
    assert not found[1].any()
    boxes = heatmaps_of([[3, 2, 5, 4]], "boxes", (16, 24))
    np.testing.assert_array_equal(boxes[0], found[0])
    points = np.array([[3.9, 2.1], [20.0, 10.0]])
    plain = heatmaps_of([points], "fixations", (16, 24), blur=0)
    assert plain[0, 2, 3] == plain[0, 10, 20] == 1 and plain.sum() == 2
    weighted = heatmaps_of([np.c_[points, [100, 50]]], "fixations", (16, 24), blur=0)
    assert weighted[0, 2, 3] == 1 and weighted[0, 10, 20] == 0.5
    spread = heatmaps_of([points], "fixations", (16, 24), blur=2.0)[0]
    expected = ndimage.gaussian_filter(plain[0].astype(float), 2.0, mode="constant")
    np.testing.assert_allclose(spread, expected / expected.max(), atol=0.01)
    np.testing.assert_array_equal(
        heatmaps_of([5 * HUMAN[0]], "maps", (16, 24))[0], np.float32(HUMAN[0] / HUMAN[0].max())
    )
    assert heatmaps_of([HUMAN[0]], "maps", (32, 48)).shape == (1, 32, 48)


def test_the_dataset_trains_a_model():
    network: Any = models.convolutional((16, 24, 3))
    network.compile("sgd", "mse")
    given = [HUMAN[0], None, *HUMAN[2:]]
    data = human_dataset(IMAGES, np.eye(4, dtype="float32")[[0, 1, 2, 3, 0, 1]], given, "maps")
    shares = [float(targets["has_heatmap"]) for _, targets in data]
    assert shares == [1, 0, 1, 1, 1, 1]
    history = network.fit(data.batch(3), verbose=0, callbacks=[Harmonization(levels=3)]).history
    assert history["harmonization_loss"][0] > 0
