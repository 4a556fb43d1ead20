"""Score-CAM and SISE against slow twins that follow the papers line by line, one forward at a time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests import models
from tests.truths.activation_models import TARGETS, X, answer_of, gradient_by, network
from xsparks.attributions import SISE, ScoreCAM


def enlarged(cells: np.ndarray, size: tuple[int, int] = (8, 12)) -> np.ndarray:
    """One channel at the size of the image, by OpenCV's bilinear interpolation."""
    return cv2.resize(cells, size[::-1], interpolation=cv2.INTER_LINEAR)


def scaled(values: np.ndarray) -> np.ndarray:
    """Between 0 and 1; zero for equal values."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def scorecam_twin(model, activations, image, target, baseline, kept, weigh):
    """Algorithm 1 of the paper for one image: one forward for each channel."""
    score_of_nothing = model(baseline[None]).numpy()[0, target]
    increases = []
    for k in kept:
        mask = scaled(enlarged(activations[:, :, k]))[..., None]
        shown = (baseline + mask * (image - baseline)).astype(np.float32)
        increases.append(model(shown[None]).numpy()[0, target] - score_of_nothing)
    increases = np.array(increases, np.float64)
    weights = np.exp(increases) / np.exp(increases).sum() if weigh == "softmax" else increases
    return np.maximum(sum(w * activations[:, :, k] for w, k in zip(weights, kept, strict=True)), 0)


@pytest.mark.parametrize(
    "options",
    [{}, {"baseline": 0.4}, {"weights": "increase", "baseline": 0.4}, {"channels": 2}, {"channels": 99}],
    ids=str,
)
def test_scorecam_follows_its_algorithm(options):
    model = network("cells")
    # The channel that varies least has the largest sum.
    least = answer_of(model, "features").var((0, 1, 2)).argmin()
    model.get_layer("features").bias.assign(3 * np.eye(5)[least])
    maps = ScoreCAM(model, **options).explain(X, TARGETS)
    assert maps.settings["layer"] == "features"
    for sample, activations in enumerate(answer_of(model, "features")):
        varied = np.argsort(-activations.var((0, 1)))[: options.get("channels", 5)]
        baseline = np.full(models.SHAPE, options.get("baseline", 0.0), np.float32)
        wanted = scorecam_twin(
            model, activations, X[sample], TARGETS[sample], baseline, varied, options.get("weights", "softmax")
        )
        np.testing.assert_allclose(maps.values[sample, ..., 0], wanted, rtol=1e-3, atol=1e-5)


def test_scorecam_spends_a_forward_for_each_channel_and_one_for_the_baseline():
    model = network("cells")
    assert ScoreCAM(model).cost(models.SHAPE) == (7, 0)
    assert ScoreCAM(model, channels=2).cost(models.SHAPE) == (4, 0)


def sise_twin(model, layers, sample, threshold, baseline, most=99):
    """The three steps of the paper for one image: masks, their scores, and the fusion of the layers."""
    image, target = X[sample], TARGETS[sample]

    def score(shown: np.ndarray) -> float:
        return float(model(shown[None].astype(np.float32)).numpy()[0, target])

    fused, masks = None, []
    for layer in layers:
        activations, strength = answer_of(model, layer)[sample], gradient_by(model, layer)[sample].mean((0, 1))
        kept = [k for k in np.argsort(-strength)[:most] if strength[k] > threshold * max(strength.max(), 0)]
        masks.append(len(kept))
        visual = np.zeros((8, 12))
        for k in kept:
            mask = scaled(enlarged(activations[:, :, k]))
            if mask.any():
                increase = score(baseline + mask[..., None] * (image - baseline)) - score(baseline)
                visual += max(increase, 0) * mask / mask.sum()
        visual = scaled(visual)
        if fused is None:
            fused = visual
        elif visual.any():
            levels = np.round(visual * 1e6)
            fused = (fused + visual) * (levels > otsu_of(levels))
    return fused, masks


def otsu_of(levels: np.ndarray) -> float:
    """The split that leaves the smallest variance within the two groups."""
    splits = np.unique(levels)[:-1]
    within = [sum(part.var() * part.size for part in (levels[levels <= t], levels[levels > t])) for t in splits]
    return splits[int(np.argmin(within))]


@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.4}, {"baseline": 0.4}, {"channels": 2}, {"layers": ["second", "first"]}], ids=str
)
def test_sise_follows_its_three_steps(options):
    model = models.convolutional()
    maps = SISE(model, **options).explain(X, TARGETS)
    layers = options.get("layers", ["first", "second"])
    assert maps.settings["layers"] == layers
    for sample in range(3):
        baseline = np.full(models.SHAPE, options.get("baseline", 0.0), np.float32)
        wanted, masks = sise_twin(
            model, layers, sample, options.get("threshold", 0.0), baseline, options.get("channels", 99)
        )
        assert maps.masks[sample].tolist() == masks
        np.testing.assert_allclose(maps.values[sample, ..., 0], wanted, atol=2e-3)


def test_sise_counts_the_masks_of_each_sample():
    model = models.convolutional()
    explainer = SISE(model)
    assert explainer.cost(models.SHAPE) == (2 + 6 + 8, 1)
    assert SISE(model, channels=2).cost(models.SHAPE) == (2 + 2 + 2, 1)
    masks = explainer.explain(X, TARGETS).masks
    assert len(set(masks.sum(1).tolist())) > 1, "the samples must differ for this test"
    _, masking = explainer.planned(explainer.access.layout(models.SHAPE), None)
    np.testing.assert_array_equal(masking.count(X, {"kept": masks}), 1 + masks.sum(1))


def test_sise_leaves_a_layer_out_that_says_nothing_for_the_target():
    model = models.convolutional()
    kernel = model.get_layer("head").kernel
    kernel.assign(-np.abs(kernel))
    # Every cell of the second layer now speaks against every class, so its channels have negative mean gradients; a
    # mask of the first raises the score, because it hides the bright baseline.
    both, alone = (
        SISE(model, layers=layers, baseline=5.0).explain(X, TARGETS) for layers in (["first", "second"], ["first"])
    )
    assert (both.masks[:, 1] == 0).all() and both.masks[:, 0].all()
    assert np.ptp(alone.values) > 0
    np.testing.assert_allclose(both.values, alone.values, atol=1e-6)
