"""FORGrad: the filter against NumPy's transform, and the cut-off against the metric that chooses it."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from xsparks.attributions import FORGrad, Saliency, SobolAttribution
from xsparks.metrics import Deletion, Insertion
from xsparks.numerics.fourier import low_pass

X = models.images(4)
TARGETS = np.array([0, 1, 2, 3])
NETWORK = models.convolutional()


@pytest.mark.parametrize("shape", [(8, 12), (9, 7), (7, 10)])
@pytest.mark.parametrize("cutoff", [0.2, 0.5, 1.0])
def test_the_filter_is_a_disc_of_the_spectrum(shape, cutoff):
    maps = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    height, width = shape
    spectrum = np.fft.fft2(maps, axes=(1, 2))
    for u in range(height):
        for v in range(width):
            if np.hypot(np.fft.fftfreq(height)[u], np.fft.fftfreq(width)[v]) > cutoff / 2 + 1e-9:
                spectrum[:, u, v] = 0
    np.testing.assert_allclose(low_pass(maps, cutoff), np.fft.ifft2(spectrum, axes=(1, 2)).real, atol=1e-5)


def test_a_filter_that_keeps_everything_and_one_that_keeps_the_mean():
    maps = Saliency(NETWORK).explain(X, TARGETS).values
    whole = FORGrad(Saliency(NETWORK), cutoff=2**0.5).explain(X, TARGETS).values
    np.testing.assert_allclose(whole, maps, atol=1e-5)
    flat = FORGrad(Saliency(NETWORK), cutoff=0.01).explain(X, TARGETS).values
    np.testing.assert_allclose(flat, maps.mean((1, 2), keepdims=True) + 0 * maps, atol=1e-5)


def test_a_checkerboard_of_stride_is_removed_and_the_object_stays():
    rows, columns = np.mgrid[:32, :48]
    blob = np.exp(-((rows - 10) ** 2 + (columns - 30) ** 2) / 60)
    noisy = (blob + 0.5 * ((rows + columns) % 2)).astype(np.float32)
    kept = low_pass(noisy[None, ..., None], 0.25)[0, ..., 0].numpy()
    assert np.corrcoef(kept.ravel(), blob.ravel())[0, 1] > 0.99 > np.corrcoef(noisy.ravel(), blob.ravel())[0, 1]
    assert np.unravel_index(kept.argmax(), kept.shape) == (10, 30)


def test_the_cutoff_is_the_best_by_the_metric():
    metric = Deletion(NETWORK, X, TARGETS, steps=5, score="logit")
    candidates = (0.2, 0.6, 1.4)
    method = FORGrad(Saliency(NETWORK), score=metric, candidates=candidates)
    maps = Saliency(NETWORK).explain(X, TARGETS).maps
    wanted = {cutoff: -float(metric.evaluate(np.asarray(low_pass(maps, cutoff)))) for cutoff in candidates}
    assert method.trials == pytest.approx(wanted, abs=1e-4)
    best = max(wanted, key=lambda cutoff: wanted[cutoff])
    explained = method.explain(X[:2], TARGETS[:2])
    assert explained.settings["cutoff"] == best
    np.testing.assert_allclose(
        explained.values, FORGrad(Saliency(NETWORK), cutoff=best).explain(X[:2], TARGETS[:2]).values
    )


def test_metrics_that_are_better_when_higher_and_several_together():
    high, low = (metric(NETWORK, X, TARGETS, steps=4, score="logit") for metric in (Insertion, Deletion))
    together = FORGrad(Saliency(NETWORK), score=[high, low], candidates=(0.3, 1.0)).trials
    alone = [FORGrad(Saliency(NETWORK), score=one, candidates=(0.3, 1.0)).trials for one in (high, low)]
    for cutoff, value in together.items():
        assert value == pytest.approx(alone[0][cutoff] + alone[1][cutoff], abs=1e-5)
    assert alone[0][0.3] == pytest.approx(
        float(high.evaluate(FORGrad(Saliency(NETWORK), cutoff=0.3).explain(X, TARGETS))), abs=1e-4
    )


def test_the_options_of_the_explainer_stay_in_force():
    weighted = Saliency(NETWORK, reducer="sum", seed=3, preprocess="tf")
    method = FORGrad(weighted, cutoff=2**0.5)
    assert method.seed == 3 and method.preprocess == "tf" and method.model is NETWORK
    np.testing.assert_allclose(method.explain(X, 1).values, weighted.explain(X, 1).values, atol=1e-5)


def test_another_model_is_given_to_the_metric_too():
    other = models.convolutional(seed=2)
    method = FORGrad(Saliency(NETWORK), score=Deletion(NETWORK, X, TARGETS, steps=4), candidates=(0.3, 1.0))
    moved = method.replace(model=other)
    wanted = FORGrad(Saliency(other), score=Deletion(other, X, TARGETS, steps=4), candidates=(0.3, 1.0)).trials
    assert moved.trials == pytest.approx(wanted, abs=1e-5)
    assert moved.replace(cutoff=0.5, score=None).explain(X[:1], 0).settings["cutoff"] == 0.5


def test_maps_on_a_grid_are_filtered_at_the_size_of_the_image():
    coarse = SobolAttribution(NETWORK, grid_size=(2, 3), nb_design=2, smooth=False)
    maps = FORGrad(coarse, cutoff=0.3).explain(X[:1], 1)
    assert maps.values.shape == (1, 8, 12, 1) and maps.raw.shape == (1, 2, 3, 1)
    np.testing.assert_allclose(maps.values, low_pass(coarse.explain(X[:1], 1).maps, 0.3), atol=1e-4)
