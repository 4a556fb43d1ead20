"""Whether a model and its samples are what a method needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import ModelError, wording
from ..core.layout import Layout

if TYPE_CHECKING:
    from .explainer import Explainer

_KINDS = {"image": "images (h, w, c)", "series": "series (t, f)", "table": "rows of a table (f,)"}


def check_needs(explainer: Explainer, layout: Layout) -> None:
    """Raises a `ModelError` unless samples and model have what the class of the explainer declares."""
    name = type(explainer).__name__
    if layout.kind not in explainer.kinds:
        raise ModelError(
            wording(
                name,
                expected="samples must be " + " or ".join(_KINDS[kind] for kind in explainer.kinds),
                received=f"shape {layout.shape}",
                remedy="Other methods take them: see the table of methods.",
            )
        )
    if explainer.needs_layers and not explainer.access.is_keras:
        raise ModelError(
            wording(
                name,
                expected="the model must be a Keras model, whose layers can be reached",
                received=f"a {type(explainer.model).__name__}",
                remedy="Use a method that needs no layer, such as RISE or SobolAttribution.",
            )
        )
    if explainer.needs_gradients and not explainer.access.differentiable:
        raise ModelError(
            wording(
                name,
                expected="the model must have gradients",
                received=f"a {type(explainer.model).__name__} of NumPy arrays",
                remedy="Use a method without gradients, such as RISE or SobolAttribution, or pass a Keras model.",
            )
        )
