"""The words of `xsparks.perturbations`, through the methods that use them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.messages.saying import TARGETS, X, network, says, sobol
from xsparks.metrics import Deletion
from xsparks.perturbations import Amplitude, Blur, Inpainting

MAPS = np.ones((5, 8, 12))


def evaluate(baseline):
    return Deletion(network(), X, TARGETS, baseline=baseline).evaluate(MAPS)


def test_an_unknown_perturbation():
    says(
        ValueError,
        "`SobolAttribution(perturbation='inpaint')`: `perturbation` must be one of 'inpainting', 'mean', 'blur', "
        "'amplitude', got 'inpaint'. Nearest: inpainting.",
        lambda: sobol(perturbation="inpaint"),
    )
    says(
        TypeError,
        "`SobolAttribution(perturbation=3)`: `perturbation` must be 'inpainting', 'mean', 'blur', 'amplitude' or a "
        "function (inputs, mask) -> images, got int. Use 'inpainting', the published choice.",
        lambda: sobol(perturbation=3),
    )


def test_strengths_out_of_range():
    says(
        ValueError,
        "`Blur(sigma=0)`: `sigma` must be a number in [0.1, inf], got 0. Use 10 for images of 224 pixels.",
        lambda: Blur(sigma=0),
    )
    says(
        ValueError, "`Amplitude(sigma=3)`: `sigma` must be a number in [1e-06, 2], got 3. Use 1.", lambda: Amplitude(3)
    )
    says(TypeError, "`Amplitude(sigma='much')`: `sigma` must be a number", lambda: Amplitude("much"))


def test_an_unknown_baseline():
    says(
        ValueError,
        "`Deletion(baseline='zeros')`: `baseline` must be one of 'zero', 'middle', 'mean', 'blur', 'noise', 'imputed', "
        "got 'zeros'. Nearest: zero, noise.",
        lambda: evaluate("zeros"),
    )


@pytest.mark.parametrize(
    "baseline, received", [(np.ones((4, 4, 3)), "ndarray of shape (4, 4, 3)"), (["a", "b"], "list of shape (2,)")]
)
def test_a_baseline_that_does_not_spread(baseline, received):
    text = (
        f"(baseline=...)`: a baseline array must spread over a sample (8, 12, 3), got {received}. "
        "Pass a number, a colour (c,), an array of the sample's shape, or a function."
    )
    says(ValueError, f"`Deletion{text}", lambda: evaluate(baseline))
    says(ValueError, f"`Inpainting{text}", lambda: sobol(perturbation=Inpainting(baseline)).explain(X, TARGETS))


@pytest.mark.parametrize("baseline", [np.nan, [0.0, np.inf, 0.0]])
def test_a_baseline_that_is_not_finite(baseline):
    says(
        ValueError,
        "`Deletion(baseline=...)`: a baseline must be finite, got NaN or infinity. Use 'zero' or 'mean'.",
        lambda: evaluate(baseline),
    )


def test_a_blur_of_a_series():
    says(
        ValueError,
        "`Deletion(baseline='blur')`: samples must be images (h, w, c), got shape (7, 3). Use 'zero' or 'mean'.",
        lambda: Deletion(lambda x: x[:, 0], np.ones((5, 7, 3)), 0, baseline="blur").evaluate(np.ones((5, 7))),
    )
