"""The words of the metrics that explain again."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tests.contracts.metric_cases import EXPLAINER_METRICS, quick
from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import Saliency


@pytest.mark.parametrize("cls", EXPLAINER_METRICS, ids=lambda cls: cls.__name__)
def test_what_is_no_explainer_of_the_model(cls):
    metric = cls(network(), X, TARGETS, **quick(cls))
    says(
        TypeError,
        f"`{cls.__name__}.evaluate`: `explainer` must be an Explainer, which can explain again what was changed, got "
        "ndarray. Pass for example Saliency(model).",
        lambda: metric.evaluate(np.ones((5, 8, 12))),  # pyright: ignore[reportArgumentType]
    )
    says(
        ValueError,
        f"`{cls.__name__}.evaluate`: `explainer` must explain the model of this metric, got an explainer of another "
        "model. Build both on the same model object.",
        lambda: metric.evaluate(Saliency(models.convolutional())),
    )
